"""Augmentations: linear maps whose transposes are their gradients, with the laws they are said
to have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from models import DiffAugment, flip_and_shift
from models.augmentation import Brightness, Contrast, Cutout, Flip, Saturation, Translation

KEYS = jax.random.split(jax.random.key(0), 4000)
SHAPES = [(8, 6), (7, 9, 3), (5, 5, 1)]
LINEAR = [Saturation(), Contrast(), Translation(), Cutout(), Flip(), flip_and_shift(2)]


def image(shape):
    """Normal numbers."""
    return jax.random.normal(jax.random.key(sum(shape)), shape)


@pytest.mark.parametrize("augment", LINEAR, ids=repr)
def test_they_are_linear_and_gradients_are_their_transposes(augment):
    """A(2x + y) = 2 Ax + Ay, and <Ax, g> = <x, A'g> with A' the gradient: rounding."""
    for shape in SHAPES[:2]:
        x, y, g = image(shape), image(shape) ** 2, jnp.cos(image(shape))
        at = jax.jit(lambda x, augment=augment: augment(KEYS[0], x))
        np.testing.assert_allclose(at(2 * x + y), 2 * at(x) + at(y), rtol=1e-12, atol=1e-12)
        gradient = jax.grad(lambda x, g=g, at=at: jnp.vdot(at(x), g))(x)
        np.testing.assert_allclose(jnp.vdot(at(x), g), jnp.vdot(x, gradient), rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_all_of_them_take_images_of_any_size(shape):
    """Same shape and type, another image, and a gradient that is a number."""
    augment = DiffAugment()
    x = image(shape)
    found, pull = jax.vjp(lambda x: augment(KEYS[1], x), x)
    assert found.shape == shape
    assert found.dtype == x.dtype
    assert jnp.any(found != x)
    assert jnp.isfinite(pull(found)[0]).all()


@pytest.mark.parametrize("augment", [Brightness(), Saturation(), Contrast()], ids=repr)
def test_colours_are_unchanged_in_the_mean(augment):
    """E A(x) = x, pixel by pixel, within 5 deviations of 4000 draws.

    A deviation is that of the uniform factor times the pixel's distance from what it moves about.
    False alarms: one random number decides all pixels, so below 6e-7 for a random key.
    """
    x = image((4, 4, 3))
    found = np.asarray(jax.vmap(lambda key: augment(key, x))(KEYS))
    errors = found.std(axis=0) / np.sqrt(len(KEYS))
    assert np.all(np.abs(found.mean(axis=0) - x) <= 5 * errors + 1e-12)
    assert errors.max() > 1e-3


def test_colours_keep_the_means_that_they_move_about():
    """Brightness every difference, saturation the mean of a pixel, contrast that of the image.

    And an image of one channel has no saturation to be changed.
    """
    x, key = image((7, 9, 3)), KEYS[2]
    bright = Brightness()(key, x) - x
    np.testing.assert_allclose(bright, bright.reshape(-1)[0], rtol=1e-9)
    saturated = Saturation()(key, x).mean(axis=-1)
    np.testing.assert_allclose(saturated, x.mean(axis=-1), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(Contrast()(key, x).mean(), x.mean(), rtol=1e-9)
    np.testing.assert_allclose(Saturation()(key, x[..., 0]), x[..., 0], rtol=1e-12)


def test_translations_are_shifts_with_zeros_each_as_likely():
    """Every result is one of NumPy's 15 shifts, each within 5 deviations of its expected count.

    False alarms below 15 x 6e-7.
    """
    x = np.asarray(1 + jnp.arange(48.0).reshape(8, 6))
    augment = Translation(fraction=0.2)
    assert augment.most(x.shape) == (2, 1)
    padded = np.pad(x, [(2, 2), (1, 1)])
    shifts = np.stack([padded[a : a + 8, b : b + 6] for a in range(5) for b in range(3)])
    found = np.asarray(jax.vmap(lambda key: augment(key, jnp.asarray(x)))(KEYS))
    equal = (found[:, None] == shifts[None]).all(axis=(2, 3))
    np.testing.assert_array_equal(equal.sum(axis=1), 1)
    p = 1 / 15
    deviation = np.sqrt(len(KEYS) * p * (1 - p))
    assert np.all(np.abs(equal.sum(axis=0) - len(KEYS) * p) < 5 * deviation)


def test_shifts_may_be_given_in_pixels():
    """By up to 4 of them, whatever the size, and flipped or not."""
    assert Translation(pixels=4).most((100, 30)) == (4, 4)
    assert flip_and_shift().parts == (Flip(), Translation(pixels=4))
    x = image((3, 4))
    flips = jax.vmap(lambda key: Flip()(key, x))(KEYS)
    flipped = np.asarray((flips == x[None, :, ::-1]).all(axis=(1, 2)))
    assert np.all(flipped | np.asarray((flips == x[None]).all(axis=(1, 2))))
    assert abs(flipped.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(KEYS))


@pytest.mark.parametrize("shape", [(8, 6), (7, 5)], ids=str)
def test_pixels_are_cut_out_as_often_as_centres_cover_them(shape):
    """Counts against NumPy's enumeration of all centres, within 5 deviations each.

    The side is half of the size, and a half of a pixel is one more.

    False alarms below 48 x 6e-7.
    """
    found = np.asarray(jax.vmap(lambda key: Cutout()(key, jnp.ones(shape)))(KEYS))
    covered = []
    for size in shape:
        side = (size + 1) // 2
        centres = np.arange(size + 1 - side % 2)[:, None]
        places = np.arange(size)[None]
        inside = (places >= centres - side // 2) & (places < centres - side // 2 + side)
        covered.append(inside.mean(axis=0))
    expected = 1 - covered[0][:, None] * covered[1][None]
    deviation = np.sqrt(expected * (1 - expected) / len(KEYS))
    assert np.all(np.abs(found.mean(axis=0) - expected) < 5 * deviation)


def test_an_unknown_policy_is_an_error():
    """It names those that there are; and none at all is no augmentation."""
    for policy in (("colour",), ()):
        with pytest.raises(ValueError, match="made of color, translation, cutout"):
            DiffAugment(policy)
