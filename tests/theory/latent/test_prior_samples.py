"""Jensen's bound over prior samples and its constant optimum; log-mean-exp and its bias."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

POINTS = jnp.asarray(np.random.default_rng(0).normal(size=(30, 3)) * np.array([2.0, 1.0, 0.5]) + 1)
DATA = theory.moments(POINTS)
MODEL = theory.LinearGaussian([[1.0], [0.4], [-0.3]], [1.1, 0.8, 1.0], 0.6)


def gauss_hermite(count):
    """Nodes and weights of expectations under N(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return nodes, weights / weights.sum()


def log_likelihood(z, x):
    error = x - MODEL.weights @ z[None] - MODEL.mean
    return -0.5 * (jnp.sum(error**2) / MODEL.variance + 3 * jnp.log(2 * jnp.pi * MODEL.variance))


def test_the_bound_is_an_expectation_over_the_prior():
    """Gauss-Hermite nodes are exact for the quadratic log p(x|z); below the likelihood."""
    nodes, weights = gauss_hermite(4)
    at = jax.vmap(jax.vmap(log_likelihood, in_axes=(0, None)), in_axes=(None, 0))
    at = jax.jit(at)(nodes, POINTS)
    bound = theory.prior_sample_bound(MODEL, *DATA)
    np.testing.assert_allclose(bound, (at @ weights).mean(), rtol=1e-12)
    assert bound < jnp.mean(jax.jit(jax.vmap(MODEL.log_prob))(POINTS))


def test_the_best_decoder_of_the_bound_is_constant():
    """Weights only cost; the optimum is the likelihood of one isotropic Gaussian.

    There the bound has no slope, its value is the two closed forms', and weights lose
    |W|^2 / (2 sigma^2) of it.
    """
    best = theory.probabilistic_pca(*DATA, 0)
    bound = lambda w, m, v: theory.prior_sample_bound(theory.LinearGaussian(w, m, v), *DATA)
    at = jnp.zeros((3, 2)), best.mean, best.variance
    for slope in jax.jit(jax.grad(bound, argnums=(0, 1, 2)))(*at):
        np.testing.assert_allclose(slope, 0, atol=1e-12)
    variances = jnp.diagonal(DATA.covariance)
    exact = theory.constant_gaussian_log_likelihood(variances)
    np.testing.assert_allclose(bound(*at), exact, rtol=1e-12)
    eigenvalues = jnp.linalg.eigvalsh(DATA.covariance)
    np.testing.assert_allclose(theory.pca_log_likelihood(eigenvalues, 0), exact, rtol=1e-12)
    loss = exact - bound(jnp.ones((3, 2)), *at[1:])
    np.testing.assert_allclose(loss, 3 / best.variance, rtol=1e-10)


def test_constant_decoders_of_other_kinds():
    """Variances of their own: a sum of normal entropies. Bernoulli: of binary entropies."""
    variances = np.array([0.5, 2.0])
    own = theory.constant_gaussian_log_likelihood(variances, shared=False)
    np.testing.assert_allclose(own, -0.5 * np.sum(np.log(2 * np.pi * np.e * variances)))
    assert own > theory.constant_gaussian_log_likelihood(variances)
    found = theory.constant_bernoulli_log_likelihood([0.0, 0.5, 1.0, 0.25])
    np.testing.assert_allclose(found, np.log(0.5) + 0.25 * np.log(0.25) + 0.75 * np.log(0.75))


def test_the_second_moment_is_an_integral():
    """log E p(x|z)^2 / p(x)^2 with 80 Gauss-Hermite nodes in the one latent."""
    nodes, weights = gauss_hermite(80)
    at_nodes = jax.jit(jax.vmap(log_likelihood, in_axes=(0, None)))
    moment = jax.jit(theory.log_second_moment)
    for x in POINTS[:3]:
        at = np.asarray(at_nodes(nodes, x))
        exact = np.log(np.exp(2 * at) @ weights) - 2 * np.log(np.exp(at) @ weights)
        np.testing.assert_allclose(moment(MODEL, x), exact, rtol=1e-9)
    flat = theory.LinearGaussian(jnp.zeros((3, 2)), MODEL.mean, 0.6)
    np.testing.assert_allclose(moment(flat, POINTS[0]), 0, atol=1e-12)


def test_log_mean_exp_of_prior_samples_falls_short_by_its_bias():
    """4000 draws of 100 samples: 5 standard errors (6e-7), and a tenth for the next order.

    The mean weight over p(x), whose expectation is 1, is taken off: what is left is about -d^2 / 2
    of the relative error d, and a fifth of the noise.
    """
    x = POINTS[0]
    noise = jax.random.normal(jax.random.key(0), (4000, 100))
    weights = jax.jit(jax.vmap(jax.vmap(lambda z: log_likelihood(z, x))))(noise)
    logs = np.asarray(theory.log_mean_exp(weights) - MODEL.log_prob(x))
    values = logs - np.expm1(logs)
    bias = theory.log_mean_exp_bias(theory.log_second_moment(MODEL, x), 100)
    error = 5 * values.std(ddof=1) / np.sqrt(4000)
    assert abs(values.mean() - bias) < error + 0.1 * abs(bias)
    assert error < 0.2 * abs(bias)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.constant_bernoulli_log_likelihood([1.5]), "must not be negative"),
        (lambda: theory.constant_gaussian_log_likelihood([-1.0]), "variances must not be negative"),
        (lambda: theory.log_mean_exp_bias(1.0, 0), "samples must be 1 or more"),
        (lambda: theory.prior_sample_bound(MODEL, [0.0], [[1.0]]), "must agree in dimension"),
    ],
)
def test_bad_input_is_refused(call, says):
    """One clear line."""
    with pytest.raises(ValueError, match=says):
        call()
