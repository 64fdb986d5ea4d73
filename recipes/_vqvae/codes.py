"""Codes of data: their use, their prior's likelihood, and the best law of independent codes."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

import gameopt as go
import theory

BLOCK = 256
"""Points that are encoded at once."""


class Coded(NamedTuple):
    """The codes of points.

    - `indices`: shape `(n, h, w)`. `errors`: mean squares of an entry, `(n,)`. `nats`: the prior's
      negative log-likelihood of a point's codes, `(n,)`.
    """

    indices: Int[Array, "n h w"]
    errors: Float[Array, " n"]
    nats: Float[Array, " n"]


@eqx.filter_jit
def coded(players: go.Players, points: Float[Array, "n *shape"]) -> Coded:
    """The codes of points, in blocks; the last one is filled up, so that one program is enough."""

    def of_one(point):
        indices = players.x.codebook.nearest(players.y(point))
        error = jnp.mean((players.x(indices) - point) ** 2)
        return Coded(indices, error, -players.x.prior.log_prob(indices))

    size = min(BLOCK, len(points))
    filled = jnp.concatenate([points, points[: -len(points) % size]])
    found = jax.lax.map(jax.vmap(of_one), filled.reshape(-1, size, *points.shape[1:]))
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[: len(points)], found)


def place_counts(indices: np.ndarray, size: int) -> np.ndarray:
    """Uses of each code at each place, shape `(h w, k)`, from indices `(n, h, w)`."""
    flat = indices.reshape(len(indices), -1)
    places = np.arange(flat.shape[1])[None] * size
    counts = np.bincount((flat + places).ravel(), minlength=flat.shape[1] * size)
    return counts.reshape(-1, size)


def independent_nats(counts: np.ndarray) -> float:
    """The entropy of independent codes with the frequencies of each place, in nats a point.

    On the codes that are counted no law of independent codes has a smaller mean negative
    log-likelihood.
    """
    return float(jnp.sum(jnp.log(jax.vmap(theory.perplexity)(jnp.asarray(counts)))))


@eqx.filter_jit
def independent_samples(
    decoder: Any, frequencies: Float[Array, "places k"], key: PRNGKeyArray, n: int
) -> Float[Array, "n *shape"]:
    """Points of codes that are drawn at each place on its own."""
    shape = (n, len(frequencies))
    codes = jax.random.categorical(key, jnp.log(frequencies)[None], axis=2, shape=shape)
    return jax.vmap(decoder)(codes.astype(jnp.int32).reshape(n, *decoder.prior.grid))


def code_numbers(found: Coded, size: int) -> dict[str, Any]:
    """The numbers of an evaluation, over all points that were coded, by `size` codes.

    - `reconstruction_error`: the mean square of an entry. `perplexity`, `codes_used`: of the
      codebook. `prior_nats`: a point's codes under the prior; `prior_bits`: a single code.
      `independent_nats`: under the best law of independent codes.
    """
    nats = float(jnp.mean(found.nats))
    counts = place_counts(np.asarray(found.indices), size)
    of_all = counts.sum(axis=0)
    return {
        "reconstruction_error": float(jnp.mean(found.errors)),
        "perplexity": float(theory.perplexity(of_all)),
        "codes_used": int((of_all > 0).sum()),
        "prior_nats": nats,
        "prior_bits": nats / len(counts) / float(np.log(2)),
        "independent_nats": independent_nats(counts),
    }
