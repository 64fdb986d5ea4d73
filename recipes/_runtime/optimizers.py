"""Optimizers by flags."""

import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import optax

from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast0, Decay, Positive, Typed


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerArgs(metaclass=Typed):
    """One player's optimizer."""

    name: Literal["adam", "rmsprop", "sgd"] = "adam"
    """Which of optax's optimizers."""
    learning_rate: Positive = 5e-4
    """Step size."""
    beta1: Decay = 0.0
    """Momentum: Adam's beta 1, or sgd's momentum. 0 suits a game better than the usual 0.9."""
    beta2: Decay = 0.9
    """Decay of the squared gradients' mean: Adam's beta 2, or RMSprop's decay."""
    decay_steps: AtLeast0 = 0
    """Rounds in which the step size falls to 0 along half a cosine; 0 for one that stays."""


def make_optimizer(args: OptimizerArgs, moves: int = 1) -> optax.GradientTransformation:
    """The optimizer of these flags; `moves`: those of its player in a round."""
    rate = args.learning_rate
    if args.decay_steps:
        rate = optax.cosine_decay_schedule(rate, args.decay_steps * moves)
    if args.name == "adam":
        return optax.adam(rate, b1=args.beta1, b2=args.beta2)
    if args.name == "rmsprop":
        return optax.rmsprop(rate, decay=args.beta2, momentum=args.beta1 or None)
    return optax.sgd(rate, momentum=args.beta1 or None)


def adam(learning_rate: float, decay_steps: int = 0) -> OptimizerArgs:
    """Adam with its usual moments."""
    return OptimizerArgs(
        learning_rate=learning_rate, beta1=0.9, beta2=0.999, decay_steps=decay_steps
    )


def decaying(given: Mapping[str, Any], optimizer: OptimizerArgs, steps: int) -> dict[str, Any]:
    """The default optimizer of a run, whose step size falls for as long as it trains.

    - `given`: flags by name. `steps`: rounds if they are not given.

    A resumed run keeps its own: the default is then that of `steps`.
    """
    with contextlib.suppress(TypeError, ValueError):  # said where the flag is read
        steps = steps if "resume" in given else int(given.get("steps", steps))
    return {"optimizer": dataclasses.replace(optimizer, decay_steps=max(steps, 0))}


def check_decay(optimizer: OptimizerArgs, steps: int) -> None:
    """Raise a `UserError` for rounds in which the step size would be 0."""
    decay = optimizer.decay_steps
    if 0 < decay < steps:
        raise UserError(
            f"--steps {steps}: by --optimizer.decay-steps the step size is 0 from round {decay} "
            "on, and rounds after it would change nothing; give both the same number, in a new run."
        )
