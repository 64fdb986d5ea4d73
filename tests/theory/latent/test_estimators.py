"""Gradient estimators by quadrature over their noise: means and variances without any chance."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

A, B, C = np.array([[1.5, -0.4], [-0.4, 0.7]]), np.array([0.3, -1.0]), 0.8
MEAN, LOG = jnp.array([0.5, -0.2]), jnp.array([-0.3, 0.1])


def quadratic(z):
    return 0.5 * z @ (jnp.asarray(A) @ z) + jnp.asarray(B) @ z + C


def gauss_hermite(count, dimensions):
    """Nodes (n, dimensions) and weights of expectations under N(0, I)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    weights = weights / weights.sum()
    grid = lambda values: np.array(list(itertools.product(values, repeat=dimensions)))
    return jnp.asarray(grid(nodes)), jnp.asarray(grid(weights).prod(axis=1))


def exact_gradients():
    """Of E f = m^T A m / 2 + b^T m + c + sum_i A_ii s_i^2 / 2."""
    return A @ MEAN + B, np.diagonal(A) * np.exp(2 * LOG)


ESTIMATORS = {
    "reparameterised": (
        theory.reparameterised_gradients,
        lambda: theory.reparameterised_variances(A, B, MEAN, LOG),
    ),
    "score function": (
        theory.score_function_gradients,
        lambda: theory.score_function_variances(A, B, C, MEAN, LOG),
    ),
    "score function, baseline": (
        lambda *args: theory.score_function_gradients(*args, baseline=0.6),
        lambda: theory.score_function_variances(A, B, C, MEAN, LOG, 0.6),
    ),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_means_and_variances_of_a_quadratic(name):
    """Polynomials of at most the eighth degree in the noise: six nodes an axis are exact."""
    gradients, variances = ESTIMATORS[name]
    nodes, weights = map(np.asarray, gauss_hermite(6, 2))
    found = jax.jit(lambda noise: gradients(quadratic, MEAN, LOG, noise))(nodes)
    for leaf, mean, variance in zip(found, exact_gradients(), variances(), strict=True):
        values = np.asarray(leaf)
        np.testing.assert_allclose(weights @ values, mean, rtol=1e-11)
        np.testing.assert_allclose(weights @ (values - np.asarray(mean)) ** 2, variance, rtol=1e-10)


def test_a_baseline_from_other_samples_keeps_the_mean():
    """Two samples in the plane, their mean gradient: exact, and with less variance than without."""
    nodes, weights = gauss_hermite(6, 4)

    def pair(noise, baseline):
        args = (quadratic, MEAN, LOG, noise.reshape(2, 2))
        gradients = theory.score_function_gradients(*args, baseline=baseline)
        return jnp.stack([jnp.mean(part, axis=0) for part in gradients])

    found = jax.jit(jax.vmap(lambda noise: pair(noise, "others")))(nodes)
    exact = np.stack(exact_gradients())
    np.testing.assert_allclose(jnp.tensordot(weights, found, 1), exact, rtol=1e-10)
    plain = jax.jit(jax.vmap(lambda noise: pair(noise, 0.0)))(nodes)
    spread = lambda values: jnp.tensordot(weights, (values - exact[None]) ** 2, 1).sum()
    assert spread(found) < spread(plain)


# A model of one latent, and a Gaussian that is not its posterior.
MODEL = theory.LinearGaussian([[0.9], [-0.5]], [0.0, 0.0], 0.5)
X = jnp.array([1.0, 0.3])
AT = {"loading": jnp.array(0.9), "mean": jnp.array([0.2]), "log_deviation": jnp.array([-0.4])}


def objective(parameters, noise, gradient: Any = "plain"):
    """One log-mean-exp, of a decoder whose first loading is a parameter."""

    def log_joint(z):
        weights = jnp.stack([parameters["loading"], jnp.array(-0.5)])
        error = X - weights * z[0]
        squares = jnp.sum(error**2) / 0.5 + z[0] ** 2
        return -0.5 * (squares + 3 * jnp.log(2 * jnp.pi) + 2 * jnp.log(0.5))

    codes = parameters["mean"], parameters["log_deviation"]
    return theory.iwae_objective(log_joint, *codes, noise, gradient=gradient)


def expected_gradient(samples, gradient, nodes=40):
    """By quadrature over the noise of all samples: to rounding."""
    noise, weights = gauss_hermite(nodes, samples)
    slopes = jax.vmap(jax.grad(objective), in_axes=(None, 0, None))
    found = jax.jit(slopes, static_argnums=2)(AT, noise[:, :, None], gradient)
    return jax.tree.map(lambda leaf: jnp.tensordot(weights, leaf, 1), found)


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("gradient", ["plain", "stl", "dreg"])
def test_expectations_of_the_gradients_of_the_bound(samples, gradient):
    """Each against the derivative of the quadrature of the value, to 1e-8.

    Sticking the landing is biased for two samples in q's parameters, by more than a per cent, and
    in nothing else.
    """
    noise, weights = gauss_hermite(40, samples)
    value = lambda p: weights @ jax.vmap(lambda e: objective(p, e))(noise[:, :, None])
    exact, found = jax.jit(jax.grad(value))(AT), expected_gradient(samples, gradient)
    np.testing.assert_allclose(found["loading"], exact["loading"], rtol=1e-8)
    for name in ("mean", "log_deviation"):
        if gradient == "stl" and samples == 2:
            assert abs(found[name] / exact[name] - 1) > 0.01
        else:
            np.testing.assert_allclose(found[name], exact[name], rtol=1e-8)


def test_one_sample_is_the_gradient_of_the_exact_elbo():
    """The closed form of the linear VAE, in the decoder's and the encoder's parameters."""

    def elbo(p):
        weights = jnp.stack([p["loading"], jnp.array(-0.5)])[:, None]
        spread = jnp.diag(jnp.exp(2 * p["log_deviation"]))
        encoder = theory.LinearEncoder(jnp.zeros((1, 2)), p["mean"], spread)
        model = theory.LinearGaussian(weights, jnp.zeros(2), 0.5)
        return -sum(theory.linear_rate_distortion(model, encoder, X, jnp.zeros((2, 2))))

    exact = jax.jit(jax.grad(elbo))(AT)
    for gradient in ("plain", "stl", "dreg"):
        found = expected_gradient(1, gradient, nodes=6)
        for name, slope in exact.items():
            np.testing.assert_allclose(found[name], slope, rtol=1e-10)


def test_values_and_weights_are_the_same_in_all():
    """The name of the gradient changes no value, which is that of `gaussian_log_weights`."""
    noise = jnp.asarray(np.random.default_rng(0).normal(size=(7, 1)))
    values = [objective(AT, noise, gradient) for gradient in ("plain", "stl", "dreg")]

    def log_joint(z):
        error = X - MODEL.weights @ z
        return -0.5 * (error @ error / 0.5 + z @ z + 3 * jnp.log(2 * jnp.pi) + 2 * jnp.log(0.5))

    weights = theory.gaussian_log_weights(log_joint, AT["mean"], AT["log_deviation"], noise)
    np.testing.assert_allclose(values, theory.log_mean_exp(weights), rtol=1e-12)


def test_at_the_posterior_two_gradients_have_no_noise():
    """Every weight is p(x): without the score of q nothing is left of any sample."""
    posterior = MODEL.posterior(X)
    at = AT | {
        "mean": posterior.mean,
        "log_deviation": 0.5 * jnp.log(jnp.diagonal(posterior.covariance)),
    }
    noise = jnp.asarray(np.random.default_rng(0).normal(size=(5, 1)))
    for gradient, bound in (("stl", 1e-12), ("dreg", 1e-12), ("plain", np.inf)):
        slopes = jax.jit(jax.grad(objective), static_argnums=2)(at, noise, gradient)
        size = max(float(jnp.abs(slopes[name])[0]) for name in ("mean", "log_deviation"))
        assert size < bound
        assert gradient != "plain" or size > 1e-2


def test_more_samples_drown_the_plain_gradient_and_lift_the_other():
    """Signal to noise from 4 samples to 64: a fourth, and four times (Rainforth; Tucker).

    20 000 gradients: the relative error of a ratio r is about 1 / (r sqrt(n)), 4 per cent at the
    least ratio here, and the laws hold in the limit: factors within a third.
    """
    slopes = jax.vmap(jax.grad(objective), in_axes=(None, 0, None))
    slopes = jax.jit(slopes, static_argnums=2)

    def ratio(samples, gradient):
        noise = jax.random.normal(jax.random.key(samples), (20_000, samples, 1))
        return float(theory.signal_to_noise(slopes(AT, noise, gradient)["mean"])[0])

    fall = ratio(64, "plain") / ratio(4, "plain")
    rise = ratio(64, "dreg") / ratio(4, "dreg")
    assert 0.25 / 1.33 < fall < 0.25 * 1.33
    assert 4 / 1.33 < rise < 4 * 1.33


def test_signal_to_noise_by_hand():
    """|mean| / deviation; no noise is infinite, no signal 0."""
    found = theory.signal_to_noise([[1.0, 2.0, 0.0, -3.0], [3.0, 2.0, 0.0, 3.0]])
    np.testing.assert_allclose(found, [2 / np.sqrt(2), np.inf, 0, 0])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: objective(AT, jnp.zeros((3, 2))), r"noise \(L, k\)"),
        (lambda: objective(AT, jnp.zeros((0, 1))), "k and L at least 1"),
        (
            lambda: theory.score_function_gradients(
                quadratic, MEAN, LOG, jnp.zeros((1, 2)), "others"
            ),
            '"others" of at least two samples',
        ),
        (lambda: theory.signal_to_noise([1.0]), "gradients must be at least two"),
        (lambda: theory.reparameterised_variances(A, [1.0], MEAN, LOG), "must agree in size"),
    ],
)
def test_bad_input_is_refused(call, says):
    """One clear line."""
    with pytest.raises(ValueError, match=says):
        call()
