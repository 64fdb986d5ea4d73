"""Fréchet distance between two samples, and its bias at finite sample sizes."""

import math
from typing import NamedTuple

import jax.numpy as jnp

from theory._inputs import (
    ArrayInput,
    Count,
    as_count,
    check_clouds,
    check_square,
    floats,
    from_one_origin,
)
from theory._numeric import Scalar, all_numbers, nan_unless, safe_divide
from theory.transport.bures import bures_squared_of_factors


class FrechetDistance(NamedTuple):
    """The distance and its two parts, in squared units of the features, and both sample sizes.

    The distance means little without the sizes: see `frechet_bias`.
    """

    distance: Scalar
    mean_part: Scalar
    covariance_part: Scalar
    sizes: tuple[int, int]


def frechet_distance(x: ArrayInput, y: ArrayInput) -> FrechetDistance:
    r"""$W_2^2$ between the Gaussians with the means and covariances of two samples.

    $$\|\mu_x-\mu_y\|^2 + \operatorname{tr}\bigl(\Sigma_x + \Sigma_y
      - 2(\Sigma_x^{1/2}\Sigma_y\Sigma_x^{1/2})^{1/2}\bigr)$$

    By singular values of products of the centred features and never by the root of a product of
    covariances, which turns complex by rounding: fewer samples than dimensions do no harm, and the
    gradient is finite. Of Inception features this is the FID.

    **Arguments:**

    - `x`, `y`: features, shapes `(n, d)` and `(m, d)`. Covariances are taken with n - 1.

    **Returns:** see `FrechetDistance`; NaN if a feature is.

    **Raises:** `ValueError` for fewer than two points, which have no covariance, or for features of
    different dimensions.

    !!! cite "Source"

        Heusel et al. (2017), arXiv:1706.08500, equation 6; Dowson & Landau (1982).
    """
    x, y = from_one_origin(x, y)
    check_clouds(x=x, y=y)
    if min(len(x), len(y)) < 2:
        raise ValueError(f"a covariance takes at least two points, got {len(x)} and {len(y)}.")
    means = jnp.mean(x, axis=0), jnp.mean(y, axis=0)
    factors = [
        (cloud - mean[None, :]) / math.sqrt(len(cloud) - 1)
        for cloud, mean in zip((x, y), means, strict=True)
    ]
    covariance_part = bures_squared_of_factors(*factors)
    mean_part = jnp.sum((means[0] - means[1]) ** 2)
    return FrechetDistance(
        mean_part + covariance_part, mean_part, covariance_part, (len(x), len(y))
    )


def frechet_bias(covariance: ArrayInput, n: Count, m: Count) -> Scalar:
    r"""The expected Fréchet distance between two samples of *one* Gaussian, to first order.

    $$\Bigl(\tfrac1n + \tfrac1m\Bigr)\operatorname{tr}\Sigma + \tfrac12\Bigl(\tfrac1{n-1} +
      \tfrac1{m-1}\Bigr)\Bigl(\sum_{ij}\frac{\lambda_i\lambda_j}{\lambda_i+\lambda_j} +
      \tfrac12\sum_i\lambda_i\Bigr)$$

    The first part is exact. The second is the Bures metric, $\tfrac12\sum_{ij}
    E_{ij}^2/(\lambda_i+\lambda_j)$, averaged over the errors $E$ of two sample covariances: of the
    order of $d/n$ times $\operatorname{tr}\Sigma$, and right while $d/n$ is small.

    **Arguments:**

    - `covariance`: $\Sigma$, shape `(d, d)`, with the eigenvalues $\lambda$. `n`, `m`: at least 2.

    **Returns:** shape `()`, in squared units.

    !!! cite "Source"

        Chong & Forsyth (2020), arXiv:1911.07023, for the bias and its order 1/n.
    """
    (covariance,) = floats(covariance)
    n, m = as_count("n", n, 2), as_count("m", m, 2)
    check_square("covariance", covariance)
    values = jnp.maximum(jnp.linalg.eigvalsh(covariance), 0)
    total = values[:, None] + values[None, :]
    parallel = safe_divide(values[:, None] * values[None, :], total)
    bends = 0.5 * (1 / (n - 1) + 1 / (m - 1)) * (jnp.sum(parallel) + 0.5 * jnp.sum(values))
    return nan_unless(all_numbers(covariance), (1 / n + 1 / m) * jnp.sum(values) + bends)
