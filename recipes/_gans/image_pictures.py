"""Rows of images with what they are, and the curves of a GAN of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recipes._report import plots
from recipes._report.plots import FAKE, PERFECT, REAL, ROUNDS, THEORY, Curve, Panel, subplots

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


def draw_image_curves(lines: list[dict[str, Any]], size: int, path: Path) -> None:
    """Both players' losses, the discriminator's scores, and exact W1 beside that of other data.

    - `size`: points on each side of the exact W1.
    """
    train, held = plots.columns_of(lines, "train"), plots.columns_of(lines, "eval")
    rounds, evaluated = train["round"], held["round"]
    losses = [
        Curve("generator", rounds, train["loss_x"], "-", FAKE),
        Curve("discriminator", rounds, train["loss_y"], "-", REAL),
    ]
    scores = [
        Curve("data", evaluated, held["score_real"], "o-", REAL),
        Curve("generated", evaluated, held["score_fake"], "s--", FAKE),
    ]
    distance = [
        Curve("generated to real points", evaluated, held["w1_exact"], "o-", FAKE),
        Curve(PERFECT, evaluated, held["w1_floor"], ":", THEORY),
    ]
    plots.panels(
        [
            Panel("Losses on training batches", ROUNDS, "loss", losses),
            Panel("Scores of the discriminator", ROUNDS, "mean score", scores),
            Panel(f"Exact $W_1$, {size} points a side", ROUNDS, "pixel distance", distance),
        ],
        path,
        columns=3,
    )
