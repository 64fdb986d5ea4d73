"""Denoising as a game of one player."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

import gameopt as go
import theory
from models import Denoiser, denoising_loss
from recipes._diffusion.processes import AbstractLevelLaw

BANDS = 4
"""Parts of the noise levels, from least to most noise, whose losses are recorded apart."""


class Batch(eqx.Module):
    """Points, their levels and their noise, least noise first.

    - `labels`: of a conditional game, else `()`.
    """

    points: Float[Array, "n *shape"]
    levels: theory.NoiseLevel
    noise: Float[Array, "n *shape"]
    labels: Int[Array, " n"] | tuple[()]


class DenoisingGame(go.OnePlayerGame):
    r"""Mean squared error of a denoiser's own prediction, over data, levels and noise.

    The levels of a batch are stratified: the i-th of n is drawn between the quantiles $(i-1)/n$ and
    $i/n$ of their law, which has the mean of independent draws, and less variance.

    - `sampler`: of points, or of `go.Conditioned` ones with their classes.
    - `law`: of the levels. `classes`: how many, 0 without; the label `classes` is no class.
    - `label_dropout`: the share of points whose class is not told.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equation 14; Kingma et al. (2021),
        arXiv:2107.00630, appendix I.1, for stratified levels; Ho & Salimans (2022),
        arXiv:2207.12598, for dropped labels.
    """

    sampler: go.Samples
    law: AbstractLevelLaw
    label_dropout: Float[Array, ""]
    batch_size: int = eqx.field(static=True)
    classes: int = eqx.field(static=True, default=0)

    def batch(self, key: PRNGKeyArray) -> Batch:
        """The points, levels, noise and labels of a round's key."""
        key_rows, key_levels, key_noise, key_labels = jax.random.split(key, 4)
        drawn = self.sampler(key_rows, self.batch_size)
        points = go.value_of(drawn)
        within = jax.random.uniform(key_levels, (self.batch_size,), points.dtype)
        shares = (jnp.arange(self.batch_size, dtype=points.dtype) + within) / self.batch_size
        noise = jax.random.normal(key_noise, points.shape, points.dtype)
        labels: Any = ()
        if self.classes:
            dropped = jax.random.bernoulli(key_labels, self.label_dropout, (self.batch_size,))
            labels = jnp.where(dropped, self.classes, drawn.condition)
        return Batch(points, self.law.quantile(shares), noise, labels)

    def loss(self, x: Denoiser, key: go.Key = None) -> Float[Array, ""]:
        assert key is not None
        return jnp.mean(batch_losses(x, self.batch(key)))

    def metrics(self, players: go.Players, key: go.Key = None) -> dict[str, Array]:
        """`loss_band_1`, ..., of the levels with least noise to those with most."""
        assert key is not None
        losses = batch_losses(players.x, self.batch(key))
        bands = jnp.array_split(losses, min(BANDS, self.batch_size))
        return {f"loss_band_{i + 1}": jnp.mean(band) for i, band in enumerate(bands)}


def batch_losses(denoiser: Denoiser, batch: Batch) -> Float[Array, " n"]:
    """The loss of every point."""

    def one(point: Array, level: theory.NoiseLevel, noise: Array, label: Any) -> Array:
        told = () if isinstance(label, tuple) else (label,)
        return denoising_loss(denoiser, point, level, noise, *told)

    return jax.vmap(one)(batch.points, batch.levels, batch.noise, batch.labels)
