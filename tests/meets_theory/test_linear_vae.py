"""The linear VAE as a game, against the closed forms of `theory`: loss, best answers, rates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
import theory
from recipes._linear_vae.game import (
    Decoder,
    DiagonalEncoder,
    FullEncoder,
    LinearVAEGame,
    expectation_maximisation,
    fresh_players,
)

KEY = jax.random.key(3)
D, K = 5, 2
ROOT = jax.random.normal(KEY, (D, D))
MEAN, COVARIANCE = jnp.linspace(0.0, 1.0, D), ROOT @ ROOT.T + 0.1 * jnp.eye(D)
VALUES = jnp.linalg.eigvalsh(COVARIANCE)
GAME = LinearVAEGame(MEAN, COVARIANCE, jnp.asarray(1.0))


def random_players(full: bool = False) -> go.Players:
    start = fresh_players(K, MEAN + 0.3, KEY, jnp.asarray(0.4), full)
    if not full:
        return start
    spread = jnp.asarray([[0.5, 0.1], [0.1, 0.3]])
    return go.Players(start.x, FullEncoder(start.y.weights, start.y.offset, spread))


def as_model(x: Decoder) -> theory.LinearGaussian:
    return theory.LinearGaussian(x.weights, x.mean, x.variance())


@pytest.mark.parametrize("full", [False, True])
def test_the_loss_is_the_exact_negative_elbo(full):
    """Two derivations: second moments of data and codes here, residuals in `theory`."""
    players = random_players(full)
    encoder = theory.LinearEncoder(players.y.weights, players.y.offset, players.y.covariance())
    exact = theory.linear_rate_distortion(as_model(players.x), encoder, MEAN, COVARIANCE)
    rate, distortion = GAME.rate_and_distortion(players)
    np.testing.assert_allclose([rate, distortion], exact, rtol=1e-12)
    np.testing.assert_allclose(GAME.loss(players), exact.rate + exact.distortion, rtol=1e-12)


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_the_encoder_s_answer_is_a_minimum(beta):
    """That of `theory`; and the loss's gradient by the encoder vanishes there."""
    game = LinearVAEGame(MEAN, COVARIANCE, jnp.asarray(beta))
    players = random_players(True)
    answer = game.encoder_answer(players)
    best = theory.best_encoder(as_model(players.x), beta)
    np.testing.assert_allclose(answer.weights, best.weights, rtol=1e-10)
    np.testing.assert_allclose(answer.covariance(), best.covariance, rtol=1e-10, atol=1e-14)
    field = go.field(game, go.Players(players.x, answer))
    for slope in jax.tree.leaves(field.y):
        np.testing.assert_allclose(slope, 0, atol=1e-10)


def test_the_decoder_s_answer_is_a_minimum():
    """Its gradient vanishes, that of the variance included."""
    players = random_players(True)
    answer = GAME.decoder_answer(players)
    field = go.field(GAME, go.Players(answer, players.y))
    for slope in jax.tree.leaves(field.x):
        np.testing.assert_allclose(slope, 0, atol=1e-9)


def test_a_round_of_best_answers_is_a_round_of_em():
    """At the data's mean, which EM then keeps: `theory.em_round`."""
    start = fresh_players(K, MEAN, KEY, jnp.asarray(0.4), full=True)
    players, _, _ = expectation_maximisation().step(GAME, start, None)
    exact = theory.em_round(as_model(start.x), MEAN, COVARIANCE)
    np.testing.assert_allclose(players.x.weights, exact.weights, rtol=1e-10)
    np.testing.assert_allclose(players.x.mean, MEAN, rtol=1e-12)
    np.testing.assert_allclose(players.x.variance(), exact.variance, rtol=1e-10)


def test_em_s_local_rate_is_the_closed_form_s_and_that_of_the_mean():
    r"""With one latent there is no rotation: `em_rate` or $1-\sigma^2/\lambda_1$, the mean's.

    `theory.em_rate` is of weights and variance; a mean that is not yet the data's moves by the
    share of it that the codes do not explain.
    """
    best = theory.probabilistic_pca(MEAN, COVARIANCE, 1)
    x = Decoder(best.weights, best.mean, jnp.log(best.variance))
    y = GAME.encoder_answer(go.Players(x, None))
    rate = go.local_rate(GAME, expectation_maximisation(), go.Players(x, y))
    of_mean = 1 - best.variance / VALUES[-1]
    found = np.abs(np.asarray(rate.eigenvalues))
    np.testing.assert_allclose(found[0], max(theory.em_rate(VALUES, 1), of_mean), rtol=1e-6)
    for eigenvalue in (theory.em_rate(VALUES, 1), of_mean):
        assert np.min(np.abs(found - eigenvalue)) < 1e-6


@pytest.mark.parametrize("kind", [go.Simultaneous, go.Alternating])
def test_gradient_play_s_local_rate_is_the_hessian_s(kind):
    """`local_rate` of the solver against the round's matrix from the Hessian of `theory`."""
    best = theory.linear_vae_optimum(jnp.zeros(D), COVARIANCE, K)
    hessian = theory.linear_vae_hessian(best, jnp.zeros(D), COVARIANCE)
    step = float(1 / jnp.linalg.eigvalsh(hessian)[-1])
    size = best.weights.size + best.mean.size + 1
    matrix = theory.round_matrix(
        hessian, jnp.full(len(hessian), step), size, alternating=kind is go.Alternating
    )
    exact = jnp.max(jnp.abs(jnp.linalg.eigvals(matrix)))
    players = go.Players(
        Decoder(best.weights, best.mean, best.log_variance),
        DiagonalEncoder(best.encoder_weights, best.encoder_offset, best.encoder_log_variances),
    )
    game = LinearVAEGame(jnp.zeros(D), COVARIANCE, jnp.asarray(1.0))
    rate = go.local_rate(game, kind(go.Players(optax.sgd(step), optax.sgd(step))), players)
    np.testing.assert_allclose(rate.spectral_radius, exact, rtol=1e-9)


def test_the_optimum_is_a_differential_nash_equilibrium_with_pca_s_likelihood():
    """Both Hessians are positive definite there, and the ELBO is the log-likelihood of pPCA."""
    best = theory.linear_vae_optimum(MEAN, COVARIANCE, K)
    players = go.Players(
        Decoder(best.weights, best.mean, best.log_variance),
        DiagonalEncoder(best.encoder_weights, best.encoder_offset, best.encoder_log_variances),
    )
    exact = theory.pca_log_likelihood(VALUES, K)
    np.testing.assert_allclose(-GAME.loss(players), exact, rtol=1e-10)
    assert go.is_yes(go.classify(GAME, players).dne)
