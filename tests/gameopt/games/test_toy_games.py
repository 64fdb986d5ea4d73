"""Toy games: every critical point found again, and every verdict recomputed from derivatives."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from tests.solvers import point

ALL = sorted(go.TOY_GAMES)
LINES = {"ratliff": jnp.array([1.0, 1.0]), "tandem": jnp.array([1.0, -1.0])}
"""Games whose critical points fill a line, and the line's direction."""
ISOLATED = [name for name in ALL if name not in LINES]
BOX = {"mazumdar_fiez": 20.0, "wang_g3": 20.0}
"""Half the width of the box that is searched, 4 where nothing is said."""

coordinates = st.floats(-2.0, 2.0)


def field_of(game):
    """xi as a function of vectors of shape (2,)."""

    def xi(z):
        gradient = go.field(game, go.Players(z[0], z[1]))
        return jnp.stack([gradient.x, gradient.y])

    return xi


def grid_of_starts(width, side=81):
    """side x side points of the box, none of them on a symmetry axis."""
    ticks = np.linspace(-width, width, side) + 0.0137
    xs, ys = (axis.ravel() for axis in np.meshgrid(ticks, ticks))
    return go.Players(jnp.asarray(xs), jnp.asarray(ys))


def verdicts(game, players):
    """(nash, minimax, attractor) from the Jacobian and the players' own Hessians."""
    jacobian = np.asarray(go.jacobian(game, players))
    h_xx, h_yy = float(go.hessian_x(game, players)[0, 0]), float(go.hessian_y(game, players)[0, 0])
    minimax = None
    if isinstance(game, go.ZeroSumGame):
        v_yy, v_xy = -h_yy, jacobian[0, 1]
        minimax = v_yy < 0 and h_xx - v_xy * v_xy / v_yy > 0
    # An eigenvalue of a line of equilibria is zero up to rounding.
    attractor = np.linalg.eigvals(jacobian).real.min() > 1e-12
    return h_xx > 0 and h_yy > 0, minimax, attractor


@pytest.mark.parametrize("name", ISOLATED)
def test_the_critical_points_are_all_there_are(name):
    """Newton's method from 6561 starts finds the carried ones and no other."""
    game = go.TOY_GAMES[name]()
    carried = np.array([[p.players.x, p.players.y] for p in game.critical_points()])
    width = BOX.get(name, 4.0)
    points = go.find_critical_points(game, grid_of_starts(width), tol=1e-11, reach=width)
    found = np.stack([points.players.x, points.players.y], axis=1)
    assert len(found) == len(carried)
    gaps = np.linalg.norm(found[:, None] - carried[None], axis=-1)
    assert gaps.min(axis=0).max() < 1e-10


@pytest.mark.parametrize("name", ALL)
def test_critical_points_are_stationary_to_the_last_digit(name):
    """||xi|| is the rounding error of a point: eps times ||J|| (1 + ||z||), thrice."""
    game = go.TOY_GAMES[name]()
    assert game.critical_points()
    for critical in game.critical_points():
        slope = np.linalg.norm(go.jacobian(game, critical.players), 2)
        size = 1 + go.tree_norm(critical.players)
        limit = 3 * np.finfo(np.float64).eps * slope * size
        assert go.stationarity(game, critical.players) <= limit


@pytest.mark.parametrize("name", ALL)
def test_the_published_verdicts_are_those_of_the_derivatives(name):
    """Nash by H_xx and H_yy, minimax by V_yy and its Schur complement, attractor by J."""
    game = go.TOY_GAMES[name]()
    for critical in game.critical_points():
        assert (critical.nash, critical.minimax, critical.attractor) == verdicts(
            game, critical.players
        )


@pytest.mark.parametrize("name", ALL)
def test_nash_equilibria_of_zero_sum_games_are_minimax_and_attract(name):
    """A differential Nash equilibrium of a zero-sum game is both; equilibria() has just these."""
    game = go.TOY_GAMES[name]()
    nash = [critical for critical in game.critical_points() if critical.nash]
    assert len(game.equilibria()) == len(nash)
    if isinstance(game, go.ZeroSumGame):
        assert all(critical.minimax and critical.attractor for critical in nash)


