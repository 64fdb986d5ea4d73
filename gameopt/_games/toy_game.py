"""Toy games on the plane: a formula, where it comes from, and what its critical points are."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp

from gameopt._games.base import AbstractGame, CriticalPoint, ZeroSumGame
from gameopt._types import Key, Players, Scalar


class PlanarPoint(NamedTuple):
    """A `CriticalPoint` with strategies of shape `()`, written as numbers.

    Numbers can be compared and hashed, so that a game that is made twice is one compiled program.
    """

    x: float
    y: float
    nash: bool
    minimax: bool | None
    attractor: bool

    def critical_point(self) -> CriticalPoint:
        """The same point as arrays of the default precision."""
        dtype = jnp.result_type(float)
        players = Players(jnp.asarray(self.x, dtype), jnp.asarray(self.y, dtype))
        return CriticalPoint(players, self.nash, self.minimax, self.attractor)


class ToyGame(AbstractGame):
    """A general-sum game on the plane, with its critical points.

    - `loss_x`, `loss_y`: `(x, y) -> loss`, each of shape `()`; functions of a module, because a
      function made anew is compiled anew.
    - `name`, `source`: what the game is called, and who wrote it down.
    - `points`: the critical points; where they fill a line, one of them.
    """

    loss_x: Callable = eqx.field(static=True)
    loss_y: Callable = eqx.field(static=True)
    name: str = eqx.field(static=True)
    source: str = eqx.field(static=True)
    points: tuple[PlanarPoint, ...] = eqx.field(static=True)

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        del key
        return Players(self.loss_x(players.x, players.y), self.loss_y(players.x, players.y))

    def equilibria(self) -> tuple[Players, ...]:
        """The critical points that are differential Nash equilibria."""
        return _nash(self.critical_points())

    def critical_points(self) -> tuple[CriticalPoint, ...]:
        """The critical points with their published verdicts; where they fill a line, one of it."""
        return tuple(point.critical_point() for point in self.points)


class ZeroSumToyGame(ZeroSumGame):
    """A zero-sum game on the plane, with its critical points.

    - `function`: the value $V$, `(x, y) -> value` of shape `()`; x minimises it, y maximises it.

    The other fields are those of `ToyGame`.
    """

    function: Callable = eqx.field(static=True)
    name: str = eqx.field(static=True)
    source: str = eqx.field(static=True)
    points: tuple[PlanarPoint, ...] = eqx.field(static=True)

    def value(self, players: Players, key: Key = None) -> Scalar:
        del key
        return self.function(players.x, players.y)

    def equilibria(self) -> tuple[Players, ...]:
        """The critical points that are differential Nash equilibria."""
        return _nash(self.critical_points())

    def critical_points(self) -> tuple[CriticalPoint, ...]:
        """The critical points with their published verdicts."""
        return tuple(point.critical_point() for point in self.points)


def _nash(points: tuple[CriticalPoint, ...]) -> tuple[Players, ...]:
    return tuple(point.players for point in points if point.nash)
