r"""The probability-flow ODE and the reverse SDE of an interpolant, through diffrax.

Both have $\hat\varepsilon = (x - \alpha\hat x_0)/\sigma$ in them, which is singular at the data,
$\sigma = 0$: they end, and likelihoods begin, at a small time instead, `first_time` by default.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import diffrax
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

import theory
from gameopt import Integrator
from models.diffusion.integration import (
    Span,
    Trajectory,
    as_grid,
    integrate,
)
from models.diffusion.samplers import Denoise, noise_in
from theory import AbstractInterpolant

Time: TypeAlias = float | Array

ODE_INTEGRATOR = Integrator(diffrax.Tsit5(), 1e-5, 1e-5, 4096)
SDE_INTEGRATOR = Integrator(diffrax.ShARK(), 1e-2, 1e-2, 4096)
FINEST = 2.0**-20
"""The shortest step of an adaptive SDE, as a part of the whole."""


def first_time(interpolant: AbstractInterpolant) -> float:
    """The time of the data, or 1e-5 of the last if the interpolant begins earlier than that."""
    return max(interpolant.first, 1e-5 * interpolant.last)


def probability_flow(
    denoise: Denoise,
    interpolant: AbstractInterpolant,
    x: Float[Array, "*shape"],
    *,
    begin: Time | None = None,
    end: Time | None = None,
    times: Float[Array | np.ndarray, " n"] | None = None,
    integrator: Integrator = ODE_INTEGRATOR,
) -> Trajectory:
    r"""Carry a point along $\dot x = \dot\alpha\hat x_0 + \dot\sigma\hat\varepsilon$, to data or to
    noise.

    This flow has the marginal laws of the forward process. Its end at a small time has a little
    noise left, of which `denoise(x, interpolant.level(end))` is free.

    **Arguments:**

    - `x`: a point at the time `begin`. Map over points with `jax.vmap`: each has its own steps.
    - `begin`, `end`: times in either order; by default from `last` to `first_time`, 1e-5 of `last`
      or the interpolant's own first. Where both $\sigma = 0$ and $\dot\sigma$ is infinite, as of
      `VariancePreserving` at 0, the velocity is NaN.
    - `times`: of fixed steps, in place of `begin` and `end`, shape `(steps + 1,)`; without them
      steps adapt to the tolerances.
    - `integrator`: an explicit method, its tolerances and most steps; `diffrax.Tsit5` at 1e-5.

    **Raises:** `ValueError` for times that are no grid, and a method that is not explicit.

    !!! cite "Source"

        Song et al. (2021), arXiv:2011.13456, section 4.3.
    """
    span = as_span(interpolant, begin, end, times, x.dtype)
    rule = lambda time, x, _: velocity(denoise, interpolant, x, time)
    return integrate(diffrax.ODETerm(rule), x, span, integrator)


def reverse_sde(
    denoise: Denoise,
    interpolant: AbstractInterpolant,
    x: Float[Array, "*shape"],
    key: PRNGKeyArray,
    *,
    begin: Time | None = None,
    end: Time | None = None,
    times: Float[Array | np.ndarray, " n"] | None = None,
    squared_diffusion: Callable[[Array], Array] | None = None,
    integrator: Integrator = SDE_INTEGRATOR,
) -> Trajectory:
    r"""Carry a point back in time along $dx = (v - \tfrac12g^2\nabla\log p)\,dt + g\,d\bar w$.

    With the velocity $v$ of the probability flow it has the marginal laws of the forward process
    for every $g$; that of the interpolant reverses the forward process itself. Its outcome in
    fixed steps has forward derivatives alone.

    **Arguments:**

    - `x`, `begin`, `end`, `times`: as of `probability_flow`, with `begin` after `end`.
    - `squared_diffusion`: $g^2$ of a time; the interpolant's by default, which is infinite where
      $\alpha = 0$: at the last time of straight lines and of the cosine. $2\sigma\dot\sigma$ is
      finite there, and 0 is the probability flow.
    - `integrator`: method, tolerances and most steps. `diffrax.ShARK` by default, of strong order
      1.5 for this additive noise, at 1e-2; `diffrax.Euler` is Euler and Maruyama's, for fixed
      steps.

    **Raises:** `ValueError` for times that are no grid, and where $g^2$ is infinite.

    !!! cite "Source"

        Anderson (1982), Stochastic Processes and their Applications 12; Song et al. (2021),
        arXiv:2011.13456, equation 6; Ma et al. (2024), arXiv:2401.08740, for other diffusions.
    """
    span = as_span(interpolant, begin, end, times, x.dtype)
    if not isinstance(span.begin - span.end, Tracer) and span.begin <= span.end:
        raise ValueError(
            "the reverse SDE goes back in time: begin must be after end, "
            f"got {float(span.begin):g} and {float(span.end):g}."
        )
    squared = squared_diffusion or interpolant.squared_diffusion
    _check_finite(squared, span.begin)

    def drift(elapsed: Any, x: Array, _: Any) -> Array:
        time = span.begin - elapsed
        level, rate = _at(interpolant, time, x)
        denoised = denoise(x, level).astype(x.dtype)
        score = theory.prediction_from("score", denoised, x, level)
        along = theory.velocity_from(denoised, x, level, rate)
        return 0.5 * squared(time).astype(x.dtype) * score - along

    def diffusion(elapsed: Any, x: Array, _: Any) -> lx.DiagonalLinearOperator:
        spread = jnp.sqrt(squared(span.begin - elapsed)).astype(x.dtype)
        return lx.DiagonalLinearOperator(jnp.broadcast_to(spread, x.shape))

    # diffrax runs in either direction, but its Brownian motion in one.
    times = None if span.times is None else span.begin - span.times
    span_forth = Span(jnp.zeros_like(span.begin), span.begin - span.end, times)
    with_motion = lambda motion: diffrax.MultiTerm(
        diffrax.ODETerm(drift), diffrax.ControlTerm(diffusion, motion)
    )
    like, area = jax.ShapeDtypeStruct(x.shape, x.dtype), diffrax.SpaceTimeLevyArea
    if times is None:
        finest = FINEST * span_forth.end
        motion = diffrax.VirtualBrownianTree(*span_forth[:2], finest, like, key, area)
        return integrate(with_motion(motion), x, span_forth, integrator, shortest=finest)
    # Fixed steps ask for each increment once, and need none of the tree that remembers them.
    motion = diffrax.UnsafeBrownianPath(like, key, area)
    adjoint = diffrax.DirectAdjoint()
    return integrate(with_motion(motion), x, span_forth, integrator, adjoint=adjoint)


def velocity(
    denoise: Denoise, interpolant: AbstractInterpolant, x: Float[Array, "*shape"], time: Array
) -> Float[Array, "*shape"]:
    r"""$E(\dot x_t|x_t = x)$, the right-hand side of the probability-flow ODE."""
    level, rate = _at(interpolant, time, x)
    denoised = denoise(x, level).astype(x.dtype)
    return rate.alpha * denoised + rate.sigma * noise_in(x, denoised, level)


def _at(
    interpolant: AbstractInterpolant, time: Array, x: Array
) -> tuple[theory.NoiseLevel, theory.NoiseLevel]:
    """The level and its rate in the dtype of a point."""
    level, rate = interpolant.level(time), interpolant.rate(time)
    in_dtype = lambda pair: theory.NoiseLevel(*(part.astype(x.dtype) for part in pair))
    return in_dtype(level), in_dtype(rate)


def as_span(
    interpolant: AbstractInterpolant,
    begin: Time | None,
    end: Time | None,
    times: Float[Array | np.ndarray, " n"] | None,
    dtype: Any,
) -> Span:
    """The times of an integration, from noise to data by default; `ValueError` if they are none."""
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"x must be an array of floating numbers, got {dtype}.")
    if times is None:
        begin = interpolant.last if begin is None else begin
        end = first_time(interpolant) if end is None else end
        return Span(jnp.asarray(begin, dtype), jnp.asarray(end, dtype), None)
    if begin is not None or end is not None:
        raise ValueError("times hold their own begin and end: give either.")
    return as_grid(times, dtype)


def _check_finite(squared: Callable[[Array], Array], begin: Array) -> None:
    """Check a diffusion where the noise begins, if that is known."""
    value = squared(begin)
    if not isinstance(value, Tracer) and np.isinf(np.asarray(value)):
        raise ValueError(
            f"the squared diffusion is infinite at the time {float(begin):g}: begin earlier, "
            "or give another squared_diffusion."
        )
