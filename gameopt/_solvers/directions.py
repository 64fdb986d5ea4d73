"""Base classes of solvers whose round follows one joint direction."""

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx

from gameopt._games.base import AbstractGame
from gameopt._keys import again
from gameopt._solvers.base import (
    AbstractMemorylessSolver,
    AbstractSolver,
    Optimizers,
    RoundInfo,
    descend_both,
    descend_plainly,
    init_optimizers,
    round_info,
)
from gameopt._types import Count, Key, Losses, Players, Scalar


class Direction(NamedTuple):
    """A joint direction, the losses here, and its costs: the counts of a `RoundInfo`.

    - `is_field`: whether it is the players' own gradients.
    """

    value: Players
    losses: Losses
    gradients: int
    hvps: int | Count = 0
    solves: int = 0
    residual: Scalar | None = None
    is_field: bool = False

    @property
    def info(self) -> RoundInfo:
        """The report of a round along it."""
        return round_info(self.losses, self.gradients, self.hvps, self.solves, self.residual)


class AbstractOptimizedDirection(AbstractSolver[Players[Any, Any]]):
    """Both players descend one joint direction at once, each through its own optimizer."""

    optimizers: eqx.AbstractVar[Optimizers]

    @abc.abstractmethod
    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        """The joint direction that is descended in place of the field."""

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> Players[Any, Any]:
        del game, key
        return init_optimizers(self.optimizers, players)

    def step(
        self, game: AbstractGame, players: Players, state: Players[Any, Any], key: Key = None
    ) -> tuple[Players, Players[Any, Any], RoundInfo]:
        direction = self.direction(game, players, key)
        losses_at = (lambda p: game.losses(p, again(key))) if direction.is_field else None
        players, state = descend_both(
            game, self.optimizers, direction.value, state, players, direction.losses, losses_at
        )
        return players, state, direction.info


class AbstractPlainDirection(AbstractMemorylessSolver):
    """Both players descend one joint direction at once, with a step size and no memory.

    It is of how each answers the other.
    """

    needs_two: ClassVar[bool] = True
    learning_rate: eqx.AbstractVar[Players[Scalar, Scalar]]

    @abc.abstractmethod
    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        """The joint direction that is descended in place of the field."""

    def step(
        self, game: AbstractGame, players: Players, state: None, key: Key = None
    ) -> tuple[Players, None, RoundInfo]:
        direction = self.direction(game, players, key)
        new = descend_plainly(game, self.learning_rate, direction.value, players)
        return new, state, direction.info
