"""The linear VAE: its ELBO by two decompositions, its optimum, curves and Hessian."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from jax.flatten_util import ravel_pytree

import theory

_rng = np.random.default_rng(0)
POINTS = jnp.asarray(_rng.normal(size=(20, 4)) @ _rng.normal(size=(4, 4)) + 1)
DATA = theory.moments(POINTS)
EIGENVALUES = np.linalg.eigvalsh(DATA.covariance)[::-1]
TURNED = np.linalg.qr(_rng.normal(size=(4, 4)))[0]
CENTRED = theory.Moments(
    jnp.zeros(4), jnp.asarray(TURNED @ np.diag([3.0, 1.5, 0.5, 0.2]) @ TURNED.T)
)


def hessian_of(parameters, data: theory.Moments, beta=1.0, learn_variance=True):
    compiled = jax.jit(
        lambda p: theory.linear_vae_hessian(
            p, data.mean, data.covariance, beta, learn_variance=learn_variance
        )
    )
    return np.asarray(compiled(parameters))


best_vae = jax.jit(theory.linear_vae_optimum, static_argnums=2)
rate_distortion = jax.jit(theory.linear_rate_distortion)


def any_vae(k=2, seed=1):
    """A decoder, and an encoder with a full covariance, far from any optimum."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(k, k)) + 2 * np.eye(k)
    encoder = theory.LinearEncoder(rng.normal(size=(k, 4)), rng.normal(size=k), root @ root.T)
    return theory.LinearGaussian(rng.normal(size=(4, k)), rng.normal(size=4), 0.7), encoder


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_elbo_is_the_likelihood_minus_the_posterior_gap(k):
    """-D - R = E log p(x) - E KL(q(z|x) || p(z|x)), with `kl_gaussian` point by point."""
    model, encoder = any_vae(k)
    rate, distortion = rate_distortion(model, encoder, *DATA)

    def bound(x):
        code = encoder.weights @ x + encoder.offset
        gap = theory.kl_gaussian(code, encoder.covariance, *model.posterior(x))
        return model.log_prob(x) - gap

    np.testing.assert_allclose(
        -rate - distortion, jax.jit(jax.vmap(bound))(POINTS).mean(), rtol=1e-10
    )


def test_the_rate_is_the_mean_kl_from_the_prior():
    """E KL(q(z|x) || N(0, I)) over points; one point is a mean without covariance."""
    model, encoder = any_vae()
    prior = (jnp.zeros(2), jnp.eye(2))
    kl = lambda x: theory.kl_gaussian(
        encoder.weights @ x + encoder.offset, encoder.covariance, *prior
    )
    rates = jax.jit(jax.vmap(kl))(POINTS)
    nothing = jnp.zeros((4, 4))
    each = jax.vmap(lambda x: rate_distortion(model, encoder, x, nothing))(POINTS)
    np.testing.assert_allclose(each.rate, rates, rtol=1e-12)
    whole = rate_distortion(model, encoder, *DATA)
    np.testing.assert_allclose(whole.rate, rates.mean(), rtol=1e-12)
    np.testing.assert_allclose(whole.distortion, each.distortion.mean(), rtol=1e-12)


def test_the_rate_is_information_and_the_aggregated_gap():
    """Hoffman & Johnson: R = I(x; z) + KL(q(z) || p(z)), all Gaussian for Gaussian data."""
    model, encoder = any_vae()
    code = encoder.aggregated(*DATA)
    log_det = lambda matrix: np.linalg.slogdet(matrix)[1]
    information = 0.5 * (log_det(code.covariance) - log_det(encoder.covariance))
    gap = theory.kl_gaussian(*code, jnp.zeros(2), jnp.eye(2))
    rate = rate_distortion(model, encoder, *DATA).rate
    np.testing.assert_allclose(rate, information + gap, rtol=1e-12)


CASES = [(2, None, 1.0), (2, None, 1.6), (3, 1.0, 1.0), (4, 0.3, 2.0)]


@pytest.mark.parametrize(("k", "variance", "beta"), CASES)
def test_nothing_is_better_than_the_optimum(k, variance, beta):
    """No slope there, no negative curvature, and BFGS from elsewhere finds the same value.

    For beta = 1 the value is the likelihood of `pca_log_likelihood`.
    """
    best = best_vae(*DATA, k, variance, beta=beta)
    flat, unravel = ravel_pytree(best)

    @jax.jit
    @jax.value_and_grad
    def loss(flat):
        parameters = unravel(flat)
        if variance is not None:
            parameters = parameters._replace(log_variance=jnp.log(variance))
        return theory.linear_vae_objective(parameters, *DATA, beta)

    value, slope = loss(flat)
    np.testing.assert_allclose(slope, 0, atol=1e-9)
    hessian = hessian_of(best, DATA, beta, learn_variance=variance is None)
    assert np.linalg.eigvalsh(hessian).min() > 1e-3
    start = np.asarray(flat) + np.random.default_rng(2).normal(size=flat.size)
    found = scipy.optimize.minimize(loss, start, jac=True, method="BFGS")
    np.testing.assert_allclose(found.fun, value, atol=1e-6)
    if beta == 1:
        likelihood = theory.pca_log_likelihood(EIGENVALUES, k, variance)
        np.testing.assert_allclose(-value, likelihood, rtol=1e-12)


