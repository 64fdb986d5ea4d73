"""Iterates, flow and modified flow of the same play, side by side."""

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from gameopt._checks import Integer, check_count
from gameopt._flows import Integrator, flow
from gameopt._games.base import AbstractGame, check_game
from gameopt._loops import record_players, rollout
from gameopt._modified_flows import ONE_EACH, Play, modified_flow
from gameopt._second_derivatives import Player
from gameopt._solvers.alternating import Alternating, check_inner_steps
from gameopt._solvers.simultaneous import Simultaneous
from gameopt._trees import check_playable, per_player, playable
from gameopt._types import Key, Players, Real


class Overlay(eqx.Module):
    """Three trajectories from one start, at the same rounds.

    - `rounds`: shape `(n + 1,)`, from 0. `iterates`: of gradient play. `flow`: of the field at the
      solver's rates. `modified`: of the corrected field. Each with a first axis of rounds.
    """

    rounds: Float[Array, " n"]
    iterates: Players
    flow: Players
    modified: Players


def overlay(
    game: AbstractGame,
    players: Players,
    rounds: Integer,
    key: Key = None,
    *,
    learning_rate: Players[Real, Real] | Real,
    play: Play = "simultaneous",
    order: tuple[Player, Player] = ("x", "y"),
    inner_steps: Players[int, int] = ONE_EACH,
    integrator: Integrator | None = None,
) -> Overlay:
    """Plays gradient play, integrates the game's flow and the modified flow, and aligns them.

    **Arguments:** those of `modified_flow`. The game is deterministic, or held at one sample: `key`
    is used for every round.
    """
    check_game(game)
    check_playable(players)
    rounds, inner_steps = check_count("rounds", rounds), check_inner_steps(inner_steps)
    rates, settings = per_player(learning_rate), (play, order, inner_steps)
    return _overlay(game, players, rounds, key, rates, *settings, integrator)


@eqx.filter_jit
def _overlay(
    game, players, rounds: int, key, rates, play, order, inner_steps, integrator
) -> Overlay:
    optimizers = Players(optax.sgd(rates.x), optax.sgd(rates.y))
    if play == "simultaneous":
        solver = Simultaneous(optimizers)
    else:
        solver = Alternating(optimizers, order=order, inner_steps=inner_steps)
    path = rollout(game, solver, players, rounds, key=key, record=record_players).records
    first = playable(players)
    iterates = jax.tree.map(lambda z, p: jnp.concatenate([z[None], p]), first, path)
    dtype = jax.tree.leaves(first)[0].dtype
    times = jnp.arange(rounds + 1).astype(dtype)
    # In a round each player moves as often as its inner steps say.
    moves = Players(rates.x * inner_steps.x, rates.y * inner_steps.y)
    plain = flow(game, players, rounds, key, rates=moves, save_at=times, integrator=integrator)
    modified = modified_flow(
        game,
        players,
        rounds,
        key,
        learning_rate=rates,
        play=play,
        order=order,
        inner_steps=inner_steps,
        save_at=times,
        integrator=integrator,
    )
    return Overlay(times, iterates, plain.players, modified.players)
