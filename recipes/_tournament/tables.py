"""The tournament's tables: every number as CSV, and the few to read as Markdown."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from recipes._report.tables import markdown, picked, plus_minus, write_csv
from recipes._tournament.play import VERDICTS

PlayLine = dict[str, Any]
"""A solver on a game, as metrics.jsonl has it."""

COLUMNS = (
    "game", "solver", "step_size", "grid_end", "stationarity", "distance", "factor_per_gradient",
    "verdict", "rounds", "gradients", "seconds_per_1000_rounds",
)  # fmt: skip
MARKS = dict(zip(VERDICTS, ("N", "m", "c", "s", "~", "o", "x"), strict=True))
"""One letter for each verdict."""
LEGEND = (
    "most starts ended: N at a Nash equilibrium, m at another local minimax, c at another critical "
    "point, s at rest or where the field is small, ~ still moving, o on a closed orbit, x diverged"
)


def number(value: float | None) -> float:
    """A number of a line, in which infinity was written as null."""
    return math.inf if value is None else value


def budgets_of(lines: Sequence[PlayLine]) -> str:
    """Budgets in words: some games have larger ones."""
    budgets = {line["game"]: line["budget"] for line in lines}
    least = min(budgets.values())
    more = [f"{budget} on {game}" for game, budget in budgets.items() if budget > least]
    return f"{least} ({', '.join(more)})" if more else str(least)


def write_table_csv(lines: Sequence[PlayLine], path: Path) -> None:
    """One row for each solver on each game; starts by verdict in columns of their own."""
    heads = [*COLUMNS, *(f"starts_{verdict}" for verdict in VERDICTS)]
    counts = [[line["ended"].get(verdict, 0) for verdict in VERDICTS] for line in lines]
    rows = [[*row, *more] for row, more in zip(picked(lines, COLUMNS), counts, strict=True)]
    write_csv(heads, rows, path)


def _solvers_by_games(lines: Sequence[PlayLine], cell: Callable[[PlayLine], str]) -> str:
    games = list(dict.fromkeys(line["game"] for line in lines))
    of = {(line["solver"], line["game"]): cell(line) for line in lines}
    solvers = dict.fromkeys(line["solver"] for line in lines)
    return markdown(
        ["solver", *games], ([solver, *(of.get((solver, g)) for g in games)] for solver in solvers)
    )


def reached(line: PlayLine) -> str:
    """Stationarity at the end, as a power of ten, and the mark of where it ended."""
    value = number(line["stationarity"])
    power = "" if math.isinf(value) else f"{max(math.log10(max(value, 1e-99)), -16):.1f} "
    return f"{power}{MARKS[line['verdict']]}"


def write_tables(lines: Sequence[PlayLine], path: Path) -> None:
    """Three tables: what was reached, how fast, and what a round costs."""
    rate = lambda line: "" if line["factor_per_gradient"] is None else (
        f"{line['factor_per_gradient']:.4f}"
    )  # fmt: skip
    cost = lambda line: f"{line['seconds_per_1000_rounds']:.3f}"
    path.write_text(
        f"log10 of stationarity after {budgets_of(lines)} gradients, median over starts; "
        f"{LEGEND}\n\n{_solvers_by_games(lines, reached)}\n"
        f"Factor by which one gradient multiplies stationarity\n\n{_solvers_by_games(lines, rate)}"
        f"\nMilliseconds a round, all plays at once\n\n{_solvers_by_games(lines, cost)}",
        encoding="utf-8",
    )


def write_gan_table(lines: dict[str, PlayLine], budget: int, seeds: int, path: Path) -> None:
    """Scores of every solver beside the data's, the largest overlap first after the data."""
    names = sorted(lines, key=lambda name: (name != "real data", -lines[name]["overlap"]))
    scores = {"overlap": 3, "modes": 1, "high_quality": 3, "reverse_kl": 3}
    heads = ["overlap", "modes of 8", "high quality", "reverse KL", "step size", "rounds"]
    rows = []
    for name in names:
        line = lines[name]
        shown = [plus_minus(line[score], line[f"{score}_error"], n) for score, n in scores.items()]
        end = "*" if line.get("grid_end") else ""
        step = f"{line['step_size']:.2g}{end}" if "step_size" in line else None
        rows.append([name, *shown, step, line.get("rounds")])
    path.write_text(
        f"After {budget} gradients; mean ± standard error over {seeds} seeds; * an end of the grid "
        f"of step sizes\n\n{markdown(['solver', *heads], rows)}",
        encoding="utf-8",
    )
