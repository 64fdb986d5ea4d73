"""Guidance, inverse problems, replacement and inversion against exact laws."""

import functools

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

import models
import theory
from tests.meets_theory.diffusion_laws import (
    COV,
    COVS,
    MEAN,
    MEANS,
    PROCESSES,
    WEIGHTS,
    final_law,
    gaussian,
    mixture,
    slope,
    walk,
)

X = jnp.array([0.6, -0.9])
LEVELS = [
    theory.NoiseLevel(*map(jnp.asarray, pair)) for pair in ((1.0, 0.02), (0.8, 0.6), (0.1, 1.0))
]
LEVELS = {"little": LEVELS[0], "middle": LEVELS[1], "much": LEVELS[2]}


def component(x, level, label):
    """The denoiser of a component of the mixture, or at the null label, 2, of all of it."""
    pick = lambda k: theory.gaussian_denoiser(x, level, MEANS[k], COVS[k])
    return jnp.where(label == 2, mixture(x, level), jnp.where(label == 1, pick(1), pick(0)))


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_classifier_free_guidance_goes_from_no_label_at_0_through_the_label_at_1(level):
    """A straight line of denoisers: three points of it."""
    level = LEVELS[level]
    none, one = component(X, level, 2), component(X, level, 1)
    for scale, expected in ((0.0, none), (1.0, one), (3.0, none + 3 * (one - none))):
        guided = models.ClassifierFree(component, 1, 2, scale)
        np.testing.assert_allclose(guided(X, level), expected, rtol=1e-12)


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_the_exact_classifier_makes_the_component_s_denoiser_of_the_mixture_s(level):
    """Bayes: log p(k|x) from the components' marginals, differentiated. The identity holds at
    every level, to rounding, which grows with the components' distance in noise."""
    level = LEVELS[level]

    def log_prob(x, level):
        marginal = lambda mean, cov: theory.gaussian_marginal_log_prob(x, level, mean, cov)
        logits = jnp.log(WEIGHTS) + jax.vmap(marginal)(MEANS, COVS)
        return jax.nn.log_softmax(logits)[1]

    guided = models.ClassifierGuided(mixture, log_prob)
    np.testing.assert_allclose(guided(X, level), component(X, level, 1), rtol=1e-8)
    off = models.ClassifierGuided(mixture, log_prob, scale=0.0)
    np.testing.assert_allclose(off(X, level), mixture(X, level), rtol=1e-14)


LU = lx.LU()
SEEN = models.LinearObservation(models.Entries(np.array([False, True])), jnp.array([0.7]), 0.3)
MATRIX = jnp.array([[0.0, 1.0]])
POSTERIOR = theory.gaussian_posterior(MEAN, COV, MATRIX, 0.3**2, SEEN.observed)


@pytest.mark.parametrize("solver", [lx.LU(), lx.CG(rtol=1e-12, atol=1e-30, max_steps=10)])
@pytest.mark.parametrize("level", sorted(LEVELS))
def test_tweedie_guidance_is_the_posterior_s_denoiser_on_gaussian_data(level, solver):
    """E(x_0|x, y) is the denoiser of data with the posterior's law: two derivations of one."""
    level = LEVELS[level]
    guided = models.InverseGuided(gaussian, SEEN, "tweedie", solver=solver)
    exact = theory.gaussian_denoiser(X, level, *POSTERIOR)
    np.testing.assert_allclose(guided(X, level), exact, rtol=1e-9)
    score = theory.gaussian_guidance(X, level, MEAN, COV, MATRIX, 0.3**2, SEEN.observed)
    change = level.sigma**2 / level.alpha * score
    np.testing.assert_allclose(guided(X, level) - gaussian(X, level), change, rtol=1e-7)


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_isotropic_guidance_is_exact_on_isotropic_data_and_the_point_s_is_its_formula(level):
    """r^2 is the posterior's variance of N(m, d^2 I). Without a covariance it is the gradient of
    a squared error, by automatic differentiation of the sum."""
    level, std = LEVELS[level], 1.7
    sphere = lambda x, level: theory.gaussian_denoiser(x, level, MEAN, std**2 * jnp.eye(2))
    guided = models.InverseGuided(sphere, SEEN, "isotropic", data_std=std, solver=LU)
    posterior = theory.gaussian_posterior(MEAN, std**2 * jnp.eye(2), MATRIX, 0.3**2, SEEN.observed)
    exact = theory.gaussian_denoiser(X, level, *posterior)
    np.testing.assert_allclose(guided(X, level), exact, rtol=1e-9)

    error = lambda x: -jnp.sum((SEEN.observed - gaussian(x, level)[1:]) ** 2) / (2 * 0.3**2)
    step = 0.5 * level.sigma**2 / level.alpha * jax.grad(error)(X)
    point = models.InverseGuided(gaussian, SEEN, "none", scale=0.5, solver=LU)
    np.testing.assert_allclose(point(X, level), gaussian(X, level) + step, rtol=1e-9)


