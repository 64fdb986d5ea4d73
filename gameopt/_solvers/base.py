"""What a solver is: one round of play, and what it reports."""

import abc
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from gameopt._games.base import AbstractGame
from gameopt._trees import check_playable, playable
from gameopt._types import Count, Key, Players, Scalar, Strategy

State = TypeVar("State")

Optimizers = Players[optax.GradientTransformation | None, optax.GradientTransformation | None]
"""One per player; `None` freezes a player."""


class RoundInfo(eqx.Module):
    """What a round reports, of fixed shapes, so that a scan stacks it.

    - `losses`: each player's loss just before its last move of the round; NaN if it never moved.
    - `gradients`: how many gradients of one player's loss were taken (int32).
    - `hvps`: Hessian-vector products (int32). `solves`: inner linear solves (int32).
    - `residual`: of the last inner solve, relative; 0 where there is none.
    """

    losses: Players[Scalar, Scalar]
    gradients: Count
    hvps: Count
    solves: Count
    residual: Scalar


def first_order_info(losses: Players[Scalar, Scalar], gradients: int) -> RoundInfo:
    """The report of a round that took gradients only."""
    count = lambda n: jnp.asarray(n, jnp.int32)
    return RoundInfo(losses, count(gradients), count(0), count(0), jnp.zeros((), losses.x.dtype))


class AbstractSolver(eqx.Module, Generic[State]):
    """How one round of play changes the joint strategy. Owns no loop and stores no state."""

    @abc.abstractmethod
    def init(self, game: AbstractGame, players: Players, key: Key = None) -> State:
        """The state before the first round."""

    @abc.abstractmethod
    def step(
        self, game: AbstractGame, players: Players, state: State, key: Key = None
    ) -> tuple[Players, State, RoundInfo]:
        """One round: the new joint strategy, the new state, and the report."""

    def evaluate(self, players: Players, state: State) -> Players:
        """The joint strategy that analyses and sampling look at: the iterate itself by default."""
        del state
        return players


def init_optimizers(optimizers: Optimizers, players: Players) -> Players[Any, Any]:
    """Each optimizer's state of its player's played leaves; `None` for a frozen player.

    **Raises:** `ValueError` if a player that is not frozen has nothing to play.
    """
    moving = tuple(name for name in ("x", "y") if getattr(optimizers, name) is not None)
    check_playable(players, moving)
    init = lambda optimizer, strategy: optimizer and optimizer.init(playable(strategy))
    return Players(init(optimizers.x, players.x), init(optimizers.y, players.y))


def descend(
    optimizer: optax.GradientTransformation, gradient: Strategy, state: Any, strategy: Strategy
) -> tuple[Strategy, Any]:
    """One first-order move: `strategy + updates`, and the optimizer's new state."""
    # optax mixes its counters with floats, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        updates, state = optimizer.update(gradient, state, playable(strategy))
    return eqx.apply_updates(strategy, updates), state
