"""The loops: a fixed number of rounds, and rounds until stationary."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from gameopt._checks import Integer, check_count, count_array
from gameopt._games.base import AbstractGame, check_absent, check_game
from gameopt._games.derivatives import stationarity_of_played
from gameopt._keys import fold_in
from gameopt._solution import RESULTS, Rollout, Solution, Stats
from gameopt._solvers.base import AbstractSolver, RoundInfo
from gameopt._trees import (
    all_finite,
    float_array,
    playable,
    stayed_finite,
    strong,
    tree_norm,
)
from gameopt._types import Count, Key, Players, Real

_NOT_A_ROUND = 2**32 - 1
"""Folded into the key where no round is played, so that no round shares its sample."""


class Moment(eqx.Module):
    """The argument of `record` after a round.

    - `game`; `players`: as the solver evaluates them; `state`: the solver's.
    - `info`: the report of the round. `round`: how many rounds have been played, from 1.
    - `key`: a key of its own for this moment, to draw with; `None` if the loop has none.
    """

    game: AbstractGame
    players: Players
    state: Any
    info: RoundInfo
    round: Count
    key: Key


Record = Callable[[Moment], Any]


def record_info(now: Moment) -> RoundInfo:
    """Record the report of the round: losses, and counts of gradients."""
    return now.info


def record_players(now: Moment) -> Players:
    """Record the played leaves of the joint strategy: the trajectory, for small games."""
    return playable(now.players)


def _play(solver: AbstractSolver, game: AbstractGame, players, state, t, key: Key):
    """Round t, whose key depends on t alone and not on where a loop began."""
    return solver.step(game, players, state, fold_in(key, t))


def rollout(
    game: AbstractGame,
    solver: AbstractSolver,
    players: Players,
    rounds: Integer,
    *,
    key: Key = None,
    state: Any = None,
    start: Integer = 0,
    record: Record = record_info,
    every: Integer = 1,
) -> Rollout:
    """Play a fixed number of rounds by `lax.scan`: differentiable, vmappable, one compilation.

    Round t uses `fold_in(key, t)` with t counted from the very first round, so that rounds cut into
    several rollouts (`state=last.state, start=last.round`) are the rounds of one.

    **Arguments:**

    - `rounds`: how many, an integer of any kind; the program is compiled once per number.
    - `key`: for stochastic games; `None` otherwise.
    - `state`: the solver's, or `None` to begin with `solver.init`.
    - `start`: how many rounds were played before.
    - `record`: called after every `every` rounds with a `Moment`; returns a pytree of arrays.
    - `every`: rounds from one record to the next. Left-over rounds at the end record nothing.

    **Returns:** a `Rollout`; its records have a first axis of `rounds // every`.

    **Raises:** `ValueError` if `rounds` or `start` is negative or `every` is less than 1, or one of
    them is no integer, or for the strategy of an absent player; `TypeError` for what is no game, no
    solver or no pair of players.
    """
    check_play(game, solver, players)
    rounds, every = check_count("rounds", rounds), check_count("every", every, 1)
    start = count_array("start", start)
    return _rollout(game, solver, players, state, start, key, record, rounds, every)


@eqx.filter_jit
def _rollout(game, solver, players, state, start, key, record, rounds: int, every: int) -> Rollout:
    if state is None:
        state = solver.init(game, players, key)
    carried, rest = eqx.partition(strong((players, state)), eqx.is_array)

    def one_round(carry, _):
        carried, t, _ = carry
        players, state = eqx.combine(carried, rest)
        players, state, info = _play(solver, game, players, state, t, key)
        return (eqx.filter((players, state), eqx.is_array), t + 1, info), None

    def one_record(carry, _):
        carry, _ = jax.lax.scan(one_round, carry, length=every)
        carried, t, info = carry
        players, state = eqx.combine(carried, rest)
        moment_key = fold_in(fold_in(key, t), _NOT_A_ROUND)
        evaluated = solver.evaluate(players, state)
        return carry, record(Moment(game, evaluated, state, info, t, moment_key))

    info = _empty_info(solver, game, players, state, key)
    carry, records = jax.lax.scan(one_record, (carried, start, info), length=rounds // every)
    if rounds % every:
        carry, _ = jax.lax.scan(one_round, carry, length=rounds % every)
    carried, t, _ = carry
    players, state = eqx.combine(carried, rest)
    return Rollout(players, state, t, records)


def _empty_info(solver, game, players, state, key) -> RoundInfo:
    """A report of the right shapes, for the carry of a scan to begin with."""
    info = eqx.filter_eval_shape(
        lambda *args: _play(solver, game, *args)[2], players, state, jnp.int32(0), key
    )
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), info)


def solve(
    game: AbstractGame,
    solver: AbstractSolver,
    players: Players,
    *,
    key: Key = None,
    tol: Real = 1e-6,
    max_rounds: Integer = 100_000,
    check_every: Integer = 1,
    max_norm: Real = 1e8,
    throw: bool = True,
) -> Solution:
    r"""Play until $\|z - \mathrm{project}(z - \xi(z))\| \le$ `tol`, and says why it ended.

    **Arguments:**

    - `key`: for stochastic games, whose stationarity is then judged on one fixed sample.
    - `tol`: how stationary is stationary, in units of the field.
    - `max_rounds`, `check_every`: at most so many rounds; judged after every `check_every` of them
      (each judgement costs one field).
    - `max_norm`: a joint strategy whose norm passes it has diverged.
    - `throw`: raise a `RuntimeError` unless successful, the remedy its first line (under `jit` and
      `vmap` that of the first failure, from Equinox). With `False` the result is data:
      `solution.result`.

    **Returns:** a `Solution`. Rounds are those of `rollout` with the same key.

    **Raises:** as `rollout`; and `RuntimeError` as above.
    """
    check_play(game, solver, players)
    # Arrays, so that another limit is no other program.
    tol_, max_norm_ = float_array(tol), float_array(max_norm)
    rounds_, every_ = (
        count_array("max_rounds", max_rounds),
        count_array("check_every", check_every, 1),
    )
    solution = _solve(game, solver, players, key, tol_, rounds_, every_, max_norm_)
    return _thrown(solution) if throw else solution


def _thrown(solution: Solution) -> Solution:
    """The solution; if there is none, an error whose first line is the remedy."""
    result = solution.result
    if isinstance(result.index, Tracer):
        players = result.error_if(solution.players, result != RESULTS.successful)
        return eqx.tree_at(lambda s: s.players, solution, players)
    if str(result) != "successful":
        raise RuntimeError(RESULTS[result])
    return solution


def check_play(game: Any, solver: Any, players: Any) -> None:
    """Raise a `TypeError` unless these are a game, a solver and a pair of players.

    A `ValueError` for the strategy of an absent player.
    """
    check_game(game)
    if not isinstance(solver, AbstractSolver):
        raise TypeError(
            f"solver must be a go.AbstractSolver, got {type(solver).__name__}: for instance "
            "go.Alternating(go.Players(optax.sgd(0.1), optax.sgd(0.1)))."
        )
    check_absent(game, players)


@eqx.filter_jit
def _solve(game, solver, players, key, tol, max_rounds, check_every, max_norm) -> Solution:
    state = solver.init(game, players, key)
    begun = state
    carried, rest = eqx.partition(strong((players, state)), eqx.is_array)
    judge_key = fold_in(key, _NOT_A_ROUND)

    def judge(carried) -> Float[Array, ""]:
        players, state = eqx.combine(carried, rest)
        off = stationarity_of_played(game, solver.evaluate(players, state), judge_key)
        return off.astype(tol.dtype)

    def one_round(t: Int[Array, ""], carried):
        players, state = eqx.combine(carried, rest)
        players, state, _ = _play(solver, game, players, state, t, key)
        return eqx.filter((players, state), eqx.is_array)

    def going(carry) -> Bool[Array, ""]:
        carried, t, distance = carry
        players, state = eqx.combine(carried, rest)
        near = tree_norm(players).astype(max_norm.dtype) <= max_norm
        fine = jnp.isfinite(distance) & stayed_finite(state, begun)
        return (t < max_rounds) & (distance > tol) & fine & near

    def some_rounds(carry):
        carried, t, _ = carry
        end = jnp.minimum(t + check_every, max_rounds)
        carried = jax.lax.fori_loop(t, end, one_round, carried)
        return carried, end, judge(carried)

    start = (carried, jnp.int32(0), judge(carried))
    carried, t, distance = jax.lax.while_loop(going, some_rounds, start)
    iterate, state = eqx.combine(carried, rest)
    result = RESULTS.max_rounds_reached
    far = tree_norm(iterate).astype(max_norm.dtype) > max_norm
    result = RESULTS.where(far, RESULTS.diverged, result)
    result = RESULTS.where(distance <= tol, RESULTS.successful, result)
    finite = jnp.isfinite(distance) & all_finite(iterate) & stayed_finite(state, begun)
    result = RESULTS.where(finite, result, RESULTS.nonfinite)
    evaluated = solver.evaluate(iterate, state)
    stats = Stats(t, distance, game.losses(evaluated, judge_key))
    return Solution(evaluated, result, stats, iterate, state)
