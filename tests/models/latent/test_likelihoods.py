"""Likelihoods: probabilities that sum to 1, densities of SciPy, moments of draws, NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import gameopt as go
import models

KEY = jax.random.key(0)
LOG_DEVIATION = jnp.asarray(-0.7)
LAWS = {
    "bernoulli": models.BernoulliLikelihood(),
    "gaussian": models.GaussianLikelihood(LOG_DEVIATION),
    "learned_gaussian": models.LearnedGaussianLikelihood(),
    "logistic": models.DiscretizedLogisticLikelihood(levels=5),
    "categorical": models.CategoricalLikelihood(levels=5),
}
LEVELS = jnp.linspace(-1, 1, 5)


@pytest.mark.parametrize("location", [-3.0, -0.9, 0.1, 0.5, 4.0])
@pytest.mark.parametrize("log_scale", [-4.9, -2.0, 0.0, 3.0])
def test_a_discretised_logistic_is_a_law_on_levels(location, log_scale):
    """The cells' probabilities sum to 1, and are differences of SciPy's distribution function."""
    law = models.DiscretizedLogisticLikelihood(levels=5)
    parameters = jnp.asarray([[location, log_scale]])
    found = jax.vmap(lambda level: law.log_prob(parameters, level[None]))(LEVELS)
    np.testing.assert_allclose(jnp.sum(jnp.exp(found)), 1, rtol=1e-12)
    scale = np.exp(-5 + np.logaddexp(0, log_scale + 5))
    edges = np.array([-np.inf, -0.75, -0.25, 0.25, 0.75, np.inf])
    exact = np.diff(stats.logistic.cdf(edges, location, scale))
    kept = exact > 1e-10
    np.testing.assert_allclose(np.exp(found)[kept], exact[kept], rtol=1e-5)


def test_a_logistic_far_away_has_a_finite_log_probability_and_gradient():
    """A difference of two distribution functions would be log 0 there."""
    law = models.DiscretizedLogisticLikelihood()
    loss = lambda p: law.log_prob(p, jnp.asarray([0.3], jnp.float32))
    for parameters in ([[-1e4, -5.0]], [[1e4, -5.0]], [[0.0, 90.0]], [[0.0, 300.0]]):
        value, slope = jax.value_and_grad(loss)(jnp.asarray(parameters, jnp.float32))
        assert np.isfinite(value)
        assert np.isfinite(slope).all()


def test_bits_and_levels_sum_to_one():
    """Over all points of two numbers."""
    logits = jax.random.normal(KEY, (2,))
    bits = jnp.asarray([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    found = jax.vmap(lambda x: LAWS["bernoulli"].log_prob(logits, x))(bits)
    np.testing.assert_allclose(jnp.sum(jnp.exp(found)), 1, rtol=1e-12)
    logits = jax.random.normal(KEY, (1, 5))
    found = jax.vmap(lambda x: LAWS["categorical"].log_prob(logits, x[None]))(LEVELS)
    np.testing.assert_allclose(jnp.exp(found), jax.nn.softmax(logits[0]), rtol=1e-12)


def test_gaussians_are_scipy_s():
    """One deviation for all numbers, and one for each."""
    x, mean = jax.random.normal(KEY, (2, 3))
    exact = stats.norm.logpdf(x, mean, np.exp(LOG_DEVIATION)).sum()
    np.testing.assert_allclose(LAWS["gaussian"].log_prob(mean, x), exact, rtol=1e-12)
    raw = jnp.asarray([0.3, -1.0, 2.0])
    deviations = np.exp(-5 + np.logaddexp(0, raw + 5))
    exact = stats.norm.logpdf(x, mean, deviations).sum()
    found = LAWS["learned_gaussian"].log_prob(jnp.stack([mean, raw], axis=-1), x)
    np.testing.assert_allclose(found, exact, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(LAWS))
def test_draws_have_the_mean_of_the_law(name):
    """Within 5.5 standard errors in each of two numbers, which fails by chance once in 10^7 runs.

    A logistic's mean is that of the law without its edges: it is tested well inside.
    """
    law = LAWS[name]
    shape = law.parameters_shape((2,))
    parameters = 0.3 * jax.random.normal(KEY, shape)
    if name == "logistic":
        parameters = parameters.at[:, 1].set(-2.0)
    draws = jax.vmap(lambda key: law.sample(parameters, key))(jax.random.split(KEY, 4000))
    error = np.std(draws, axis=0) / np.sqrt(4000)
    assert draws.shape == (4000, 2)
    slack = 0.01 if name == "logistic" else 0.0  # rounding to levels
    assert (np.abs(np.mean(draws, axis=0) - law.mean(parameters)) < 5.5 * error + slack).all()


@pytest.mark.parametrize("name", sorted(LAWS))
def test_nan_comes_out(name):
    """Of a point and of parameters."""
    law = LAWS[name]
    parameters = jnp.zeros(law.parameters_shape((2,)))
    point = jnp.asarray([0.0, 1.0])
    assert np.isnan(law.log_prob(parameters, point.at[0].set(jnp.nan)))
    broken = parameters.reshape(-1).at[0].set(jnp.nan).reshape(parameters.shape)
    assert np.isnan(law.log_prob(broken, point))
    assert np.isnan(law.mean(broken)).any()


def test_a_fixed_deviation_is_not_played():
    """Its value counts, and no optimizer sees it."""
    fixed = models.GaussianLikelihood(go.Fixed(LOG_DEVIATION))
    assert not jax.tree.leaves(go.playable(fixed))
    assert jax.tree.leaves(go.playable(LAWS["gaussian"]))
    x, mean = jax.random.normal(KEY, (2, 3))
    assert fixed.log_prob(mean, x) == LAWS["gaussian"].log_prob(mean, x)


def test_too_few_levels_are_refused():
    """One level says nothing."""
    for law in (models.CategoricalLikelihood, models.DiscretizedLogisticLikelihood):
        with pytest.raises(ValueError, match="at least 2"):
            law(levels=1)
