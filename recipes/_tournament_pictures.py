"""The tournament's pictures: a map of solvers by games, and curves over gradients and seconds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recipes import _plots
from recipes._plots import Curve, Panel, subplots
from recipes._tournament_tables import LEGEND, MARKS, Line, budgets_of, number

FLOOR = 1e-16
"""What is smaller is rounding."""
BASELINES = ("simultaneous", "extragradient")
"""Drawn in every panel, black and blue."""


def draw_map(lines: Sequence[Line], path: Path) -> None:
    """One field for each solver on each game: its colour is what was reached, its letter where."""
    games = list(dict.fromkeys(line["game"] for line in lines))
    solvers = list(dict.fromkeys(line["solver"] for line in lines))
    values = np.full((len(solvers), len(games)), np.nan)
    figure, axis = subplots(figsize=(3.4 + 0.75 * len(games), 2.6 + 0.27 * len(solvers)))
    for line in lines:
        row, column = solvers.index(line["solver"]), games.index(line["game"])
        power = np.log10(np.clip(number(line["stationarity"]), FLOOR, 1e2))
        values[row, column] = power
        colour = "white" if power < -7 else "black"
        mark = MARKS[line["verdict"]]
        axis.text(column, row, mark, ha="center", va="center", color=colour, fontsize=9)
    image = axis.imshow(values, cmap="viridis", vmin=-14, vmax=2, aspect="auto")
    axis.set_xticks(range(len(games)), games, rotation=40, ha="right", fontsize=9)
    axis.set_yticks(range(len(solvers)), solvers, fontsize=9)
    axis.set(xlabel="game", ylabel="solver, each at its best step size")
    label = f"log10 of stationarity after {budgets_of(lines)} gradients"
    figure.colorbar(image, label=label, extend="min")
    first, second = LEGEND.split("point, s")
    axis.set_title(f"{first}point,\ns{second}", fontsize=8, loc="right")
    _plots.save(figure, path)


def draw_curves(lines: Sequence[Line], over: str, path: Path) -> None:
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
        colours = {"simultaneous": "black", "extragradient": "C0"}
        for index, line in enumerate(named):
            colour = colours.get(line["solver"], f"C{index + 1}")
            curves.append(_curve(line, over, line["solver"], colour))
        label = "gradients, a Hessian product being 2"
        if over == "seconds":
            label = "seconds, all plays at once, warm"
        panels.append(Panel(game, label, "stationarity, median", curves, True, over == "seconds"))
    _plots.panels(panels, path, columns=3)


def _curve(line: Line, over: str, label: str, colour: str) -> Curve:
    ys = [number(value) for value in line["curve"]]
    end = line["seconds"] if over == "seconds" else line["budget"]
    ys = np.where(np.isfinite(ys), np.clip(ys, FLOOR, 1e3), np.nan)
    return Curve(label, np.linspace(0, end, len(ys)), ys, "-", colour)


def _area(line: Line) -> float:
    """Smaller for what is lower for longer."""
    ys = np.array([number(value) for value in line["curve"]])
    return float(np.sum(np.log10(np.clip(ys, FLOOR, 1e3))))
