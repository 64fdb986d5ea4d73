"""The game of an autoencoder, and its networks with skip connections."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go
from models import Chain, unet_generator
from recipes._autoencoder.tasks import Corruption


def squared_error(output: Float[Array, "..."], wanted: Float[Array, "..."]) -> Float[Array, ""]:
    """The mean squared error of a pixel, in [-1, 1]."""
    return jnp.mean((output - wanted) ** 2)


def cross_entropy(logits: Float[Array, "..."], mask: Float[Array, "..."]) -> Float[Array, ""]:
    """The Bernoulli cross-entropy of a pixel of the mask, in nats."""
    return jnp.mean(jax.nn.softplus(logits) - mask * logits)


class Autoencoding(go.IdenticalInterestGame):
    """The mean loss of images restored from their corruptions: `decoder(encoder(corrupted))`.

    The decoder is x and the encoder y. Every round draws its images and their corruptions anew; a
    batch as large as the data has every image once.

    - `sampler`: of images, or of images `Conditioned` on what is wanted of them.
    - `corruption`: from one image to the encoder's input. `distance`: `(output, wanted) -> loss`.
    - `batch_size`: images of a round.
    """

    sampler: go.Samples
    corruption: Corruption
    distance: Callable = eqx.field(static=True)
    batch_size: int = eqx.field(static=True)

    def loss(self, players: go.Players, key: go.Key = None) -> Float[Array, ""]:
        assert key is not None
        key_rows, key_corruption = jax.random.split(key)
        points: Any = self.sampler.points
        if len(go.value_of(points)) != self.batch_size:
            points = self.sampler(key_rows, self.batch_size)
        wanted = points.condition if isinstance(points, go.Conditioned) else points
        keys = jax.random.split(key_corruption, self.batch_size)
        seen = jax.vmap(self.corruption)(go.value_of(points), keys)
        return jnp.mean(jax.vmap(self.distance)(restored(players, seen), wanted))


def restored(players: go.Players, seen: Float[Array, "n *seen"]) -> Float[Array, "n *shape"]:
    """The outputs for a batch of the encoder's inputs."""
    return jax.vmap(lambda one: players.x(players.y(one)))(seen)


class SkipEncoder(eqx.Module):
    """The halvings of a U-Net: from an image to a hidden image of every size."""

    downs: tuple[Chain, ...]

    def __call__(self, image: Float[Array, "..."]) -> tuple[Array, ...]:
        x = image if image.ndim == 3 else image[..., None]
        hidden = []
        for down in self.downs:
            x = down(x)
            hidden.append(x)
        return tuple(hidden)


class SkipDecoder(eqx.Module):
    """The doublings of a U-Net, from the hidden images of a `SkipEncoder` to an output."""

    bottom: Chain
    ups: tuple[Chain, ...]
    out_shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, hidden: tuple[Array, ...]) -> Float[Array, "..."]:
        x = self.bottom(hidden[-1])
        for up, beside in zip(self.ups, reversed(hidden), strict=True):
            x = up(jnp.concatenate([x, beside], axis=-1))
        return x.reshape(self.out_shape)


def skip_players(
    seen_shape: tuple[int, ...], shape: tuple[int, ...], width: int, key: PRNGKeyArray
) -> go.Players:
    """A decoder and an encoder that are the two halves of one U-Net, without a latent."""
    net = unet_generator(0, seen_shape, shape, width=width, key=key, norm="none", bounded=False)
    return go.Players(SkipDecoder(net.bottom, net.ups, net.out_shape), SkipEncoder(net.downs))
