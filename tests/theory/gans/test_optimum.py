"""The GAN's optimum, derived a second time by search, autodiff and quadrature."""

from typing import Any

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import theory

RULE = theory.quadrature(-20, 20, 600)
LOG4 = np.log(4)
laws = st.tuples(st.floats(-2, 2), st.floats(0.4, 2), st.floats(-2, 2), st.floats(0.4, 2))


def log_densities(mean_p, std_p, mean_q, std_q):
    p, q = theory.Normal(mean_p, std_p), theory.Normal(mean_q, std_q)
    return p.log_prob(RULE.nodes), q.log_prob(RULE.nodes)


@hyp.given(a=st.floats(1e-3, 10.0), b=st.floats(1e-3, 10.0))
def test_the_pointwise_maximiser_of_a_log_y_plus_b_log_one_minus_y(a, b):
    """y = a / (a + b), found by a bounded search to the root of its precision."""
    search: Any = scipy.optimize.minimize_scalar(
        lambda y: -(a * np.log(y) + b * np.log1p(-y)),
        bounds=(1e-9, 1 - 1e-9),
        method="bounded",
        options={"xatol": 1e-10},
    )
    optimum = theory.optimal_discriminator(jnp.log(a), jnp.log(b))
    np.testing.assert_allclose(optimum, a / (a + b), rtol=1e-12)
    np.testing.assert_allclose(search.x, optimum, atol=1e-6)


def test_optimal_discriminator_at_the_ends():
    """1 where only data is, 0 where only the generator is, 1/2 where neither is; no nan."""
    inf = jnp.inf
    log_d, log_g = jnp.array([0.0, -inf, -inf, -500.0, 0.0]), jnp.array([-inf, 0.0, -inf, 0.0, 0.0])
    optimum = theory.optimal_discriminator(log_d, log_g)
    np.testing.assert_allclose(optimum, [1, 0, 0.5, np.exp(-500), 0.5], rtol=1e-12)


@hyp.given(pair=laws)
def test_value_at_the_optimum_is_minus_log_four_plus_two_js(pair):
    """V(D*, G) computed as V of D*'s logits, against the identity."""
    log_p, log_q = log_densities(*pair)
    at_optimum = theory.discriminator_value(
        log_p, log_q, theory.optimal_logit(log_p, log_q), RULE.weights
    )
    identity = theory.value_at_optimal_discriminator(log_p, log_q, RULE.weights)
    # The identity needs both densities to integrate to 1: so they do to 1e-9 on these nodes.
    np.testing.assert_allclose(at_optimum, identity, atol=1e-8)
    assert -LOG4 - 1e-9 <= at_optimum <= 1e-12


@hyp.given(pair=laws, seed=st.integers(0, 2**31 - 1))
def test_no_other_discriminator_does_better(pair, seed):
    """The first variation at D* vanishes and the second is negative, in a random direction."""
    log_p, log_q = log_densities(*pair)
    direction = jnp.asarray(np.random.default_rng(seed).normal(size=RULE.nodes.shape))
    best = theory.optimal_logit(log_p, log_q)
    value = lambda t: theory.discriminator_value(log_p, log_q, best + t * direction, RULE.weights)
    np.testing.assert_allclose(jax.grad(value)(0.0), 0, atol=1e-12)
    assert jax.grad(jax.grad(value))(0.0) < 0


def test_minus_log_four_at_equality_and_only_there():
    """Exactly -log 4 for one law; above it by 2 JS > 0 for any other."""
    log_p, log_q = log_densities(0.3, 1.2, 0.3, 1.2)
    value = theory.value_at_optimal_discriminator(log_p, log_q, RULE.weights)
    np.testing.assert_allclose(value, -LOG4, atol=1e-12)
    for other in [(0.31, 1.2), (0.3, 1.25), (-1.0, 0.5)]:
        log_p, log_q = log_densities(0.3, 1.2, *other)
        assert theory.value_at_optimal_discriminator(log_p, log_q, RULE.weights) > -LOG4 + 1e-6


def test_value_of_disjoint_laws_is_zero():
    """JS = log 2: V(D*) = 0, from infinite logits."""
    log_p, log_q = jnp.log(jnp.array([1.0, 0.0])), jnp.log(jnp.array([0.0, 1.0]))
    logits, ones = theory.optimal_logit(log_p, log_q), jnp.ones(2)
    assert theory.discriminator_value(log_p, log_q, logits, ones) == 0
    assert abs(theory.value_at_optimal_discriminator(log_p, log_q, ones)) < 1e-15


def test_value_from_samples_is_lotus():
    """E over samples of p_d and of G(z) is the integral over densities: 5 standard errors, 6e-7."""
    p, q = theory.Normal(0.0, 1.0), theory.Normal(1.0, 0.7)
    logit = lambda x: jnp.tanh(x) - 0.3
    x, z = p.sample(jax.random.key(0), 100_000), jax.random.normal(jax.random.key(1), (100_000,))
    sampled = theory.discriminator_value_samples(logit(x), logit(1.0 + 0.7 * z))
    exact = theory.discriminator_value(
        p.log_prob(RULE.nodes), q.log_prob(RULE.nodes), logit(RULE.nodes), RULE.weights
    )
    assert abs(sampled.value - exact) < 5 * sampled.standard_error


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0, -4.0])
@pytest.mark.parametrize("log_scale", [0.0, -0.4, 0.3])
def test_generator_gradients_are_those_of_two_js_and_of_kl(shift, log_scale):
    """minimax = d 2 JS; the sum of both = d KL(p_g || p_d): autodiff through quadrature."""
    data, latent = theory.Normal(0.0, 1.0), theory.Normal(0.0, 1.0)
    gradients = theory.generator_gradients(
        data.log_prob,
        latent.log_prob,
        jnp.asarray(shift),
        jnp.asarray(log_scale),
        theory.quadrature(-12, 12, 300),
    )

    def divergences(parameters):
        law = theory.Normal(0.0, 1.0)
        scale = jnp.exp(parameters[1])
        log_q = law.log_prob((RULE.nodes - parameters[0]) / scale) - parameters[1]
        log_p = data.log_prob(RULE.nodes)
        js = theory.js_density(log_p, log_q, RULE.weights)
        return jnp.stack([2 * js, theory.kl_density(log_q, log_p, RULE.weights)])

    two_js, kl = jax.jacfwd(divergences)(jnp.array([shift, log_scale]))
    np.testing.assert_allclose(gradients.minimax, two_js, atol=1e-9)
    np.testing.assert_allclose(gradients.minimax + gradients.non_saturating, kl, atol=1e-9)


def test_the_minimax_gradient_saturates_and_the_other_does_not():
    """At a distance of 30 deviations: one is below 1e-40, the other is the KL gradient, 30."""
    law = theory.Normal(0.0, 1.0)
    gradients = theory.generator_gradients(
        law.log_prob,
        law.log_prob,
        jnp.asarray(30.0),
        jnp.asarray(0.0),
        theory.quadrature(-9, 9, 200),
    )
    assert 0 < gradients.minimax[0] < 1e-40
    np.testing.assert_allclose(gradients.non_saturating[0], 30.0, rtol=1e-10)
