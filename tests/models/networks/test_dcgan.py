"""DCGAN's networks: images of any size, steepness within bounds, and what may be asked of them."""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from models import (
    dcgan_critic,
    dcgan_features,
    dcgan_generator,
    refreshed,
    with_standing_statistics,
)
from tests.solvers import both

KEY = jax.random.key(0)
SHAPES = [(8, 8), (9, 13, 3), (3, 5, 1), (28, 28), (16, 12, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_images_of_any_size_and_number_of_channels(shape):
    """Shapes without computing them: generators of either kind, critics with each option."""
    sizes = []

    def generate(upsampling):
        generator = dcgan_generator(5, shape, width=4, key=KEY, upsampling=upsampling)
        return go.generated(generator, jnp.ones((4, 5)))

    def judge(images, options):
        critic = dcgan_critic(shape, width=4, key=KEY, **options)
        body, size = dcgan_features(shape, width=4, key=KEY, **options)
        sizes.append(size)
        return go.critic_scores(critic, images), go.generated(body, images)

    for upsampling in ("transposed", "resize"):
        images = jax.eval_shape(functools.partial(generate, upsampling))
        assert images.shape == (4, *shape)
    for options in ({"norm": "batch"}, {"norm": "instance"}, {"spectral": True}):
        scores, features = jax.eval_shape(functools.partial(judge, options=options), images)
        assert scores.shape == (4,)
        assert features.shape == (4, sizes.pop())


def test_images_are_two_or_three_dimensional():
    """A vector is none."""
    with pytest.raises(ValueError, match="height, width"):
        dcgan_critic((7,), width=4, key=KEY)


def test_the_published_sizes():
    """64x64x3 from 4x4x1024 at width 128, with five layers of weights on either side."""
    made = eqx.filter_eval_shape(lambda: dcgan_generator(100, (64, 64, 3), width=128, key=KEY))
    kernels = [leaf.shape for leaf in jax.tree.leaves(made) if len(leaf.shape) == 4]
    # A transposed convolution has the shape (4, 4, out, in) of the convolution that it undoes.
    assert kernels == [(4, 4, 512, 1024), (4, 4, 256, 512), (4, 4, 128, 256), (4, 4, 3, 128)]
    assert made.layers[0].weight.shape == (100, 4 * 4 * 1024)
    judged = eqx.filter_eval_shape(lambda: dcgan_critic((64, 64, 3), width=64, key=KEY))
    kernels = [leaf.shape for leaf in jax.tree.leaves(judged) if len(leaf.shape) == 4]
    assert kernels == [(4, 4, 3, 64), (4, 4, 64, 128), (4, 4, 128, 256), (4, 4, 256, 512)]


def test_an_axis_for_one_channel_changes_nothing():
    """(h, w) and (h, w, 1) are the same networks of the same key."""
    image = jax.random.normal(KEY, (8, 8))

    @functools.partial(jax.jit, static_argnums=0)
    def play(shape):
        critic = dcgan_critic(shape, width=2, key=KEY)
        generator = dcgan_generator(4, shape, width=2, key=KEY, norm="none")
        return critic(image.reshape(shape)), generator(jnp.ones(4)).reshape(8, 8)

    for plain, with_axis in zip(play((8, 8)), play((8, 8, 1)), strict=True):
        np.testing.assert_allclose(plain, with_axis, rtol=1e-12)


@pytest.mark.parametrize("spectral", [False, True])
def test_no_slope_is_above_the_bound_of_the_layers(spectral):
    """At 20 images; with spectral layers no slope is above 1 but for their norms' estimates.

    Those are approached from below: after 100 iterations within 1e-3.
    """
    critic = refreshed(dcgan_critic((8, 8), width=3, key=KEY, spectral=spectral), 100)
    points = jax.random.normal(jax.random.key(1), (20, 8, 8))
    slope = eqx.filter_jit(go.lipschitz_lower_bound)(critic, points)
    assert 0 < slope <= go.lipschitz_upper_bound(critic)
    if spectral:
        assert slope <= 1 + 1e-3


def play(critic_options, shape=(8, 8)):
    """A small game of images of noise, with a gradient penalty."""
    images = jnp.tanh(jax.random.normal(jax.random.key(2), (16, *shape)))
    penalty = go.GradientPenalty(10.0)
    game = go.WassersteinGAN(go.Samples(images), go.NormalLatent((3,)), 8, penalty)
    critic = dcgan_critic(shape, width=2, key=KEY, **critic_options)
    return game, go.Players(dcgan_generator(3, shape, width=2, key=KEY), critic)


def test_a_gradient_penalty_of_a_batch_coupled_critic_is_an_error():
    """It says what to use instead; a critic normalised image by image may have one."""
    game, players = play({"norm": "batch"}, (16, 16))
    with pytest.raises(ValueError, match=r"no gradient per sample.*groups or layers"):
        eqx.filter_eval_shape(game.losses, players, KEY)
    game, players = play({"norm": "layer"}, (16, 16))
    assert eqx.filter_eval_shape(game.losses, players, KEY).y.shape == ()


def test_training_is_traced_once_and_lowers_the_critics_loss():
    """30 rounds of WGAN-GP with a still generator: one trace of the losses for all of them."""
    game, players = play({})
    traces = []

    class Counted(eqx.Module):
        critic: Callable[[Any], Any]

        def __call__(self, x):
            traces.append(x.shape)
            return self.critic(x)

    players = go.Players(players.x, Counted(players.y))
    solver = go.Simultaneous(both(optax.adam, 0.0, 1e-2))
    end = lambda players: go.rollout(game, solver, players, 30, key=KEY).players
    once = end(players)
    count = len(traces)
    end(once)
    assert len(traces) == count
    losses = eqx.filter_jit(lambda players: game.losses(players, jax.random.key(9)).y)
    assert losses(once) < losses(players)


def test_standing_statistics_serve_a_dcgan():
    """On the latents that they are of, images are those of training; alone, they are the same."""
    generator = dcgan_generator(4, (8, 8), width=2, key=KEY)
    latents = jax.random.normal(jax.random.key(3), (32, 4))
    fixed = jax.jit(with_standing_statistics)(generator, latents)
    made = jax.jit(go.generated)(generator, latents)
    for points in (latents, latents[:1]):
        found = jax.jit(lambda points: jax.vmap(fixed)(points))(points)
        np.testing.assert_allclose(found, made[: len(points)], rtol=1e-8, atol=1e-10)