@pytest.mark.parametrize(("sampler", "order"), [(models.DDIM(), 1), (models.Heun(), 2)])
def test_the_guided_sampler_s_law_is_exact_and_tends_to_the_posterior(sampler, order):
    """Inpainting with a noisy observation. In n steps it is the sampler's law on data with the
    posterior's law, in closed form, and that tends to the posterior at the sampler's order.

    Errors are fitted on 16 to 64 EDM steps, from noise of 200, where what is left of the data is
    below them.
    """
    exact_map = {1: theory.ddim_map, 2: theory.heun_map}[order]
    guided = models.InverseGuided(gaussian, SEEN, "tweedie", solver=LU)
    errors, sizes = [], np.array([16, 32, 64])
    for n in sizes:
        levels = theory.edm_levels(n, 0.01, 200.0)
        run = jax.jit(lambda x, levels: models.reverse_process(sampler, guided, levels, x).x)
        gain, mean = jax.jacfwd(run)(jnp.zeros(2), levels), run(jnp.zeros(2), levels)
        cov = levels.sigma[0] ** 2 * gain @ gain.T
        exact = theory.sampler_law(
            functools.partial(exact_map, levels), *POSTERIOR, levels.sigma[0]
        )
        np.testing.assert_allclose(mean, exact.mean, rtol=1e-8)
        np.testing.assert_allclose(cov, exact.covariance, rtol=1e-7, atol=1e-11)
        errors.append(float(jnp.linalg.norm(cov - POSTERIOR.covariance)))
    assert abs(slope(sizes, errors) + order) < 0.35


def test_super_resolution_has_the_exact_posterior_s_moments():
    """A 4 x 4 image with smooth Gaussian pixels, from means of 2 x 2 without noise.

    The outcome is affine in the start; 200 Heun steps from noise of 200 come within 1e-3 of
    `gaussian_posterior`, whose operator is the matrix of the pooling.
    """
    places = jnp.stack(jnp.meshgrid(jnp.arange(4.0), jnp.arange(4.0)), axis=-1).reshape(16, 2)
    cov = jnp.exp(-jnp.linalg.norm(places[:, None] - places[None], axis=-1) / 3)
    mean, pool = jnp.linspace(-1, 1, 16), models.Pooled(2)
    matrix = jax.jacobian(lambda x: pool(x.reshape(4, 4, 1)).ravel())(jnp.zeros(16))
    observed = jnp.array([0.3, -0.2, 0.8, 0.1])
    seen = models.LinearObservation(pool, observed.reshape(2, 2, 1))
    inverse = jnp.linalg.inv

    def denoise(x, level):
        total = level.alpha**2 * cov + level.sigma**2 * jnp.eye(16)
        pull = level.alpha * cov @ inverse(total) @ (x.ravel() - level.alpha * mean)
        return (mean + pull).reshape(x.shape)

    guided = models.InverseGuided(denoise, seen, "tweedie", solver=LU)
    levels = theory.edm_levels(200, 0.02, 200.0)
    run = jax.jit(lambda x: models.reverse_process(models.Heun(), guided, levels, x).x)
    start = jnp.zeros((4, 4, 1))
    gain = jax.jacfwd(run)(start).reshape(16, 16)
    exact = theory.gaussian_posterior(mean, cov, matrix, 0.0, observed)
    found = levels.sigma[0] ** 2 * gain @ gain.T
    np.testing.assert_allclose(run(start).ravel(), exact.mean, atol=1e-3)
    np.testing.assert_allclose(found, exact.covariance, atol=2e-3)


KNOWN = np.array([False, True])
OBSERVED = jnp.array([9.0, 0.7])


def replacement(resamplings, sampler):
    return models.Replacement(sampler, KNOWN, OBSERVED, resamplings)


