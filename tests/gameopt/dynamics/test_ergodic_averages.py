"""Running averages: against sums, against the solver that averages, and where they lead."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.solvers import ALL_SOLVERS, both, point, sgd


@hyp.given(seed=st.integers(0, 2**31 - 1), burn_in=st.integers(0, 11), weighted=st.booleans())
def test_every_average_is_a_weighted_mean(seed, burn_in, weighted):
    """Of the entries after the burn-in and up to its own."""
    rng = np.random.default_rng(seed)
    path = point(rng.normal(size=(12, 2, 3)), rng.normal(size=12))
    weights = rng.uniform(0.1, 2.0, 12) if weighted else np.ones(12)
    found = go.ergodic_averages(path, jnp.asarray(weights) if weighted else None, burn_in)
    for whole, averages in zip(jax.tree.leaves(path), jax.tree.leaves(found), strict=True):
        assert len(averages) == 12 - burn_in
        for t in range(12 - burn_in):
            rows = slice(burn_in, burn_in + t + 1)
            mean = np.average(whole[rows], axis=0, weights=weights[rows])
            np.testing.assert_allclose(averages[t], mean, atol=1e-13)


def test_equal_weights_are_the_averages_of_the_solver_that_averages():
    """`Averaged` sees the same iterates: the same numbers, to rounding."""
    game, start, solver = go.Bilinear(np.eye(2)), point(jnp.ones(2), -jnp.ones(2)), go.Alternating
    plays = [solver(sgd(0.1)), go.Averaged(solver(sgd(0.1)))]
    plain, averaged = (
        go.rollout(game, s, start, 200, record=go.record_players).records for s in plays
    )
    found = go.ergodic_averages(plain)
    np.testing.assert_allclose(found.x, averaged.x, atol=1e-14)
    np.testing.assert_allclose(found.y, averaged.y, atol=1e-14)


def test_alternating_play_on_a_bilinear_game_averages_to_the_equilibrium_as_1_over_t():
    """The slope of the largest distance still to come, log over log, is -1."""
    game = go.Bilinear(
        np.array([[1.0, 0.3], [0.0, 0.7]]), np.array([0.4, -0.1]), np.array([0.2, 0.5])
    )
    (equilibrium,) = game.equilibria()
    start = point(jnp.ones(2), -jnp.ones(2))
    path = go.rollout(
        game, ALL_SOLVERS["alternating"](0.1), start, 20_000, record=go.record_players
    ).records
    off = np.asarray(go.distances(go.ergodic_averages(path), equilibrium))
    to_come = np.maximum.accumulate(off[::-1])[::-1]
    t = np.arange(1, len(off) + 1)
    middle = slice(200, 10_000)
    slope = np.polyfit(np.log(t[middle]), np.log(to_come[middle]), 1)[0]
    assert -1.05 < slope < -0.95
    assert np.asarray(go.distances(path, equilibrium))[-1000:].min() > 0.3  # play itself does not


def test_averages_weighted_by_the_steps_keep_the_regret_bound():
    """Gradient play on rock, paper, scissors with steps c / sqrt(t): for every T the exploitability
    of the average is at most (D^2 + sum eta^2 |xi|^2) / (2 sum eta), and play itself circles."""
    game, start, rounds = go.rock_paper_scissors(), point([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), 4000
    step = lambda count: 0.5 / jnp.sqrt(count + 1.0)
    solver = go.Simultaneous(both(optax.sgd, step))
    path = go.rollout(game, solver, start, rounds, record=go.record_players).records
    # The points that the steps were taken from.
    before = jax.tree.map(lambda z, p: jnp.concatenate([z[None], p[:-1]]), start, path)
    steps = step(jnp.arange(float(rounds)))
    averages = go.ergodic_averages(before, steps)
    found = np.asarray(jax.vmap(game.exploitability)(averages))
    fields = jax.vmap(lambda players: go.tree_norm(go.field(game, players)))(before)
    farthest = 4.0  # |p - p'|^2 <= 2 on each simplex
    bound = (farthest + jnp.cumsum(steps**2 * fields**2)) / (2 * jnp.cumsum(steps))
    assert (found <= bound).all()
    assert found[-1] < 0.1
    assert np.asarray(jax.vmap(game.exploitability)(path))[-500:].max() > 3 * found[-1]


def test_a_million_equal_entries_average_to_themselves(float32):
    """No sum grows: in single precision a running sum would be off by far more than rounding."""
    path = jnp.full((1_000_000,), 1.1)
    np.testing.assert_allclose(go.ergodic_averages(path)[-1], path[0], rtol=1e-6)


def test_before_the_first_weight_it_is_the_first_entry():
    """0 / 0 is no nan."""
    found = go.ergodic_averages(jnp.array([3.0, 5.0, 7.0]), jnp.array([0.0, 0.0, 2.0]))
    np.testing.assert_array_equal(found, [3.0, 3.0, 7.0])


def test_under_vmap_with_leaves_that_are_not_averaged():
    """Counters give way to None; a batch of weights is a batch of averages."""
    path = {"z": jnp.arange(4.0), "round": jnp.arange(4)}
    many = jax.vmap(lambda w: go.ergodic_averages(path, w))(
        jnp.array([[1.0, 1, 1, 1], [0, 0, 1, 1]])
    )
    assert many["round"] is None
    np.testing.assert_allclose(many["z"], [[0, 0.5, 1, 1.5], [0, 0, 2, 2.5]])


def test_what_cannot_be_averaged_is_refused():
    """A burn-in of everything, weights of another length or negative, and no path."""
    path = jnp.arange(4.0)
    with pytest.raises(ValueError, match="burn_in must be >= 0 and below the path's 4, got 4"):
        go.ergodic_averages(path, burn_in=4)
    with pytest.raises(ValueError, match=r"weights must be of shape \(4,\), got \(3,\)"):
        go.ergodic_averages(path, jnp.ones(3))
    with pytest.raises(ValueError, match="finite, and not negative"):
        go.ergodic_averages(path, jnp.array([1.0, -1.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match="one first axis of rounds"):
        go.ergodic_averages(point(jnp.ones(3), jnp.ones(4)))
