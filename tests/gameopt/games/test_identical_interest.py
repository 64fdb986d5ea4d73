"""Identical-interest games: one loss, one pass, and the facts of potential games."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.solvers import point, sgd


def reconstruction(x, y):
    """|A - x y'|^2 / 2, a matrix factorisation: a linear autoencoder without data's covariance."""
    target = jnp.arange(12.0).reshape(3, 4) / 10
    return 0.5 * jnp.sum((target - x @ y.T) ** 2)


GAME = go.identical_interest_game(reconstruction)


def start() -> go.Players:
    """Factors of rank 2, drawn once."""
    keys = jax.random.split(jax.random.key(0))
    return go.Players(jax.random.normal(keys[0], (3, 2)), jax.random.normal(keys[1], (4, 2)))


def test_one_forward_and_one_backward_pass():
    """Counted while it is traced: the loss is called once, and its one custom rule pulled once."""
    calls = {"forward": 0, "backward": 0}

    @jax.custom_vjp
    def product(x, y):
        return x @ y.T

    def forward(x, y):
        calls["forward"] += 1
        return x @ y.T, (x, y)

    def backward(kept, slope):
        calls["backward"] += 1
        return slope @ kept[1], slope.T @ kept[0]

    product.defvjp(forward, backward)
    game = go.identical_interest_game(lambda x, y: jnp.sum(product(x, y) ** 2))
    losses, field = go.losses_and_field(game, start())
    assert calls == {"forward": 1, "backward": 1}
    assert losses.x is losses.y
    assert field.x.shape == (3, 2)


def test_it_is_the_game_of_two_equal_losses():
    """Field and losses of `game_from_losses` with the loss twice, to rounding."""
    twice = go.game_from_losses(reconstruction, reconstruction)
    ours, theirs = go.losses_and_field(GAME, start()), go.losses_and_field(twice, start())
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13), ours, theirs)


def test_its_jacobian_is_the_symmetric_hessian_of_the_loss():
    """A potential game: J = D^2 L, so that nothing rotates."""
    jacobian = np.asarray(go.jacobian(GAME, start()))
    np.testing.assert_allclose(jacobian, jacobian.T, rtol=0, atol=1e-13)
    joined = lambda v: reconstruction(v[:6].reshape(3, 2), v[6:].reshape(4, 2))
    vector = jnp.concatenate([start().x.ravel(), start().y.ravel()])
    np.testing.assert_allclose(jacobian, jax.hessian(joined)(vector), atol=1e-13)
    assert float(go.rotation(GAME, start()).rotational) < 1e-25


def test_best_answers_in_turn_never_raise_the_loss():
    """Alternating least squares, each the other's exact best answer: 20 rounds, to rounding."""
    target = np.arange(12.0).reshape(3, 4) / 10
    players, losses = start(), []
    for _ in range(20):
        x = jnp.linalg.lstsq(players.y, target.T)[0].T
        losses.append(float(GAME.losses(go.Players(x, players.y)).x))
        y = jnp.linalg.lstsq(x, target)[0].T
        players = go.Players(x, y)
        losses.append(float(GAME.losses(players).x))
    assert np.all(np.diff(losses) <= 1e-14)
    gap = go.exploitability(GAME, players, steps=100)
    np.testing.assert_allclose(gap.total, 0, atol=1e-10)


@pytest.mark.parametrize("kind", [go.Simultaneous, go.Alternating])
def test_play_descends_the_loss(kind):
    """Simultaneous play is gradient descent on L; alternating is block coordinate descent."""
    last = go.rollout(GAME, kind(sgd(0.02)), start(), 200)
    assert np.all(np.diff(last.records.losses.x) < 0)
    if kind is go.Simultaneous:
        gradient = jax.grad(lambda z: reconstruction(*z))
        z = (start().x, start().y)
        for _ in range(3):
            z = tuple(a - 0.02 * g for a, g in zip(z, gradient(z), strict=True))
        three = go.rollout(GAME, kind(sgd(0.02)), start(), 3).players
        np.testing.assert_allclose(three.x, z[0], rtol=1e-13)
        np.testing.assert_allclose(three.y, z[1], rtol=1e-13)


def test_a_nash_point_is_a_minimum_of_each_block_and_no_more():
    """L = x^2 + y^2 + 3xy: both own Hessians are positive, and the flow leaves along x = -y."""
    game = go.identical_interest_game(lambda x, y: x**2 + y**2 + 3 * x * y)
    report = go.classify(game, point(0.0, 0.0))
    assert (str(report.dne), str(report.attractor), str(report.saddle)) == ("yes", "no", "yes")


def test_a_stochastic_loss_is_of_one_sample_for_both():
    """Both see the round's key; without one it is said."""
    loss = lambda x, y, key: (x - y - jax.random.normal(key)) ** 2
    game = go.identical_interest_game(loss, stochastic=True)
    losses, field = go.losses_and_field(game, point(1.0, 2.0), jax.random.key(0))
    assert losses.x == losses.y
    assert field.x == -field.y
    solver = go.Simultaneous(go.Players(optax.adam(0.1), optax.adam(0.1)))
    assert go.rollout(game, solver, point(1.0, 2.0), 3, key=jax.random.key(0)).round == 3
    with pytest.raises(ValueError, match="key=None"):
        go.field(game, point(1.0, 2.0))
