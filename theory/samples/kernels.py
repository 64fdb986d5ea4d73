"""Maximum mean discrepancy: unbiased estimate with standard error, exact for Gaussians."""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    as_number,
    check_clouds,
    check_positive,
    check_same_shape,
    floats,
    gaussians,
)
from theory._numeric import Estimate, Scalar, safe_sqrt

Kernel: TypeAlias = Callable[[Float[Array, " d"], Float[Array, " d"]], Scalar]


def polynomial_kernel(x: ArrayInput, y: ArrayInput, degree: Count = 3) -> Scalar:
    r"""$(x^\top y/d + 1)^3$: the kernel of the KID, which sees moments up to the third.

    !!! cite "Source"

        Bińkowski et al. (2018), arXiv:1801.01401, section 3.
    """
    x, y = floats(x, y)
    check_same_shape(x=x, y=y)
    return (jnp.dot(x, y) / x.size + 1) ** as_count("degree", degree)


def gaussian_kernel(bandwidth: Number) -> Kernel:
    r"""$k(x, y) = e^{-\|x - y\|^2/2h^2}$, a characteristic kernel of scale $h > 0$."""
    check_positive(bandwidth=bandwidth)

    def kernel(x: ArrayInput, y: ArrayInput) -> Scalar:
        x, y, width = floats(x, y, bandwidth)
        check_same_shape(x=x, y=y)
        return jnp.exp(-0.5 * jnp.sum(((x - y) / width) ** 2))

    return kernel


def mmd2_unbiased(x: ArrayInput, y: ArrayInput, kernel: Kernel = polynomial_kernel) -> Estimate:
    r"""$\mathrm{MMD}^2 = \mathbb{E}k(x,x') + \mathbb{E}k(y,y') - 2\mathbb{E}k(x,y)$ from samples.

    Pairs of a point with itself are excluded, so that the estimate is unbiased at every size; for
    equal laws its mean is 0, and about half of the estimates are negative. With
    `polynomial_kernel` on Inception features this is the KID. Works under jit and grad; memory is
    linear in the sizes in both, as the gradient computes the kernel's values again.

    **Arguments:**

    - `x`, `y`: shapes `(n, d)` and `(m, d)`; at least two points each.
    - `kernel`: of two points, symmetric.

    **Returns:** the estimate, in units of the kernel, and its standard error by the jackknife over
    the points of both samples (NaN below three). Its square is too large on average: near equal
    laws by a factor of up to 2.

    **Raises:** `ValueError` for fewer than two points.

    !!! cite "Source"

        Gretton et al. (2012), JMLR 13, lemma 6; Efron & Stein (1981), Annals of Statistics 9(3),
        for the sign of the jackknife's bias.
    """
    x, y = floats(x, y)
    check_clouds(x=x, y=y)
    n, m = len(x), len(y)
    if min(n, m) < 2:
        raise ValueError(f"an unbiased estimate takes at least two points, got {n} and {m}.")
    within_x = _row_sums(kernel, x, x) - jax.vmap(lambda u: kernel(u, u))(x)
    within_y = _row_sums(kernel, y, y) - jax.vmap(lambda u: kernel(u, u))(y)
    across_x, across_y = _row_sums(kernel, x, y), _row_sums(kernel, y, x)
    sum_x, sum_y, across = jnp.sum(within_x), jnp.sum(within_y), jnp.sum(across_x)

    def combined(sum_x, sum_y, across, n, m):
        return sum_x / (n * (n - 1)) + sum_y / (m * (m - 1)) - 2 * across / (n * m)

    value = combined(sum_x, sum_y, across, n, m)
    if min(n, m) < 3:
        return Estimate(value, jnp.full((), jnp.nan, value.dtype))
    without_x = combined(sum_x - 2 * within_x, sum_y, across - across_x, n - 1, m)
    without_y = combined(sum_x, sum_y - 2 * within_y, across - across_y, n, m - 1)
    variance = (n - 1) * jnp.var(without_x) + (m - 1) * jnp.var(without_y)
    return Estimate(value, safe_sqrt(variance))


def _row_sums(kernel: Kernel, x: Float[Array, "n d"], y: Float[Array, "m d"]) -> Float[Array, " n"]:
    row = lambda u: jnp.sum(jax.vmap(lambda v: kernel(u, v))(y))
    return jax.lax.map(jax.checkpoint(row), x, batch_size=min(256, len(x)))


def mmd2_gaussian(
    mean_p: ArrayInput, cov_p: ArrayInput, mean_q: ArrayInput, cov_q: ArrayInput, bandwidth: Number
) -> Scalar:
    r"""$\mathrm{MMD}^2$ between two Gaussians with the Gaussian kernel, from

    $$\mathbb{E}k(x, y) = \det\left(I + \tfrac{\Sigma_x+\Sigma_y}{h^2}\right)^{-1/2}
      \exp\left(-\tfrac12\|\mu_x - \mu_y\|^2_{(h^2I + \Sigma_x + \Sigma_y)^{-1}}\right).$$

    **Arguments:** means of shape `(d,)`, covariances of shape `(d, d)`, positive semidefinite;
    `bandwidth`: $h > 0$.

    **Returns:** shape `()`, between 0 and 2.

    !!! cite "Source"

        Muandet et al. (2017), arXiv:1605.09522, table 3.1.
    """
    mean_p, cov_p, mean_q, cov_q = gaussians(mean_p, cov_p, mean_q, cov_q)
    check_positive(bandwidth=bandwidth)
    width = as_number(bandwidth, mean_p.dtype)

    def mean_kernel(gap, cov):
        root = jnp.linalg.cholesky(jnp.eye(gap.size, dtype=cov.dtype) + cov / width**2)
        white = jax.scipy.linalg.solve_triangular(root, gap / width, lower=True)
        return jnp.exp(-0.5 * jnp.sum(white**2) - jnp.sum(jnp.log(jnp.diagonal(root))))

    nowhere = jnp.zeros_like(mean_p)
    within = mean_kernel(nowhere, 2 * cov_p) + mean_kernel(nowhere, 2 * cov_q)
    return within - 2 * mean_kernel(mean_p - mean_q, cov_p + cov_q)
