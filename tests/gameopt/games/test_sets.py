"""Sets of a game: boxes, weight clipping, and the adapter for other people's loops."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.projections
import pytest

import gameopt as go
from tests.solvers import ALL_SOLVERS, SOLVER_CASES, EqualTerms, point


def test_box_is_the_nearest_point():
    """Entry by entry, integers and functions left alone."""
    strategy = {"w": jnp.array([-2.0, 0.3, 5.0]), "n": jnp.asarray(9), "f": jax.nn.relu}
    boxed = go.Box(-1.0, 1.0)(strategy)
    np.testing.assert_array_equal(boxed["w"], [-1.0, 0.3, 1.0])
    assert int(boxed["n"]) == 9
    assert boxed["f"] is jax.nn.relu


def test_an_empty_box_is_refused():
    """lower <= upper."""
    with pytest.raises(ValueError, match="lower <= upper"):
        go.clip_weights(-1.0)


@pytest.mark.parametrize("name", SOLVER_CASES)
def test_every_solver_stays_in_the_set_after_every_move(name):
    """The equilibrium (-1, 1) lies outside of |y| <= 0.2: y comes to the edge, never past it."""
    free = go.zero_sum_game(lambda x, y: 0.5 * x**2 + x * y - 0.5 * (y - 2) ** 2)
    game = EqualTerms(go.constrained(free, y=go.clip_weights(0.2)))
    path = go.rollout(
        game,
        ALL_SOLVERS[name](0.3),
        point(1.0, 0.0),
        60,
        key=jax.random.key(0),
        record=go.record_players,
    ).records
    assert jnp.max(jnp.abs(path.y)) <= 0.2
    # Averages and wrappers come to the edge from within.
    assert jnp.max(jnp.abs(path.y)) > 0.19


def test_stationarity_sees_the_set():
    """f = x - y^2 on x >= 0: the field never vanishes, the projected step at (0, 0) does."""
    game = go.constrained(go.zero_sum_game(lambda x, y: x - y**2), x=go.Box(0.0, jnp.inf))
    assert go.stationarity(game, point(0.0, 0.0)) == 0
    assert go.stationarity(game, point(0.5, 0.0)) == 0.5
    solution = go.solve(game, ALL_SOLVERS["alternating"](0.1), point(0.7, 0.4))
    np.testing.assert_allclose([solution.players.x, solution.players.y], 0, atol=1e-6)


def test_optax_projections_are_sets():
    """Rock-paper-scissors on simplices: the strategies stay mixed strategies."""
    payoff = jnp.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    simplex = optax.projections.projection_simplex
    game = go.constrained(go.Bilinear(payoff), x=simplex, y=simplex)
    start = point([0.6, 0.3, 0.1], [0.2, 0.2, 0.6])
    path = go.rollout(
        game, ALL_SOLVERS["alternating"](0.1), start, 50, record=go.record_players
    ).records
    np.testing.assert_allclose(jnp.sum(path.x, axis=1), 1, atol=1e-12)
    assert jnp.min(path.y) >= 0
    assert go.stationarity(game, point([1 / 3] * 3, [1 / 3] * 3)) < 1e-15


def test_projected_optimizer_lands_on_the_set():
    """p + update is the projection of the plain step, within one rounding."""
    optimizer = go.projected(optax.adam(0.5), go.Box(-1.0, 1.0))
    params = {"w": jnp.array([0.9, -0.9, 0.0])}
    gradient = {"w": jnp.array([-1.0, 1.0, 0.0])}
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    np.testing.assert_allclose(eqx.apply_updates(params, updates)["w"], [1, -1, 0], atol=1e-15)


def test_projected_optimizer_needs_the_parameters():
    """The error says how to call it."""
    optimizer = go.projected(optax.sgd(0.5), go.Box(-1.0, 1.0))
    params = {"w": jnp.array([0.9])}
    with pytest.raises(ValueError, match=r"optimizer\.update\(g, state, p\)"):
        optimizer.update(params, optimizer.init(params))


def test_another_limit_is_no_other_program():
    """The limit is an array leaf of the game."""
    traces = []

    def value(x, y):
        traces.append(1)
        return x * y

    base, solver = go.zero_sum_game(value), ALL_SOLVERS["alternating"](0.3)

    def end(limit):
        game = go.constrained(base, y=go.clip_weights(limit))
        return go.rollout(game, solver, point(1.0, 0.0), 5).players.y

    np.testing.assert_allclose(end(0.1), 0.1)
    count = len(traces)
    np.testing.assert_allclose(end(0.2), 0.2)
    assert len(traces) == count


@pytest.mark.parametrize("name", SOLVER_CASES)
def test_every_solver_plays_on_simplices_and_balls(name):
    """A mixed strategy against a vector in a ball: every iterate is in its set."""
    payoff = jnp.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    free = go.zero_sum_game(
        lambda x, y: x @ payoff @ y + 0.1 * jnp.sum(x**2) - 0.1 * jnp.sum((y - 1) ** 2)
    )
    game = EqualTerms(go.constrained(free, x=go.Simplex(), y=go.Ball(0.5)))
    start = point([0.6, 0.3, 0.1], [0.2, 0.2, 0.3])
    path = go.rollout(
        game, ALL_SOLVERS[name](0.2), start, 20, key=jax.random.key(0), record=go.record_players
    ).records
    np.testing.assert_allclose(jnp.sum(path.x, axis=1), 1, atol=1e-9)
    assert jnp.min(path.x) >= -1e-12
    assert jnp.max(jnp.linalg.norm(path.y, axis=1)) <= 0.5 + 1e-12


@pytest.mark.parametrize(
    ("norm", "expected"),
    [("l2", [0.6, 0.8, 0.0]), ("linf", [1.0, 1.0, 0.0]), ("l1", [0.0, 1.0, 0.0])],
)
def test_balls_are_nearest_points(norm, expected):
    """Of (3, 4, 0) in the unit ball; what is not played is carried along, and dtypes are kept."""
    strategy = {"w": jnp.array([3.0, 4.0, 0.0], jnp.float32), "n": jnp.asarray(9), "f": jax.nn.relu}
    moved = go.Ball(1.0, norm)(strategy)
    np.testing.assert_allclose(moved["w"], expected, atol=1e-6)
    assert moved["w"].dtype == jnp.float32
    assert moved["f"] is jax.nn.relu
    with pytest.raises(ValueError, match="radius of at least 0"):
        go.Ball(-1.0)
