"""A player of size 0 beside one that is played: refused where it would play, fine where frozen."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.gameopt import public
from tests.solvers import ALL_SOLVERS, RANDOM, EqualTerms, both

TOTAL = lambda strategy: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(strategy))
SQUARES = lambda strategy: sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(strategy))
VALUE = lambda x, y: SQUARES(x) + TOTAL(x) * TOTAL(y) - SQUARES(y)
GAME = go.zero_sum_game(VALUE)
GAMES = {
    "plain": GAME,
    "general": go.game_from_losses(VALUE, lambda x, y: -VALUE(x, y) + SQUARES(y)),
    "finite sum": EqualTerms(GAME),
    **{name: go.constrained(GAME, x=set_of, y=set_of) for name, set_of in public.SETS.items()},
}
EMPTY = {
    "a vector": lambda: jnp.zeros(0),
    "a matrix": lambda: jnp.zeros((3, 0)),
    "in single precision": lambda: jnp.zeros(0, jnp.float32),
    "a tree": lambda: {"w": jnp.zeros(0), "v": (jnp.zeros((0, 2)), jnp.zeros((2, 0, 3)))},
    "beside what is fixed": lambda: [jnp.zeros(0), go.Fixed(jnp.ones(2)), jnp.arange(3)],
}
MESSAGE = "has no floating-point JAX array to play but such of size 0"


def pairs(kind):
    """Such a player beside one of two entries, on either side, and two of them."""
    yield "x", go.Players(EMPTY[kind](), jnp.ones(2))
    yield "y", go.Players(jnp.ones(2), EMPTY[kind]())
    yield "x", go.Players(EMPTY[kind](), EMPTY[kind]())


def refused(name, function, *arguments):
    with pytest.raises(ValueError, match=rf"players\.{name} {MESSAGE}"):
        function(*arguments)


@pytest.mark.parametrize("kind", sorted(EMPTY))
@pytest.mark.parametrize("name", sorted(public.ANALYSES))
def test_every_analysis_of_every_game_refuses_it(name, kind):
    """In one line that says which player and what to do, and nothing is computed."""
    for kind_of_game, game in GAMES.items():
        if name == "duality_gap" and kind_of_game == "general":
            continue
        for player, players in pairs(kind):
            refused(player, public.ANALYSES[name], game, players, None)


SGD = go.Simultaneous(both(optax.sgd, 0.1))
ANY: Any = ("jacobian", "symmetric", "antisymmetric", "schur_x", "schur_y")
METHODS = [
    lambda game, z, method: go.classify(game, z, method=method),
    lambda game, z, method: go.local_rate(game, SGD, z, method=method),
    lambda game, z, method: go.rotation(game, z, method=method),
    *(
        lambda game, z, method, which=which: go.spectrum(game, z, which=which, method=method)
        for which in ANY
    ),
]


@pytest.mark.parametrize("method", ["auto", "dense", "krylov"])
def test_by_every_method(method):
    """Of the analyses that have several."""
    for analyse in METHODS:
        for player, players in pairs("a tree"):
            refused(player, analyse, GAME, players, method)


@pytest.mark.parametrize("name", sorted(ALL_SOLVERS))
def test_every_solver_refuses_it(name):
    """In its own `init`, and in both loops."""
    solver = ALL_SOLVERS[name](0.1)
    game = EqualTerms(GAME) if name in RANDOM else GAME
    for kind in EMPTY:
        for player, players in pairs(kind):
            refused(player, solver.init, game, players, None)
            refused(player, go.rollout, game, solver, players, 3)
            refused(player, lambda z: go.solve(game, solver, z, max_rounds=3), players)


def test_one_player_games_refuse_it():
    """Their only player is x."""
    game = go.one_player_game(SQUARES)
    for make in EMPTY.values():
        players = go.Players(make(), None)
        refused("x", go.classify, game, players)
        refused("x", go.rollout, game, go.descent(optax.sgd(0.1)), players, 3)


def test_frozen_it_is_a_constant():
    """The other player descends, and its own Hessian is that of a game without the empty one."""
    players, sgd = go.Players(jnp.zeros(0), jnp.ones(2)), optax.sgd(0.1)
    solver = go.Simultaneous(go.Optimizers(None, sgd))
    end = go.rollout(GAME, solver, players, 3).players
    np.testing.assert_allclose(end.y, 0.8**3, rtol=1e-12)
    assert end.x.size == 0
    for method in ("dense", "krylov"):
        rate = go.local_rate(GAME, solver, players, method=method)
        np.testing.assert_allclose(rate.spectral_radius, 0.8, rtol=1e-9)
        spectrum = go.spectrum(GAME, players, which="hessian_y", method=method)
        np.testing.assert_allclose(spectrum.values.real[0], 2, rtol=1e-9)


@pytest.mark.parametrize("name", sorted(set(public.SETS) - {"Simplex"}))
def test_sets_keep_a_strategy_of_no_entries(name):
    """It is its own projection, inside of jit too."""
    for make in EMPTY.values():
        for project in (public.SETS[name], eqx.filter_jit(public.SETS[name])):
            assert eqx.tree_equal(project(make()), make())


def test_a_simplex_has_no_point_without_entries():
    """Frozen or not, and whether the set is called by itself or by the game."""
    for make in EMPTY.values():
        with pytest.raises(ValueError, match="Simplex needs a strategy with an entry"):
            go.Simplex()(make())
        with pytest.raises(ValueError, match="Simplex needs a strategy with an entry"):
            GAMES["Simplex"].project(go.Players(make(), jnp.ones(2)))
