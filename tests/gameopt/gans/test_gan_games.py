"""GAN losses and GAN games: their names, their stability, and what one key stands for."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from models import mlp_critic, mlp_generator

GANS = {
    "minimax": go.MinimaxGAN,
    "non_saturating": go.NonSaturatingGAN,
    "least_squares": go.LeastSquaresGAN,
    "hinge": go.HingeGAN,
    "wgan": go.WassersteinGAN,
    "relativistic": go.RelativisticGAN,
    "relativistic_average": go.RelativisticAverageGAN,
}
each_gan = pytest.mark.parametrize("name", sorted(GANS))
logits = pytest.mark.parametrize("logit", [-800.0, -50.0, -1.0, 0.0, 1.0, 50.0, 800.0])


def make(name, penalty=None, batch_size=16):
    keys = jax.random.split(jax.random.key(0), 3)
    data = jax.random.normal(keys[0], (50, 3, 2))
    game = GANS[name](go.Samples(data), go.NormalLatent((4,)), batch_size, penalty)
    players = go.Players(
        mlp_generator(4, (3, 2), width=8, depth=1, key=keys[1]),
        mlp_critic((3, 2), width=8, depth=2, activation=jnp.tanh, key=keys[2]),
    )
    return game, players


@logits
def test_losses_and_gradients_are_exact_for_logits_of_any_size(logit):
    """Against log1p and exp in extended precision (numpy's longdouble)."""
    at = jnp.array([logit])
    wide = np.longdouble(logit)
    log_sigmoid = lambda t: min(t, np.longdouble(0)) - np.log1p(np.exp(-abs(t)))
    sigmoid, complement = 1 / (1 + np.exp(-wide)), 1 / (1 + np.exp(wide))
    np.testing.assert_allclose(
        go.minimax_value(at, at), float(log_sigmoid(wide) + log_sigmoid(-wide)), rtol=1e-14
    )
    np.testing.assert_allclose(
        go.non_saturating_generator_loss(at), float(-log_sigmoid(wide)), rtol=1e-14, atol=1e-300
    )
    gradient = jax.grad(go.non_saturating_generator_loss)(at)[0]
    np.testing.assert_allclose(gradient, -float(complement), rtol=1e-13, atol=1e-300)
    gradient = jax.grad(go.minimax_value, argnums=1)(at, at)[0]
    np.testing.assert_allclose(gradient, float(-sigmoid), rtol=1e-13, atol=1e-300)


def test_minimax_saturates_where_the_discriminator_wins_and_non_saturating_does_not():
    """At a fake logit of -50 the gradients are -exp(-50) and -1."""
    at = jnp.array([-50.0])
    minimax = jax.grad(go.minimax_value, argnums=1)(at, at)[0]
    assert -1e-20 < minimax < 0
    assert jax.grad(go.non_saturating_generator_loss)(at)[0] == -1.0


def test_the_names_mean_what_they_say():
    """Minimax and Wasserstein are zero-sum, non-saturating is not; a penalty ends zero-sum."""
    key = jax.random.key(1)
    for name in GANS:
        zero_sum = name in ("minimax", "wgan")
        game, players = make(name)
        losses = game.losses(players, key)
        assert bool(losses.x == -losses.y) == zero_sum
    game, players = make("wgan", go.GradientPenalty(10.0))
    losses, metrics = game.losses(players, key), game.metrics(players, key)
    np.testing.assert_allclose(losses.x, metrics["wasserstein_estimate"], rtol=1e-13)
    np.testing.assert_allclose(
        losses.y, metrics["penalty"] - metrics["wasserstein_estimate"], rtol=1e-13
    )
    assert metrics["penalty"] > 0


@each_gan
@pytest.mark.parametrize("penalized", [False, True])
def test_the_fast_field_is_the_field(name, penalized):
    """One backward pass and shared draws against the gradient of each loss by itself."""
    game, players = make(name, go.GradientPenalty(2.0) if penalized else None)
    key = jax.random.key(2)
    losses, field = game.losses_and_field(players, key)
    chex.assert_trees_all_close(losses, game.losses(players, key), rtol=1e-12)
    for player in ("x", "y"):

        def loss(strategy, player=player):
            joint = eqx.tree_at(lambda p: getattr(p, player), players, strategy)
            return getattr(game.losses(joint, key), player)

        expected = eqx.filter_grad(loss)(getattr(players, player))
        chex.assert_trees_all_close(getattr(field, player), expected, rtol=1e-10, atol=1e-14)


@each_gan
def test_the_penalty_is_the_critics_alone(name):
    """The generator's gradient does not see it."""
    plain, players = make(name)
    penalized, _ = make(name, go.GradientPenalty(100.0))
    key = jax.random.key(2)
    left, right = (go.field(game, players, key) for game in (plain, penalized))
    chex.assert_trees_all_close(left.x, right.x, rtol=1e-12)
    assert go.tree_norm(jax.tree.map(jnp.subtract, left.y, right.y)) > 0.1


@each_gan
def test_a_key_is_a_minibatch(name):
    """The same key the same batch, another key another; no key is a clear error."""
    game, players = make(name)
    losses = [game.losses(players, jax.random.key(k)).x for k in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    with pytest.raises(ValueError, match=f"{type(game).__name__} is stochastic"):
        game.losses(players)


def test_data_latents_and_penalty_are_drawn_independently():
    """Three streams of one key."""
    game, _ = make("wgan")
    batch = game.draw(jax.random.key(0))
    assert batch.real.shape == (16, 3, 2)
    assert batch.latents.shape == (16, 4)
    correlation = np.corrcoef(batch.real[:, 0, 0], batch.latents[:, 0])[0, 1]
    assert abs(correlation) < 0.9


def test_samples_draw_every_point_alike():
    """Counts of 10 000 draws from 10 points: each within 5 standard errors, 1e-5 false alarms."""
    points = go.Samples(jnp.arange(10.0)[:, None])
    counts = np.bincount(np.asarray(points(jax.random.key(0), 10_000)).ravel().astype(int))
    assert len(counts) == 10
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(10_000 * 0.09)


def test_a_padded_window_draws_only_what_is_there():
    """The count is a leaf: another window is no other program, and padding is never drawn."""
    window = go.Samples(jnp.arange(10.0)[:, None], count=3)
    drawn = jax.jit(lambda w, key: w(key, 500))(window, jax.random.key(0))
    assert set(np.asarray(drawn).ravel()) == {0.0, 1.0, 2.0}


def test_a_batch_has_at_least_one_point():
    """Refused when the game is made."""
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        make("wgan", batch_size=0)
