"""Bounds and log-likelihoods of held-out points, in nats."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go
from models import GaussianEncoder
from recipes._latent.elbo import TimedModel, draw_codes, label_of, rates

CHUNK = 100
"""Codes of a point that are decoded at once."""
BLOCK = 25
"""Points between two looks at the clock."""


class HeldOut(NamedTuple):
    """Numbers of `n` points.

    - `distortion`: $-E_q \\log p(x|z)$, shape `(n,)`. `rates`: KL by unit, shape `(n, units)`.
    - `means`, `log_deviations`: of the posteriors, shape `(n, k)`.
    """

    distortion: Float[Array, " n"]
    rates: Float[Array, "n units"]
    means: Float[Array, "n k"]
    log_deviations: Float[Array, "n k"]


@eqx.filter_jit
def held_out_numbers(
    x: TimedModel, encoder: GaussianEncoder, points: go.Points, key: PRNGKeyArray
) -> HeldOut:
    """One code for each point, with a key of its own."""
    prior = x.model.prior.law(encoder)

    def of(point: Any, key: PRNGKeyArray) -> HeldOut:
        noise = jax.random.normal(key, (1, code_size(encoder, point)))
        draw = draw_codes(x.model, prior, encoder, point, noise)
        law = draw.law
        return HeldOut(-draw.log_likelihood[0], rates(x.model, draw), law.mean, law.log_deviation)

    return jax.vmap(of)(points, jax.random.split(key, len(go.value_of(points))))


def code_size(encoder: GaussianEncoder, point: Any) -> int:
    """The numbers in a code."""
    return jax.eval_shape(encoder, go.value_of(point), *label_of(point)).mean.shape[0]


@eqx.filter_jit
def _block_weights(
    x: TimedModel, encoder: GaussianEncoder, points: Any, keys: Array, chunks: int
) -> Float[Array, "n l"]:
    prior = x.model.prior.law(encoder)

    def chunk(point: Any, key: PRNGKeyArray) -> Float[Array, " chunk"]:
        noise = jax.random.normal(key, (CHUNK, code_size(encoder, point)))
        return draw_codes(x.model, prior, encoder, point, noise).log_weights

    def of(pair: Any) -> Float[Array, " l"]:
        point, key = pair
        keys = jax.random.split(key, chunks)
        return jax.lax.map(lambda key: chunk(point, key), keys).reshape(-1)

    return jax.lax.map(of, (points, keys))


def log_weights(
    x: TimedModel, encoder: GaussianEncoder, points: Any, samples: int, key: PRNGKeyArray
) -> np.ndarray:
    r"""$\log p(x, z_l) - \log q(z_l|x)$ of every point, shape `(n, samples)`.

    In blocks of points, one compiled program for all, and of codes, so that memory is bounded.
    """
    count = len(go.value_of(points))
    keys = jax.random.split(key, count)
    found = []
    for begin in range(0, count, BLOCK):
        # The last block takes points of the one before, so that all have one shape.
        first = max(0, min(begin, count - BLOCK))
        rows = slice(first, first + BLOCK)
        block = jax.tree.map(lambda leaf, rows=rows: leaf[rows], points)
        weights = _block_weights(x, encoder, block, keys[rows], -(-samples // CHUNK))
        found.append(np.asarray(weights)[begin - first :, :samples])
    return np.concatenate(found)
