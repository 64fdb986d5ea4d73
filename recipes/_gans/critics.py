"""Critics as a report sees them: scores, estimates, training for a fixed generator."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray

import gameopt as go

generated = eqx.filter_jit(go.generated)
"""The generator at every latent, shape `(n, *shape)`, compiled."""


def from_latents(latents: Array) -> Any:
    """The `sample` of a `SampleJudge`: the generator at fixed latents, and at conditions."""

    def sample(players: go.Players, conditions: Array | None) -> Any:
        given = latents if conditions is None else go.Conditioned(latents, conditions)
        return generated(players.x, given)

    return sample


@eqx.filter_jit
def _on_batch(players: go.Players, real: Array, fake: Array, key: PRNGKeyArray) -> Any:
    estimate = go.wasserstein_value(
        go.critic_scores(players.y, real), go.critic_scores(players.y, fake)
    )
    return estimate, go.gradient_norms(players.y, go.interpolates(real, fake, key))


def estimate_numbers(
    players: go.Players, real: Array, fake: Array, key: PRNGKeyArray
) -> dict[str, float]:
    """A critic's estimate and slopes on batches of shape `(n, *shape)`.

    - `wasserstein_estimate`: E f(real) - E f(generated), without any penalty.
    - `slope_mean`, `slope_max`: gradient norms of f on the lines from real to generated points.
    - `wasserstein_estimate_per_slope`: the estimate of f / slope_max, comparable with W1.
    """
    estimate, slopes = map(np.asarray, _on_batch(players, real, fake, key))
    steepest = max(float(slopes.max()), 1e-30)
    return {
        "wasserstein_estimate": float(estimate),
        "wasserstein_estimate_per_slope": float(estimate) / steepest,
        "slope_mean": float(slopes.mean()),
        "slope_max": float(slopes.max()),
    }


@eqx.filter_jit
def _logits(players: go.Players, real: Array, fake: Array) -> Any:
    return go.critic_scores(players.y, real), go.critic_scores(players.y, fake)


def discriminator_numbers(players: go.Players, real: Array, fake: Array) -> dict[str, float]:
    """A discriminator's value and mean probabilities on batches of shape `(n, *shape)`.

    - `value`: V(D, G) in nats, at most -log 4 + 2 JS. `d_real`, `d_fake`: mean probabilities.
    """
    real_logits, fake_logits = _logits(players, real, fake)
    return {
        "value": float(go.minimax_value(real_logits, fake_logits)),
        "d_real": float(jnp.mean(jax.nn.sigmoid(real_logits))),
        "d_fake": float(jnp.mean(jax.nn.sigmoid(fake_logits))),
    }


def score_numbers(packing: int = 1) -> Callable[[go.Players, Any, Any], dict[str, float]]:
    """Means of the discriminator's scores of packs: `score_real`, `score_fake`."""

    @eqx.filter_jit
    def means(critic: Any, points: Any) -> Array:
        whole = len(go.value_of(points)) // packing * packing
        shape = lambda leaf: leaf[:whole].reshape(-1, packing, *leaf.shape[1:])
        packs = points if packing == 1 else jax.tree.map(shape, points)
        return jnp.mean(go.critic_scores(critic, packs))

    return lambda players, real, fake: {
        "score_real": float(means(players.y, real)),
        "score_fake": float(means(players.y, fake)),
    }


def share_at_limit(critic: Any, limit: float) -> float:
    """The share of a clipped critic's weights that sit at plus or minus the limit."""
    leaves = [np.abs(np.asarray(leaf)).ravel() for leaf in jax.tree.leaves(go.playable(critic))]
    return float(np.mean(np.concatenate(leaves) >= limit * (1 - 1e-6)))


@eqx.filter_jit
def _metrics_and_gradient(game: go.AbstractGame, players: go.Players, key: PRNGKeyArray) -> Any:
    return game.metrics(players, key), go.field(game, players, key).y


def critic_numbers(game: go.AbstractGame, players: go.Players, key: PRNGKeyArray) -> dict[str, Any]:
    """The parts of the critic's own loss, on one training batch.

    - `penalty`: weighted, apart from the estimate.
    - `critic_gradient_norms`: of its loss in each weight matrix, from the input on. Where weights
      are clipped it grows or shrinks from layer to layer; with a gradient penalty it stays level
      (Gulrajani et al. 2017, arXiv:1704.00028, figure 1b).
    """
    metrics, gradient = _metrics_and_gradient(game, players, key)
    matrices = [leaf for leaf in jax.tree.leaves(gradient) if leaf.ndim >= 2]
    norms = [float(jnp.linalg.norm(leaf)) for leaf in matrices]
    return {"penalty": float(metrics["penalty"]), "critic_gradient_norms": norms}


def train_critic(
    game: go.AbstractGame,
    players: go.Players,
    rounds: int,
    learning_rate: float,
    key: PRNGKeyArray,
    momentum: float = 0.9,
    decay: float = 0.999,
) -> go.Players:
    """The players after `rounds` of Adam by y alone, its step size falling to 0 as a cosine.

    A critic whose optimizer's state is not finite at the end has stood still since: it becomes NaN.

    To be called under jit, and under vmap for several settings at once: the generator, the game's
    laws and penalties may be arrays that are mapped over.
    """
    schedule = optax.cosine_decay_schedule(learning_rate, rounds)
    solver = go.descent(optax.adam(schedule, b1=momentum, b2=decay))
    alone = _CriticAlone(game, players.x)
    last = go.rollout(
        alone, solver, go.Players(players.y, None), rounds, key=key, every=max(rounds, 1)
    )
    moments = jax.tree.leaves(eqx.filter(last.state, eqx.is_inexact_array))
    moved = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in moments]))
    critic = last.players.x
    sound = jax.tree.map(lambda leaf: jnp.where(moved, leaf, jnp.nan), go.playable(critic))
    return go.Players(players.x, eqx.combine(sound, critic))


class _CriticAlone(go.OnePlayerGame):
    """The critic's loss against one generator, on the game's sets."""

    game: go.AbstractGame
    generator: Any

    def loss(self, x: Any, key: go.Key = None) -> Array:
        return self.game.losses(go.Players(self.generator, x), key).y

    def losses_and_field(self, players: go.Players, key: go.Key = None) -> Any:
        # The game's own backward pass; what only the generator needs is left out by the compiler.
        joint = go.Players(self.generator, players.x)
        losses, field = self.game.losses_and_field(joint, key)
        return go.Players(losses.y, None), go.Players(field.y, None)

    def project(self, players: go.Players) -> go.Players:
        return go.Players(self.game.project(go.Players(self.generator, players.x)).y, None)

    def sets(self, players: go.Players) -> go.Players:
        return go.Players(self.game.sets(go.Players(self.generator, players.x)).y, None)
