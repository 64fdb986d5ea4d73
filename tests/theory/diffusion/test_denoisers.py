"""Exact denoisers against densities, quadrature and the limits of their levels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

RNG = np.random.default_rng(0)
MEANS = RNG.normal(size=(3, 2))
ROOTS = RNG.normal(size=(3, 2, 2))
COVS = ROOTS @ ROOTS.transpose(0, 2, 1)
WEIGHTS = np.array([0.2, 0.3, 0.5])
POINT = jnp.asarray(RNG.normal(size=2))


def level_of(alpha, sigma):
    return theory.NoiseLevel(jnp.asarray(alpha), jnp.asarray(sigma))


LAWS = {
    "gaussian": (
        theory.gaussian_marginal_log_prob,
        theory.gaussian_denoising,
        (MEANS[0], COVS[0]),
    ),
    "mixture": (
        theory.mixture_marginal_log_prob,
        theory.mixture_denoising,
        (WEIGHTS, MEANS, COVS),
    ),
    "data": (theory.data_marginal_log_prob, theory.data_denoising, (MEANS,)),
}
LEVELS = [level_of(1.0, 0.5), level_of(0.6, 0.8), level_of(0.1, 2.0)]

each_law = pytest.mark.parametrize("law", LAWS)
each_level = pytest.mark.parametrize("level", LEVELS, ids=["EDM", "VP", "noise"])


@each_law
@each_level
def test_the_score_is_the_gradient_of_the_log_density(law, level):
    """(alpha x_0 - x) / sigma^2 = grad log p(x), to 1e-10."""
    log_prob, denoising, parameters = LAWS[law]
    score = jax.jit(jax.grad(log_prob))(POINT, level, *parameters)
    denoised = jax.jit(denoising)(POINT, level, *parameters).mean
    found = theory.prediction_from("score", denoised, POINT, level)
    np.testing.assert_allclose(found, score, rtol=1e-10, atol=1e-10)


@each_law
@each_level
def test_tweedies_second_order_identity(law, level):
    """Cov(x_0|x) = (sigma^4 Hess log p + sigma^2 I) / alpha^2 = sigma^2 / alpha times D's slope."""
    log_prob, denoising, parameters = LAWS[law]
    alpha, variance = level.alpha, level.sigma**2
    curvature = jax.jit(jax.hessian(log_prob))(POINT, level, *parameters)
    expected = (variance**2 * curvature + variance * jnp.eye(2)) / alpha**2
    found = jax.jit(denoising)(POINT, level, *parameters).covariance
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 / float(alpha) ** 2)
    slope = jax.jit(jax.jacfwd(lambda *at: denoising(*at).mean))(POINT, level, *parameters)
    np.testing.assert_allclose(variance / alpha * slope, found, rtol=1e-9, atol=1e-12)


def test_a_mixture_is_its_integral():
    """Mean and variance of x_0 given x on the line by quadrature over x_0, to 1e-10."""
    weights, means, stds = np.array([0.3, 0.7]), np.array([-1.0, 1.5]), np.array([0.4, 0.7])
    nodes, by = theory.quadrature(-7, 7, 400)
    prior = sum(
        w * np.exp(-0.5 * ((nodes - m) / s) ** 2) / s
        for w, m, s in zip(weights, means, stds, strict=True)
    )
    for x, level in ((0.3, LEVELS[0]), (-0.8, LEVELS[1])):
        likely = np.exp(-0.5 * ((x - level.alpha * nodes) / level.sigma) ** 2)
        mass = by * prior * likely / jnp.sum(by * prior * likely)
        mean = jnp.sum(mass * nodes)
        found = jax.jit(theory.mixture_denoising)(
            jnp.array([x]), level, weights, means[:, None], (stds**2)[:, None, None]
        )
        np.testing.assert_allclose(found.mean[0], mean, rtol=1e-10)
        np.testing.assert_allclose(
            found.covariance[0, 0], jnp.sum(mass * (nodes - mean) ** 2), rtol=1e-10
        )


def test_laws_of_one_kind_are_special_cases_of_another():
    """One component is a Gaussian; components without a variance are a data set."""
    level = LEVELS[1]
    one = theory.mixture_denoising(POINT, level, [2.0], MEANS[:1], COVS[:1])
    alone = theory.gaussian_denoising(POINT, level, MEANS[0], COVS[0])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), one, alone)
    sharp = theory.mixture_denoising(POINT, level, np.ones(3), MEANS, np.zeros((3, 2, 2)))
    data = theory.data_denoising(POINT, level, MEANS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), sharp, data)
    densities = (
        theory.mixture_marginal_log_prob(POINT, level, np.ones(3), MEANS, np.zeros((3, 2, 2))),
        theory.data_marginal_log_prob(POINT, level, MEANS),
    )
    np.testing.assert_allclose(*densities, rtol=1e-12)


def test_a_marginal_is_the_mixture_of_noised_components():
    """alpha m and alpha^2 C + sigma^2 I in `gaussian_mixture`, to 1e-12."""
    level = LEVELS[1]
    noised = theory.gaussian_mixture(
        level.alpha * MEANS,
        covariances=float(level.alpha) ** 2 * COVS + float(level.sigma) ** 2 * np.eye(2),
        weights=WEIGHTS,
    )
    found = theory.mixture_marginal_log_prob(POINT, level, WEIGHTS, MEANS, COVS)
    np.testing.assert_allclose(found, noised.log_prob(POINT), rtol=1e-12)


