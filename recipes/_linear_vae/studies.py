"""Studies of the linear VAE against its exact optimum: sizes, collapse, rate-distortion, rates."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PRNGKeyArray

import gameopt as go
import theory
from recipes._linear_vae.game import (
    DiagonalEncoder,
    LinearVAEGame,
    expectation_maximisation,
    fresh_players,
)

ROUNDS, RATE = 4000, 1e-2
"""Rounds of Adam in a study, and its first step size, which falls to 0."""


class Spectrum(NamedTuple):
    """Moments of the data in float64: `mean`, `covariance`, `eigenvalues` from the largest on."""

    mean: np.ndarray
    covariance: np.ndarray
    eigenvalues: np.ndarray


def spectrum_of(points: np.ndarray) -> Spectrum:
    """The moments of points `(n, d)`."""
    with jax.enable_x64(True):
        mean, covariance = map(np.asarray, theory.moments(points.astype(np.float64)))
    return Spectrum(mean, covariance, np.linalg.eigvalsh(covariance)[::-1])


def exact_game(data: Spectrum, beta: float = 1.0, dtype: Any = np.float32) -> LinearVAEGame:
    """The deterministic game of the data's moments."""
    return LinearVAEGame(
        jnp.asarray(data.mean, dtype), jnp.asarray(data.covariance, dtype), jnp.asarray(beta, dtype)
    )


def trained(
    data: Spectrum, size: int, key: PRNGKeyArray, variance: float | None = None, beta: float = 1.0
) -> go.Players:
    """Players after `ROUNDS` rounds of Adam; `variance`: a fixed one, learned by default."""
    game = exact_game(data, beta)
    if variance is None:
        log_variance = jnp.zeros(())
    else:
        log_variance = go.Fixed(jnp.log(jnp.float32(variance)))
    players = fresh_players(size, game.mean, key, log_variance)
    adam = optax.adam(optax.cosine_decay_schedule(RATE, ROUNDS))
    solver = go.Simultaneous(go.Players(adam, adam))
    return go.rollout(game, solver, players, ROUNDS, every=ROUNDS).players


def active_units(encoder: DiagonalEncoder, data: Spectrum) -> int:
    """Units whose posterior mean varies by more than a hundredth of the prior's variance."""
    weights = np.asarray(encoder.weights, np.float64)
    return int(np.sum(np.einsum("kd,de,ke->k", weights, data.covariance, weights) > 0.01))


def sizes_table(data: Spectrum, sizes: tuple[int, ...], key: PRNGKeyArray) -> list[list[Any]]:
    """For each number of latents: trained ELBO, the exact optimum, their gap, in nats."""
    game, rows = exact_game(data), []
    for size in sizes:
        players = trained(data, size, jax.random.fold_in(key, size))
        elbo = -float(game.loss(players))
        with jax.enable_x64(True):
            best = float(theory.pca_log_likelihood(data.eigenvalues, size))
            variance = float(theory.best_variance(data.eigenvalues, size))
        found = float(players.x.variance())
        rows.append([size, elbo, best, best - elbo, found, variance])
    return rows


def collapse_table(data: Spectrum, size: int, key: PRNGKeyArray) -> list[list[Any]]:
    """For fixed variances between two eigenvalues: active units, predicted and trained."""
    values, rows = data.eigenvalues, []
    for count in sorted({0, 1, size // 4, size // 2, 3 * size // 4, size}):
        upper = values[count - 1] if count else 4 * values[0]
        variance = float(np.sqrt(upper * max(values[count], 1e-12 * values[0])))
        if values[count] <= 0.98 * upper:
            players = trained(data, size, jax.random.fold_in(key, count), variance)
            with jax.enable_x64(True):
                predicted = int(theory.active_units(data.eigenvalues, size, variance))
            rows.append([variance, predicted, active_units(players.y, data)])
    return rows


class Curve(NamedTuple):
    """A rate-distortion curve for one fixed variance, in nats; arrays of shape `(betas,)`."""

    betas: np.ndarray
    exact_rate: np.ndarray
    exact_distortion: np.ndarray
    rate: np.ndarray
    distortion: np.ndarray


def rate_distortion(
    data: Spectrum, size: int, variance: float, betas: tuple[float, ...], key: PRNGKeyArray
) -> Curve:
    """The exact curve of beta-VAEs with `size` latents, and trained ones."""
    found = []
    for index, beta in enumerate(betas):
        players = trained(data, size, jax.random.fold_in(key, index), variance, beta)
        found.append([float(n) for n in exact_game(data, beta).rate_and_distortion(players)])
    rate, distortion = np.asarray(found).T
    with jax.enable_x64(True):
        exact = theory.rate_distortion_curve(
            data.eigenvalues, np.asarray(betas), variance, k=size
        )
        parts = np.asarray(exact.rate), np.asarray(exact.distortion)
    return Curve(np.asarray(betas), *parts, rate, distortion)
