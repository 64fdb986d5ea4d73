"""Rows of images, each with a label."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from recipes._data import Dataset
from recipes._report import plots
from recipes._report.classifier import nearest
from recipes._report.plots import subplots
from recipes._runtime.run import RunFolder

CELL, FILLED = 0.72, 0.95
"""Inches of an image and the gap beside it, and the share of the image."""


class Row(NamedTuple):
    """Images of shape `(n, h, w)` or `(n, h, w, c)`, in [-1, 1], and what they are."""

    label: str
    images: np.ndarray


def draw_rows(rows: Sequence[Row], path: Path, title: str) -> None:
    """One row of images under the other, each with its label on the left."""
    count = max(len(row.images) for row in rows)
    tall = rows[0].images.shape[1] / rows[0].images.shape[2]
    # One set of axes for all images: one for each would take seconds for a hundred.
    size = (CELL * count + 1.2, CELL * tall * len(rows) + 0.5)
    figure, axis = subplots(figsize=size)
    for line, row in enumerate(rows):
        top = -line * tall
        axis.text(-0.15, top - tall / 2, row.label, ha="right", va="center", fontsize=9)
        for column, image in enumerate(plots.to_pixels(row.images)):
            image = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
            extent = (column, column + FILLED, top - FILLED * tall, top)
            cmap = "gray" if image.ndim == 2 else None
            axis.imshow(image, cmap=cmap, vmin=0, vmax=255, extent=extent)
    axis.set(xlim=(0, count), ylim=(-len(rows) * tall, 0))
    axis.axis("off")
    axis.set_title(title, fontsize=10)
    plots.save(figure, path)


def draw_neighbours(folder: RunFolder, data: Dataset, samples: np.ndarray) -> None:
    """neighbours.png: samples above the points of the data that are nearest to them."""
    rows = np.asarray(nearest(jnp.asarray(samples), jnp.asarray(data.points)))
    draw_rows(
        [Row("generated", samples), Row("nearest data", data.points[rows])],
        folder.path / "neighbours.png",
        "what was generated, and what of the data is nearest to it in pixels",
    )
