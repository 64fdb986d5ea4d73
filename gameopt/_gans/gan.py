"""A GAN as a game, over any generator and any critic: what is drawn, generated and judged."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt._checks import count_field
from gameopt._games.base import AbstractGame, replace, value_and_gradient, zero_sum_losses_and_field
from gameopt._gans.gradient_penalties import Penalty
from gameopt._gans.losses import class_cross_entropy, reconstruction_error
from gameopt._gans.networks import generated, loss_scores
from gameopt._gans.points import (
    Augment,
    Batch,
    Batched,
    Conditioned,
    Points,
    Sampler,
    augmented,
    reshaped,
    value_of,
)
from gameopt._keys import again, require_key
from gameopt._trees import optional_float_array
from gameopt._types import Key, Player, Players, Scalar, Strategy

Terms: TypeAlias = dict[str, Scalar]


class _Seen(NamedTuple):
    """A batch as the critic sees it, both kinds of points before they were augmented, and the key
    of the penalty."""

    real: Points
    fake: Points
    plain_real: Points
    plain_fake: Points
    key: PRNGKeyArray


class AbstractGAN(AbstractGame):
    r"""A generator $G$ (`players.x`) against a discriminator or critic $D$ (`players.y`).

    Both take *one* point and are mapped over the batch here: $G$ a latent, $D$ a data point, giving
    one number (a logit, or a score). Any callable pytree will do. See `generated` and
    `critic_scores` for networks that couple the batch. If the data are `Conditioned`, both take
    the condition as a second argument, and what is generated from a latent has the condition of
    the real point in the same row. A critic with a method `patch_scores`, called as the critic is,
    gives each of its patches a loss of its own.

    - `data`, `latent`: draw batches, `(key, n) -> (n, *shape)`: `Samples(points)`,
      `NormalLatent((64,))`, or a distribution's own method.
    - `batch_size`: how many of each a move sees.
    - `packing`: how many points the critic judges at once; above 1 it takes `packing` of them,
      shape `(packing, *shape)`, all data or all generated, and a batch is so many packs
      (Lin et al. 2018, arXiv:1712.04086).

    What each player's loss may have beside the scores, by keyword; with any of it the game is not
    zero-sum:

    - `penalty`: of the critic's loss alone.
    - `auxiliary_weight`: times the cross-entropy of the critic's `class_logits(x)`, added to the
      critic's loss on data and on generated points, to the generator's on the latter (ACGAN,
      arXiv:1610.09585). The data are `Conditioned` by integer labels.
    - `reconstruction_weight`: times $\mathbb{E}|x - G(z, c)|$, of the generator's loss alone
      (pix2pix, arXiv:1611.07004, equation 4). The data are `Conditioned`.
    - `generator_penalty`: of the generator's loss alone, `penalty(generator) -> scalar`, such as
      `OrthogonalPenalty(1e-4)`.

    And `augment`, `(key, point) -> point`: data and generated points go through it before the
    critic sees them, in both losses and the penalty, each point by a fresh key (Zhao et al. 2020,
    arXiv:2006.10738). Reconstructions are compared without it.
    """

    data: Sampler
    latent: Sampler
    batch_size: int = count_field("batch_size", static=True)
    penalty: Penalty | None = None
    packing: int = count_field("packing", static=True, default=1)
    augment: Augment | None = eqx.field(default=None, kw_only=True)
    auxiliary_weight: Scalar | None = eqx.field(
        converter=optional_float_array, default=None, kw_only=True
    )
    reconstruction_weight: Scalar | None = eqx.field(
        converter=optional_float_array, default=None, kw_only=True
    )
    generator_penalty: Callable[[Strategy], Scalar] | None = eqx.field(default=None, kw_only=True)

    zero_sum: ClassVar[bool] = True
    value_name: ClassVar[str] = "value"

    @abc.abstractmethod
    def score_value(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        """The value that the critic maximises, from its scores."""

    @abc.abstractmethod
    def generator_loss(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        """The generator's loss, from the critic's scores."""

    @property
    def is_zero_sum(self) -> bool:
        return self.zero_sum and not (self._has_own_terms.x or self._has_own_terms.y)

    @property
    def _has_own_terms(self) -> Players[bool, bool]:
        classes = self.auxiliary_weight is not None
        of_x = self.reconstruction_weight is not None or self.generator_penalty is not None
        return Players(classes or of_x, classes or self.penalty is not None)

    def draw(self, key: Key) -> Batch:
        """Draw a batch: the same key is the same batch."""
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

    def generate(self, players: Players, latents: Batched) -> Batched:
        """The generator at every latent of a batch: shape `(n, *shape)`, packed as it is."""
        return self._packs(generated(players.x, self._unpacked(latents)))

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        return self.losses_on(players, self.draw(key))

    def losses_on(self, players: Players, batch: Batch) -> Players[Scalar, Scalar]:
        """The losses on a given batch."""
        seen = self._seen(players, batch)
        scores, terms = _scores(players, seen), self._own_terms(players, seen)
        return Players(
            _plus(self.generator_loss(*scores), terms.x), _plus(-self.score_value(*scores), terms.y)
        )

    def scores_on(
        self, players: Players, batch: Batch
    ) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
        """The critic's scores of data and of generated points, as the losses have them."""
        return _scores(players, self._seen(players, batch))

    def _seen(self, players: Players, batch: Batch) -> _Seen:
        fake = self.generate(players, batch.latents)
        # Both players' losses are of the same batch, whatever is drawn for it.
        batch_key = again(batch.key)
        if self.augment is None:
            return _Seen(batch.real, fake, batch.real, fake, batch_key)
        key, *keys = jax.random.split(batch_key, 3)
        augment = self.augment
        real_seen, fake_seen = (
            self._packs(augmented(augment, self._unpacked(points), own_key))
            for points, own_key in zip((batch.real, fake), keys, strict=True)
        )
        return _Seen(real_seen, fake_seen, batch.real, fake, key)

    def _own_terms(self, players: Players, seen: _Seen) -> Players[Terms, Terms]:
        """The weighted terms added to each player's loss, by name."""
        of_x, of_y = {}, {}
        if self.penalty is not None:
            of_y["penalty"] = self.penalty(players.y, seen.real, seen.fake, seen.key)
        if self.auxiliary_weight is not None:
            classify = lambda points: class_cross_entropy(players.y, self._unpacked(points))
            on_fake = _times(self.auxiliary_weight, classify(seen.fake))
            of_x["generator_auxiliary"] = on_fake
            of_y["critic_auxiliary"] = on_fake + _times(self.auxiliary_weight, classify(seen.real))
        if self.reconstruction_weight is not None:
            error = reconstruction_error(seen.plain_real, seen.plain_fake)
            of_x["reconstruction"] = _times(self.reconstruction_weight, error)
        if self.generator_penalty is not None:
            of_x["generator_penalty"] = self.generator_penalty(players.x)
        return Players(of_x, of_y)

    def losses_and_field(
        self, players: Players, key: Key = None
    ) -> tuple[Players[Scalar, Scalar], Players]:
        # Drawn once here: XLA merges equal arithmetic, but not two equal random draws.
        batch = self.draw(key)
        if not self.zero_sum:
            return AbstractGame.losses_and_field(_OnBatch(self, batch), players)
        value = lambda p: self.generator_loss(*self.scores_on(p, batch))
        losses, field = zero_sum_losses_and_field(value, players)
        x = self._with_own_terms(players, batch, "x", losses.x, field.x)
        y = self._with_own_terms(players, batch, "y", losses.y, field.y)
        return Players(x[0], y[0]), Players(x[1], y[1])

    def _with_own_terms(
        self,
        players: Players,
        batch: Batch,
        player: Player,
        loss: Scalar,
        gradient: Strategy,
    ) -> tuple[Scalar, Strategy]:
        """One player's loss and gradient, with those of what is its own added."""
        if not getattr(self._has_own_terms, player):
            return loss, gradient

        def own(strategy):
            joint = replace(players, player, strategy)
            terms = getattr(self._own_terms(joint, self._seen(joint, batch)), player)
            return _plus(jnp.zeros_like(loss), terms)

        term, slope = value_and_gradient(own, getattr(players, player), "its own terms")
        return loss + term, jax.tree.map(jnp.add, gradient, slope)

    def metrics(self, players: Players, key: Key = None) -> dict[str, Array]:
        """The value by the scores alone, and apart from it the penalty and all other terms, on
        one batch."""
        seen = self._seen(players, self.draw(key))
        value, terms = self.score_value(*_scores(players, seen)), self._own_terms(players, seen)
        return {self.value_name: value, "penalty": jnp.zeros_like(value)} | terms.x | terms.y


def _scores(players: Players, seen: _Seen) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    return loss_scores(players.y, seen.real), loss_scores(players.y, seen.fake)


def _times(weight: Scalar, term: Scalar) -> Scalar:
    return weight.astype(term.dtype) * term


def _plus(loss: Scalar, terms: Terms) -> Scalar:
    # Cast, as the generator may be of another precision than the critic.
    return sum((term.astype(loss.dtype) for term in terms.values()), start=loss)


class _OnBatch(AbstractGame):
    game: AbstractGAN
    batch: Batch

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        del key
        return self.game.losses_on(players, self.batch)
