"""Least losses against closed forms, quadrature, and the identity of information and error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

RNG = np.random.default_rng(0)
ROOT = RNG.normal(size=(3, 3))
MEAN, COV = RNG.normal(size=3), ROOT @ ROOT.T
LEVEL = theory.NoiseLevel(jnp.asarray(0.6), jnp.asarray(0.8))
LINE = np.array([0.3, 0.7]), np.array([-1.0, 1.5]), np.array([0.16, 0.49])


def at_ratio(snr):
    """The level of a signal-to-noise ratio, with alpha = 1."""
    return theory.NoiseLevel(jnp.ones_like(snr), 1 / jnp.sqrt(snr))


def test_the_least_error_is_the_posterior_variance():
    """For a Gaussian tr Cov(x_0|x); at two levels at once, 0 without noise, tr C without signal."""
    for level in (LEVEL, theory.NoiseLevel(jnp.asarray(1.0), jnp.asarray(0.1))):
        spread = theory.gaussian_denoising(MEAN, level, MEAN, COV).covariance
        np.testing.assert_allclose(theory.gaussian_mmse(level, COV), jnp.trace(spread), rtol=1e-10)
    ends = theory.NoiseLevel(jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]))
    found = theory.gaussian_mmse(ends, COV)
    np.testing.assert_allclose(found, [0, np.trace(COV)], rtol=1e-12)


@pytest.mark.parametrize("std", [0.5, 1.0, 3.0])
def test_the_least_loss_of_noise_prediction(std):
    """abar s^2 / (abar s^2 + 1 - abar) on N(m, s^2), at every step of Ho's chain."""
    chain = theory.levels_of_betas(theory.linear_betas(1000))
    level = theory.NoiseLevel(chain.alpha[1:], chain.sigma[1:])
    kept = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    weight = theory.loss_weight("noise", level)
    found = weight * theory.gaussian_mmse(level, np.array([[std**2]]))
    np.testing.assert_allclose(found, kept * std**2 / (kept * std**2 + 1 - kept), rtol=1e-9)


@pytest.mark.parametrize("kind", theory.PREDICTIONS)
def test_the_least_loss_of_every_kind(kind):
    """w tr Cov(x_0|x) is the least squares residual of its target on x, from joint moments.

    The target a x_0 + b e and x are jointly normal: Var(target) - Cov(target, x)^2 / Var(x).
    """
    alpha, sigma, variance, std = 0.6, 0.8, 2.3, 0.7
    total = np.sqrt((alpha * std) ** 2 + sigma**2)
    a, b = {
        "data": (1, 0),
        "noise": (0, 1),
        "score": (0, -1 / sigma),
        "v": (-sigma, alpha),
        "flow": (-1, 1),
        "edm": (sigma / (std * total), -alpha * std / total),
    }[kind]
    cross, marginal = a * alpha * variance + b * sigma, alpha**2 * variance + sigma**2
    residual = a**2 * variance + b**2 - cross**2 / marginal
    weight = theory.loss_weight(kind, LEVEL, std)
    found = weight * theory.gaussian_mmse(LEVEL, np.array([[variance]]))
    np.testing.assert_allclose(found, residual, rtol=1e-10)


def test_the_error_of_an_affine_denoiser():
    """The best one's is the least; another's is more by E|(G' - G) x + b' - b|^2."""
    best = theory.best_affine_denoiser(LEVEL, MEAN, COV)
    least = theory.affine_denoiser_error(best, LEVEL, MEAN, COV)
    np.testing.assert_allclose(least, theory.gaussian_mmse(LEVEL, COV), rtol=1e-10)
    x = jnp.asarray(RNG.normal(size=3))
    exact = theory.gaussian_denoiser(x, LEVEL, MEAN, COV)
    np.testing.assert_allclose(best.gain @ x + best.offset, exact, rtol=1e-10)
    gain, offset = RNG.normal(size=(3, 3)), RNG.normal(size=3)
    other = theory.AffineDenoiser(jnp.asarray(gain), jnp.asarray(offset))
    marginal = 0.36 * COV + 0.64 * np.eye(3)
    change = np.asarray(gain - best.gain)
    shift = 0.6 * change @ MEAN + offset - np.asarray(best.offset)
    more = np.trace(change @ marginal @ change.T) + shift @ shift
    found = theory.affine_denoiser_error(other, LEVEL, MEAN, COV)
    np.testing.assert_allclose(found, least + more, rtol=1e-10)


