"""Exact guidance, and the bias of replacement, on Gaussian data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import theory

RNG = np.random.default_rng(0)
ROOT = RNG.normal(size=(3, 3))
MEAN, COV = RNG.normal(size=3), ROOT @ ROOT.T
OPERATOR, SEEN = RNG.normal(size=(2, 3)), RNG.normal(size=2)
POINT = jnp.asarray(RNG.normal(size=3))
LEVEL = theory.NoiseLevel(jnp.asarray(0.6), jnp.asarray(0.8))


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_guidance_is_what_the_posteriors_score_has_more(noise):
    """grad log p(x|y) = grad log p(x) + guidance, with p(x_0|y) of `gaussian_posterior`."""
    given = theory.gaussian_posterior(MEAN, COV, OPERATOR, noise, SEEN)
    score = lambda law: theory.prediction_from(
        "score", theory.gaussian_denoiser(POINT, LEVEL, *law), POINT, LEVEL
    )
    found = theory.gaussian_guidance(POINT, LEVEL, MEAN, COV, OPERATOR, noise, SEEN)
    np.testing.assert_allclose(found, score(given) - score((MEAN, COV)), rtol=1e-9, atol=1e-10)


def test_guidance_is_a_gradient():
    """The gradient of log N(y; A E(x_0|x), A Cov(x_0|x) A^T + s^2 I)."""

    def log_prob(x):
        given = theory.gaussian_denoising(x, LEVEL, MEAN, COV)
        spread = OPERATOR @ given.covariance @ OPERATOR.T + 0.3 * np.eye(2)
        mean = OPERATOR @ given.mean
        return jax.scipy.stats.multivariate_normal.logpdf(jnp.asarray(SEEN), mean, spread)

    found = theory.gaussian_guidance(POINT, LEVEL, MEAN, COV, OPERATOR, 0.3, SEEN)
    np.testing.assert_allclose(found, jax.jit(jax.grad(log_prob))(POINT), rtol=1e-9)


KNOWN = np.array([True, False, False])


def algorithm(levels, x, mean, draws, observation, passes):
    """Replacement on numbers, step by step: `x` (3,), draws (steps, passes, 3, 3), all affine."""
    for i in range(len(levels.alpha) - 1):
        (a, b), (s, t) = (np.asarray(part[i : i + 2]) for part in levels)
        for turn in range(passes):
            if turn:
                x = a / b * x + np.sqrt(s**2 - (a / b * t) ** 2) * draws[i, turn, 0]
            now = theory.NoiseLevel(jnp.asarray(a), jnp.asarray(s))
            clean = np.asarray(theory.gaussian_denoiser(x, now, mean, COV))
            beta = s**2 - (a / b * t) ** 2
            x = a / b * t**2 / s**2 * x + b * beta / s**2 * clean
            x = x + t / s * np.sqrt(beta) * draws[i, turn, 1]
            x = np.where(KNOWN, b * observation + t * draws[i, turn, 2], x)
    return x


@pytest.mark.parametrize("passes", [1, 2])
def test_replacement_is_its_algorithm(passes):
    """Mean and covariance from the algorithm on unit draws, one at a time: it is affine in them."""
    levels = theory.Cosine().levels(3)
    shape = (3, passes, 3, 3)
    none = np.zeros(shape)
    mean = algorithm(levels, np.zeros(3), MEAN, none, POINT, passes)
    start = [
        algorithm(levels, x, 0 * MEAN, none, 0 * POINT, passes) * levels.sigma[0] for x in np.eye(3)
    ]
    units = np.eye(none.size).reshape(-1, *shape)
    noise = [algorithm(levels, np.zeros(3), 0 * MEAN, z, 0 * POINT, passes) for z in units]
    spread = np.array(start + noise)
    found = theory.replacement_law(levels, MEAN, COV, POINT, KNOWN, resamplings=passes)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.covariance, spread.T @ spread, rtol=1e-9, atol=1e-12)


def test_independent_entries_are_sampled_as_if_alone():
    """With a diagonal covariance nothing is lost: the sampler's own law, and y with no variance."""
    cov, levels = np.diag([0.5, 2.0, 1.0]), theory.VariancePreserving().levels(20)
    for eta in (0.0, 1.0):
        sampler = lambda variances, eta=eta: theory.ddim_map(levels, variances, eta)
        alone = theory.sampler_law(sampler, MEAN, cov, levels.sigma[0])
        found = theory.replacement_law(levels, MEAN, cov, POINT, KNOWN, eta=eta)
        np.testing.assert_allclose(found.mean[1:], alone.mean[1:], rtol=1e-10)
        np.testing.assert_allclose(found.covariance[1:, 1:], alone.covariance[1:, 1:], atol=1e-12)
        np.testing.assert_allclose(found.mean[0], POINT[0])
        np.testing.assert_array_equal(found.covariance[0], 0)


