r"""Interpolants of data and noise, $x_t = \alpha_t x_0 + \sigma_t\varepsilon$, in continuous time.

Variance preserving, variance exploding, EDM and the straight lines of flow matching differ in the
curve $(\alpha_t, \sigma_t)$ alone. Time runs from data, `first`, to noise, `last`.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    check_increasing,
    check_positive,
    floats,
)
from theory.diffusion.levels import NoiseLevel


class AbstractInterpolant(eqx.Module):
    r"""A curve $(\alpha_t, \sigma_t)$ from data to noise.

    - `first`, `last`: the least and the largest time, 0 and 1 unless said, static. At `last` the
      law of $x_t$ is taken for that of $\sigma_t\varepsilon$.

    Methods take times of any shape, elementwise. The forward process with these marginals is
    $dx = f_t x\,dt + g_t\,dw$, with $f = \dot\alpha/\alpha$ and
    $g^2 = 2\sigma\dot\sigma - 2f\sigma^2$.

    !!! cite "Source"

        Song et al. (2021), arXiv:2011.13456; Albergo & Vanden-Eijnden (2023), arXiv:2209.15571;
        Kingma et al. (2021), arXiv:2107.00630, for the log signal-to-noise ratio as time.
    """

    @property
    def first(self) -> float:
        """The time of the data, or the least at which the process is defined."""
        return 0.0

    @property
    def last(self) -> float:
        """The time of the noise."""
        return 1.0

    @abc.abstractmethod
    def level(self, time: ArrayInput) -> NoiseLevel:
        r"""$(\alpha_t, \sigma_t)$."""

    @abc.abstractmethod
    def time_of(self, log_snr: ArrayInput) -> Float[Array, "..."]:
        r"""The time at which $\log\alpha_t^2/\sigma_t^2$ is the given number."""

    def rate(self, time: ArrayInput) -> NoiseLevel:
        r"""$(\dot\alpha_t, \dot\sigma_t)$, the derivatives in time."""
        (time,) = floats(time)
        return jax.jvp(self.level, (time,), (jnp.ones_like(time),))[1]

    def log_snr(self, time: ArrayInput) -> Float[Array, "..."]:
        r"""$\log\alpha_t^2/\sigma_t^2$, decreasing in time."""
        return self.level(time).log_snr

    def drift(self, time: ArrayInput) -> Float[Array, "..."]:
        r"""$f_t$ of the forward process $dx = f_t x\,dt + g_t\,dw$."""
        return self.rate(time).alpha / self.level(time).alpha

    def squared_diffusion(self, time: ArrayInput) -> Float[Array, "..."]:
        r"""$g_t^2$ of the forward process $dx = f_t x\,dt + g_t\,dw$."""
        level, rate = self.level(time), self.rate(time)
        return 2 * level.sigma * (rate.sigma - level.sigma * rate.alpha / level.alpha)

    def levels(self, steps: Count) -> NoiseLevel:
        """Levels for `steps` steps from noise to data, evenly spaced in time, `(steps + 1,)`."""
        steps = as_count("steps", steps)
        return self.level(jnp.linspace(self.last, self.first, steps + 1))

    def levels_in_log_snr(self, steps: Count, most: Number) -> NoiseLevel:
        r"""Levels evenly spaced in the log signal-to-noise ratio, shape `(steps + 1,)`.

        From $\lambda$ at `last`, or `-most` if that is less, to `most`, or $\lambda$ at `first` if
        that is less.
        """
        steps = as_count("steps", steps)
        (most,) = floats(most)
        least = jnp.maximum(self.log_snr(self.last).astype(most.dtype), -most)
        most = jnp.minimum(self.log_snr(self.first).astype(most.dtype), most)
        return self.level(self.time_of(jnp.linspace(least, most, steps + 1)))


class VariancePreserving(AbstractInterpolant):
    r"""$\alpha_t^2 + \sigma_t^2 = 1$ with $\beta_t$ linear: $dx = -\tfrac12\beta_t x\,dt +
    \sqrt{\beta_t}\,dw$, for t from 0 to 1.

    - `beta_min`, `beta_max`: $\beta_0$ and $\beta_1$, positive, shape `()`.

    !!! cite "Source"

        Song et al. (2021), arXiv:2011.13456, appendix B.
    """

    beta_min: Float[Array, ""]
    beta_max: Float[Array, ""]

    def __init__(self, beta_min: Number = 0.1, beta_max: Number = 20.0):
        check_positive(beta_min=beta_min, beta_max=beta_max)
        self.beta_min, self.beta_max = floats(beta_min, beta_max)

    def level(self, time: ArrayInput) -> NoiseLevel:
        time, low, high = floats(time, self.beta_min, self.beta_max)
        return NoiseLevel.of_log_alpha(-0.5 * (low * time + 0.5 * (high - low) * time**2))

    def time_of(self, log_snr: ArrayInput) -> Float[Array, "..."]:
        log_snr, low, high = floats(log_snr, self.beta_min, self.beta_max)
        # -2 log(alpha) = softplus(-log_snr) is quadratic in time; this form of its root keeps its
        # digits near time 0, and where both betas are equal.
        area = jax.nn.softplus(-log_snr)
        return 2 * area / (low + jnp.sqrt(low**2 + 2 * (high - low) * area))


class Cosine(AbstractInterpolant):
    r"""$\alpha_t = \cos(\pi t/2)$, $\sigma_t = \sin(\pi t/2)$, for t from 0 to 1.

    !!! cite "Source"

        Nichol & Dhariwal (2021), arXiv:2102.09672, in continuous time and without an offset;
        Salimans & Ho (2022), arXiv:2202.00512, appendix D.
    """

    def level(self, time: ArrayInput) -> NoiseLevel:
        (time,) = floats(time)
        # sin(pi (1 - t) / 2) is 0 at 1, where the cosine would be a rounding error.
        return NoiseLevel(jnp.sin(0.5 * jnp.pi * (1 - time)), jnp.sin(0.5 * jnp.pi * time))

    def time_of(self, log_snr: ArrayInput) -> Float[Array, "..."]:
        (log_snr,) = floats(log_snr)
        return 2 / jnp.pi * jnp.arctan(jnp.exp(-0.5 * log_snr))


class VarianceExploding(AbstractInterpolant):
    r"""$\alpha_t = 1$, $\sigma_t = \sigma_0(\sigma_1/\sigma_0)^t$, for t from 0 to 1.

    - `sigma_min`, `sigma_max`: $\sigma_0$ and $\sigma_1$, positive, shape `()`.

    !!! cite "Source"

        Song et al. (2021), arXiv:2011.13456, appendix C.
    """

    sigma_min: Float[Array, ""]
    sigma_max: Float[Array, ""]

    def __init__(self, sigma_min: Number = 0.01, sigma_max: Number = 50.0):
        check_positive(sigma_min=sigma_min)
        check_increasing(sigma_min=sigma_min, sigma_max=sigma_max)
        self.sigma_min, self.sigma_max = floats(sigma_min, sigma_max)

    def level(self, time: ArrayInput) -> NoiseLevel:
        time, low, high = floats(time, self.sigma_min, self.sigma_max)
        return NoiseLevel.exploded(low * (high / low) ** time)

    def time_of(self, log_snr: ArrayInput) -> Float[Array, "..."]:
        log_snr, low, high = floats(log_snr, self.sigma_min, self.sigma_max)
        return (-0.5 * log_snr - jnp.log(low)) / jnp.log(high / low)


class EDM(AbstractInterpolant):
    r"""$\alpha_t = 1$, $\sigma_t = t$: time is the deviation of the noise.

    - `sigma_min`, `sigma_max`: the least and the largest deviation, positive, static.

    !!! cite "Source"

        Karras et al. (2022), arXiv:2206.00364, table 1.
    """

    sigma_min: float = eqx.field(static=True, default=0.002)
    sigma_max: float = eqx.field(static=True, default=80.0)

    def __check_init__(self):
        check_positive(sigma_min=self.sigma_min)
        check_increasing(sigma_min=self.sigma_min, sigma_max=self.sigma_max)

    @property
    def first(self) -> float:
        return self.sigma_min

    @property
    def last(self) -> float:
        return self.sigma_max

    def level(self, time: ArrayInput) -> NoiseLevel:
        (time,) = floats(time)
        return NoiseLevel.exploded(time)

    def time_of(self, log_snr: ArrayInput) -> Float[Array, "..."]:
        (log_snr,) = floats(log_snr)
        return jnp.exp(-0.5 * log_snr)


class StraightLines(AbstractInterpolant):
    r"""$x_t = (1-t)x_0 + t\varepsilon$, for t from 0 to 1: flow matching, rectified flow.

    Time is that of the other interpolants, from data to noise; the papers' is $1 - t$.

    !!! cite "Source"

        Lipman et al. (2023), arXiv:2210.02747, with $\sigma_{min} = 0$; Liu, Gong & Liu (2023),
        arXiv:2209.03003.
    """

    def level(self, time: ArrayInput) -> NoiseLevel:
        (time,) = floats(time)
        return NoiseLevel(1 - time, time)

    def time_of(self, log_snr: ArrayInput) -> Float[Array, "..."]:
        (log_snr,) = floats(log_snr)
        return jax.nn.sigmoid(-0.5 * log_snr)
