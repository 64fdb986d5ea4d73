"""Plans against linear programming, piles of dirt against the exact distance."""

import math

import hypothesis as hyp
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import theory
from tests.theory.transport.test_closed_form import clouds

seeds = st.integers(0, 2**31 - 1)


@hyp.settings(max_examples=15)
@hyp.given(seed=seeds, n=st.integers(1, 6), m=st.integers(1, 6), p=st.sampled_from([1.0, 2.0]))
def test_the_plan_solves_the_linear_programme(seed, n, m, p):
    """Same value as HiGHS, marginals right, nothing negative; points in the plane."""
    x, y, a, b = clouds(seed, n, m, 2)
    result = theory.optimal_transport(x, y, a, b, p=p)
    np.testing.assert_allclose(result.plan.sum(axis=1), a, atol=1e-12)
    np.testing.assert_allclose(result.plan.sum(axis=0), b, atol=1e-12)
    assert result.plan.min() >= 0
    rows = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    programme = scipy.optimize.linprog(
        result.costs.ravel(), A_eq=np.vstack(rows), b_eq=np.concatenate([a, b])
    )
    np.testing.assert_allclose(result.distance**p, programme.fun, rtol=1e-7)
    expected = np.linalg.norm(x[:, None] - y[None], axis=-1) ** p
    np.testing.assert_allclose(result.costs, expected, rtol=1e-6, atol=1e-12)


def test_piles_of_dirt_of_the_well_known_example():
    """P = (3, 2, 1, 4), Q = (1, 2, 4, 3): work 2 + 2 + 1 = 5."""
    plan = theory.piles_of_dirt([3, 2, 1, 4], [1, 2, 4, 3])
    assert sum(move.mass * move.distance for move in plan) == 5
    heaps = np.array([3.0, 2, 1, 4])
    for move in plan:
        heaps[move.source] -= move.mass
        heaps[move.target] += move.mass
    np.testing.assert_array_equal(heaps, [1, 2, 4, 3])


@hyp.given(seed=seeds, n=st.integers(1, 8))
def test_piles_of_dirt_cost_the_exact_distance(seed, n):
    """Their work is W1 between the histograms, and the moves of the exact plan cost the same."""
    rng = np.random.default_rng(seed)
    p, q = rng.integers(0, 9, n).astype(float), rng.integers(0, 9, n).astype(float)
    p[0], q[0] = p[0] + 1, q[0] + 1
    q *= p.sum() / q.sum()
    places = np.cumsum(rng.uniform(0.1, 2, n))
    work = sum(move.mass * move.distance for move in theory.piles_of_dirt(p, q, places))
    exact = scipy.stats.wasserstein_distance(places, places, p, q) * p.sum()
    np.testing.assert_allclose(work, exact, rtol=1e-9, atol=1e-9)
    plan = theory.optimal_transport(places, places, p, q)
    total = sum(move.mass * move.distance for move in theory.moves(plan))
    np.testing.assert_allclose(total * p.sum(), exact, rtol=1e-9, atol=1e-9)


WRONG = {
    "nan": (lambda: theory.wasserstein([[np.nan]], [[0.0]]), "NaN"),
    "empty": (lambda: theory.wasserstein(np.zeros((0, 2)), np.zeros((1, 2))), "at least one point"),
    "dimension": (lambda: theory.wasserstein(np.zeros((3, 2)), np.zeros((3, 3))), "one shape"),
    "p": (lambda: theory.wasserstein([0.0], [1.0], p=0.5), "p >= 1"),
    "p_line": (lambda: theory.wasserstein_1d(jnp.zeros(2), jnp.ones(2), p=0.5), "p >= 1"),
    "negative": (lambda: theory.optimal_transport([0.0], [1.0], [-1.0]), "none negative"),
    "count": (lambda: theory.optimal_transport([0.0], [1.0], [1.0, 1.0]), "1 finite numbers"),
    "no_mass": (lambda: theory.optimal_transport([0.0], [1.0], [0.0]), "not all be 0"),
    "totals": (lambda: theory.piles_of_dirt([1, 2], [1, 1]), "no plan exists"),
    "piles": (lambda: theory.piles_of_dirt([-1, 2], [1, 0]), "not be negative"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_impossible_input_is_refused(name):
    """With one line that says what is wrong."""
    call, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("p", [1, 2, 20, 200, 1000])
@pytest.mark.parametrize("unit", [1e-9, 1e-4, 1.0, 1e9])
def test_plans_of_all_orders_at_all_scales(p, unit):
    """The closed form on the line, weights included: W(sx, sy) = s W(x, y), for large p too."""
    rng = np.random.default_rng(0)
    x, y, a = rng.normal(size=20), rng.normal(size=30) + 0.5, rng.random(20)
    exact = float(theory.wasserstein_1d(x, y, a, p=p))
    found = theory.optimal_transport(unit * x, unit * y, a, p=p)
    np.testing.assert_allclose(found.distance, unit * exact, rtol=1e-6)


def test_an_order_that_cannot_be_solved_is_named():
    """Infinity is no linear programme; a p whose costs float64 cannot hold is not proved."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + 0.3
    with pytest.raises(ValueError, match="p must be finite"):
        theory.wasserstein(x, y, p=math.inf)
    with pytest.raises(RuntimeError, match="p = 1e\\+06 is too large"):
        theory.wasserstein(x, y, p=1e6)
