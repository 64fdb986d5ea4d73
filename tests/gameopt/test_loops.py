"""Rollouts and solves: how rounds are counted, recorded, and ended."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from models import mlp_critic, mlp_generator
from tests.solvers import ALL_SOLVERS, both, point

ALTERNATING = ALL_SOLVERS["alternating"](0.1)
STABLE = go.ZeroSumQuadratic(jnp.eye(1), jnp.eye(1), -jnp.eye(1))


def small_gan():
    """A stochastic game with everything in it: data, latents, a penalty, inner steps, Adam."""
    keys = jax.random.split(jax.random.key(0), 3)
    data = jax.random.normal(keys[0], (100, 2), jnp.float32)
    game = go.WassersteinGAN(go.Samples(data), go.NormalLatent((2,)), 8, go.GradientPenalty(1.0))
    players = go.Players(
        mlp_generator(2, (2,), width=8, depth=1, bounded=False, key=keys[1]),
        mlp_critic((2,), width=8, depth=1, key=keys[2]),
    )
    players = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), players)
    solver = go.Alternating(both(optax.adam, 1e-2), order=("y", "x"), inner_steps=go.Players(1, 3))
    return game, solver, players


_LONG = [pytest.param(c, marks=pytest.mark.slow) for c in ([1] * 12, [1, 11], [4, 4, 4])]


@pytest.mark.parametrize("chunks", [[5, 7], *_LONG])
def test_cutting_rounds_into_chunks_changes_no_bit(chunks):
    """12 rounds at once, or in any chunks: the same bits, in float32, with Adam and sampling."""
    game, solver, players = small_gan()
    key = jax.random.key(1)
    whole = go.rollout(game, solver, players, 12, key=key)
    state, start = None, 0
    for length in chunks:
        last = go.rollout(game, solver, players, length, key=key, state=state, start=start)
        players, state, start = last.players, last.state, last.round
    chex.assert_trees_all_equal(go.playable(players), go.playable(whole.players))
    assert int(start) == int(whole.round) == 12


@pytest.mark.parametrize(
    "every",
    [pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 4, 5],
)
def test_recording_changes_no_bit_and_left_over_rounds_are_played(every):
    """A record every n rounds is the subsequence of the records of every round."""
    game, solver, players = small_gan()
    key, record = jax.random.key(1), lambda now: (now.round, now.players.x.layers[0].weight)
    rounds, weights = go.rollout(game, solver, players, 12, key=key, record=record).records
    last = go.rollout(game, solver, players, 12, key=key, record=record, every=every)
    np.testing.assert_array_equal(last.records[0], rounds[every - 1 :: every])
    np.testing.assert_array_equal(last.records[1], weights[every - 1 :: every])
    np.testing.assert_array_equal(last.players.x.layers[0].weight, weights[-1])


def test_a_moment_has_a_key_of_its_own():
    """It differs from every round's key and from every other moment's."""
    game = go.zero_sum_game(lambda x, y, key: x * y * jax.random.normal(key), stochastic=True)
    record = lambda now: jax.random.key_data(now.key)
    key = jax.random.key(5)
    keys = go.rollout(game, ALTERNATING, point(1.0, 1.0), 20, key=key, record=record).records
    rounds = jax.vmap(lambda t: jax.random.key_data(jax.random.fold_in(key, t)))(jnp.arange(40))
    everything = np.concatenate([np.asarray(keys), np.asarray(rounds)])
    assert len(np.unique(everything, axis=0)) == 60


def test_another_start_or_key_is_no_other_program():
    """One compilation per number of rounds: the trace of the value is counted."""
    traces = []

    def value(x, y):
        traces.append(1)
        return x * y

    game = go.zero_sum_game(value)
    go.rollout(game, ALTERNATING, point(1.0, 1.0), 7)
    count = len(traces)
    go.rollout(game, ALTERNATING, point(2.0, 0.5), 7, start=100)
    assert len(traces) == count


def test_no_rounds_are_no_play():
    """Zero rounds return the start; a negative number is refused."""
    last = go.rollout(STABLE, ALTERNATING, point([1.0], [2.0]), 0)
    assert last.players.x == 1.0
    with pytest.raises(ValueError, match="rounds must be >= 0"):
        go.rollout(STABLE, ALTERNATING, point([1.0], [2.0]), -1)


def test_solve_ends_at_the_equilibrium():
    """Stationary to tol, and the number of rounds is the first at which it is."""
    solution = go.solve(STABLE, ALTERNATING, point([1.0], [2.0]), tol=1e-9)
    assert solution.result == go.RESULTS.successful
    assert solution.stats.stationarity <= 1e-9
    rounds = int(solution.stats.rounds)
    path = go.rollout(STABLE, ALTERNATING, point([1.0], [2.0]), rounds, record=go.record_players)
    before = jax.tree.map(lambda leaf: leaf[-2], path.records)
    assert go.stationarity(STABLE, before) > 1e-9
    np.testing.assert_allclose(path.players.x, solution.players.x, rtol=0, atol=1e-24)


def test_solve_checks_as_often_as_it_is_told():
    """Rounds are a multiple of check_every, or max_rounds."""
    start = point([1.0], [2.0])
    solution = go.solve(STABLE, ALTERNATING, start, check_every=7)
    assert int(solution.stats.rounds) % 7 == 0
    short = go.solve(STABLE, ALTERNATING, start, check_every=7, max_rounds=10, throw=False)
    assert int(short.stats.rounds) == 10


ENDINGS = {
    "max_rounds_reached": (go.Bilinear(1.0), "alternating", 500),
    "diverged": (go.Bilinear(1.0), "simultaneous", 100_000),
    "nonfinite": (go.zero_sum_game(lambda x, y: jnp.exp(x**2) * y), "simultaneous", 100_000),
}


@pytest.mark.parametrize("name", sorted(ENDINGS))
def test_every_ending_has_its_remedy(name):
    """As data, and as an error whose text is the remedy."""
    game, solver, rounds = ENDINGS[name]
    arguments = (game, ALL_SOLVERS[solver](0.5), point(1.0, 1.0))
    solution = go.solve(*arguments, max_rounds=rounds, throw=False)
    assert solution.result == getattr(go.RESULTS, name)
    remedy = go.RESULTS[getattr(go.RESULTS, name)]
    with pytest.raises(RuntimeError) as error:
        go.solve(*arguments, max_rounds=rounds)
    assert remedy in str(error.value)


def test_a_start_that_is_not_finite_is_said_at_once():
    """No round is played."""
    solution = go.solve(STABLE, ALTERNATING, point([jnp.nan], [1.0]), throw=False)
    assert solution.result == go.RESULTS.nonfinite
    assert int(solution.stats.rounds) == 0


def test_solves_can_be_vmapped():
    """64 starts in one call end at the same equilibrium."""
    starts = jax.random.normal(jax.random.key(0), (64, 2, 1))

    def end(start):
        players = go.Players(start[0], start[1])
        return go.solve(STABLE, ALTERNATING, players, throw=False).stats.stationarity

    assert jnp.max(jax.vmap(end)(starts)) <= 1e-6


def test_round_t_is_a_step_with_the_key_folded_with_t():
    """The trajectory of a noisy game, played by hand."""
    game = go.zero_sum_game(lambda x, y, key: x * y * jax.random.normal(key), stochastic=True)
    key, players, state = jax.random.key(2), point(1.0, -0.5), None
    path = go.rollout(game, ALTERNATING, players, 6, key=key, start=3, record=go.record_players)
    state = ALTERNATING.init(game, players)
    for t in range(6):
        players, state, _ = ALTERNATING.step(game, players, state, jax.random.fold_in(key, 3 + t))
        np.testing.assert_allclose(path.records.x[t], players.x, rtol=1e-12)
