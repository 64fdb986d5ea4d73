"""Exact denoisers to sample with, and the exact law of a sampler on Gaussian data."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import models
import theory

MEAN = jnp.array([1.0, -0.5])
COV = jnp.array([[1.0, 0.6], [0.6, 0.8]])
VARIANCES, AXES = jnp.linalg.eigh(COV)
WEIGHTS = jnp.array([0.3, 0.7])
MEANS = jnp.array([[1.5, 0.0], [-1.0, 0.5]])
COVS = jnp.stack([0.1 * jnp.eye(2), 0.3 * COV])

PROCESSES = {
    "preserving": theory.VariancePreserving(),
    "exploding": theory.VarianceExploding(sigma_max=20.0),
    "edm": theory.EDM(sigma_max=20.0),
    "straight": theory.StraightLines(),
    "cosine": theory.Cosine(),
}
"""Noise of all kinds; the last two begin at alpha = 0."""


def gaussian(x, level):
    """The denoiser of N(MEAN, COV), in its eigenbasis."""
    alpha, sigma = level
    shrunk = alpha * VARIANCES / (alpha**2 * VARIANCES + sigma**2)
    return MEAN + AXES @ (shrunk * (AXES.T @ (x - alpha * MEAN)))


def mixture(x, level):
    """The denoiser of the mixture of MEANS and COVS."""
    return theory.mixture_denoiser(x, level, WEIGHTS, MEANS, COVS)


def mixture_log_prob(x, level):
    return theory.mixture_marginal_log_prob(x, level, WEIGHTS, MEANS, COVS)


def final_map(sampler, denoise, levels, size=2):
    """A sampler's outcome x -> G x + b + N z of all standard normal numbers z that it draws.

    Numbers drawn with different keys are taken for independent, and those of one key for the same.
    On Gaussian data the outcome is affine in all, so that derivatives at 0 determine it.
    """
    draws = []

    def outcome(x, z):
        rows = {}

        def normal(key, shape, dtype):
            assert shape == x.shape
            assert dtype == x.dtype
            row = rows.setdefault(tuple(np.asarray(jax.random.key_data(key)).tolist()), len(rows))
            draws.append(row)
            return z[row]

        with pytest.MonkeyPatch.context() as patch, jax.disable_jit():
            patch.setattr(jax.random, "normal", normal)
            return models.reverse_process(sampler, denoise, levels, x, jax.random.key(0)).x

    zero = jnp.zeros(size)
    outcome(zero, jnp.zeros((1000, size)))
    count = max(draws, default=-1) + 1
    z = jnp.zeros((count, size))
    gain, noise = jax.jacobian(outcome, argnums=(0, 1))(zero, z)
    return gain, outcome(zero, z), noise.reshape(size, count * size)


def final_law(sampler, denoise, levels, size=2):
    """Mean and covariance of a sampler's outcome from the start at the first level."""
    gain, mean, noise = final_map(sampler, denoise, levels, size)
    return theory.Moments(mean, levels.sigma[0] ** 2 * gain @ gain.T + noise @ noise.T)


@eqx.filter_jit
def outcomes(sampler, denoise, levels, starts, keys):
    """A sampler's outcomes from many starts."""
    run = lambda x, key: models.reverse_process(sampler, denoise, levels, x, key).x
    return jax.vmap(run)(starts, keys)


def slope(sizes, errors):
    return np.polyfit(np.log(sizes), np.log(errors), 1)[0]


def energy_test(x, y, permutations=1999):
    """The p-value of the energy distance between two samples, by permutation."""
    both = np.concatenate([x, y])
    distances = np.linalg.norm(both[:, None] - both[None], axis=-1)
    rng = np.random.default_rng(0)
    signs = np.concatenate([np.full(len(x), 1 / len(x)), np.full(len(y), -1 / len(y))])
    rows = np.stack([signs] + [rng.permutation(signs) for _ in range(permutations)])
    energies = -np.einsum("ij,ij->i", rows @ distances, rows)
    return np.mean(energies >= energies[0])


STEP = eqx.filter_jit(
    lambda sampler, x, state, now, after: sampler.step(mixture, x, state, now, after, None)
)


def walk(sampler, levels, x):
    """The outcome of a sampler without noise on the mixture, a compiled step for all grids."""
    state = sampler.init(x)
    for i in range(len(levels.alpha) - 1):
        now, after = (theory.NoiseLevel(*(part[at] for part in levels)) for at in (i, i + 1))
        x, state, _ = STEP(sampler, x, state, now, after)
    return x
