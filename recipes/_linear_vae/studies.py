"""Studies of the linear VAE against its exact optimum: sizes, collapse, rate-distortion, rates."""

import functools
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
    log = jnp.log(jnp.float32(1.0 if variance is None else variance))
    players = fresh_players(size, game.mean, key, log if variance is None else go.Fixed(log))
    return go.rollout(game, _solver(), players, ROUNDS, every=ROUNDS).players


@functools.cache
def _solver() -> go.AbstractSolver:
    """One object for all trainings, so that those of one shape are one compiled program."""
    adam = optax.adam(optax.cosine_decay_schedule(RATE, ROUNDS))
    return go.Simultaneous(go.Players(adam, adam))


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
                predicted = int(theory.active_units(data.eigenvalues, variance, k=size))
            rows.append([variance, predicted, active_units(players.y, data)])
    return rows


class RateDistortionCurve(NamedTuple):
    """The exact curve for one fixed variance, and trained points of it, in nats.

    - `betas`, `exact_rate`, `exact_distortion`: shape `(n,)`.
    - `trained`: where on it the trained ones are; their `rate` and `distortion`.
    """

    variance: float
    betas: np.ndarray
    exact_rate: np.ndarray
    exact_distortion: np.ndarray
    trained: np.ndarray
    rate: np.ndarray
    distortion: np.ndarray

    def rows(self) -> list[list[float]]:
        """A row for each trained point: beta, and rate and distortion beside the exact ones."""
        exact = self.exact_rate[self.trained], self.exact_distortion[self.trained]
        columns = (self.betas[self.trained], self.rate, exact[0], self.distortion, exact[1])
        return [[float(cell) for cell in row] for row in zip(*columns, strict=True)]


def rate_distortion(
    data: Spectrum, size: int, betas: tuple[float, ...], key: PRNGKeyArray
) -> RateDistortionCurve:
    """Beta-VAEs with `size` latents and the variance that is best for beta = 1."""
    with jax.enable_x64(True):
        variance = float(theory.best_variance(data.eigenvalues, size))
        fine = np.geomspace(min(betas) / 2, max(betas) * 2, 200)
        both = np.unique(np.concatenate([fine, np.asarray(betas)]))
        exact = theory.rate_distortion_curve(data.eigenvalues, both, variance, k=size)
        parts = np.asarray(exact.rate), np.asarray(exact.distortion)
    found = []
    for index, beta in enumerate(betas):
        players = trained(data, size, jax.random.fold_in(key, index), variance, beta)
        found.append([float(n) for n in exact_game(data, beta).rate_and_distortion(players)])
    rate, distortion = np.asarray(found).T
    places = np.searchsorted(both, np.asarray(betas))
    return RateDistortionCurve(variance, both, *parts, places, rate, distortion)
