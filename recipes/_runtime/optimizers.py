"""Optimizers by flags."""

import dataclasses
from typing import Literal

import optax

from recipes._runtime.errors import UserError
from recipes._runtime.fields import Typed


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizerArgs(metaclass=Typed):
    """One player's optimizer."""

    name: Literal["adam", "rmsprop", "sgd"] = "adam"
    """Which of optax's optimizers."""
    learning_rate: float = 5e-4
    """Step size."""
    beta1: float = 0.0
    """Momentum: Adam's beta 1, or sgd's momentum. 0 suits a game better than the usual 0.9."""
    beta2: float = 0.9
    """Decay of the squared gradients' mean: Adam's beta 2, or RMSprop's decay."""


def make_optimizer(args: OptimizerArgs, flag: str) -> optax.GradientTransformation:
    """The optimizer; a wrong number is a `UserError` that names its flag."""
    if not 0 < args.learning_rate < float("inf"):
        raise UserError(f"--{flag}.learning-rate must be positive, got {args.learning_rate}.")
    for name in ("beta1", "beta2"):
        if not 0 <= getattr(args, name) < 1:
            raise UserError(f"--{flag}.{name} must be in [0, 1), got {getattr(args, name)}.")
    if args.name == "adam":
        return optax.adam(args.learning_rate, b1=args.beta1, b2=args.beta2)
    if args.name == "rmsprop":
        return optax.rmsprop(args.learning_rate, decay=args.beta2, momentum=args.beta1 or None)
    return optax.sgd(args.learning_rate, momentum=args.beta1 or None)
