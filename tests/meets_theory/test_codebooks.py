"""A VQ-VAE with identity networks is k-means: its codebooks against Lloyd's algorithm."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.cluster import KMeans

import gameopt as go
import models
import theory
from recipes._vqvae.game import QuantisedAutoencoder, codebook_updated

_rng = np.random.default_rng(0)
POINTS = jnp.asarray(_rng.normal(size=(200, 1, 1, 3)) + 3 * _rng.integers(0, 3, (200, 1, 1, 1)))
FLAT = POINTS.reshape(200, 3)
START = FLAT[:8]
NOTHING = models.Chain()
ROUNDS = 40


class AllPoints(QuantisedAutoencoder):
    """The VQ-VAE whose batch is all points."""

    def batch(self, key):
        del key
        return self.sampler.points


def game_of(commitment: float = 0.25) -> AllPoints:
    """All points at once, without noise in what the prior sees."""
    weights = jnp.asarray(commitment), jnp.asarray(0.0)
    return AllPoints(go.Samples(POINTS), *weights, len(POINTS))


def decoder_of(book: models.AbstractCodebook) -> models.CodeDecoder:
    """The identity as a decoder; the prior's weights are all that else is played."""
    prior = models.CodePrior(8, (1, 1), width=2, depth=0, heads=1, key=jax.random.key(0))
    return models.CodeDecoder(book, NOTHING, prior)


def played(book: models.AbstractCodebook, optimizer: Any) -> Any:
    """The codebook after the rounds, by the recipe's own solver."""
    solver = go.Carrying(go.Simultaneous(go.Players(optimizer, None)), codebook_updated)
    players = go.Players(decoder_of(book), NOTHING)
    return go.rollout(game_of(), solver, players, ROUNDS, key=jax.random.key(0)).players.x.codebook


def lloyd(codes):
    """The codebook of k-means after as many rounds."""
    return jax.lax.fori_loop(0, ROUNDS, lambda _, now: theory.lloyd_round(FLAT, now), codes)


def test_moving_averages_without_memory_are_lloyds_rounds():
    """Decay 0, no smoothing, all points a batch: the codes of k-means, and scikit-learn's inertia.

    To rounding, whatever the smoothing of 1e-5 would do; rounds were needed.
    """
    book = models.MovingCodebook(START, decay=0.0, epsilon=0.0)
    found = played(book, optax.sgd(1e-3)).codes
    np.testing.assert_allclose(found, lloyd(START), rtol=1e-10)
    own: Any = {"init": np.asarray(START), "n_init": 1, "max_iter": ROUNDS, "tol": 0}
    peer: Any = KMeans(8, algorithm="lloyd", **own).fit(np.asarray(FLAT))
    np.testing.assert_allclose(theory.inertia(FLAT, found), peer.inertia_, rtol=1e-10)
    assert theory.inertia(FLAT, found) < 0.9 * theory.inertia(FLAT, START)


def test_a_code_that_no_point_is_near_stays_in_both():
    """Its cell is empty: Lloyd's round and the moving averages keep it."""
    far = START.at[3].set(100.0)
    found = models.MovingCodebook(far, decay=0.0, epsilon=0.0).updated(FLAT)
    np.testing.assert_allclose(found.codes, theory.lloyd_round(FLAT, far), rtol=1e-10)
    np.testing.assert_array_equal(found.codes[3], far[3])


def by_share() -> optax.GradientTransformation:
    """Steps of 1/(2 n_j) of the sum over points for the codes: Newton's, since each is a mean."""

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        codes = params.codebook.codes
        counts = theory.code_counts(theory.assign_codes(FLAT, codes), len(codes))
        rates = len(FLAT) / (2 * jnp.maximum(counts, 1).astype(codes.dtype))
        step = -rates[:, None] * updates.codebook.codes
        still = jax.tree.map(jnp.zeros_like, updates)
        return models.CodeDecoder(models.Codebook(step), still.network, still.prior), state

    rule: Any = update
    return optax.GradientTransformation(lambda params: optax.EmptyState(), rule)


def test_a_codebook_moved_by_gradients_of_newtons_size_is_k_means_too():
    """The gradient of the codebook's term alone: the reconstruction passes the codes by."""
    found = played(models.Codebook(START), by_share()).codes
    np.testing.assert_allclose(found, lloyd(START), rtol=1e-10)


@pytest.mark.parametrize("commitment", [0.0, 0.25])
def test_the_loss_is_the_inertia_and_the_entropy_of_the_codes(commitment):
    """With identity networks each of the three terms is the mean squared error.

    The fresh prior is uniform. Against `theory.quantization_error` of the same codebook.
    """
    game = game_of(commitment)
    loss = game.loss(go.Players(decoder_of(models.Codebook(START)), NOTHING), jax.random.key(0))
    error = theory.quantization_error(FLAT, START).value
    np.testing.assert_allclose(loss, (2 + commitment) * error + np.log(8), rtol=1e-10)


def test_the_gradient_of_the_encoder_is_straight_through_and_of_commitment():
    """Of one linear map as the encoder: 2 (e - x) + 2 β (z - e) for each point, by hand."""
    encoder = models.Linear(3, 3, jax.nn.initializers.orthogonal(), jax.random.key(1))
    at_grid = lambda layer: lambda x: layer(x.reshape(3)).reshape(1, 1, 3)
    game, decoder = game_of(), decoder_of(models.Codebook(START))
    key = jax.random.key(0)
    loss = lambda layer: game.loss(go.Players(decoder, at_grid(layer)), key)
    found = jax.grad(loss)(encoder).weight
    z = FLAT @ encoder.weight
    codes = START[theory.assign_codes(z, START)]
    by_z = 2 * (codes - FLAT) + 2 * 0.25 * (z - codes)
    np.testing.assert_allclose(found, FLAT.T @ by_z / len(FLAT), rtol=1e-9)


def test_a_learned_prior_of_one_place_is_the_frequencies_of_its_codes():
    """Its best negative log-likelihood is the logarithm of the perplexity: Gibbs' inequality."""
    prior = models.CodePrior(8, (1, 1), width=2, depth=0, heads=1, key=jax.random.key(0))
    indices = theory.assign_codes(FLAT, START).reshape(-1, 1, 1)
    game = go.one_player_game(lambda x: -jnp.mean(jax.vmap(x.log_prob)(indices)))
    solver = go.descent(optax.adam(0.05))
    last = go.rollout(game, solver, go.Players(prior, None), 600, every=600)
    best = jnp.log(theory.perplexity(theory.code_counts(indices, 8)))
    nats = game.loss(last.players.x)
    assert best - 1e-9 < nats < best + 1e-3
