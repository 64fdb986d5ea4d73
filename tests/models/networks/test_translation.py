"""From images to images: shapes, that latent and condition matter, and what patches see."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.nn import softplus
from jax.nn.initializers import normal

import gameopt as go
from models import Conv2d, InPrecision, Packed, SpectralConv2d, patch_critic, unet_generator
from tests.solvers import both

KEYS = jax.random.split(jax.random.key(0), 4)


def images(*shape):
    """Normal numbers."""
    return jax.random.normal(KEYS[0], shape)


@pytest.mark.parametrize(
    ("condition_shape", "shape"),
    [
        ((8, 8), (8, 8)),
        ((4, 5), (4, 5)),
        ((9, 13, 3), (9, 13)),
        ((17, 11), (17, 11, 3)),
        ((32, 20, 2), (32, 20, 1)),
    ],
    ids=str,
)
def test_images_of_any_size_odd_or_even_and_of_other_channels(condition_shape, shape):
    """Shapes without computing them, for each normalisation."""

    def play(norm):
        points = go.Conditioned(jnp.ones((4, 5)), jnp.ones((4, *condition_shape)))
        generator = unet_generator(5, condition_shape, shape, width=2, key=KEYS[1], norm=norm)
        critic = patch_critic(shape, condition_shape, width=2, key=KEYS[1], norm=norm)
        made = go.generated(generator, points)
        return made.value, go.critic_scores(critic, made)

    for norm in ("none", "batch", "layer", "instance"):
        made, scores = jax.eval_shape(functools.partial(play, norm))
        assert made.shape == (4, *shape)
        assert scores.shape == (4,)


def test_shapes_that_cannot_be_are_errors():
    """Sizes that differ, and images too small to be halved."""
    with pytest.raises(ValueError, match="resize one"):
        unet_generator(2, (8, 8), (8, 9), width=2, key=KEYS[1])
    with pytest.raises(ValueError, match="at least 4 x 4"):
        unet_generator(2, (3, 9), (3, 9), width=2, key=KEYS[1])


def test_latent_and_condition_both_matter():
    """The image changes with either, is within [-1, 1], and is another for another place's pixel.

    Through the outermost skip a pixel of the condition reaches pixels near it, whatever lies at
    the bottleneck: with that at 0 the far corner does not change.
    """
    made = unet_generator(3, (16, 16), (16, 16), width=2, key=KEYS[1], norm="none")
    at = jax.jit(lambda network, z, condition: network(z, condition))
    z, condition = jnp.ones(3), images(16, 16)
    image = at(made, z, condition)
    assert jnp.abs(image).max() <= 1
    assert jnp.abs(at(made, 2 * z, condition) - image).max() > 1e-4
    cut = eqx.tree_at(lambda n: n.bottom.layers[0].kernel, made, replace_fn=jnp.zeros_like)
    np.testing.assert_array_equal(at(cut, 2 * z, condition), at(cut, z, condition))
    change = jnp.abs(at(cut, z, condition.at[0, 0].add(1.0)) - at(cut, z, condition))
    assert change[:4, :4].max() > 1e-4
    assert change[12:, 12:].max() == 0


@pytest.mark.parametrize("shape", [(8, 8), (9, 13), (32, 20)], ids=str)
def test_every_layer_of_a_patch_critic_can_be_normalised(shape):
    """Scores of the shape that they have without, through layers of a direction each."""
    x = jnp.ones(shape)
    make = functools.partial(patch_critic, shape, shape, width=2, norm="none")
    plain = eqx.filter_eval_shape(make, key=KEYS[1])
    spectral = eqx.filter_eval_shape(make, key=KEYS[1], spectral=True)
    judge = lambda critic: critic.patch_scores(x, x)
    scores = [eqx.filter_eval_shape(judge, critic) for critic in (plain, spectral)]
    assert scores[0] == scores[1]
    kinds = [type(layer) for layer in spectral.network.layers]
    assert kinds.count(SpectralConv2d) == sum(type(n) is Conv2d for n in plain.network.layers)


@pytest.mark.slow
def test_a_patch_critic_is_the_mean_of_scores_that_see_70_pixels():
    """A pixel changes the scores whose patch it is in, 70 wide, and no others.

    Scores are 8 pixels apart, and the first begins 1 + 2 + 4 + 8 + 8 = 23 pixels before the image.
    """
    shape = (96, 96)
    judged = patch_critic(shape, shape, width=1, key=KEYS[1], norm="none")
    x, condition = images(*shape), jnp.ones(shape)
    at = jax.jit(lambda x: judged.patch_scores(x, condition))
    scores = at(x)
    assert scores.shape == (10, 10)
    np.testing.assert_allclose(judged(x, condition), scores.mean(), rtol=1e-12)
    row = 50
    changed = at(x.at[row, row].add(1.0)) != scores
    begins = 8 * np.arange(10) - 23
    sees = (begins <= row) & (row < begins + 70)
    np.testing.assert_array_equal(changed, sees[:, None] & sees[None, :])


WRAPPED = {
    "alone": (lambda critic: critic, 1),
    "in its own precision": (lambda critic: InPrecision(critic, jnp.float64), 1),
    "of packs": (Packed, 2),
}


@pytest.mark.parametrize(("wrap", "packing"), WRAPPED.values(), ids=WRAPPED)
def test_every_patch_has_a_loss_of_its_own(wrap, packing):
    """A mean of softplus over all patches, which is more than the softplus of their mean.

    A loss that is linear in the scores is the same either way: Wasserstein's.
    """
    shape = (12, 12)
    pairs = go.Conditioned(jnp.tanh(images(12, *shape)), images(12, *shape))
    wide = (*shape, packing)
    players = go.Players(
        unet_generator(3, shape, shape, width=1, key=KEYS[1]),
        wrap(patch_critic(wide, wide, width=2, key=KEYS[2], init=normal(1.0))),
    )
    settings = go.Samples(pairs), go.NormalLatent((3,)), 3, None, packing
    game, linear = go.NonSaturatingGAN(*settings), go.WassersteinGAN(*settings)

    def by_patches_and_by_means():
        batch = game.draw(KEYS[0])
        points = batch.real, game.generate(players, batch.latents)
        means = [go.critic_scores(players.y, at) for at in points]
        judge = jax.vmap(lambda pair: players.y.patch_scores(pair.value, pair.condition))
        losses = [game.losses_on(players, batch), linear.losses_on(players, batch)]
        return [judge(at) for at in points], means, losses

    patches, means, losses = jax.jit(by_patches_and_by_means)()
    assert patches[0].ndim == 3
    assert patches[0][0].size > 1
    of_x = lambda real, fake: softplus(-fake).mean()
    of_y = lambda real, fake: softplus(-real).mean() + softplus(fake).mean()
    judged = lambda real, fake: [of_x(real, fake), of_y(real, fake)]
    np.testing.assert_allclose(jax.tree.leaves(losses[0]), judged(*patches), rtol=1e-12)
    assert losses[0].x > 1.001 * judged(*means)[0]
    assert losses[0].y > 1.001 * judged(*means)[1]
    np.testing.assert_allclose(losses[1].y, means[1].mean() - means[0].mean(), rtol=1e-10)


@pytest.mark.slow
def test_image_conditioned_games_are_played():
    """WGAN-GP on pairs: the penalty's gradient is by the image, and the critic's loss falls."""
    data = go.Samples(go.Conditioned(jnp.tanh(images(12, 8, 8)), images(12, 8, 8, 2)))
    game = go.WassersteinGAN(data, go.NormalLatent((3,)), 6, go.GradientPenalty(10.0))
    players = go.Players(
        unet_generator(3, (8, 8, 2), (8, 8), width=2, key=KEYS[1]),
        patch_critic((8, 8), (8, 8, 2), width=2, key=KEYS[2]),
    )
    solver = go.Simultaneous(both(optax.adam, 0.0, 1e-2))
    trained = go.rollout(game, solver, players, 20, key=KEYS[3]).players
    loss = eqx.filter_jit(lambda players: game.losses(players, KEYS[0]).y)
    assert loss(trained) < loss(players)
