"""Divergences against scipy, against closed forms, and at the edges of their domains."""

from typing import Any

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.spatial.distance
import scipy.stats

import theory

seeds = st.integers(0, 2**31 - 1)
LOG2 = np.log(2)


def probabilities(seed, k=5, zeros=False):
    p, q = np.random.default_rng(seed).dirichlet(np.ones(k), size=2)
    if zeros:
        p[0] = q[1] = p[2] = q[2] = 0
    return jnp.asarray(p / p.sum()), jnp.asarray(q / q.sum())


@hyp.given(seed=seeds)
def test_discrete_divergences_against_scipy(seed):
    """entropy(p, q), jensenshannon squared, and half the L1 distance."""
    p, q = probabilities(seed)
    np.testing.assert_allclose(theory.kl_discrete(p, q), scipy.stats.entropy(p, q), rtol=1e-10)
    js = scipy.spatial.distance.jensenshannon(p, q) ** 2
    np.testing.assert_allclose(theory.js_discrete(p, q), js, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(theory.tv_discrete(p, q), np.abs(p - q).sum() / 2, rtol=1e-14)


@hyp.given(seed=seeds)
def test_zero_masses_have_their_limits(seed):
    """0 log 0 = 0; KL is infinite where q = 0 < p, and JS is not."""
    p, q = probabilities(seed, zeros=True)
    assert theory.kl_discrete(p, q) == jnp.inf
    js = scipy.spatial.distance.jensenshannon(p, q) ** 2
    np.testing.assert_allclose(theory.js_discrete(p, q), js, rtol=1e-9)
    inside = jnp.where(q > 0, p, 0) / jnp.sum(jnp.where(q > 0, p, 0))
    expected = scipy.stats.entropy(inside, q)
    np.testing.assert_allclose(theory.kl_discrete(inside, q), expected, rtol=1e-10)
    gradient = jax.grad(theory.js_discrete)(p, q)
    assert bool(jnp.all(jnp.isfinite(gradient)))


def test_disjoint_supports_and_equal_laws_are_the_two_ends():
    """KL inf, JS log 2, TV 1; and 0, 0, 0."""
    p, q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.0, 0.0, 1.0])
    assert theory.kl_discrete(p, q) == jnp.inf
    np.testing.assert_allclose(theory.js_discrete(p, q), LOG2, rtol=1e-15)
    assert theory.tv_discrete(p, q) == 1
    assert theory.kl_discrete(p, p) == theory.js_discrete(p, p) == theory.tv_discrete(p, p) == 0


@hyp.given(seed=seeds)
def test_inequalities_between_the_three(seed):
    """Pinsker: 2 TV^2 <= KL; Lin: JS <= TV log 2; 0 <= JS, symmetric."""
    p, q = probabilities(seed)
    kl, js, tv = (f(p, q) for f in (theory.kl_discrete, theory.js_discrete, theory.tv_discrete))
    assert 2 * tv**2 <= kl * (1 + 1e-12)
    assert -1e-16 <= js <= tv * LOG2 * (1 + 1e-12)
    np.testing.assert_allclose(theory.js_discrete(q, p), js, rtol=1e-10)


normals = st.tuples(st.floats(-2, 2), st.floats(0.3, 2), st.floats(-2, 2), st.floats(0.3, 2))


@hyp.given(laws=normals)
def test_quadrature_of_normals_against_the_closed_form(laws):
    """KL on 400 Gauss-Legendre nodes over +-15, JS and TV against scipy's adaptive quadrature."""
    rule = theory.quadrature(-15, 15, 400)
    p, q = theory.Normal(*laws[:2]), theory.Normal(*laws[2:])
    log_p, log_q = p.log_prob(rule.nodes), q.log_prob(rule.nodes)
    closed = theory.kl_normal(*laws)
    ours = theory.kl_density(log_p, log_q, rule.weights)
    np.testing.assert_allclose(ours, closed, rtol=1e-8, atol=1e-10)
    densities: Any = scipy.stats.norm.pdf

    def js_integrand(t):
        a, b = densities(t, *laws[:2]), densities(t, *laws[2:])
        half = lambda u: u * np.log(2 * u / (a + b)) / 2 if u > 0 else 0.0
        return half(a) + half(b)

    js = scipy.integrate.quad(js_integrand, -15, 15, points=[laws[0], laws[2]], limit=200)[0]
    np.testing.assert_allclose(
        theory.js_density(log_p, log_q, rule.weights), js, rtol=1e-6, atol=1e-8
    )


