"""Samplers of second order: Heun's method along chords, with churn, and DPM-Solver++."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from models.diffusion.samplers import (
    AbstractSampler,
    Denoise,
    Step,
    fresh_noise,
    noise_in,
    steps_of,
)
from theory import NoiseLevel

MOST_CHURN = 2**0.5 - 1
"""The largest growth of the noise in a step: none adds more than there is."""


class Heun(AbstractSampler):
    r"""Heun's method along the chord from $(\alpha, \sigma)$ to $(\alpha', \sigma')$.

    $$x_1 = \alpha'\hat x_0 + \sigma'\hat\varepsilon, \qquad x' = x + \tfrac12\sum_{i=0,1}
      \bigl((\alpha'-\alpha)\hat x_0^i + (\sigma'-\sigma)\hat\varepsilon^i\bigr)$$

    with the second pair, i = 1, of $x_1$ at the level after. A step to $\sigma' = 0$ is Euler's,
    $x' = x_1$. Two evaluations a step; for EDM it is the paper's, for straight lines Heun's method
    on the velocity.

    - `churn`: $\gamma$, by which the noise grows before a step, $\hat\sigma = (1+\gamma)\sigma$;
      the paper's $\min(S_{churn}/n, \sqrt2 - 1)$. At 0, the default, nothing is drawn. Static.
    - `churn_from`, `churn_to`: $S_{tmin}$ and $S_{tmax}$, between which $\sigma/\alpha$ is to lie
      for it. `inflation`: $S_{noise}$, by which the fresh noise is scaled. Static.

    !!! cite "Source"

        Karras et al. (2022), arXiv:2206.00364, algorithms 1 and 2.
    """

    churn: float = eqx.field(static=True, converter=float, default=0.0)
    churn_from: float = eqx.field(static=True, converter=float, default=0.0)
    churn_to: float = eqx.field(static=True, converter=float, default=math.inf)
    inflation: float = eqx.field(static=True, converter=float, default=1.0)

    def __check_init__(self):
        if not 0 <= self.churn <= MOST_CHURN:
            raise ValueError(f"churn must be from 0 to sqrt(2) - 1, got {self.churn:g}.")
        if not 0 <= self.churn_from <= self.churn_to:
            raise ValueError(
                "churn_from and churn_to must be at least 0, and in this order, "
                f"got {self.churn_from:g} and {self.churn_to:g}."
            )
        if not self.inflation >= 0:
            raise ValueError(f"inflation must not be negative, got {self.inflation:g}.")

    def evaluations(self, levels: NoiseLevel) -> int:
        """Two a step, one in a step to the data; the levels' numbers must be known."""
        return 2 * steps_of(levels) - int(np.sum(np.asarray(levels.sigma)[1:] == 0))

    def step(
        self,
        denoise: Denoise,
        x: Float[Array, "*shape"],
        state: Any,
        now: NoiseLevel,
        after: NoiseLevel,
        key: PRNGKeyArray | None,
    ) -> Step:
        x, now = self._churned(x, now, key)
        denoised = denoise(x, now)
        slope = _slope(x, denoised, now, now, after)

        def corrected() -> Array:
            again = _slope(x + slope, denoise(x + slope, after), after, now, after)
            return x + 0.5 * (slope + again)

        # A true branch where levels are not mapped: the data's level costs no evaluation.
        new = jax.lax.cond(after.sigma == 0, lambda: x + slope, corrected)
        return Step(new, state, denoised)

    def _churned(
        self, x: Float[Array, "*shape"], now: NoiseLevel, key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "*shape"], NoiseLevel]:
        """The point and its level with more noise."""
        if self.churn == 0:
            return x, now
        ratio = now.sigma / now.alpha
        churned = (ratio >= self.churn_from) & (ratio <= self.churn_to)
        growth = jnp.where(churned, jnp.asarray(self.churn, x.dtype), 0)
        spread = self.inflation * now.sigma * jnp.sqrt(growth * (2 + growth))
        return x + spread * fresh_noise(key, x), NoiseLevel(now.alpha, now.sigma * (1 + growth))


def _slope(
    x: Float[Array, "*shape"],
    denoised: Float[Array, "*shape"],
    level: NoiseLevel,
    now: NoiseLevel,
    after: NoiseLevel,
) -> Float[Array, "*shape"]:
    """The change along a whole chord at the velocity of a point on it."""
    along = (after.alpha - now.alpha) * denoised
    return along + (after.sigma - now.sigma) * noise_in(x, denoised, level)


class MultistepState(eqx.Module):
    """The denoised point of the step before, and that step's length in log(alpha/sigma)."""

    denoised: Float[Array, "*shape"]
    length: Float[Array, ""]


class DPMSolver2M(AbstractSampler):
    r"""DPM-Solver++(2M): a multistep method of second order, one evaluation a step.

    With $h = \log\frac{\alpha'\sigma}{\sigma'\alpha}$ and the step before, marked by $-$,

    $$x' = \frac{\sigma'}{\sigma}x + \Bigl(\alpha' - \frac{\alpha\sigma'}{\sigma}\Bigr)
      \Bigl(\hat x_0 + \frac{h}{2h_-}(\hat x_0 - \hat x_0^-)\Bigr)$$

    The first step, the one after it if that began at $\alpha = 0$, and one to $\sigma' = 0$ are
    DDIM's, of first order; on a grid from $\alpha = 0$ the error of n steps is $n^{-2}\log n$.

    !!! cite "Source"

        Lu et al. (2022), arXiv:2211.01095, algorithm 2.
    """

    def init(self, x: Float[Array, "*shape"]) -> MultistepState:
        return MultistepState(jnp.zeros_like(x), jnp.asarray(jnp.inf, x.dtype))

    def step(
        self,
        denoise: Denoise,
        x: Float[Array, "*shape"],
        state: MultistepState,
        now: NoiseLevel,
        after: NoiseLevel,
        key: PRNGKeyArray | None,
    ) -> Step:
        del key
        denoised = denoise(x, now)
        length = 0.5 * (after.log_snr - now.log_snr)
        # An infinite step, of alpha = 0 or to sigma = 0, is extrapolated neither over nor from.
        share = jnp.where(jnp.isinf(length), 0, length) / (2 * state.length)
        target = denoised + share * (denoised - state.denoised)
        kept = after.sigma / now.sigma
        new = kept * x + (after.alpha - now.alpha * kept) * target
        return Step(new, MultistepState(denoised, length), denoised)
