"""Optimal transport plans between point clouds, and between piles on the line."""

import math
from typing import NamedTuple

import numpy as np
import scipy.spatial

from theory._inputs import ArrayInput, Number, check_order, double


class TransportPlan(NamedTuple):
    """An optimal plan between two weighted point clouds.

    - `plan`: mass moved from source i to target j, shape `(n, m)`.
    - `distance`: $W_p$, in the data's units.
    - `costs`: $\\|x_i - y_j\\|^p$, shape `(n, m)`; 0 or infinite where that leaves the range of
      float64, which the distance does not suffer from.
    """

    plan: np.ndarray
    distance: float
    costs: np.ndarray


class Move(NamedTuple):
    """Mass moved from one pile or point to another: `source` and `target` are indices."""

    source: int
    target: int
    mass: float
    distance: float


def optimal_transport(
    x: ArrayInput,
    y: ArrayInput,
    x_weights: ArrayInput | None = None,
    y_weights: ArrayInput | None = None,
    p: Number = 1.0,
) -> TransportPlan:
    r"""The exact $W_p$ and an optimal plan between two weighted point clouds, on the host.

    Solved by the network simplex of POT, in float64; not under jit. The Euclidean distance is the
    cost; points of any shape are flattened.

    **Arguments:**

    - `x`, `y`: shapes `(n, *shape)` and `(m, *shape)`, or `(n,)` and `(m,)` on the line.
    - `x_weights`, `y_weights`: not negative, normalised here; equal by default.
    - `p`: at least 1, finite.

    **Raises:** `ValueError` for empty clouds, other dimensions, numbers that are not finite, wrong
    weights, or $p$ below 1 or infinite; `RuntimeError` if the solver does not end at an optimum,
    or if its dual does not prove the distance to 1e-6, as may be for a very large $p$.

    !!! cite "Source"

        Bonneel et al. (2011), ACM TOG 30(6); Flamary et al. (2021), JMLR 22(78).
    """
    check_order(p)
    if np.isinf(float(p)):
        raise ValueError("p must be finite: W_inf is no linear programme (p = inf was given).")
    left, right = clouds_of_one_shape(x, y)
    a = cloud_weights(x_weights, len(left), "x_weights")
    b = cloud_weights(y_weights, len(right), "y_weights")
    distances = pairwise_distances(left, right)
    plan, distance = _solve(a, b, distances, float(p))
    with np.errstate(over="ignore", under="ignore"):
        return TransportPlan(plan, distance, distances**p)


def _solve(
    a: np.ndarray, b: np.ndarray, distances: np.ndarray, p: float
) -> tuple[np.ndarray, float]:
    """An optimal plan and its distance, proved by the solver's own dual.

    The solver's tolerances are absolute, and of a large p nearly all costs are far below the
    largest. So the costs are in units of a distance that no optimal plan exceeds by much: first the
    largest of all, then that of the last plan, until the dual proves the plan.
    """
    unit = distances.max()
    if not np.isfinite(unit):
        raise ValueError("distances between x and y overflow float64; change the units.")
    if unit == 0:
        return np.outer(a, b), 0.0
    best = math.inf
    while True:
        with np.errstate(over="ignore", under="ignore"):
            true_costs = (distances / unit) ** p
        # Lower costs than the true ones keep the dual feasible, and so its value a lower bound.
        costs = np.minimum(true_costs, 4.0 * sum(distances.shape))
        plan, source = _network_simplex(a, b, costs, p)
        distance = _mean_distance(plan, distances, p)
        primal, dual = (distance / unit) ** p, _dual_value(a, b, source, costs)
        if distance == 0 or (dual > 0 and dual >= primal * (1 - 1e-6) ** p):
            return plan, distance
        if not distance < 0.999 * best:
            raise RuntimeError(
                f"p = {p:g} is too large for these clouds: the plan found has the distance "
                f"{distance:.6g}, which the solver's dual does not prove. Take a smaller p."
            )
        best = unit = distance


def _network_simplex(
    a: np.ndarray, b: np.ndarray, costs: np.ndarray, p: float
) -> tuple[np.ndarray, np.ndarray]:
    """POT's plan, and its potential at the sources."""
    import ot  # here: it takes two seconds to import

    # A million points a side would be needed for this many pivots not to be enough.
    plan, log = ot.emd(a, b, costs, numItermax=100_000_000, log=True)
    if log["result_code"] != 1:
        raise RuntimeError(f"the solver did not end at an optimum for p = {p:g}: {log['warning']}")
    return plan, log["u"]


def _mean_distance(plan: np.ndarray, distances: np.ndarray, p: float) -> float:
    """The p-th root of the mean p-th power; the largest is taken out, so that none overflows."""
    largest = distances[plan > 0].max()
    if largest == 0:
        return 0.0
    with np.errstate(under="ignore"):
        shares = np.where(plan > 0, np.minimum(distances / largest, 1), 0) ** p
    return float(largest * np.sum(plan * shares) ** (1.0 / p))


def _dual_value(a: np.ndarray, b: np.ndarray, source: np.ndarray, costs: np.ndarray) -> float:
    """A lower bound of the cost from the solver's potentials, made feasible by c-transforms."""
    used = a > 0  # a source without mass has no potential of its own
    target = (costs[used] - source[used][:, None]).min(axis=0)
    return float(a[used] @ (costs[used] - target[None, :]).min(axis=1) + b @ target)


def pairwise_distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Euclidean distances in float64, at every scale of the data."""
    unit = max(np.abs(x).max(), np.abs(y).max()) or 1.0
    # Not ot.dist, which expands the square and so loses half the digits of small distances.
    with np.errstate(over="ignore"):
        return unit * scipy.spatial.distance.cdist(x / unit, y / unit)


def clouds_of_one_shape(x: ArrayInput, y: ArrayInput) -> tuple[np.ndarray, np.ndarray]:
    """Convert both to float64 of shapes `(n, d)` and `(m, d)`, or raise a `ValueError`."""
    left, right = _cloud(x, "x"), _cloud(y, "y")
    if left.shape[1] != right.shape[1]:
        raise ValueError(
            f"x and y must have points of one shape, got {np.shape(x)[1:]} and {np.shape(y)[1:]}."
        )
    return left, right


def _cloud(points: ArrayInput, name: str) -> np.ndarray:
    array = double(points)
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} must be a cloud of at least one point, got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or inf among its coordinates.")
    return array.reshape(len(array), -1)


def cloud_weights(weights: ArrayInput | None, count: int, name: str) -> np.ndarray:
    """Convert weights to one common sum, equal by default, or raise a `ValueError`."""
    if weights is None:
        return np.full(count, 1.0 / count)
    array = double(weights)
    if array.shape != (count,) or not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"{name} must be {count} finite numbers, none negative.")
    if array.max() == 0:
        raise ValueError(f"{name} must not all be 0.")
    shares = array / array.max()  # so that no sum overflows
    return shares / shares.sum()


def wasserstein(x: ArrayInput, y: ArrayInput, p: Number = 1.0) -> float:
    """The exact $W_p$ between two clouds of equal weights; see `optimal_transport`."""
    return optimal_transport(x, y, p=p).distance


def moves(plan: TransportPlan, tol: float = 0.0) -> list[Move]:
    """The plan as a list of moves of more mass than `tol`, ordered by source.

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
    - `positions`: where the piles are, increasing; 0, 1, 2, ... by default.

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
