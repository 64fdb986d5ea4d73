"""Every step of the proof by a second route: substitution, search, autodiff, quadrature."""

from typing import Any

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import theory

RULE = theory.quadrature(-20, 20, 200)
masses = st.floats(1e-3, 10.0)
laws = st.tuples(st.floats(-2, 2), st.floats(0.6, 2), st.floats(-2, 2), st.floats(0.6, 2))
FAMILIES = {"normal": theory.Normal, "logistic": theory.Logistic}


def log_densities(mean_p, std_p, mean_q, std_q):
    p, q = theory.Normal(mean_p, std_p), theory.Normal(mean_q, std_q)
    return p.log_prob(RULE.nodes), q.log_prob(RULE.nodes)


@hyp.settings(max_examples=10)
@hyp.given(shift=st.floats(-1, 1), stretch=st.floats(0.5, 1.5))
def test_lotus_needs_no_density_of_the_generator(shift, stretch):
    """E f(g(z)) for g(z) = sinh(stretch z) + shift, against f p_g with p_g through g's inverse."""
    normal = theory.Normal(0.0, 1.0)
    function = lambda x: jnp.tanh(x - 0.3) ** 2
    generator = lambda z: jnp.sinh(stretch * z) + shift
    latent = theory.quadrature(-9, 9, 400)
    ours = theory.lotus(function, generator, normal.log_prob, latent)
    inverse = lambda x: jnp.arcsinh(x - shift) / stretch
    rule = theory.piecewise_quadrature(shift + np.sinh(np.linspace(-13, 13, 81)), 12)
    slope = 1 / (stretch * jnp.sqrt(1 + (rule.nodes - shift) ** 2))
    density = jnp.exp(normal.log_prob(inverse(rule.nodes))) * slope
    np.testing.assert_allclose(ours, jnp.sum(rule.weights * density * function(rule.nodes)), 1e-9)
    z = jnp.asarray(0.7)
    x = generator(z)
    expected = normal.log_prob(inverse(x)) + jnp.log(jax.grad(inverse)(x))
    ours = theory.pushforward_log_prob(generator, normal.log_prob, z)
    np.testing.assert_allclose(ours, expected, rtol=1e-10)


@hyp.given(a=masses, b=masses)
def test_the_pointwise_maximum_by_search_and_by_autodiff(a, b):
    """A bounded search, a slope of 0 and the curvature of the closed form."""
    a_, b_ = jnp.asarray(a), jnp.asarray(b)
    best = theory.pointwise_maximiser(a_, b_)
    search: Any = scipy.optimize.minimize_scalar(
        lambda y: -(a * np.log(y) + b * np.log1p(-y)),
        bounds=(1e-9, 1 - 1e-9),
        method="bounded",
        options={"xatol": 1e-10},
    )
    np.testing.assert_allclose(best, search.x, atol=1e-6)
    value = lambda y: theory.pointwise_value(a_, b_, y)
    curvature = jax.grad(jax.grad(value))(best)
    assert abs(jax.grad(value)(best)) < 1e-9 * abs(curvature)
    np.testing.assert_allclose(theory.pointwise_curvature(a_, b_), curvature, rtol=1e-9)
    np.testing.assert_allclose(curvature, -((a + b) ** 3) / (a * b), rtol=1e-9)


def test_the_pointwise_maximum_where_mass_is_missing():
    """1, 0 and 1/2; values with 0 log 0 = 0; curvature of the one term that is left, -a or -b."""
    a, b = jnp.array([2.0, 0.0, 0.0]), jnp.array([0.0, 3.0, 0.0])
    best = theory.pointwise_maximiser(a, b)
    np.testing.assert_array_equal(best, [1, 0, 0.5])
    np.testing.assert_array_equal(theory.pointwise_value(a, b, best), [0, 0, 0])
    np.testing.assert_array_equal(theory.pointwise_curvature(a, b), [-2, -3, 0])


