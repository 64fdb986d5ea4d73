"""Blurred transport: its limits, closed forms and its bias."""

from typing import Any

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import ot
import pytest

import theory
from tests.theory.transport.test_closed_form import clouds

seeds = st.integers(0, 2**31 - 1)


def problem(seed, n=5, m=4):
    x, y, a, b = clouds(seed, n, m, 2)
    costs = np.linalg.norm(x[:, None] - y[None], axis=-1)
    return x, y, *map(jnp.asarray, (costs, a, b))


@hyp.settings(max_examples=15)
@hyp.given(seed=seeds, epsilon=st.sampled_from([0.05, 0.3, 2.0, 100.0]))
def test_the_plan_solves_the_blurred_problem(seed, epsilon):
    """Marginals; the value as cost + epsilon KL(P | a b); POT's Sinkhorn; the independent limit."""
    _, _, costs, a, b = problem(seed)
    ours = theory.sinkhorn(costs, epsilon, a, b, tol=1e-12)
    assert bool(ours.converged)
    np.testing.assert_allclose(jnp.sum(ours.plan, axis=1), a, atol=1e-11)
    np.testing.assert_allclose(jnp.sum(ours.plan, axis=0), b, atol=1e-11)
    product = np.outer(a, b)
    primal = ours.cost + epsilon * jnp.sum(jax.scipy.special.rel_entr(ours.plan, product))
    np.testing.assert_allclose(ours.value, primal, rtol=1e-8)
    if epsilon >= 0.3:
        theirs: Any = ot.sinkhorn(
            np.asarray(a), np.asarray(b), np.asarray(costs), epsilon, stopThr=1e-13
        )
        np.testing.assert_allclose(ours.plan, theirs, atol=1e-10)
    if epsilon == 100.0:
        np.testing.assert_allclose(ours.plan, product, atol=0.05)


def test_the_bias_of_entropy_on_two_points():
    """Two points at distance 1, twice: cost e^(-1/eps) / (1 + e^(-1/eps)), where W = 0."""
    costs = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    for epsilon in (0.05, 0.5, 5.0):
        ours = theory.sinkhorn(costs, epsilon)
        moved = np.exp(-1 / epsilon) / (1 + np.exp(-1 / epsilon))
        np.testing.assert_allclose(ours.cost, moved, rtol=1e-7)
        np.testing.assert_allclose(ours.value, -epsilon * np.log((1 + np.exp(-1 / epsilon)) / 2))


def test_the_cost_falls_to_the_exact_one_and_is_never_below():
    """<P, C> - W > 0, increasing in epsilon; below 1e-3 at the smallest."""
    x, y, costs, a, b = problem(1)
    exact = theory.optimal_transport(x, y, np.asarray(a), np.asarray(b)).distance
    epsilons = jnp.array([0.01, 0.05, 0.2, 1.0, 5.0])
    solve = lambda e: theory.sinkhorn(costs, e, a, b, max_iterations=50_000)
    bias = jax.jit(jax.vmap(solve))(epsilons).cost - exact
    assert bool(jnp.all(jnp.diff(bias) > 0))
    assert -1e-9 < bias[0] < 1e-3


def test_no_epsilon_is_too_small_for_log_scales():
    """1e-3 of the largest cost, where exp(-cost / epsilon) underflows; weights of 0 do no harm."""
    costs = jnp.array([[0.0, 1.0, 2.0], [1.0, 0.0, 1.0]])
    weights = jnp.array([0.5, 0.5, 0.0])
    ours = theory.sinkhorn(costs, 1e-3, None, weights)
    np.testing.assert_allclose(ours.plan, [[0.5, 0, 0], [0, 0.5, 0]], atol=1e-9)
    assert bool(jnp.isfinite(ours.value))


@hyp.settings(max_examples=5)
@hyp.given(seed=seeds)
def test_gradients_are_the_plan_and_the_potentials(seed):
    """d value / d costs = P; against central differences in one cost and one weight."""
    _, _, costs, a, b = problem(seed)
    value = jax.jit(lambda c, w: theory.sinkhorn(c, 0.5, w, b, tol=1e-13).value)
    by_cost, by_weight = jax.jit(jax.grad(value, argnums=(0, 1)))(costs, a)
    plan = theory.sinkhorn(costs, 0.5, a, b, tol=1e-13).plan
    np.testing.assert_allclose(by_cost, plan, atol=1e-10)
    step = 1e-5
    difference = value(costs, a.at[0].add(step)) - value(costs, a.at[0].add(-step))
    np.testing.assert_allclose(by_weight[0], difference / (2 * step), rtol=1e-5, atol=1e-8)


