"""Wasserstein distances: exact in one dimension, between point clouds, and between Gaussians."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.spatial
from jaxtyping import Array, Float

from theory._numeric import ArrayInput, Number, Scalar
from theory.quadrature import legendre


class TransportPlan(NamedTuple):
    """An optimal plan between two weighted point clouds.

    - `plan`: mass moved from source i to target j, shape `(n, m)`.
    - `distance`: $W_p$, in the data's units.
    - `costs`: $\\|x_i - y_j\\|^p$, shape `(n, m)`.
    """

    plan: np.ndarray
    distance: float
    costs: np.ndarray


class Move(NamedTuple):
    """So much mass, from here to there: `source` and `target` are indices."""

    source: int
    target: int
    mass: float
    distance: float


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


def optimal_transport(
    x: ArrayInput,
    y: ArrayInput,
    x_weights: ArrayInput | None = None,
    y_weights: ArrayInput | None = None,
    p: float | int = 1.0,
) -> TransportPlan:
    r"""The exact $W_p$ and an optimal plan between two weighted point clouds, on the host.

    Solved by the network simplex of POT, in float64; not under jit. The Euclidean distance is the
    cost; points of any shape are flattened.

    **Arguments:**

    - `x`, `y`: shapes `(n, *shape)` and `(m, *shape)`, or `(n,)` and `(m,)` on the line.
    - `x_weights`, `y_weights`: not negative, normalised here; equal if left out.
    - `p`: at least 1.

    **Raises:** `ValueError` for empty clouds, other dimensions, numbers that are not finite, wrong
    weights or $p < 1$; `RuntimeError` if the solver does not end at an optimum.

    !!! cite "Source"

        Bonneel et al. (2011), ACM TOG 30(6); Flamary et al. (2021), JMLR 22(78).
    """
    import ot  # here: it takes two seconds to import

    if p < 1:
        raise ValueError(f"W_p is a distance for p >= 1 only, got p = {p}.")
    left, right = _cloud(x, "x"), _cloud(y, "y")
    if left.shape[1] != right.shape[1]:
        raise ValueError(
            f"x and y must have points of one shape, got {np.shape(x)[1:]} and {np.shape(y)[1:]}."
        )
    a = _cloud_weights(x_weights, len(left), "x_weights")
    b = _cloud_weights(y_weights, len(right), "y_weights")
    # Not ot.dist, which expands the square and so loses half the digits of small distances.
    costs = scipy.spatial.distance.cdist(left, right) ** p
    # A million points a side would be needed for this many pivots not to be enough.
    plan, log = ot.emd(a, b, costs, numItermax=100_000_000, log=True)
    if log["result_code"] != 1:
        raise RuntimeError(f"the transport solver did not end at an optimum: {log['warning']}")
    return TransportPlan(plan, float(np.sum(plan * costs) ** (1.0 / p)), costs)


def _cloud(points: ArrayInput, name: str) -> np.ndarray:
    array = np.asarray(points, np.float64)
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} must be a cloud of at least one point, got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or inf among its coordinates.")
    return array.reshape(len(array), -1)


def _cloud_weights(weights: ArrayInput | None, count: int, name: str) -> np.ndarray:
    if weights is None:
        return np.full(count, 1.0 / count)
    array = np.asarray(weights, np.float64)
    if array.shape != (count,) or not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"{name} must be {count} finite numbers, none negative.")
    if array.sum() == 0:
        raise ValueError(f"{name} must not all be 0.")
    return array / array.sum()


def wasserstein(x: ArrayInput, y: ArrayInput, p: float | int = 1.0) -> float:
    """The exact $W_p$ between two clouds of equal weights; see `optimal_transport`."""
    return optimal_transport(x, y, p=p).distance


def moves(plan: TransportPlan, tol: float = 0.0) -> list[Move]:
    """The plan as a list of moves, of those with more mass than `tol`, sources in order.

    The distance of a move is the cost of its pair, $\\|x_i - y_j\\|^p$.
    """
    sources, targets = np.nonzero(plan.plan > tol)
    return [
        Move(int(i), int(j), float(plan.plan[i, j]), float(plan.costs[i, j]))
        for i, j in zip(sources, targets, strict=True)
    ]


def piles_of_dirt(
    source: ArrayInput, target: ArrayInput, positions: ArrayInput | None = None
) -> list[Move]:
    r"""The moves that turn one row of piles into another with the least work, left to right.

    On the line the monotone plan is optimal for every convex cost, so that the moves come from two
    pointers and no solver. Their work, $\sum \mathrm{mass}\cdot\mathrm{distance}$, is $W_1$ times
    the total mass.

    **Arguments:**

    - `source`, `target`: heights of the piles, shapes `(n,)`, not negative, of equal total.
    - `positions`: where the piles are, increasing; 0, 1, 2, ... if left out.

    **Raises:** `ValueError` if heights are negative, totals differ, or positions do not increase.

    !!! cite "Source"

        Rubner, Tomasi & Guibas (2000), IJCV 40(2), section 4: the earth mover's distance.
    """
    heaps, holes = np.array(source, np.float64), np.array(target, np.float64)
    places = np.arange(len(heaps)) if positions is None else np.asarray(positions, np.float64)
    if heaps.ndim != 1 or heaps.shape != holes.shape or heaps.shape != places.shape:
        raise ValueError("source, target and positions must be of one shape (n,).")
    if not (np.isfinite(heaps).all() and np.isfinite(holes).all()):
        raise ValueError("piles must have finite heights.")
    if (heaps < 0).any() or (holes < 0).any() or (np.diff(places) <= 0).any():
        raise ValueError("piles must not be negative, and their positions must increase.")
    total, slack = heaps.sum(), 1e-12 * max(heaps.sum(), holes.sum())
    if abs(total - holes.sum()) > slack:
        raise ValueError(f"the piles hold {total:g} and must hold {holes.sum():g}: no plan exists.")
    plan: list[Move] = []
    i = j = 0
    while i < len(heaps) and j < len(holes):
        mass = min(heaps[i], holes[j])
        if mass > slack:
            plan.append(Move(i, j, float(mass), float(abs(places[i] - places[j]))))
        heaps[i] -= mass
        holes[j] -= mass
        if heaps[i] <= slack:
            i += 1
        else:
            j += 1
    return plan
