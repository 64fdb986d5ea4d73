"""The protocol of a solver: one round of play and its report; first-order moves."""

import abc
import re
from collections.abc import Callable
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from gameopt._games.base import AbstractGame, check_strategies, replace
from gameopt._trees import check_playable, check_players, playable, split_played, tree_axpy
from gameopt._types import Count, Key, Losses, Player, Players, Scalar, Strategy

State = TypeVar("State")

Optimizers = Players[optax.GradientTransformation | None, optax.GradientTransformation | None]
"""One per player; `None` freezes a player.

Optimizers that want the `value` of the loss have it, where it is known at the point of the
gradient; those that search along a line, and so want its `value_fn` too, are for `Simultaneous` and
`Alternating`, which descend the loss itself.
"""


def as_optimizers(value: Any, name: str = "optimizers") -> Optimizers:
    """The same; a `TypeError` unless it is a pair of optax's optimizers, or `None`."""
    check_players(value, name)
    for player in ("x", "y"):
        optimizer = getattr(value, player)
        is_one = callable(getattr(optimizer, "init", None)) and hasattr(optimizer, "update")
        if not (optimizer is None or is_one):
            raise TypeError(
                f"{name}.{player} must be an optimizer of optax, or None for a player that is "
                f"frozen, got {optimizer!r}."
            )
    return value


def optional_optimizers(name: str) -> Callable[[Any], Optimizers | None]:
    """`as_optimizers` of that name, which lets `None` pass."""
    return lambda value: None if value is None else as_optimizers(value, name)


class RoundInfo(eqx.Module):
    """The report of a round, of fixed shapes, so that a scan stacks it.

    - `losses`: each player's loss just before its last move of the round; that of a frozen player
      just before the other's (it does not move, but it has a loss); `None` for an absent player.
    - `gradients`: how many gradients of one player's loss were taken (int32).
    - `hvps`: products with second derivatives of one player's loss (int32); one with the game's
      Jacobian, or with its transpose, counts two. `solves`: inner linear solves (int32).
    - `residual`: of the last inner solve, relative; 0 where there is none.
    """

    losses: Losses
    gradients: Count
    hvps: Count
    solves: Count
    residual: Scalar


def round_info(
    losses: Losses,
    gradients: int | Count,
    hvps: int | Count = 0,
    solves: int = 0,
    residual: Scalar | None = None,
) -> RoundInfo:
    """A `RoundInfo` whose counts are int32 arrays."""
    count = lambda n: jnp.asarray(n, jnp.int32)
    dtype = losses.x.dtype
    residual = jnp.zeros((), dtype) if residual is None else residual.astype(dtype)
    return RoundInfo(losses, count(gradients), count(hvps), count(solves), residual)


class AbstractSolver(eqx.Module, Generic[State]):
    """A solver: one round of play on a joint strategy. It owns no loop and stores no state.

    `no_single_rate` says why a round of this solver is not the same smooth map every time, so that
    it has no one local rate; it is empty where it has one.
    """

    @property
    def no_single_rate(self) -> str:
        """The reason for having no local rate; empty if there is one."""
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


class AbstractMemorylessSolver(AbstractSolver[None]):
    """A solver whose rounds depend on nothing but the joint strategy.

    - `needs_two`: whether it is about how one player answers another.
    """

    needs_two: ClassVar[bool] = False

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> None:
        del key
        if self.needs_two:
            check_two_players(game, players, self)
        else:
            check_strategies(game, players)


def init_optimizers(optimizers: Optimizers, players: Players) -> Players[Any, Any]:
    """Each optimizer's state of its player's played leaves; `None` for a frozen player.

    **Raises:** `ValueError` if a player that is not frozen has nothing to play.
    """
    moving = tuple(name for name in ("x", "y") if getattr(optimizers, name) is not None)
    check_playable(players, moving)
    init = lambda optimizer, strategy: optimizer and optimizer.init(playable(strategy))
    return Players(init(optimizers.x, players.x), init(optimizers.y, players.y))


class Known(NamedTuple):
    """The loss that an optimizer's update may want to know.

    - `loss`: where the gradient was taken, shape `()`; `None` if unknown. `loss_at`: of another
      strategy, if the gradient is this function's, at the strategy that moves.
    """

    loss: Scalar | None = None
    loss_at: Callable[[Strategy], Scalar] | None = None


_UNKNOWN = Known()


