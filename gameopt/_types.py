"""Core type aliases, the `Players` pair, and `Fixed` arrays."""

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeAlias, TypeVar

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
"""A pytree. Its inexact array leaves are played, but for those in `Fixed`; the rest is carried."""

Player: TypeAlias = Literal["x", "y"]
"""The name of a player's entry in a `Players`."""

Projection: TypeAlias = Callable[[Strategy], Strategy]
"""Maps a strategy to the nearest one of a set, leaf by leaf."""


class Players(eqx.Module, Generic[X, Y]):
    """A pair, one entry per player: strategies, losses, gradients, optimizers, step sizes, ...

    - `x`: the first player's. It minimises the value of a zero-sum game; a GAN's generator.
    - `y`: the second player's. It maximises the value; a GAN's discriminator or critic.

    `None` in place of an optimizer freezes that player: it is there, and its loss is reported. An
    absent player (`one_player_game`) has `None` everywhere: as a strategy, a loss and a gradient.
    """

    x: X
    y: Y


Losses: TypeAlias = Players[Scalar, Any]
"""Each player's loss, of shape `()`; `None` for an absent player."""


class Fixed(eqx.Module, Generic[X]):
    """An array, or a tree of them, that a strategy carries and nobody plays.

    - `value`: used as `fixed.value`.

    Optimizers, fields, Jacobians, projections and averages skip it, and no gradient reaches it:
    every function of the library asks `playable` which leaves are played. It is for moving
    averages, codebooks, and vectors of a power iteration. What it holds is changed by the game's
    `project` (after every move, seeing the strategies alone) or by `Carrying` (once a round, seeing
    the round's sample too).
    """

    value: X
