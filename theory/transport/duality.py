"""Kantorovich duality: potentials, complementary slackness, c-transforms, Lipschitz critics."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.optimize
import scipy.sparse
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Number,
    check_clouds,
    check_line,
    check_not_negative,
    check_same,
    double,
    floats,
)
from theory._numeric import safe_norm
from theory.transport.plans import (
    TransportPlan,
    cloud_weights,
    clouds_of_one_shape,
    pairwise_distances,
)


class Potentials(NamedTuple):
    r"""Dual potentials $\varphi_i + \psi_j \le c_{ij}$ of a transport problem, with their value.

    - `source`: $\varphi$, shape `(n,)`. `target`: $\psi$, shape `(m,)`. A constant may be moved
      from one to the other: `source` has the mean 0 under the source's weights.
    - `value`: $\sum_i a_i\varphi_i + \sum_j b_j\psi_j$, in units of the cost.
    """

    source: np.ndarray
    target: np.ndarray
    value: float


class DualityCheck(NamedTuple):
    """Optimality conditions of a plan and potentials; all are 0 up to rounding at an optimum.

    - `gap`: the plan's cost less the potentials' value.
    - `infeasibility`: the largest excess of the potentials over the cost.
    - `slackness`: the largest mass times slack: mass moves only where the constraint is tight.
    """

    gap: float
    infeasibility: float
    slackness: float


class Critic(NamedTuple):
    r"""An optimal 1-Lipschitz critic between two clouds, as its values at their points.

    - `value`: $\sum_i a_i f(x_i) - \sum_j b_j f(y_j) = W_1$.
    - `on_x`, `on_y`: $f$ at the points, shapes `(n,)` and `(m,)`, up to a constant.
    """

    value: float
    on_x: np.ndarray
    on_y: np.ndarray


def dual_potentials(
    costs: ArrayInput, x_weights: ArrayInput | None = None, y_weights: ArrayInput | None = None
) -> Potentials:
    r"""Optimal potentials of the transport problem with any costs, by a linear programme.

    $$\max_{\varphi, \psi} \sum a_i\varphi_i + \sum b_j\psi_j
      \quad\text{with}\quad \varphi_i + \psi_j \le c_{ij}$$

    Solved by HiGHS on the host, apart from `optimal_transport` and its network simplex; for up to
    hundreds of points a side. The solver's tolerance is taken out at the end by c-transforms, so
    that the constraints hold up to rounding and the value is a lower bound, at every scale.

    **Arguments:**

    - `costs`: shape `(n, m)`, finite; `optimal_transport(...).costs`, for instance.
    - `x_weights`, `y_weights`: not negative, normalised here; equal by default.

    **Raises:** `ValueError` for costs that are no finite matrix, or wrong weights; `RuntimeError`
    if the solver does not end at an optimum, or if it is not proved to 1e-6.

    !!! cite "Source"

        Villani (2003), Topics in Optimal Transportation, theorem 1.3.
    """
    matrix = double(costs)
    if matrix.ndim != 2 or matrix.size == 0 or not np.isfinite(matrix).all():
        raise ValueError("costs must be a finite matrix with at least one entry.")
    n, m = matrix.shape
    a, b = cloud_weights(x_weights, n, "x_weights"), cloud_weights(y_weights, m, "y_weights")
    rows = scipy.sparse.kron(scipy.sparse.identity(n), np.ones((m, 1)))
    columns = scipy.sparse.kron(np.ones((n, 1)), scipy.sparse.identity(m))
    bound: Any = scipy.sparse.hstack([rows, columns], format="csr")
    # Places without mass say nothing of the others, and may be anywhere.
    met = np.outer(a > 0, b > 0).ravel()
    lowest = matrix.min()

    def solve(limits: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        found, flow = _maximise(np.concatenate([a, b]), bound[met], limits[met])
        reach = np.where(met, limits, np.inf).reshape(n, m)
        source = np.where(a > 0, found[:n], 0)
        target = np.where(b > 0, (reach - source[:, None]).min(axis=0), 0)
        source = np.where(a > 0, (reach - target[None, :]).min(axis=1), 0)
        moved = np.zeros(n * m)
        moved[met] = flow
        return np.concatenate([source, target]), float(a @ source + b @ target), moved

    above = (matrix - lowest).ravel()
    potentials = _proved(solve, above, np.where(met, above, 0).max(), n + m)
    # Of places without mass, the largest potentials that the others leave.
    source, target = potentials[:n], potentials[n:]
    used = source[a > 0]
    slack = (above.reshape(n, m)[a > 0] - used[:, None]).min(axis=0)
    target = np.where(b > 0, target, slack)
    source = np.where(a > 0, source, (above.reshape(n, m) - target[None, :]).min(axis=1))
    shift = a @ source
    value = float(a @ source + b @ target + lowest)
    return Potentials(source - shift, target + shift + lowest, value)


def _maximise(gains: np.ndarray, bound: Any, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The solution of a linear programme, and its multipliers: flows on the tight constraints."""
    result = scipy.optimize.linprog(-gains, A_ub=bound, b_ub=limits, bounds=(None, None))
    if result.status != 0:
        raise RuntimeError(f"the linear programme did not end at an optimum: {result.message}")
    return result.x, -result.ineqlin.marginals