def descend(
    optimizer: optax.GradientTransformation | None,
    gradient: Strategy,
    state: Any,
    strategy: Strategy,
    known: Known = _UNKNOWN,
) -> tuple[Strategy, Any]:
    """One player's first-order move: `strategy + updates`, and the optimizer's new state.

    A frozen player, whose optimizer is `None`, stays. No set is applied: that is for
    `game.project`, once both have moved. Works under strict dtype promotion, and dtypes stay.

    **Arguments:**

    - `gradient`: of the structure of `strategy`, or of its played leaves.
    - `state`: as `init_optimizers` begins it, this player's.
    - `known`: the loss, for optimizers that want its value, such as line searches.
    """
    if optimizer is None:
        return strategy, state
    updates, state = _update(optimizer, gradient, state, strategy, known)
    return eqx.apply_updates(strategy, updates), state


def _update(
    optimizer, gradient: Strategy, state: Any, strategy: Strategy, known: Known
) -> tuple[Strategy, Any]:
    played, rest = split_played(strategy)
    extra: dict[str, Any] = {}
    if isinstance(optimizer, optax.GradientTransformationExtraArgs):
        extra = _extra_arguments(gradient, rest, known)
    # optax mixes its counters with floats, and ranks, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        try:
            updates, new = optimizer.update(gradient, state, played, **extra)
        except TypeError as error:
            raise _explained(error) from error
    return _in_dtypes_of(played, updates), _in_dtypes_of(state, new)


def _extra_arguments(gradient: Strategy, rest: Strategy, known: Known) -> dict[str, Any]:
    """The keyword arguments of optax's protocol, as far as they are known."""
    extra = {} if known.loss is None else {"value": known.loss}
    if known.loss_at is None:
        return extra
    loss_at = known.loss_at
    # A line search asks for the value of another point, and must not see another sample there.
    return {
        **extra,
        "grad": gradient,
        "value_fn": lambda moved: loss_at(eqx.combine(moved, rest)),
    }


def _explained(error: TypeError) -> TypeError:
    """The error of an optimizer that needs more than the solver knows, with a remedy."""
    missing = re.search(r"(\S+)\(\) missing .* required keyword-only arguments?: (.*)", str(error))
    if missing is None:
        return error
    return TypeError(
        f"The optimizer ({missing[1]}) wants {missing[2]} at every update, which this solver does "
        "not know. Simultaneous and Alternating descend the loss itself and know its value, grad "
        "and value_fn: take one of them, or another optimizer."
    )


def _in_dtypes_of(like: Any, tree: Any) -> Any:
    """Promotion inside an optimizer changes no dtype, so that rounds can be scanned."""
    cast = lambda new, old: new.astype(old.dtype) if eqx.is_inexact_array(old) else new
    same = jax.tree.structure(like) == jax.tree.structure(tree)
    return jax.tree.map(cast, tree, like) if same else tree


def updates_of(
    optimizers: Optimizers,
    direction: Players,
    state: Players[Any, Any],
    players: Players,
    losses: Losses,
) -> tuple[Players, Players[Any, Any]]:
    """The optimizers' updates of their players, zero for a frozen one, and the new states."""
    zero = jax.tree.map(jnp.zeros_like, playable(players))
    x, y, state_x, state_y = zero.x, zero.y, state.x, state.y
    if optimizers.x is not None:
        x, state_x = _update(optimizers.x, direction.x, state.x, players.x, Known(losses.x))
    if optimizers.y is not None:
        y, state_y = _update(optimizers.y, direction.y, state.y, players.y, Known(losses.y))
    return Players(x, y), Players(state_x, state_y)


def descend_both(
    game: AbstractGame,
    optimizers: Optimizers,
    direction: Players,
    state: Players[Any, Any],
    players: Players,
    losses: Players[Scalar | None, Any],
    losses_at: Callable[[Players], Losses] | None = None,
) -> tuple[Players, Players[Any, Any]]:
    """Both players' moves along one direction, at once and onto the sets of the game.

    **Arguments:**

    - `losses`: where the gradients were taken. `losses_at`: of any players, if the direction is the
      gradients of these, here.
    """

    def known(player: Player) -> Known:
        loss = getattr(losses, player)
        if losses_at is None:
            return Known(loss)
        whole = losses_at
        return Known(loss, lambda own: getattr(whole(replace(players, player, own)), player))

    x, state_x = descend(optimizers.x, direction.x, state.x, players.x, known("x"))
    y, state_y = descend(optimizers.y, direction.y, state.y, players.y, known("y"))
    return game.project(Players(x, y)), Players(state_x, state_y)


def check_two_players(game: AbstractGame, players: Players, solver: object) -> None:
    """Raise a `ValueError` unless the game has two players, and each has a number to play."""
    if game.player_names != ("x", "y"):
        raise ValueError(
            f"{type(solver).__name__} is about how one player answers another, and "
            f"{type(game).__name__} has one player: take go.descent(optimizer)."
        )
    check_strategies(game, players)


def count_moving(optimizers: Optimizers) -> int:
    """The number of players that are not frozen."""
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
