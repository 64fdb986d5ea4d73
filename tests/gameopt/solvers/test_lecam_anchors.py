"""The anchors of a LeCam penalty, kept by a solver."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.solvers import sgd

KEYS = jax.random.split(jax.random.key(8), 3)
DATA = go.Samples(1 + jax.random.normal(KEYS[0], (40, 2)))


class Linear(eqx.Module):
    """The critic <w, x>, or the generator z + b."""

    vector: jax.Array
    shifts: bool = eqx.field(static=True, default=False)

    def __call__(self, point):
        return point + self.vector if self.shifts else self.vector @ point


def start(dtype=jnp.float64):
    x, y = jnp.zeros(2, dtype), jnp.array([1.0, -0.5], dtype)
    return go.Players(Linear(x, True), Linear(y))


def game(anchors=(0.2, -0.1), **fields):
    return go.WassersteinGAN(
        DATA, go.NormalLatent((2,)), 8, go.LeCamPenalty(0.3, anchors), **fields
    )


def test_anchors_are_averages_with_weights_that_add_up_to_one():
    """Against rounds by hand: each played with the anchors so far, the first with the game's own.

    The average of t scores weighs the newest by (1 - b)/(1 - b^t). 1e-12: sums of a few terms.
    """
    solver, b = go.Anchored(go.Simultaneous(sgd(0.1)), decay=0.7), 0.7
    inner = go.Simultaneous(sgd(0.1))
    players = by_hand = start()
    state, scores, anchors = solver.init(game(), players), [], (0.2, -0.1)
    for t in range(5):
        key = jax.random.fold_in(KEYS[1], t)
        players, state, info = solver.step(game(), players, state, key)
        now = game(anchors)
        by_hand, _, expected = inner.step(now, by_hand, inner.init(now, by_hand), key)
        chex.assert_trees_all_close(players, by_hand, rtol=1e-12)
        chex.assert_trees_all_close(info.losses, expected.losses, rtol=1e-12)
        batch = now.draw(key)
        points = batch.real, now.generate(by_hand, batch.latents)
        scores.append([float(np.mean(p @ by_hand.y.vector)) for p in points])
        weights = (1 - b) * b ** np.arange(t, -1.0, -1) / (1 - b ** (t + 1))
        np.testing.assert_allclose(weights.sum(), 1, rtol=1e-13)
        anchors = tuple(weights @ np.array(scores))
        kept = solver.anchored(game(), state)
        assert isinstance(kept, go.AbstractGAN)
        assert isinstance(kept.penalty, go.LeCamPenalty)
        np.testing.assert_allclose(kept.penalty.anchors, anchors, rtol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float32, marks=pytest.mark.slow)])
def test_it_nests_and_keeps_its_types(dtype):
    """In a scan, inside Lookahead and Averaged, of sums of penalties and of games on sets."""
    solver = go.Lookahead(go.Anchored(go.Alternating(sgd(0.05)), decay=0.9), steps=2)
    parts = go.Penalties((go.GradientPenalty(0.1), go.LeCamPenalty(0.3)))
    gan = go.WassersteinGAN(DATA, go.NormalLatent((2,)), 8, parts)
    on_set = go.constrained(gan, y=go.Box(-0.6, 0.9))
    players = start(dtype)
    cast = lambda leaf: leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf
    last = go.rollout(jax.tree.map(cast, on_set), solver, players, 3, key=KEYS[2])
    chex.assert_trees_all_equal_shapes_and_dtypes(last.players, players)
    assert float(last.players.y.vector.min()) >= -0.6
    averaged = go.Averaged(go.Anchored(go.Simultaneous(sgd(0.05))))
    assert averaged.no_single_rate
    assert go.Anchored(go.Simultaneous(sgd(0.05))).no_single_rate


def test_scanned_rounds_are_rounds_by_hand():
    """Four units in the last place a round."""
    solver, players = go.Anchored(go.Alternating(sgd(0.05))), start()
    last = go.rollout(game(), solver, players, 4, key=KEYS[2])
    state = solver.init(game(), players)
    for t in range(4):
        players, state, _ = solver.step(game(), players, state, jax.random.fold_in(KEYS[2], t))
    chex.assert_trees_all_close(last.players, players, rtol=1e-14)
    assert int(last.state.count) == 4


def test_the_anchors_are_of_what_the_critic_sees():
    """Of augmented points, and of conditional ones: scores of the loss and no others."""
    labels = jnp.arange(40) % 2
    conditioned = go.Samples(go.Conditioned(DATA.points, labels))
    augmented = go.WassersteinGAN(
        conditioned,
        go.NormalLatent((2,)),
        8,
        go.Penalties((go.LeCamPenalty(0.3),)),
        augment=lambda key, x: x + 100,
    )
    critic = lambda x, label: jnp.max(x)
    weight = jnp.ones(())
    players = go.Players(
        jax.tree_util.Partial(lambda w, z, c: w * z, weight),
        jax.tree_util.Partial(lambda w, x, c: w * critic(x, c), weight),
    )
    solver = go.Anchored(go.Simultaneous(go.Players(optax.sgd(0.0), optax.sgd(0.0))))
    _, state, _ = solver.step(augmented, players, solver.init(augmented, players), KEYS[1])
    kept = solver.anchored(augmented, state)
    assert isinstance(kept, go.AbstractGAN)
    assert isinstance(kept.penalty, go.Penalties)
    assert isinstance(kept.penalty.parts[0], go.LeCamPenalty)
    assert (kept.penalty.parts[0].anchors > 90).all()


def test_a_game_without_anchors_is_refused():
    """With the cure; a solver that keeps nothing would be a mistake that nobody sees."""
    plain = go.WassersteinGAN(DATA, go.NormalLatent((2,)), 8, go.GradientPenalty(1.0))
    with pytest.raises(ValueError, match="one GAN with a LeCamPenalty, and WassersteinGAN has 0"):
        go.Anchored(go.Simultaneous(sgd(0.1))).init(plain, start())