@hyp.settings(max_examples=10)
@hyp.given(pair=laws, seed=st.integers(0, 2**31 - 1))
def test_variations_are_the_derivatives_of_the_value(pair, seed):
    """d/dt and d^2/dt^2 of V(D + t eta) by autodiff, at any D; 0 and (p + q)^3 / (p q) at D*."""
    log_p, log_q = log_densities(*pair)
    rng = np.random.default_rng(seed)
    direction = jnp.asarray(rng.normal(size=RULE.nodes.shape))
    level = jnp.asarray(rng.uniform(0.2, 0.8, RULE.nodes.shape))

    def value(t):
        logits = jax.scipy.special.logit(level + t * direction)
        return theory.discriminator_value(log_p, log_q, logits, RULE.weights)

    given = (log_p, log_q, level, direction, RULE.weights)
    np.testing.assert_allclose(theory.first_variation(*given), jax.grad(value)(0.0), 1e-8, 1e-12)
    second = jax.grad(jax.grad(value))(0.0)
    np.testing.assert_allclose(theory.second_variation(*given), second, rtol=1e-8)
    # Away from the tails, where D* is 0 or 1 to the last digit.
    near = (jnp.abs(log_p - log_q) < 20) & (log_p + log_q > -500)
    p, q = jnp.where(near, jnp.exp(log_p), 0), jnp.where(near, jnp.exp(log_q), 0)
    best = theory.pointwise_maximiser(p, q)
    mask = lambda log: jnp.where(near, log, -jnp.inf)
    at_best = (mask(log_p), mask(log_q), best, direction, RULE.weights)
    scale = jnp.sum(RULE.weights * (p + q) * jnp.abs(direction))
    assert abs(theory.first_variation(*at_best)) < 1e-6 * scale
    bracket = jnp.where(near, (p + q) ** 3 / jnp.where(near, p * q, 1), 0)
    closed = -jnp.sum(RULE.weights * bracket * direction**2)
    np.testing.assert_allclose(theory.second_variation(*at_best), closed, rtol=1e-6)
    assert closed < 0


@hyp.settings(max_examples=10)
@hyp.given(pair=laws, seed=st.integers(0, 2**31 - 1))
def test_the_gap_is_what_a_discriminator_lacks(pair, seed):
    """C(G) - V(D, G) >= 0; 0 at D*."""
    log_p, log_q = log_densities(*pair)
    logits = jnp.asarray(np.random.default_rng(seed).normal(size=RULE.nodes.shape))
    best = theory.value_at_optimal_discriminator(log_p, log_q, RULE.weights)
    value = theory.discriminator_value(log_p, log_q, logits, RULE.weights)
    gap = theory.value_gap(log_p, log_q, logits, RULE.weights)
    np.testing.assert_allclose(gap, best - value, atol=1e-9)
    assert gap > 0
    at_best = theory.value_gap(log_p, log_q, theory.optimal_logit(log_p, log_q), RULE.weights)
    assert at_best == 0


@pytest.mark.parametrize("data", sorted(FAMILIES))
@pytest.mark.parametrize("latent", sorted(FAMILIES))
def test_the_curve_is_the_slope_of_kl_minus_two_js(data, latent):
    """Autodiff through quadrature, for every pair of families: d 2 JS, and d (KL - 2 JS)."""
    law, source = FAMILIES[data](0.2, 1.1), FAMILIES[latent](0.0, 1.0)
    shifts = jnp.array([-3.0, -0.5, 0.0, 1.0, 4.0])
    wide = theory.quadrature(-50, 50, 1200)
    curve = theory.saturation_curve(law.log_prob, source.log_prob, shifts, wide)

    def two_js_and_kl(shift):
        log_q, log_p = source.log_prob(wide.nodes - shift), law.log_prob(wide.nodes)
        js = theory.js_density(log_p, log_q, wide.weights)
        return jnp.stack([2 * js, theory.kl_density(log_q, log_p, wide.weights)])

    slopes = jax.vmap(jax.jacfwd(two_js_and_kl))(shifts)
    np.testing.assert_allclose(curve.minimax, slopes[:, 0], atol=1e-8)
    np.testing.assert_allclose(curve.non_saturating, slopes[:, 1] - slopes[:, 0], atol=1e-8)


def test_the_curve_saturates_under_its_bound():
    """Between unit normals: below |t| exp(-t^2 / 8) / 2 everywhere, and not by a hundredfold."""
    normal, shifts = theory.Normal(0.0, 1.0), jnp.linspace(-12.0, 12.0, 49)
    rule = theory.quadrature(-12, 12, 400)
    curve = theory.saturation_curve(normal.log_prob, normal.log_prob, shifts, rule)
    bound = theory.saturation_bound(shifts)
    size = jnp.abs(curve.minimax)
    assert bool(jnp.all(size <= bound))
    assert bool(jnp.all(size >= 0.01 * bound))
    np.testing.assert_allclose(curve.minimax + curve.non_saturating, shifts, atol=1e-9)


MASS = st.just(0.0) | st.floats(0.01, 5)


@hyp.given(a=MASS, b=MASS)
def test_the_curvature_is_the_second_derivative_there(a, b):
    """By automatic differentiation of each term that is not 0, the ends of [0, 1] included."""
    best = theory.pointwise_maximiser(a, b)
    terms = [a * jax.grad(jax.grad(jnp.log))(best)] if a else []
    terms += [b * jax.grad(jax.grad(lambda y: jnp.log(1 - y)))(best)] if b else []
    np.testing.assert_allclose(theory.pointwise_curvature(a, b), sum(terms), rtol=1e-6, atol=1e-300)