@pytest.mark.parametrize("resamplings", [1, 2])
@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("process", ["preserving", "straight"])
def test_replacement_has_the_law_that_theory_predicts(resamplings, eta, process):
    """All numbers that are drawn are inputs of an affine map: equal to rounding."""
    levels = PROCESSES[process].levels(4)
    found = final_law(replacement(resamplings, models.DDIM(eta)), gaussian, levels)
    exact = theory.replacement_law(
        levels, MEAN, COV, OBSERVED, KNOWN, eta=eta, resamplings=resamplings
    )
    np.testing.assert_allclose(found.mean, exact.mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.covariance, exact.covariance, rtol=1e-8, atol=1e-10)


def test_replacement_is_biased_and_resampling_lessens_it():
    """Against `gaussian_conditional`, at 400 steps: its bias is not one of the steps' size.

    The mean of the unknown entry and its variance are off by more than a tenth of the deviation
    without resampling, and by less with each more.
    """
    exact = theory.gaussian_posterior(MEAN, COV, MATRIX, 0.0, OBSERVED[1:])
    levels = PROCESSES["preserving"].levels(400)
    off = []
    for resamplings in (1, 4, 16):
        law = theory.replacement_law(levels, MEAN, COV, OBSERVED, KNOWN, resamplings=resamplings)
        off.append(float(abs(law.mean[0] - exact.mean[0])))
    assert off[0] > 0.1 * float(jnp.sqrt(exact.covariance[0, 0]))
    assert off[0] > 1.5 * off[1] > 2.25 * off[2]


POINT = jnp.array([-1.2, 0.3])


@pytest.mark.parametrize(("sampler", "order"), [(models.DDIM(), 1), (models.Heun(), 3)])
def test_there_and_back_again_the_error_falls_at_the_right_order(sampler, order):
    """A point of a mixture to its noise and back, to time 0.1; fitted on 32 to 128 steps.

    Of a method of order p, the leading errors of a step and of the step back add up for odd p,
    and cancel for even p: the way there and back is of order 1 for Euler's and 3 for Heun's.
    """
    sizes, errors = np.array([32, 64, 128]), []
    for n in sizes:
        levels = PROCESSES["preserving"].level(jnp.linspace(0.95, 0.1, n + 1))
        back = theory.NoiseLevel(*(jnp.flip(part) for part in levels))
        noise = walk(sampler, back, POINT)
        errors.append(float(jnp.linalg.norm(walk(sampler, levels, noise) - POINT)))
        if n == sizes[0]:
            inverted = models.invert(mixture, levels, POINT, sampler)
            np.testing.assert_allclose(inverted, noise, rtol=1e-9)
    assert abs(slope(sizes, errors) + order) < 0.25


def test_inversion_begins_at_the_data_too_and_interpolation_ends_there():
    """From sigma = 0 to alpha = 0 and back, and both ends of the path between two points."""
    levels = theory.StraightLines().levels(100)
    noise = models.invert(mixture, levels, POINT)
    assert jnp.isfinite(noise).all()
    other = jnp.array([1.4, 0.2])
    shares = jnp.array([0.0, 0.3, 1.0])
    path = models.interpolation(mixture, levels, POINT, other, shares)
    np.testing.assert_allclose(path[0], POINT, atol=0.1)
    np.testing.assert_allclose(path[2], other, atol=0.1)
    back = models.reverse_process(models.DDIM(), mixture, levels, noise).x
    np.testing.assert_allclose(path[0], back, rtol=1e-9)


def test_spherical_paths_keep_the_norm():
    """Between points of one norm, at all angles below a half turn; equal points stay."""
    angles = jnp.array([0.0, 1e-5, 0.4, 3.0])
    a = jnp.array([2.0, 0.0])
    for angle in angles:
        b = 2 * jnp.array([jnp.cos(angle), jnp.sin(angle)])
        path = models.spherical(a, b, jnp.linspace(0, 1, 5))
        np.testing.assert_allclose(jnp.linalg.norm(path, axis=1), 2.0, rtol=1e-9)
        turned = jnp.arctan2(path[:, 1], path[:, 0])
        np.testing.assert_allclose(turned, angle * jnp.linspace(0, 1, 5), atol=1e-9)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_spherical_paths_between_opposite_points_are_not_made_up(dtype):
    """NaN, also of points that are opposite but for rounding, and of two norms; a derivative at
    equal points is finite."""
    a = jax.random.normal(jax.random.key(0), (100,), dtype)
    shares = jnp.linspace(0, 1, 5, dtype=dtype)
    for times in (1, 3, 0.7):
        assert jnp.isnan(models.spherical(a, -times * a, shares)).all()
    slope = jax.grad(lambda b: jnp.sum(models.spherical(a, b, shares)[2]))(a)
    np.testing.assert_allclose(slope, 0.5, rtol=1e-3)
