"""The solvers of recipes.modes by name, each made from the players' optimizers."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

import gameopt as go


class ModeSolver(NamedTuple):
    """How to make a solver, and what a round of it takes.

    - `make`: `(optimizers, unroll_rate) -> solver`.
    - `gradients`: of one player's loss in a round, a Hessian product being two.
    - `updates`: how often a round calls each optimizer, which is what a schedule counts.
    """

    make: Callable[[go.Players, float], go.AbstractSolver]
    gradients: int
    updates: go.Players = go.Players(1, 1)


FASTER_CRITIC = 5
LOOKAHEAD_STEPS = 5
UNROLLED_STEPS = 5


def _alternating(optimizers: go.Players, critic_steps: int = 1) -> go.AbstractSolver:
    steps = go.Players(1, critic_steps)
    return go.Alternating(optimizers, order=("y", "x"), inner_steps=steps)


def _lookahead(solver: go.AbstractSolver) -> go.AbstractSolver:
    return go.Lookahead(solver, steps=LOOKAHEAD_STEPS)


FIVE = go.Players(LOOKAHEAD_STEPS, LOOKAHEAD_STEPS)

MODE_SOLVERS: dict[str, ModeSolver] = {
    "simultaneous": ModeSolver(lambda o, _: go.Simultaneous(o), 2),
    "alternating": ModeSolver(lambda o, _: _alternating(o), 2),
    "five_critic_steps": ModeSolver(
        lambda o, _: _alternating(o, FASTER_CRITIC), 1 + FASTER_CRITIC, go.Players(1, FASTER_CRITIC)
    ),
    "extragradient": ModeSolver(lambda o, _: go.Extragradient(o), 4, go.Players(2, 2)),
    "past_extragradient": ModeSolver(lambda o, _: go.PastExtragradient(o), 2),
    "optimistic": ModeSolver(lambda o, _: go.Optimistic(o), 2),
    "lookahead": ModeSolver(lambda o, _: _lookahead(go.Simultaneous(o)), 2 * LOOKAHEAD_STEPS, FIVE),
    "lookahead_alternating": ModeSolver(
        lambda o, _: _lookahead(_alternating(o)), 2 * LOOKAHEAD_STEPS, FIVE
    ),
    "ema": ModeSolver(lambda o, _: go.Averaged(go.Simultaneous(o), decay=0.999), 2),
    "consensus": ModeSolver(lambda o, _: go.Consensus(o, strength=0.1), 6),
    "sga": ModeSolver(lambda o, _: go.SGA(o), 10),
    "unrolled": ModeSolver(
        lambda o, rate: go.Unrolled(o, steps=UNROLLED_STEPS, unroll_rate=rate),
        2 + UNROLLED_STEPS + 2 * 2 * UNROLLED_STEPS,
    ),
}


class AcrossSeeds(go.AbstractSolver):
    """A solver that plays one game from many starts at once, each with a key of its own.

    - `solver`: plays each. `seeds`: how many. Players, state and report have a first axis of them;
      the first so many of a larger number are the same plays.
    """

    solver: go.AbstractSolver
    seeds: int = eqx.field(static=True)

    def _map(self, function: Callable, *args):
        axes = tuple(jax.tree.map(eqx.if_array(0), arg) for arg in args)
        return eqx.filter_vmap(function, in_axes=axes, axis_size=self.seeds)(*args)

    def _keys(self, key: go.Key) -> jax.Array:
        assert key is not None
        return jax.vmap(lambda seed: jax.random.fold_in(key, seed))(jnp.arange(self.seeds))

    def init(self, game: go.AbstractGame, players: go.Players, key: go.Key = None):
        start = lambda players, key: self.solver.init(game, players, key)
        return self._map(start, players, self._keys(key))

    def step(self, game: go.AbstractGame, players: go.Players, state, key: go.Key = None):
        play = lambda *args: self.solver.step(game, *args)
        return self._map(play, players, state, self._keys(key))

    def evaluate(self, players: go.Players, state) -> go.Players:
        return self._map(self.solver.evaluate, players, state)