def test_the_limits_of_a_gaussians_level():
    """Without noise x / alpha, projected on the data's range; without signal the mean."""
    clean, lost = level_of(0.5, 0.0), level_of(0.0, 1.0)
    found = theory.gaussian_denoiser(POINT, clean, MEANS[0], COVS[0])
    np.testing.assert_allclose(found, 2 * POINT, rtol=1e-12)
    flat = np.diag([1.0, 0.0])
    found = theory.gaussian_denoiser(POINT, clean, MEANS[0], flat)
    np.testing.assert_allclose(found, [2 * POINT[0], MEANS[0, 1]], rtol=1e-12)
    found = theory.gaussian_denoiser(POINT, lost, MEANS[0], COVS[0])
    np.testing.assert_allclose(found, MEANS[0], rtol=1e-12)
    found = theory.mixture_denoiser(POINT, lost, WEIGHTS, MEANS, COVS)
    np.testing.assert_allclose(found, WEIGHTS @ MEANS, rtol=1e-12)
    assert np.isnan(theory.gaussian_denoiser(POINT, level_of(0.0, 0.0), MEANS[0], COVS[0])).all()
    found = theory.data_denoiser(POINT, lost, MEANS)
    np.testing.assert_allclose(found, MEANS.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("sigma", [0.0, 1e-30, 1e-12, 1e-6])
def test_a_data_set_without_noise_is_its_nearest_point(sigma):
    """In single precision too, and two points at one distance share."""
    for dtype in (np.float32, np.float64):
        level = theory.NoiseLevel(jnp.asarray(0.5, dtype), jnp.asarray(sigma, dtype))
        point = (0.5 * MEANS[1] + 0.01).astype(dtype)
        found = theory.data_denoiser(point, level, MEANS.astype(dtype))
        np.testing.assert_array_equal(found, MEANS[1].astype(dtype))
    middle = theory.data_denoiser([0.0, 1.0], level_of(1.0, sigma), [[1.0, 0], [-1.0, 0], [9, 9]])
    np.testing.assert_array_equal(middle, [0, 0])
    slope = jax.jacfwd(lambda x: theory.data_denoiser(x, level_of(0.5, sigma), MEANS))(POINT)
    assert np.isfinite(slope).all()


@each_law
def test_points_far_away_have_numbers(law):
    """Densities below the least of float64 underflow nowhere, derivatives included."""
    log_prob, denoising, parameters = LAWS[law]
    far = 1e8 * POINT
    level = LEVELS[1]
    found = denoising(far, level, *parameters)
    assert all(np.isfinite(leaf).all() for leaf in found)
    assert np.isfinite(jax.grad(log_prob)(far, level, *parameters)).all()


@each_law
def test_points_and_levels_are_mapped_and_compiled(law):
    """`vmap` over both, in a jitted function, is one by one."""
    _, denoising, parameters = LAWS[law]
    points = jnp.asarray(RNG.normal(size=(3, 2)))
    levels = theory.NoiseLevel(*map(jnp.stack, zip(*LEVELS, strict=True)))
    many = jax.jit(jax.vmap(lambda x, level: denoising(x, level, *parameters).mean))
    for point, level, found in zip(points, LEVELS, many(points, levels), strict=True):
        alone = denoising(point, level, *parameters).mean
        np.testing.assert_allclose(found, alone, rtol=1e-12, atol=1e-14)


def test_derivatives_in_the_law_are_finite_at_equal_eigenvalues():
    """The density's slope in C = I, against differences of 1e-6, and its curvature is symmetric."""
    log_prob = lambda cov: theory.gaussian_marginal_log_prob(POINT, LEVELS[1], MEANS[0], cov)
    step = np.array([[0.3, -0.2], [-0.2, 0.5]])
    slope = (log_prob(np.eye(2) + 1e-6 * step) - log_prob(np.eye(2) - 1e-6 * step)) / 2e-6
    found = jnp.vdot(jax.grad(log_prob)(jnp.eye(2)), step)
    np.testing.assert_allclose(found, slope, rtol=1e-7)
    gradient = lambda cov: jnp.vdot(jax.grad(log_prob)(cov), step)
    bend = (gradient(jnp.eye(2) + 1e-6 * step) - gradient(jnp.eye(2) - 1e-6 * step)) / 2e-6
    twice = jnp.vdot(jax.grad(gradient)(jnp.eye(2)), step)
    np.testing.assert_allclose(twice, bend, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.gaussian_denoiser([1.0], LEVELS[0], [0, 0], np.eye(2)), "x must be one"),
        (lambda: theory.gaussian_denoiser([1.0], LEVELS[0], [0], np.eye(2)), "the data must have"),
        (
            lambda: theory.data_denoiser([1.0, 2], level_of([1.0, 1], [1.0, 2]), MEANS),
            "level must be one level",
        ),
        (lambda: theory.data_denoiser([1.0, 2], level_of(1.0, -1.0), MEANS), "sigma must not be"),
        (
            lambda: theory.mixture_denoiser(POINT, LEVELS[0], [1, 2], MEANS, COVS),
            r"weights must have the shape \(3,\)",
        ),
        (
            lambda: theory.mixture_denoiser(POINT, LEVELS[0], WEIGHTS, MEANS, COVS[:2]),
            "must agree in shape",
        ),
    ],
)
def test_wrong_shapes_are_refused(call, says):
    """In one line that names the argument."""
    with pytest.raises(ValueError, match=says) as refusal:
        call()
    assert "\n" not in str(refusal.value)
