"""Pictures: every one has labelled axes, and a legend that says what the theory is."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

REAL, FAKE, THEORY = "#4c72b0", "#dd8452", "#222222"
PERFECT = "other data: a perfect generator's W1 with so few points"
"""The legend of W1 between two batches of data; blurred or shrunk samples can be below it."""


class Curve(NamedTuple):
    """One line of a panel: `x` and `y` of the same length, drawn in `style`."""

    label: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    style: str = "-"
    color: str | None = None


class Panel(NamedTuple):
    """One set of axes."""

    title: str
    x_label: str
    y_label: str
    curves: Sequence[Curve]
    log_y: bool = False
    log_x: bool = False


def new_figure(**options: Any) -> Figure:
    """A figure of its own, which is not pyplot's: no window, and no state that others share.

    **Arguments:** `options`: of `matplotlib.figure.Figure`, such as `figsize` and `layout`.
    """
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure


def subplots(
    rows: int = 1,
    columns: int = 1,
    *,
    figsize: tuple[int | float, int | float] | None = None,
    layout: Any = None,
    **options: Any,
) -> tuple[Figure, Any]:
    """A new figure and its axes, which are what `Figure.subplots` gives for the `options`."""
    figure = new_figure(figsize=figsize, layout=layout)
    return figure, figure.subplots(rows, columns, **options)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure."""
    figure.savefig(path, dpi=110, bbox_inches="tight")


def panels(parts: Sequence[Panel], path: Path, columns: int = 2) -> None:
    """Several panels of curves on one page."""
    columns = min(columns, len(parts))
    rows = -(-len(parts) // columns)
    figure, axes = subplots(rows, columns, figsize=(5.6 * columns, 3.6 * rows), squeeze=False)
    for axis, part in zip(axes.flat, parts, strict=False):
        for curve in part.curves:
            axis.plot(curve.x, curve.y, curve.style, label=curve.label, color=curve.color, lw=1.4)
        axis.set(title=part.title, xlabel=part.x_label, ylabel=part.y_label)
        if part.log_y:
            axis.set_yscale("log")
        if part.log_x:
            axis.set_xscale("log")
        axis.grid(alpha=0.25)
        axis.legend(fontsize=8)
    for axis in axes.flat[len(parts) :]:
        axis.axis("off")
    figure.tight_layout()
    save(figure, path)


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1], `(n, h, w)` or `(n, h, w, c)`, to bytes."""
    return np.clip((images + 1) * 127.5 + 0.5, 0, 255).astype(np.uint8)


def image_grid(images: np.ndarray, path: Path, columns: int = 10, side: int = 512) -> None:
    """A grid of images, enlarged without smoothing to about `side` pixels."""
    images = to_pixels(images)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    rows = len(images) // columns
    height, width = images.shape[1:3]
    gap = 1
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, *images.shape[3:])
    page = np.full(shape, 90, np.uint8)
    for index in range(rows * columns):
        row, column = divmod(index, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        page[top : top + height, left : left + width] = images[index]
    scale = max(1, round(side / page.shape[1]))
    Image.fromarray(page).resize(
        (page.shape[1] * scale, page.shape[0] * scale), Image.Resampling.NEAREST
    ).save(path)


def plane_limits(points: np.ndarray, margin: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """The corners of a window around points of shape `(n, 2)`."""
    low, high = np.quantile(points, 0.001, axis=0), np.quantile(points, 0.999, axis=0)
    pad = margin * (high - low).max()
    return low - pad, high + pad


def plane_grid(limits: tuple[np.ndarray, np.ndarray], side: int = 80) -> np.ndarray:
    """Points `(side * side, 2)` that cover a window, row by row from its lower left."""
    xs, ys = (np.linspace(low, high, side) for low, high in zip(*limits, strict=True))
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)


def plane(
    real: np.ndarray,
    fake: np.ndarray,
    path: Path,
    title: str,
    limits: tuple[np.ndarray, np.ndarray],
    scores: np.ndarray | None = None,
    score_label: str = "critic f(x)",
) -> None:
    """Samples on the data, over the contours of the critic on `plane_grid(limits)`."""
    figure, axis = subplots(figsize=(6.2, 5.4))
    if scores is not None:
        side = int(len(scores) ** 0.5)
        xs, ys = (np.linspace(low, high, side) for low, high in zip(*limits, strict=True))
        filled = axis.contourf(xs, ys, scores.reshape(side, side), 24, cmap="Greys_r", alpha=0.7)
        figure.colorbar(filled, label=score_label)
    axis.scatter(*real.T, s=5, color=REAL, alpha=0.55, label="data", linewidths=0)
    axis.scatter(*fake.T, s=5, color=FAKE, alpha=0.75, label="generated", linewidths=0)
    (left, bottom), (right, top) = limits
    axis.set(xlim=(left, right), ylim=(bottom, top), xlabel="$x_1$", ylabel="$x_2$", title=title)
    axis.set_aspect("equal")
    axis.legend(loc="upper right", fontsize=8, markerscale=3)
    save(figure, path)


def over_time(samples: Path, path: Path, most: int = 6) -> None:
    """The pictures of a samples/ folder side by side, earliest first; damaged ones are left out."""
    pictures = [picture for picture in sorted(samples.glob("[0-9]*.png")) if _is_readable(picture)]
    if not pictures:
        return
    if len(pictures) > most:
        chosen = np.linspace(0, len(pictures) - 1, most).round().astype(int)
        pictures = [pictures[i] for i in chosen]
    figure, axes = subplots(1, len(pictures), figsize=(3.4 * len(pictures), 3.7), squeeze=False)
    for axis, picture in zip(axes.flat, pictures, strict=True):
        axis.imshow(Image.open(picture).convert("RGB"))
        axis.set_title(f"round {int(picture.stem):,}", fontsize=10)
        axis.axis("off")
    figure.tight_layout()
    save(figure, path)


def _is_readable(picture: Path) -> bool:
    try:
        with Image.open(picture) as image:
            image.load()
    except Exception as error:  # whatever Pillow raises of damaged bytes
        print(f"left out {picture}: it is damaged ({type(error).__name__})", file=sys.stderr)
        return False
    return picture.stem.isdecimal()


def bars(values: dict[str, float], path: Path, title: str, y_label: str) -> None:
    """One bar for each name, on a logarithmic axis."""
    figure, axis = subplots(figsize=(6.2, 3.6))
    axis.bar(list(values), list(values.values()), color=REAL)
    axis.set(title=title, ylabel=y_label, yscale="log")
    axis.tick_params(axis="x", rotation=30)
    save(figure, path)
