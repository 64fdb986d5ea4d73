"""Networks of a VQ-VAE: shapes of grids and images, and points from codes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import models

KEY = jax.random.key(0)


@pytest.mark.parametrize(
    ("shape", "halvings", "grid"),
    [((8, 8), 1, (4, 4)), ((9, 7, 3), 2, (2, 1)), ((4, 4, 1), 0, (4, 4)), ((28, 28), 2, (7, 7))],
)
def test_the_decoder_mirrors_the_encoder(shape, halvings, grid):
    """Odd sizes come back."""
    sizes = {"width": 4, "halvings": halvings, "depth": 1}
    networks = (
        models.vqvae_encoder(shape, 3, key=KEY, **sizes),
        models.vqvae_decoder(3, shape, key=KEY, **sizes),
    )
    z = jax.eval_shape(networks[0], jnp.zeros(shape))
    assert z.shape == (*grid, 3)
    assert jax.eval_shape(networks[1], z).shape == shape


def test_more_halvings_than_the_image_has_are_refused():
    """One line."""
    with pytest.raises(ValueError, match="cannot be halved 3 times"):
        models.vqvae_encoder((8, 4), 3, width=4, halvings=3, depth=0, key=KEY)


def test_points_are_their_codes_decoded():
    """A sample is the image of the prior's codes of the same key."""
    book = models.Codebook(jax.random.normal(KEY, (5, 3)))
    network = models.vqvae_decoder(3, (4, 4), width=4, halvings=1, depth=1, key=KEY)
    prior = models.CodePrior(5, (2, 2), width=4, depth=1, heads=1, key=KEY)
    decoder = models.CodeDecoder(book, network, prior)
    point, indices = jax.jit(lambda key: (decoder.sample(key), prior.sample(key)))(KEY)
    np.testing.assert_allclose(point, network(book.codes[indices]), rtol=1e-10)
