"""The Fréchet distance between two samples, and how far it is from 0 for want of samples."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._numeric import Scalar
from theory.transport import wasserstein2_gaussian


class FrechetDistance(NamedTuple):
    """The distance and its two parts, in squared units of the features, and both sample sizes.

    It means little without the sizes: see `frechet_bias`.
    """

    distance: Scalar
    mean_part: Scalar
    covariance_part: Scalar
    sizes: tuple[int, int]


def frechet_distance(x: Float[Array, "n d"], y: Float[Array, "m d"]) -> FrechetDistance:
    r"""$W_2^2$ between the Gaussians with the means and covariances of two samples.

    $$\|\mu_x-\mu_y\|^2 + \operatorname{tr}\bigl(\Sigma_x + \Sigma_y
      - 2(\Sigma_x^{1/2}\Sigma_y\Sigma_x^{1/2})^{1/2}\bigr)$$

    By singular values and never by the root of a product, which turns complex by rounding: fewer
    samples than dimensions do no harm. Of Inception features this is the FID.

    **Arguments:**

    - `x`, `y`: features, shapes `(n, d)` and `(m, d)`. Covariances are taken with n - 1.

    **Raises:** `ValueError` for fewer than two points, which have no covariance.

    !!! cite "Source"

        Heusel et al. (2017), arXiv:1706.08500, equation 6; Dowson & Landau (1982).
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(f"a covariance takes at least two points, got {len(x)} and {len(y)}.")
    means = jnp.mean(x, axis=0), jnp.mean(y, axis=0)
    centred = x - means[0][None, :], y - means[1][None, :]
    covariances = [values.T @ values / (len(values) - 1) for values in centred]
    origin = jnp.zeros_like(means[0])
    covariance_part = wasserstein2_gaussian(origin, covariances[0], origin, covariances[1]) ** 2
    mean_part = jnp.sum((means[0] - means[1]) ** 2)
    return FrechetDistance(
        mean_part + covariance_part, mean_part, covariance_part, (len(x), len(y))
    )


def frechet_bias(covariance: Float[Array, "d d"], n: int, m: int) -> Scalar:
    r"""The Fréchet distance to be expected between samples of *one* Gaussian, to first order.

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
    values = jnp.maximum(jnp.linalg.eigvalsh(covariance), 0)
    total = values[:, None] + values[None, :]
    parallel = values[:, None] * values[None, :] / jnp.where(total > 0, total, 1)
    bends = 0.5 * (1 / (n - 1) + 1 / (m - 1)) * (jnp.sum(parallel) + 0.5 * jnp.sum(values))
    return (1 / n + 1 / m) * jnp.sum(values) + bends
