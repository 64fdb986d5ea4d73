"""Layers against their formulas, written with arrays of a whole batch."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from models import BatchNorm, Linear, Maxout, maxout_critic, normalised_generator

INIT = jax.nn.initializers.normal(1.0)


def test_batch_norm_normalises_over_the_batch():
    """Mean 0 and variance 1 up to epsilon, unit by unit, then scaled and shifted: NumPy's."""
    points = 3 + 2 * jax.random.normal(jax.random.key(0), (64, 5))
    norm = BatchNorm(5, epsilon=1e-3)
    norm = eqx.tree_at(lambda n: (n.scale, n.shift), norm, (jnp.arange(5.0), -jnp.ones(5)))
    x = np.asarray(points)
    expected = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-3) * np.arange(5.0) - 1
    np.testing.assert_allclose(go.generated(norm, points), expected, rtol=1e-12, atol=1e-12)


def test_batch_norm_has_the_gradient_of_a_coupled_batch():
    """A shift of the whole batch changes nothing, so that every unit's gradients add up to 0."""
    points = jax.random.normal(jax.random.key(1), (16, 3))
    loss = lambda x: jnp.sum(jnp.sin(go.generated(BatchNorm(3), x)) * jnp.arange(3.0)[None, :])
    gradient = jax.grad(loss)(points)
    np.testing.assert_allclose(jnp.sum(gradient, axis=0), 0, atol=1e-12)
    assert jnp.abs(gradient[:, 1:]).min() > 1e-6


def test_batch_norm_of_one_point_is_an_error_that_says_so():
    """There is no batch to normalise by."""
    with pytest.raises(ValueError, match="BatchNorm needs a batch"):
        BatchNorm(3)(jnp.ones(3))


class NormalisedCritic(eqx.Module):
    """The squared length of a point that batch normalisation has gone over."""

    norm: BatchNorm

    def __call__(self, x):
        return jnp.sum(self.norm(x) ** 3)


def normalised_game(penalty=None):
    game = go.NonSaturatingGAN(go.Samples(jnp.eye(4)[:, :2]), go.NormalLatent((2,)), 5, penalty)
    return game, go.Players(lambda z: 3 * z - 1, NormalisedCritic(BatchNorm(2)))


def test_a_critic_normalises_data_and_generated_points_apart():
    """Scores of each kind against NumPy's mean and variance of that kind alone: 1e-12."""
    game, players = normalised_game()
    key = jax.random.key(0)
    batch = game.draw(key)
    scores = []
    for points in (batch.real, game.generate(players, batch.latents)):
        x = np.asarray(points)
        scaled = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)
        scores.append(jnp.asarray((scaled**3).sum(axis=1)))
        np.testing.assert_allclose(go.critic_scores(players.y, points), scores[-1], rtol=1e-12)
    np.testing.assert_allclose(game.losses(players, key).y, -go.minimax_value(*scores), rtol=1e-12)
    assert np.isfinite(go.field(game, players, key).y.norm.scale).all()


@pytest.mark.parametrize(
    "judge",
    [
        lambda critic: go.gradient_norms(critic, jnp.ones((5, 2))),
        lambda critic: go.gradient_penalty(critic, jnp.ones((5, 2))),
        lambda critic: normalised_game(go.GradientPenalty(1.0))[0].losses(
            go.Players(lambda z: z, critic), jax.random.key(0)
        ),
    ],
    ids=["norms", "penalty", "game"],
)
def test_a_critic_that_couples_its_batch_has_no_gradient_penalty(judge):
    """The error says so, and what to use instead."""
    with pytest.raises(ValueError, match=r"no gradient per sample.*groups or layers.*penalty out"):
        judge(normalised_game()[1].y)


def test_maxout_is_the_largest_of_its_pieces():
    """Each unit against its own linear maps."""
    layer = Maxout(4, 3, 5, INIT, jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (4,))
    values = np.asarray(layer.linear(x))
    expected = [max(values[unit + 3 * piece] for piece in range(5)) for unit in range(3)]
    np.testing.assert_allclose(layer(x), expected, rtol=0)


def test_a_linear_layer_may_have_no_bias():
    """And then maps 0 to 0, with one leaf."""
    layer = Linear(3, 2, INIT, jax.random.key(0), bias=False)
    assert len(jax.tree.leaves(layer)) == 1
    np.testing.assert_array_equal(layer(jnp.zeros(3)), 0)


def test_networks_of_pacgan_have_the_published_sizes():
    """400 x 4 with normalisation, no bias; 200 units of 5 pieces, packs flattened."""
    count = lambda tree: sum(leaf.size for leaf in jax.tree.leaves(tree))
    generator = normalised_generator(2, (2,), key=jax.random.key(0))
    assert count(generator) == 2 * 400 + 3 * 400 * 400 + 4 * 800 + 400 * 2 + 2
    critic = maxout_critic((3, 2), key=jax.random.key(0))
    assert count(critic) == 6 * 1000 + 1000 + 2 * (200 * 1000 + 1000) + 200 + 1
    points = go.generated(generator, jnp.ones((7, 2)))
    assert points.shape == (7, 2)
    assert critic(points[:3]).shape == ()
