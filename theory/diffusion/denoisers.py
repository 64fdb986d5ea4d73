r"""Exact denoisers, $\hat x_0(x) = E(x_0|\alpha x_0 + \sigma\varepsilon = x)$, of laws of data.

Those of Gaussians, of Gaussian mixtures and of finite data sets, with their posterior covariances
and the marginal log densities $\log p(x)$ of the noised data. All take one point and one level;
map over points with `jax.vmap`. Scores and velocities follow by `prediction_from("score", ...)`
and `velocity_from`.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    check_gaussian,
    check_not_negative,
    check_points,
    check_same,
    check_weights,
    floats,
)
from theory._numeric import Scalar, all_numbers, log_or_minus_inf, nan_unless
from theory._semidefinite import log_det, noised, pseudo_solver
from theory.diffusion.levels import NoiseLevel
from theory.latent.linear_gaussian import Moments


def gaussian_denoiser(
    x: ArrayInput, level: NoiseLevel, mean: ArrayInput, cov: ArrayInput
) -> Float[Array, " d"]:
    r"""$\mu + \alpha C(\alpha^2C + \sigma^2I)^+(x - \alpha\mu)$, the denoiser of $N(\mu, C)$.

    **Arguments:**

    - `x`: one point, shape `(d,)`. `level`: $(\alpha, \sigma)$, shape `()` each; not both 0.
    - `mean`: $\mu$, shape `(d,)`. `cov`: $C$, shape `(d, d)`, positive semidefinite.

    **Raises:** `ValueError` for shapes that do not fit, or a negative level.
    """
    return gaussian_denoising(x, level, mean, cov).mean


def gaussian_denoising(
    x: ArrayInput, level: NoiseLevel, mean: ArrayInput, cov: ArrayInput
) -> Moments:
    r"""The law of $x_0 \sim N(\mu, C)$ given $x$; arguments as of `gaussian_denoiser`.

    **Returns:** the mean, which is the denoiser's, and the covariance, which does not depend on x.
    """
    x, alpha, sigma, mean, cov = floats(x, *level, mean, cov)
    check_gaussian("the data", mean, cov)
    _check_place(x, alpha, sigma, mean.size)
    solve = pseudo_solver(*noised(cov, alpha, sigma**2))
    # A level without either says nothing; zeros of a pseudo-inverse hide what is not known.
    known = all_numbers(alpha, sigma, cov) & ((alpha > 0) | (sigma > 0))
    return Moments(
        nan_unless(known, mean + alpha * (cov @ solve(x - alpha * mean))),
        nan_unless(known, sigma**2 * solve(cov)),
    )


def gaussian_marginal_log_prob(
    x: ArrayInput, level: NoiseLevel, mean: ArrayInput, cov: ArrayInput
) -> Scalar:
    r"""$\log N(x; \alpha\mu, \alpha^2C + \sigma^2I)$, in nats; arguments as of `gaussian_denoiser`.

    NaN or infinite where that is singular, which has no density.
    """
    x, alpha, sigma, mean, cov = floats(x, *level, mean, cov)
    check_gaussian("the data", mean, cov)
    _check_place(x, alpha, sigma, mean.size)
    return _log_normal(x, alpha, sigma, mean, cov)


def mixture_denoiser(
    x: ArrayInput, level: NoiseLevel, weights: ArrayInput, means: ArrayInput, covs: ArrayInput
) -> Float[Array, " d"]:
    r"""$\sum_k p(k|x)E(x_0|x, k)$, the denoiser of $\sum_k w_kN(\mu_k, C_k)$.

    The responsibilities $p(k|x)$ are a softmax of log densities, finite far from all components.

    **Arguments:**

    - `x`: one point, shape `(d,)`. `level`: $(\alpha, \sigma)$, shape `()` each.
    - `weights`: $w$, shape `(k,)`, not negative; normalised here. `means`: shape `(k, d)`.
    - `covs`: shape `(k, d, d)`, positive semidefinite; definite where $\sigma = 0$.

    **Raises:** `ValueError` for shapes that do not fit, negative weights, or a negative level.
    """
    return mixture_denoising(x, level, weights, means, covs).mean


def mixture_denoising(
    x: ArrayInput, level: NoiseLevel, weights: ArrayInput, means: ArrayInput, covs: ArrayInput
) -> Moments:
    r"""Mean and covariance of $x_0$ given $x$ for a mixture; arguments as of `mixture_denoiser`.

    The covariance is that within components plus that of their means.
    """
    return _mixture_moments(*_mixture(x, level, weights, means, covs))


@jax.jit
def _mixture_moments(
    x: Array, level: NoiseLevel, weights: Array, means: Array, covs: Array
) -> Moments:
    shares = jax.nn.softmax(_component_log_probs(x, level, weights, means, covs))
    inside = jax.vmap(lambda mean, cov: gaussian_denoising(x, level, mean, cov))(means, covs)
    mean = shares @ inside.mean
    apart = inside.mean - mean[None]
    within = jnp.einsum("k,kij->ij", shares, inside.covariance)
    return Moments(mean, within + (shares[:, None] * apart).T @ apart)


def mixture_marginal_log_prob(
    x: ArrayInput, level: NoiseLevel, weights: ArrayInput, means: ArrayInput, covs: ArrayInput
) -> Scalar:
    r"""$\log\sum_kw_kN(x; \alpha\mu_k, \alpha^2C_k + \sigma^2I)$; arguments as of
    `mixture_denoiser`."""
    log_probs = _component_log_probs(*_mixture(x, level, weights, means, covs))
    return jax.scipy.special.logsumexp(log_probs)


def data_denoiser(x: ArrayInput, level: NoiseLevel, points: ArrayInput) -> Float[Array, " d"]:
    r"""$\sum_ip_ix_i$ with $p = \operatorname{softmax}(-\|x - \alpha x_i\|^2/2\sigma^2)$.

    The denoiser of a finite data set, which has memorised it: what a network of unlimited capacity
    learns. At $\sigma = 0$ it is the nearest $x_i$, the mean of several at one distance.

    **Arguments:**

    - `x`: one point, shape `(d,)`. `level`: $(\alpha, \sigma)$, shape `()` each; $\sigma$ may be 0.
    - `points`: the data, shape `(n, d)`.

    **Raises:** `ValueError` for shapes that do not fit, or a negative level.
    """
    x, level, points = _data(x, level, points)
    return jax.nn.softmax(-_exponents(x, level, points)[0]) @ points


def data_denoising(x: ArrayInput, level: NoiseLevel, points: ArrayInput) -> Moments:
    """Mean and covariance of the data's point given x; arguments as of `data_denoiser`."""
    x, level, points = _data(x, level, points)
    shares = jax.nn.softmax(-_exponents(x, level, points)[0])
    mean = shares @ points
    apart = points - mean[None]
    return Moments(mean, (shares[:, None] * apart).T @ apart)


