"""The tournament's tables: every number as CSV, and the few to read as Markdown."""

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recipes._tournament.play import VERDICTS

Line = dict[str, Any]

COLUMNS = (
    "game", "solver", "step_size", "grid_end", "stationarity", "distance", "factor_per_gradient",
    "verdict", "rounds", "gradients", "seconds_per_1000_rounds",
)  # fmt: skip
MARKS = dict(zip(VERDICTS, ("N", "m", "c", "s", "~", "o", "x"), strict=True))
"""One letter for each verdict."""
LEGEND = (
    "most starts ended: N at a Nash equilibrium, m at another local minimax, c at another critical "
    "point, s where the field is small, ~ still nearing, o circling, stuck or drifting away, "
    "x diverged"
)


def number(value: float | None) -> float:
    """A number of a line, in which infinity was written as null."""
    return math.inf if value is None else value


def budgets_of(lines: Sequence[Line]) -> str:
    """How many gradients each solver took, in words: some games have larger budgets."""
    budgets = {line["game"]: line["budget"] for line in lines}
    least = min(budgets.values())
    more = [f"{budget} on {game}" for game, budget in budgets.items() if budget > least]
    return f"{least} ({', '.join(more)})" if more else str(least)


def write_csv(lines: Sequence[Line], path: Path) -> None:
    """One row for each solver on each game; starts by verdict in columns of their own."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *(f"starts_{verdict}" for verdict in VERDICTS)])
        for line in lines:
            counts = [line["ended"].get(verdict, 0) for verdict in VERDICTS]
            writer.writerow([*(line[column] for column in COLUMNS), *counts])


def markdown(lines: Sequence[Line], cell: Callable[[Line], str]) -> str:
    """A table of solvers by games."""
    games = list(dict.fromkeys(line["game"] for line in lines))
    of = {(line["solver"], line["game"]): cell(line) for line in lines}
    rows = [["solver", *games], ["---"] * (len(games) + 1)]
    solvers = dict.fromkeys(line["solver"] for line in lines)
    rows.extend([solver, *(of.get((solver, game), "") for game in games)] for solver in solvers)
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def reached(line: Line) -> str:
    """Stationarity at the end, as a power of ten, and the mark of where it ended."""
    value = number(line["stationarity"])
    power = "" if math.isinf(value) else f"{max(math.log10(max(value, 1e-99)), -16):.1f} "
    return f"{power}{MARKS[line['verdict']]}"


def write_markdown(lines: Sequence[Line], path: Path) -> None:
    """Three tables: what was reached, how fast, and what a round costs."""
    rate = lambda line: "" if line["factor_per_gradient"] is None else (
        f"{line['factor_per_gradient']:.4f}"
    )  # fmt: skip
    path.write_text(
        f"log10 of stationarity after {budgets_of(lines)} gradients, median over starts; "
        f"{LEGEND}\n\n"
        + markdown(lines, reached)
        + "\nFactor by which one gradient multiplies stationarity\n\n"
        + markdown(lines, rate)
        + "\nMilliseconds a round, all plays at once\n\n"
        + markdown(lines, lambda line: f"{line['seconds_per_1000_rounds']:.3f}"),
        encoding="utf-8",
    )


def write_gan_table(lines: dict[str, Line], budget: int, seeds: int, path: Path) -> None:
    """Scores of every solver beside the data's, the largest overlap first after the data."""
    names = sorted(lines, key=lambda name: (name != "real data", -lines[name]["overlap"]))
    scores = {"overlap": 3, "modes": 1, "high_quality": 3, "reverse_kl": 3}
    rows = [
        ["solver", "overlap", "modes of 8", "high quality", "reverse KL", "step size", "rounds"]
    ]
    rows.append(["---"] * len(rows[0]))
    for name in names:
        line = lines[name]
        shown = [f"{line[s]:.{n}f} ± {line[s + '_error']:.{n}f}" for s, n in scores.items()]
        played = "step_size" in line
        end = "*" if line.get("grid_end") else ""
        rows.append([name, *shown, f"{line['step_size']:.2g}{end}" if played else "",
                     str(line["rounds"]) if played else ""])  # fmt: skip
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    path.write_text(
        f"After {budget} gradients; mean ± standard error over {seeds} seeds; * an end of the grid "
        f"of step sizes\n\n{table}",
        encoding="utf-8",
    )