def test_the_best_encoder_of_any_decoder():
    """The objective has no slope in any of its entries, for every beta."""
    model, _ = any_vae(3)
    for beta in (0.5, 1.0, 4.0):
        best = theory.best_encoder(model, beta)

        def loss(weights, offset, covariance, beta=beta):
            encoder = theory.LinearEncoder(weights, offset, covariance)
            rate, distortion = theory.linear_rate_distortion(model, encoder, *DATA)
            return distortion + beta * rate

        slopes = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(
            best.weights, best.offset, best.covariance
        )
        for slope in slopes:
            np.testing.assert_allclose(slope, 0, atol=1e-9)


@pytest.mark.parametrize("variance", [None, 0.5])
def test_the_curve_is_that_of_the_optima(variance):
    """Rate and distortion of `linear_vae_optimum` for every beta, and units by the count."""
    betas = np.array([0.2, 1.0, 1.3, 10.0, 60.0])
    rates, distortions = theory.rate_distortion_curve(EIGENVALUES, betas, variance, k=3)
    for beta, rate, distortion in zip(betas, rates, distortions, strict=True):
        best = best_vae(*DATA, 3, variance, beta=float(beta))
        at = rate_distortion(best.decoder(), best.encoder(), *DATA)
        np.testing.assert_allclose([rate, distortion], at, rtol=1e-9, atol=1e-9)
        used = float(jnp.sum(jnp.any(jnp.abs(best.weights) > 1e-12, axis=0)))
        noise = jnp.exp(best.log_variance)
        assert used == float(theory.active_units(EIGENVALUES, noise, beta=beta, k=3))


def test_the_slope_of_the_curve_is_minus_beta():
    """dD/dR = -beta at a fixed variance: the curve is convex, beta its multiplier."""
    betas = jnp.linspace(0.2, 12.0, 40)
    curve = lambda beta: theory.rate_distortion_curve(EIGENVALUES, beta[None], 0.5)
    rise = jax.jit(jax.vmap(jax.jacfwd(lambda beta: jnp.concatenate(curve(beta)))))(betas)
    np.testing.assert_allclose(rise[:, 1], -betas * rise[:, 0], rtol=1e-9)
    assert (rise[:, 0] < 0).all()


def test_the_hessian_has_the_blocks_of_the_subspace():
    """((1, -l_j), (-l_j, l_i l_j)) / sigma^2 for j outside and i inside: their eigenvalues."""
    best = best_vae(*CENTRED, 2)
    found = np.linalg.eigvalsh(hessian_of(best, CENTRED))
    for inside in (3.0, 1.5):
        for outside in (0.5, 0.2):
            block = np.array([[1, -outside], [-outside, inside * outside]])
            for value in np.linalg.eigvalsh(block / np.exp(best.log_variance)):
                assert np.abs(found / value - 1).min() < 1e-8


def test_gradient_play_contracts_at_the_rate_of_its_round_matrix():
    """Alternating descent from near the optimum, 600 rounds: the error's factor to 1e-4."""
    best = best_vae(*CENTRED, 1)
    hessian = hessian_of(best, CENTRED)
    decoder, rate = 4 + 4 + 1, 0.1
    matrix = theory.round_matrix(hessian, np.full(len(hessian), rate), decoder, alternating=True)
    radius = float(jnp.max(jnp.abs(jnp.linalg.eigvals(matrix))))
    flat, unravel = ravel_pytree(best)
    slope = jax.grad(lambda v: theory.linear_vae_objective(unravel(v), *CENTRED))
    first = jnp.arange(len(flat)) < decoder

    def play(point, _):
        point = point - rate * jnp.where(first, slope(point), 0)
        point = point - rate * jnp.where(first, 0, slope(point))
        return point, jnp.linalg.norm(point - flat)

    start = flat + 1e-3 * jnp.asarray(np.random.default_rng(3).normal(size=len(flat)))
    errors = np.asarray(jax.jit(lambda v: jax.lax.scan(play, v, length=600)[1])(start))
    np.testing.assert_allclose((errors[599] / errors[499]) ** (1 / 100), radius, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.LinearEncoder([1.0], [0.0], [[1.0]]), "weights must have the shape"),
        (lambda: theory.LinearEncoder([[1.0]], [0.0], [1.0]), "covariance and k_by_k must agree"),
        (lambda: theory.best_encoder(any_vae()[0], 0.0), "beta must be positive, got 0"),
        (
            lambda: theory.linear_rate_distortion(any_vae(2)[0], any_vae(1)[1], *DATA),
            "decoder and encoder must agree in k",
        ),
        (lambda: any_vae()[1].aggregated([0.0], [[1.0]]), "must agree in dimension"),
        (lambda: theory.rate_distortion_curve([1.0, 2.0], [1.0], k=2), "k must be 0 or 1"),
        (lambda: theory.rate_distortion_curve([3.0, -5.0], [1.0], 1.0), "eigenvalues"),
        (lambda: theory.rate_distortion_curve([1.0, 2.0], [0.0], 1.0), "betas must be positive"),
    ],
)
def test_bad_input_is_refused(call, says):
    """One clear line."""
    with pytest.raises(ValueError, match=says):
        call()
