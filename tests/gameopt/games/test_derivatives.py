"""The field, its Jacobian and the own Hessians, against differences, blocks and each other."""

from typing import Literal

import equinox as eqx
import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from gameopt._games.base import replace
from tests.solvers import point

seeds = st.integers(0, 2**31 - 1)


def random_quadratic(seed, n=3, m=2):
    rng = np.random.default_rng(seed)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape))
    game = go.Quadratic(draw(n, n), draw(n, m), draw(m, n), draw(m, m), draw(n), draw(m))
    return game, go.Players(draw(n), draw(m))


@hyp.given(seed=seeds)
def test_jacobian_of_a_quadratic_game_is_its_blocks(seed):
    """J = [[sym A, B], [C, sym D]], and its diagonal blocks are the own Hessians."""
    game, players = random_quadratic(seed)
    sym = lambda a: (a + a.T) / 2
    blocks = jnp.block([[sym(game.xx), game.xy], [game.yx, sym(game.yy)]])
    np.testing.assert_allclose(go.jacobian(game, players), blocks, atol=1e-14)
    np.testing.assert_allclose(go.hessian_x(game, players), sym(game.xx), atol=1e-14)
    np.testing.assert_allclose(go.hessian_y(game, players), sym(game.yy), atol=1e-14)


@hyp.given(seed=seeds)
def test_field_of_a_zero_sum_quadratic_is_written_out(seed):
    """xi = (Ax + By + a, -(Dy + B'x + d)) for symmetric A, D."""
    rng = np.random.default_rng(seed)
    a, b, d = rng.normal(size=(3, 3)), rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
    a, d, la, ld = a + a.T, d + d.T, rng.normal(size=3), rng.normal(size=2)
    x, y = rng.normal(size=3), rng.normal(size=2)
    game = go.ZeroSumQuadratic(a, b, d, jnp.asarray(la), jnp.asarray(ld))
    losses, field = go.losses_and_field(game, point(x, y))
    np.testing.assert_allclose(field.x, a @ x + b @ y + la, atol=1e-13)
    np.testing.assert_allclose(field.y, -(d @ y + b.T @ x + ld), atol=1e-13)
    assert losses.x == -losses.y


GAMES = {
    "zero_sum": go.zero_sum_game(lambda x, y: jnp.sum(jnp.tanh(x)) * jnp.sum(y**3) + x[0] * y[0]),
    "general_sum": go.game_from_losses(
        lambda x, y: jnp.sum(x**2) * y[0] + jnp.sin(x[1] * y[1]),
        lambda x, y: jnp.sum(jnp.cos(y)) * x[0] + y[0] * y[1],
    ),
}


@pytest.mark.parametrize("name", sorted(GAMES))
def test_field_against_differences(name):
    """Central differences of each player's own loss, error of order h^2 = 1e-10."""
    game, players, h = GAMES[name], point([0.3, -0.8, 1.1], [0.5, 0.9]), 1e-5
    field = go.field(game, players)
    names: tuple[Literal["x", "y"], ...] = ("x", "y")
    for player in names:
        strategy = getattr(players, player)
        for i in range(strategy.size):
            shifted = [strategy.at[i].add(sign * h) for sign in (1, -1)]
            joints = [replace(players, player, moved) for moved in shifted]
            up, down = (getattr(game.losses(joint), player) for joint in joints)
            np.testing.assert_allclose(getattr(field, player)[i], (up - down) / (2 * h), atol=1e-8)


@pytest.mark.parametrize("name", sorted(GAMES))
def test_products_with_the_jacobian(name):
    """jvp is J v, vjp is J'w, and w'(Jv) = (J'w)'v."""
    game, players = GAMES[name], point([0.3, -0.8, 1.1], [0.5, 0.9])
    matrix = go.jacobian(game, players)
    v = point([0.1, 0.2, -0.4], [1.0, -0.6])
    flat = lambda p: jnp.concatenate([p.x, p.y])
    np.testing.assert_allclose(flat(go.jvp(game, players, v)), matrix @ flat(v), atol=1e-13)
    np.testing.assert_allclose(flat(go.vjp(game, players, v)), matrix.T @ flat(v), atol=1e-13)


def test_zero_sum_pays_one_forward_pass():
    """The value is traced once for both gradients, a pair of losses once for each."""
    calls = []

    def value(x, y):
        calls.append(1)
        return x * y

    go.field(go.zero_sum_game(value), point(1.0, 2.0))
    assert len(calls) == 1
    calls.clear()
    go.field(go.constrained(go.zero_sum_game(value), y=go.Box(-1.0, 1.0)), point(1.0, 2.0))
    assert len(calls) == 1, "a wrapped game pays no more"


def test_tangents_of_leaves_that_are_not_played_are_ignored():
    """An integer leaf has no tangent."""
    game = go.zero_sum_game(lambda x, y: x["a"] * y)
    players = go.Players({"a": jnp.asarray(1.0), "n": jnp.asarray(3)}, jnp.asarray(2.0))
    product = go.jvp(game, players, players)
    assert product.x["n"] is None
    assert product.x["a"] == 2.0
    assert product.y == -1.0


@hyp.given(seed=seeds, convex=st.booleans())
def test_quadratic_equilibria_are_nash_or_absent(seed, convex):
    """With positive definite own blocks the point is stationary; with a negative one, none."""
    game, _ = random_quadratic(seed)
    definite = lambda a: a @ a.T + jnp.eye(len(a))
    sign = 1.0 if convex else -1.0
    game = eqx.tree_at(lambda g: (g.xx, g.yy), game, (sign * definite(game.xx), definite(game.yy)))
    equilibria = game.equilibria()
    assert len(equilibria) == int(convex)
    for players in equilibria:
        # pinv solves to the condition of J, which a 5x5 normal matrix seldom lets pass 1e4.
        assert go.tree_norm(go.field(game, players)) < 1e-8 * (1 + go.tree_norm(players))


def test_zero_sum_quadratic_needs_convex_and_concave():
    """A saddle the right way round has an equilibrium, the wrong way round none."""
    one = jnp.eye(1)
    assert len(go.ZeroSumQuadratic(one, one, -one).equilibria()) == 1
    assert go.ZeroSumQuadratic(one, one, one).equilibria() == ()


def test_blocks_that_do_not_fit_are_refused():
    """The message names the block and the shape that fits."""
    with pytest.raises(ValueError, match=r"yx must be of shape \(2, 3\)"):
        go.Quadratic(jnp.eye(3), jnp.ones((3, 2)), jnp.ones((3, 2)), jnp.eye(2))


def test_a_loss_must_be_one_number():
    """A vector loss is refused by name, at the first gradient."""
    game = go.game_from_losses(lambda x, y: x * y, lambda x, y: jnp.sum(x * y))
    with pytest.raises(ValueError, match=r"losses\.x must be one real number.*\(2,\).*mean"):
        go.field(game, point([1.0, 2.0], [1.0, 2.0]))


def test_a_stochastic_game_asks_for_its_key():
    """The message says how; the same key is the same sample."""
    game = go.zero_sum_game(lambda x, y, key: x * y * jax.random.normal(key), stochastic=True)
    with pytest.raises(ValueError, match=r"stochastic.*key=jax\.random\.key\(0\)"):
        go.field(game, point(1.0, 1.0))
    key = jax.random.key(3)
    assert go.field(game, point(1.0, 1.0), key).x == go.field(game, point(1.0, 1.0), key).x
