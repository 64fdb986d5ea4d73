"""A comparison on one panel: samples of every family, and beside them their numbers."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recipes._compare.comparison import CONFIDENT, REAL_DATA, SECONDS, W1, Comparison
from recipes._report import plots
from recipes._report.plots import COLOURS, FAKE, REAL, THEORY, Curve, Panel, new_figure

COLUMNS = 12
"""Images of a strip."""
CELL, METRIC, GAP = 0.62, 1.45, 0.22
LEFT, ABOVE, BELOW = 0.95, 0.62, 0.5
"""Inches: the side of an image, a metric's width, between axes, and the margins."""
FILLED = 0.9
"""Share of its cell that an image takes."""


def _shown_metrics(comparison: Comparison) -> dict[str, str]:
    """The metrics that are drawn, with their titles."""
    space = comparison.space
    titles = {
        f"Fréchet distance, {space}": "Fréchet distance\n(smaller is better)",
        W1: "exact $W_1$\n(smaller is better)",
        f"precision, {space}": "precision",
        f"recall, {space}": "recall",
        CONFIDENT: "confident share",
        SECONDS: "training\nseconds",
    }
    known = {metric for column in comparison.numbers.values() for metric in column}
    return {metric: title for metric, title in titles.items() if metric in known}


def draw_comparison(comparison: Comparison, path: Path) -> None:
    """One row for real data and for each family: a strip of images, and a dot for each metric."""
    rows = list(comparison.numbers)
    height, width = comparison.images[REAL_DATA].shape[1:3]
    columns = min(COLUMNS, comparison.size)
    strips, tall = columns * CELL * width / height, len(rows) * CELL
    metrics = _shown_metrics(comparison)
    page = (LEFT + strips + len(metrics) * (GAP + METRIC) + GAP, ABOVE + tall + BELOW)
    figure = new_figure(figsize=page)

    def axis_at(left: float, wide: float) -> Any:
        box = (left / page[0], BELOW / page[1], wide / page[0], tall / page[1])
        axis = figure.add_axes(box)
        axis.set_ylim(len(rows) - 0.5, -0.5)
        return axis

    _draw_strips(axis_at(LEFT, strips), comparison, rows, columns)
    for index, (metric, title) in enumerate(metrics.items()):
        axis = axis_at(LEFT + strips + GAP + index * (GAP + METRIC), METRIC)
        _draw_metric(axis, [comparison.numbers[row].get(metric, math.nan) for row in rows])
        axis.set_title(title, fontsize=9)
    figure.text(
        LEFT / page[0], 0.04 / page[1], fontsize=8, va="bottom",
        s=f"{comparison.size} images of each against the same real ones; Fréchet distance, "
        f"precision and recall in the features of a {comparison.space}; dashed: other real images",
    )  # fmt: skip
    plots.save(figure, path)


def draw_training(
    curves: Mapping[str, tuple[list[float], list[float]]], floor: float, path: Path
) -> None:
    """Exact W1 of every family's samples while it was trained, by its seconds of training.

    - `curves`: seconds and distances by family. `floor`: the distance of other real images.
    """
    lines = [
        Curve(name, *points, "o-", COLOURS[index % len(COLOURS)])
        for index, (name, points) in enumerate(curves.items())
    ]
    longest = max((points[0][-1] for points in curves.values() if points[0]), default=1.0)
    lines.append(Curve("other real images", [0, longest], [floor, floor], ":", THEORY))
    note = "each family's own evaluations, from the first after the start"
    panel = Panel(
        "Exact $W_1$ of samples while training", "seconds of training", "pixel distance", lines,
        log_y=True, note=note,
    )  # fmt: skip
    plots.panels([panel], path)


def _draw_strips(axis: Any, comparison: Comparison, rows: list[str], columns: int) -> None:
    """The first images of each row, next to each other."""
    for y, row in enumerate(rows):
        for x, image in enumerate(plots.to_pixels(comparison.images[row][:columns])):
            image = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
            extent = (x - FILLED / 2, x + FILLED / 2, y + FILLED / 2, y - FILLED / 2)
            cmap = "gray" if image.ndim == 2 else None
            axis.imshow(image, cmap=cmap, vmin=0, vmax=255, extent=extent, aspect="auto")
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(len(rows) - 0.5, -0.5), xticks=[])
    axis.set_yticks(range(len(rows)), rows, fontsize=10)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_title("samples", fontsize=9)


def _draw_metric(axis: Any, values: list[float]) -> None:
    """A dot and its number in each row; the first row's, of real data, as a line through all."""
    finite = np.isfinite(values)
    there = np.asarray(values)[finite]
    high = float(np.max(there, initial=0.0)) or 1.0
    low = min(0.0, float(np.min(there, initial=0.0)))
    axis.set_xlim(low - 0.06 * high, high * 1.6)
    if finite[0]:
        axis.axvline(values[0], color=THEORY, linestyle="--", linewidth=1, alpha=0.7)
    for y, value in enumerate(values):
        if finite[y]:
            color = REAL if y == 0 else FAKE
            axis.plot([low, value], [y, y], color=color, linewidth=1.2, alpha=0.6)
            axis.plot(value, y, "o", color=color, markersize=6)
            text = axis.text(value + 0.08 * high, y, f"{value:.3g}", va="center", fontsize=8)
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85})
    axis.set_yticks([])
    axis.tick_params(axis="x", labelsize=7)
    axis.locator_params(axis="x", nbins=3)
    axis.spines[["top", "right", "left"]].set_visible(False)
