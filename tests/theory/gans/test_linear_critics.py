"""Optimal linear critics against searches over their weights."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import theory

seeds = st.integers(0, 2**31 - 1)


def drawn(seed, d=4):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=d)), float(rng.uniform(0.1, 10)), float(rng.uniform(0.1, 2))


@hyp.settings(max_examples=20)
@hyp.given(seed=seeds)
def test_the_penalised_critic_is_the_maximum(seed):
    """BFGS from a random start finds its weights; |w| = 1 + |delta| / 2 lambda."""
    delta, weight, target = drawn(seed)
    ours = theory.penalised_linear_critic(delta, weight)
    length = np.linalg.norm(delta)
    np.testing.assert_allclose(ours.slope, 1 + length / (2 * weight), rtol=1e-12)
    np.testing.assert_allclose(jnp.linalg.norm(ours.weights), ours.slope, rtol=1e-12)
    np.testing.assert_allclose(ours.weights @ delta, ours.estimate, rtol=1e-12)
    ours = theory.penalised_linear_critic(delta, weight, target)
    loss = jax.value_and_grad(
        lambda w: weight * (jnp.linalg.norm(w) - target) ** 2 - jnp.dot(w, delta)
    )
    numpy_loss = lambda w: tuple(np.asarray(part) for part in loss(jnp.asarray(w)))
    start = np.random.default_rng(seed).normal(size=delta.size) + np.asarray(delta)
    found = scipy.optimize.minimize(numpy_loss, start, jac=True, tol=1e-10)
    np.testing.assert_allclose(ours.objective, -found.fun, rtol=1e-8)
    np.testing.assert_allclose(ours.weights, found.x, atol=1e-4)


@hyp.given(seed=seeds)
def test_the_clipped_critic_solves_its_linear_programme(seed):
    """HiGHS over the box; every weight at the bound; the estimate is c |delta|_1."""
    delta, clip, _ = drawn(seed)
    ours = theory.clipped_linear_critic(delta, clip)
    found = scipy.optimize.linprog(-np.asarray(delta), bounds=(-clip, clip))
    np.testing.assert_allclose(ours.weights, found.x, rtol=1e-9)
    np.testing.assert_allclose(ours.estimate, -found.fun, rtol=1e-9)
    np.testing.assert_allclose(ours.slope, clip * np.sqrt(delta.size), rtol=1e-12)


@hyp.given(seed=seeds)
def test_the_lipschitz_critic_is_exact_for_a_shift(seed):
    """W1 between a cloud and its shift is |delta|, and this critic reports it."""
    delta, *_ = drawn(seed, 2)
    cloud = np.random.default_rng(seed).normal(size=(6, 2))
    ours = theory.lipschitz_linear_critic(delta)
    exact = theory.wasserstein(cloud + np.asarray(delta), cloud)
    np.testing.assert_allclose(ours.estimate, exact, rtol=1e-9)
    np.testing.assert_allclose(ours.weights @ delta, exact, rtol=1e-9)


def test_equal_means():
    """Estimates of 0, a slope of 1 in some direction, and gradients that are finite."""
    zero = jnp.zeros(3)
    for critic in (theory.lipschitz_linear_critic(zero), theory.penalised_linear_critic(zero, 10)):
        assert critic.estimate == critic.objective == 0
        np.testing.assert_allclose(jnp.linalg.norm(critic.weights), 1)
    assert theory.clipped_linear_critic(zero, 0.1).estimate == 0
    slope = jax.grad(lambda d: theory.penalised_linear_critic(d, 10.0).estimate)(zero)
    assert bool(jnp.all(jnp.isfinite(slope)))
