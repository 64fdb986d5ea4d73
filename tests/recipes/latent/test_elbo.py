"""The variational game on a linear-Gaussian model, whose likelihood and posterior are exact."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import models
import theory
from recipes._latent.elbo import Objective, TimedModel, VariationalGame, timed

KEY = jax.random.key(0)
D, K, N = 3, 2, 5
EXACT = theory.LinearGaussian(jax.random.normal(KEY, (D, K)), jnp.asarray([0.3, -0.2, 1.0]), 0.25)
POINTS = EXACT.sample(jax.random.key(1), N)


class Affine(eqx.Module):
    """An affine map, and numbers after it that the point does not change."""

    weights: jax.Array
    offset: jax.Array
    rest: jax.Array

    def __call__(self, x):
        return jnp.concatenate([self.weights @ x + self.offset, self.rest])


def model():
    likelihood = models.GaussianLikelihood(0.5 * jnp.log(EXACT.variance))
    decoder = Affine(EXACT.weights, EXACT.mean, jnp.zeros(0))
    return models.LatentModel(models.StandardNormalPrior(K), decoder, likelihood)


def players(shrink: float = 1.0) -> go.Players:
    """The exact model, and an encoder that is its posterior for columns that are orthogonal.

    - `shrink`: of the posterior's deviations.
    """
    left, values, _ = jnp.linalg.svd(EXACT.weights, full_matrices=False)
    weights = left * values[None]  # the same law of x, and a posterior with independent coordinates
    posterior = theory.LinearGaussian(weights, EXACT.mean, EXACT.variance).posterior(EXACT.mean)
    best = theory.best_encoder(theory.LinearGaussian(weights, EXACT.mean, EXACT.variance))
    deviations = 0.5 * jnp.log(jnp.diagonal(posterior.covariance)) + jnp.log(shrink)
    encoder = models.GaussianEncoder(Affine(best.weights, best.offset, deviations))
    changed = eqx.tree_at(lambda m: m.network.weights, model(), weights)
    return go.Players(TimedModel(changed), encoder)


def game(
    objective: Objective = "elbo",
    samples: int = 1,
    *,
    beta: float = 1.0,
    anneal_steps: int = 0,
    free_bits: float = 0.0,
    dynamic: bool = False,
) -> VariationalGame:
    numbers = jnp.asarray(beta), jnp.asarray(anneal_steps), jnp.asarray(free_bits)
    return VariationalGame(go.Samples(POINTS), 40, samples, objective, dynamic, *numbers)


def drawn(key) -> jax.Array:
    """The points of the batch with this key."""
    return game().sampler(jax.random.split(key, 3)[0], 40)


@pytest.mark.parametrize("objective", ["iwae", "dreg"])
def test_with_the_exact_posterior_every_sample_is_the_log_likelihood(objective):
    """log p(x, z) - log q(z|x) = log p(x) for every z, whatever the number of samples."""
    found = game(objective=objective, samples=4).loss(players(), KEY)
    exact = -jnp.mean(jax.vmap(EXACT.log_prob)(drawn(KEY)))
    np.testing.assert_allclose(found, exact, rtol=1e-10)


def test_the_elbo_is_the_exact_one_on_average():
    """Of 400 batches, within 5 standard errors: by chance not once in 10^6 runs."""
    bad = players(shrink=0.5)
    losses = jax.vmap(lambda key: game().loss(bad, key))(jax.random.split(KEY, 400))
    exact = jax.vmap(lambda key: -jnp.mean(jax.vmap(EXACT.log_prob)(drawn(key))))
    # KL of a normal law with half the deviation, two coordinates.
    gap = 2 * (0.5 * (0.25 - 1) - np.log(0.5))
    difference = np.asarray(losses - exact(jax.random.split(KEY, 400))) - gap
    assert abs(difference.mean()) < 5 * difference.std() / 20


def test_bounds_rise_with_the_number_of_samples():
    """ELBO < IWAE_5 < IWAE_50 < log p, each difference by 5 standard errors of 200 batches."""
    bad, keys = players(shrink=0.6), jax.random.split(KEY, 200)
    value = lambda **kind: np.asarray(jax.vmap(lambda key: game(**kind).loss(bad, key))(keys))
    exact = jax.vmap(lambda key: -jnp.mean(jax.vmap(EXACT.log_prob)(drawn(key))))(keys)
    bounds = [value(), value(objective="iwae", samples=5), value(objective="iwae", samples=50)]
    for looser, tighter in zip(bounds, [*bounds[1:], exact], strict=True):
        rise = looser - tighter
        assert rise.mean() > 5 * rise.std() / np.sqrt(200)


def test_doubly_reparameterised_gradients_are_those_of_the_bound_on_average():
    """The model's to rounding in every batch, the encoder's within 5.5 standard errors.

    Of 3000 batches and 10 numbers: by chance not once in 10^6 runs.
    """
    bad, keys = players(shrink=0.7), jax.random.split(KEY, 3000)

    def fields(objective):
        of = game(objective=objective, samples=3)
        return jax.vmap(lambda key: of.losses_and_field(bad, key))(keys)

    (losses, plain), (again, double) = fields("iwae"), fields("dreg")
    np.testing.assert_allclose(losses.x, again.x, rtol=1e-10)
    for one, other in zip(*map(jax.tree.leaves, (plain.x, double.x)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)
    for one, other in zip(*map(jax.tree.leaves, (plain.y, double.y)), strict=True):
        difference = np.asarray(one - other)
        error = difference.std(axis=0) / np.sqrt(len(keys))
        assert (np.abs(difference.mean(axis=0)) < 5.5 * error + 1e-12).all()


def test_beta_and_free_bits_weigh_the_rate():
    """The loss is distortion + beta rate of the game's own metrics; free bits bound each unit."""
    one = players()
    parts = game().metrics(one, KEY)
    for beta in (0.0, 0.5, 4.0):
        loss = game(beta=beta).loss(one, KEY)
        np.testing.assert_allclose(loss, parts["distortion"] + beta * parts["rate"], rtol=1e-12)
    free = game(free_bits=100.0).loss(one, KEY)
    np.testing.assert_allclose(free, parts["distortion"] + K * 100, rtol=1e-12)


