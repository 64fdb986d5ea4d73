"""Optimizers by flags."""

import dataclasses
from typing import Literal

import optax

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
    """Moves in which the step size falls to 0 along half a cosine; 0 for one that stays."""


def make_optimizer(args: OptimizerArgs) -> optax.GradientTransformation:
    """The optimizer of these flags."""
    rate = args.learning_rate
    if args.decay_steps:
        rate = optax.cosine_decay_schedule(rate, args.decay_steps)
    if args.name == "adam":
        return optax.adam(rate, b1=args.beta1, b2=args.beta2)
    if args.name == "rmsprop":
        return optax.rmsprop(rate, decay=args.beta2, momentum=args.beta1 or None)
    return optax.sgd(rate, momentum=args.beta1 or None)
