"""Pictures of a tournament."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recipes._report import plots
from recipes._report.plots import FAKE, REAL, THEORY, Curve, Panel, subplots
from recipes._tournament.tables import LEGEND, MARKS, PlayLine, budgets_of, number

FLOOR = 1e-16
"""Smallest value drawn: below it is rounding."""
BASELINES = ("simultaneous", "extragradient")
"""Drawn in every panel, black and blue."""


def draw_map(lines: Sequence[PlayLine], path: Path) -> None:
    """One field for each solver on each game: its colour is what was reached, its letter where."""
    games = list(dict.fromkeys(line["game"] for line in lines))
    solvers = list(dict.fromkeys(line["solver"] for line in lines))
    values = np.full((len(solvers), len(games)), np.nan)
    figure, axis = subplots(figsize=(3.4 + 0.75 * len(games), 2.6 + 0.27 * len(solvers)))
    for line in lines:
        row, column = solvers.index(line["solver"]), games.index(line["game"])
        power = np.log10(np.clip(number(line["stationarity"]), FLOOR, 1e2))
        values[row, column] = power
        colour = "white" if power < -3 else "black"
        mark = MARKS[line["verdict"]]
        axis.text(column, row, mark, ha="center", va="center", color=colour, fontsize=9)
    image = axis.imshow(values, cmap=plots.time_map(), vmin=-14, vmax=2, aspect="auto")
    axis.set_xticks(range(len(games)), games, rotation=40, ha="right", fontsize=9)
    axis.set_yticks(range(len(solvers)), solvers, fontsize=9)
    axis.set(xlabel="game", ylabel="solver, each at its best step size")
    label = f"log10 of stationarity after {budgets_of(lines)} gradients"
    figure.colorbar(image, label=label, extend="min")
    legend = "\n".join(textwrap.wrap(LEGEND, 76))
    figure.text(0.5, 0.0, legend, ha="center", va="top", fontsize=9)
    plots.save(figure, path)


def draw_curves(lines: Sequence[PlayLine], over: str, path: Path) -> None:
    """Stationarity of every solver over `gradients` or `seconds`: a panel for each game.

    In colour are the baselines and the five that are below all others for longest.
    """
    panels = []
    for game in dict.fromkeys(line["game"] for line in lines):
        mine = [line for line in lines if line["game"] == game]
        best = sorted(mine, key=_area)[:5]
        named = [line for line in mine if line["solver"] in BASELINES] + [
            line for line in best if line["solver"] not in BASELINES
        ]
        others = [line for line in mine if line not in named]
        # One entry of the legend, in which matplotlib leaves out what begins with "_".
        curves = [
            _curve(line, over, "_" if index else "the others", "#cccccc")
            for index, line in enumerate(others)
        ]
        colours = {"simultaneous": "black", "extragradient": plots.COLOURS[0]}
        for index, line in enumerate(named):
            colour = colours.get(line["solver"], plots.COLOURS[index % len(plots.COLOURS)])
            curves.append(_curve(line, over, line["solver"], colour))
        label = "gradients (a Hessian product counts as 2)"
        if over == "seconds":
            label = "seconds, all plays at once, warm"
        panels.append(Panel(game, label, "stationarity, median", curves, True, over == "seconds"))
    plots.panels(panels, path, columns=2)


def _curve(line: PlayLine, over: str, label: str, colour: str) -> Curve:
    ys = [number(value) for value in line["curve"]]
    end = line["seconds"] if over == "seconds" else line["budget"]
    ys = np.where(np.isfinite(ys), np.clip(ys, FLOOR, 1e3), np.nan)
    return Curve(label, np.linspace(0, end, len(ys)), ys, "-", colour)


def _area(line: PlayLine) -> float:
    """Smaller for what is lower for longer."""
    ys = np.array([number(value) for value in line["curve"]])
    return float(np.sum(np.log10(np.clip(ys, FLOOR, 1e3))))


SHOWN = 1000
"""Samples in a panel, of the first seed."""


def draw_samples(lines: dict[str, PlayLine], samples: dict[str, np.ndarray], path: Path) -> None:
    """One panel for each solver, the largest overlap first after the data."""
    names = sorted(samples, key=lambda name: (name != "real data", -lines[name]["overlap"]))
    columns = min(6, len(names))
    rows = -(-len(names) // columns)
    size = (2.3 * columns, 2.55 * rows + 0.4)
    figure, axes = subplots(rows, columns, figsize=size, squeeze=False, sharex=True, sharey=True)
    for axis, name in zip(axes.flat, names, strict=False):
        line, colour = lines[name], REAL if name == "real data" else FAKE
        axis.scatter(*samples[name][0, :SHOWN].T, s=2, color=colour, alpha=0.5, linewidths=0)
        short = name.replace("extragradient", "EG").replace("_", " ")
        axis.set_title(
            f"{short}\n{line['modes']:.1f} modes, {100 * line['high_quality']:.0f} %", fontsize=9
        )
        axis.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    for axis in axes[-1]:
        axis.set_xlabel("$x_1$")
    for axis in axes[:, 0]:
        axis.set_ylabel("$x_2$")
    figure.suptitle(
        "Samples of one seed; modes captured and share of high quality are means over seeds",
        fontsize=10,
    )
    figure.tight_layout()
    plots.save(figure, path)


def draw_gan_curves(lines: dict[str, PlayLine], budget: int, path: Path) -> None:
    """The overlap over gradients: the six best in colour, the others grey."""
    played = {name: line for name, line in lines.items() if "curve" in line}
    best = sorted(played, key=lambda name: -played[name]["overlap"])[:6]
    figure, axis = subplots(figsize=(8.2, 3.8))
    for name in sorted(played, key=lambda name: name in best):
        ys = played[name]["curve"]
        colour = plots.COLOURS[best.index(name)] if name in best else "#cccccc"
        # One entry of the legend, in which matplotlib leaves out what begins with "_".
        label = name if name in best else "_" if axis.lines else "the others"
        axis.plot(np.linspace(0, budget, len(ys)), ys, color=colour, label=label, lw=1.4)
    axis.axhline(lines["real data"]["overlap"], ls=":", color=THEORY, label="real data")
    axis.set(xlabel="gradients of a minibatch (a Hessian product counts as 2)", ylim=(0, 1))
    axis.set(ylabel="overlap with the modes", title="GAN on eight Gaussians, mean over seeds")
    axis.grid(alpha=0.25)
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    plots.save(figure, path)