@pytest.mark.parametrize("interpolant", [theory.VariancePreserving(), theory.StraightLines()])
def test_the_bias_stays_in_many_steps(interpolant):
    """With two entries of correlation 0.8 it tends to `replacement_limit` at the order 1.

    That is the wrong law: half of y and 0.494 instead of 0.8 y and 0.36.
    """
    rho = 0.8
    cov, known = np.array([[1, rho], [rho, 1]]), np.array([True, False])
    limit = theory.replacement_limit(rho)
    np.testing.assert_allclose(limit.slope, 0.5, rtol=1e-12)
    assert limit.slope < rho - 0.2
    assert limit.variance > 1 - rho**2 + 0.1
    errors = []
    for count in (200, 400, 800):
        levels = interpolant.levels(count)
        found = theory.replacement_law(levels, [0, 0], cov, [1.0, 0], known)
        errors.append([found.mean[1] - limit.slope, found.covariance[1, 1] - limit.variance])
    errors = np.abs(np.array(errors))
    assert (errors[-1] < 0.02).all()
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 1, atol=0.25)


def test_the_limit_solves_its_equation():
    """Mean and variance of the unknown entry along the reverse SDE, known ones at their mean.

    With s = alpha^2 of the variance preserving process and P the precision of the noised pair:
    s dm/ds = m/2 - P_uu m - P_uk sqrt(s) y and s dv/ds = v - 2 P_uu v + 1, from s = 0.
    """
    for rho in (0.8, -0.5):

        def slope(s, state, rho=rho):
            own, cross = np.array([1, -s * rho]) / (1 - (s * rho) ** 2)
            mean = (0.5 - own) * state[0] - cross * np.sqrt(s)
            return np.array([mean, (1 - 2 * own) * state[1] + 1]) / s

        begin = 1e-8, [0.5 * rho * 1e-8**1.5, 1.0]
        end = scipy.integrate.solve_ivp(slope, (begin[0], 1), begin[1], rtol=1e-10, atol=1e-12)
        found = theory.replacement_limit(rho)
        np.testing.assert_allclose(end.y[:, -1], found, rtol=1e-6)
    np.testing.assert_allclose(theory.replacement_limit(1e-9), [0.5e-9, 1], rtol=1e-9)
    assert jax.grad(lambda rho: theory.replacement_limit(rho).slope)(0.0) == 0.5


def test_resampling_lessens_the_bias():
    """More passes over each step come nearer to the law given y, in mean and variance."""
    cov, known = np.array([[1, 0.8], [0.8, 1]]), np.array([True, False])
    levels = theory.VariancePreserving().levels(100)
    exact = theory.gaussian_conditional([0, 0], cov, [1.0, 0], known)
    far = [
        np.abs(np.subtract(law.mean[1], exact.mean[1]))
        for law in (
            theory.replacement_law(levels, [0, 0], cov, [1.0, 0], known, resamplings=passes)
            for passes in (1, 4, 16)
        )
    ]
    assert far[0] > 1.5 * far[1] > 2 * far[2]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.replacement_limit(1.0), "correlation must be between -1 and 1"),
        (
            lambda: theory.replacement_law(LEVEL, MEAN, COV, POINT, KNOWN),
            r"alpha must have the shape \(n,\)",
        ),
        (
            lambda: theory.replacement_law(
                theory.edm_levels(4), MEAN, COV, POINT, KNOWN, resamplings=0
            ),
            "resamplings must be 1 or more",
        ),
        (
            lambda: theory.replacement_law(theory.edm_levels(4), MEAN, COV, POINT, [True]),
            "must agree in shape",
        ),
        (
            lambda: theory.gaussian_guidance(POINT, LEVEL, MEAN, COV, OPERATOR, -1, SEEN),
            "noise_variance must not be negative",
        ),
        (
            lambda: theory.gaussian_guidance(POINT, LEVEL, MEAN, COV, OPERATOR, 1, SEEN[:1]),
            "observation must have the shape",
        ),
    ],
)
def test_wrong_arguments_are_refused(call, says):
    """In one line that names the argument."""
    with pytest.raises(ValueError, match=says) as refusal:
        call()
    assert "\n" not in str(refusal.value)
