"""ELBO, IWAE and log-mean-exp: the chain of bounds, equality at the posterior, errors and bias."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

seeds = st.integers(0, 2**31 - 1)
MODEL = theory.LinearGaussian([[1.0, 0.2], [0.3, -0.8], [0.5, 0.5]], [0.1, 0.0, -0.4], 0.3)
X = jnp.array([0.7, -1.1, 0.4])


def log_joint(z):
    """log p(x|z) + log p(z), from its definition."""
    error = (X - MODEL.weights @ z - MODEL.mean) / jnp.sqrt(MODEL.variance)
    squares = jnp.sum(error**2) + jnp.sum(z**2)
    return -0.5 * (squares + 5 * jnp.log(2 * jnp.pi) + 3 * jnp.log(MODEL.variance))


def log_weights(key, samples, widening=1.0):
    """Of the exact posterior, with its covariance multiplied by a number."""
    posterior = MODEL.posterior(X)
    root = jnp.linalg.cholesky(widening * posterior.covariance)
    noise = jax.random.normal(key, (samples, 2))
    log_q = -0.5 * jnp.sum(noise**2, axis=1) - jnp.log(2 * jnp.pi * jnp.prod(jnp.diagonal(root)))
    return jax.vmap(log_joint)(posterior.mean[None] + noise @ root.T) - log_q


@hyp.settings(max_examples=15)
@hyp.given(seed=seeds, scale=st.sampled_from([0.1, 3.0, 300.0]))
def test_bounds_rise_with_k_whatever_the_weights_are(seed, scale):
    """L_k of nested groups: by concavity for every sample, not in expectation only."""
    weights = scale * np.random.default_rng(seed).normal(size=(3, 12))
    values = [float(theory.iwae_bound(weights, k).value) for k in (1, 2, 4, 12)]
    assert (np.diff(values) >= -1e-12 * scale).all()
    np.testing.assert_allclose(values[0], theory.elbo(weights).value, rtol=1e-12)
    np.testing.assert_allclose(values[-1], theory.log_mean_exp(weights).mean(), rtol=1e-12)
    gap = theory.posterior_gap(weights)
    np.testing.assert_allclose(values[-1] - values[0], gap.mean(), rtol=1e-9, atol=1e-12)


def test_the_exact_posterior_gives_the_likelihood_with_every_sample():
    """log w = log p(x) for every z: ELBO, IWAE and log p are one number, without any error."""
    weights = jax.jit(lambda key: log_weights(key, 12))(jax.random.key(0))
    exact = MODEL.log_prob(X)
    np.testing.assert_allclose(weights, exact, rtol=1e-12)
    for k in (1, 3, 12):
        np.testing.assert_allclose(theory.iwae_bound(weights, k).value, exact, rtol=1e-12)
    found = theory.importance_log_likelihood(weights)
    np.testing.assert_allclose(found.effective_samples, 12, rtol=1e-10)
    assert float(found.standard_error) < 1e-6  # the root of a rounding error
    np.testing.assert_allclose(theory.posterior_gap(weights), 0, atol=1e-12)


def test_importance_samples_find_the_likelihood():
    """500 draws of 200 samples, a posterior twice as wide: mean and error are as stated.

    The mean of the estimates is within 5 of their standard errors (6e-7) of log p plus the stated
    bias; the stated error is the estimates' deviation within 25 per cent (5 standard errors of a
    deviation of 500 are 16 per cent); the ELBO is KL(q || p) below log p.
    """
    keys = jax.random.split(jax.random.key(1), 500)
    weights = jax.jit(jax.vmap(lambda key: log_weights(key, 200, 2.0)))(keys)
    found = theory.importance_log_likelihood(weights)
    values, exact = np.asarray(found.value), float(MODEL.log_prob(X))
    spread = values.std(ddof=1)
    assert abs(values.mean() - exact - found.bias.mean()) < 5 * spread / np.sqrt(500)
    np.testing.assert_allclose(found.standard_error.mean(), spread, rtol=0.25)
    bounds = [theory.iwae_bound(weights, k) for k in (1, 5, 50, 200)]
    assert (np.diff([*(float(bound.value) for bound in bounds), exact]) > 0).all()
    posterior = MODEL.posterior(X)
    gap = theory.kl_gaussian(posterior.mean, 2 * posterior.covariance, *posterior)
    assert abs(bounds[0].value - (exact - gap)) < 5 * bounds[0].standard_error


def test_the_bias_of_the_logarithm_and_its_jackknife():
    """Log-normal weights of mean 1: -(e^(s^2) - 1) / 2L, and less than a tenth of it after it.

    20 000 draws of 20: 5 standard errors (6e-7) of each mean, and the terms of the order 1 / L^2.
    """
    draws = 0.5 * np.random.default_rng(0).normal(size=(20_000, 20)) - 0.125
    plain = np.asarray(theory.log_mean_exp(draws))
    better = np.asarray(theory.jackknife_log_mean_exp(draws))
    error = 5 * plain.std() / np.sqrt(len(draws))
    expected = -np.expm1(0.25) / 40
    assert abs(plain.mean() - expected) < error + 0.03 * abs(expected)
    assert abs(better.mean()) < error + 0.1 * abs(expected)
    assert error < 0.6 * abs(expected)
    estimated = theory.importance_log_likelihood(draws).bias
    np.testing.assert_allclose(estimated.mean(), expected, rtol=0.05)


def test_the_jackknife_by_leaving_out_each_sample():
    """The definition, in a loop."""
    weights = np.random.default_rng(3).normal(size=7)
    without = [theory.log_mean_exp(np.delete(weights, i)) for i in range(7)]
    expected = 7 * theory.log_mean_exp(weights) - 6 * np.mean(without)
    np.testing.assert_allclose(theory.jackknife_log_mean_exp(weights), expected, rtol=1e-12)


def test_errors_are_over_points_and_of_one_point_over_groups():
    """The standard error of the mean of the independent terms."""
    weights = np.random.default_rng(4).normal(size=(5, 6))
    groups = np.log(np.exp(weights).reshape(5, 3, 2).mean(2))
    error = lambda terms: np.std(terms, ddof=1) / np.sqrt(len(terms))
    np.testing.assert_allclose(
        theory.iwae_bound(weights, 2).standard_error, error(groups.mean(1)), rtol=1e-12
    )
    np.testing.assert_allclose(
        theory.iwae_bound(weights[0], 2).standard_error, error(groups[0]), rtol=1e-12
    )


def test_weights_of_zero_and_of_any_size():
    """-inf is a weight of 0; exponentials never overflow; no weight at all is log 0."""
    np.testing.assert_allclose(theory.log_mean_exp([0.0, -np.inf]), -np.log(2))
    np.testing.assert_allclose(theory.log_mean_exp([1e4, 1e4]), 1e4)
    assert theory.log_mean_exp([-np.inf, -np.inf]) == -np.inf
    one = theory.importance_log_likelihood([1e4, -1e4, -np.inf])
    np.testing.assert_allclose(one.effective_samples, 1)
    np.testing.assert_allclose(one.standard_error, 1)


def test_divergences_of_codes():
    """They are `kl_normal`, exact near the prior, and `kl_discrete`."""
    means, logs = np.array([0.3, -2.0, 0.0]), np.array([0.2, -1.0, 0.0])
    expected = [theory.kl_normal(m, np.exp(s), 0, 1) for m, s in zip(means, logs, strict=True)]
    np.testing.assert_allclose(theory.kl_standard_normal(means, logs), expected, rtol=1e-12)
    np.testing.assert_allclose(theory.kl_standard_normal(0.0, 1e-9), 1e-18, rtol=1e-6)
    q, p = np.random.default_rng(5).normal(size=(2, 4))
    shares = lambda logits: np.exp(logits) / np.exp(logits).sum()
    exact = theory.kl_discrete(shares(q), shares(p))
    np.testing.assert_allclose(theory.kl_categorical(q + 3, p - 2), exact, rtol=1e-12)
    inf = np.inf
    np.testing.assert_allclose(theory.kl_categorical([0.0, -inf], [0.0, 0.0]), np.log(2))
    np.testing.assert_allclose(theory.kl_categorical([0.0, -inf], [0.0, -inf]), 0)
    assert theory.kl_categorical([0.0, 0.0], [0.0, -inf]) == inf


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.log_mean_exp([]), "L at least 1"),
        (lambda: theory.importance_log_likelihood([1.0]), "L at least 2"),
        (lambda: theory.iwae_bound(np.zeros(6), 4), "k must divide the number of samples, 6"),
        (lambda: theory.iwae_bound(np.zeros(6), 7), "k must be from 1 to 6"),
        (lambda: theory.iwae_bound(np.zeros((2, 2, 2)), 1), r"must be of shape \(L,\) or \(n, L\)"),
        (lambda: theory.kl_standard_normal([1.0], [1.0, 2.0]), "must agree in shape"),
        (lambda: theory.kl_categorical([1.0], [1.0, 2.0]), "must be of one shape"),
    ],
)
def test_bad_input_is_refused(call, says):
    """One clear line."""
    with pytest.raises(ValueError, match=says):
        call()


def test_single_precision_keeps_a_sample_that_carries_the_sum_and_nearly_equal_weights():
    """The jackknife and the standard error in float32 are those of float64, to their precision."""
    alone = np.asarray([0.0, -20.0, -20.0])
    found = theory.jackknife_log_mean_exp(alone.astype(np.float32))
    np.testing.assert_allclose(found, theory.jackknife_log_mean_exp(alone), rtol=1e-5)
    level = 1e-4 * np.random.default_rng(0).normal(size=500)
    found = theory.importance_log_likelihood(level.astype(np.float32)).standard_error
    exact = theory.importance_log_likelihood(level).standard_error
    np.testing.assert_allclose(found, exact, rtol=0.02)


def test_a_divergence_near_the_prior_is_no_rounding_error():
    """KL = s^2 + O(s^3) for log-deviations near 0, in single precision too."""
    near = np.asarray([-1e-6, 3e-5], np.float32)
    found = theory.kl_standard_normal(np.zeros(2, np.float32), near)
    np.testing.assert_allclose(found, near.astype(float) ** 2, rtol=1e-3)
