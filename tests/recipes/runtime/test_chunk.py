"""Chunks of a play: the rounds and records of `go.rollout`, wherever they are cut."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from recipes._runtime.chunk import ChunkedPlay

ROUNDS, EVERY = 23, 5
OPTIMIZERS = go.Players(optax.adam(0.1), optax.adam(0.1))
GAMES = {
    "deterministic": (go.Bilinear(jnp.float32(1.5)), go.Alternating(OPTIMIZERS)),
    "stochastic": (
        go.StochasticBilinear(
            jax.random.normal(jax.random.key(2), (6, 2, 2), jnp.float32),
            jnp.zeros((6, 2), jnp.float32),
            jnp.zeros((6, 2), jnp.float32),
            batch_size=2,
        ),
        go.Extragradient(OPTIMIZERS),
    ),
}


def record(now):
    draw = jax.random.normal(now.key, (), jnp.float32)
    return {"round": now.round, "loss_x": now.info.losses.x, "draw": draw}


def start_of(name):
    shape = () if name == "deterministic" else (2,)
    return go.Players(jnp.ones(shape, jnp.float32), jnp.full(shape, 0.5, jnp.float32))


@pytest.mark.parametrize("lengths", [[23], [1] * 23, [7, 0, 9, 7], [5, 5, 5, 5, 3]])
@pytest.mark.parametrize("name", sorted(GAMES))
def test_chunks_of_every_length_are_the_rounds_of_a_rollout(name, lengths, float32):
    """The same bits, and each record once, at multiples of `every`."""
    game, solver = GAMES[name]
    key, players = jax.random.key(3), start_of(name)
    state = solver.init(game, players, key)
    whole = go.rollout(
        game, solver, players, ROUNDS, key=key, state=state, record=record, every=EVERY
    )
    play = ChunkedPlay(game, solver, state, key, record, every=EVERY, longest=ROUNDS)
    at, lines = 0, []
    for length in lengths:
        chunk = play(players, state, at, length)
        players, state, at = chunk.players, chunk.state, chunk.round
        lines += chunk.records
        assert chunk.first_bad == (0, 0, 0)
    assert at == ROUNDS
    chex.assert_trees_all_equal((players, state), (whole.players, whole.state))
    assert [line["round"] for line in lines] == [5, 10, 15, 20]
    for column in ("loss_x", "draw"):
        np.testing.assert_array_equal([line[column] for line in lines], whole.records[column])


def breaks(who, round, player):
    """Plain steps, whose `who`-th part becomes NaN in a round; a best value begins infinite."""

    def update(updates, state, params=None):
        del params
        count = state["count"] + 1
        nan = jnp.where(count == round, jnp.nan, 0.0).astype(jnp.float32)
        updates = jax.tree.map(lambda u: -0.1 * u + (nan if who == player else 0.0), updates)
        # What it remembers is a number again in the round after.
        memory = nan if who == "state" else jnp.zeros_like(nan)
        return updates, {"count": count, "best": state["best"], "memory": memory}

    begin = lambda params: {
        "count": jnp.int32(0), "best": jnp.float32(jnp.inf), "memory": jnp.float32(0),
    }  # fmt: skip
    return optax.GradientTransformation(begin, update)


BAD = {"x": (7, 0, 0), "y": (0, 7, 0), "state": (0, 0, 7)}


@pytest.mark.parametrize("may_diverge", [False, True])
@pytest.mark.parametrize("who", sorted(BAD))
def test_who_is_not_finite_and_since_which_round(who, may_diverge, float32):
    """There the chunk ends, unless it may diverge; a state that began infinite is not spoken of."""
    # y answers x in the same round, so that a NaN of x would be its own.
    solver = go.Simultaneous(go.Players(breaks(who, 7, "x"), breaks(who, 7, "y")))
    game, players = go.Bilinear(jnp.float32(1.0)), start_of("deterministic")
    state = solver.init(game, players, jax.random.key(0))
    play = ChunkedPlay(
        game, solver, state, jax.random.key(0), record,
        every=2, longest=20, may_diverge=may_diverge,
    )  # fmt: skip
    chunk = play(players, state, 0, 20)
    assert chunk.round == (20 if may_diverge else 7)
    assert [line["round"] for line in chunk.records] == list(range(2, chunk.round + 1, 2))
    if not may_diverge:
        assert chunk.first_bad == BAD[who]
    else:
        assert chunk.first_bad[list(BAD).index(who)] == 7


def test_one_program_for_every_length(float32, compilations):
    """And for every first round; weak types make no second."""
    solver, key = go.Simultaneous(OPTIMIZERS), jax.random.key(0)
    game, players = go.Bilinear(jnp.float32(1.25)), go.Players(jnp.asarray(1.0), jnp.asarray(0.5))
    state = solver.init(game, players, key)
    play = ChunkedPlay(game, solver, state, key, record, every=3, longest=30)
    for start, length in ((0, 0), (0, 1), (1, 30), (31, 8)):
        chunk = play(players, state, start, length)
        players, state = chunk.players, chunk.state
    assert sum("_play_rounds" in name for name in compilations) == 1
