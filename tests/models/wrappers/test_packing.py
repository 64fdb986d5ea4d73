"""Critics of packs: images side by side as channels."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from models import Packed, dcgan_critic, dcgan_generator

KEY = jax.random.key(0)
FIRST, SECOND = jax.random.normal(KEY, (2, 8, 8))


def test_a_pack_is_an_image_of_more_channels():
    """Channels of the first image, then of the second, at the same place."""
    inner = lambda image: image
    pack = jnp.stack([FIRST, SECOND])
    np.testing.assert_array_equal(Packed(inner)(pack), jnp.stack([FIRST, SECOND], axis=-1))
    coloured = jnp.stack([pack, pack + 1], axis=-1)
    expected = jnp.stack([FIRST, FIRST + 1, SECOND, SECOND + 1], axis=-1)
    np.testing.assert_array_equal(Packed(inner)(coloured), expected)
    with_condition = Packed(lambda image, condition: jnp.stack([image, condition]))
    np.testing.assert_array_equal(with_condition(pack, pack)[1], inner(expected[..., ::2]))


@pytest.mark.slow
def test_a_game_of_packs_is_played_by_a_dcgan_critic():
    """Its value is that of the critic of two channels on pairs."""
    critic = dcgan_critic((8, 8, 2), width=2, key=KEY)
    images = jax.random.normal(jax.random.key(1), (6, 8, 8))
    generator = dcgan_generator(3, (8, 8), width=2, key=KEY)
    game = go.WassersteinGAN(go.Samples(images), go.NormalLatent((3,)), 4, packing=2)
    players = go.Players(generator, Packed(critic))
    batch = game.draw(KEY)
    made = jax.jit(go.generated)(generator, batch.latents.reshape(8, 3)).reshape(4, 2, 8, 8)
    scores = jax.jit(jax.vmap(lambda pack: critic(jnp.moveaxis(pack, 0, -1))))
    expected = jnp.mean(scores(batch.real)) - jnp.mean(scores(made))
    losses = eqx.filter_jit(game.losses)(players, KEY)
    np.testing.assert_allclose(losses.x, expected, rtol=1e-10)


def test_packs_of_labels_are_an_error_and_bounds_are_the_critics():
    """There is no image to lay them beside; a permutation of pixels changes no slope."""
    critic = dcgan_critic((8, 8, 2), width=2, key=KEY)
    with pytest.raises(ValueError, match=r"Packs of labels have no critic.*packing=1"):
        Packed(critic)(jnp.stack([FIRST, SECOND]), jnp.array([1, 2]))
    bound = go.lipschitz_upper_bound(Packed(critic))
    np.testing.assert_array_equal(bound, go.lipschitz_upper_bound(critic))
