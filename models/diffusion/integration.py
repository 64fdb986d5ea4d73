"""Integration in continuous time by diffrax, with its evaluations counted."""

from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from gameopt import Integrator

FIRST_STEP = 0.01
"""The first step of an adaptive method, as a part of the whole."""
ADJOINT = diffrax.RecursiveCheckpointAdjoint()


class Trajectory(NamedTuple):
    """The end of a path in continuous time.

    - `x`: the point there, NaN if the integrator did not arrive. `successful`: whether it did.
    - `evaluations`: the number of denoiser evaluations, of this point.
    """

    x: Float[Array, "*shape"]
    evaluations: Int[Array, ""]
    successful: Bool[Array, ""]


class Span(NamedTuple):
    """The times from which and to which is integrated, and those of all steps if they are fixed."""

    begin: Float[Array, ""]
    end: Float[Array, ""]
    times: Float[Array, " n"] | None


def integrate(
    terms: Any,
    state: Any,
    span: Span,
    integrator: Integrator,
    *,
    shortest: Array | None = None,
    adjoint: diffrax.AbstractAdjoint = ADJOINT,
) -> Trajectory:
    """Integrate diffrax's terms from a state, the `x` of the result.

    **Arguments:**

    - `shortest`: the least step of an adaptive method, none by default. `adjoint`: of diffrax.
    """
    stages, before = _stages(integrator.solver)
    if span.times is None:
        control = diffrax.PIDController(integrator.rtol, integrator.atol, dtmin=shortest)
        step = FIRST_STEP * (span.end - span.begin)
    else:
        control, step = diffrax.StepTo(span.times), None
    # diffrax mixes integers with floats, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        solution = diffrax.diffeqsolve(
            terms,
            integrator.solver,
            t0=span.begin,
            t1=span.end,
            dt0=step,
            y0=state,
            stepsize_controller=control,
            max_steps=integrator.max_steps,
            adjoint=adjoint,
            throw=False,
        )
    successful = solution.result == diffrax.RESULTS.successful
    end = jax.tree.map(lambda leaf: jnp.where(successful, leaf[-1], jnp.nan), solution.ys)
    evaluations = solution.stats["num_steps"] * stages + before
    return Trajectory(end, jnp.asarray(evaluations, jnp.int32), successful)


def _stages(solver: Any) -> tuple[int, int]:
    """The evaluations of a method in each step, and those before the first."""
    if isinstance(solver, diffrax.Euler):
        return 1, 0
    if not isinstance(solver, diffrax.AbstractERK | diffrax.AbstractSRK):
        raise ValueError(f"{type(solver).__name__} is no explicit Runge-Kutta method of diffrax.")
    tableau: Any = solver.tableau
    stages = len(tableau.b_sol)
    # The last stage of some methods is the first one of the next step.
    return (stages - 1, 1) if getattr(tableau, "fsal", False) else (stages, 0)


def as_grid(times: Float[Array | np.ndarray, " n"], dtype: Any) -> Span:
    """The times of fixed steps.

    **Raises:** `ValueError` unless there are two at least, and they increase or decrease.
    """
    grid = jnp.asarray(times).astype(dtype)
    known = not isinstance(grid, Tracer)
    if grid.ndim != 1 or len(grid) < 2 or (known and not _monotone(np.asarray(grid))):
        raise ValueError(
            "times must be of the shape (steps + 1,), steps at least 1, and increase or decrease, "
            f"got the shape {grid.shape}."
        )
    return Span(grid[0], grid[-1], grid)


def _monotone(grid: np.ndarray) -> bool:
    steps = np.diff(grid)
    return bool((steps > 0).all() or (steps < 0).all())
