"""Rows of images with what they are, and the curves of a GAN of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np

from recipes import _plots
from recipes._plots import FAKE, REAL, THEORY, Curve, Panel


class Row(NamedTuple):
    """Images of shape `(n, h, w)` or `(n, h, w, c)`, in [-1, 1], and what they are."""

    label: str
    images: np.ndarray


def draw_rows(rows: Sequence[Row], path: Path, title: str) -> None:
    """One row of images under the other, each with its label on the left."""
    count = max(len(row.images) for row in rows)
    figure, axes = plt.subplots(
        len(rows), count, figsize=(0.72 * count + 1.2, 0.72 * len(rows) + 0.5), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for row, line in zip(rows, axes, strict=True):
        line[0].text(
            -0.15, 0.5, row.label, transform=line[0].transAxes, ha="right", va="center", fontsize=9
        )
        for image, axis in zip(_plots.to_pixels(row.images), line, strict=False):
            image = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
            axis.imshow(image, cmap="gray" if image.ndim == 2 else None, vmin=0, vmax=255)
    figure.suptitle(title, fontsize=10)
    figure.subplots_adjust(wspace=0.05, hspace=0.05, top=1 - 0.4 / (0.72 * len(rows) + 0.5))
    _plots.save(figure, path)


def draw_image_curves(lines: list[dict[str, Any]], path: Path) -> None:
    """Both players' losses, the discriminator's scores, and exact W1 against its floor."""
    train = [line for line in lines if line["kind"] == "train"]
    held = [line for line in lines if line["kind"] == "eval"]
    rounds, evaluated = [line["round"] for line in train], [line["round"] for line in held]
    column = lambda source, name: [line[name] for line in source]
    label = "round (generator steps)"
    losses = [
        Curve("generator", rounds, column(train, "loss_x"), "-", FAKE),
        Curve("discriminator", rounds, column(train, "loss_y"), "-", REAL),
    ]
    scores = [
        Curve("data", evaluated, column(held, "score_real"), "o-", REAL),
        Curve("generated", evaluated, column(held, "score_fake"), "s--", FAKE),
    ]
    distance = [
        Curve("generated to data", evaluated, column(held, "w1_exact"), "o-", FAKE),
        Curve("data to data", evaluated, column(held, "w1_floor"), ":", THEORY),
    ]
    _plots.panels(
        [
            Panel("Losses on training batches", label, "loss", losses),
            Panel("Scores of the discriminator", label, "mean score", scores),
            Panel("Exact $W_1$ between as many points", label, "pixel distance", distance),
        ],
        path,
        columns=3,
    )
