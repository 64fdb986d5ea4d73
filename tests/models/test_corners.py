"""Corner cases of every layer: NaN, flat weights, sizes of other integer types, and no jit."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
import models

KEY = jax.random.key(0)
INIT = jax.nn.initializers.normal(0.5)
IMAGE = np.random.default_rng(0).normal(size=(4, 4, 2))
VECTOR = IMAGE.ravel()[:6]


class AtTime(eqx.Module):
    """A denoiser's network at one time."""

    network: Any

    def __call__(self, x):
        return self.network(x, jnp.asarray(0.3))


LAYERS = {
    "Linear": (models.Linear(6, 3, INIT, KEY), VECTOR),
    "SpectralLinear": (models.SpectralLinear(6, 3, INIT, KEY), VECTOR),
    "Maxout": (models.Maxout(6, 3, 2, INIT, KEY), VECTOR),
    "LeakyReLU": (models.LeakyReLU(0.2), VECTOR),
    "MLP": (models.MLP((6,), (3,), width=5, depth=1, key=KEY), VECTOR),
    "GroupNorm": (models.GroupNorm(2, 2), IMAGE),
    "CausalAttention": (models.CausalAttention(2, 1, INIT, KEY), IMAGE[0]),
    "SelfAttention": (models.SelfAttention(2, 1, INIT, KEY), IMAGE[0]),
    "TimeMLP": (AtTime(models.TimeMLP((6,), width=5, depth=1, key=KEY)), VECTOR),
    "UNet": (AtTime(models.UNet((4, 4, 2), width=2, groups=2, key=KEY)), IMAGE),
    "Codebook": (models.Codebook(jnp.asarray(IMAGE[:, 0])), IMAGE),
    "Conv2d": (models.Conv2d(2, 3, 3, INIT, KEY), IMAGE),
    "ConvTranspose2d": (models.ConvTranspose2d(2, 3, 3, INIT, KEY, stride=2), IMAGE),
    "SpectralConv2d": (models.SpectralConv2d(2, 3, 3, INIT, KEY, in_shape=(4, 4)), IMAGE),
    "Resize": (models.Resize((8, 8)), IMAGE),
    "average_pool": (models.average_pool, IMAGE),
    "Pooled": (models.Pooled(2), IMAGE),
    "Entries": (models.Entries(np.arange(32).reshape(IMAGE.shape) % 3 == 0), IMAGE),
    "Residual": (models.Residual(models.Conv2d(2, 2, 3, INIT, KEY), models.Chain()), IMAGE),
    "mlp_encoder": (models.mlp_encoder((4, 4, 2), 3, width=5, depth=1, key=KEY), IMAGE),
    "dcgan_encoder": (models.dcgan_encoder((4, 4, 2), 3, width=2, key=KEY), IMAGE),
}
"""Layers and critics of one point, each with a point: a new one joins by one line."""


def total(layer, x):
    return jnp.sum(jnp.square(layer(x)))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "UNet")) for n in sorted(LAYERS)]
)
def test_nan_in_a_point_or_in_the_weights_comes_out(name):
    """No normalisation and no maximum makes a number of it."""
    layer, x = LAYERS[name]
    broken = np.asarray(x).copy()
    broken[0] = np.nan
    assert np.isnan(total(layer, jnp.asarray(broken)))
    played, rest = eqx.partition(layer, eqx.is_inexact_array)
    for i, leaf in enumerate(jax.tree.leaves(played)):
        leaves = jax.tree.leaves(played)
        leaves[i] = leaf.ravel().at[0].set(jnp.nan).reshape(leaf.shape)
        lost = jax.tree.unflatten(jax.tree.structure(played), leaves)
        assert np.isnan(total(eqx.combine(lost, rest), jnp.asarray(x)))


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_gradients_are_finite_at_zero_weights_and_at_flat_points(name):
    """By weights and by the point, at weights of 0, a point of 0, and a constant one."""
    layer, x = LAYERS[name]
    zero = jax.tree.map(lambda a: 0 * a if eqx.is_inexact_array(a) else a, layer)
    for network in (layer, zero):
        for point in (jnp.zeros(x.shape), jnp.ones(x.shape), jnp.asarray(x)):
            by_weights = eqx.filter_grad(total)(network, point)
            by_point = jax.grad(lambda p, network=network: total(network, p))(point)
            for slope in (*jax.tree.leaves(by_weights), by_point):
                assert np.isfinite(slope).all()


def test_convolutions_without_jit_are_those_with_it():
    """Values, both derivatives and mapped kernels: a primitive has no Python to run instead."""
    where = models.geometry((4, 4), (3, 3), stride=2)
    kernels = jax.random.normal(KEY, (2, 3, 3, 2, 3))
    x = jnp.asarray(IMAGE)

    def results():
        value = lambda x, k: jnp.sum(jnp.sin(models.convolve(x, k, where)))
        g = models.convolve(x, kernels[0], where)
        return (
            jax.vmap(lambda k: models.convolve(x, k, where))(kernels),
            jax.grad(value, argnums=(0, 1))(x, kernels[0]),
            models.transposed_convolve(g, kernels[0], where),
        )

    compiled = results()
    with jax.disable_jit():
        plain = results()
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(compiled), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_convolutional_game_is_played_without_jit():
    """Two rounds of alternating play of a critic against a picture, with a gradient penalty."""
    critic = models.Conv2d(2, 1, 3, INIT, KEY)

    def value(x, y):
        penalty = go.gradient_penalty(lambda p: jnp.sum(y(p)), x[None], 0.0)
        return jnp.sum(jnp.tanh(y(x))) + 0.1 * jnp.sum(x**2) - 0.1 * penalty

    solver = go.Alternating(go.Players(optax.sgd(0.1), optax.sgd(0.1)))
    play = lambda: (
        go.rollout(
            go.zero_sum_game(value), solver, go.Players(jnp.asarray(IMAGE), critic), 2
        ).players
    )
    compiled = play()
    with jax.disable_jit():
        plain = play()
    np.testing.assert_allclose(plain.x, compiled.x, rtol=1e-12)
    np.testing.assert_allclose(plain.y.kernel, compiled.y.kernel, rtol=1e-12)


def test_sizes_of_convolutions_are_integers_of_any_kind():
    """NumPy's and arrays of shape (); one line for all others."""
    plain = models.geometry((8, 8), (3, 3), 2, 1, 1)
    for two, one in ((np.int64(2), np.int32(1)), (np.array(2), jnp.array(1))):
        assert models.geometry((8, np.int64(8)), (3, 3), two, one, one) == plain
        assert models.geometry([8, 8], (3, 3), (two, two), ((one, one), (one, one))) == plain
        assert all(type(n) is int for n in models.geometry((8, 8), (3, 3), two, one).stride)
    wrong: Any
    for wrong in (2.5, "two", None):
        with pytest.raises(ValueError, match="integers, got"):
            models.geometry((8, 8), (3, 3), stride=wrong)
    wrong = "full"
    with pytest.raises(ValueError, match="padding must be"):
        models.geometry((8, 8), (3, 3), padding=wrong)
