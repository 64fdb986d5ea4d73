"""Optimal plans: which mass goes where, between point clouds and between rows of piles."""

from typing import NamedTuple

import numpy as np
import scipy.spatial

from theory._numeric import ArrayInput


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
    left, right = clouds_of_one_shape(x, y)
    a = cloud_weights(x_weights, len(left), "x_weights")
    b = cloud_weights(y_weights, len(right), "y_weights")
    # Not ot.dist, which expands the square and so loses half the digits of small distances.
    costs = scipy.spatial.distance.cdist(left, right) ** p
    # A million points a side would be needed for this many pivots not to be enough.
    plan, log = ot.emd(a, b, costs, numItermax=100_000_000, log=True)
    if log["result_code"] != 1:
        raise RuntimeError(f"the transport solver did not end at an optimum: {log['warning']}")
    return TransportPlan(plan, float(np.sum(plan * costs) ** (1.0 / p)), costs)


def clouds_of_one_shape(x: ArrayInput, y: ArrayInput) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 of shapes `(n, d)` and `(m, d)`, or a `ValueError` that says why not."""
    left, right = _cloud(x, "x"), _cloud(y, "y")
    if left.shape[1] != right.shape[1]:
        raise ValueError(
            f"x and y must have points of one shape, got {np.shape(x)[1:]} and {np.shape(y)[1:]}."
        )
    return left, right


def _cloud(points: ArrayInput, name: str) -> np.ndarray:
    array = np.asarray(points, np.float64)
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} must be a cloud of at least one point, got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or inf among its coordinates.")
    return array.reshape(len(array), -1)


def cloud_weights(weights: ArrayInput | None, count: int, name: str) -> np.ndarray:
    """Weights of one sum, equal if left out, or a `ValueError` that says why not."""
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
