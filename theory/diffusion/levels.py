r"""Noise levels $(\alpha, \sigma)$: those of discrete chains, and grids of them for samplers."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    check_increasing,
    check_line,
    check_not_negative,
    check_positive,
    check_same_shape,
    concrete,
    floats,
)


class NoiseLevel(NamedTuple):
    r"""$x = \alpha x_0 + \sigma\varepsilon$, with $\varepsilon \sim N(0, I)$.

    - `alpha`, `sigma`: $\alpha, \sigma \ge 0$, of one shape. Of a grid for a sampler, `(n + 1,)`,
      the first is noise and the last is data.
    """

    alpha: Float[Array, "..."]
    sigma: Float[Array, "..."]

    @property
    def log_snr(self) -> Float[Array, "..."]:
        r"""$\lambda = \log\alpha^2/\sigma^2$."""
        return 2 * (jnp.log(self.alpha) - jnp.log(self.sigma))

    @property
    def snr(self) -> Float[Array, "..."]:
        r"""$\alpha^2/\sigma^2$."""
        return (self.alpha / self.sigma) ** 2

    @classmethod
    def of_log_alpha(cls, log_alpha: Float[Array, "..."]) -> "NoiseLevel":
        r"""The level with $\alpha^2 + \sigma^2 = 1$; $\sigma$ has all its digits near 0."""
        # At the data the root's derivative would be infinite, and products with it NaN.
        square = -jnp.expm1(2 * log_alpha)
        none = log_alpha == 0
        sigma = jnp.where(none, 0, jnp.sqrt(jnp.where(none, 1, square)))
        return cls(jnp.exp(log_alpha), sigma)

    @classmethod
    def exploded(cls, sigma: Float[Array, "..."]) -> "NoiseLevel":
        r"""The level with $\alpha = 1$."""
        return cls(jnp.ones_like(sigma), sigma)


def linear_betas(steps: Count, first: Number = 1e-4, last: Number = 0.02) -> Float[Array, " t"]:
    r"""$\beta_1, \dots, \beta_T$, evenly spaced.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, section 4: T = 1000.
    """
    first, last = floats(first, last)
    _check_betas(first, last)
    return jnp.linspace(first, last, as_count("steps", steps))


def cosine_betas(steps: Count, offset: Number = 0.008, most: Number = 0.999) -> Float[Array, " t"]:
    r"""$\beta_t = \min(1 - f_t/f_{t-1}, \text{most})$, $f_t = \cos^2(\frac{t/T + s}{1+s}
    \cdot\frac\pi2)$.

    **Arguments:**

    - `offset`: $s$. `most`: the bound of a $\beta$, near T.

    !!! cite "Source"

        Nichol & Dhariwal (2021), arXiv:2102.09672, equation 17.
    """
    offset, most = floats(offset, most)
    check_not_negative(offset=offset)
    _check_betas(most)
    steps = as_count("steps", steps)
    share = jnp.linspace(jnp.zeros_like(offset), jnp.ones_like(offset), steps + 1)
    f = jnp.cos(0.5 * jnp.pi * (share + offset) / (1 + offset)) ** 2
    return jnp.minimum(1 - f[1:] / f[:-1], most)


def levels_of_betas(betas: ArrayInput) -> NoiseLevel:
    r"""Levels of the chain $x_t = \sqrt{1-\beta_t}\,x_{t-1} + \sqrt{\beta_t}\,\varepsilon_t$.

    $\alpha_t = \sqrt{\bar\alpha_t}$ and $\sigma_t = \sqrt{1-\bar\alpha_t}$, with $\bar\alpha_t =
    \prod_{s\le t}(1-\beta_s)$.

    **Arguments:**

    - `betas`: $\beta_1, \dots, \beta_T$, above 0 and at most 1, shape `(T,)`.

    **Returns:** shape `(T + 1,)`, from the data, $(1, 0)$, to $x_T$.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equation 4.
    """
    (betas,) = floats(betas)
    check_line("betas", betas)
    _check_betas(betas)
    log_alpha = 0.5 * jnp.cumsum(jnp.log1p(-betas))
    return NoiseLevel.of_log_alpha(jnp.concatenate([jnp.zeros_like(betas[:1]), log_alpha]))


def respaced(chain: NoiseLevel, steps: Count) -> NoiseLevel:
    r"""`steps` steps from noise to data through some levels of a chain, evenly spaced.

    **Arguments:**

    - `chain`: from data to noise, as of `levels_of_betas`, shape `(T + 1,)`. `steps`: at most T.

    **Returns:** shape `(steps + 1,)`, from $x_T$ to the data.

    !!! cite "Source"

        Song, Meng & Ermon (2021), arXiv:2010.02502, section 4.2; Nichol & Dhariwal (2021),
        arXiv:2102.09672, section 4.
    """
    alpha, sigma = floats(*chain)
    check_line("alpha", alpha, 2)
    check_same_shape(alpha=alpha, sigma=sigma)
    size = len(alpha) - 1
    steps = as_count("steps", steps, 1, size)
    at = jnp.asarray([round(size * (1 - step / steps)) for step in range(steps + 1)])
    return NoiseLevel(alpha[at], sigma[at])


def edm_levels(
    steps: Count, sigma_min: Number = 0.002, sigma_max: Number = 80.0, rho: Number = 7.0
) -> NoiseLevel:
    r"""$\sigma_i = (\sigma_{max}^{1/\rho} + \frac i{n-1}(\sigma_{min}^{1/\rho} -
    \sigma_{max}^{1/\rho}))^\rho$ for i < n, and 0: n steps, $\alpha = 1$, shape `(n + 1,)`.

    **Arguments:**

    - `steps`: n, at least 2. `rho`: large values have shorter steps at little noise.

    !!! cite "Source"

        Karras et al. (2022), arXiv:2206.00364, equation 5.
    """
    steps = as_count("steps", steps, 2)
    check_positive(sigma_min=sigma_min, rho=rho)
    check_increasing(sigma_min=sigma_min, sigma_max=sigma_max)
    sigma_min, sigma_max, rho = floats(sigma_min, sigma_max, rho)
    roots = jnp.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), steps)
    return NoiseLevel.exploded(jnp.concatenate([roots**rho, jnp.zeros_like(roots[:1])]))


def _check_betas(*betas: Array) -> None:
    """Check that all are above 0 and at most 1; NaN passes, and traced ones do."""
    for beta in betas:
        found = concrete(beta)
        wrong = None if found is None else found[(found <= 0) | (found > 1)]
        if wrong is not None and wrong.size:
            raise ValueError(f"betas must be above 0 and at most 1, got {wrong.flat[0]:g}.")
