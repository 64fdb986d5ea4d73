"""Plays a solver on a game, all step sizes and all starts in one compiled call.

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
from recipes._planar.solvers import Make
from recipes._tournament.games import Contest, flat

HVP = 2
"""Gradients that a Hessian product counts as."""
AT = 0.05
"""So near to a point is at the point."""
STATIONARY = 1e-3
"""So small a field is stationary, if no known point is near."""
NEARER = 0.9
"""What is smaller than this share of itself at half the budget is still nearing."""
VERDICTS = ("nash", "minimax", "critical", "stationary", "moving", "cycle", "diverged")
"""Ended at a differential Nash equilibrium; at another local minimax; at another known critical
point; where the field is small; still nearing; circling, stuck or drifting off; beyond reach."""


def cost_of(info: go.RoundInfo) -> Array:
    """What a round cost, in gradients."""
    return info.gradients + HVP * info.hvps


class Plays(NamedTuple):
    """What came of all plays: the axes are step size, start, and in `curve` moment.

    - `curve`: the measure when each budget was used up. `players`: as evaluated at the end.
    - `diverged`: whether the norm passed the reach. `rounds`, `spent`: of each play.
    """

    curve: jax.Array
    players: go.Players
    diverged: jax.Array
    rounds: jax.Array
    spent: jax.Array


@eqx.filter_jit
def play(make: Make, contest: Contest, rates: Array, budgets: Array) -> Plays:
    """Plays from every start with every step size until each of the increasing `budgets`."""
    arrays, static = eqx.partition(contest.starts, eqx.is_array)
    one = lambda rate, start, key: _play_one(
        make(rate), contest, eqx.combine(start, static), key, budgets
    )
    over_starts = jax.vmap(one, in_axes=(None, 0, None if contest.keys is None else 0))
    plays = jax.vmap(over_starts, in_axes=(0, None, None))(rates, arrays, contest.keys)
    return plays._replace(players=eqx.combine(plays.players, static))


def _play_one(
    solver: go.AbstractSolver, contest: Contest, start: go.Players, key: Any, budgets: Array
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

    def evaluated(carry):
        return solver.evaluate(*eqx.combine(carry[0], rest))

    def one_moment(carry, budget):
        carry = jax.lax.while_loop(lambda c: going(c, budget), one_round, carry)
        return carry, contest.measure(evaluated(carry))

    begin = (carried, jnp.int32(0), jnp.int32(0))
    carry, curve = jax.lax.scan(one_moment, begin, budgets)
    end = evaluated(carry)
    diverged = ~(within(eqx.combine(carry[0], rest)[0]) & within(end))
    return Plays(curve, eqx.filter(end, eqx.is_array), diverged, carry[1], carry[2])


def verdicts(
    players: np.ndarray,
    curve: np.ndarray,
    diverged: np.ndarray,
    points: Sequence[go.CriticalPoint],
) -> tuple[list[str], np.ndarray]:
    """Where each play of shape `(starts, ...)` ended, one of `VERDICTS`, and its distance there."""
    places = np.stack([flat(point.players, 0) for point in points])
    apart = np.linalg.norm(players[:, None] - places[None], axis=-1)
    nearest, distance = apart.argmin(axis=1), apart.min(axis=1)
    half = curve[:, curve.shape[1] // 2]

    def of(i: int) -> str:
        if diverged[i]:
            return "diverged"
        if distance[i] <= AT:
            point = points[nearest[i]]
            return "nash" if point.nash else "minimax" if point.minimax else "critical"
        if curve[i, -1] <= STATIONARY:
            return "stationary"
        return "moving" if curve[i, -1] < NEARER * half[i] else "cycle"

    return [of(i) for i in range(len(players))], np.where(diverged, np.inf, distance)


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
            return jax.tree.map(np.asarray, play(*task))

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, tasks))


def seconds_of(task: Task, best: int) -> float:
    """The least of three warm repeats with one step size alone: none waits for another's solves."""
    rates = jnp.full_like(task.rates, task.rates[best])
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        jax.block_until_ready(play(task.make, task.contest, rates, task.budgets))
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def line_of(task: Task, plays: Plays, points: Sequence[go.CriticalPoint]) -> dict[str, Any]:
    """A solver's line on a game: its best step size, what it reached with it, and its time.

    `plays` has NumPy arrays.
    """
    curve = np.where(np.isfinite(plays.curve), plays.curve, np.inf)
    final = np.where(plays.diverged, np.inf, curve[..., -1])
    best = int(np.argmin(np.median(final, axis=1)))
    ended, distance = verdicts(
        flat(plays.players, 2)[best], curve[best], np.asarray(plays.diverged)[best], points
    )
    rounds, median = int(plays.rounds[best].max()), np.median(curve[best], axis=0)
    seconds = seconds_of(task, best)
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
    """By how much a gradient multiplies the measure: a line through the logarithms.

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
