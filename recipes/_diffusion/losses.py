"""Squared errors of a denoiser by noise level, beside bounds that are known."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from tqdm import tqdm

import theory
from recipes._diffusion.exact import exact_law
from recipes._diffusion.model import DiffusionData
from recipes._diffusion.processes import Process
from recipes._runtime.run import RunFolder
from recipes._report import plots
from recipes._report.plots import COLOURS, FAKE, REAL, THEORY, Curve, Panel

LEVELS, POINTS = 100, 128
"""Noise levels, and points of which the errors are, with fresh noise at each level."""
TAIL = 1e-3
"""The shares of the levels that are trained on, least and most noise, that are left out."""
MOST_LOG_SNR = 15.0
"""The bound of the log signal-to-noise ratio, either side."""


class Errors(NamedTuple):
    """Squared errors summed over a point's numbers, `(levels, n)`; levels from noise to data."""

    levels: theory.NoiseLevel
    held_out: np.ndarray
    training: np.ndarray


def level_grid(process: Process) -> theory.NoiseLevel:
    """Levels evenly spaced in the log signal-to-noise ratio over what is trained on."""
    ends = process.law.quantile(jnp.asarray([1 - TAIL, TAIL], jnp.float32))
    most, least = np.clip(np.asarray(ends.log_snr, np.float64), -MOST_LOG_SNR, MOST_LOG_SNR)
    log_snr = jnp.linspace(most, least, LEVELS, dtype=jnp.float32)
    return process.interpolant.level(process.interpolant.time_of(log_snr))


@eqx.filter_jit
def _errors(
    denoiser: Any, points: Array, labels: Any, level: theory.NoiseLevel, key: PRNGKeyArray
) -> Float[Array, " n"]:
    def one(point: Array, label: Any, key: PRNGKeyArray) -> Array:
        noisy = level.alpha * point + level.sigma * jax.random.normal(key, point.shape, point.dtype)
        told = () if label is None else (label,)
        return jnp.sum((denoiser(noisy, level, *told) - point) ** 2)

    return jax.vmap(one)(points, labels, jax.random.split(key, len(points)))


def errors_by_level(
    denoiser: Any, points: Any, labels: Any, levels: theory.NoiseLevel, key: PRNGKeyArray, what: str
) -> np.ndarray:
    """The errors of points `(n, *shape)`, all levels in turn."""
    points = jnp.asarray(points)
    labels = None if labels is None else jnp.asarray(labels)
    found = []
    for place in tqdm(range(len(levels.alpha)), desc=what, unit=" levels", delay=1):
        level = theory.NoiseLevel(levels.alpha[place], levels.sigma[place])
        key_level = jax.random.fold_in(key, place)
        found.append(np.asarray(_errors(denoiser, points, labels, level, key_level)))
    return np.stack(found)