def data_marginal_log_prob(x: ArrayInput, level: NoiseLevel, points: ArrayInput) -> Scalar:
    r"""$\log\frac1n\sum_iN(x; \alpha x_i, \sigma^2I)$, in nats; arguments as of `data_denoiser`.

    NaN or infinite at $\sigma = 0$, where there is no density.
    """
    x, level, points = _data(x, level, points)
    exponents, least = _exponents(x, level, points)
    log_mean = jax.scipy.special.logsumexp(-exponents) - jnp.log(len(points))
    log_scale = x.size * (jnp.log(level.sigma) + 0.5 * jnp.log(2 * jnp.pi))
    return log_mean - 0.5 * least / level.sigma / level.sigma - log_scale


def _log_normal(x: Array, alpha: Array, sigma: Array, mean: Array, cov: Array) -> Scalar:
    """log N(x; alpha mean, alpha^2 cov + sigma^2 I)."""
    total, of = noised(cov, alpha, sigma**2)
    residual = x - alpha * mean
    square = residual @ pseudo_solver(total, of)(residual)
    value = -0.5 * (square + log_det(total, of) + x.size * jnp.log(2 * jnp.pi))
    # Zeros of a pseudo-inverse, and NaN that eigenvalues turn into none, hide what is not known.
    return nan_unless(all_numbers(total), value)


@jax.jit
def _component_log_probs(
    x: Array, level: NoiseLevel, weights: Array, means: Array, covs: Array
) -> Float[Array, " k"]:
    log_probs = jax.vmap(lambda mean, cov: _log_normal(x, *level, mean, cov))(means, covs)
    return log_probs + log_or_minus_inf(weights / jnp.sum(weights))


def _exponents(x: Array, level: NoiseLevel, points: Array) -> tuple[Float[Array, " n"], Scalar]:
    r"""$(\|x - \alpha x_i\|^2 - \text{least})/2\sigma^2$, infinity for 0, and the least square.

    The least is taken off before the division: squares that differ little, next to $\sigma^2$ or
    not, keep their difference.
    """
    squares = jnp.sum((x[None] - level.alpha * points) ** 2, axis=1)
    least = jnp.min(squares)
    excess = squares - least
    nearest = excess == 0
    none = level.sigma == 0
    sigma = jnp.where(none, 1, level.sigma)  # its square may underflow
    far = jnp.where(none & ~nearest, jnp.inf, 0.5 * excess / sigma / sigma)
    return jnp.where(jnp.isnan(level.sigma), jnp.nan, far), least


def _mixture(
    x: ArrayInput, level: NoiseLevel, weights: ArrayInput, means: ArrayInput, covs: ArrayInput
) -> tuple[Array, NoiseLevel, Array, Array, Array]:
    x, alpha, sigma, weights, means, covs = floats(x, *level, weights, means, covs)
    check_points("means", means)
    check_weights("weights", weights, len(means))
    size = means.shape[1]
    check_same("shape", covs=covs.shape, means_and_dimensions=(*means.shape, size))
    _check_place(x, alpha, sigma, size)
    return x, NoiseLevel(alpha, sigma), weights, means, covs


def _data(
    x: ArrayInput, level: NoiseLevel, points: ArrayInput
) -> tuple[Array, NoiseLevel, Float[Array, "n d"]]:
    x, alpha, sigma, points = floats(x, *level, points)
    check_points("points", points)
    _check_place(x, alpha, sigma, points.shape[1])
    return x, NoiseLevel(alpha, sigma), points


def _check_place(x: Array, alpha: Array, sigma: Array, size: int) -> None:
    """Check for one point of `size` numbers and one level."""
    if x.shape != (size,):
        raise ValueError(f"x must be one point of shape ({size},), got {x.shape}.")
    if alpha.shape != () or sigma.shape != ():
        shapes = f"{alpha.shape} and {sigma.shape}"
        raise ValueError(f"level must be one level, of two numbers, got shapes {shapes}.")
    check_not_negative(alpha=alpha, sigma=sigma)
