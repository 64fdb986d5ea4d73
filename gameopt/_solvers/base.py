"""What a solver is: one round of play, and what it reports."""

import abc
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from gameopt._games.base import AbstractGame
from gameopt._trees import check_playable, playable, tree_axpy
from gameopt._types import Count, Key, Players, Scalar, Strategy

State = TypeVar("State")

Optimizers = Players[optax.GradientTransformation | None, optax.GradientTransformation | None]
"""One per player; `None` freezes a player."""


class RoundInfo(eqx.Module):
    """What a round reports, of fixed shapes, so that a scan stacks it.

    - `losses`: each player's loss just before its last move of the round; NaN if it never moved.
    - `gradients`: how many gradients of one player's loss were taken (int32).
    - `hvps`: products with second derivatives of one player's loss (int32); one with the game's
      Jacobian, or with its transpose, counts two. `solves`: inner linear solves (int32).
    - `residual`: of the last inner solve, relative; 0 where there is none.
    """

    losses: Players[Scalar, Scalar]
    gradients: Count
    hvps: Count
    solves: Count
    residual: Scalar


def round_info(
    losses: Players[Scalar, Scalar],
    gradients: int | Count,
    hvps: int | Count = 0,
    solves: int = 0,
    residual: Scalar | None = None,
) -> RoundInfo:
    """The report of a round, its counts as int32 arrays."""
    count = lambda n: jnp.asarray(n, jnp.int32)
    dtype = losses.x.dtype
    residual = jnp.zeros((), dtype) if residual is None else residual.astype(dtype)
    return RoundInfo(losses, count(gradients), count(hvps), count(solves), residual)


class AbstractSolver(eqx.Module, Generic[State]):
    """How one round of play changes the joint strategy. Owns no loop and stores no state.

    `no_single_rate` says why a round of this solver is not the same smooth map every time, so that
    it has no one local rate; it is empty where it has one.
    """

    @property
    def no_single_rate(self) -> str:
        """Why there is no local rate; empty if there is one."""
        return ""

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
    updates, state = _update(optimizer, gradient, state, strategy)
    return eqx.apply_updates(strategy, updates), state


def _update(optimizer, gradient: Strategy, state: Any, strategy: Strategy) -> tuple[Strategy, Any]:
    # optax mixes its counters with floats, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        return optimizer.update(gradient, state, playable(strategy))


def updates_of(
    optimizers: Optimizers, direction: Players, state: Players[Any, Any], players: Players
) -> tuple[Players, Players[Any, Any]]:
    """What each optimizer would add to its player, zero for a frozen one, and the new states."""
    zero = jax.tree.map(jnp.zeros_like, playable(players))
    x, y, state_x, state_y = zero.x, zero.y, state.x, state.y
    if optimizers.x is not None:
        x, state_x = _update(optimizers.x, direction.x, state.x, players.x)
    if optimizers.y is not None:
        y, state_y = _update(optimizers.y, direction.y, state.y, players.y)
    return Players(x, y), Players(state_x, state_y)


def descend_both(
    game: AbstractGame,
    optimizers: Optimizers,
    direction: Players,
    state: Players[Any, Any],
    players: Players,
) -> tuple[Players, Players[Any, Any]]:
    """Both players' moves along one direction, at once and onto the sets of the game."""
    x, y, state_x, state_y = players.x, players.y, state.x, state.y
    if optimizers.x is not None:
        x, state_x = descend(optimizers.x, direction.x, state.x, players.x)
    if optimizers.y is not None:
        y, state_y = descend(optimizers.y, direction.y, state.y, players.y)
    return game.project(Players(x, y)), Players(state_x, state_y)


def count_moving(optimizers: Optimizers) -> int:
    """How many players are not frozen."""
    return (optimizers.x is not None) + (optimizers.y is not None)


def descend_plainly(
    game: AbstractGame,
    learning_rate: Players[Scalar, Scalar],
    direction: Players,
    players: Players,
) -> Players:
    r"""$\mathrm{project}(z - \eta d)$, each player with its own $\eta$."""
    x = tree_axpy(-learning_rate.x, direction.x, players.x)
    y = tree_axpy(-learning_rate.y, direction.y, players.y)
    return game.project(Players(x, y))
