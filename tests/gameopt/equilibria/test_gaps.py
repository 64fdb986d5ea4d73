"""Gaps: closed forms, lower bounds that only rise, sets, and searches that break down."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.solvers import point

SGD = optax.sgd(0.1)
BOX = go.constrained(
    go.Bilinear(np.array([[1.0, -2.0], [0.5, 3.0]])), x=go.Box(-1.0, 1.0), y=go.Box(-1.0, 1.0)
)


def test_on_a_box_the_best_answers_are_corners():
    """max_y' V(x, y') = |M'x|_1 and min_x' V(x', y) = -|My|_1, which the search reaches."""
    x, y = np.array([0.3, -0.7]), np.array([0.9, 0.2])
    matrix = np.array([[1.0, -2.0], [0.5, 3.0]])
    found = go.duality_gap(BOX, point(x, y), optimizer=SGD, steps=400)
    exact = np.abs(matrix.T @ x).sum() + np.abs(matrix @ y).sum()
    np.testing.assert_allclose(found.total, exact, rtol=1e-12)
    assert not found.exact
    np.testing.assert_allclose(found.answers.x, -np.sign(matrix @ y), rtol=1e-12)
    np.testing.assert_allclose(found.answers.y, np.sign(matrix.T @ x), rtol=1e-12)


def test_a_point_off_the_sets_is_judged_at_the_nearest_one_on_them():
    """Outside of the box, and off the simplex, where the closed form would go below zero."""
    outside, corner = point([2.0, 0.5], [-3.0, 0.1]), point([1.0, 0.5], [-1.0, 0.1])
    search = lambda at: go.exploitability(BOX, at, optimizer=SGD, steps=50).total
    assert search(outside) == search(corner)
    game = go.rock_paper_scissors()
    off = point([2.0, 1.0, 1.0], [0.0, 0.0, 1.0])
    assert go.duality_gap(game, off).total == game.exploitability(game.project(off))


@pytest.mark.parametrize("eta", [0.05, 0.6, 3.0])
def test_more_budget_never_gains_less(eta):
    """Also with steps so long that the search runs away: what was seen is kept."""
    game, start = go.TOY_GAMES["forsaken"](), point(0.7, -0.4)
    optimizer = optax.sgd(eta)
    gaps = [
        float(go.duality_gap(game, start, optimizer=optimizer, steps=steps).total)
        for steps in (0, 1, 2, 5, 40)
    ]
    assert gaps[0] == 0
    assert np.all(np.diff(gaps) >= 0)
    assert np.isfinite(gaps).all()
    assert gaps[-1] > 0 or eta == 3.0


def test_answers_gain_what_is_said():
    """L_x(x', y) = L_x(x, y) - gain, and so for y, in a general-sum game."""
    game, at = go.TOY_GAMES["tandem"](), point(0.3, 0.2)
    found = go.exploitability(game, at, steps=300)
    losses = game.losses(at)
    answered_x = game.losses(go.Players(found.answers.x, at.y)).x
    answered_y = game.losses(go.Players(at.x, found.answers.y)).y
    np.testing.assert_allclose(losses.x - answered_x, found.gains.x, rtol=1e-12)
    np.testing.assert_allclose(losses.y - answered_y, found.gains.y, rtol=1e-12)
    # L_x = (x + y)^2 - 2x is least at x = 1 - y, L_y at y = 1 - x.
    np.testing.assert_allclose(found.total, 2 * (0.3 + 0.2 - 1) ** 2, rtol=1e-3)
    assert found.total <= 2 * (0.3 + 0.2 - 1) ** 2


def test_a_search_that_leaves_the_domain_stops_and_says_so():
    """L_x = x - log x: a step too long ends where there is no logarithm; what was gained stays."""
    game = go.game_from_losses(lambda x, y: x - jnp.log(x) + 0 * y, lambda x, y: y**2 + 0 * x)
    found = go.exploitability(game, point(3.0, 1.0), optimizer=optax.sgd(10.0), steps=20)
    assert (bool(found.nonfinite.x), float(found.gains.x)) == (True, 0)
    careful = go.exploitability(game, point(3.0, 1.0), optimizer=optax.sgd(0.1), steps=200)
    assert not careful.nonfinite.x
    np.testing.assert_allclose(careful.gains.x, 3 - np.log(3) - 1, rtol=1e-6)
    np.testing.assert_allclose(careful.gains.y, 1, rtol=1e-6)


def test_a_loss_without_bound_is_an_infinite_gain():
    """-x^4 overflows to minus infinity in a few steps; the other player's gain is as it was."""
    game = go.game_from_losses(lambda x, y: -(x**4) + 0 * y, lambda x, y: y**2 + 0 * x)
    found = go.exploitability(game, point(1.0, 1.0), optimizer=SGD, steps=200)
    assert found.gains.x == jnp.inf
    assert found.nonfinite.x
    np.testing.assert_allclose(found.gains.y, 1, rtol=1e-6)


@pytest.mark.parametrize("steps", [0, 3])
def test_where_there_is_no_loss_there_is_no_bound(steps):
    """A start of nan: infinite and flagged, never nan; also by a closed form."""
    game = go.zero_sum_game(lambda x, y: jnp.log(x) * y)
    found = go.duality_gap(game, point(-1.0, 1.0), steps=steps)
    assert found.total == jnp.inf
    assert found.nonfinite.x
    assert found.nonfinite.y
    quadratic = go.ZeroSumQuadratic(np.eye(1), np.eye(1), -np.eye(1))
    assert go.duality_gap(quadratic, point([jnp.nan], [1.0])).total == jnp.inf


def test_one_sample_is_answered_and_the_game_itself_by_over():
    """E min <= min E: a minibatch is exploited for more than the mean of all of them."""
    rng = np.random.default_rng(0)
    noisy = go.StochasticBilinear(
        rng.normal(size=(8, 2, 2)), rng.normal(size=(8, 2)), rng.normal(size=(8, 2))
    )
    on_box = lambda game: go.constrained(game, x=go.Box(-1, 1), y=go.Box(-1, 1))
    at, options = point([0.1, 0.2], [-0.3, 0.1]), {"optimizer": SGD, "steps": 200}
    keys = jax.random.split(jax.random.key(0), 8)
    singles = [go.duality_gap(on_box(noisy), at, key, **options).total for key in keys]
    whole = go.duality_gap(on_box(go.over(noisy, keys)), at, **options).total
    assert float(whole) <= np.mean(singles) + 1e-9


def test_under_vmap_and_with_an_optimizer_each():
    """A batch of points; the second player moves ten times as fast."""
    optimizers = go.Players(optax.sgd(0.01), optax.sgd(0.1))
    game, batch = go.TOY_GAMES["tandem"](), point(jnp.arange(3.0), -jnp.ones(3))
    one = lambda players: go.exploitability(game, players, optimizer=optimizers, steps=5)
    many = jax.vmap(one)(batch)
    for i in range(3):
        single = one(jax.tree.map(lambda leaf, i=i: leaf[i], batch))
        np.testing.assert_allclose(many.gains.x[i], single.gains.x, rtol=1e-12)
        np.testing.assert_allclose(many.gains.y[i], single.gains.y, rtol=1e-12)


def test_one_program_for_all_points_and_all_data():
    """Another point, and other data of the game, are not compiled again."""
    traces = []

    def value(scale, x, y):
        traces.append(1)
        return scale * x * y

    game = lambda scale: go.zero_sum_game(jax.tree_util.Partial(value, jnp.asarray(scale)))
    go.duality_gap(game(1.0), point(1.0, 1.0), optimizer=SGD, steps=3)
    before = len(traces)
    go.duality_gap(game(2.0), point(-1.0, 0.5), optimizer=SGD, steps=3)
    assert len(traces) == before


def test_what_has_no_gap_is_refused():
    """General-sum games, closed forms that are not, and budgets below zero."""
    general = go.Quadratic(np.eye(1), np.eye(1), np.eye(1), np.eye(1))
    at = point([1.0], [1.0])
    with pytest.raises(ValueError, match=r"Quadratic does not say .* take the exploitability"):
        go.duality_gap(general, at)
    with pytest.raises(ValueError, match="no best_answer_gains in closed form"):
        go.duality_gap(BOX, point([0.0, 0.0], [0.0, 0.0]), method="exact")
    with pytest.raises(ValueError, match="steps must be >= 0"):
        go.exploitability(general, at, steps=-1)
