"""End-of-run report for image GANs: interpolations, inversions, classifier metrics."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._data import Dataset, hold_out
from recipes._report.classifier import class_numbers, judging
from recipes._report.latents import between, nearest_latents
from recipes._report.rows import Row, draw_neighbours, draw_rows
from recipes._runtime.run import RunFolder

COLUMNS, PATHS, MOST = 10, 6, 2000
"""Images in a row, interpolations drawn, and points that a classifier sees."""


def report(
    folder: RunFolder, data: Dataset, generator: Any, latent_size: int, key: PRNGKeyArray
) -> dict[str, Any]:
    """Draw interpolations, inversions and nearest neighbours of a generator of latents alone.

    - `generator`: of one latent, with standing statistics.

    **Returns:** what a classifier says of its images, where the data have labels, and the mean
    squared error with which data are inverted.
    """
    key_latents, key_search, key_many = jax.random.split(key, 3)
    of_many = eqx.filter_jit(go.generated)
    latents = jax.random.normal(key_latents, (2 * PATHS, latent_size))
    ends = latents.reshape(PATHS, 2, latent_size)
    paths = jax.vmap(lambda pair: between(pair[0], pair[1], COLUMNS))(ends)
    images = np.asarray(of_many(generator, paths.reshape(-1, latent_size)))
    rows = [Row("", part) for part in np.split(images, PATHS)]
    draw_rows(rows, folder.path / "interpolations.png", "from one latent to another")

    numbers = _inverted(folder, data, generator, latent_size, key_search)
    samples = of_many(generator, jax.random.normal(key_many, (MOST, latent_size)))
    draw_neighbours(folder, data, np.asarray(samples[:COLUMNS]))
    judge = judging(*hold_out(data))
    return numbers if judge is None else numbers | class_numbers(judge, samples)


def _inverted(
    folder: RunFolder, data: Dataset, generator: Any, latent_size: int, key: PRNGKeyArray
) -> dict[str, Any]:
    rows = np.linspace(0, len(data.points) - 1, COLUMNS).astype(int)
    real = jnp.asarray(data.points[rows])
    found = nearest_latents(generator, real, latent_size, key)
    draw_rows(
        [Row("data", np.asarray(real)), Row("nearest G(z)", np.asarray(found.images))],
        folder.path / "inversion.png",
        "the generator's nearest images to data, found by gradient descent on the latent",
    )
    return {"inversion_error": float(jnp.mean(found.errors))}