def test_the_divergence_has_no_bias():
    """0 for equal clouds where OT_eps is not; W^2 and |means|^2 at the ends; a shift costs d^2."""
    x, y, *_ = problem(2, n=6, m=6)
    x, y = jnp.asarray(x), jnp.asarray(y)
    divergence = jax.jit(lambda u, v, e: theory.sinkhorn_divergence(u, v, e))
    assert abs(divergence(x, x, 0.5)) < 1e-12
    assert theory.sinkhorn(jnp.sum((x[:, None] - x[None]) ** 2, axis=2), 0.5).value > 0.1
    exact = theory.wasserstein(x, y, p=2) ** 2
    np.testing.assert_allclose(divergence(x, y, 0.01), exact, rtol=1e-2)
    means = jnp.sum((jnp.mean(x, axis=0) - jnp.mean(y, axis=0)) ** 2)
    np.testing.assert_allclose(divergence(x, y, 1e5), means, rtol=1e-2)
    shift = jnp.array([[0.6, -0.8]])
    np.testing.assert_allclose(divergence(x, x + shift, 0.3), 1.0, rtol=1e-7)
    assert bool(jnp.all(jnp.isfinite(jax.grad(divergence)(x, x, 0.5))))
    assert theory.sinkhorn_divergence(x, y, 0.5, p=1) > 0


@pytest.mark.parametrize("epsilon", [0.3, 1.0, 4.0])
def test_blurred_transport_of_gaussians(epsilon):
    """The closed form, against Sinkhorn between two normals on a grid of 160 cells."""
    grid = jnp.linspace(-7.0, 8.0, 160)
    p, q = theory.Normal(0.0, 1.0), theory.Normal(0.7, 1.4)
    a, b = jnp.exp(p.log_prob(grid)), jnp.exp(q.log_prob(grid))
    costs = (grid[:, None] - grid[None]) ** 2
    ours = theory.sinkhorn(costs, epsilon, a, b)
    one = lambda v: jnp.array([[v]])
    closed = theory.entropic_gaussian(
        jnp.array([0.0]), one(1.0), jnp.array([0.7]), one(1.96), epsilon
    )
    np.testing.assert_allclose(ours.value, closed, rtol=1e-4)


def test_blurred_transport_of_gaussians_in_space():
    """Coordinates add up; W_2^2 as epsilon falls; a singular covariance; biased for equal laws."""
    mean, other = jnp.zeros(2), jnp.array([1.0, -1.0])
    cov_x, cov_y = jnp.diag(jnp.array([1.0, 0.0])), jnp.array([[2.0, 0.3], [0.3, 1.0]])
    small = theory.entropic_gaussian(mean, cov_x, other, cov_y, 1e-6)
    exact = theory.wasserstein2_gaussian(mean, cov_x, other, cov_y) ** 2
    np.testing.assert_allclose(small, exact, rtol=1e-4)
    two = theory.entropic_gaussian(mean, 2 * jnp.eye(2), mean, jnp.eye(2), 0.7)
    column = jnp.zeros(1)
    one = theory.entropic_gaussian(column, 2 * jnp.eye(1), column, jnp.eye(1), 0.7)
    np.testing.assert_allclose(two, 2 * one, rtol=1e-12)
    assert theory.entropic_gaussian(mean, jnp.eye(2), mean, jnp.eye(2), 0.7) > 0.1


def test_impossible_blur_is_refused():
    """No epsilon of 0, no p of 3."""
    with pytest.raises(ValueError, match="must be positive"):
        theory.sinkhorn(jnp.zeros((1, 1)), 0.0)
    with pytest.raises(ValueError, match="1 or 2"):
        theory.sinkhorn_divergence(jnp.zeros((1, 1)), jnp.zeros((1, 1)), 1.0, p=3)


@pytest.mark.parametrize("epsilon", [2.0, 0.3, 0.05])
def test_the_default_tolerance_is_one_that_single_precision_reaches(epsilon):
    """It converges in float32, in no more iterations than float64 to the same tolerance needs by
    more than a tenth, and the value is float64's to the rounding of the largest exponent."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), rng.normal(size=(50, 2)) + 0.3
    costs = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    single = theory.sinkhorn(costs.astype(np.float32), epsilon)
    assert single.converged
    tol = float(jnp.finfo(jnp.float32).eps) * (1 + costs.max() / epsilon)
    double = theory.sinkhorn(costs, epsilon, tol=tol)
    assert int(single.iterations) <= 1.1 * int(double.iterations) + 2
    np.testing.assert_allclose(single.value, theory.sinkhorn(costs, epsilon).value, rtol=1e-4)
