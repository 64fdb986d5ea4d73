"""Core type aliases and the `Players` pair."""

from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

import equinox as eqx
from jaxtyping import Array, Float, Int, PRNGKeyArray

# Covariant: a pair is frozen, so a pair of a narrower kind may stand for one of a wider.
X = TypeVar("X", covariant=True)
Y = TypeVar("Y", covariant=True)

Key: TypeAlias = PRNGKeyArray | None
"""Which sample of a stochastic game; `None` for a deterministic one."""

Scalar: TypeAlias = Float[Array, ""]
Real: TypeAlias = float | int | Scalar
Count: TypeAlias = Int[Array, ""]
Strategy: TypeAlias = Any
"""A pytree. Its inexact array leaves are played, the rest is carried along."""

Projection: TypeAlias = Callable[[Strategy], Strategy]
"""Maps a strategy to the nearest one of a set, leaf by leaf."""


class Players(eqx.Module, Generic[X, Y]):
    """A pair, one entry per player: strategies, losses, gradients, optimizers, step sizes, ...

    - `x`: the first player's. It minimises the value of a zero-sum game; a GAN's generator.
    - `y`: the second player's. It maximises the value; a GAN's discriminator or critic.

    `None` in place of a gradient or an optimizer freezes that player.
    """

    x: X
    y: Y
