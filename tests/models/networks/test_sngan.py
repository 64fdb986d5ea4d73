"""Residual networks of any size, whose parts are what the paper's table says."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from models import (
    Conv2d,
    SpectralConv2d,
    refreshed,
    sngan_critic,
    sngan_features,
    sngan_generator,
    with_standing_statistics,
)
from tests.solvers import both

KEY = jax.random.key(0)


@pytest.mark.parametrize("shape", [(8, 8), (9, 13, 3), (3, 5, 1), (16, 12, 2)], ids=str)
def test_images_of_any_size_and_number_of_channels(shape):
    """Shapes without computing them, and as many features as the width."""

    def play(spectral):
        made = go.generated(sngan_generator(5, shape, width=4, key=KEY), jnp.ones((4, 5)))
        critic = sngan_critic(shape, width=4, key=KEY, spectral=spectral)
        body, size = sngan_features(shape, width=6, key=KEY, spectral=spectral)
        assert size == 6
        return made, go.critic_scores(critic, made), go.generated(body, made)

    for spectral in (True, False):
        found = jax.eval_shape(functools.partial(play, spectral))
        assert [leaf.shape for leaf in found] == [(4, *shape), (4,), (4, 6)]


def layers_of(network, kind):
    """Every layer of a kind, in order."""
    is_kind = lambda node: isinstance(node, kind)
    return [node for node in jax.tree.leaves(network, is_leaf=is_kind) if is_kind(node)]


def test_the_published_layers():
    """32x32x3 at widths 256 and 128: kernels of table 4, with its shortcuts."""
    made = eqx.filter_eval_shape(lambda: sngan_generator(128, (32, 32, 3), width=256, key=KEY))
    block = [(3, 3, 256, 256), (3, 3, 256, 256), (1, 1, 256, 256)]
    kernels = [layer.kernel.shape for layer in layers_of(made, Conv2d)]
    assert kernels == 3 * block + [(3, 3, 256, 3)]
    assert made.layers[0].weight.shape == (128, 4 * 4 * 256)
    judged = eqx.filter_eval_shape(lambda: sngan_critic((32, 32, 3), width=128, key=KEY))
    kernels = [layer.kernel.shape for layer in layers_of(judged, SpectralConv2d)]
    first = [(3, 3, 3, 128), (3, 3, 128, 128), (1, 1, 3, 128)]
    block = [(3, 3, 128, 128), (3, 3, 128, 128), (1, 1, 128, 128)]
    assert kernels == first + 2 * block + block[:2]


def test_the_sum_over_places_counts_them():
    """With kernels of 0 the features are ReLU of the last biases, times 4 x 4 places."""
    body, _ = sngan_features((16, 16), width=3, key=KEY, spectral=False)
    zero = jax.tree.map(jnp.zeros_like, body)
    path = lambda network: network.layers[-3].main.layers[-1].bias
    zero = eqx.tree_at(path, zero, jnp.array([1.0, -2.0, 0.5]))
    np.testing.assert_allclose(eqx.filter_jit(zero)(jnp.ones((16, 16))), [16, 0, 8], rtol=1e-14)


def test_standing_statistics_reach_into_residual_blocks():
    """On the latents that they are of, images are those of training."""
    generator = sngan_generator(4, (9, 8), width=3, key=KEY)
    latents = jax.random.normal(jax.random.key(3), (16, 4))
    fixed = jax.jit(with_standing_statistics)(generator, latents)
    made = jax.jit(go.generated)(generator, latents)
    alone = jax.jit(lambda points: jax.vmap(fixed)(points))(latents)
    np.testing.assert_allclose(alone, made, rtol=1e-8, atol=1e-10)


@pytest.mark.slow
def test_hinge_training_lowers_the_critics_loss():
    """20 rounds of Adam with a still generator, each layer's norm refreshed after every move."""
    images = jnp.tanh(jax.random.normal(jax.random.key(2), (16, 8, 8)))
    game = go.HingeGAN(go.Samples(images), go.NormalLatent((3,)), 8)
    game = go.constrained(game, y=refreshed)
    players = go.Players(
        sngan_generator(3, (8, 8), width=2, key=KEY), sngan_critic((8, 8), width=3, key=KEY)
    )
    solver = go.Simultaneous(both(optax.adam, 0.0, 1e-2))
    trained = go.rollout(game, solver, players, 20, key=KEY).players
    loss = eqx.filter_jit(lambda players: game.losses(players, jax.random.key(9)).y)
    assert loss(trained) < loss(players)
