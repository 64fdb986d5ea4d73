"""Exact densities of data, and the law of a generator, pushed from a fine grid of latents."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import theory

DENSITIES: dict[str, Callable[[], theory.GaussianMixture]] = {
    "normal": lambda: theory.gaussian_mixture([[1.0]], stds=0.6),
    "two_normals": lambda: theory.gaussian_mixture([[-2.0], [2.0]], stds=0.6),
    "three_normals": lambda: theory.gaussian_mixture(
        [[-3.0], [0.0], [3.0]], stds=[0.4, 0.6, 0.4], weights=[0.2, 0.5, 0.3]
    ),
    "ring": lambda: theory.ring(radius=2.0, std=0.2),
    "grid": lambda: theory.grid(side=3, spacing=2.0, std=0.25),
}
"""Laws on the line and in the plane, wide enough for a grid of cells to resolve them."""


class GridCells(NamedTuple):
    """A window cut into equal cells.

    - `centres`: shape `(k, d)`, d of 1 or 2. `low`, `high`: corners, shape `(d,)`.
    - `side`: cells along an axis. `volume`: of a cell.
    """

    centres: np.ndarray
    low: np.ndarray
    high: np.ndarray
    side: int
    volume: float


def cells_around(law: theory.GaussianMixture) -> GridCells:
    """400 cells on the line or 100 x 100 in the plane, five deviations beyond every mode."""
    means = np.asarray(law.means)
    d = means.shape[1]
    reach = 5 * float(jnp.max(jnp.abs(law.scale_trils)))
    low, high = means.min(axis=0) - reach, means.max(axis=0) + reach
    side = 400 if d == 1 else 100
    ticks = [
        lo + (np.arange(side) + 0.5) * (hi - lo) / side for lo, hi in zip(low, high, strict=True)
    ]
    centres = np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, d)
    volume = float(np.prod((high - low) / side))
    return GridCells(centres.astype(np.float32), low, high, side, volume)


def data_log_masses(law: theory.GaussianMixture, cells: GridCells) -> jax.Array:
    """The log mass of the data in every cell and, last, outside of them: shape `(k + 1,)`."""
    inside = jax.vmap(law.log_prob)(jnp.asarray(cells.centres)) + jnp.log(cells.volume)
    # What five deviations leave out, 6e-7 of a mode, is put to the other cells.
    inside = inside - jax.scipy.special.logsumexp(inside)
    return jnp.append(inside, -jnp.inf)


def latent_grid(d: int) -> jax.Array:
    """Standard normal latents at equal steps of probability: 100 000, or 600 x 600 in the plane."""
    count = 100_000 if d == 1 else 600
    ticks = jax.scipy.special.ndtri((jnp.arange(count) + 0.5) / count)
    return jnp.stack(jnp.meshgrid(*[ticks] * d, indexing="ij"), axis=-1).reshape(-1, d)


def generated_log_masses(points: np.ndarray, cells: GridCells) -> jax.Array:
    """The log mass of pushed points in every cell and, last, outside of them: shape `(k + 1,)`."""
    place = np.floor((points - cells.low) / (cells.high - cells.low) * cells.side).astype(int)
    inside = ((place >= 0) & (place < cells.side)).all(axis=1)
    index = np.ravel_multi_index(place[inside].T, (cells.side,) * points.shape[1])
    counts = np.bincount(index, minlength=len(cells.centres))
    masses = np.append(counts, (~inside).sum()) / len(points)
    with np.errstate(divide="ignore"):
        return jnp.asarray(np.log(masses), jnp.float32)
