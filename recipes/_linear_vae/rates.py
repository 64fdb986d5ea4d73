"""Local rates at the linear VAE's optimum: of EM and of gradient play, exact and measured.

Of the data's leading principal axes, twice as many as latents: numbers that hardly vary would make
gradient play too slow to be measured.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import PRNGKeyArray

import gameopt as go
import theory
from recipes._linear_vae.game import (
    Decoder,
    DiagonalEncoder,
    expectation_maximisation,
    fresh_players,
)
from recipes._linear_vae.studies import Spectrum, exact_game

MOST_ROUNDS, RECORDS = 60_000, 400
"""Rounds of a measurement at most, and distances that it records."""
AWAY = 1e-3
"""Size of the step off the optimum with which gradient play begins."""


class Measured(NamedTuple):
    """A solver's rate a round.

    - `exact`, `measured`, `error`: the rate, as found from distances, and its standard error.
    - `rounds`, `distances`: of the play that was measured.
    """

    name: str
    exact: float
    measured: float
    error: float
    rounds: np.ndarray
    distances: np.ndarray


def measured_rates(data: Spectrum, size: int, key: PRNGKeyArray) -> list[Measured]:
    """EM, simultaneous and alternating gradient descent, in float64."""
    data = leading_axes(data, 2 * size)
    with jax.enable_x64(True):
        key_em, key_play = jax.random.split(key)
        found = [_em(data, size, key_em)]
        for name, kind in (("simultaneous", go.Simultaneous), ("alternating", go.Alternating)):
            found.append(_gradient_play(data, size, f"{name} descent", kind, key_play))
        return found


def leading_axes(data: Spectrum, count: int) -> Spectrum:
    """Centred data on their leading principal axes: a diagonal covariance."""
    values = data.eigenvalues[:count]
    return Spectrum(np.zeros(len(values)), np.diag(values), values)


def _rounds_for(rate: float) -> int:
    """Rounds in which the distance falls by about 1e-9."""
    wanted = 20.0 / max(-np.log(rate), 1e-9)
    return int(np.clip(wanted, 2 * RECORDS, MOST_ROUNDS)) // RECORDS * RECORDS


def _em(data: Spectrum, size: int, key: PRNGKeyArray) -> Measured:
    """The error of the model's covariance, which a rotation of the latents does not move."""
    game = exact_game(data, dtype=np.float64)
    exact = float(theory.em_rate(data.eigenvalues, size))
    best = theory.probabilistic_pca(data.mean, data.covariance, size).covariance

    def error(now: go.Moment) -> Any:
        x = now.players.x
        identity = jnp.eye(len(x.mean), dtype=x.mean.dtype)
        return jnp.linalg.norm(x.weights @ x.weights.T + x.variance() * identity - best)

    players = fresh_players(size, game.mean, key, jnp.zeros(()), full=True)
    rounds = 2 * _rounds_for(exact)
    every = rounds // RECORDS
    solver = expectation_maximisation()
    errors = go.rollout(game, solver, players, rounds, record=error, every=every).records
    return _fitted("EM", exact, np.asarray(errors), every)


def _gradient_play(data: Spectrum, size: int, name: str, kind: Any, key: PRNGKeyArray) -> Measured:
    """From a small random step off the exact optimum, with the largest stable step size halved."""
    game = exact_game(data, dtype=np.float64)
    best = theory.linear_vae_optimum(data.mean, data.covariance, size)
    hessian = theory.linear_vae_hessian(best, data.mean, data.covariance)
    step = float(1 / jnp.linalg.eigvalsh(hessian)[-1])
    decoder_size = best.weights.size + best.mean.size + 1
    round_ = theory.round_matrix(
        hessian, jnp.full(len(hessian), step), decoder_size, alternating=kind is go.Alternating
    )
    # On the host: accelerators have no eigenvalues of matrices that are not symmetric.
    exact = float(np.max(np.abs(np.linalg.eigvals(np.asarray(round_)))))
    optimum = go.Players(
        Decoder(best.weights, best.mean, best.log_variance),
        DiagonalEncoder(best.encoder_weights, best.encoder_offset, best.encoder_log_variances),
    )
    leaves, tree = jax.tree.flatten(optimum)
    keys = jax.random.split(key, len(leaves))
    moved = [
        leaf + AWAY * jax.random.normal(k, leaf.shape, leaf.dtype)
        for leaf, k in zip(leaves, keys, strict=True)
    ]
    sgd = optax.sgd(step)
    rounds = _rounds_for(exact)
    every = rounds // RECORDS
    flat = lambda players: ravel_pytree(players)[0]
    distance = lambda now: jnp.linalg.norm(flat(now.players) - flat(optimum))
    play = go.rollout(
        game, kind(go.Players(sgd, sgd)), jax.tree.unflatten(tree, moved), rounds,
        record=distance, every=every,
    )  # fmt: skip
    return _fitted(name, exact, np.asarray(play.records), every)


def _fitted(name: str, exact: float, distances: np.ndarray, every: int) -> Measured:
    rounds = every * (1 + np.arange(len(distances)))
    fit = go.measured_rate(distances, skip=0.5)
    rate = float(fit.rate) ** (1 / every)
    error = float(fit.standard_error) * rate / every / float(fit.rate)
    return Measured(name, exact, rate, error, rounds, distances)
