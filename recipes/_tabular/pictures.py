"""Pictures of generated tables: rows by class, marginals, correlations."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex

from recipes._data import Column, Table
from recipes._gans.wgan_pictures import Columns, gradients_panel, slopes_panel
from recipes._report import plots
from recipes._report.plots import FAKE, PERFECT, REAL, ROUNDS, THEORY, Curve, Panel, subplots
from recipes._report.samples import corners, w1_note
from recipes._report.views import Points, Snapshot, View
from recipes._runtime.run import RunFolder
from recipes._tabular.reports import Report

COLOURS = [to_hex(color) for color in matplotlib.colormaps["tab10"](range(10))]


class ClassPictures:
    """Generated rows over the held-out ones, each class in its colour, on two principal axes.

    - `points`: the training rows that the axes are of, `(n, d)`; `train`: their table.
    - `held_out`: the table whose labels the generated rows have, in their order.
    """

    def __init__(self, folder: RunFolder, points: np.ndarray, held_out: Table, train: Table):
        self.folder, self.labels, self.train = folder, held_out.labels, train
        self.centre = points.mean(axis=0)
        self.axes = np.linalg.svd(points - self.centre, full_matrices=False)[2][:2].T
        self.real = (points - self.centre) @ self.axes
        self.limits = plots.plane_limits(self.real, margin=0.1)

    def __call__(self, fake: np.ndarray, round: int, numbers: dict[str, Any]) -> None:
        """Draw samples/ROUND.png."""
        drawn, label = (fake - self.centre) @ self.axes, self.train.label
        assert label.categories is not None
        layers = []
        for place, text in enumerate(label.categories[: len(COLOURS)]):
            real, made = self.real[self.train.labels == place], drawn[self.labels == place]
            colour = COLOURS[place]
            layers.append(Points(f"{text}, real training rows", real, colour, size=9.0, alpha=0.35))
            layers.append(Points(f"{text}, generated", made, colour, "x", size=26.0, alpha=1.0))
        axes = "first principal axis", "second principal axis"
        view = View(label.name, *axes, *corners(self.limits), layers, equal=True)
        snapshot = Snapshot(round, w1_note(numbers), [view])
        plots.draw_snapshot(snapshot, self.folder.path / "samples")


MOST_MARGINALS = 30
MOST_LABELS = 45


def draw_marginals(report: Report, path: Path) -> None:
    """Each column's training rows, generated rows, and their distances to the held-out ones.

    Of a table with more columns than fit, those that are furthest from the held-out rows.
    """
    order = np.argsort(-report.marginals)[:MOST_MARGINALS]
    count = min(6, len(order))
    rows = -(-len(order) // count)
    size = (2.7 * count, 2 * rows + 0.7)
    figure, axes = subplots(rows, count, figsize=size, squeeze=False, layout="constrained")
    for axis, place in zip(axes.flat, np.sort(order), strict=False):
        column = report.train.columns[place]
        pair = [t.values[:, place] for t in (report.train, report.generated[0])]
        (_counts if column.categories else _histogram)(axis, column, *pair)
        measure = "TV" if column.categories else "W1"
        numbers = (
            f"{measure} {report.marginals[place]:.2f} (real {report.marginals_real[place]:.2f})"
        )
        axis.set_title(f"{column.name}\n{numbers}", fontsize=8)
        axis.tick_params(labelsize=6)
        axis.set_yticks([])
    for axis in axes.flat[len(order) :]:
        axis.axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    left_out = len(report.marginals) - len(order)
    more = f"; {left_out} columns that are nearer are not shown" if left_out else ""
    title = f"distance to held-out rows: of generated rows, and in brackets of training rows{more}"
    figure.legend(handles, labels, loc="outside upper center", ncols=2, title=title)
    plots.save(figure, path)


def _histogram(axis: Any, column: Column, real: np.ndarray, fake: np.ndarray) -> None:
    del column
    both = np.concatenate([real, fake])
    edges = np.linspace(both.min(), max(both.max(), both.min() + 1e-9), 25)
    axis.hist(real, edges, density=True, color=REAL, alpha=0.45, label="real training rows")
    axis.hist(fake, edges, density=True, color=FAKE, histtype="step", lw=1.5, label="generated")


def _counts(axis: Any, column: Column, real: np.ndarray, fake: np.ndarray) -> None:
    assert column.categories is not None
    places = np.arange(len(column.categories))
    shares = [np.bincount(v.astype(int), minlength=len(places)) / len(v) for v in (real, fake)]
    axis.bar(places - 0.2, shares[0], 0.4, color=REAL, alpha=0.45, label="real training rows")
    axis.bar(places + 0.2, shares[1], 0.4, color=FAKE, label="generated")
    texts = [_short(text) for text in column.categories]
    axis.set_xticks(places, texts, rotation=0 if sum(map(len, texts)) < 24 else 90)


def _short(text: str, most: int = 14) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def draw_correlations(report: Report, path: Path) -> None:
    """Correlations of held-out rows, of generated rows, and the second minus the first."""
    real, fake = report.correlations
    label = report.train.label
    names = [*report.features.names, *(f"{label.name}={text}" for text in label.categories or ())]
    gap = next(line for line in report.lines if line.name == "correlation_difference")
    titles = [
        "real: held-out rows",
        "generated rows",
        f"generated minus real: mean size {gap.generated[0]:.3f}\n"
        f"(training rows minus held-out: {gap.real[0]:.3f})",
    ]
    side = max(4.6, 0.16 * len(names))
    figure, axes = subplots(1, 3, figsize=(3 * side + 2.5, side + 1.5), layout="constrained")
    shown: Any = None
    for axis, matrix, title in zip(axes, (real, fake, fake - real), titles, strict=True):
        shown = axis.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
        axis.set_title(title, fontsize=11)
        axis.set(xticks=[], yticks=[])
        if len(names) <= MOST_LABELS:
            texts = [_short(name, 26) for name in names]
            axis.set_xticks(range(len(names)), texts, rotation=90, fontsize=7)
            if axis is axes[0]:
                axis.set_yticks(range(len(names)), texts, fontsize=7)
    figure.colorbar(shown, ax=axes, label="correlation", shrink=0.8)
    plots.save(figure, path)


def draw_curves(lines: list[dict[str, Any]], path: Path) -> None:
    """Draw curves.png from the lines of metrics.jsonl."""
    train, judged = plots.columns_of(lines, "train"), plots.columns_of(lines, "eval")
    # At round 0 the critic has learned nothing, so that what it says there is not drawn.
    later = plots.columns_of(lines, "eval", after=0)
    parts = [
        _distances(judged),
        _critic(train, later),
        slopes_panel(later, "gp"),
        gradients_panel(later),
    ]
    plots.panels(parts, path)


def _distances(judged: Columns) -> Panel:
    rounds = judged["round"]
    curves = [
        Curve("generated to held-out rows", rounds, judged["w1_exact"], "o-", FAKE),
        Curve("generated to training rows", rounds, judged["w1_train"], "^--", "#937860"),
        Curve(PERFECT, rounds, judged["w1_floor"], ":", THEORY),
    ]
    return Panel("Exact W1 (optimal transport)", ROUNDS, "in the units of training", curves)


def _critic(train: Columns, later: Columns) -> Panel:
    estimate = "wasserstein_estimate"
    curves = [
        Curve("on training batches", train["round"], train[estimate], "-", "#8fadd6"),
        Curve("on held-out rows, never seen", later["round"], later[estimate], "s-", REAL),
        Curve("weighted penalty", train["round"], train["penalty"], "-", FAKE),
    ]
    return Panel("E f(real) - E f(generated), no penalty in it", ROUNDS, "critic's score", curves)
