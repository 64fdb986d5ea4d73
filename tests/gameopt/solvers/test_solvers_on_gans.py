"""Solvers on GANs: Equinox networks, float32, minibatches, penalties, one compiled round."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import gameopt as go
from models import mlp_critic, mlp_generator
from tests.solvers import ALL_SOLVERS

KEYS = jax.random.split(jax.random.key(0), 4)
NAMES = (
    "acgd",
    "alex_gda",
    "cgd",
    "consensus",
    "ema_of_x",
    "extra_adam",
    "follow_the_ridge",
    "follow_the_ridge_double",
    "lola",
    "lookahead_adam_reset",
    "lss",
    "ode_gan_rk4",
    "optimistic_adam_update",
    "proximal_point",
    "sga",
    "sos",
    "stackelberg",
    "unrolled",
)


def players():
    made = go.Players(
        mlp_generator(2, (2,), width=8, depth=1, bounded=False, key=KEYS[0]),
        mlp_critic((2,), width=8, depth=1, key=KEYS[1]),
    )
    narrow = lambda leaf: leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf
    return jax.tree.map(narrow, made)


QUICK = ("consensus", "extra_adam", "lookahead_adam_reset")
"""One of each kind; the others are left to the slow tests."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in NAMES]
)
def test_a_gan_is_a_game_like_any_other(name):
    """WGAN-GP, whose penalty makes it general-sum: three rounds stay finite and keep the networks'
    structure; the same key is the same play, another is another."""
    data = go.Samples(jax.random.normal(KEYS[2], (100, 2), jnp.float32))
    game = go.WassersteinGAN(data, go.NormalLatent((2,)), 8, go.GradientPenalty(1.0))
    solver, start = ALL_SOLVERS[name](1e-3), players()
    last = go.rollout(game, solver, start, 3, key=KEYS[3])
    chex.assert_trees_all_equal_structs(last.players, start)
    chex.assert_trees_all_equal_shapes_and_dtypes(go.playable(last.players), go.playable(start))
    assert all(
        bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(go.playable(last.players))
    )
    moved = lambda key: go.rollout(game, solver, start, 3, key=key).players.x.layers[0].weight
    assert bool((moved(KEYS[3]) == last.players.x.layers[0].weight).all())
    assert not bool((moved(KEYS[2]) == last.players.x.layers[0].weight).all())
