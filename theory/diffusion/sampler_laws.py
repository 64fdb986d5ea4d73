r"""Exact laws of samplers in steps on Gaussian data, for any grid of noise levels.

All take the data's variances in its eigenbasis, of any shape, elementwise, and give an `AffineMap`;
`sampler_law` makes the law in d dimensions of it.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Number, floats
from theory._numeric import all_numbers, nan_unless
from theory.diffusion.affine_maps import (
    AffineMap,
    affine_denoiser,
    affine_velocity,
    compose,
    steps_of,
)
from theory.diffusion.levels import NoiseLevel
from theory.diffusion.markov_chain import ReverseStep, reverse_step, transition


def ddim_map(levels: NoiseLevel, variances: ArrayInput, eta: Number = 0.0) -> AffineMap:
    r"""DDIM($\eta$): $x_s = ax_t + b\hat x_0 + \sqrt v\,z$ with the coefficients of `reverse_step`.

    With $\eta = 0$ it is Euler's method along chords: of flow matching on straight lines, and of
    EDM's probability-flow ODE.

    **Arguments:**

    - `levels`: from noise to data, shape `(n + 1,)`. `variances`: of the data, any shape.

    !!! cite "Source"

        Song, Meng & Ermon (2021), arXiv:2010.02502, equation 12.
    """
    now, after, variances = steps_of(levels, variances)
    return compose(_of_step(reverse_step(after, now, eta), now, variances))


def ancestral_map(
    levels: NoiseLevel, variances: ArrayInput, variance: Literal["small", "large"] = "small"
) -> AffineMap:
    r"""The reverse chain of DDPM, with the posterior's variance or the forward step's.

    **Arguments:**

    - `levels`: from noise to data, shape `(n + 1,)`. `variances`: of the data, any shape.
    - `variance`: `small` is $\sigma_s^2\beta/\sigma_t^2$; `large` is $\beta$, but 0 in a step to
      the data.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, section 3.2.
    """
    if variance not in ("small", "large"):
        raise ValueError(f'variance must be "small" or "large", got {variance!r}.')
    now, after, variances = steps_of(levels, variances)
    posterior = reverse_step(after, now)
    if variance == "large":
        beta = jnp.where(after.sigma == 0, 0, transition(after, now).variance)
        posterior = ReverseStep(posterior.of_noisier, posterior.of_data, beta)
    return compose(_of_step(posterior, now, variances))


def heun_map(
    levels: NoiseLevel,
    variances: ArrayInput,
    *,
    churn: Number = 0.0,
    churn_from: Number = 0.0,
    churn_to: Number = math.inf,
    inflation: Number = 1.0,
) -> AffineMap:
    r"""Heun's method along chords, with EDM's churn; Euler's in a step to $\sigma = 0$.

    Before a step $\sigma$ is raised to $(1 + \gamma)\sigma$ by fresh noise.

    **Arguments:**

    - `levels`: from noise to data, shape `(n + 1,)`. `variances`: of the data, any shape.
    - `churn`: $\gamma$, at most $\sqrt2 - 1$; of n steps the paper's is $S_{churn}/n$.
    - `churn_from`, `churn_to`: between which $\sigma/\alpha$ is churned. `inflation`: the factor of
      the fresh noise, $S_{noise}$.

    !!! cite "Source"

        Karras et al. (2022), arXiv:2206.00364, algorithm 2.
    """
    numbers = floats(churn, churn_from, churn_to, inflation)
    now, after, variances = steps_of(levels, variances)
    growth, low, high, inflation = (number.astype(variances.dtype) for number in numbers)
    growth = jnp.clip(growth, 0, math.sqrt(2) - 1)
    ratio = now.sigma / now.alpha
    grown = jnp.where((ratio < low) | (ratio > high), 0, growth)
    # A bound that is not known churns neither way.
    grown = nan_unless(all_numbers(low, high), grown)
    raised = NoiseLevel(now.alpha, now.sigma * (1 + grown))
    added = grown * (2 + grown) * (inflation * now.sigma) ** 2
    rate = NoiseLevel(after.alpha - raised.alpha, after.sigma - raised.sigma)
    slope, shift = affine_velocity(raised, rate, variances)
    again, shift_again = affine_velocity(after, rate, variances)
    last = after.sigma == 0
    corrected = jnp.where(last, slope, again * (1 + slope))
    shift_corrected = jnp.where(last, shift, again * shift + shift_again)
    gain = 1 + 0.5 * (slope + corrected)
    return compose(AffineMap(gain, 0.5 * (shift + shift_corrected), gain**2 * added))


def dpm_solver_map(levels: NoiseLevel, variances: ArrayInput) -> AffineMap:
    r"""DPM-Solver++(2M): with $\lambda = \log\alpha/\sigma$, steps $h$ of it, $r = h_{-1}/h$,

    $$x' = \frac{\sigma'}\sigma x + \alpha'(1 - e^{-h})
      \Bigl(\hat x_0 + \frac{\hat x_0 - \hat x_{0,-1}}{2r}\Bigr)$$

    and $\hat x_0$ alone in the first step and in one to $\sigma = 0$, which are DDIM's.

    **Arguments:**

    - `levels`: from noise to data, shape `(n + 1,)`. `variances`: of the data, any shape.

    !!! cite "Source"

        Lu et al. (2022), arXiv:2211.01095, algorithm 2.
    """
    now, after, variances = steps_of(levels, variances)
    of_time = lambda level: jnp.log(level.alpha) - jnp.log(level.sigma)
    lengths = of_time(after) - of_time(now)
    # 1 / 2r: 0 without a step before, and after one from endless noise or to no noise at all.
    lean = jnp.concatenate([jnp.zeros_like(lengths[:1]), 0.5 * lengths[1:] / lengths[:-1]])
    lean = jnp.where(after.sigma == 0, 0, lean)
    kept = after.sigma / now.sigma
    of_data = after.alpha - now.alpha * kept
    return _compose_multistep(kept, of_data, lean, *affine_denoiser(now, variances))


@jax.jit
def _compose_multistep(*steps: Float[Array, "n ..."]) -> AffineMap:
    """Steps of `kept` x and `of_data` times a denoised point that leans away from the last one."""

    def body(carry: tuple[Array, ...], at: tuple[Array, ...]) -> tuple[tuple[Array, ...], None]:
        (gain, offset, gain_before, offset_before), (kept, of_data, lean, slope, rest) = carry, at
        data_gain, data_offset = slope * gain, slope * offset + rest
        aim = (1 + lean) * data_gain - lean * gain_before
        aim_offset = (1 + lean) * data_offset - lean * offset_before
        moved = kept * gain + of_data * aim, kept * offset + of_data * aim_offset
        return (*moved, data_gain, data_offset), None

    none = jnp.zeros_like(steps[-1][0])
    (gain, offset, *_), _ = jax.lax.scan(body, (none + 1, none, none, none), steps)
    return AffineMap(gain, offset, none)


def _of_step(step: ReverseStep, now: NoiseLevel, variances: Array) -> AffineMap:
    """A reverse step to the denoised point in place of the data."""
    slope, rest = affine_denoiser(now, variances)
    gain = step.of_noisier + step.of_data * slope
    return AffineMap(gain, step.of_data * rest, step.variance)
