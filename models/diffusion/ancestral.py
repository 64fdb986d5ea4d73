"""Samplers that draw the next point given the one denoised: DDPM's chain, and DDIM."""

from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from models.diffusion.samplers import (
    AbstractSampler,
    Denoise,
    Step,
    forward_variance,
    fresh_noise,
    noise_in,
    posterior_deviation,
)
from theory import NoiseLevel


class DDIM(AbstractSampler):
    r"""Denoising diffusion implicit models; Euler's method for $\eta = 0$.

    $$x' = \alpha'\hat x_0 + \sqrt{\sigma'^2 - s^2}\,\hat\varepsilon + s z, \qquad
      s = \eta\,\frac{\sigma'}{\sigma}\sqrt{\sigma^2 - (\alpha/\alpha')^2\sigma'^2}$$

    - `eta`: $\eta$ from 0, which draws nothing, to 1, which is `Ancestral("small")`. Static.

    !!! cite "Source"

        Song, Meng & Ermon (2021), arXiv:2010.02502, equations 12 and 16, in terms of levels of any
        interpolant.
    """

    eta: float = eqx.field(static=True, converter=float, default=0.0)

    def __check_init__(self):
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must be from 0 to 1, got {self.eta:g}.")

    def step(
        self,
        denoise: Denoise,
        x: Float[Array, "*shape"],
        state: Any,
        now: NoiseLevel,
        after: NoiseLevel,
        key: PRNGKeyArray | None,
    ) -> Step:
        denoised = denoise(x, now)
        noise = noise_in(x, denoised, now)
        if self.eta == 0:
            return Step(after.alpha * denoised + after.sigma * noise, state, denoised)
        spread = self.eta * posterior_deviation(now, after)
        # The root of sigma'^2 - s^2 without its cancellation.
        kept = self.eta * now.alpha / after.alpha * after.sigma / now.sigma
        along = after.sigma * jnp.sqrt(1 - self.eta**2 + kept**2)
        drawn = spread * fresh_noise(key, x)
        return Step(after.alpha * denoised + along * noise + drawn, state, denoised)


class Ancestral(AbstractSampler):
    r"""The reverse Markov chain of DDPM: the posterior $q(x'|x, \hat x_0)$.

    $$x' = \frac{r\sigma'^2}{\sigma^2}x + \alpha'\frac{\sigma^2 - r^2\sigma'^2}{\sigma^2}\hat x_0
      + \varsigma z, \qquad r = \alpha/\alpha'$$

    - `variance`: `small` is the posterior's, $\tilde\beta = \sigma'^2(\sigma^2 - r^2\sigma'^2)/
      \sigma^2$; `large` is the forward step's, $\beta = \sigma^2 - r^2\sigma'^2$, but 0 in a step
      to the data. Static.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equation 7 and section 3.2.
    """

    variance: Literal["small", "large"] = eqx.field(static=True, default="small")

    def __check_init__(self):
        if self.variance not in ("small", "large"):
            raise ValueError(f"variance must be small or large, got {self.variance!r}.")

    def step(
        self,
        denoise: Denoise,
        x: Float[Array, "*shape"],
        state: Any,
        now: NoiseLevel,
        after: NoiseLevel,
        key: PRNGKeyArray | None,
    ) -> Step:
        denoised = denoise(x, now)
        ratio = now.alpha / after.alpha
        beta = forward_variance(now, after)
        kept = ratio * (after.sigma / now.sigma) ** 2
        mean = kept * x + after.alpha * beta / now.sigma**2 * denoised
        if self.variance == "small":
            spread = posterior_deviation(now, after)
        else:
            spread = jnp.where(after.sigma > 0, jnp.sqrt(beta), 0)
        return Step(mean + spread * fresh_noise(key, x), state, denoised)
