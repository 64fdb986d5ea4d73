r"""The variational bound of a diffusion model on $-\log p(x_0)$, term by term, of one point.

$$\mathrm{KL}(q(x_T|x_0)\|p(x_T)) + \sum_{t=2}^T E\,\mathrm{KL}(q(x_{t-1}|x_t, x_0)\|p(x_{t-1}|x_t))
  - E\log p(x_0|x_1)$$

`prior_kl`, `denoising_kl` and a reconstruction term, all in nats and summed over dimensions; points
may have any shape. Expectations over $x_t$ are the caller's: each term takes one draw of it.
"""

import math

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
    check_same_shape,
    floats,
)
from theory._numeric import Scalar
from theory.diffusion.levels import NoiseLevel
from theory.diffusion.markov_chain import reverse_step, transition


def prior_kl(x0: ArrayInput, level: NoiseLevel, prior_variance: Number = 1.0) -> Scalar:
    r"""$L_T = \mathrm{KL}(N(\alpha x_0, \sigma^2I)\|N(0, s^2I))$, the loss of the start.

    **Arguments:**

    - `x0`: one point, any shape. `level`: of $x_T$, shape `()` each.
    - `prior_variance`: $s^2$, positive; of variance exploding processes $\sigma^2$.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equation 5.
    """
    x0, alpha, sigma, prior = floats(x0, *level, prior_variance)
    _check_entries(x0)
    check_positive(prior_variance=prior)
    ratio = sigma**2 / prior
    return 0.5 * (jnp.sum((alpha * x0) ** 2) / prior + x0.size * excess(ratio))


def denoising_kl(
    x0: ArrayInput,
    denoised: ArrayInput,
    cleaner: NoiseLevel,
    noisier: NoiseLevel,
    variance: Number | None = None,
) -> Scalar:
    r"""$L_{t-1}$, between the chain's posterior and the step of a model that denoises.

    With the posterior's own variance it is
    $\tfrac12(\mathrm{SNR}_s - \mathrm{SNR}_t)\|x_0 - \hat x_0\|^2$; with another variance $v$, and
    the posterior's $\tilde v = \sigma_s^2\beta/\sigma_t^2$ and $b$ of `reverse_step`,

    $$\frac{b^2}{2v}\|x_0 - \hat x_0\|^2 + \frac d2\Bigl(\frac{\tilde v}v - 1
      - \log\frac{\tilde v}v\Bigr).$$

    **Arguments:**

    - `x0`, `denoised`: the datum and $\hat x_0(x_t)$, of one shape.
    - `cleaner`, `noisier`: levels of $x_{t-1}$ and $x_t$, shape `()` each.
    - `variance`: $v$ of the model's step, shape `()`, the posterior's by default.

    **Raises:** `ValueError` for shapes that do not fit, or a variance that is not positive.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equation 8; Kingma et al. (2021),
        arXiv:2107.00630, equation 13.
    """
    x0, denoised, *numbers = floats(x0, denoised, *cleaner, *noisier)
    _check_entries(x0)
    check_same_shape(x0=x0, denoised=denoised)
    cleaner, noisier = NoiseLevel(*numbers[:2]), NoiseLevel(*numbers[2:])
    square = jnp.sum((x0 - denoised) ** 2)
    if variance is None:
        beta = transition(cleaner, noisier).variance
        return 0.5 * beta * (cleaner.alpha / (cleaner.sigma * noisier.sigma)) ** 2 * square
    check_positive(variance=variance)
    own = floats(variance)[0].astype(x0.dtype)
    step = reverse_step(cleaner, noisier)
    return 0.5 * (step.of_data**2 / own * square + x0.size * excess(step.variance / own))


def gaussian_reconstruction(x0: ArrayInput, mean: ArrayInput, variance: Number) -> Scalar:
    r"""$-\log N(x_0; m, vI)$, of a decoder with a density.

    **Arguments:**

    - `x0`, `mean`: the datum and $m$, which is $\hat x_0(x_1)$, of one shape.
    - `variance`: $v$, positive, shape `()`.
    """
    x0, mean, variance = floats(x0, mean, variance)
    _check_entries(x0)
    check_same_shape(x0=x0, mean=mean)
    check_positive(variance=variance)
    square = jnp.sum((x0 - mean) ** 2)
    return 0.5 * (square / variance + x0.size * jnp.log(2 * jnp.pi * variance))


def discretised_reconstruction(
    x0: ArrayInput,
    mean: ArrayInput,
    variance: Number,
    *,
    bins: Count = 256,
    low: Number = -1.0,
    high: Number = 1.0,
) -> Scalar:
    r"""$-\log P(x_0)$ of a Gaussian decoder whose density is added up over bins.

    Values are `bins` evenly spaced numbers from `low` to `high`. Each has the interval of numbers
    that are nearest to it, the first and the last also all that lies beyond: probabilities add up
    to 1.

    **Arguments:**

    - `x0`, `mean`: the datum and the decoder's mean, of one shape.
    - `variance`: of the decoder, positive, shape `()`.
    - `bins`: at least 2; 256 for pictures of 8 bits.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equation 13.
    """
    x0, mean, variance, low, high = floats(x0, mean, variance, low, high)
    _check_entries(x0)
    check_same_shape(x0=x0, mean=mean)
    check_positive(variance=variance)
    check_increasing(low=low, high=high)
    half = 0.5 * (high - low) / (as_count("bins", bins, 2) - 1)
    deviation = jnp.sqrt(variance)
    lower, upper = ((x0 - mean + side * half) / deviation for side in (-1, 1))
    # Infinities by where of the finite ones: a derivative would be infinity times 0.
    below, above = x0 < low + half, x0 > high - half
    tail = -jax.scipy.special.log_ndtr(jnp.where(below, upper, -lower))
    inside = -_log_normal_interval(lower, upper)
    return jnp.sum(jnp.where(below | above, tail, inside))


def bits_per_dimension(
    nats: ArrayInput, dimensions: Count, bin_width: Number = 1.0
) -> Float[Array, "..."]:
    r"""$L/(d\log2) - \log_2w$, of a bound $L$ in nats.

    **Arguments:**

    - `nats`: summed over dimensions, any shape. `dimensions`: d.
    - `bin_width`: $w$, of data with a density that stands for one of bins: 2/255 or so for
      pictures of 8 bits scaled to [-1, 1]. 1 for probabilities.

    !!! cite "Source"

        Theis, van den Oord & Bethge (2016), arXiv:1511.01844, section 3.1.
    """
    nats, width = floats(nats, bin_width)
    check_positive(bin_width=width)
    count = as_count("dimensions", dimensions)
    return nats / (count * math.log(2)) - jnp.log2(width)


def excess(ratio: Array) -> Array:
    r"""$r - 1 - \log r$: twice the divergence of Gaussians, one number each, of this ratio of
    variances."""
    return ratio - 1 - jnp.log(ratio)


def _log_normal_interval(lower: Array, upper: Array) -> Array:
    r"""$\log(\Phi(u) - \Phi(l))$ for l < u, with all digits in both tails."""
    # On the side of the tail that is small there is no cancellation from 1.
    flipped = lower + upper > 0
    low, high = jnp.where(flipped, -upper, lower), jnp.where(flipped, -lower, upper)
    top = jax.scipy.special.log_ndtr(high)
    return top + jnp.log1p(-jnp.exp(jax.scipy.special.log_ndtr(low) - top))


def _check_entries(x0: Array) -> None:
    if x0.size == 0:
        raise ValueError("x0 must have at least one entry, got none.")
