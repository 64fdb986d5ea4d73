"""Distributions: densities integrate to one, samples follow them, families agree with scipy."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import theory

FAMILIES = {
    "normal": (theory.Normal, scipy.stats.norm),
    "laplace": (theory.Laplace, scipy.stats.laplace),
    "logistic": (theory.Logistic, scipy.stats.logistic),
    "uniform": (theory.Uniform, scipy.stats.uniform),
    "exponential": (theory.Exponential, scipy.stats.expon),
}
each_family = pytest.mark.parametrize("name", sorted(FAMILIES))


@each_family
@hyp.settings(max_examples=20)
@hyp.given(loc=st.floats(-5, 5), scale=st.floats(0.1, 5), level=st.floats(0.01, 0.99))
def test_families_agree_with_scipy(name, loc, scale, level):
    """Log density, distribution function, quantile, mean and variance."""
    make, reference = FAMILIES[name]
    ours, theirs = make(loc, scale), reference(loc, scale)
    x = theirs.ppf(level)
    np.testing.assert_allclose(ours.quantile(jnp.asarray(level)), x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        ours.log_prob(jnp.asarray(x)), theirs.logpdf(x), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(ours.cdf(jnp.asarray(x)), level, rtol=1e-9)
    np.testing.assert_allclose(ours.mean(), theirs.mean(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours.variance(), theirs.var(), rtol=1e-12)


@each_family
def test_samples_follow_the_distribution_function(name):
    """Kolmogorov-Smirnov on 20 000 samples at level 1e-6: that is the false-alarm rate."""
    law = FAMILIES[name][0](0.5, 1.7)
    samples = np.asarray(law.sample(jax.random.key(0), 20_000))
    cdf = lambda x: np.asarray(law.cdf(jnp.asarray(x)))
    assert scipy.stats.kstest(samples, cdf).pvalue > 1e-6
    assert np.isfinite(samples).all()


@each_family
def test_outside_the_support_there_is_no_density(name):
    """-inf and 0 or 1, never nan."""
    law = FAMILIES[name][0](0.0, 1.0)
    low = law.log_prob(jnp.asarray(-1000.0))
    assert low < -400
    assert law.cdf(jnp.asarray(-1000.0)) == 0


def test_mixture_density_against_scipy():
    """Full covariances, weights that need normalising."""
    covs = np.array([[[1.0, 0.5], [0.5, 2.0]], [[0.3, 0.0], [0.0, 0.1]]])
    means, weights = np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([3.0, 1.0])
    law = theory.gaussian_mixture(means, covariances=covs, weights=weights)
    points = np.random.default_rng(0).normal(size=(50, 2)) * 2
    density = sum(
        w * scipy.stats.multivariate_normal(m, c).pdf(points)
        for w, m, c in zip(weights / 4, means, covs, strict=True)
    )
    np.testing.assert_allclose(
        jax.vmap(law.log_prob)(jnp.asarray(points)), np.log(density), rtol=1e-10
    )


def test_mixture_score_is_the_weighted_pull_of_its_components():
    """sum_k r_k(x) (mu_k - x) / sigma^2, far from all modes too."""
    law = theory.ring(modes=3, radius=2.0, std=0.5)
    for x in (jnp.array([0.3, -0.2]), jnp.array([40.0, 7.0])):
        responsibility = jax.nn.softmax(law.component_log_probs(x))
        expected = responsibility @ ((law.means - x[None]) / 0.25)
        np.testing.assert_allclose(law.score(x), expected, rtol=1e-9)


def test_mixture_samples_have_its_moments():
    """Mean and covariance of 100 000 samples: within 5 standard errors, below 1e-5 false alarms."""
    covs = np.array([[[1.0, 0.5], [0.5, 2.0]], [[0.3, 0.0], [0.0, 0.1]]])
    means, weights = np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([0.75, 0.25])
    law = theory.gaussian_mixture(means, covariances=covs, weights=weights)
    samples = np.asarray(law.sample(jax.random.key(1), 100_000))
    mean = weights @ means
    cov = np.einsum("k,kij->ij", weights, covs) + np.cov(means.T, aweights=weights, ddof=0)
    error = np.sqrt(np.diag(cov) / 100_000)
    assert (np.abs(samples.mean(axis=0) - mean) < 5 * error).all()
    products = (samples - mean)[:, :, None] * (samples - mean)[:, None, :]
    spread = products.std(axis=0) / np.sqrt(100_000)
    assert (np.abs(products.mean(axis=0) - cov) < 5 * spread).all()


def test_ring_and_grid_are_where_they_should_be():
    """Eight distinct modes on the circle (a linspace to 2 pi has seven); 25 on {-4, ..., 4}^2."""
    ring, grid = theory.ring(), theory.grid()
    assert len(np.unique(np.round(ring.means, 9), axis=0)) == 8
    np.testing.assert_allclose(jnp.linalg.norm(ring.means, axis=1), 1, rtol=1e-12)
    assert len(np.unique(np.round(grid.means, 9), axis=0)) == 25
    assert set(np.asarray(grid.means).ravel()) == {-4, -2, 0, 2, 4}
    np.testing.assert_allclose(jnp.mean(grid.means, axis=0), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({}, "exactly one of stds and covariances"),
        ({"stds": 1.0, "covariances": np.eye(2)}, "exactly one of stds and covariances"),
        ({"stds": 0.0}, "must be positive"),
        ({"covariances": -np.eye(2)}, "positive definite"),
        ({"stds": 1.0, "weights": [1.0, -1.0]}, "not negative"),
    ],
)
def test_impossible_mixtures_are_refused(kwargs, message):
    """When they are made."""
    with pytest.raises(ValueError, match=message):
        theory.gaussian_mixture(np.zeros((2, 2)), **kwargs)


@hyp.given(theta=st.floats(-1, 1))
def test_parallel_lines_for_every_theta(theta):
    """W = |theta|; KL inf, JS log 2, TV 1 except at 0; and W by the exact plan on samples."""
    at = jnp.asarray(theta)
    apart = theta != 0
    assert theory.lines_w1(at) == abs(theta)
    assert theory.lines_kl(at) == (jnp.inf if apart else 0)
    np.testing.assert_allclose(theory.lines_js(at), np.log(2) if apart else 0)
    assert theory.lines_tv(at) == (1 if apart else 0)
    key = jax.random.key(0)
    here, there = (theory.ParallelLine(t).sample(key, 40) for t in (0.0, theta))
    # The same heights on both lines: the plan that moves each point straight across is optimal.
    np.testing.assert_allclose(theory.wasserstein(here, there), abs(theta), atol=1e-9)


def test_only_wasserstein_has_a_useful_slope_between_lines():
    """d W / d theta = sign(theta); JS is flat."""
    assert jax.grad(theory.lines_w1)(0.3) == 1
    assert jax.grad(theory.lines_w1)(-0.3) == -1
    assert jax.grad(theory.lines_js)(0.3) == 0
