"""The linear-Gaussian model against dense Gaussians, Bayes' rule and conditional laws."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import theory


def model_of(d=5, k=2, seed=0, variance=0.3):
    rng = np.random.default_rng(seed)
    return theory.LinearGaussian(rng.normal(size=(d, k)), rng.normal(size=d), variance)


def dense_log_prob(x, mean, covariance):
    """scipy's log density, which knows nothing of latents."""
    law: Any = scipy.stats.multivariate_normal
    return law.logpdf(np.asarray(x), np.asarray(mean), np.asarray(covariance))


POINT = jnp.asarray(np.random.default_rng(9).normal(size=5))


@pytest.mark.parametrize("k", [0, 2, 7])
def test_the_density_is_that_of_the_dense_gaussian(k):
    """scipy's, whose covariance has d x d entries, to rounding; under jit, vmap and grad too."""
    model = model_of(k=k)
    points = POINT[None] * jnp.arange(3.0)[:, None]
    ours = jax.jit(jax.vmap(model.log_prob))(points)
    np.testing.assert_allclose(
        ours, dense_log_prob(points, model.mean, model.covariance), rtol=1e-11
    )
    score = -jnp.linalg.solve(model.covariance, POINT - model.mean)
    np.testing.assert_allclose(jax.jit(lambda x: model.score(x))(POINT), score, rtol=1e-10)


def test_the_density_keeps_its_digits_at_small_noise():
    """At a variance of 1e-10 a difference of quadratic forms would have lost ten digits.

    One latent along the first axis of two: the dense law is a product of two normal laws.
    """
    model = theory.LinearGaussian([[1.0], [0.0]], [0.0, 0.0], 1e-10)
    x = np.array([0.7, 2e-5])
    expected = scipy.stats.norm.logpdf(x, scale=np.sqrt([1 + 1e-10, 1e-10])).sum()
    np.testing.assert_allclose(model.log_prob(x), expected, rtol=1e-9)


def test_bayes_rule_holds_at_every_latent():
    """log p(x) = log p(x|z) + log p(z) - log p(z|x), whatever z is."""
    model = model_of()
    posterior = model.posterior(POINT)
    for z in np.random.default_rng(1).normal(size=(4, 2)):
        noise = np.sqrt(model.variance)
        at_x = scipy.stats.norm.logpdf(POINT, model.mean + model.weights @ z, noise).sum()
        at_z = scipy.stats.norm.logpdf(z).sum()
        given = dense_log_prob(z, *posterior)
        np.testing.assert_allclose(model.log_prob(POINT), at_x + at_z - given, rtol=1e-10)


MASKS = {"none": [0] * 5, "some": [1, 0, 1, 1, 0], "all": [1] * 5}


@pytest.mark.parametrize("mask", MASKS)
def test_the_predictive_law_is_a_conditional_law(mask):
    """P(x'|x) by conditioning the joint law of (x, x'), whose cross-covariance is W W^T.

    The second point's noise is its own, so that at entries that are not observed it has the law of
    the first point's entries themselves.
    """
    model, observed = model_of(), jnp.asarray(MASKS[mask], bool)
    law = jax.jit(lambda x, seen: model.predictive(x, seen))(POINT, observed)
    inside, across = model.covariance, model.weights @ model.weights.T
    joint = jnp.block([[inside, across], [across, inside]])
    given = theory.gaussian_conditional(
        jnp.tile(model.mean, 2),
        joint,
        jnp.concatenate([POINT, jnp.full(5, jnp.nan)]),
        jnp.concatenate([observed, jnp.zeros(5, bool)]),
    )
    np.testing.assert_allclose(law.mean, given.mean[5:], rtol=1e-10)
    np.testing.assert_allclose(law.covariance, given.covariance[5:, 5:], rtol=1e-9, atol=1e-12)
    missing = ~np.asarray(observed)
    itself = theory.gaussian_conditional(model.mean, inside, POINT, observed)
    np.testing.assert_allclose(law.mean[missing], itself.mean[missing], rtol=1e-10)
    block = np.ix_(missing, missing)
    np.testing.assert_allclose(law.covariance[block], itself.covariance[block], atol=1e-12)


def test_conditional_laws_by_their_definition():
    """p(missing | observed) = p(x) / p(observed), at any missing values; observed ones stay."""
    model, observed = model_of(seed=3), np.array(MASKS["some"], bool)
    given = theory.gaussian_conditional(model.mean, model.covariance, POINT, observed)
    dense, mean = np.asarray(model.covariance), np.asarray(model.mean)
    marginal = dense_log_prob(POINT[observed], mean[observed], dense[np.ix_(observed, observed)])
    ours = dense_log_prob(
        POINT[~observed],
        given.mean[~observed],
        given.covariance[np.ix_(~observed, ~observed)],
    )
    np.testing.assert_allclose(ours, model.log_prob(POINT) - marginal, rtol=1e-10)
    np.testing.assert_array_equal(given.mean[observed], POINT[observed])
    np.testing.assert_array_equal(given.covariance[observed], 0)


def test_what_is_not_observed_does_not_matter_and_what_is_does():
    """NaN at missing entries changes nothing; at an observed entry everything is NaN."""
    model, observed = model_of(), jnp.asarray(MASKS["some"], bool)
    holes = jnp.where(observed, POINT, jnp.nan)
    np.testing.assert_array_equal(
        model.posterior(holes, observed).mean, model.posterior(POINT, observed).mean
    )
    broken = POINT.at[0].set(jnp.nan)
    assert np.isnan(model.posterior(broken, observed).mean).all()
    assert np.isnan(model.predictive(broken, observed).mean).all()


def test_mutual_information_is_the_fall_of_entropy():
    """I(x; z) = H(x) - H(x|z) = log det C / 2 - d log sigma^2 / 2."""
    model = model_of(k=3)
    fall = 0.5 * (np.linalg.slogdet(model.covariance)[1] - 5 * np.log(0.3))
    np.testing.assert_allclose(model.mutual_information(), fall, rtol=1e-12)


def test_samples_have_the_moments():
    """20 000 samples: means within 5 standard errors; covariances within 5 of theirs.

    An entry of a Gaussian's sample covariance has the variance (c_ii c_jj + c_ij^2) / n. Twenty
    numbers: by chance once in 9e4 keys.
    """
    model, n = model_of(), 20_000
    found = theory.moments(model.sample(jax.random.key(0), n))
    variances = jnp.diagonal(model.covariance)
    assert (jnp.abs(found.mean - model.mean) < 5 * jnp.sqrt(variances / n)).all()
    error = jnp.sqrt((jnp.outer(variances, variances) + model.covariance**2) / n)
    assert (jnp.abs(found.covariance - model.covariance) < 5 * error).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.LinearGaussian([1.0, 2.0], [0.0, 0.0], 1.0), r"weights must have the shap"),
        (lambda: theory.LinearGaussian([[1.0]], [0.0, 0.0], 1.0), "must agree in shape"),
        (lambda: theory.LinearGaussian([[1.0]], [0.0], 0.0), "variance must be positive, got 0"),
        (lambda: model_of().log_prob(jnp.zeros(4)), "x and mean must agree in shape"),
        (lambda: model_of().posterior(POINT, [True]), "observed and mean must agree in shape"),
        (lambda: theory.moments([1.0, 2.0]), r"points must have the shape \(n, d\)"),
    ],
)
def test_bad_input_is_refused(call, says):
    """One clear line."""
    with pytest.raises(ValueError, match=says):
        call()
