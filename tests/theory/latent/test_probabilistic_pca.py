"""Probabilistic PCA against numerical maximisation; EM's rate against its Jacobian."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from jax.flatten_util import ravel_pytree

import theory

_rng = np.random.default_rng(0)
POINTS = jnp.asarray(_rng.normal(size=(60, 6)) @ _rng.normal(size=(6, 6)) + 3)
DATA = theory.moments(POINTS)
EIGENVALUES = np.linalg.eigvalsh(DATA.covariance)  # 16.4, 9.0, 7.7, 2.7, 1.0, 0.1 or so
CASES = [(0, None), (2, None), (5, None), (2, 1.0), (4, 8.0), (6, 2.0), (6, 0.05)]
"""Numbers of latents and fixed variances, with fewer eigenvalues above it or not."""


best_model = jax.jit(theory.probabilistic_pca, static_argnums=2)
exact_likelihood = jax.jit(theory.pca_log_likelihood, static_argnums=1)
exact_rate = jax.jit(theory.em_rate, static_argnums=1)
em_round = jax.jit(theory.em_round, static_argnames="learn_variance")


@jax.jit
def mean_log_likelihood(model):
    return jnp.mean(jax.vmap(model.log_prob)(POINTS))


@pytest.mark.parametrize(("k", "variance"), CASES)
def test_the_model_has_the_likelihood_of_the_closed_form(k, variance):
    """The mean of `log_prob` over the points themselves, to rounding."""
    model = best_model(*DATA, k, variance)
    exact = exact_likelihood(EIGENVALUES, k, variance)
    np.testing.assert_allclose(mean_log_likelihood(model), exact, rtol=1e-12)


@pytest.mark.parametrize(("k", "variance"), [(2, None), (4, 8.0)])
def test_numerical_maximisation_finds_no_more(k, variance):
    """BFGS from two random starts reaches the closed form to 1e-6 nats, never above it."""
    start = (jnp.asarray(_rng.normal(size=(2, 6, k))), jnp.zeros(2))
    exact = exact_likelihood(EIGENVALUES, k, variance)
    _, unravel = ravel_pytree(jax.tree.map(lambda leaf: leaf[0], start))

    @jax.jit
    @jax.value_and_grad
    def loss(flat):
        weights, log_variance = unravel(flat)
        noise = jnp.exp(log_variance) if variance is None else jnp.asarray(variance)
        return -mean_log_likelihood(theory.LinearGaussian(weights, DATA.mean, noise))

    for seed in range(2):
        flat = ravel_pytree(jax.tree.map(lambda leaf, at=seed: leaf[at], start))[0]
        found = scipy.optimize.minimize(loss, np.asarray(flat), jac=True, method="BFGS")
        np.testing.assert_allclose(-found.fun, exact, atol=1e-6)
        assert -found.fun <= exact + 1e-10


def test_no_latents_is_one_variance_and_all_of_them_the_whole_gaussian():
    """k = 0: an isotropic Gaussian. k = d - 1: the likelihood of the full covariance."""
    assert theory.best_variance(EIGENVALUES, 0) == pytest.approx(EIGENVALUES.mean())
    full = -0.5 * (6 * np.log(2 * np.pi) + np.log(EIGENVALUES).sum() + 6)
    np.testing.assert_allclose(exact_likelihood(EIGENVALUES, 5), full, rtol=1e-12)
    model = best_model(*DATA, 5)
    np.testing.assert_allclose(model.covariance, DATA.covariance, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("beta", [0.3, 1.0, 1.5, 3.0, 20.0])
@pytest.mark.parametrize("k", [0, 3, 5])
def test_the_best_variance_of_a_beta_vae_solves_its_equation(k, beta):
    """The equation of the docstring, whose left side falls in the variance: it has one root."""
    variance = theory.best_variance(EIGENVALUES, k, beta)
    ratios = np.sort(EIGENVALUES)[::-1] / float(variance)
    ratios[:k] = np.minimum(ratios[:k], beta)
    np.testing.assert_allclose(ratios.sum(), 6, rtol=1e-12)
    if beta == 1:
        np.testing.assert_allclose(variance, EIGENVALUES[: 6 - k].mean(), rtol=1e-12)


def test_units_are_active_above_beta_times_the_variance():
    """Counts by hand, with and without a limit on the latents."""
    values = [1.0, 4.0, 9.0, 0.5]
    count = lambda variance, **more: float(theory.active_units(values, variance, **more))
    assert [count(v) for v in (0.1, 0.5, 0.7, 1.0, 5.0, 9.0)] == [4, 3, 3, 2, 1, 0]
    assert [count(0.7, beta=beta) for beta in (1, 2, 7, 20)] == [3, 2, 1, 0]
    assert [count(0.7, k=k) for k in (0, 1, 2, 4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("variance", [None, 1.0])
def test_em_climbs_to_the_optimum_and_stays(variance):
    """The likelihood never falls (but by rounding), and the optimum is a fixed point."""
    fixed = {"learn_variance": variance is None}
    model = theory.LinearGaussian(_rng.normal(size=(6, 2)), DATA.mean, 1.0)
    values = []
    play = jax.jit(lambda m: (mean_log_likelihood(m), theory.em_round(m, *DATA, **fixed)))
    for _ in range(400):
        value, model = play(model)
        values.append(float(value))
    assert np.diff(values).min() > -1e-12
    np.testing.assert_allclose(values[-1], exact_likelihood(EIGENVALUES, 2, variance), atol=1e-9)
    best = best_model(*DATA, 2, variance)
    again = em_round(best, *DATA, **fixed)
    np.testing.assert_allclose(again.weights, best.weights, atol=1e-12)
    np.testing.assert_allclose(again.variance, best.variance, rtol=1e-12)


def test_em_is_the_best_decoder_of_exact_posteriors():
    """The gradient of the ELBO in the decoder vanishes where the encoder is the old posterior."""
    old = theory.LinearGaussian(_rng.normal(size=(6, 3)), DATA.mean, 0.7)
    new, encoder = em_round(old, *DATA), theory.best_encoder(old)

    def elbo(weights, mean, variance):
        model = theory.LinearGaussian(weights, mean, variance)
        return -sum(theory.linear_rate_distortion(model, encoder, *DATA))

    slopes = jax.jit(jax.grad(elbo, argnums=(0, 1, 2)))(new.weights, new.mean, new.variance)
    for slope in slopes:
        np.testing.assert_allclose(slope, 0, atol=1e-10)


@functools.partial(jax.jit, static_argnums=2)
def em_jacobian(best, covariance, learn_variance):
    """The Jacobian of one round at the optimum, in all entries of W and the variance if learnt."""
    flat, unravel = ravel_pytree((best.weights, best.variance) if learn_variance else best.weights)

    def play(parameters):
        found = unravel(parameters)
        weights, noise = found if learn_variance else (found, best.variance)
        model = theory.LinearGaussian(weights, best.mean, noise)
        new = em_round(model, best.mean, covariance, learn_variance=learn_variance)
        return ravel_pytree((new.weights, new.variance) if learn_variance else new.weights)[0]

    return jax.jacfwd(play)(flat)


SPECTRA = {
    "subspace": (9.0, 5.0, 4.5, 1.0, 0.5),
    "angles and lengths": (9.0, 8.0, 0.5, 0.4, 0.3),
    "variance": (30.0, 3.0, 2.9, 2.8, 2.7),
}


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize(("k", "variance"), [(0, None), (1, None), (2, None), (4, None)])
def test_the_rate_of_em_is_in_its_jacobian(spectrum, k, variance):
    """The largest eigenvalue after the rotations' ones, k (k - 1) / 2 of them, to 1e-9."""
    check_em_rate(SPECTRA[spectrum], k, variance, k)


