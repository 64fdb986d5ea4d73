"""Games from plain functions."""

from collections.abc import Callable

import equinox as eqx

from gameopt._checks import check_callable
from gameopt._games.base import AbstractGame, ZeroSumGame
from gameopt._keys import again, require_key
from gameopt._types import Key, Losses, Players, Scalar


class _LossesGame(AbstractGame):
    loss_x: Callable
    loss_y: Callable
    stochastic: bool = eqx.field(static=True)

    def losses(self, players: Players, key: Key = None) -> Losses:
        x, y = players.x, players.y
        if not self.stochastic:
            return Players(self.loss_x(x, y), self.loss_y(x, y))
        key = require_key(key, self)
        return Players(self.loss_x(x, y, key), self.loss_y(x, y, again(key)))


class _ValueGame(ZeroSumGame):
    function: Callable
    stochastic: bool = eqx.field(static=True)

    def value(self, players: Players, key: Key = None) -> Scalar:
        rest = (require_key(key, self),) if self.stochastic else ()
        return self.function(players.x, players.y, *rest)


def game_from_losses(
    loss_x: Callable, loss_y: Callable, *, stochastic: bool = False
) -> AbstractGame:
    """A general-sum game from two plain functions.

    **Arguments:**

    - `loss_x`, `loss_y`: `(x, y) -> scalar`, or `(x, y, key) -> scalar` if `stochastic`. Data that
      a function needs go in by `jax.tree_util.Partial(function, data)` with the data first: what
      a closure captures is a constant of the compiled program.
    - `stochastic`: whether the functions take a key.

    **Raises:** `TypeError` for what cannot be called.
    """
    check_callable("loss_x", loss_x)
    check_callable("loss_y", loss_y)
    return _LossesGame(loss_x, loss_y, stochastic)


def zero_sum_game(value: Callable, *, stochastic: bool = False) -> ZeroSumGame:
    """A zero-sum game from its value `(x, y) -> scalar`: x minimises it, y maximises it.

    The arguments are those of `game_from_losses`.
    """
    check_callable("value", value)
    return _ValueGame(value, stochastic)