@pytest.mark.parametrize("name", ALL)
def test_a_toy_game_knows_its_name_and_is_made_twice_alike(name):
    """Two calls make the same treedef, hence one compiled program."""
    first, second = go.TOY_GAMES[name](), go.TOY_GAMES[name]()
    assert first.name == name
    assert first.source
    assert jax.tree.structure(first) == jax.tree.structure(second)
    assert hash(jax.tree.structure(first)) == hash(jax.tree.structure(second))


@pytest.mark.parametrize("name", sorted(LINES))
@hyp.given(along=coordinates)
@hyp.settings(max_examples=20)
def test_lines_of_equilibria(name, along):
    """xi = 0 on the line through the carried point, and J has rank one with the line as kernel."""
    game, direction = go.TOY_GAMES[name](), LINES[name]
    carried = game.critical_points()[0].players
    players = point(carried.x + along * direction[0], carried.y + along * direction[1])
    assert go.stationarity(game, players) < 1e-14
    jacobian = go.jacobian(game, players)
    np.testing.assert_allclose(jacobian @ direction, 0, atol=1e-15)
    assert np.linalg.matrix_rank(jacobian) == 1


@pytest.mark.parametrize("name", ALL)
def test_toy_games_keep_the_precision_of_their_strategies(name):
    """float32 in, float32 out, under strict promotion."""
    players = point(np.float32(0.3), np.float32(-0.2))
    losses, gradient = go.losses_and_field(go.TOY_GAMES[name](), players)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves((losses, gradient)))


@hyp.given(z=st.floats(-3.0, 3.0))
def test_no_deviation_from_the_globally_forsaken_equilibrium_pays(z):
    """psi(z) = z^2 (2 z^4 / 21 - z^2 / 3 + 1 / 3) >= 0: the quartic has discriminant -1 / 63."""
    game = go.TOY_GAMES["global_forsaken"]()
    assert game.losses(point(z, 0.0)).x >= 0
    assert game.losses(point(0.0, z)).y >= 0


GLOBAL_MINIMAX = {
    "jin_no_minimax": (1.0, 1.0, 1.0, lambda x: 1 + 2 * abs(x)),
    "jin_not_stationary": (2 * np.pi, np.pi, 1.0, None),
}
"""Half the height of the box, |y| at the global minimax points, the value, max_y V if known."""


@pytest.mark.parametrize("name", sorted(GLOBAL_MINIMAX))
def test_global_minimax_points_are_not_critical(name):
    """argmin_x max_y V on |x| <= 1 is x = 0, reached at +-y, where xi is not zero."""
    game, (height, y, value, best) = go.TOY_GAMES[name](), GLOBAL_MINIMAX[name]
    assert isinstance(game, go.ZeroSumGame)
    xs, ys = np.linspace(-1, 1, 41), np.linspace(-height, height, 801)
    over_y = jax.vmap(lambda x, y: game.value(go.Players(x, y)), in_axes=(None, 0))
    values = np.asarray(jax.vmap(over_y, in_axes=(0, None))(jnp.asarray(xs), jnp.asarray(ys)))
    worst = values.max(axis=1)
    assert xs[worst.argmin()] == 0
    np.testing.assert_allclose(worst.min(), value, atol=1e-12)
    np.testing.assert_allclose(np.sort(ys[values[20] > value - 1e-12]), [-y, y], atol=1e-12)
    assert go.stationarity(game, point(0.0, y)) > 0.5
    if best is not None:
        np.testing.assert_allclose(worst, [best(x) for x in xs], atol=1e-12)


def test_a_box_without_a_local_minimax_point():
    """y^2 - 2xy on [-1, 1]^2: near y = +-1 the best answer is the edge, and 1 -+ 2x has no minimum.

    Within, every maximum over y is on an edge, because V_yy = 2 > 0.
    """
    game, h = go.TOY_GAMES["jin_no_minimax"](), 1e-3
    assert isinstance(game, go.ZeroSumGame)
    for edge in (1.0, -1.0):
        answers = lambda x, edge=edge: max(
            float(game.value(point(x, edge * (1 - t)))) for t in np.linspace(0, h, 11)
        )
        assert answers(edge * h) < answers(0.0)
    assert go.hessian_y(game, point(0.3, 0.2)) == -2


def test_other_games_have_no_critical_points_to_show():
    """The default is empty, and a set takes the points away."""
    assert go.Bilinear(1.0).critical_points() == ()
    boxed = go.constrained(go.TOY_GAMES["adolphs"](), y=go.Box(-1.0, 1.0))
    assert boxed.critical_points() == ()
