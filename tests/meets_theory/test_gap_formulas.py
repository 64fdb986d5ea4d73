"""Exact gaps against formulas and best answers written out; searches reach them from below."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.solvers import point

SGD = optax.sgd(0.2)
seeds = st.integers(0, 2**31 - 1)


@hyp.given(mu=st.floats(0.1, 5.0), s=st.floats(-5.0, 5.0), seed=seeds)
def test_the_gap_of_the_damped_bilinear_game(mu, s, seed):
    """V = mu/2 |x|^2 + s xy - mu/2 |y|^2: (mu + s^2 / mu)(|x|^2 + |y|^2) / 2."""
    eye = np.eye(3)
    at = point(*np.random.default_rng(seed).normal(size=(2, 3)))
    found = go.duality_gap(go.ZeroSumQuadratic(mu * eye, s * eye, -mu * eye), at)
    square = float(go.tree_norm(at)) ** 2
    np.testing.assert_allclose(found.total, (mu + s**2 / mu) * square / 2, rtol=1e-11)
    assert found.exact
    assert found.answers is None


def convex(rng, n):
    """A matrix, not symmetric, whose symmetric part is positive definite."""
    half = rng.normal(size=(n, n))
    skew = rng.normal(size=(n, n))
    return half @ half.T / n + 0.3 * np.eye(n) + skew - skew.T


@pytest.mark.parametrize("seed", range(4))
def test_quadratic_games_against_best_answers_written_out(seed):
    """x' = -A^-1 (By + a), y' = -D^-1 (Cx + d) with the symmetric parts; a search nears the gap
    from below."""
    rng = np.random.default_rng(seed)
    a, d = convex(rng, 3), convex(rng, 2)
    b, c, linear = rng.normal(size=(3, 2)), rng.normal(size=(2, 3)), rng.normal(size=5)
    game = go.Quadratic(a, b, c, d, linear_x=linear[:3], linear_y=linear[3:])
    at = point(rng.normal(size=3), rng.normal(size=2))
    sym = lambda block: (block + block.T) / 2
    best = point(
        -np.linalg.solve(sym(a), b @ at.y + linear[:3]),
        -np.linalg.solve(sym(d), c @ at.x + linear[3:]),
    )
    here = game.losses(at)
    gain_x = here.x - game.losses(go.Players(best.x, at.y)).x
    gain_y = here.y - game.losses(go.Players(at.x, best.y)).y
    found = go.exploitability(game, at, method="exact")
    np.testing.assert_allclose([found.gains.x, found.gains.y], [gain_x, gain_y], rtol=1e-10)
    np.testing.assert_allclose(found.total, gain_x + gain_y, rtol=1e-10)
    searched = go.exploitability(game, at, optimizer=SGD, steps=500, method="ascent")
    assert not searched.exact
    assert searched.total <= found.total * (1 + 1e-12)
    np.testing.assert_allclose(searched.total, found.total, rtol=1e-8)
    np.testing.assert_allclose(searched.answers.x, best.x, rtol=1e-4)


def test_equilibria_have_no_gap():
    """Zero to rounding at the equilibria of quadratic, bilinear and matrix games."""
    rng = np.random.default_rng(0)
    games = [
        go.ZeroSumQuadratic(
            np.eye(2), rng.normal(size=(2, 2)), -np.eye(2), linear_x=rng.normal(size=2)
        ),
        go.Bilinear(rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)),
        go.Bilinear(2.0, 1.0, -3.0),
        go.MatrixGame(rng.normal(size=(3, 4))),
    ]
    for game in games:
        (equilibrium,) = game.equilibria()
        found = go.duality_gap(game, equilibrium)
        assert 0 <= found.total < 1e-12


@pytest.mark.parametrize("shape", [(), (1, 1), (2, 3)])
def test_a_bilinear_game_is_unbounded_wherever_it_is_not_at_rest(shape):
    """x gains without end unless My = 0, y unless M'x = 0: each by itself."""
    game = go.Bilinear(np.ones(shape) if shape else 1.0)
    one, zero = (lambda k: jnp.ones(shape[k : k + 1])), (lambda k: jnp.zeros(shape[k : k + 1]))
    found = go.duality_gap(game, point(zero(0), one(1)))
    assert (found.gains.x, found.gains.y) == (jnp.inf, 0)
    found = go.duality_gap(game, point(one(0), zero(1)))
    assert (found.gains.x, found.gains.y) == (0, jnp.inf)
    assert found.total == jnp.inf
    searched = go.duality_gap(game, point(one(0), zero(1)), method="ascent", steps=10)
    assert 0 < searched.total < jnp.inf


def test_flat_and_concave_directions():
    """A = diag(2, 0): finite where nothing slopes along the flat one; A = diag(2, -1): never."""
    none = np.zeros((2, 1))
    game = lambda curvature, slope: go.Quadratic(
        np.diag([2.0, curvature]), none, none.T, np.eye(1), linear_x=np.array([0.0, slope])
    )
    at = point([3.0, 5.0], [0.0])
    gain = lambda *args: float(go.exploitability(game(*args), at).gains.x)
    np.testing.assert_allclose(gain(0.0, 0.0), 9.0, rtol=1e-12)
    assert gain(0.0, 1.0) == np.inf
    assert gain(-1.0, 0.0) == np.inf
    # Even at the one stationary point of a concave direction.
    assert go.exploitability(game(-1.0, 0.0), point([0.0, 0.0], [0.0])).gains.x == jnp.inf


@pytest.mark.parametrize("parametrization", ["simplex", "softmax"])
def test_matrix_games_are_exact_under_vmap(parametrization):
    """The exploitability that the game knows; on logits the search nears it from below."""
    rng = np.random.default_rng(1)
    game = go.MatrixGame(rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), parametrization)
    logits = point(rng.normal(size=(4, 3)), rng.normal(size=(4, 2)))
    batch = logits
    if parametrization == "simplex":
        batch = jax.tree.map(lambda leaf: jax.nn.softmax(leaf, axis=-1), logits)
    found = jax.vmap(lambda players: go.exploitability(game, players))(batch)
    np.testing.assert_allclose(found.total, jax.vmap(game.exploitability)(batch), atol=1e-12)
    first = jax.tree.map(lambda leaf: leaf[0], batch)
    searched = go.exploitability(game, first, optimizer=SGD, steps=3000, method="ascent")
    assert searched.total <= found.total[0] + 1e-12
    np.testing.assert_allclose(searched.total, found.total[0], rtol=0.02)
