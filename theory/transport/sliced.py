"""Sliced Wasserstein distances: means over directions of exact distances on the line."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    as_number,
    check_clouds,
    check_line,
    check_not_negative,
    check_order,
    check_same_shape,
    floats,
    from_one_origin,
)
from theory._numeric import Estimate, Scalar, mean_estimate, safe_divide, safe_norm
from theory.transport.closed_form import root, wasserstein_1d


def slice_directions(key: PRNGKeyArray, num: Count, size: Count) -> Float[Array, "num size"]:
    """Independent directions, uniform on the unit sphere in `size` dimensions: `(num, size)`."""
    num, size = as_count("num", num), as_count("size", size)
    normal = jax.random.normal(key, (num, size))
    return normal / jnp.linalg.norm(normal, axis=1, keepdims=True)


def sliced_wasserstein(x: ArrayInput, y: ArrayInput, along: ArrayInput, p: Number = 2) -> Estimate:
    r"""$SW_p = \left(\mathbb{E}_u W_p^p(u^\top x, u^\top y)\right)^{1/p}$ between two clouds.

    **Arguments:**

    - `x`, `y`: shapes `(n, d)` and `(m, d)`, of any two sizes.
    - `along`: unit vectors, shape `(k, d)`, from `slice_directions`. The same ones give the same
      number.
    - `p`: at least 1, finite.

    **Returns:** the distance over these directions, in the data's units, and the standard error of
    it over the draw of directions, to first order (NaN for one direction); it does not cover the
    draw of the points.

    !!! cite "Source"

        Bonneel, Rabin, Peyré & Pfister (2015), J. Mathematical Imaging and Vision 51(1).
    """
    x, y = from_one_origin(x, y)
    x, y, along = floats(x, y, along)
    check_clouds(x=x, y=y, along=along)
    check_order(p)
    order = as_number(p, x.dtype)
    if isinstance(order, float) and math.isinf(order):
        raise ValueError(
            "p must be finite for a mean over directions; for p = inf take their largest W_inf."
        )
    distances = _along(x, y, along, order)
    # The largest is taken out, so that no power overflows.
    largest = jax.lax.stop_gradient(jnp.max(distances))
    unit = jnp.where((largest == 0) | jnp.isinf(largest), 1, largest)
    powers = mean_estimate((distances / unit) ** order)
    slope = root(jnp.where(powers.value == 0, 1, powers.value), order) / order
    error = unit * safe_divide(powers.standard_error * slope, powers.value)
    return Estimate(unit * root(powers.value, order), error)


@eqx.filter_jit
def _along(
    x: Float[Array, "n d"], y: Float[Array, "m d"], along: Float[Array, "k d"], p: Any
) -> Float[Array, " k"]:
    """$W_p$ along every direction, in chunks."""
    project = lambda u: wasserstein_1d(x @ u, y @ u, p=p)
    return jax.lax.map(project, along, batch_size=min(64, len(along)))


def sliced_wasserstein2_isotropic(
    mean_x: ArrayInput, std_x: Number, mean_y: ArrayInput, std_y: Number
) -> Scalar:
    r"""$SW_2^2 = \|\mu_x - \mu_y\|^2/d + (\sigma_x - \sigma_y)^2$ between $N(\mu, \sigma^2 I)$.

    **Returns:** $SW_2$, shape `()`, in the data's units.

    !!! cite "Source"

        Nadjahi et al. (2021), arXiv:2106.15427, section 3.
    """
    mean_x, std_x, mean_y, std_y = floats(mean_x, std_x, mean_y, std_y)
    check_line("mean_x", mean_x)
    check_same_shape(mean_x=mean_x, mean_y=mean_y)
    check_not_negative(std_x=std_x, std_y=std_y)
    shift = safe_norm(mean_x - mean_y, axis=0) / math.sqrt(mean_x.size)
    return safe_norm(jnp.stack([shift, std_x - std_y]), axis=0)


def sliced_shift_factor(d: Count, p: Number = 2) -> float:
    r"""$SW_p(x, x + \delta)/\|\delta\| = (\mathbb{E}|u_1|^p)^{1/p}$ for a cloud and its shift.

    $$\mathbb{E}|u_1|^p = \frac{\Gamma(d/2)\,\Gamma((p+1)/2)}{\sqrt\pi\,\Gamma((d+p)/2)},$$

    which falls as $d^{-p/2}$: slices see less of a shift in higher dimensions.
    """
    d = as_count("d", d)
    check_order(p)
    p = float(p)
    log_moment = math.lgamma(d / 2) + math.lgamma((p + 1) / 2) - math.lgamma((d + p) / 2)
    return float(np.exp((log_moment - 0.5 * math.log(math.pi)) / p))
