"""Hellinger and chi-squared divergences between Gaussians with full covariances.

The Kullback-Leibler divergence is `kl_gaussian`. Jensen-Shannon and total variation have no closed
form: see `mixture_divergence`.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from theory._inputs import ArrayInput, gaussians
from theory._numeric import Scalar, all_numbers, nan_unless


def squared_hellinger_gaussian(
    mean_p: ArrayInput, cov_p: ArrayInput, mean_q: ArrayInput, cov_q: ArrayInput
) -> Scalar:
    r"""$H^2 = 1 - \int\sqrt{pq}$ between two Gaussians.

    $$H^2 = 1 - \frac{\det^{1/4}(\Sigma_p\Sigma_q)}{\det^{1/2}\bar\Sigma}
            \exp\left(-\tfrac18\|\mu_p-\mu_q\|^2_{\bar\Sigma^{-1}}\right),
      \qquad \bar\Sigma = \tfrac12(\Sigma_p + \Sigma_q)$$

    **Arguments:** means of shape `(d,)`; covariances of shape `(d, d)`, positive semidefinite with
    a positive definite sum. One of them may be singular, and the laws then share no mass: 1.

    **Returns:** shape `()`, between 0 and 1; NaN where the sum is not positive definite.

    !!! cite "Source"

        Pardo (2006), Statistical Inference Based on Divergence Measures, section 1.2.
    """
    mean_p, cov_p, mean_q, cov_q = gaussians(mean_p, cov_p, mean_q, cov_q)
    excess, gap = _whitened(0.5 * (cov_p - cov_q), mean_p - mean_q, 0.5 * (cov_p + cov_q))
    # In coordinates in which the mean covariance is I, that of p is I + E and that of q I - E.
    shared = _inside_unit(excess)
    log_product = _log_det_product(jnp.where(shared, excess, 0))
    exponent = 0.25 * jnp.where(shared, log_product, -jnp.inf) - 0.125 * jnp.sum(gap**2)
    return nan_unless(jnp.all(jnp.isfinite(excess)), -jnp.expm1(exponent))


def _whitened(matrix, vector, cov):
    """Both arguments in coordinates in which `cov` is the identity."""
    root = jnp.linalg.cholesky(cov)
    solve = lambda b: jax.scipy.linalg.solve_triangular(root, b, lower=True)
    return solve(solve(matrix).T), solve(vector)


def _inside_unit(matrix: Float[Array, "d d"]) -> Bool[Array, ""]:
    """True if all eigenvalues are between -1 and 1 by more than rounding."""
    values = jnp.linalg.eigvalsh(jax.lax.stop_gradient(matrix))
    return jnp.all(jnp.abs(values) < 1 - 8 * len(matrix) * jnp.finfo(values.dtype).eps)


def _log_det_product(excess: Float[Array, "d d"]) -> Scalar:
    """log det (I + E) (I - E), by Cholesky: its derivative exists where eigenvalues coincide."""
    eye = jnp.eye(len(excess), dtype=excess.dtype)
    diagonals = [jnp.diagonal(jnp.linalg.cholesky(eye + sign * excess)) for sign in (1, -1)]
    return 2 * jnp.sum(jnp.log(jnp.stack(diagonals)))


def chi2_gaussian(
    mean_p: ArrayInput, cov_p: ArrayInput, mean_q: ArrayInput, cov_q: ArrayInput
) -> Scalar:
    r"""Pearson's $\chi^2(p\|q) = \int (p-q)^2/q$ between two Gaussians.

    $$1 + \chi^2 = \frac{\det\Sigma_q}{\sqrt{\det\Sigma_p\det(2\Sigma_q - \Sigma_p)}}
                   \exp\|\mu_p-\mu_q\|^2_{(2\Sigma_q - \Sigma_p)^{-1}}$$

    if $2\Sigma_q - \Sigma_p$ is positive definite: a law with tails twice as wide as the other's is
    infinitely far from it. Neyman's $\int (p-q)^2/p$ is this with the laws exchanged.

    **Arguments:** means of shape `(d,)`; covariances of shape `(d, d)`, that of $q$ positive
    definite, that of $p$ positive semidefinite.

    **Returns:** shape `()`; infinite where the integral is, NaN where that of $q$ is not positive
    definite.

    !!! cite "Source"

        Nielsen & Nock (2014), IEEE Signal Processing Letters 21(1), for exponential families.
    """
    mean_p, cov_p, mean_q, cov_q = gaussians(mean_p, cov_p, mean_q, cov_q)
    excess, gap = _whitened(cov_p - cov_q, mean_p - mean_q, cov_q)
    finite = _inside_unit(excess)
    safe = jnp.where(finite, excess, 0)
    # With cov_q = I: cov_p is I + E and 2 cov_q - cov_p is I - E.
    root = jnp.linalg.cholesky(jnp.eye(len(safe), dtype=safe.dtype) - safe)
    distance = jnp.sum(jax.scipy.linalg.solve_triangular(root, gap, lower=True) ** 2)
    exponent = distance - 0.5 * _log_det_product(safe)
    known = jnp.all(jnp.isfinite(excess)) & all_numbers(gap)
    return nan_unless(known, jnp.where(finite, jnp.expm1(exponent), jnp.inf))
