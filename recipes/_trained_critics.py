"""Critics trained to the end against a generator that stands still."""

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

    To be called under jit, and under vmap for several settings at once: the generator, the game's
    laws and penalties may be arrays that are mapped over.
    """
    schedule = optax.cosine_decay_schedule(learning_rate, rounds)
    solver = go.Simultaneous(go.Players(None, optax.adam(schedule, b1=momentum, b2=decay)))
    return go.rollout(game, solver, players, rounds, key=key).players
