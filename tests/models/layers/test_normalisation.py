"""Normalisation of images by the batch and by themselves, and of a batch after training."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from models import (
    BatchNorm,
    Chain,
    Conv2d,
    Elementwise,
    GroupNorm,
    Residual,
    Skip,
    unet_generator,
    with_standing_statistics,
)

INIT = jax.nn.initializers.normal(1.0)
KEYS = jax.random.split(jax.random.key(0), 4)
IMAGES = 3 + 2 * jax.random.normal(KEYS[0], (6, 5, 4, 2))
OTHERS = jax.random.normal(KEYS[1], (9, 5, 4, 2))


def test_images_are_normalised_over_their_places_as_well():
    """Channel by channel over batch, rows and columns: NumPy's mean and variance."""
    norm = BatchNorm(2)
    norm = eqx.tree_at(lambda n: (n.scale, n.shift), norm, (jnp.arange(1.0, 3), -jnp.ones(2)))
    x = np.asarray(IMAGES)
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    expected = (x - mean) / np.sqrt(variance + 1e-5) * np.arange(1, 3) - 1
    np.testing.assert_allclose(go.generated(norm, IMAGES), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", [(5, 4, 6), (6,)])
def test_groups_are_normalised_over_their_places_and_channels(groups, shape):
    """NumPy's mean and variance of each group of channels of one image, or of one vector."""
    x = jax.random.normal(KEYS[2], shape)
    norm = GroupNorm(6, groups)
    norm = eqx.tree_at(lambda n: (n.scale, n.shift), norm, (jnp.arange(6.0), jnp.ones(6)))
    parts = np.split(np.asarray(x), groups, axis=-1)
    scaled = [(part - part.mean()) / np.sqrt(part.var() + 1e-5) for part in parts]
    expected = np.concatenate(scaled, axis=-1) * np.arange(6) + 1
    np.testing.assert_allclose(norm(x), expected, rtol=1e-12, atol=1e-12)


def test_groups_couple_no_images():
    """A critic with such a layer has a gradient at each point: that of the point alone."""
    critic = lambda x: jnp.sum(jnp.sin(GroupNorm(2, 1)(x)))
    norms = [jnp.linalg.norm(jax.grad(critic)(x).reshape(-1)) for x in IMAGES]
    np.testing.assert_allclose(go.gradient_norms(critic, IMAGES), jnp.stack(norms), rtol=1e-12)


@pytest.mark.parametrize("groups", [0, 4])
def test_groups_must_be_equal(groups):
    """Six channels are not four groups."""
    with pytest.raises(ValueError, match=f"6 channels do not come in {groups} equal groups"):
        GroupNorm(6, groups)


def network():
    """BatchNorm in a chain, in both branches of a residual block, and under a skip."""
    conv = lambda channels, key: Conv2d(channels, 2, 3, INIT, key, bias=False)
    block = lambda key: Chain(conv(2, key), BatchNorm(2), Elementwise(jnp.tanh))
    return Chain(
        block(KEYS[0]),
        Residual(block(KEYS[1]), BatchNorm(2)),
        Skip(block(KEYS[2])),
        conv(4, KEYS[3]),
        BatchNorm(2),
    )


def test_fixed_statistics_change_nothing_on_the_points_that_they_are_of():
    """Each layer's statistics are those which the batch had there, to rounding."""
    fixed = with_standing_statistics(network(), IMAGES)
    expected = go.generated(network(), IMAGES)
    np.testing.assert_allclose(jax.vmap(fixed)(IMAGES), expected, rtol=1e-9, atol=1e-10)


def test_with_fixed_statistics_a_point_does_not_depend_on_its_batch():
    """It is the same alone, among others, and mapped by gameopt; and not as in training."""
    fixed = with_standing_statistics(network(), IMAGES)
    alone = jnp.stack([fixed(x) for x in OTHERS])
    np.testing.assert_allclose(go.generated(fixed, OTHERS), alone, rtol=1e-9, atol=1e-10)
    assert jnp.abs(go.generated(network(), OTHERS) - alone).max() > 0.1


def test_statistics_of_a_network_from_images_to_images():
    """On the pairs that they are of, images are those of training; alone, they are the same."""
    generator = unet_generator(3, (5, 4, 2), (5, 4), width=2, key=KEYS[0], norm="batch")
    pairs = go.Conditioned(jax.random.normal(KEYS[3], (6, 3)), IMAGES)
    fixed = jax.jit(with_standing_statistics)(generator, pairs)
    made = jax.jit(go.generated)(generator, pairs).value
    alone = eqx.filter_jit(fixed)(pairs.value[0], IMAGES[0])
    np.testing.assert_allclose(alone, made[0], rtol=1e-8, atol=1e-10)


def test_fixed_statistics_are_the_mean_and_variance_of_the_points():
    """Of a single layer, by NumPy; and they are used at any other point."""
    fixed = with_standing_statistics(BatchNorm(2), IMAGES)
    x, y = np.asarray(IMAGES), np.asarray(OTHERS)
    np.testing.assert_allclose(fixed.standing.value.mean, x.mean(axis=(0, 1, 2)), rtol=1e-13)
    np.testing.assert_allclose(fixed.standing.value.variance, x.var(axis=(0, 1, 2)), rtol=1e-13)
    # Carried, not played: no certificate of a network counts them.
    assert go.playable(fixed).standing.value.mean is None
    scale = np.sqrt(x.var(axis=(0, 1, 2)) + 1e-5)
    expected = (y - x.mean(axis=(0, 1, 2))) / scale
    np.testing.assert_allclose(jax.vmap(fixed)(OTHERS), expected, rtol=1e-11, atol=1e-12)


def test_a_network_without_batch_norm_is_returned_as_it_is():
    """And nothing is computed: the points are of no shape that it could take."""
    network = Chain(GroupNorm(2, 1), Elementwise(jnp.tanh))
    assert with_standing_statistics(network, jnp.ones(3)) is network


class Hidden(eqx.Module):
    """A module that nobody taught to be looked into."""

    norm: BatchNorm

    def __call__(self, x):
        return self.norm(x)


def test_batch_norm_out_of_reach_is_an_error():
    """It names the module, and what to put the network together by."""
    with pytest.raises(ValueError, match=r"Hidden has a BatchNorm inside.*only looks into"):
        with_standing_statistics(Chain(Hidden(BatchNorm(2))), IMAGES)
