"""Transport problems: exact plans, dual proofs, and approximations."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import theory

SLICES = 500


class PileTransport(NamedTuple):
    """Rows of piles and the moves between them.

    - `work`: the sum of mass times distance. `total`: the mass.
    - `w1`: $W_1$ of the normalised piles by quantile functions, apart from the moves.
    """

    piles: np.ndarray
    holes: np.ndarray
    moves: list[theory.Move]
    work: float
    total: float
    w1: float


class Entropic(NamedTuple):
    """Entropic transport at one regularisation strength, in units of the cost $W_p^p$.

    - `epsilon`: the strength. `value`: $OT_\\varepsilon$, entropy included. `cost`: of its plan.
    - `bias`: the cost less the exact one, never negative. `divergence`: Sinkhorn's.
    - `iterations`, `converged`: of the plan.
    """

    epsilon: float
    value: float
    cost: float
    bias: float
    divergence: float
    iterations: int
    converged: bool


class CloudTransport(NamedTuple):
    """Two clouds `(n, d)` and `(m, d)`, the plan between them, and what is held against it."""

    x: np.ndarray
    y: np.ndarray
    p: int
    plan: theory.TransportPlan
    potentials: theory.Potentials
    duality: theory.DualityCheck
    sliced: theory.Estimate
    entropic: list[Entropic]

    @property
    def cost(self) -> float:
        """$W_p^p$."""
        return self.plan.distance**self.p


def solve_piles(piles: tuple[float, ...], holes: tuple[float, ...]) -> PileTransport:
    """The moves with the least work between piles at 0, 1, 2, ..., and the distance by itself."""
    source, target = np.asarray(piles, float), np.asarray(holes, float)
    moves = theory.piles_of_dirt(source, target)
    work = sum(move.mass * move.distance for move in moves)
    places = jnp.arange(len(source), dtype=float)
    w1 = theory.wasserstein_1d(places, places, jnp.asarray(source), jnp.asarray(target))
    return PileTransport(source, target, moves, work, float(source.sum()), float(w1))


def solve_clouds(
    x: np.ndarray, y: np.ndarray, p: int, shares: tuple[float, ...], key: jax.Array
) -> CloudTransport:
    """The exact plan, its dual, slices and entropic approximations; to be called in float64.

    **Arguments:**

    - `shares`: strengths of entropy, as shares of the mean cost between the clouds.
    - `key`: draws the directions of the slices.
    """
    plan = theory.optimal_transport(x, y, p=p)
    potentials = theory.dual_potentials(plan.costs)
    along = theory.slice_directions(key, SLICES, x.shape[1])
    sliced = theory.sliced_wasserstein(jnp.asarray(x), jnp.asarray(y), along, p)
    entropic = _blurred(x, y, p, plan, np.asarray(shares) * plan.costs.mean())
    duality = theory.check_duality(plan, potentials)
    return CloudTransport(x, y, p, plan, potentials, duality, sliced, entropic)


def _blurred(
    x: np.ndarray, y: np.ndarray, p: int, plan: theory.TransportPlan, epsilons: np.ndarray
) -> list[Entropic]:
    @jax.jit
    def each(x, y, costs, epsilons):
        # One after the other: mapped side by side, all would wait for the smallest epsilon.
        def at(epsilon):
            blurred = theory.sinkhorn(costs, epsilon)
            numbers = blurred.value, blurred.cost, blurred.iterations, blurred.converged
            return *numbers, theory.sinkhorn_divergence(x, y, epsilon, p)

        return jax.lax.map(at, epsilons)

    columns = map(np.asarray, each(*map(jnp.asarray, (x, y, plan.costs, epsilons))))
    exact = float(np.sum(plan.plan * plan.costs))
    levels = []
    for epsilon, value, cost, count, ok, divergence in zip(epsilons, *columns, strict=True):
        bias = float(cost) - exact
        numbers = float(epsilon), float(value), float(cost), bias, float(divergence)
        levels.append(Entropic(*numbers, int(count), bool(ok)))
    return levels


def piles_summary(found: PileTransport) -> dict[str, Any]:
    """The numbers of the piles for the last line."""
    return {"moves": len(found.moves), "work": found.work, "total": found.total, "w1": found.w1}


def clouds_summary(found: CloudTransport) -> dict[str, Any]:
    """The numbers of the clouds for the last line."""
    return {
        "points": [len(found.x), len(found.y)],
        "dimension": found.x.shape[1],
        "p": found.p,
        "distance": found.plan.distance,
        "cost": found.cost,
        "duality_gap": found.duality.gap,
        "infeasibility": found.duality.infeasibility,
        "slackness": found.duality.slackness,
        "sliced": float(found.sliced.value),
        "sliced_standard_error": float(found.sliced.standard_error),
        "entropic": [level._asdict() for level in found.entropic],
    }
