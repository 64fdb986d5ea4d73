"""A chunk of a play: any number of rounds from any round, as one compiled program."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PRNGKeyArray

import gameopt as go

Record = Callable[[go.Moment], dict[str, jax.Array]]

_NOT_A_ROUND = 2**32 - 1
"""Folded into the key for a record, as `go.rollout` does."""
SLOTS = 1024
"""At most so many records in a chunk."""
WATCHED = ("x", "y", "the solver's state")
"""The parts that must stay finite, in the order of `Chunk.first_bad`."""


class Chunk(NamedTuple):
    """The play after a chunk.

    - `round`: rounds played since the beginning. `records`: a line for each that was due.
    - `first_bad`: for x, y and the solver's state, the round after which they were not finite for
      the first time in this chunk; 0 if they are finite.
    """

    players: go.Players
    state: Any
    round: int
    records: list[dict[str, Any]]
    first_bad: tuple[int, int, int]


class ChunkedPlay:
    """A play in chunks: rounds are those of `go.rollout`, and the number of a chunk's is dynamic.

    One program plays every length from every round. So a play that is stopped anywhere goes on with
    the very program that it would have gone on with, and nothing is compiled anew.

    **Arguments:**

    - `state`: the solver's at round 0: its arrays that are not finite then are not watched.
    - `every`: records are made after rounds that are multiples of it.
    - `longest`: rounds of the longest chunk that will be asked for.
    - `may_diverge`: play on when something is not finite; otherwise the chunk ends there.
    """

    def __init__(
        self,
        game: go.AbstractGame,
        solver: go.AbstractSolver,
        state: Any,
        key: PRNGKeyArray,
        record: Record,
        *,
        every: int,
        longest: int,
        may_diverge: bool = False,
    ):
        slots = min(SLOTS, -(-longest // every)) + 1
        self.longest = min(longest, (slots - 1) * every)
        watched = tuple(bool(np.isfinite(np.asarray(leaf)).all()) for leaf in _numbers(state))
        self._static = (record, every, slots, watched, may_diverge)
        self._game, self._solver, self._key, self._every = game, solver, key, every

    def __call__(self, players: go.Players, state: Any, start: int, rounds: int) -> Chunk:
        """Play `rounds` more, at most `longest`; of 0 rounds, only compile."""
        begun = jnp.asarray(start, jnp.int32)
        end = jnp.asarray(start + rounds, jnp.int32)
        players, state = _strong((players, state))
        players, state, round, records, first_bad = _play_rounds(
            self._game, self._solver, players, state, begun, end, self._key, *self._static
        )
        done = int(round)
        lines = _lines(records, done // self._every - start // self._every)
        x, y, remembered = np.asarray(first_bad).tolist()
        return Chunk(players, state, done, lines, (x, y, remembered))


@eqx.filter_jit
def _play_rounds(
    game, solver, players, state, start, end, key, record, every, slots, watched, may_diverge
):
    carried, rest = eqx.partition((players, state), eqx.is_array)

    def step(carried, t):
        players, state = eqx.combine(carried, rest)
        return solver.step(game, players, state, jax.random.fold_in(key, t.astype(jnp.uint32)))

    def one_round(carry):
        carried, t, _, first_bad = carry
        players, state, info = step(carried, t)
        bad = (first_bad == 0) & _not_finite(players, state, watched)
        first_bad = jnp.where(bad, t + 1, first_bad)
        return eqx.filter((players, state), eqx.is_array), t + 1, info, first_bad

    def recorded(carry):
        carried, t, info, _ = carry
        players, state = eqx.combine(carried, rest)
        moment_key = jax.random.fold_in(
            jax.random.fold_in(key, t.astype(jnp.uint32)), jnp.uint32(_NOT_A_ROUND)
        )
        return record(go.Moment(game, solver.evaluate(players, state), state, info, t, moment_key))

    def to_record(carry):
        play, records, count = carry
        until = jnp.minimum((play[1] // every + 1) * every, end)
        play = jax.lax.while_loop(lambda play: (play[1] < until) & going(play), one_round, play)
        # Short of a record, at the chunk's end, the next chunk's first is written over it.
        write = lambda slots, value: jax.lax.dynamic_update_index_in_dim(slots, value, count, 0)
        return play, jax.tree.map(write, records, recorded(play)), count + 1

    going = lambda play: may_diverge | jnp.all(play[3] == 0)
    infos = eqx.filter_eval_shape(lambda carried, t: step(carried, t)[2], carried, start)
    info = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), infos)
    play = (carried, start, info, jnp.zeros(len(WATCHED), jnp.int32))
    shapes = jax.eval_shape(recorded, play)
    records = jax.tree.map(lambda leaf: jnp.zeros((slots, *leaf.shape), leaf.dtype), shapes)
    play, records, _ = jax.lax.while_loop(
        lambda carry: (carry[0][1] < end) & going(carry[0]),
        to_record,
        (play, records, jnp.int32(0)),
    )
    carried, round, _, first_bad = play
    players, state = eqx.combine(carried, rest)
    return players, state, round, records, first_bad


def _numbers(tree: Any) -> list[jax.Array]:
    return jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))


def _not_finite(players: go.Players, state: Any, watched: tuple[bool, ...]) -> Bool[Array, " 3"]:
    leaves = zip(_numbers(state), watched, strict=True)
    groups = (
        _numbers(go.playable(players.x)),
        _numbers(go.playable(players.y)),
        [leaf for leaf, is_watched in leaves if is_watched],
    )
    fine = lambda leaves: jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in leaves], bool)
    return jnp.stack([~jnp.all(fine(leaves)) for leaves in groups])


def _strong(tree: Any) -> Any:
    """Drops weak types, which a play loses in its first round: a second program for nothing."""
    is_weak = lambda leaf: getattr(leaf, "weak_type", False)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, leaf.dtype) if is_weak(leaf) else leaf, tree)


def _lines(records: dict[str, jax.Array], count: int) -> list[dict[str, Any]]:
    columns = {name: np.asarray(values)[:count].tolist() for name, values in records.items()}
    rows = zip(*columns.values(), strict=True)
    return [{"kind": "train", **dict(zip(columns, row, strict=True))} for row in rows]
