"""A VQ-VAE and the law of its codes as one game, and the round's update of its codebook."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

import gameopt as go
from models import AbstractCodebook, MovingCodebook, straight_through


class Terms(NamedTuple):
    """The terms of the loss, each a mean over points of a sum over entries or places.

    - `reconstruction`, `codebook`, `commitment`: squared distances. `prior`: of the codes, in nats.
    """

    reconstruction: Float[Array, ""]
    codebook: Float[Array, ""]
    commitment: Float[Array, ""]
    prior: Float[Array, ""]


class QuantisedAutoencoder(go.IdenticalInterestGame):
    r"""$\|x - \hat x\|^2 + \|\mathrm{sg}[z] - e\|^2 + \beta\|z - \mathrm{sg}[e]\|^2 - \log p(c)$.

    The decoder, with the codebook and the prior (`models.CodeDecoder`), is x; the encoder is y. The
    codes c are whole numbers, so that the prior's term moves the prior alone: it learns the codes
    as they are at each round.

    - `sampler`, `batch_size`: of data. `commitment`: $\beta$.
    - `noise`: the share of codes that the prior sees as random ones, of the codes before a place.

    !!! cite "Source"

        van den Oord, Vinyals & Kavukcuoglu (2017), arXiv:1711.00937, equation 3.
    """

    sampler: go.Samples
    commitment: Float[Array, ""]
    noise: Float[Array, ""]
    batch_size: int = eqx.field(static=True)

    def batch(self, key: go.Key) -> Float[Array, "n *shape"]:
        """The points of a round's key."""
        return self.sampler(_split(key)[0], self.batch_size)

    def terms(self, players: go.Players, key: go.Key) -> Terms:
        """The terms of the loss on the round's points."""
        points, book = self.batch(key), players.x.codebook
        z = jax.vmap(players.y)(points)
        indices: Int[Array, "n h w"] = book.nearest(z)
        codes, stopped = book.at(indices), jax.lax.stop_gradient
        images = jax.vmap(players.x.network)(straight_through(z, codes))
        nats = -jnp.mean(
            jax.vmap(players.x.prior.log_prob)(indices, self._seen(indices, book, key))
        )
        squares = lambda a, b: jnp.sum((a - b) ** 2) / self.batch_size
        return Terms(
            squares(images, points), squares(stopped(z), codes), squares(z, stopped(codes)), nats
        )

    def _seen(self, indices: Array, book: AbstractCodebook, key: go.Key) -> Array:
        key_which, key_code = jax.random.split(_split(key)[2])
        other = jax.random.randint(key_code, indices.shape, 0, len(book.codes), indices.dtype)
        return jnp.where(jax.random.bernoulli(key_which, self.noise, indices.shape), other, indices)

    def loss(self, players: go.Players, key: go.Key = None) -> Float[Array, ""]:
        terms = self.terms(players, key)
        weighted = self.commitment.astype(terms.commitment.dtype) * terms.commitment
        return terms.reconstruction + terms.codebook + weighted + terms.prior

    def metrics(self, players: go.Players, key: go.Key = None) -> dict[str, Array]:
        terms, entries = self.terms(players, key), self.sampler.points[0].size
        return {"batch_error": terms.reconstruction / entries, "batch_prior_nats": terms.prior}


def codebook_updated(game: Any, players: go.Players, key: go.Key) -> go.Players:
    """The players with a codebook of moving averages that has seen the round's points.

    An `update` for `go.Carrying`; a codebook that is played is left as it is.
    """
    book = players.x.codebook
    if not isinstance(book, MovingCodebook):
        return players
    z = jax.vmap(players.y)(game.batch(key))
    book = book.updated(z, _split(key)[1])
    return eqx.tree_at(lambda players: players.x.codebook, players, book)


def _split(key: go.Key) -> Key[Array, "3"]:
    """The keys of a round's batch, of the codes that are revived, and of the prior's noise."""
    assert key is not None
    return jax.random.split(key, 3)
