"""Gradients of `theory` where formulas divide by 0: equal eigenvalues, no rank, equal points.

Where the derivative exists it is held against central differences, whose error is of the order of
1e-9 in float64; where it does not (distances at 0), the gradient is finite, as documented.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

_rng = np.random.default_rng(0)
ZERO, ONES = jnp.zeros(3), jnp.ones(3)
EYE = jnp.eye(3)
TURNED = jnp.asarray(np.linalg.qr(_rng.normal(size=(3, 3)))[0])
TWICE = TURNED @ jnp.diag(jnp.array([2.0, 2.0, 0.5])) @ TURNED.T
FLAT = TURNED[:, :2] @ TURNED[:, :2].T  # of rank two
CLOUD = jnp.asarray(_rng.normal(size=(7, 3)))
OTHER = jnp.asarray(_rng.normal(size=(5, 3)))
FEW = jnp.asarray(_rng.normal(size=(4, 8)))
MANY = jnp.asarray(_rng.normal(size=(20, 8)))
LINE, ACROSS = CLOUD[:, 0], OTHER[:, 0]


def symmetric(direction):
    return 0.5 * (direction + direction.T)


SMOOTH = {
    "W2, covariances that are multiples of I": (
        lambda s: theory.wasserstein2_gaussian(ZERO, s**2 * EYE, ZERO, EYE),
        jnp.asarray(1.5),
    ),
    "W2, repeated eigenvalues": (
        lambda c: theory.wasserstein2_gaussian(ZERO, symmetric(c), ZERO, EYE),
        TWICE,
    ),
    "W2, equal covariances": (
        lambda c: theory.wasserstein2_gaussian(ZERO, symmetric(c), ONES, TWICE),
        TWICE,
    ),
    "W2, a singular second law": (
        lambda c: theory.wasserstein2_gaussian(ZERO, symmetric(c), ONES, FLAT),
        TWICE,
    ),
    "entropic, multiples of I": (
        lambda s: theory.entropic_gaussian(ZERO, s**2 * EYE, ZERO, EYE, 0.3),
        jnp.asarray(1.5),
    ),
    "entropic, equal covariances": (
        lambda c: theory.entropic_gaussian(ZERO, symmetric(c), ZERO, TWICE, 0.3),
        TWICE,
    ),
    "entropic, a singular second law": (
        lambda c: theory.entropic_gaussian(ZERO, symmetric(c), ZERO, FLAT, 0.3),
        EYE,
    ),
    "entropic in the blur": (
        lambda epsilon: theory.entropic_gaussian(ZERO, TWICE, ZERO, FLAT, epsilon),
        jnp.asarray(0.3),
    ),
    "Fréchet, fewer points than dimensions": (
        lambda x: theory.frechet_distance(x, MANY).distance,
        FEW,
    ),
    "Fréchet of the larger sample": (lambda x: theory.frechet_distance(FEW, x).distance, MANY),
    "Fréchet, both smaller than the dimension": (
        lambda x: theory.frechet_distance(x, FEW[1:] + MANY[:3]).distance,
        FEW,
    ),
    "Hellinger at equal laws": (
        lambda c: theory.squared_hellinger_gaussian(ZERO, symmetric(c), ONES, TWICE),
        TWICE,
    ),
    "chi squared at equal laws": (
        lambda c: theory.chi2_gaussian(ZERO, symmetric(c), ZERO, TWICE),
        TWICE,
    ),
    "KL at equal laws": (lambda c: theory.kl_gaussian(ZERO, symmetric(c), ZERO, TWICE), TWICE),
    "W_p on the line": (lambda x: theory.wasserstein_1d(x, ACROSS, p=3), LINE),
    "W_p on the line with weights": (
        lambda w: theory.wasserstein_1d(LINE, ACROSS, w, p=2),
        jnp.abs(LINE) + 0.1,
    ),
    "W_inf on the line": (lambda x: theory.wasserstein_1d(x, ACROSS, p=np.inf), LINE),
    "columns mapped over, in a scan": (
        lambda x: jnp.sum(
            jax.lax.map(lambda u: theory.wasserstein_1d(x @ u, OTHER @ u, x[:, 1] ** 2), TURNED.T)
            + jax.vmap(theory.wasserstein_1d, in_axes=1)(x, OTHER)
        ),
        CLOUD,
    ),
    "sliced": (
        lambda x: theory.sliced_wasserstein(x, OTHER, TURNED, p=2).value,
        CLOUD,
    ),
    "sinkhorn divergence": (lambda x: theory.sinkhorn_divergence(x, OTHER, 1.0), CLOUD),
    "MMD": (lambda x: theory.mmd2_unbiased(x, OTHER).value, CLOUD),
    "distances to neighbours": (
        lambda x: jnp.sum(theory.nearest_neighbours(x, OTHER, 2).distances),
        CLOUD,
    ),
    "KL where q alone has no mass": (
        lambda q: theory.kl_discrete(jnp.array([0.0, 1.0, 0.0]), q),
        jnp.array([0.2, 0.5, 0.3]),
    ),
    "JS with no mass in either": (
        lambda q: theory.js_discrete(jnp.array([0.0, 0.4, 0.6]), jnp.append(0.0, q)),
        jnp.array([0.5, 0.5]),
    ),
    "slopes between points that coincide": (
        lambda v: theory.quotient_lower_bound(v, jnp.array([0.0, 0.0, 1.0])),
        jnp.array([1.0, 1.0, 3.0]),
    ),
    "a repeated largest singular value": (
        lambda s: theory.dense_norm(s * TURNED),
        jnp.asarray(2.0),
    ),
    "power iteration from a singular vector": (
        lambda s: theory.power_iteration(lambda v: s * v, ONES, 3).values[-1],
        jnp.asarray(2.0),
    ),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_the_slopes(name):
    """Along three random directions, against central differences of step 1e-5."""
    function, at = SMOOTH[name]
    gradient = jax.grad(function)(at)
    assert jnp.all(jnp.isfinite(gradient))
    for direction in jnp.asarray(np.random.default_rng(1).normal(size=(3, *at.shape))):
        slope = (function(at + 1e-5 * direction) - function(at - 1e-5 * direction)) / 2e-5
        np.testing.assert_allclose(jnp.sum(gradient * direction), slope, rtol=1e-6, atol=1e-8)


def test_w2_of_scaled_identities_has_the_slope_of_the_closed_form():
    """W2(N(0, s^2 I), N(0, I)) = sqrt(d) |s - 1|, with slopes of +- sqrt 2 in the plane."""
    distance = lambda s: theory.wasserstein2_gaussian(
        jnp.zeros(2), s**2 * jnp.eye(2), jnp.zeros(2), jnp.eye(2)
    )
    for s in (0.25, 0.999, 1.001, 7.0):
        np.testing.assert_allclose(distance(s), np.sqrt(2) * abs(s - 1), rtol=1e-9)
        np.testing.assert_allclose(jax.grad(distance)(s), np.sqrt(2) * np.sign(s - 1), rtol=1e-9)


KINKS = {
    "W2 at equal laws": lambda c: theory.wasserstein2_gaussian(ZERO, c, ZERO, TWICE),
    "Fréchet of a sample and itself": lambda c: theory.frechet_distance(c, c).distance,
    "Fréchet of a single repeated point": lambda c: theory.frechet_distance(0 * c, c).distance,
    "W_1 of a sample and itself": lambda c: theory.wasserstein_1d(c[0], c[0]),
    "W_2 of a sample and itself": lambda c: theory.wasserstein_1d(c[0], c[0] + 0.0, p=2),
    "sliced of a cloud and itself": lambda c: theory.sliced_wasserstein(c, c, TURNED).value,
    "sinkhorn divergence, p = 1": lambda c: theory.sinkhorn_divergence(c, c, 1.0, p=1),
    "isotropic sliced at equal laws": lambda c: theory.sliced_wasserstein2_isotropic(
        c[0], 1.0, c[0], 1.0
    ),
    "W_1 of normal laws, equal": lambda c: theory.wasserstein1_normal(
        c[0, 0], c[1, 1], c[0, 0], c[1, 1]
    ),
    "an extension at its own points": lambda c: jnp.sum(theory.lipschitz_extension(c[0], c, c)),
    "a linear critic of no difference": lambda c: jnp.sum(
        theory.penalised_linear_critic(0 * c[0], 1.0).weights
    ),
    "neighbour ratios of copies": lambda c: jnp.sum(theory.nearest_neighbour_ratios(c, c)),
    "the mean of equal values": lambda c: theory.kl_samples(c[0], c[0]).value,
    "both parts of an estimate": lambda c: sum(theory.kl_samples(c[0], c[0])),
    "MMD of a repeated point": lambda c: sum(theory.mmd2_unbiased(0 * c, 0 * c)),
    "slopes of a constant": lambda c: theory.quotient_lower_bound(0 * c, c),
}


@pytest.mark.parametrize("name", KINKS)
def test_gradients_at_kinks_are_finite(name):
    """Equal laws, equal points, zero vectors: no derivative, and no NaN either."""
    assert jnp.all(jnp.isfinite(jax.grad(KINKS[name])(TWICE)))


def test_the_gradient_of_mmd_takes_linear_memory():
    """Twice the points take at most about twice the memory of the compiled gradient."""

    def bytes_of(count):
        x, y = jnp.ones((2, count, 4))
        gradient = jax.jit(jax.grad(lambda x: theory.mmd2_unbiased(x, y).value))
        analysis = gradient.lower(x).compile().memory_analysis()
        assert analysis is not None
        return analysis.temp_size_in_bytes

    assert bytes_of(4096) < 2.5 * bytes_of(2048)
