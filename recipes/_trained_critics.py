"""Critics trained to the end against a generator that stands still."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import PRNGKeyArray

import gameopt as go


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
    solver = go.Simultaneous(go.Players(None, optax.adam(schedule, b1=momentum, b2=decay)))
    last = go.rollout(game, solver, players, rounds, key=key)
    moments = jax.tree.leaves(eqx.filter(last.state, eqx.is_inexact_array))
    moved = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in moments]))
    sound = lambda leaf: jnp.where(moved, leaf, jnp.nan) if eqx.is_inexact_array(leaf) else leaf
    return go.Players(last.players.x, jax.tree.map(sound, last.players.y))
