"""Identical-interest games: both players minimise one loss."""

import abc
from collections.abc import Callable

import equinox as eqx

from gameopt._checks import check_callable
from gameopt._games.base import AbstractGame, value_and_gradient
from gameopt._keys import require_key
from gameopt._types import Key, Losses, Players, Scalar


class IdenticalInterestGame(AbstractGame):
    r"""A game with $L_x = L_y = L$: autoencoders, expectation maximisation, Lloyd's algorithm.

    A subclass writes `loss`. It is a potential game with the potential $L$: its Jacobian is the
    symmetric Hessian of $L$, and best answers in turn never raise $L$. The field costs one forward
    and one backward pass.

    !!! cite "Source"

        Monderer & Shapley (1996), Potential games, Games and Economic Behavior 14.
    """

    @abc.abstractmethod
    def loss(self, players: Players, key: Key = None) -> Scalar:
        """The loss of both, of shape `()`."""

    def losses(self, players: Players, key: Key = None) -> Losses:
        loss = self.loss(players, key)
        return Players(loss, loss)

    def losses_and_field(self, players: Players, key: Key = None) -> tuple[Losses, Players]:
        loss, gradient = value_and_gradient(lambda p: self.loss(p, key), players, "the loss")
        return Players(loss, loss), gradient


class _FunctionGame(IdenticalInterestGame):
    function: Callable
    stochastic: bool = eqx.field(static=True)

    def loss(self, players: Players, key: Key = None) -> Scalar:
        rest = (require_key(key, self),) if self.stochastic else ()
        return self.function(players.x, players.y, *rest)


def identical_interest_game(loss: Callable, *, stochastic: bool = False) -> IdenticalInterestGame:
    """A game of two players who minimise the same loss.

    **Arguments:**

    - `loss`: `(x, y) -> scalar`, or `(x, y, key) -> scalar` if `stochastic`. Data go in as in
      `game_from_losses`.

    **Raises:** `TypeError` for what cannot be called.
    """
    check_callable("loss", loss)
    return _FunctionGame(loss, stochastic)