@hyp.given(laws=normals)
def test_one_dimension_is_a_case_of_many(laws):
    """kl_gaussian of 1x1 matrices is kl_normal; and independent coordinates add up."""
    one = theory.kl_gaussian(
        jnp.array([laws[0]]),
        jnp.array([[laws[1] ** 2]]),
        jnp.array([laws[2]]),
        jnp.array([[laws[3] ** 2]]),
    )
    closed = theory.kl_normal(*laws)
    np.testing.assert_allclose(one, closed, rtol=1e-10, atol=1e-13)
    two = theory.kl_gaussian(
        jnp.full(2, laws[0]),
        laws[1] ** 2 * jnp.eye(2),
        jnp.full(2, laws[2]),
        laws[3] ** 2 * jnp.eye(2),
    )
    np.testing.assert_allclose(two, 2 * closed, rtol=1e-10, atol=1e-13)


@hyp.given(seed=seeds, d=st.integers(1, 4))
def test_kl_of_gaussians_is_invariant_and_matches_its_definition(seed, d):
    """Against inverses and determinants, and unchanged by an affine map of both."""
    rng = np.random.default_rng(seed)
    spd = lambda: (lambda a: a @ a.T + 0.5 * np.eye(d))(rng.normal(size=(d, d)))
    m, n, s, t = rng.normal(size=d), rng.normal(size=d), spd(), spd()
    inverse = np.linalg.inv(t)
    expected = 0.5 * (
        np.trace(inverse @ s)
        + (n - m) @ inverse @ (n - m)
        - d
        + np.linalg.slogdet(t)[1]
        - np.linalg.slogdet(s)[1]
    )
    kl = lambda *args: theory.kl_gaussian(*map(jnp.asarray, args))
    np.testing.assert_allclose(kl(m, s, n, t), expected, rtol=1e-8, atol=1e-10)
    a = spd()
    moved = kl(a @ m, a @ s @ a.T, a @ n, a @ t @ a.T)
    np.testing.assert_allclose(moved, expected, rtol=1e-6, atol=1e-8)


def test_log_densities_of_any_size_are_safe():
    """Differences of +-800 nats: no overflow, JS log 2, KL exact."""
    log_p = jnp.array([0.0, -800.0])
    log_q = log_p[::-1]
    ones = jnp.ones(2)
    np.testing.assert_allclose(theory.kl_density(log_p, log_q, ones), 800.0, rtol=1e-14)
    np.testing.assert_allclose(theory.js_density(log_p, log_q, ones), LOG2, rtol=1e-14)
    assert theory.tv_density(log_p, log_q, ones) == 1.0


def test_samples_agree_with_the_closed_form():
    """KL and JS of two normals from 200 000 samples: within 5 standard errors (6e-7 each)."""
    p, q = theory.Normal(0.0, 1.0), theory.Normal(0.7, 1.4)
    x, y = p.sample(jax.random.key(0), 200_000), q.sample(jax.random.key(1), 200_000)
    kl = theory.kl_samples(p.log_prob(x), q.log_prob(x))
    assert abs(kl.value - theory.kl_normal(0.0, 1.0, 0.7, 1.4)) < 5 * kl.standard_error
    js = theory.js_samples(p.log_prob(x), q.log_prob(x), p.log_prob(y), q.log_prob(y))
    rule = theory.quadrature(-15, 15, 400)
    exact = theory.js_density(p.log_prob(rule.nodes), q.log_prob(rule.nodes), rule.weights)
    assert abs(js.value - exact) < 5 * js.standard_error
    assert 0 < js.standard_error < 1e-3


def test_one_sample_has_no_standard_error():
    """NaN, and no warning."""
    assert jnp.isnan(theory.kl_samples(jnp.zeros(1), jnp.ones(1)).standard_error)


@pytest.mark.parametrize("degree", [0, 1, 5, 9])
def test_quadrature_is_exact_for_polynomials(degree):
    """Five nodes integrate up to degree 9 on [-1, 3]; the product rule, in the plane."""
    rule = theory.quadrature(-1, 3, 5)
    exact = (3.0 ** (degree + 1) - (-1.0) ** (degree + 1)) / (degree + 1)
    np.testing.assert_allclose(jnp.sum(rule.weights * rule.nodes**degree), exact, rtol=1e-12)
    square = theory.product_quadrature(rule, theory.quadrature(0, 1, 3))
    product = square.nodes[:, 0] ** degree * square.nodes[:, 1] ** 2
    np.testing.assert_allclose(jnp.sum(square.weights * product), exact / 3, rtol=1e-12)


def test_gradients_are_finite_where_one_law_has_no_mass():
    """In the log densities of either law, with -inf among those of the other."""
    log_p, log_q = jnp.array([0.0, -jnp.inf]), jnp.log(jnp.array([0.4, 0.6]))
    ones = jnp.ones(2)
    for divergence in (theory.js_density, theory.kl_density, theory.tv_density):
        gradient = jax.grad(divergence, argnums=1)(log_p, log_q, ones)
        assert bool(jnp.all(jnp.isfinite(gradient))), divergence.__name__
    gradient = jax.grad(theory.js_density, argnums=0)(log_q, log_p, ones)
    assert bool(jnp.all(jnp.isfinite(gradient)))
