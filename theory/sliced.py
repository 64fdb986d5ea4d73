"""Sliced Wasserstein distances: the mean over directions of exact distances on the line."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from theory._numeric import Estimate, Scalar, mean_estimate
from theory.transport import wasserstein_1d


def slice_directions(key: PRNGKeyArray, num: int, size: int) -> Float[Array, "num size"]:
    """Independent directions, uniform on the unit sphere in `size` dimensions."""
    normal = jax.random.normal(key, (num, size))
    return normal / jnp.linalg.norm(normal, axis=1, keepdims=True)


def sliced_wasserstein(
    x: Float[Array, "n d"],
    y: Float[Array, "m d"],
    along: Float[Array, "k d"],
    p: float | int = 2,
) -> Estimate:
    r"""$SW_p = \left(\mathbb{E}_u W_p^p(u^\top x, u^\top y)\right)^{1/p}$ between two clouds.

    **Arguments:**

    - `x`, `y`: shapes `(n, d)` and `(m, d)`, of any two sizes.
    - `along`: unit vectors, shape `(k, d)`, from `slice_directions`. The same ones give the same
      number.
    - `p`: at least 1.

    **Returns:** the distance over these directions, in the data's units, and the standard error of
    it over the draw of directions, to first order (NaN for one direction); it does not speak of the
    draw of the points.

    !!! cite "Source"

        Bonneel, Rabin, Peyré & Pfister (2015), J. Mathematical Imaging and Vision 51(1).
    """
    project = lambda u: wasserstein_1d(x @ u, y @ u, p=p) ** p
    powers = mean_estimate(jax.lax.map(project, along, batch_size=min(64, len(along))))
    positive = powers.value > 0
    safe = jnp.where(positive, powers.value, 1.0)
    distance = jnp.where(positive, safe ** (1.0 / p), 0.0)
    return Estimate(distance, powers.standard_error * safe ** (1.0 / p - 1) / p)


def sliced_wasserstein2_isotropic(
    mean_x: Float[Array, " d"], std_x: Scalar, mean_y: Float[Array, " d"], std_y: Scalar
) -> Scalar:
    r"""$SW_2^2 = \|\mu_x - \mu_y\|^2/d + (\sigma_x - \sigma_y)^2$ between $N(\mu, \sigma^2 I)$.

    **Returns:** $SW_2$, shape `()`, in the data's units.

    !!! cite "Source"

        Nadjahi et al. (2021), arXiv:2106.15427, section 3.
    """
    squared = jnp.sum((mean_x - mean_y) ** 2) / mean_x.size + (std_x - std_y) ** 2
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1)), 0)


def sliced_shift_factor(d: int, p: float | int = 2) -> float:
    r"""$SW_p(x, x + \delta)/\|\delta\| = (\mathbb{E}|u_1|^p)^{1/p}$ for a cloud and its shift.

    $$\mathbb{E}|u_1|^p = \frac{\Gamma(d/2)\,\Gamma((p+1)/2)}{\sqrt\pi\,\Gamma((d+p)/2)},$$

    which falls as $d^{-p/2}$: slices see less of a shift in higher dimensions.
    """
    log_moment = math.lgamma(d / 2) + math.lgamma((p + 1) / 2) - math.lgamma((d + p) / 2)
    return float(np.exp((log_moment - 0.5 * math.log(math.pi)) / p))