def _proved(
    solve: Callable[[np.ndarray], tuple[np.ndarray, float, np.ndarray]],
    limits: np.ndarray,
    largest: float,
    count: int,
) -> np.ndarray:
    """The solution of a programme, with a value that its own multipliers prove to 1e-6.

    The solver's tolerances are absolute. So the limits, not negative, are in units of the largest
    that matters, and then of the cost of what flowed, until both agree; larger ones are cut off,
    which leaves the solution feasible.
    """
    unit, best = largest or 1.0, np.inf
    while True:
        solution, dual, flow = solve(np.minimum(limits / unit, 4.0 * count))
        primal = float(flow @ (limits / unit))
        cost = unit * primal
        if dual >= primal - 1e-6 * abs(primal) or cost <= 1e-30 * largest:
            return unit * solution
        if not 0 < cost < 0.999 * best:
            raise RuntimeError(
                "the multipliers do not prove the linear programme's solution: the costs "
                "differ by more than its tolerance."
            )
        best = unit = cost


def check_duality(plan: TransportPlan, potentials: Potentials) -> DualityCheck:
    """Check that a plan and potentials prove each other optimal; see `DualityCheck`.

    !!! cite "Source"

        Peyré & Cuturi (2019), Computational Optimal Transport, proposition 3.3.
    """
    slack = plan.costs - potentials.source[:, None] - potentials.target[None, :]
    return DualityCheck(
        float(np.sum(plan.plan * plan.costs) - potentials.value),
        float(max(-slack.min(), 0.0)),
        float(np.max(plan.plan * np.abs(slack))),
    )


def kantorovich_rubinstein(
    x: ArrayInput,
    y: ArrayInput,
    x_weights: ArrayInput | None = None,
    y_weights: ArrayInput | None = None,
) -> Critic:
    r"""$W_1 = \sup_{\mathrm{Lip}(f)\le1}\mathbb{E}_x f - \mathbb{E}_y f$, as a linear programme.

    The unknowns are the values of $f$ at all points of both clouds, each pair of points a
    constraint: `lipschitz_extension` carries them to all of space with the same constant.

    **Arguments:** those of `optimal_transport`; for up to hundreds of points in all.

    **Raises:** as `optimal_transport`.

    !!! cite "Source"

        Villani (2003), Topics in Optimal Transportation, theorem 1.14.
    """
    left, right = clouds_of_one_shape(x, y)
    a = cloud_weights(x_weights, len(left), "x_weights")
    b = cloud_weights(y_weights, len(right), "y_weights")
    count, gains = len(left) + len(right), np.concatenate([a, -b])
    distances = pairwise_distances(*2 * [np.concatenate([left, right])])
    used = gains != 0  # points without weight say nothing of the others, and may be anywhere
    first, second = np.nonzero(np.outer(used, used) & ~np.eye(count, dtype=bool))
    pairs = np.arange(len(first))
    entry = lambda column, value: scipy.sparse.csr_matrix(
        (np.full(len(pairs), value), (pairs, column)), shape=(len(pairs), count)
    )

    def solve(limits: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        found, flow = _maximise(gains, entry(first, 1.0) + entry(second, -1.0), limits)
        reach = np.full((count, count), np.inf)
        reach[first, second] = limits
        np.fill_diagonal(reach, 0)
        # The largest 1-Lipschitz function below: the solver's tolerance is no steeper slope.
        values = np.where(used, (found[:, None] + reach).min(axis=0), 0)
        return values, float(gains @ values), flow

    limits = distances[first, second]
    values = _proved(solve, limits, limits.max(initial=0.0), count)
    values = (values[used][:, None] + distances[used]).min(axis=0)
    return Critic(float(gains @ values), values[: len(left)], values[len(left) :])


def c_transform(potential: ArrayInput, costs: ArrayInput) -> Float[Array, " m"]:
    r"""$\varphi^c_j = \min_i c_{ij} - \varphi_i$: the largest partner that a potential may have.

    **Arguments:**

    - `potential`: shape `(n,)`. `costs`: shape `(n, m)`.

    **Returns:** shape `(m,)`, in units of the cost. Taken thrice it is what it is taken once.

    !!! cite "Source"

        Villani (2003), Topics in Optimal Transportation, section 2.4.
    """
    potential, costs = floats(potential, costs)
    check_line("potential", potential)
    check_same("the number of sources", potential=potential.shape, costs=costs.shape[:1])
    return jnp.min(costs - potential[:, None], axis=0)


def lipschitz_extension(
    values: ArrayInput, points: ArrayInput, at: ArrayInput, constant: Number = 1.0
) -> Float[Array, " m"]:
    r"""$f(z) = \min_i f(x_i) + L\|z - x_i\|$: an $L$-Lipschitz extension of given values.

    **Arguments:**

    - `values`, `points`: $f(x_i)$ and $x_i$, shapes `(n,)` and `(n, d)`; themselves $L$-Lipschitz,
      or else `values` are not met.
    - `at`: where to evaluate, shape `(m, d)`. `constant`: $L$.

    !!! cite "Source"

        McShane (1934), Bulletin of the American Mathematical Society 40(12), theorem 1.
    """
    values, points, at, constant = floats(values, points, at, constant)
    check_clouds(points=points, at=at)
    check_same("the number of points", values=values.shape, points=points.shape[:1])
    check_not_negative(constant=constant)
    distances = safe_norm(at[None, :, :] - points[:, None, :], axis=2)
    return jnp.min(values[:, None] + constant * distances, axis=0)
