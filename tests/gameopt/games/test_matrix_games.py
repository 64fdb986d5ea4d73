"""Matrix games: best answers, equilibria by linear programming, and the two parametrizations."""

import hypothesis as hyp
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from tests.solvers import ALL_SOLVERS, SOLVER_CASES, EqualTerms, point

NAMED = {"rock_paper_scissors": go.rock_paper_scissors, "matching_pennies": go.matching_pennies}
PARAMETRIZATIONS = ["simplex", "softmax"]

shapes = st.tuples(st.integers(1, 4), st.integers(1, 5))
matrices = shapes.flatmap(lambda s: hnp.arrays(np.float64, s, elements=st.floats(-3, 3, width=16)))


def random_strategies(shape, seed=0):
    """A joint mixed strategy with every action in it."""
    draw = np.random.default_rng(seed)
    return point(*(draw.dirichlet(np.ones(size)) for size in shape))


@hyp.given(matrix=matrices)
def test_linear_programming_finds_a_saddle_point(matrix):
    """max_j (A'p)_j = min_i (Aq)_i = p'Aq at the equilibrium: von Neumann's theorem."""
    game = go.MatrixGame(matrix)
    (players,) = game.equilibria()
    p, q = np.asarray(players.x), np.asarray(players.y)
    value = float(game.losses(players).x)
    np.testing.assert_allclose((matrix.T @ p).max(), value, atol=1e-9)
    np.testing.assert_allclose((matrix @ q).min(), value, atol=1e-9)
    np.testing.assert_allclose([p.sum(), q.sum()], 1, atol=1e-12)
    assert min(p.min(), q.min()) >= 0
    assert go.stationarity(game, players) < 1e-8


@hyp.given(matrix=matrices, seed=st.integers(0, 1000))
def test_exploitability_of_a_zero_sum_game_is_its_duality_gap(matrix, seed):
    """max_j (A'p)_j - min_i (Aq)_i, which is never below zero."""
    players = random_strategies(matrix.shape, seed)
    gap = np.max(matrix.T @ players.x) - np.min(matrix @ players.y)
    found = go.MatrixGame(matrix).exploitability(players)
    np.testing.assert_allclose(found, gap, atol=1e-12)
    assert found >= -1e-12


@hyp.given(matrix=matrices, seed=st.integers(0, 1000))
def test_the_second_loss_left_out_is_minus_the_first(matrix, seed):
    """B = None and B = -A have the same losses, field and exploitability."""
    players = random_strategies(matrix.shape, seed)
    left_out, written = go.MatrixGame(matrix), go.MatrixGame(matrix, -matrix)
    for one, other in zip(
        jax.tree.leaves(go.losses_and_field(left_out, players)),
        jax.tree.leaves(go.losses_and_field(written, players)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-13)
    np.testing.assert_allclose(
        left_out.exploitability(players), written.exploitability(players), atol=1e-12
    )


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("name", sorted(NAMED))
def test_named_games_have_their_uniform_equilibrium(name, parametrization):
    """All actions alike, value zero, nothing to gain, and nowhere to go."""
    game = NAMED[name](parametrization)
    (players,) = game.equilibria()
    mixed = game.strategies(players)
    n = game.loss_x.shape[0]
    np.testing.assert_allclose(mixed.x, np.full(n, 1 / n), atol=1e-12)
    np.testing.assert_allclose(mixed.y, np.full(n, 1 / n), atol=1e-12)
    np.testing.assert_allclose(game.losses(players).x, 0, atol=1e-12)
    np.testing.assert_allclose(game.exploitability(players), 0, atol=1e-12)
    assert go.stationarity(game, players) < 1e-12


def test_paper_beats_rock():
    """Rock, paper, scissors: what comes next costs 1, and matching pennies are won by matching."""
    pure = jnp.eye(3)
    loss = lambda i, j: go.rock_paper_scissors().losses(go.Players(pure[i], pure[j])).x
    for i in range(3):
        assert (loss(i, i), loss(i, (i + 1) % 3), loss((i + 1) % 3, i)) == (0, 1, -1)
    assert go.matching_pennies().losses(point([1.0, 0.0], [1.0, 0.0])).x == -1


def test_prisoners_dilemma_is_exploitable_unless_both_defect():
    """General-sum: from cooperation each gains 1 by defecting, from defection none gains."""
    loss_x = np.array([[1.0, 3.0], [0.0, 2.0]])
    game = go.MatrixGame(loss_x, loss_x.T)
    assert game.exploitability(point([1.0, 0.0], [1.0, 0.0])) == 2
    assert game.exploitability(point([0.0, 1.0], [0.0, 1.0])) == 0
    assert game.equilibria() == ()


def test_an_equilibrium_that_leaves_actions_out_has_no_logits():
    """A dominated action has probability zero: a simplex has the point, logits do not."""
    matrix = np.array([[0.0, 1.0], [2.0, 3.0]])
    (players,) = go.MatrixGame(matrix).equilibria()
    np.testing.assert_allclose(players.x, [1, 0], atol=1e-12)
    np.testing.assert_allclose(players.y, [0, 1], atol=1e-12)
    assert go.MatrixGame(matrix, parametrization="softmax").equilibria() == ()


def test_both_parametrizations_are_one_game():
    """Logits log p lose what p loses, and their gradient is (diag p - pp') times that of p."""
    matrix = np.random.default_rng(1).normal(size=(3, 4))
    mixed = random_strategies((3, 4))
    logits = jax.tree.map(jnp.log, mixed)
    plain, soft = go.MatrixGame(matrix), go.MatrixGame(matrix, parametrization="softmax")
    np.testing.assert_allclose(soft.losses(logits).x, plain.losses(mixed).x, rtol=1e-13)
    np.testing.assert_allclose(soft.exploitability(logits), plain.exploitability(mixed), rtol=1e-13)
    chain = jnp.diag(mixed.x) - jnp.outer(mixed.x, mixed.x)
    np.testing.assert_allclose(
        go.field(soft, logits).x, chain @ go.field(plain, mixed).x, rtol=1e-12
    )


@pytest.mark.parametrize("name", SOLVER_CASES)
def test_play_stays_on_the_simplex(name):
    """Probabilities after every round, from a start that is none."""
    game, start = EqualTerms(go.rock_paper_scissors()), point([2.0, 0.0, -1.0], [0.2, 0.2, 0.6])
    path = go.rollout(
        game, ALL_SOLVERS[name](0.3), start, 40, key=jax.random.key(0), record=go.record_players
    ).records
    for strategies in (path.x, path.y):
        np.testing.assert_allclose(jnp.sum(strategies, axis=1), 1, atol=1e-12)
        assert jnp.min(strategies) >= 0


def test_logits_are_played_without_a_set():
    """project is the identity."""
    players = point([5.0, -7.0], [0.0, 2.0])
    moved = go.matching_pennies("softmax").project(players)
    np.testing.assert_array_equal(moved.x, players.x)


def test_exploitability_is_a_metric():
    """Recorded beside the losses."""
    game, players = go.matching_pennies(), point([0.5, 0.5], [1.0, 0.0])
    assert game.metrics(players)["exploitability"] == 1


def test_matrices_that_do_not_fit_are_refused():
    """A vector, and two matrices of different shapes."""
    with pytest.raises(ValueError, match="loss_x must be a matrix"):
        go.MatrixGame(np.ones(3))
    with pytest.raises(ValueError, match="must be of the shape of loss_x"):
        go.MatrixGame(np.eye(2), np.eye(3))
