"""The rate that a trajectory shows."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from gameopt._arithmetic import square_root
from gameopt._trees import check_players, float_array, playable
from gameopt._types import Players, Real, Scalar


class MeasuredRate(eqx.Module):
    """A fit of $\\log\\|z_t - z^\\star\\|$.

    - `rate`: the factor a round. `standard_error`: of it, from the fit's scatter.
    - `first`, `last`: the rounds that were fitted.
    """

    rate: Scalar
    standard_error: Scalar
    first: int = eqx.field(static=True)
    last: int = eqx.field(static=True)


def distances(path: Players, target: Players) -> Float[Array, " t"]:
    """$\\|z_t - z^\\star\\|$ along a trajectory with a first axis of rounds: shape `(t,)`."""
    check_players(path, "path")
    check_players(target, "target")
    squares = jax.tree.map(
        lambda p, z: jnp.sum(jnp.square(p - z[None]).reshape(p.shape[0], -1), axis=1),
        playable(path),
        playable(target),
    )
    leaves = jax.tree.leaves(squares)
    if not leaves:
        raise ValueError(
            "distances needs a path and a target of floating-point JAX arrays: wrap the target's "
            "numbers, jnp.asarray(1.0) instead of 1.0."
        )
    total = leaves[0]
    for leaf in leaves[1:]:
        total = total + leaf.astype(total.dtype)
    return square_root(total)


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
      themselves, shape `(t,)`.
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
        path = distances(path, target)
    floor = rounding_floor(np.asarray(path).dtype)
    values = np.asarray(path, np.float64)
    good = np.isfinite(values) & (values > floor * values[0]) & (values > 0)
    end = len(values) if good.all() else int(np.argmin(good))
    begin = int(skip * end)
    if end - begin < 10:
        raise ValueError(
            f"only {max(end - begin, 0)} rounds are left to fit after the first {begin}: the "
            "trajectory is too short, or reached rounding. Take smaller steps or a farther start."
        )
    t = np.arange(begin, end)
    columns = [np.ones(len(t)), t - t.mean()]
    # Fewer than two periods of the wobble look like a slope, and are left to the line.
    if angle is not None and abs(np.sin(float(angle))) * len(t) > 2 * np.pi:
        for k in (1, 2, 3):
            columns += [np.cos(2 * k * float(angle) * t), np.sin(2 * k * float(angle) * t)]
    design = np.stack(columns, axis=1)
    logs = np.log(values[begin:end])
    solution, *_ = np.linalg.lstsq(design, logs, rcond=None)
    scatter = logs - design @ solution
    freedom = max(len(t) - design.shape[1], 1)
    variance = scatter @ scatter / freedom * np.linalg.pinv(design.T @ design)[1, 1]
    rate = np.exp(solution[1])
    error = rate * np.sqrt(max(variance, 0.0))
    if rate < 1 and end < len(values) and not np.isfinite(values[end]):
        rate = error = np.nan
    return MeasuredRate(float_array(rate), float_array(error), begin, end)


def rounding_floor(dtype: Any) -> float:
    """The relative change below which a recorded path of this dtype shows rounding only."""
    kind = dtype if jnp.issubdtype(dtype, jnp.inexact) else jnp.float64
    return float(jnp.finfo(kind).eps) ** 0.75