@pytest.mark.parametrize(
    ("k", "variance", "active"), [(2, 1.0, 2), (3, 6.0, 1), (5, 2.0, 3), (5, 0.1, 5), (2, 20.0, 0)]
)
def test_the_rate_of_em_with_a_fixed_variance(k, variance, active):
    """The idle latents turn among themselves in no direction: their columns are 0."""
    check_em_rate(SPECTRA["subspace"], k, variance, active)


def check_em_rate(values, k, variance, active):
    values = np.asarray(values)
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=2 * values.shape))[0]
    covariance = turned * values @ turned.T
    best = best_model(np.zeros(len(values)), covariance, k, variance)
    jacobian = np.asarray(em_jacobian(best, covariance, variance is None))
    found = np.sort(np.abs(np.linalg.eigvals(jacobian)))[::-1]
    idle = k - active
    rotations = k * (k - 1) // 2 - idle * (idle - 1) // 2
    np.testing.assert_allclose(found[:rotations], 1, atol=1e-9)
    rate = found[rotations] if len(found) > rotations else 0.0
    np.testing.assert_allclose(exact_rate(values, k, variance), rate, atol=1e-9)
    if variance is not None:
        assert float(theory.active_units(values, variance, k=k)) == active


def test_equal_eigenvalues_at_the_edge_have_no_rate():
    """The subspace is not unique there, and EM does not choose one: 1."""
    np.testing.assert_allclose(exact_rate(jnp.array([4.0, 2.0, 2.0, 1.0]), 2), 1.0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.best_variance([1.0, 2.0], 2), "k must be 0 or 1, a whole number"),
        (lambda: theory.pca_log_likelihood([1.0, 2.0], 3, 1.0), "k must be from 0 to 2"),
        (lambda: theory.pca_log_likelihood([1.0, -2.0], 1), "eigenvalues must not be negative"),
        (lambda: theory.active_units([1.0], 0.0), "variance must be positive"),
        (lambda: theory.probabilistic_pca([0.0], [[1.0, 0.0]], 0), "a covariance of shape"),
    ],
)
def test_bad_input_is_refused(call, says):
    """One clear line."""
    with pytest.raises(ValueError, match=says):
        call()
