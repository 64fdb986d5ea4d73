"""Codes of images, and the Gaussian fitted to them that new images are drawn by."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go
from recipes._autoencoder.tasks import Corruption

MOST_CODES, AT_ONCE = 10_000, 250
"""The most training images whose codes a law is fitted to, and images that are encoded at once."""


class CodeLaw(NamedTuple):
    r"""A Gaussian of codes: its mean `(k,)`, and $R$ of shape `(k, k)` with $RR^\top$ its
    covariance.
    """

    mean: Float[Array, " k"]
    root: Float[Array, "k k"]

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n k"]:
        """`n` codes."""
        noise = jax.random.normal(key, (n, self.mean.size), self.mean.dtype)
        return self.mean[None] + noise @ self.root.T


@eqx.filter_jit
def corrupted(corruption: Corruption, images: Array, key: PRNGKeyArray) -> Array:
    """The encoder's inputs for images of shape `(n, *shape)`."""
    return jax.vmap(corruption)(images, jax.random.split(key, len(images)))


@eqx.filter_jit
def mapped(network: Any, inputs: Any) -> Array:
    """A network of one input, over a batch, a part at a time."""
    return jax.lax.map(network, inputs, batch_size=AT_ONCE)


@eqx.filter_jit
def _law_of(codes: Float[Array, "n k"]) -> CodeLaw:
    values, vectors = jnp.linalg.eigh(jnp.atleast_2d(jnp.cov(codes, rowvar=False)))
    return CodeLaw(jnp.mean(codes, axis=0), vectors * jnp.sqrt(jnp.maximum(values, 0))[None])


def fitted_law(
    players: go.Players, corruption: Corruption, images: np.ndarray, key: PRNGKeyArray
) -> CodeLaw:
    """The Gaussian with the mean and covariance of the codes of training images.

    An autoencoder is trained for no law of its codes: this one is assumed, and codes drawn from it
    may lie where no image's code is.
    """
    seen = corrupted(corruption, jnp.asarray(images[:MOST_CODES]), key)
    return _law_of(mapped(players.y, seen))
