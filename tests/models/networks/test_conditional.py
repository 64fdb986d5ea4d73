"""Networks that know the class: generators, and critics in three ways."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from models import (
    AuxiliaryCritic,
    Embedding,
    LabelledGenerator,
    OneHot,
    conditional_dcgan_critic,
    labelled_dcgan_generator,
    with_standing_statistics,
)
from tests.solvers import both

KEYS = jax.random.split(jax.random.key(0), 6)
INIT = jax.nn.initializers.normal(1.0)
LABELS = jnp.array([0, 1, 2, 2, 1, 0], jnp.int32)
KINDS = ["concatenation", "projection", "auxiliary"]


def images(shape, n=6):
    """Normal numbers."""
    return jax.random.normal(KEYS[1], (n, *shape))


def critic(kind, shape=(8, 8), **options) -> Any:
    """Of three classes."""
    return conditional_dcgan_critic(shape, 3, kind=kind, width=2, key=KEYS[2], **options)


def test_embeddings_are_rows():
    """One-hot is the identity's, a learned one the weight's, and a spectral one has norm 1."""
    rows = jax.vmap(OneHot(3))(LABELS)
    np.testing.assert_array_equal(rows, np.eye(3)[LABELS])
    embedding = Embedding(3, 4, INIT, KEYS[0])
    np.testing.assert_array_equal(jax.vmap(embedding)(LABELS), embedding.weight[LABELS])
    spectral = Embedding(3, 4, INIT, KEYS[0], spectral=True)
    matrix = jax.vmap(spectral)(jnp.arange(3))
    np.testing.assert_allclose(np.linalg.norm(matrix, ord=2), 1, rtol=1e-12)
    np.testing.assert_allclose(matrix / matrix[0, 0], spectral.weight / spectral.weight[0, 0])
    zero = eqx.tree_at(lambda e: e.weight, spectral, jnp.zeros((3, 4)))
    np.testing.assert_array_equal(zero(LABELS[0]), 0)


def test_latent_and_label_are_laid_side_by_side():
    """A network that is the identity gives both back."""
    generator = LabelledGenerator(lambda both: both, OneHot(3))
    z = jnp.array([0.5, -1.0])
    np.testing.assert_array_equal(generator(z, LABELS[1]), [0.5, -1, 0, 1, 0])


@pytest.mark.parametrize("shape", [(8, 8), (9, 13, 3), (3, 5)], ids=str)
@pytest.mark.parametrize("embedding_size", [None, 4])
def test_labelled_images_of_any_size(shape, embedding_size):
    """What is generated keeps its labels; every kind of critic gives one number for it."""

    def play():
        generator = labelled_dcgan_generator(
            5, shape, 3, width=2, key=KEYS[3], embedding_size=embedding_size
        )
        made = go.generated(generator, go.Conditioned(jnp.ones((6, 5)), LABELS))
        critics = [critic(kind, shape, spectral=embedding_size is None) for kind in KINDS]
        return made, [go.critic_scores(judged, made) for judged in critics]

    made, scores = jax.eval_shape(play)
    assert made.value.shape == (6, *shape)
    assert made.condition.shape == LABELS.shape
    assert [score.shape for score in scores] == 3 * [(6,)]


def test_standing_statistics_of_a_labelled_generator():
    """On the latents and labels that they are of, images are those of training."""
    generator = labelled_dcgan_generator(4, (8, 8), 3, width=2, key=KEYS[3])
    latents = go.Conditioned(jax.random.normal(KEYS[4], (6, 4)), LABELS)
    fixed = jax.jit(with_standing_statistics)(generator, latents)
    made = jax.jit(go.generated)(generator, latents).value
    at = eqx.filter_jit(fixed)
    alone = jnp.stack([at(z, c) for z, c in zip(latents.value, LABELS, strict=True)])
    np.testing.assert_allclose(alone, made, rtol=1e-8, atol=1e-10)


def test_a_projection_critic_is_linear_in_its_features():
    """Scores are <w + v_c, phi> + b: those of two labels differ by <v_c - v_d, phi>."""
    judged = critic("projection")
    x = images((8, 8))[0]
    phi, vectors = judged.features(x), judged.embedding.weight
    for label in range(3):
        direction = judged.head.weight[:, 0] + vectors[label]
        expected = direction @ phi + judged.head.bias[0]
        np.testing.assert_allclose(judged(x, jnp.int32(label)), expected, rtol=1e-10)


def test_a_concatenation_critic_sees_the_label_as_a_plane():
    """The score is the network's, of the image and the embedding's numbers row by row."""
    judged, x = critic("concatenation"), images((8, 8))[0]
    plane = judged.embedding.weight[2].reshape(8, 8)
    expected = judged.network(jnp.stack([x, plane], axis=-1))
    np.testing.assert_allclose(judged(x, LABELS[2]), expected, rtol=1e-12)


def test_an_auxiliary_critic_ignores_the_label_in_its_score_and_learns_to_tell_it():
    """Ten steps of descent on the cross-entropy of classes lower it; the score sees no label."""
    judged, x = critic("auxiliary"), images((8, 8))
    assert isinstance(judged, AuxiliaryCritic)
    np.testing.assert_array_equal(judged(x[0], LABELS[0]), judged(x[0], LABELS[1]))
    np.testing.assert_array_equal(judged(x[0], LABELS[0]), judged(x[0]))

    def loss(judged):
        logits = jax.vmap(judged.class_logits)(x)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, LABELS))

    descend = lambda p, g: p - 0.1 * g
    step = jax.jit(lambda judged: jax.tree.map(descend, judged, jax.grad(loss)(judged)))
    trained = judged
    for _ in range(10):
        trained = step(trained)
    assert jax.jit(loss)(trained) < 0.9 * jax.jit(loss)(judged)


@pytest.mark.parametrize(
    "kind", [KINDS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])]
)
def test_conditional_games_are_played(kind):
    """Two rounds of WGAN-GP on labelled images move what stands for the labels, on both sides.

    An auxiliary critic's classifier moves by the term of the game that asks for classes.
    """
    data = go.Samples(go.Conditioned(jnp.tanh(images((8, 8))), LABELS))
    weights: dict[str, Any] = {"auxiliary_weight": 1.0} if kind == "auxiliary" else {}
    penalty = go.GradientPenalty(10.0)
    game = go.WassersteinGAN(data, go.NormalLatent((3,)), 4, penalty, **weights)
    generator = labelled_dcgan_generator(3, (8, 8), 3, width=2, key=KEYS[3], embedding_size=2)
    players = go.Players(generator, critic(kind))
    trained = go.rollout(game, go.Simultaneous(both(optax.adam, 1e-3)), players, 2, key=KEYS[5])
    moved = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), trained.players, players)
    assert all(jnp.isfinite(leaf) for leaf in jax.tree.leaves(moved))
    assert moved.x.embedding.weight > 0
    labels = moved.y.classifier if kind == "auxiliary" else moved.y.embedding
    assert labels.weight > 0
