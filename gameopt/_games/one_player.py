"""Optimisation problems: games whose second player is absent."""

import abc
from collections.abc import Callable

import equinox as eqx

from gameopt._checks import check_callable
from gameopt._games.base import AbstractGame
from gameopt._keys import require_key
from gameopt._types import Key, Losses, Player, Players, Scalar, Strategy


class OnePlayerGame(AbstractGame):
    r"""An optimisation problem $\min_x L(x)$, played as `Players(x, None)`.

    A subclass writes `loss`. The field is $(\nabla L, \cdot)$, the Jacobian is the Hessian, and a
    differential Nash equilibrium is a minimum with a positive definite Hessian. The absent player's
    entries are `None` in losses, fields, records and reports.
    """

    @abc.abstractmethod
    def loss(self, x: Strategy, key: Key = None) -> Scalar:
        """The loss, of shape `()`."""

    @property
    def player_names(self) -> tuple[Player, ...]:
        return ("x",)

    def losses(self, players: Players, key: Key = None) -> Losses:
        return Players(self.loss(players.x, key), None)


class _FunctionGame(OnePlayerGame):
    function: Callable
    stochastic: bool = eqx.field(static=True)

    def loss(self, x: Strategy, key: Key = None) -> Scalar:
        return self.function(x, require_key(key, self)) if self.stochastic else self.function(x)


def one_player_game(loss: Callable, *, stochastic: bool = False) -> OnePlayerGame:
    """An optimisation problem from its loss; its players are `Players(x, None)`.

    **Arguments:**

    - `loss`: `x -> scalar`, or `(x, key) -> scalar` if `stochastic`. Data that it needs go in by
      `jax.tree_util.Partial(function, data)` with the data first, or as fields of an
      `OnePlayerGame`.

    `descent(optimizer)` is the plain solver for it.

    **Raises:** `TypeError` for what cannot be called.
    """
    check_callable("loss", loss)
    return _FunctionGame(loss, stochastic)
