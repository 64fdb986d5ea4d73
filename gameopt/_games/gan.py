"""A GAN as a game, over any generator and any critic: what is drawn, generated and judged."""

import abc
from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from gameopt._games.base import AbstractGame, zero_sum_losses_and_field
from gameopt._keys import require_key
from gameopt._penalties import GradientPenalty, critic_scores
from gameopt._types import Key, Players, Scalar

Sampler = Callable[[PRNGKeyArray, int], Array]
"""Draws a batch: `(key, n) -> (n, *shape)`. A module's arrays are leaves of the game."""


class Samples(eqx.Module):
    """Draws from a finite set, uniformly and with replacement.

    - `points`: shape `(n, *shape)`, on the device.
    - `count`: how many of the first points there are to draw from, all of them if left out. A
      short last window of a larger data set is padded to the others' shape and says its count.
    """

    points: Float[Array, "n *shape"]
    count: Int[Array, ""]

    def __init__(self, points: Float[Array, "n *shape"], count: int | Int[Array, ""] | None = None):
        self.points = jnp.asarray(points)
        self.count = jnp.asarray(len(points) if count is None else count, jnp.int32)

    def __call__(self, key: PRNGKeyArray, n: int) -> Float[Array, "n *shape"]:
        return self.points[jax.random.randint(key, (n,), 0, self.count)]


class NormalLatent(eqx.Module):
    """Standard normal latents of shape `shape`."""

    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, key: PRNGKeyArray, n: int) -> Float[Array, "n ..."]:
        return jax.random.normal(key, (n, *self.shape))


class Batch(eqx.Module):
    """One sample of a GAN's data and noise.

    - `real`: shape `(n, *shape)`. `latents`: shape `(n, *latent_shape)`. Both have an axis of the
      packing behind n where there is one.
    - `key`: what is left for the penalty to draw with.
    """

    real: Float[Array, "n *shape"]
    latents: Float[Array, "n *latent"]
    key: PRNGKeyArray


BATCH_AXIS = "batch"
"""The name of the axis over which generators are mapped."""


def generated(
    generator: Callable[[Array], Array], latents: Float[Array, "n *latent"]
) -> Float[Array, "n *shape"]:
    """The generator at every latent: it takes one of shape `latent` and gives one of `shape`.

    The axis over which it is mapped is named `batch`, so that a layer may normalise over it.
    """
    return jax.vmap(generator, axis_name=BATCH_AXIS)(latents)


class AbstractGAN(AbstractGame):
    r"""A generator $G$ (`players.x`) against a discriminator or critic $D$ (`players.y`).

    Both take *one* point and are mapped over the batch here: $G$ a latent, $D$ a data point, giving
    one number (a logit, or a score). Any callable pytree will do. See `generated` for generators
    that couple the batch.

    - `data`, `latent`: draw batches, `(key, n) -> (n, *shape)`: `Samples(points)`,
      `NormalLatent((64,))`, or a distribution's own method.
    - `batch_size`: how many of each a move sees.
    - `penalty`: added to the critic's loss, or `None`.
    - `packing`: how many points the critic judges at once; above 1 it takes `packing` of them,
      shape `(packing, *shape)`, all data or all generated, and a batch is so many packs
      (Lin et al. 2018, arXiv:1712.04086).

    The penalty belongs to the critic alone, so that with one the game is not zero-sum.
    """

    data: Sampler
    latent: Sampler
    batch_size: int = eqx.field(static=True)
    penalty: GradientPenalty | None = None
    packing: int = eqx.field(static=True, default=1)

    zero_sum: ClassVar[bool] = True
    value_name: ClassVar[str] = "value"

    def __check_init__(self):
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}.")
        if self.packing < 1:
            raise ValueError(f"packing must be at least 1, got {self.packing}.")

    @abc.abstractmethod
    def score_value(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        """The value that the critic maximises, from its scores."""

    @abc.abstractmethod
    def generator_loss(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        """What the generator minimises, from the critic's scores."""

    @property
    def is_zero_sum(self) -> bool:
        return self.zero_sum and self.penalty is None

    def draw(self, key: Key) -> Batch:
        """The batch that `key` stands for."""
        key = require_key(key, self)
        key_data, key_latent, key_penalty = jax.random.split(key, 3)
        real = self._packs(self.data(key_data, self.batch_size * self.packing))
        latents = self._packs(self.latent(key_latent, self.batch_size * self.packing))
        if jnp.issubdtype(latents.dtype, jnp.floating):
            latents = latents.astype(real.dtype)
        return Batch(real, latents, key_penalty)

    def _packs(self, points: Float[Array, "nm ..."]) -> Float[Array, "n ..."]:
        if self.packing == 1:
            return points
        return points.reshape(-1, self.packing, *points.shape[1:])

    def generate(self, players: Players, latents: Float[Array, "n *latent"]) -> Array:
        """The generator at every latent of a batch: shape `(n, *shape)`, packed as it is."""
        if self.packing > 1:
            latents = latents.reshape(-1, *latents.shape[2:])
        return self._packs(generated(players.x, latents))

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        return self.losses_on(players, self.draw(key))

    def losses_on(self, players: Players, batch: Batch) -> Players[Scalar, Scalar]:
        """The losses on a given batch."""
        fake = self.generate(players, batch.latents)
        scores = critic_scores(players.y, batch.real), critic_scores(players.y, fake)
        loss_y = self.penalty_on(players, batch) - self.score_value(*scores)
        return Players(self.generator_loss(*scores), loss_y)

    def penalty_on(self, players: Players, batch: Batch) -> Scalar:
        """The weighted penalty on a given batch; 0 without one."""
        if self.penalty is None:
            return jnp.zeros((), batch.real.dtype)
        fake = self.generate(players, batch.latents)
        return self.penalty(players.y, batch.real, fake, batch.key)

    def losses_and_field(
        self, players: Players, key: Key = None
    ) -> tuple[Players[Scalar, Scalar], Players]:
        # Drawn once here: XLA merges equal arithmetic, but not two equal random draws.
        batch = self.draw(key)
        if not self.zero_sum:
            return AbstractGame.losses_and_field(_OnBatch(self, batch), players)
        plain = eqx.tree_at(lambda g: g.penalty, self, None, is_leaf=lambda leaf: leaf is None)
        value = lambda p: plain.losses_on(p, batch).x
        losses, field = zero_sum_losses_and_field(value, players)
        if self.penalty is None:
            return losses, field
        penalty, gradient = eqx.filter_value_and_grad(
            lambda y: self.penalty_on(Players(players.x, y), batch)
        )(players.y)
        field_y = jax.tree.map(jnp.add, field.y, gradient)
        return Players(losses.x, losses.y + penalty), Players(field.x, field_y)

    def metrics(self, players: Players, key: Key = None) -> dict[str, Array]:
        """The value without the penalty, and the penalty apart, on one batch."""
        batch = self.draw(key)
        fake = self.generate(players, batch.latents)
        scores = critic_scores(players.y, batch.real), critic_scores(players.y, fake)
        value = self.score_value(*scores)
        return {self.value_name: value, "penalty": self.penalty_on(players, batch)}


class _OnBatch(AbstractGame):
    game: AbstractGAN
    batch: Batch

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        del key
        return self.game.losses_on(players, self.batch)
