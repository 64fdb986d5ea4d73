"""The rate that a trajectory shows."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from gameopt._linalg.krylov import ROUNDING
from gameopt._trees import check_players, float_array, playable, tree_norm
from gameopt._types import Players, Real, Scalar
from gameopt._verdicts import VERDICT, verdict_on_host


class MeasuredRate(eqx.Module):
    """A fit of $\\log\\|z_t - z^\\star\\|$.

    - `rate`: the factor a round. `standard_error`: of it, from the fit's scatter as if that were
      independent from round to round.
    - `error`: how far the rate may be off: by a wobble as large as the scatter, by the difference
      of the halves of the record, and by the rounding of every round.
    - `nears`: yes if the rate is below 1, no if it is above 1, inconclusive within `error` of 1. A
      wobble of a period longer than the record cannot be told from a rate.
    - `first`, `last`: the rounds that were fitted.
    """

    rate: Scalar
    standard_error: Scalar
    error: Scalar
    nears: VERDICT
    first: int = eqx.field(static=True)
    last: int = eqx.field(static=True)


def distances(path: Players, target: Players) -> Float[Array, " t"]:
    """$\\|z_t - z^\\star\\|$ along a trajectory with a first axis of rounds: shape `(t,)`."""
    check_players(path, "path")
    check_players(target, "target")
    off = jax.tree.map(lambda p, z: p - z[None], playable(path), playable(target))
    if not jax.tree.leaves(off):
        raise ValueError(
            "distances needs a path and a target of floating-point JAX arrays: wrap the target's "
            "numbers, jnp.asarray(1.0) instead of 1.0."
        )
    return jax.vmap(tree_norm)(off)


def measured_rate(
    path: Players | Float[ArrayLike, " t"],
    target: Players | None = None,
    *,
    angle: Real | None = None,
    skip: float = 0.3,
) -> MeasuredRate:
    r"""The factor a round by which a trajectory nears a point, from a least-squares line.

    A rotating mode makes the distance wobble with period $\pi/\theta$; given `angle`, three
    harmonics of the wobble are fitted beside the line, so that broken periods do not tilt it, if
    there are two periods or more.

    **Arguments:**

    - `path`: a trajectory (`rollout(..., record=record_players).records`), or the distances
      themselves, shape `(t,)`; their rounding is then taken to be that of a target near 0.
    - `target`: $z^\star$, needed with a trajectory.
    - `angle`: $\theta$, radians a round, as `local_rate(...).angle`.
    - `skip`: the share of rounds left out at the beginning, where faster modes still show.

    Rounds after the distance first falls below `rounding_floor` of its start (1.8e-12 in float64,
    6.4e-6 in float32) are left out: there it is rounding. Those after it stopped being finite are
    left out if it grew before; a path that stops being finite while it nears the point has no
    rate: NaN.

    **Raises:** `ValueError` if fewer than ten rounds are left.
    """
    if isinstance(path, Players):
        if target is None:
            raise ValueError("measured_rate of a trajectory needs its target: measured_rate(p, z).")
        sizes, path = _norms(path), distances(path, target)
    else:
        sizes = np.abs(np.asarray(path, np.float64))
    dtype, values = np.asarray(path).dtype, np.asarray(path, np.float64)
    good = np.isfinite(values) & (values > rounding_floor(dtype) * values[0]) & (values > 0)
    end = len(values) if good.all() else int(np.argmin(good))
    begin = int(skip * end)
    if end - begin < 10:
        raise ValueError(
            f"only {max(end - begin, 0)} rounds are left to fit after the first {begin}: the "
            "trajectory is too short, or reached rounding. Take smaller steps or a farther start."
        )
    fitted = slice(begin, end)
    drifts = np.cumsum(ROUNDING * machine_epsilon(dtype) * sizes[fitted] / values[fitted])
    slope, scatter, off = _fit(np.log(values[fitted]), begin, angle, drifts)
    with np.errstate(over="ignore"):
        rate, standard_error, error = np.exp(slope) * np.array([1, scatter, np.expm1(off)])
    if rate < 1 and end < len(values) and not np.isfinite(values[end]):
        rate = standard_error = error = np.nan
    nears = verdict_on_host(bool(rate + error < 1), bool(rate - error > 1))
    number = lambda value: float_array(float(value))
    return MeasuredRate(number(rate), number(standard_error), number(error), nears, begin, end)


def _fit(
    logs: np.ndarray, begin: int, angle: Real | None, drifts: np.ndarray
) -> tuple[float, float, float]:
    """The slope of logarithms of distances, its standard error, and how far it may be off.

    **Arguments:** `drifts`: how far each may be off by rounding.
    """
    t = np.arange(begin, begin + len(logs))
    columns = [np.ones(len(t)), t - t.mean()]
    # Fewer than two periods of the wobble look like a slope, and are left to the line.
    turn = 0.0 if angle is None else float(angle)
    wobbles = abs(np.sin(turn)) * len(t) > 2 * np.pi
    if wobbles:
        for k in (1, 2, 3):
            columns += [np.cos(2 * k * turn * t), np.sin(2 * k * turn * t)]
    design = np.stack(columns, axis=1)
    solution, *_ = np.linalg.lstsq(design, logs, rcond=None)
    scatter = logs - design @ solution
    freedom = max(len(t) - design.shape[1], 1)
    variance = scatter @ scatter / freedom * np.linalg.pinv(design.T @ design)[1, 1]
    off = float(np.abs(np.linalg.pinv(design)[1]) @ (np.abs(scatter).max() + drifts))
    if not wobbles:
        # A slow wobble bends the line more than it scatters about it.
        halves = np.array_split(logs, 2)
        slopes = [np.polyfit(np.arange(len(half)), half, 1)[0] for half in halves]
        off = max(off, *(abs(slope - solution[1]) for slope in slopes))
    return float(solution[1]), float(np.sqrt(max(variance, 0.0))), off


def _norms(path: Players) -> np.ndarray:
    """The norm of each entry of a path: shape `(t,)`."""
    leaves = jax.device_get(jax.tree.leaves(playable(path)))
    rows = [np.asarray(leaf, np.float64).reshape(len(leaf), -1) for leaf in leaves]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.linalg.norm(np.concatenate(rows, axis=1), axis=1)


def machine_epsilon(dtype: Any) -> float:
    """Machine epsilon; of integers that of float64, in which they are judged."""
    kind = dtype if jnp.issubdtype(dtype, jnp.inexact) else jnp.float64
    return float(jnp.finfo(kind).eps)


def rounding_floor(dtype: Any) -> float:
    """The relative change below which a recorded path of this dtype shows rounding only."""
    return machine_epsilon(dtype) ** 0.75
