"""What losses of GANs have beside scores: augmentation, classes, reconstruction, penalties of G."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

import gameopt as go
from tests.gameopt.solvers.test_solvers_on_gans import NAMES
from tests.solvers import ALL_SOLVERS

KEYS = jax.random.split(jax.random.key(9), 6)
VALUES, LATENTS = jax.random.normal(KEYS[0], (6, 2)), jax.random.normal(KEYS[1], (6, 2))
LABELS = jnp.array([0, 2, 1, 1, 0, 2], jnp.int32)
POINTS = go.Conditioned(VALUES, LABELS)
KEY = KEYS[2]


class Shifted(eqx.Module):
    """The generator z + theta_c."""

    shifts: Array

    def __call__(self, z, label):
        return z + self.shifts[label]


class Classifier(eqx.Module):
    """Scores <w, x>, and class logits A x."""

    weight: Array
    classes: Array

    def __call__(self, x, label):
        del label
        return self.weight @ x

    def class_logits(self, x):
        return self.classes @ x


def whole(points):
    """A sampler that gives every point once: expectations over it, and not estimates."""
    return lambda key, n: points


def make(kind: type[go.AbstractGAN] = go.WassersteinGAN, **fields):
    return kind(whole(POINTS), whole(LATENTS), 6, **fields)


PLAYERS = go.Players(
    Shifted(jax.random.normal(KEYS[3], (3, 2))),
    Classifier(jax.random.normal(KEYS[4], (2,)), jax.random.normal(KEYS[5], (3, 2))),
)
FAKE = np.asarray(LATENTS) + np.asarray(PLAYERS.x.shifts)[np.asarray(LABELS)]


def cross_entropy(points):
    logits = np.asarray(points) @ np.asarray(PLAYERS.y.classes).T
    chosen = logits[np.arange(6), np.asarray(LABELS)]
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen)


def softmax_gap(points):
    """The softmax minus one at the label, shape (6, 3): the gradient by the logits."""
    logits = np.asarray(points) @ np.asarray(PLAYERS.y.classes).T
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) - np.eye(3)[LABELS]


def test_classes_are_added_to_both_losses():
    """Cross-entropies of linear logits and their gradients, in closed form.

    The critic's on data and on generated points, sum of (softmax - e_c) x^T / 6; the generator's
    on generated points, of A^T (softmax - e_c) by each class's shift.
    """
    plain, game = make(), make(auxiliary_weight=0.7)
    without, losses = (g.losses(PLAYERS, KEY) for g in (plain, game))
    on_real, on_fake = cross_entropy(VALUES), cross_entropy(FAKE)
    np.testing.assert_allclose(losses.x - without.x, 0.7 * on_fake, rtol=1e-12)
    np.testing.assert_allclose(losses.y - without.y, 0.7 * (on_real + on_fake), rtol=1e-12)
    field, before = go.field(game, PLAYERS, KEY), go.field(plain, PLAYERS, KEY)
    by_classes = softmax_gap(VALUES).T @ VALUES / 6 + softmax_gap(FAKE).T @ FAKE / 6
    np.testing.assert_allclose(field.y.classes, 0.7 * by_classes, rtol=1e-12)
    by_points = softmax_gap(FAKE) @ np.asarray(PLAYERS.y.classes) / 6
    by_shifts = np.stack([by_points[c == LABELS].sum(axis=0) for c in range(3)])
    np.testing.assert_allclose(
        field.x.shifts - before.x.shifts, 0.7 * by_shifts, rtol=1e-11, atol=1e-15
    )
    np.testing.assert_array_equal(field.y.weight, before.y.weight)
    assert plain.is_zero_sum
    assert not game.is_zero_sum


def test_reconstruction_is_the_generators_alone():
    """Weight times the mean of |x - G(z, c)| over points and entries; its slope is a sign."""
    plain, game = make(), make(reconstruction_weight=5.0)
    without, losses = (g.losses(PLAYERS, KEY) for g in (plain, game))
    gaps = np.asarray(VALUES) - FAKE
    np.testing.assert_allclose(losses.x - without.x, 5 * np.abs(gaps).mean(), rtol=1e-12)
    assert losses.y == without.y
    field, before = go.field(game, PLAYERS, KEY), go.field(plain, PLAYERS, KEY)
    slopes = np.stack([-np.sign(gaps)[c == LABELS].sum(axis=0) for c in range(3)])
    np.testing.assert_allclose(field.x.shifts - before.x.shifts, 5 * slopes / 12, atol=1e-14)
    chex.assert_trees_all_equal(field.y, before.y)
    assert not game.is_zero_sum


def test_a_penalty_of_the_generator_is_its_own():
    """Orthogonal columns of the table of shifts, in closed form; not zero-sum."""
    plain, game = make(), make(generator_penalty=go.OrthogonalPenalty(0.3))
    without, losses = (g.losses(PLAYERS, KEY) for g in (plain, game))
    left, right = np.asarray(PLAYERS.x.shifts).T
    np.testing.assert_allclose(losses.x - without.x, 0.3 * 2 * (left @ right) ** 2, rtol=1e-11)
    assert losses.y == without.y
    assert not game.is_zero_sum


def test_augmentation_goes_before_the_critic_in_every_loss_and_penalty():
    """x -> a x with one factor a for each point, which the losses of a linear critic show.

    V = E a <w, x> - E a' <w, G>, the penalty |w|^2 wherever it is taken, E a^2 |x|^2 of a
    quadratic critic; gradients go through it to the generator.
    """
    factors = []
    augment = lambda key, x: jax.random.uniform(key) * x
    game = make(augment=augment)
    batch = game.draw(KEY)
    for key in jax.random.split(batch.key, 3)[1:]:
        keys = jax.random.split(key, 6)
        factors.append(np.array([jax.random.uniform(k) for k in keys]))
    assert len(set(np.concatenate(factors))) == 12
    real, fake = factors[0][:, None] * np.asarray(VALUES), factors[1][:, None] * FAKE
    losses, field = game.losses_and_field(PLAYERS, KEY)
    gap = real.mean(axis=0) - fake.mean(axis=0)
    np.testing.assert_allclose(losses.x, np.asarray(PLAYERS.y.weight) @ gap, rtol=1e-12)
    assert losses.y == -losses.x
    assert game.is_zero_sum
    shares = np.stack([factors[1][c == LABELS].sum() for c in range(3)]) / 6
    expected = -shares[:, None] * np.asarray(PLAYERS.y.weight)
    np.testing.assert_allclose(field.x.shifts, expected, rtol=1e-12)
    quadratic = lambda x, label: 0.5 * jnp.sum(x**2)
    r1, r2 = (go.GradientPenalty(2.0, target=0, where=kind) for kind in ("real", "fake"))
    for part, points in ((r1, real), (r2, fake)):
        penalized = make(augment=augment, penalty=part)
        penalty = penalized.metrics(go.Players(PLAYERS.x, quadratic), KEY)["penalty"]
        np.testing.assert_allclose(penalty, 2 * (points**2).sum(axis=1).mean(), rtol=1e-12)
    with_classes = make(augment=augment, auxiliary_weight=1.0, reconstruction_weight=1.0)
    terms = with_classes.metrics(PLAYERS, KEY)
    both = cross_entropy(real) + cross_entropy(fake)
    np.testing.assert_allclose(terms["critic_auxiliary"], both, rtol=1e-12)
    np.testing.assert_allclose(
        terms["reconstruction"], np.abs(np.asarray(VALUES) - FAKE).mean(), rtol=1e-12
    )


def test_an_augmentation_that_changes_nothing_changes_no_bit():
    """And none is drawn for a game without one: keys of the penalty are the only difference."""
    chex.assert_trees_all_equal(
        make().losses_and_field(PLAYERS, KEY),
        make(augment=lambda key, x: x).losses_and_field(PLAYERS, KEY),
    )


def test_points_of_a_pack_are_augmented_and_classified_one_by_one():
    """The augmentation sees single points, by keys of their own; labels are unpacked too."""
    seen = []

    def augment(key, x):
        seen.append(x.shape)
        return x * jax.random.uniform(key)

    class OfPacks(Classifier):
        def __call__(self, x, label):
            assert label.shape == (2,)
            return self.weight @ jnp.sum(x, axis=0)

    players = go.Players(PLAYERS.x, OfPacks(PLAYERS.y.weight, PLAYERS.y.classes))
    game = go.HingeGAN(
        whole(POINTS), whole(LATENTS), 3, packing=2, augment=augment, auxiliary_weight=1.0
    )
    assert jnp.isfinite(game.losses(players, KEY).x)
    assert set(seen) == {(2,)}
    plain = go.HingeGAN(whole(POINTS), whole(LATENTS), 3, packing=2, auxiliary_weight=1.0)
    terms = plain.metrics(players, KEY)
    np.testing.assert_allclose(terms["generator_auxiliary"], cross_entropy(FAKE), rtol=1e-12)


ALL_TERMS = {
    "penalty": go.Penalties((go.GradientPenalty(0.5), go.LeCamPenalty(0.3))),
    "auxiliary_weight": 0.7,
    "reconstruction_weight": 2.0,
    "generator_penalty": go.OrthogonalPenalty(0.1),
    "augment": lambda key, x: x + 0.1 * jax.random.normal(key, x.shape),
}


@pytest.mark.parametrize("kind", [go.WassersteinGAN, go.NonSaturatingGAN])
def test_the_fast_field_is_the_field_with_all_terms(kind):
    """One backward pass and shared draws against the gradient of each loss by itself, and the
    products with the Jacobian against a difference of fields."""
    game = make(kind, **ALL_TERMS)
    losses, field = game.losses_and_field(PLAYERS, KEY)
    chex.assert_trees_all_close(losses, game.losses(PLAYERS, KEY), rtol=1e-12)
    by_x = eqx.filter_grad(lambda x: game.losses(go.Players(x, PLAYERS.y), KEY).x)(PLAYERS.x)
    by_y = eqx.filter_grad(lambda y: game.losses(go.Players(PLAYERS.x, y), KEY).y)(PLAYERS.y)
    chex.assert_trees_all_close(field, go.Players(by_x, by_y), rtol=1e-10, atol=1e-13)
    direction, h = jax.tree.map(jnp.ones_like, PLAYERS), 1e-6
    at = lambda s: go.field(game, jax.tree.map(lambda p: p + s, PLAYERS), KEY)
    difference = jax.tree.map(lambda a, b: (a - b) / (2 * h), at(h), at(-h))
    # Central differences: h^2 and a rounding of 1e-16 / h.
    chex.assert_trees_all_close(
        go.jvp(game, PLAYERS, direction, KEY), difference, rtol=1e-6, atol=1e-8
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_solver_plays_a_game_with_all_terms(name):
    """Second-order ones too: three rounds of conditional play stay finite and keep structure."""
    game = make(go.HingeGAN, **ALL_TERMS)
    last = go.rollout(game, ALL_SOLVERS[name](1e-3), PLAYERS, 3, key=KEY)
    chex.assert_trees_all_equal_shapes_and_dtypes(last.players, PLAYERS)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(last.players))


def test_all_terms_are_in_the_metrics_and_add_up():
    """Value and terms are the losses."""
    game = make(**ALL_TERMS)
    losses, terms = game.losses(PLAYERS, KEY), game.metrics(PLAYERS, KEY)
    of_x = ("generator_auxiliary", "reconstruction", "generator_penalty")
    value = terms["wasserstein_estimate"]
    np.testing.assert_allclose(losses.x, value + sum(terms[name] for name in of_x), rtol=1e-12)
    expected = terms["penalty"] + terms["critic_auxiliary"] - value
    np.testing.assert_allclose(losses.y, expected, rtol=1e-12)


def test_weights_are_leaves_of_the_game():
    """A sweep over them is one compiled program, and a penalty's is the same."""
    loss = lambda weight: make(auxiliary_weight=weight).losses(PLAYERS, KEY).x
    losses = jax.vmap(loss)(jnp.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(losses[2] - losses[1], losses[1] - losses[0], rtol=1e-12)


def test_terms_say_what_they_need():
    """Labels, class logits, conditions; a label beyond the classes is no number."""
    score_only = go.Players(PLAYERS.x, lambda x, label: jnp.sum(x))
    with pytest.raises(ValueError, match="critic with a method class_logits"):
        make(auxiliary_weight=1.0).losses(score_only, KEY)
    with pytest.raises(ValueError, match=r"Conditioned\(values, labels\), with an int32 label"):
        go.class_cross_entropy(PLAYERS.y, VALUES)
    with pytest.raises(ValueError, match="with an int32 label"):
        go.class_cross_entropy(PLAYERS.y, go.Conditioned(VALUES, VALUES))
    unpaired = go.WassersteinGAN(whole(VALUES), whole(LATENTS), 6, reconstruction_weight=1.0)
    with pytest.raises(ValueError, match="data that are Conditioned"):
        unpaired.losses(go.Players(lambda z: z, lambda x: jnp.sum(x)), KEY)
    beyond = go.class_cross_entropy(PLAYERS.y, go.Conditioned(VALUES, LABELS + 1))
    assert jnp.isnan(beyond)
