"""Best answers in turn on a quadratic of one interest, in closed form."""

import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go

COUPLING = 0.6
GAME = go.identical_interest_game(lambda x, y: 0.5 * x**2 + 0.5 * y**2 - COUPLING * x * y)
ANSWERS = go.Players(
    lambda game, players, key: COUPLING * players.y,
    lambda game, players, key: COUPLING * players.x,
)
X_FIRST = go.BestAnswers(ANSWERS, ("x", "y"))
START = go.Players(jnp.asarray(1.0), jnp.asarray(-3.0))


def test_each_answers_the_other_s_newest_strategy():
    """With x* = c y and y* = c x, a round multiplies x by c^2, whoever answers first."""
    cases = (go.BestAnswers(ANSWERS), COUPLING**2), (X_FIRST, COUPLING * -3.0)
    for solver, first in cases:
        path = go.rollout(GAME, solver, START, 5, record=go.record_players).records
        np.testing.assert_allclose(path.x, first * COUPLING ** (2 * np.arange(5)), rtol=1e-12)


def test_no_round_raises_the_loss_and_the_rate_is_the_coupling_s_square():
    """As for every identical-interest game; at the equilibrium the local rate is c^2."""
    solver = go.BestAnswers(ANSWERS)
    losses = go.rollout(GAME, solver, START, 20).records.losses.x
    assert (np.diff(losses) <= 0).all()
    zero = go.Players(jnp.zeros(()), jnp.zeros(()))
    rate = go.local_rate(GAME, solver, zero)
    np.testing.assert_allclose(rate.spectral_radius, COUPLING**2, rtol=1e-12)


def test_what_is_no_answer_and_no_order_is_refused():
    """Before any round."""
    with pytest.raises(TypeError, match=r"answers\.y"):
        go.BestAnswers(go.Players(lambda *_: 0, 3))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="order"):
        go.BestAnswers(ANSWERS, ("x", "x"))
