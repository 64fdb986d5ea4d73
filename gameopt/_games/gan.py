"""A GAN as a game, over any generator and any critic: what is drawn, generated and judged."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._batched import critic_scores, generated
from gameopt._conditioned import Conditioned, Points, reshaped, value_of
from gameopt._games.base import AbstractGame, zero_sum_losses_and_field
from gameopt._games.gan_draws import Batch, Sampler
from gameopt._keys import require_key
from gameopt._penalties import GradientPenalty
from gameopt._types import Key, Players, Scalar


class AbstractGAN(AbstractGame):
    r"""A generator $G$ (`players.x`) against a discriminator or critic $D$ (`players.y`).

    Both take *one* point and are mapped over the batch here: $G$ a latent, $D$ a data point, giving
    one number (a logit, or a score). Any callable pytree will do. See `generated` and
    `critic_scores` for networks that couple the batch. If the data are `Conditioned`, both take
    the condition as a second argument, and what is generated from a latent has the condition of
    the real point in the same row.

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
            latents = latents.astype(value_of(real).dtype)
        if isinstance(real, Conditioned):
            latents = Conditioned(latents, real.condition)
        return Batch(real, latents, key_penalty)

    def _packs(self, points: Any) -> Any:
        return points if self.packing == 1 else reshaped(points, 1, (-1, self.packing))

    def _unpacked(self, packs: Any) -> Any:
        return packs if self.packing == 1 else reshaped(packs, 2, (-1,))

    def generate(
        self, players: Players, latents: Float[Array, "n *latent"] | Conditioned
    ) -> Points:
        """The generator at every latent of a batch: shape `(n, *shape)`, packed as it is."""
        return self._packs(generated(players.x, self._unpacked(latents)))

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
            return jnp.zeros((), value_of(batch.real).dtype)
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
