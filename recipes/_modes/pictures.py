"""The pictures of recipes.modes: samples over time, modes over time, scores over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recipes._modes.data import ModeData
from recipes._modes.play import ModeSetting
from recipes._report import plots
from recipes._report.plots import FAKE, REAL, THEORY, subplots
from recipes._report.rows import Row, draw_rows

Kept = Sequence[tuple[int, np.ndarray]]
History = Sequence[dict[str, Any]]
SNAPSHOTS = 5


def _title(setting: ModeSetting) -> str:
    short = setting.solver.replace("extragradient", "EG").replace("_", " ")
    return f"{setting.method.replace('_', ' ')}\nby {short}"


def draw_samples(kept: Mapping[ModeSetting, Kept], real: np.ndarray, path: Path) -> None:
    """A row for each setting, the first seed's samples at some moments, and real points last."""
    side = 1.25 * float(np.abs(real).max())
    size = (1.75 * (SNAPSHOTS + 1) + 1.2, 1.8 * len(kept) + 0.5)
    figure, axes = subplots(
        len(kept), SNAPSHOTS + 1, figsize=size, squeeze=False, layout="constrained"
    )
    for row, (setting, moments) in zip(axes, kept.items(), strict=True):
        chosen = np.linspace(0, len(moments) - 1, SNAPSHOTS + 1).round().astype(int)[1:]
        for axis, index in zip(row, chosen, strict=False):
            round, points = moments[index]
            axis.scatter(*points.T, s=1.5, color=FAKE, alpha=0.5, linewidths=0)
            axis.set_title(f"round {round:,}", fontsize=8)
        row[-1].scatter(*real.T, s=1.5, color=REAL, alpha=0.5, linewidths=0)
        row[-1].set_title("data", fontsize=8)
        row[0].set_ylabel(_title(setting), fontsize=9)
    for axis in axes.flat:
        axis.set(xlim=(-side, side), ylim=(-side, side), aspect="equal", xticks=[], yticks=[])
    figure.suptitle(f"Samples of the first seed; axes from {-side:.2g} to {side:.2g}", fontsize=10)
    plots.save(figure, path)


def draw_images(
    kept: Mapping[ModeSetting, Kept], real: np.ndarray, path: Path, count: int = 12
) -> None:
    """Stacked images of each setting at the end, a row each, and real ones first."""
    rows = [Row("data", real[:count])]
    rows += [Row(_title(s), moments[-1][1][:count]) for s, moments in kept.items()]
    draw_rows(rows, path, "stacked images at the end")


def draw_occupancy(histories: Mapping[ModeSetting, History], modes: int, path: Path) -> None:
    """Share of each mode over time, first seed: a collapse is dark rows, a rotation slanted ones.

    Few modes only.
    """
    columns = min(4, len(histories))
    rows = -(-len(histories) // columns)
    figure, axes = subplots(
        rows, columns, figsize=(2.6 * columns + 0.9, 2.5 * rows + 0.4), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    image = None
    for axis, (setting, history) in zip(axes.flat, histories.items(), strict=False):
        counts = np.array([line["counts"][0] for line in history], float)
        share = counts / counts.sum(axis=1, keepdims=True)
        rounds = [line["round"] for line in history]
        image = axis.imshow(
            modes * share.T,
            aspect="auto",
            origin="lower",
            vmin=0,
            vmax=3,
            cmap=plots.time_map(),
            interpolation="nearest",
            extent=(0, rounds[-1], -0.5, modes - 0.5),
        )
        axis.set_title(_title(setting), fontsize=9)
        axis.tick_params(labelsize=7)
        axis.locator_params(axis="x", nbins=4)
    for axis in axes.flat[len(histories) :]:
        axis.axis("off")
    for axis in axes[:, 0]:
        axis.set_ylabel("mode", fontsize=8)
    for column in range(columns):
        last = max(r for r in range(rows) if r * columns + column < len(histories))
        axes[last, column].set_xlabel("round", fontsize=8)
    figure.suptitle("Which modes the first seed's samples are of", fontsize=10)
    if image is not None:
        bar = figure.colorbar(image, ax=axes, extend="max")
        bar.set_label("share of the samples, 1 for equal shares", fontsize=9)
    plots.save(figure, path)


def draw_scores(
    histories: Mapping[ModeSetting, History], data: ModeData, budget: int, path: Path
) -> None:
    """Modes captured, high quality and reverse KL over gradients, mean and standard error."""
    names = {
        "captured": f"modes captured, of {data.modes}",
        "high_quality": "share of high quality",
        "reverse_kl": "reverse KL, nats",
    }
    figure, axes = subplots(1, 3, figsize=(plots.WIDE, 4.4), layout="constrained")
    by_method = len({setting.method for setting in histories}) > 1
    for index, (setting, history) in enumerate(histories.items()):
        style = ("-", "--", ":")[index // len(plots.COLOURS) % 3]
        for axis, name in zip(axes, names, strict=True):
            values = np.array([line[name] for line in history], float)
            values = np.nan_to_num(values, nan=np.log(data.modes) if name == "reverse_kl" else 0)
            at = np.linspace(0, budget, len(values))
            count = values.shape[1]
            mean, error = values.mean(axis=1), values.std(axis=1) / np.sqrt(max(count - 1, 1))
            color = plots.COLOURS[index % len(plots.COLOURS)]
            label = (setting.method if by_method else setting.solver).replace("_", " ")
            axis.plot(at, mean, style, color=color, label=label, lw=1.4)
            axis.fill_between(at, mean - error, mean + error, color=color, alpha=0.12, lw=0)
    null = {"captured": data.modes, "high_quality": data.ceiling, "reverse_kl": 0.0}
    for axis, (name, label) in zip(axes, names.items(), strict=True):
        if null[name] is not None:
            axis.axhline(null[name], ls=":", color=THEORY, label="real data")
        axis.set(xlabel="gradients of a minibatch", ylabel=label)
        axis.grid(alpha=0.25)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=9, loc="outside lower center", ncols=5, frameon=False)
    what = "methods" if by_method else f"solvers on {next(iter(histories)).method}"
    title = f"{data.name}, {what}: mean and standard error over seeds"
    figure.suptitle(title.replace("_", " "), fontsize=11)
    plots.save(figure, path)
