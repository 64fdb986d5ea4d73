"""Play a solver on a game, all step sizes and all starts in one compiled call.

Everyone may take the same number of gradients, a Hessian product counting as two: it is a forward
and a backward pass over a gradient. So a play has no fixed number of rounds: it ends with the first
round that uses up its budget.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

import gameopt as go
from recipes._runtime.solvers import Make
from recipes._tournament.games import Contest, flat

HVP = 2
"""Gradients that a Hessian product counts as."""
AT = 0.05
"""So near to a point is at the point."""
STATIONARY = 1e-3
"""So small a field is stationary, if no known point is near."""
TAIL = 192
"""Rounds that are played on, and recorded one by one, after the budget: quick orbits show there."""
VERDICTS = ("nash", "minimax", "critical", "stationary", "moving", "cycle", "diverged")
"""Ended at a differential Nash equilibrium; at another local minimax; at another known critical
point; at rest, or where the field is small; still moving; on a closed orbit; beyond reach."""


def cost_of(info: go.RoundInfo) -> Array:
    """Cost of a round, in gradients."""
    return info.gradients + HVP * info.hvps


class Plays(NamedTuple):
    """Every play: the axes are step size, start, and in `curve` moment.

    - `curve`: the measure when each budget was used up. `players`: as evaluated at the last.
    - `diverged`: whether the norm had passed the reach. `rounds`, `spent`: of each play until then.
    - `path`: evaluated players at every moment and in each round of the tail after the last;
      `None` without a tail. `all_rounds`: the tail's included.
    """

    curve: jax.Array
    players: go.Players
    diverged: jax.Array
    rounds: jax.Array
    spent: jax.Array
    path: go.Players | None
    all_rounds: jax.Array


@eqx.filter_jit
def play(make: Make, contest: Contest, rates: Array, budgets: Array, tail: int = 0) -> Plays:
    """Play from every start with every step size until each of the increasing `budgets`.

    `tail`: so many rounds are played on and recorded, which is for small games.
    """
    arrays, static = eqx.partition(contest.starts, eqx.is_array)
    one = lambda rate, start, key: _play_one(
        make(rate), contest, eqx.combine(start, static), key, budgets, tail
    )
    over_starts = jax.vmap(one, in_axes=(None, 0, None if contest.keys is None else 0))
    plays = jax.vmap(over_starts, in_axes=(0, None, None))(rates, arrays, contest.keys)
    return plays._replace(players=eqx.combine(plays.players, static))


def _play_one(
    solver: go.AbstractSolver,
    contest: Contest,
    start: go.Players,
    key: Any,
    budgets: Array,
    tail: int,
) -> Plays:
    strategy_and_state = (start, solver.init(contest.game, start, key))
    carried, rest = eqx.partition(strategy_and_state, eqx.is_array)
    within = lambda players: go.tree_norm(go.playable(players)) <= contest.reach

    def going(carry, budget):
        players, _ = eqx.combine(carry[0], rest)
        # What is not a number is not within reach either.
        return (carry[2] < budget) & within(players)

    def one_round(carry):
        carried, t, spent = carry
        players, state = eqx.combine(carried, rest)
        round_key = None if key is None else jax.random.fold_in(key, t)
        players, state, info = solver.step(contest.game, players, state, round_key)
        spent = spent + cost_of(info)
        return eqx.filter((players, state), eqx.is_array), t + 1, spent

    def one_moment(carry, budget):
        # In the tail the budget is whatever lets one more round be played.
        budget = jnp.where(budget < 0, carry[2] + 1, budget)
        carry = jax.lax.while_loop(lambda c: going(c, budget), one_round, carry)
        now = solver.evaluate(*eqx.combine(carry[0], rest))
        inside = within(eqx.combine(carry[0], rest)[0]) & within(now)
        kept = eqx.filter(now, eqx.is_array) if tail else None
        return carry, (contest.measure(now), ~inside, carry[1], carry[2], kept)

    begin = (carried, jnp.int32(0), jnp.int32(0))
    last = len(budgets) - 1
    moments = jnp.concatenate([budgets, jnp.full(tail, -1, budgets.dtype)])
    carry, (curve, diverged, rounds, spent, path) = jax.lax.scan(one_moment, begin, moments)
    if tail:
        end = jax.tree.map(lambda leaf: leaf[last], path)
    else:
        end = eqx.filter(solver.evaluate(*eqx.combine(carry[0], rest)), eqx.is_array)
    return Plays(curve[: last + 1], end, diverged[last], rounds[last], spent[last], path, carry[1])


def verdicts(
    players: np.ndarray,
    curve: np.ndarray,
    diverged: np.ndarray,
    paths: np.ndarray,
    moments: int,
    points: Sequence[go.CriticalPoint],
) -> tuple[list[str], np.ndarray]:
    """Verdicts on plays of shape `(starts, ...)`, and distances from the nearest known point.

    `gameopt.limit_cycle` judges the plays that are neither at a known point nor where the field is
    small nor out of reach: all others need no spline through their path.

    - `paths`: shape `(starts, moments + TAIL, n)`: slow orbits show in the moments, quick ones in
      the tail.
    """
    places = np.stack([flat(point.players, 0) for point in points])
    apart = np.linalg.norm(players[:, None] - places[None], axis=-1)
    nearest, distance = apart.argmin(axis=1), apart.min(axis=1)

    def of(i: int) -> str:
        if diverged[i]:
            return "diverged"
        if distance[i] <= AT:
            point = points[nearest[i]]
            return "nash" if point.nash else "minimax" if point.minimax else "critical"
        if curve[i, -1] <= STATIONARY:
            return "stationary"
        return _motion(paths[i, :moments], paths[i, moments:])

    return [of(i) for i in range(len(players))], np.where(diverged, np.inf, distance)


def _motion(moments: np.ndarray, tail: np.ndarray) -> str:
    """The verdict on a play that has come nowhere, from its path over moments and over rounds."""
    over_rounds = go.limit_cycle(tail, skip=0.0).motion
    over_moments = go.limit_cycle(moments).motion
    if go.MOTIONS.cycle in (over_rounds, over_moments):
        return "cycle"
    if over_moments == go.MOTIONS.diverging:
        return "diverged"
    return "stationary" if over_moments == go.MOTIONS.settled else "moving"


class Task(NamedTuple):
    """A solver on a game: what `play` is given."""

    make: Make
    contest: Contest
    rates: Array
    budgets: Array


def play_all(tasks: Sequence[Task]) -> list[Plays]:
    """The plays as NumPy arrays. Two at a time, because one core compiles while another traces."""

    def one(task: Task) -> Plays:
        # Precision is a setting of each thread.
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, play(*task, tail=TAIL))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, tasks))


def seconds_of(task: Task, best: int) -> float:
    """The least of three warm repeats with one step size alone: none waits for another's solves."""
    rates = jnp.full_like(task.rates, task.rates[best])
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        jax.block_until_ready(play(task.make, task.contest, rates, task.budgets, TAIL))
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def line_of(task: Task, plays: Plays, points: Sequence[go.CriticalPoint]) -> dict[str, Any]:
    """A solver's line on a game: its best step size, what it reached with it, and its time.

    `plays` has NumPy arrays.
    """
    curve = np.where(np.isfinite(plays.curve), plays.curve, np.inf)
    final = np.where(plays.diverged, np.inf, curve[..., -1])
    best = int(np.argmin(np.median(final, axis=1)))
    path = plays.path
    assert path is not None
    ended, distance = verdicts(
        flat(plays.players, 2)[best],
        curve[best],
        np.asarray(plays.diverged)[best],
        flat(path, 3)[best],
        curve.shape[-1],
        points,
    )
    rounds, median = int(plays.rounds[best].max()), np.median(curve[best], axis=0)
    # The tail is not of the budget.
    seconds = seconds_of(task, best) * rounds / max(int(plays.all_rounds[best].max()), 1)
    return {
        "step_size": float(task.rates[best]),
        "grid_end": best in (0, len(task.rates) - 1),
        "stationarity": float(np.median(final[best])),
        "distance": float(np.median(distance)),
        "factor_per_gradient": factor(median, np.asarray(task.budgets)),
        "verdict": max(VERDICTS, key=ended.count),
        "ended": {verdict: ended.count(verdict) for verdict in VERDICTS if verdict in ended},
        "rounds": rounds,
        "budget": int(task.budgets[-1]),
        "gradients": int(np.median(plays.spent[best])),
        "seconds": seconds,
        "seconds_per_1000_rounds": 1000 * seconds / max(rounds, 1),
        "curve": median.tolist(),
    }


def factor(curve: np.ndarray, budgets: np.ndarray) -> float | None:
    """Factor of the measure per gradient: the slope of a line through the logarithms.

    Where too few moments lie above rounding for a line, the mean factor down to the last of them.
    """
    apart = budgets[1] - budgets[0]
    try:
        return float(go.measured_rate(jnp.asarray(curve)).rate) ** (1 / apart)
    except ValueError:
        sound = np.flatnonzero(np.isfinite(curve) & (curve > 1e-12 * curve[0]))
        last = int(sound[-1])
        if last == 0:
            return None
        return float((curve[last] / curve[0]) ** (1 / (last * apart)))