def test_the_weight_grows_with_the_rounds_that_are_counted():
    """After t of 4 rounds it is (t + 1) / 4 of beta, and beta from then on; nobody plays t."""
    annealed = game(beta=2.0, anneal_steps=4)
    solver = timed(go.Simultaneous(go.Players(None, None)))
    play = go.rollout(
        annealed, solver, players(), 6, key=KEY, record=lambda now: now.players.x.round
    )
    np.testing.assert_array_equal(play.records, np.arange(1, 7))
    weights = [float(annealed.weight(jnp.int32(t))) for t in range(6)]
    np.testing.assert_allclose(weights, [0.5, 1.0, 1.5, 2.0, 2.0, 2.0])
    assert float(game(beta=2.0).weight(jnp.int32(0))) == 2.0


def test_bits_are_drawn_anew_and_labels_stay_with_their_points():
    """A chance of 0 or 1 is its own bit, so that batches of such points are what they were."""
    labels = jnp.arange(N)
    bits = (POINTS > 0).astype(float)
    of = dataclasses.replace(game(dynamic=True), sampler=go.Samples(go.Conditioned(bits, labels)))
    seen = {}

    def encoder(point, label):
        seen["shapes"] = point.shape, label.shape
        return models.DiagonalGaussian(jnp.zeros(K), jnp.zeros(K))

    batch, noise = of._batch(go.Players(None, encoder), KEY)
    assert noise.shape == (40, 1, K)
    assert seen["shapes"] == ((D,), ())
    np.testing.assert_array_equal(batch.value, bits[batch.condition])
