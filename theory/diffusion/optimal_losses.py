r"""The least mean squared error of a denoiser, and with it the least loss of every prediction.

The loss of a prediction of a kind is `loss_weight(kind, level)` times
$E\|x_0 - \hat x_0\|^2$, so that the least one is that weight times the error of the exact denoiser,
$E\operatorname{tr}\operatorname{Cov}(x_0|x)$, which is here. Errors are sums over dimensions.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Count,
    as_count,
    check_clouds,
    check_line,
    check_not_negative,
    check_same_shape,
    check_square,
    check_weights,
    floats,
)
from theory._numeric import (
    Estimate,
    Scalar,
    all_numbers,
    log_or_minus_inf,
    mean_estimate,
    nan_unless,
    safe_divide,
)
from theory.diffusion.affine_denoisers import check_one_level
from theory.diffusion.levels import NoiseLevel
from theory.latent.linear_gaussian import Moments
from theory.quadrature import legendre

REACH = 10
"""Deviations of a component to either side of its mean that quadrature goes to."""


def gaussian_mmse(level: NoiseLevel, cov: ArrayInput) -> Float[Array, "..."]:
    r"""$\sum_i\lambda_i\sigma^2/(\alpha^2\lambda_i + \sigma^2)$, the least error on $N(\mu, C)$.

    **Arguments:**

    - `level`: $(\alpha, \sigma)$ of any shape. `cov`: $C$, shape `(d, d)`, with eigenvalues
      $\lambda_i$.

    **Returns:** of the level's shape.
    """
    alpha, sigma, values = _levels_and_spectrum(level, cov)
    noise = sigma**2
    return jnp.sum(safe_divide(values * noise, alpha**2 * values + noise), axis=-1)


def gaussian_information(level: NoiseLevel, cov: ArrayInput) -> Float[Array, "..."]:
    r"""$I(x_0; x) = \tfrac12\sum_i\log(1 + \lambda_i\alpha^2/\sigma^2)$ of $N(\mu, C)$, in nats.

    Its derivative in $\alpha^2/\sigma^2$ is half the least error, so that the difference between
    two levels is the diffusion loss of the variational bound in continuous time.

    **Arguments:**

    - `level`: $(\alpha, \sigma)$ of any shape, $\sigma > 0$. `cov`: $C$, shape `(d, d)`, with
      eigenvalues $\lambda_i$.

    !!! cite "Source"

        Guo, Shamai & Verdú (2005), "Mutual information and minimum mean-square error in Gaussian
        channels", IEEE Transactions on Information Theory 51(4); Kingma et al. (2021),
        arXiv:2107.00630, section 4.2.
    """
    alpha, sigma, values = _levels_and_spectrum(level, cov)
    return 0.5 * jnp.sum(jnp.log1p(values * (alpha / sigma) ** 2), axis=-1)


def mixture_mmse(
    level: NoiseLevel,
    weights: ArrayInput,
    means: ArrayInput,
    variances: ArrayInput,
    nodes: Count = 16,
) -> Scalar:
    r"""The least error on a Gaussian mixture on the line, by quadrature.

    Of $p(x)\operatorname{Var}(x_0|x)$.

    **Arguments:**

    - `level`: $(\alpha, \sigma)$, shape `()` each, $\sigma > 0$.
    - `weights`, `means`, `variances`: of the components, shape `(k,)`; variances may be 0, which
      makes a finite data set of it.
    - `nodes`: of Gauss and Legendre, on each interval of half a deviation of any component.
    """
    alpha, sigma, weights, means, variances = floats(*level, weights, means, variances)
    check_line("means", means)
    check_same_shape(means=means, variances=variances)
    check_weights("weights", weights, len(means))
    check_not_negative(variances=variances)
    check_one_level(alpha, sigma)
    return _line_error(alpha, sigma, weights, means, variances, as_count("nodes", nodes))


def estimated_mmse(
    denoising: Callable[[Array, NoiseLevel], Moments],
    level: NoiseLevel,
    points: ArrayInput,
    noise: ArrayInput,
) -> Estimate:
    r"""A Monte Carlo estimate of $E\operatorname{tr}\operatorname{Cov}(x_0|x)$, with its error.

    The covariance takes the place of the squared error, of which it is the conditional mean: less
    variance from the same points.

    **Arguments:**

    - `denoising`: the exact law of $x_0$ given $x$, `(x, level) -> Moments`, as
      `mixture_denoising` or `data_denoising` with its law.
    - `points`: from the data's law, `(n, d)`. `noise`: standard normal, `(n, d)`.
    """
    points, noise, alpha, sigma = floats(points, noise, *level)
    check_clouds(points=points, noise=noise)
    check_same_shape(points=points, noise=noise)
    check_one_level(alpha, sigma)
    level = NoiseLevel(alpha, sigma)
    spread = lambda x: jnp.trace(denoising(x, level).covariance)
    return mean_estimate(jax.vmap(spread)(alpha * points + sigma * noise))


@functools.partial(jax.jit, static_argnums=5)
def _line_error(
    alpha: Array, sigma: Array, weights: Array, means: Array, variances: Array, nodes: int
) -> Scalar:
    total = alpha**2 * variances + sigma**2
    x, weight = _nodes(alpha * means, jnp.sqrt(total), nodes)
    away = x[:, None] - (alpha * means)[None]
    logs = log_or_minus_inf(weights / jnp.sum(weights)) - 0.5 * jnp.log(2 * jnp.pi * total)
    logs = logs[None] - 0.5 * away**2 / total[None]
    shares = jax.nn.softmax(logs, axis=1)
    centres = means[None] + (alpha * variances / total)[None] * away
    apart = centres - jnp.sum(shares * centres, axis=1, keepdims=True)
    spread = jnp.sum(shares * ((variances * sigma**2 / total)[None] + apart**2), axis=1)
    return jnp.sum(weight * jnp.exp(jax.nn.logsumexp(logs, axis=1)) * spread)


def _nodes(centres: Array, deviations: Array, count: int) -> tuple[Array, Array]:
    """Places and weights of `count` nodes between each two ticks of the components' scales."""
    ticks = jnp.linspace(-REACH, REACH, 4 * REACH + 1, dtype=centres.dtype)
    edges = jnp.sort((centres[None] + deviations[None] * ticks[:, None]).ravel())
    places, weights = (jnp.asarray(part, centres.dtype)[None] for part in legendre(count))
    half = 0.5 * (edges[1:] - edges[:-1])[:, None]
    return (edges[:-1, None] + half * (places + 1)).ravel(), (half * weights).ravel()


def _levels_and_spectrum(level: NoiseLevel, cov: ArrayInput) -> tuple[Array, Array, Array]:
    """A level with one more axis, and the eigenvalues that broadcast along it."""
    alpha, sigma, cov = floats(*level, cov)
    check_square("cov", cov)
    check_same_shape(alpha=alpha, sigma=sigma)
    check_not_negative(alpha=alpha, sigma=sigma)
    values = nan_unless(all_numbers(cov), jnp.maximum(jnp.linalg.eigvalsh(cov), 0))
    return alpha[..., None], sigma[..., None], values.reshape((1,) * alpha.ndim + values.shape)
