"""Laws of codes: divergences, mixtures, the VampPrior, labels."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import models
import theory

KEY = jax.random.key(0)
GAUSSIAN = models.DiagonalGaussian(jnp.asarray([0.3, -1.0]), jnp.asarray([-0.5, 0.2]))


def test_a_diagonal_gaussian_is_scipy_s_and_its_divergence_theory_s():
    """log q by SciPy; KL(q || N(0, I)) by coordinates, by the formula of `theory`."""
    z = jnp.asarray([0.7, 0.1])
    deviation = np.exp(GAUSSIAN.log_deviation)
    exact = stats.norm.logpdf(z, GAUSSIAN.mean, deviation).sum()
    np.testing.assert_allclose(GAUSSIAN.log_prob(z), exact, rtol=1e-13)
    kl = theory.kl_standard_normal(GAUSSIAN.mean, GAUSSIAN.log_deviation)
    np.testing.assert_allclose(GAUSSIAN.kl_to_standard(), kl, rtol=1e-13)
    # e^2s - 1 - 2s, of which both halves are a million times larger.
    near = models.DiagonalGaussian(jnp.zeros(1), jnp.asarray([1e-6]))
    np.testing.assert_allclose(near.kl_to_standard()[0], 1e-12, rtol=1e-3)


def encoder(point):
    """Moves the posterior with the point."""
    return models.DiagonalGaussian(2 * point, jnp.zeros_like(point) - 0.5)


PRIORS = {
    "normal": models.StandardNormalPrior(1),
    "mixture": models.MixturePrior(1, 3, KEY),
    "vamp": models.VampPrior(jnp.asarray([[0.1], [0.6]]), 0.0, 1.0),
}


@pytest.mark.parametrize("name", sorted(PRIORS))
def test_a_prior_is_a_law_and_its_draws_are_its_own(name):
    """Its density integrates to 1; 4000 draws pass Kolmogorov's test, by chance but 1 in 10^4."""
    law = PRIORS[name].law(encoder)
    grid = jnp.linspace(-12, 12, 20_001)
    density = np.exp(jax.vmap(lambda z: law.log_prob(z[None]))(grid))
    mass = np.cumsum(density) * float(grid[1] - grid[0])
    np.testing.assert_allclose(mass[-1], 1, atol=1e-6)
    draws = jax.vmap(law.sample)(jax.random.split(KEY, 4000))[:, 0]
    test = stats.kstest(np.asarray(draws), lambda z: np.interp(z, grid, mass))
    assert test.pvalue > 1e-4


def test_a_vamp_prior_is_the_mean_posterior_of_its_inputs_and_moves_with_the_encoder():
    """Begun at points of the data; its gradient reaches pseudo-inputs and encoder."""
    points = jnp.asarray([[0.25], [0.5]])
    prior = models.VampPrior(points, 0.0, 1.0)
    np.testing.assert_allclose(prior.inputs(), points, rtol=1e-12)
    z = jnp.asarray([0.4])
    exact = np.mean([np.exp(encoder(point).log_prob(z)) for point in points])
    np.testing.assert_allclose(prior.law(encoder).log_prob(z), np.log(exact), rtol=1e-12)
    slope = jax.grad(
        lambda scale: prior.law(lambda x: models.DiagonalGaussian(scale * x, 0 * x)).log_prob(z)
    )(1.0)
    assert slope != 0
    at_bounds = models.VampPrior(jnp.asarray([[0.0], [1.0]]), 0.0, 1.0)
    assert np.isfinite(at_bounds.pseudo_inputs).all()


def test_empty_priors_are_refused():
    """No component, no point, no interval."""
    with pytest.raises(ValueError, match="at least 1"):
        models.MixturePrior(2, 0, KEY)
    with pytest.raises(ValueError, match="needs points"):
        models.VampPrior(jnp.zeros((0, 2)), 0.0, 1.0)
    with pytest.raises(ValueError, match="low < high"):
        models.VampPrior(jnp.zeros((1, 2)), 1.0, 1.0)


def test_an_encoder_bounds_its_deviations():
    """A number that would overflow the exponential is cut off, and NaN is not."""
    network = lambda x: jnp.concatenate([x, 1e6 * x])
    law = models.GaussianEncoder(network)(jnp.asarray([1.0, -1.0]))
    assert np.isfinite(jnp.exp(law.log_deviation)).all()
    assert np.isnan(models.GaussianEncoder(network)(jnp.full(2, jnp.nan)).mean).all()


def test_a_unit_beyond_the_bound_is_pulled_back():
    """The KL's gradient by a log-deviation of 11 is that at the bound, and not 0."""
    kl = lambda s: jnp.sum(
        models.GaussianEncoder(lambda x: jnp.stack([x, s]))(jnp.zeros(())).kl_to_standard()
    )
    np.testing.assert_allclose(jax.grad(kl)(11.0), jnp.expm1(20.0), rtol=1e-12)
    np.testing.assert_allclose(jax.grad(kl)(-11.0), jnp.expm1(-20.0), rtol=1e-12)


@pytest.mark.parametrize("shape", [(3,), (4, 4), (4, 4, 2)])
def test_a_label_is_seen_as_further_channels(shape):
    """The network sees the shape that `labelled_shape` says, and the label changes its output."""
    seen = models.labelled_shape(shape, 3)
    network = models.mlp_encoder(seen, 2, width=4, depth=1, key=KEY)
    labelled = models.LabelledEncoder(network, 3)
    outputs = [labelled(jnp.ones(shape), jnp.int32(label)) for label in range(3)]
    assert not np.allclose(outputs[0], outputs[1])
    assert outputs[0].shape == (2,)


def test_a_latent_model_is_prior_network_and_likelihood():
    """log p(x|z), E[x|z] and draws of it, by the likelihood of the network's numbers."""
    network = models.mlp_generator(2, (3,), width=4, depth=1, key=KEY, bounded=False)
    model = models.LatentModel(PRIORS["normal"], network, models.BernoulliLikelihood())
    z, x = jnp.asarray([0.5, -0.2]), jnp.asarray([1.0, 0.0, 1.0])
    logits = network(z)
    exact = jnp.sum(jnp.log(jnp.where(x > 0, jax.nn.sigmoid(logits), jax.nn.sigmoid(-logits))))
    np.testing.assert_allclose(model.log_likelihood(z, x), exact, rtol=1e-12)
    np.testing.assert_allclose(model.mean(z), jax.nn.sigmoid(logits), rtol=1e-12)
    assert set(np.unique(eqx.filter_jit(model.draw)(z, KEY))) <= {0.0, 1.0}
