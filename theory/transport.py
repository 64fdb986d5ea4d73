"""Wasserstein distances in closed form: on the line and between Gaussians."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._numeric import Number, Scalar
from theory.quadrature import legendre


def _normalized(weights: Float[Array, " n"] | None, like: Float[Array, " n"]) -> Float[Array, " n"]:
    if weights is None:
        return jnp.full(like.shape, 1.0 / like.size, like.dtype)
    return weights.astype(like.dtype) / jnp.sum(weights).astype(like.dtype)


def wasserstein_1d(
    x: Float[Array, " n"],
    y: Float[Array, " m"],
    x_weights: Float[Array, " n"] | None = None,
    y_weights: Float[Array, " m"] | None = None,
    p: Number = 1.0,
) -> Scalar:
    r"""$W_p$ between two weighted samples on the line, exactly.

    $$W_p^p = \int_0^1 |F_x^{-1}(u) - F_y^{-1}(u)|^p\,du$$

    The integrand is constant between the levels of the two distribution functions, so that the
    integral is a sum over at most $n + m$ intervals. Works under jit, vmap and grad.

    **Arguments:**

    - `x`, `y`: shapes `(n,)` and `(m,)`, of any two sizes.
    - `x_weights`, `y_weights`: not negative, normalised here; equal if left out.
    - `p`: at least 1.

    **Returns:** shape `()`, in the data's units.

    !!! cite "Source"

        Villani (2003), Topics in Optimal Transportation, theorem 2.18 and remark 2.19.
    """
    order_x, order_y = jnp.argsort(x), jnp.argsort(y)
    levels_x = jnp.cumsum(_normalized(x_weights, x)[order_x])
    levels_y = jnp.cumsum(_normalized(y_weights, y)[order_y])
    # The last level is 1 up to rounding: exactly 1, so that neither sample runs out of mass.
    levels_x, levels_y = levels_x.at[-1].set(1.0), levels_y.at[-1].set(1.0)
    levels = jnp.sort(jnp.concatenate([jnp.zeros((1,), x.dtype), levels_x, levels_y]))
    widths = jnp.diff(levels)
    middles = levels[:-1] + 0.5 * widths
    quantile = lambda sample, cdf: sample[jnp.minimum(jnp.searchsorted(cdf, middles), len(cdf) - 1)]
    gaps = jnp.abs(quantile(x[order_x], levels_x) - quantile(y[order_y], levels_y))
    return _root(jnp.sum(widths * _power(gaps, p)), p)


def _power(gaps: Float[Array, "..."], p: Number) -> Float[Array, "..."]:
    if isinstance(p, float | int):
        if p < 1:
            raise ValueError(f"W_p is a distance for p >= 1 only, got p = {p}.")
        if p == 1:
            return gaps
    return gaps**p


def _root(total: Scalar, p: Number) -> Scalar:
    if isinstance(p, float | int) and p == 1:
        return total
    positive = total > 0  # the root's derivative at 0 is infinite; that of the distance is not used
    return jnp.where(positive, jnp.where(positive, total, 1.0) ** (1.0 / p), 0.0)


def wasserstein_1d_quantiles(
    quantile_x: Callable[[Float[Array, " k"]], Float[Array, " k"]],
    quantile_y: Callable[[Float[Array, " k"]], Float[Array, " k"]],
    p: Number = 1.0,
    num: int = 1000,
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
    nodes, weights = legendre(num)
    t = jnp.asarray((nodes + 1) / 2)
    levels = jnp.sin(jnp.pi * t / 2) ** 2
    density = jnp.pi * jnp.sin(jnp.pi * t / 2) * jnp.cos(jnp.pi * t / 2)
    gaps = jnp.abs(quantile_x(levels) - quantile_y(levels))
    return _root(jnp.sum(jnp.asarray(weights / 2) * density * _power(gaps, p)), p)


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
    delta = jnp.asarray(mean_x) - jnp.asarray(mean_y)
    spread = jnp.abs(jnp.asarray(std_x) - jnp.asarray(std_y))
    safe = jnp.where(spread > 0, spread, 1.0)
    ratio = delta / (jnp.sqrt(2.0) * safe)
    folded = safe * jnp.sqrt(2 / jnp.pi) * jnp.exp(-(ratio**2)) + delta * jax.lax.erf(ratio)
    return jnp.where(spread > 0, folded, jnp.abs(delta))


def wasserstein2_gaussian(
    mean_x: Float[Array, " d"],
    cov_x: Float[Array, "d d"],
    mean_y: Float[Array, " d"],
    cov_y: Float[Array, "d d"],
) -> Scalar:
    r"""$W_2$ between two Gaussians, singular covariances included.

    $$W_2^2 = \|\mu_x - \mu_y\|^2 + \operatorname{tr}\bigl(\Sigma_x + \Sigma_y
              - 2(\Sigma_x^{1/2}\Sigma_y\Sigma_x^{1/2})^{1/2}\bigr)$$

    The trace of the last root is the sum of the singular values of
    $\Sigma_y^{1/2}\Sigma_x^{1/2}$, which never turn complex.

    **Arguments:** means of shape `(d,)`, covariances of shape `(d, d)`, symmetric and positive
    semidefinite.

    **Returns:** shape `()`, in the data's units.

    !!! cite "Source"

        Dowson & Landau (1982), J. Multivariate Analysis 12, equation 16.
    """
    cross = _symmetric_root(cov_y) @ _symmetric_root(cov_x)
    nuclear = jnp.sum(jnp.linalg.svd(cross, compute_uv=False))
    bures = jnp.trace(cov_x) + jnp.trace(cov_y) - 2 * nuclear
    squared = jnp.sum((mean_x - mean_y) ** 2) + jnp.maximum(bures, 0)
    return _root(squared, 2)


def _symmetric_root(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    values, vectors = jnp.linalg.eigh(matrix)
    return (vectors * jnp.sqrt(jnp.maximum(values, 0))[None, :]) @ vectors.T
