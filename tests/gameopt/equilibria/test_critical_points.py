"""Newton's method from many starts. That it finds all points of toy games: test_toy_games."""

import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from tests.gameopt.games.test_toy_games import LINES, grid_of_starts
from tests.solvers import point


@pytest.mark.parametrize("name", sorted(LINES))
def test_a_line_is_reached_by_the_shortest_way(name):
    """J has rank one: each start's end is its orthogonal projection on the line."""
    game, along = go.TOY_GAMES[name](), np.asarray(LINES[name]) / np.sqrt(2)
    carried = game.critical_points()[0].players
    start = point(0.31, -0.17)
    found = go.find_critical_points(game, go.Players(start.x[None], start.y[None]))
    origin = np.array([carried.x, carried.y])
    foot = origin + along * (along @ (np.array([0.31, -0.17]) - origin))
    np.testing.assert_allclose([found.players.x[0], found.players.y[0]], foot, atol=1e-12)
    assert go.stationarity(game, go.Players(found.players.x[0], found.players.y[0])) < 1e-12


@pytest.mark.parametrize("name", sorted(LINES))
def test_a_line_is_many_points(name):
    """Every end is on the line, and the published point is among them, as near as starts are."""
    game = go.TOY_GAMES[name]()
    found = go.find_critical_points(game, grid_of_starts(2.0, 41))
    carried = game.critical_points()[0].players
    offsets = np.stack([found.players.x - carried.x, found.players.y - carried.y], axis=1)
    across = np.array([LINES[name][1], -LINES[name][0]])
    np.testing.assert_allclose(offsets @ across, 0, atol=1e-10)
    assert len(offsets) > 10
    assert np.linalg.norm(offsets, axis=1).min() < 0.1


def test_points_are_told_apart_and_counted():
    """xi = (x^3 - x, y): three points, whose counts are the starts that came to them."""
    game = go.game_from_losses(lambda x, y: x**4 / 4 - x**2 / 2, lambda x, y: y**2 / 2)
    xs = jnp.array([-3.0, -2.0, -1.0, 0.1, 0.05, 1.5, 7.0])
    found = go.find_critical_points(game, go.Players(xs, jnp.ones_like(xs)))
    assert dict(zip(np.round(np.asarray(found.players.x)).tolist(), found.counts.tolist(),
                    strict=True)) == {-1.0: 3, 0.0: 2, 1.0: 2}  # fmt: skip
    np.testing.assert_array_less(found.residuals, 1e-10)
    assert found.counts.tolist() == sorted(found.counts.tolist(), reverse=True)
    within = go.find_critical_points(game, go.Players(xs, jnp.ones_like(xs)), reach=0.5)
    np.testing.assert_allclose(within.players.x, [0.0], atol=1e-12)


def test_strategies_of_any_structure():
    """Two dictionaries of vectors: the critical point of a quadratic in one round."""
    target = jnp.arange(3.0)
    game = go.zero_sum_game(
        lambda x, y: jnp.sum((x["a"] - target) ** 2) + x["b"] * y["c"] - y["c"] ** 2
    )
    starts = go.Players({"a": jnp.ones((5, 3)), "b": jnp.ones(5)}, {"c": jnp.ones(5)})
    found = go.find_critical_points(game, starts, max_rounds=2, max_move=100.0)
    np.testing.assert_allclose(found.players.x["a"], target[None], atol=1e-12)
    np.testing.assert_allclose(found.players.y["c"], [0.0], atol=1e-12)
    assert found.counts.tolist() == [5]


def test_none_is_found_where_there_is_none():
    """xi = (1, y) vanishes nowhere; a field that is not finite is no critical point either."""
    one = jnp.ones(4)
    empty = go.find_critical_points(
        go.game_from_losses(lambda x, y: x, lambda x, y: y**2 / 2), go.Players(one, one)
    )
    assert empty.counts.shape == (0,)
    log = go.game_from_losses(lambda x, y: jnp.log(x), lambda x, y: y**2 / 2)
    assert go.find_critical_points(log, go.Players(-one, one)).counts.shape == (0,)


def test_precision_is_kept():
    """float32 in, float32 out, under strict promotion."""
    starts = go.Players(jnp.ones(2, jnp.float32), jnp.ones(2, jnp.float32))
    found = go.find_critical_points(go.TOY_GAMES["forsaken"](), starts)
    assert found.players.x.dtype == jnp.float32
