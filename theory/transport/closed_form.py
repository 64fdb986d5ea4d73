"""Wasserstein distances in closed form: on the line and between Gaussians."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    as_dtype,
    as_number,
    check_line,
    check_not_negative,
    check_order,
    check_weights,
    concrete,
    floats,
    from_one_origin,
    gaussians,
)
from theory._numeric import Scalar, nan_unless, safe_sqrt, zero_times
from theory._sorting import sort, sort_with
from theory.quadrature import legendre
from theory.transport.bures import bures_squared


def wasserstein_1d(
    x: ArrayInput,
    y: ArrayInput,
    x_weights: ArrayInput | None = None,
    y_weights: ArrayInput | None = None,
    p: Number = 1.0,
) -> Scalar:
    r"""$W_p$ between two weighted samples on the line.

    $$W_p^p = \int_0^1 |F_x^{-1}(u) - F_y^{-1}(u)|^p\,du$$

    The integrand is constant between the levels of the two distribution functions, so that the
    integral is a sum over at most $n + m$ intervals. Samples of equal weights are only sorted.
    Works under jit, vmap and grad.

    **Arguments:**

    - `x`, `y`: shapes `(n,)` and `(m,)`, of any two sizes.
    - `x_weights`, `y_weights`: not negative, normalised here; equal by default. Points of weight 0
      change nothing.
    - `p`: at least 1; infinity gives the largest move.

    **Returns:** shape `()`, in the data's units, NaN for NaN in any of them. Exact up to rounding:
    with weights, the levels are sums, so that up to $\log_2 n$ units of rounding of the mass may be
    moved as far as the data reach.

    **Raises:** `ValueError` for empty samples, negative weights, or p below 1.

    !!! cite "Source"

        Villani (2003), Topics in Optimal Transportation, theorem 2.18 and remark 2.19.
    """
    x, y = from_one_origin(x, y)
    check_line("x", x)
    check_line("y", y)
    check_order(p)
    if x_weights is None and y_weights is None:
        gaps, widths = _gaps_of_equal_weights(sort(x), sort(y))
    else:
        gaps, widths = _gaps_of_weighted(
            x, shares("x_weights", x_weights, x), y, shares("y_weights", y_weights, y)
        )
    return power_mean(gaps, widths, as_number(p, x.dtype))


def shares(name: str, weights: ArrayInput | None, sample: Float[Array, " n"]) -> Float[Array, " n"]:
    """Check weights and normalise them to sum 1; equal by default."""
    if weights is None:
        return jnp.full_like(sample, 1.0 / sample.size)
    numbers = concrete(weights)
    if numbers is None:
        given = jnp.asarray(weights).astype(sample.dtype)
        check_weights(name, given, sample.size)
        known = jnp.all(given >= 0)
    else:
        # Their sizes are of no matter, and may be beyond the precision of the sample.
        double = numbers.astype(np.float64)
        check_weights(name, double, sample.size)
        given, known = as_dtype(double / double.max(), sample.dtype), jnp.asarray(True)
    given = given / jax.lax.stop_gradient(jnp.max(given))
    return nan_unless(known, given / jnp.sum(given))


def _gaps_of_equal_weights(
    x: Float[Array, " n"], y: Float[Array, " m"]
) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """Distances between the quantiles of sorted samples, and the mass at each."""
    n, m = len(x), len(y)
    if n == m:
        return jnp.abs(x - y), jnp.full_like(x, 1.0 / n)
    # Levels are whole multiples of 1 / nm: which points meet is known before any number is.
    ends_x, ends_y = np.arange(1, n + 1) * m, np.arange(1, m + 1) * n
    ends = np.union1d(ends_x, ends_y)
    widths = np.diff(ends, prepend=0) / (n * m)
    at_x, at_y = (np.searchsorted(own, ends).astype(np.int32) for own in (ends_x, ends_y))
    return jnp.abs(x[at_x] - y[at_y]), jnp.asarray(widths.astype(x.dtype))


def _gaps_of_weighted(
    x: Float[Array, " n"], a: Float[Array, " n"], y: Float[Array, " m"], b: Float[Array, " m"]
) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """`_gaps_of_equal_weights` with weights: an interval of levels below each point."""
    (x, a), (y, b) = sort_with(x, a), sort_with(y, b)
    levels_x, levels_y = _levels(a), _levels(b)
    # Of two equal levels that of x comes first: the interval between them is empty.
    passed_y = jnp.searchsorted(levels_y, levels_x, side="left")
    passed_x = jnp.searchsorted(levels_x, levels_y, side="right")
    before = lambda levels, count: jnp.where(count > 0, levels[count - 1], 0)
    own = lambda levels: jnp.concatenate([jnp.zeros((1,), levels.dtype), levels[:-1]])
    widths_x = levels_x - jnp.maximum(own(levels_x), before(levels_y, passed_y))
    widths_y = levels_y - jnp.maximum(own(levels_y), before(levels_x, passed_x))
    gaps_x = jnp.abs(x - y[jnp.minimum(passed_y, len(y) - 1)])
    gaps_y = jnp.abs(x[jnp.minimum(passed_x, len(x) - 1)] - y)
    return jnp.concatenate([gaps_x, gaps_y]), jnp.concatenate([widths_x, widths_y])


def _levels(shares: Float[Array, " n"]) -> Float[Array, " n"]:
    """The distribution function at sorted points, non-decreasing and ending at 1.

    Partial sums may differ by rounding where a share is 0; such a point takes the level before it,
    or else the rounding error of the sum would be mass at a place where there is none.
    """
    sums = jnp.cumsum(shares)
    rising = jax.lax.cummax(jnp.where(shares == 0, 0, sums))
    sums = sums + jax.lax.stop_gradient(rising - sums)
    return sums / sums[-1]


def power_mean(gaps: Float[Array, " k"], widths: Float[Array, " k"], p: Any) -> Scalar:
    r"""$(\sum_k w_k g_k^p)^{1/p}$ of gaps that are not negative, for p from 1 to infinity.

    The largest gap is taken out of the sum, so that no power overflows.
    """
    if isinstance(p, int) and p == 1:
        return jnp.sum(zero_times(widths, gaps))
    if isinstance(p, jax.Array):
        p = nan_unless(p >= 1, p)  # a number is checked before
    met = jnp.where((widths == 0) & ~jnp.isnan(gaps), 0, gaps)
    if isinstance(p, float) and math.isinf(p):
        return jnp.max(met)
    largest = jax.lax.stop_gradient(jnp.max(met))
    unit = jnp.where((largest == 0) | jnp.isinf(largest), 1, largest)
    return unit * root(jnp.sum(zero_times(widths, (met / unit) ** p)), p)


def root(total: Scalar, p: Any) -> Scalar:
    """The p-th root, with the derivative 0 at 0, where it would be infinite."""
    zero = total == 0
    return jnp.where(zero, 0, jnp.where(zero, 1, total) ** (1.0 / p))


def wasserstein_1d_quantiles(
    quantile_x: Callable[[Float[Array, " k"]], Float[Array, " k"]],
    quantile_y: Callable[[Float[Array, " k"]], Float[Array, " k"]],
    p: Number = 1.0,
    num: Count = 1000,
) -> Scalar:
    r"""$W_p$ between two laws on the line given by their quantile functions.

    The integral over levels is taken by Gauss-Legendre quadrature after $u = \sin^2(\pi t/2)$,
    which takes the steepness out of quantile functions at 0 and 1.

    **Arguments:**

    - `quantile_x`, `quantile_y`: $F^{-1}$, mapping levels in $(0, 1)$ of shape `(k,)`.
    - `num`: quadrature nodes. For quantile functions smooth inside (0, 1) the error falls fast; at
      a jump it is of order 1 / num.

    **Returns:** shape `()`, in the laws' units.
    """
    check_order(p)
    nodes, weights = legendre(as_count("num", num))
    t = jnp.asarray((nodes + 1) / 2)
    levels = jnp.sin(jnp.pi * t / 2) ** 2
    density = jnp.pi * jnp.sin(jnp.pi * t / 2) * jnp.cos(jnp.pi * t / 2)
    gaps = jnp.abs(quantile_x(levels) - quantile_y(levels))
    return power_mean(gaps, jnp.asarray(weights / 2) * density, as_number(p, gaps.dtype))


def wasserstein1_normal(mean_x: Number, std_x: Number, mean_y: Number, std_y: Number) -> Scalar:
    r"""$W_1$ between two normal laws on the line.

    Both quantile functions are affine in the standard normal's, so that with $\delta = \mu_x-\mu_y$
    and $s = |\sigma_x - \sigma_y|$ the distance is the mean of a folded normal,

    $$W_1 = \mathbb{E}|\delta + sZ|
          = s\sqrt{2/\pi}\,e^{-\delta^2/2s^2} + \delta\,\mathrm{erf}(\delta/\sqrt2 s).$$

    **Arguments:** means and standard deviations (not negative), each of shape `()`.

    **Returns:** shape `()`; $|\delta|$ for equal deviations.

    !!! cite "Source"

        Leone, Nelson & Nottingham (1961), Technometrics 3(4), for the folded normal's mean.
    """
    mean_x, std_x, mean_y, std_y = floats(mean_x, std_x, mean_y, std_y)
    check_not_negative(std_x=std_x, std_y=std_y)
    delta, spread = mean_x - mean_y, jnp.abs(std_x - std_y)
    equal = spread == 0
    safe = jnp.where(equal, 1.0, spread)
    ratio = delta / (jnp.sqrt(2.0) * safe)
    folded = safe * jnp.sqrt(2 / jnp.pi) * jnp.exp(-(ratio**2)) + delta * jax.lax.erf(ratio)
    return jnp.where(equal, jnp.abs(delta), folded)


def wasserstein2_gaussian(
    mean_x: ArrayInput, cov_x: ArrayInput, mean_y: ArrayInput, cov_y: ArrayInput
) -> Scalar:
    r"""$W_2$ between two Gaussians, singular covariances included.

    $$W_2^2 = \|\mu_x - \mu_y\|^2 + \operatorname{tr}\bigl(\Sigma_x + \Sigma_y
              - 2(\Sigma_x^{1/2}\Sigma_y\Sigma_x^{1/2})^{1/2}\bigr)$$

    The trace is computed as $\|\Sigma_x^{1/2} - \Sigma_y^{1/2}Q\|_F^2$ with $Q$ the orthogonal
    polar factor of $\Sigma_y^{1/2}\Sigma_x^{1/2}$: no difference of large numbers is taken, and
    near equal laws the distance is exact to rounding, not to its square root.

    **Arguments:** means of shape `(d,)`, covariances of shape `(d, d)`, symmetric and positive
    semidefinite; eigenvalues below $d$ units of rounding of the largest count as 0.

    **Returns:** shape `()`, in the data's units. The gradient in the covariances is that of the
    closed form, repeated eigenvalues included. Where it does not exist it is finite all the same:
    0 at equal laws; towards a direction that a singular covariance lacks and the other has, where
    the derivative is infinite, that direction's part is left out. Second derivatives are NaN at
    repeated eigenvalues.

    !!! cite "Source"

        Dowson & Landau (1982), J. Multivariate Analysis 12, equation 16; Bhatia, Jain & Lim (2019),
        arXiv:1712.01504, theorem 1, for the polar factor.
    """
    mean_x, cov_x, mean_y, cov_y = gaussians(mean_x, cov_x, mean_y, cov_y)
    return safe_sqrt(jnp.sum((mean_x - mean_y) ** 2) + bures_squared(cov_x, cov_y))