def test_the_slope_of_information_is_half_of_the_least_error():
    """dI/dsnr = mmse / 2 (Guo, Shamai & Verdu) of a Gaussian in three dimensions, to 1e-10."""
    for snr in (0.01, 1.0, 30.0):
        slope = jax.grad(lambda s: theory.gaussian_information(at_ratio(s), COV))(snr)
        np.testing.assert_allclose(slope, theory.gaussian_mmse(at_ratio(snr), COV) / 2, rtol=1e-10)


def test_the_slope_of_information_on_a_mixture():
    """The same on the line, with h(x) by quadrature over the marginal: to 1e-8."""
    weights, means, variances = LINE
    nodes, by = (np.asarray(part) for part in theory.quadrature(-14, 14, 500))

    def information(snr):
        level = at_ratio(snr)
        log_prob = jax.vmap(
            lambda x: theory.mixture_marginal_log_prob(
                x[None], level, weights, means[:, None], variances[:, None, None]
            )
        )(jnp.asarray(nodes))
        entropy = -jnp.sum(by * jnp.exp(log_prob) * log_prob)
        return entropy - 0.5 * jnp.log(2 * jnp.pi * jnp.e / snr)

    slope = jax.jit(jax.grad(information))(0.8)
    found = theory.mixture_mmse(at_ratio(jnp.asarray(0.8)), *LINE)
    np.testing.assert_allclose(found, 2 * slope, rtol=1e-8)


def test_mixtures_on_the_line():
    """One component is a Gaussian; far ones are as many; nodes have converged to 1e-10."""
    one = theory.mixture_mmse(LEVEL, [1.0], [3.0], [2.0])
    np.testing.assert_allclose(one, theory.gaussian_mmse(LEVEL, [[2.0]]), rtol=1e-10)
    far = theory.mixture_mmse(LEVEL, [1, 3], [-40, 60], [2.0, 0.5])
    each = [theory.gaussian_mmse(LEVEL, [[v]]) for v in (2.0, 0.5)]
    np.testing.assert_allclose(far, 0.25 * each[0] + 0.75 * each[1], rtol=1e-10)
    coarse, fine = (theory.mixture_mmse(LEVEL, *LINE, nodes=n) for n in (8, 24))
    np.testing.assert_allclose(coarse, fine, rtol=1e-10)


@pytest.mark.parametrize("variance", [0.0, 0.3])
def test_a_monte_carlo_estimate_has_its_error(variance):
    """2 x 20 000 draws of mixtures within 4 standard errors: by chance one of 8000 runs fails."""
    means = np.array([[-1.0], [0.5], [2.0]])
    rng = np.random.default_rng(1)
    points = means[rng.integers(0, 3, 20000)] + np.sqrt(variance) * rng.normal(size=(20000, 1))
    law = np.ones(3), means, np.full((3, 1, 1), variance)
    if variance:
        denoising = lambda x, level: theory.mixture_denoising(x, level, *law)
    else:
        denoising = lambda x, level: theory.data_denoising(x, level, means)
    found = theory.estimated_mmse(denoising, LEVEL, points, rng.normal(size=(20000, 1)))
    exact = theory.mixture_mmse(LEVEL, np.ones(3), means[:, 0], np.full(3, variance))
    assert 0 < found.standard_error < 0.01 * exact
    assert abs(found.value - exact) < 4 * found.standard_error


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.gaussian_mmse(LEVEL, COV[:2]), "cov must be a square matrix"),
        (lambda: theory.mixture_mmse(LEVEL, [1], [0], [-1]), "variances must not be negative"),
        (lambda: theory.mixture_mmse(LEVEL, [1], [0], [1], nodes=0), "nodes must be 1 or more"),
        (lambda: theory.mixture_mmse(at_ratio(jnp.ones(2)), [1], [0], [1]), "must be one level"),
        (
            lambda: theory.estimated_mmse(
                lambda x, level: theory.data_denoising(x, level, COV), LEVEL, MEAN[:, None], COV
            ),
            "must agree in the dimension",
        ),
    ],
)
def test_wrong_arguments_are_refused(call, says):
    """In one line that names the argument."""
    with pytest.raises(ValueError, match=says) as refusal:
        call()
    assert "\n" not in str(refusal.value)
