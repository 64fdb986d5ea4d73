r"""Exact laws on Gaussian data of the continuous samplers, and of Euler's method in their time.

The probability-flow ODE and the reverse SDE, and what steps in an interpolant's own time make of
them. Maps of one direction, as of `theory.diffusion.sampler_laws`.
"""

import jax.numpy as jnp
from jaxtyping import Array

from theory._inputs import ArrayInput, check_line, floats
from theory.diffusion.affine_maps import (
    AffineMap,
    affine_velocity,
    along_steps,
    check_variances,
    compose,
    ends,
    grid_and_variances,
    marginal_variance,
)
from theory.diffusion.interpolants import AbstractInterpolant
from theory.diffusion.levels import NoiseLevel
from theory.diffusion.markov_chain import transition


def probability_flow_map(levels: NoiseLevel, variances: ArrayInput) -> AffineMap:
    r"""The exact probability-flow ODE from the first level to the last.

    $x - \alpha\mu$ is scaled as the marginal deviation $\sqrt{\alpha^2c + \sigma^2}$, along every
    path of levels alike.

    **Arguments:**

    - `levels`: from noise to data, shape `(n + 1,)`. `variances`: of the data, any shape.
    """
    levels, variances = grid_and_variances(levels, variances)
    start, end = ends(levels)
    gain = jnp.sqrt(marginal_variance(end, variances) / marginal_variance(start, variances))
    return AffineMap(gain, end.alpha - gain * start.alpha, jnp.zeros_like(gain))


def reverse_sde_map(levels: NoiseLevel, variances: ArrayInput) -> AffineMap:
    r"""The exact reverse SDE from the first level to the last: the forward chain's $q(x_s|x_t)$.

    With $r = \alpha_t/\alpha_s$, $c_s = \alpha_s^2c + \sigma_s^2$ and $c_t = r^2c_s + \beta$: gain
    $rc_s/c_t$ and variance $c_s\beta/c_t$.

    **Arguments:**

    - `levels`: from noise to data, shape `(n + 1,)`. `variances`: of the data, any shape.

    !!! cite "Source"

        Anderson (1982), "Reverse-time diffusion equation models", Stochastic Processes and their
        Applications 12(3).
    """
    levels, variances = grid_and_variances(levels, variances)
    start, end = ends(levels)
    factor, beta = transition(end, start)
    share = marginal_variance(end, variances) / marginal_variance(start, variances)
    gain = factor * share
    return AffineMap(gain, end.alpha - gain * start.alpha, share * beta)


def euler_map(
    interpolant: AbstractInterpolant, times: ArrayInput, variances: ArrayInput
) -> AffineMap:
    r"""Euler's method for the probability-flow ODE in an interpolant's time.

    $x' = x + (t' - t)(\dot\alpha\hat x_0 + \dot\sigma\hat\varepsilon)$; along straight lines and
    EDM's it is `ddim_map`.

    **Arguments:**

    - `times`: from noise to data, shape `(n + 1,)`. `variances`: of the data, any shape.
    """
    level, rate, change, variances = _in_time(interpolant, times, variances)
    change = NoiseLevel(change * rate.alpha, change * rate.sigma)
    slope, shift = affine_velocity(level, change, variances)
    return compose(AffineMap(1 + slope, shift, jnp.zeros_like(slope)))


def euler_maruyama_map(
    interpolant: AbstractInterpolant, times: ArrayInput, variances: ArrayInput
) -> AffineMap:
    r"""The Euler-Maruyama method for the reverse SDE in an interpolant's time.

    $x' = x + (t' - t)(f_tx - g_t^2\nabla\log p_t(x)) + g_t\sqrt{t - t'}\,z$.

    **Arguments:**

    - `times`: from noise to data, shape `(n + 1,)`; where $\alpha = 0$ the drift is infinite.
    - `variances`: of the data, any shape.

    !!! cite "Source"

        Song et al. (2021), arXiv:2011.13456, section 4.1.
    """
    level, rate, change, variances = _in_time(interpolant, times, variances)
    drift = rate.alpha / level.alpha
    diffusion = 2 * level.sigma * (rate.sigma - drift * level.sigma)
    pull = change * diffusion / marginal_variance(level, variances)
    return compose(AffineMap(1 + change * drift + pull, -level.alpha * pull, -change * diffusion))


def _in_time(
    interpolant: AbstractInterpolant, times: ArrayInput, variances: ArrayInput
) -> tuple[NoiseLevel, NoiseLevel, Array, Array]:
    """Levels, rates and lengths of all steps, and the data's variances, elementwise."""
    times, variances = floats(times, variances)
    check_line("times", times, 2)
    check_variances(variances)
    before = along_steps(times[:-1], variances)
    change = along_steps(times[1:], variances) - before
    # An interpolant's own numbers may have another precision.
    level, rate = (
        NoiseLevel(*(part.astype(times.dtype) for part in pair))
        for pair in (interpolant.level(before), interpolant.rate(before))
    )
    return level, rate, change, variances[None]
