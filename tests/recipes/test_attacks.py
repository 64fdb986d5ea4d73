"""Attacks against what is known: linear classifiers' worst perturbations, and sets."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from models import MLP
from recipes._adversarial.attacks import (
    PerturbationBall,
    accuracy_over_radii,
    cross_entropy,
    fgsm,
    pgd,
    predict,
    project_on_ball_in_box,
    steepest,
)

NORMS = ("linf", "l2")
LABELS = jnp.array([0, 1, 0, 1, 1, 0])


class Linear(eqx.Module):
    """Two classes with the logits 0 and <w, x> + b."""

    weight: Float[Array, "*shape"]
    bias: Float[Array, ""]

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, " classes"]:
        score = jnp.sum(self.weight * x) + self.bias
        return jnp.stack([jnp.zeros_like(score), score])


def linear():
    weight = jax.random.normal(jax.random.key(0), (3, 4))
    return Linear(weight, -jnp.sum(weight) / 2)


def network():
    return MLP((3, 4), (5,), width=16, depth=2, key=jax.random.key(3))


def images(key=1, low=0.0, high=1.0):
    return jax.random.uniform(jax.random.key(key), (len(LABELS), 3, 4), minval=low, maxval=high)


def in_set(perturbations, points, ball):
    flat = np.asarray(perturbations).reshape(len(points), -1)
    order = np.inf if ball.norm == "linf" else 2
    assert np.linalg.norm(flat, order, axis=1).max() <= float(ball.radius) * (1 + 1e-12)
    assert float(jnp.min(points + perturbations)) >= -1e-15
    assert float(jnp.max(points + perturbations)) <= 1 + 1e-15


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_the_worst_case_of_a_linear_classifier_is_reached(norm, attack):
    """The margin shrinks by eps times the dual norm of w: exactly, far from the range's end.

    The worst perturbation is -eps c sign(w) in linf and -eps c w / |w| in l2, c = ±1 the class.
    """
    classifier, points = linear(), images(low=0.4, high=0.6)
    ball = PerturbationBall(jnp.asarray(0.1), norm)
    if attack == "fgsm":
        found = fgsm(classifier, points, LABELS, ball)
    else:
        found = pgd(classifier, points, LABELS, ball, jax.random.key(2), steps=7, restarts=2)
    signs = jnp.where(LABELS == 1, 1.0, -1.0)
    w = classifier.weight
    direction = jnp.sign(w) if norm == "linf" else w / jnp.linalg.norm(w)
    worst = -0.1 * signs[:, None, None] * direction[None]
    np.testing.assert_allclose(found.perturbation, worst, rtol=1e-12, atol=1e-15)
    dual = jnp.sum(jnp.abs(w)) if norm == "linf" else jnp.linalg.norm(w)
    margins = signs * jax.vmap(lambda p: classifier(p)[1])(points)
    np.testing.assert_allclose(found.loss, jax.nn.softplus(0.1 * dual - margins), rtol=1e-12)
    np.testing.assert_array_equal(found.fooled, margins < 0.1 * dual)


@pytest.mark.parametrize("norm", NORMS)
def test_the_worst_case_at_the_end_of_the_range(norm):
    """A linear function's largest value on the set is at the projection of a far point along w."""
    classifier, points = linear(), images()
    ball = PerturbationBall(jnp.asarray(0.6), norm)
    found = pgd(classifier, points, LABELS, ball, jax.random.key(2), steps=200, restarts=2)
    signs = jnp.where(LABELS == 1, 1.0, -1.0)[:, None, None]
    worst = ball.project(-1e8 * signs * classifier.weight[None], points)
    losses = jax.vmap(lambda p, c: cross_entropy(classifier(p), c))(points + worst, LABELS)
    np.testing.assert_allclose(found.loss, losses, rtol=1e-4)
    assert bool(jnp.all(found.loss <= losses * (1 + 1e-12)))
    if norm == "linf":
        np.testing.assert_allclose(found.perturbation, worst, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_pgd_is_never_below_fgsm_and_stays_in_the_set(norm):
    """On a network, where neither is exact; more restarts and starts never find less."""
    classifier, points, ball = network(), images(), PerturbationBall(jnp.asarray(0.3), norm)
    quick = fgsm(classifier, points, LABELS, ball)
    few, many = (
        pgd(classifier, points, LABELS, ball, jax.random.key(2), steps=10, restarts=restarts)
        for restarts in (1, 4)
    )
    for weaker, stronger in ((quick, few), (few, many)):
        assert bool(jnp.all(weaker.loss <= stronger.loss))
        assert bool(jnp.all(weaker.fooled <= stronger.fooled))
    for found in (quick, few, many):
        in_set(found.perturbation, points, ball)
        losses = jax.vmap(lambda p, c: cross_entropy(classifier(p), c))(
            points + found.perturbation, LABELS
        )
        np.testing.assert_allclose(found.loss, losses, rtol=1e-12)
    assert bool(jnp.any(few.loss > quick.loss))


@pytest.mark.parametrize("norm", NORMS)
def test_accuracy_falls_with_the_radius_from_the_clean_one(norm, float32):
    """Never above the clean accuracy, and monotone, for either attack."""
    classifier, points = network(), images()
    labels = predict(classifier, points)
    labels = labels.at[0].set((labels[0] + 1) % 5)
    for attack in (
        lambda ball: fgsm(classifier, points, labels, ball),
        lambda ball: pgd(classifier, points, labels, ball, jax.random.key(2), steps=5, restarts=2),
    ):
        accuracies = accuracy_over_radii(attack, norm, [0.0, 0.05, 0.1, 0.2, 0.4, 0.8])
        assert accuracies[0] == pytest.approx(5 / 6)
        assert all(a >= b for a, b in itertools.pairwise(accuracies))
        assert accuracies[-1] < accuracies[0]


@pytest.mark.parametrize(
    "norm", [pytest.param(n, marks=[pytest.mark.slow] if n == "l2" else []) for n in NORMS]
)
def test_the_projection_is_the_nearest_point(norm):
    """<y - P(y), z - P(y)> <= 0 for every z of the set: the condition that only P(y) meets."""
    points, ball = images(), PerturbationBall(jnp.asarray(0.5), norm)
    points = points.at[0, 0].set(0.0).at[1, 0].set(1.0)
    for scale in (0.01, 0.2, 1.0, 30.0):
        far = scale * jax.random.normal(jax.random.key(4), points.shape)
        far = far.at[:, 1, 1].set(0.0)
        nearest = ball.project(far, points)
        in_set(nearest, points, ball)
        np.testing.assert_allclose(ball.project(nearest, points), nearest, atol=1e-15)
        for key in range(20):
            other = ball.sample(jax.random.key(key), points)
            in_set(other, points, ball)
            products = jnp.sum((far - nearest) * (other - nearest), axis=(1, 2))
            assert float(jnp.max(products)) <= 1e-12 * scale


@pytest.mark.parametrize("norm", NORMS)
def test_samples_are_uniform_in_the_ball(norm):
    """Where the range does not cut: the share within 0.9 radii is 0.9^12, the mean is 0."""
    points = jnp.full((20_000, 3, 4), 0.5)
    drawn = np.asarray(PerturbationBall(jnp.asarray(0.4), norm).sample(jax.random.key(0), points))
    flat = drawn.reshape(len(drawn), -1) / 0.4
    sizes = np.linalg.norm(flat, np.inf if norm == "linf" else 2, axis=1)
    share = 0.9**12
    assert sizes.max() <= 1
    assert np.mean(sizes < 0.9) == pytest.approx(share, abs=5 * np.sqrt(share / len(flat)))
    assert np.abs(flat.mean(0)).max() < 5 / np.sqrt(len(flat))


def test_the_ball_in_a_box_at_its_corners():
    """Inside nothing moves; a box within the ball is met alone; a radius or box of 0 leaves 0."""
    project = lambda y, r, b: project_on_ball_in_box(jnp.array(y), jnp.asarray(r), -b, b)
    wide, narrow = jnp.full(2, 9.0), jnp.array([0.3, 0.0])
    np.testing.assert_array_equal(project([0.3, -0.4], 1.0, wide), [0.3, -0.4])
    np.testing.assert_allclose(project([3.0, -4.0], 1.0, wide), [0.6, -0.8])
    np.testing.assert_allclose(project([0.0, 0.0], 1.0, wide), [0.0, 0.0])
    np.testing.assert_allclose(project([3.0, -4.0], 1.0, narrow), [0.3, 0.0])
    np.testing.assert_allclose(project([3.0, -4.0], 0.0, wide), [0.0, 0.0])
    # One entry at its bound, the other takes the rest of the radius.
    box = jnp.array([0.6, 9.0])
    np.testing.assert_allclose(project([5.0, 4.0], 1.0, box), [0.6, 0.8])


def test_gradients_where_a_classifier_is_sure(float32):
    """A margin of 60: -log softmax rounds to 0 in float32 with its gradient, ours points on."""
    logits, label = jnp.array([60.0, 0.0, -1.0]), jnp.int32(0)
    gradient = jax.grad(cross_entropy)(logits, label)
    assert float(gradient[0]) < 0 < float(gradient[1])
    np.testing.assert_allclose(float(gradient[0]), -(np.exp(-60) + np.exp(-61)), rtol=1e-5)
    np.testing.assert_allclose(jnp.linalg.norm(steepest("l2", gradient[None])), 1, rtol=1e-6)
    usual = jax.grad(lambda z: -jax.nn.log_softmax(z)[0])(logits)
    assert float(usual[0]) == 0
    other = jnp.array([0.3, -0.2, 1.0])
    np.testing.assert_allclose(
        cross_entropy(other, jnp.int32(2)), -jax.nn.log_softmax(other)[2], rtol=1e-6
    )


def test_no_direction_where_the_loss_is_flat():
    """0 and not NaN."""
    for norm in NORMS:
        np.testing.assert_array_equal(steepest(norm, jnp.zeros((2, 3, 4))), np.zeros((2, 3, 4)))
