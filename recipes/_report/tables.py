"""Tables as Markdown and as CSV, and numbers with their standard errors."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

Cells = Sequence[Any]
"""The cells of a row, or the heads of the columns."""


def markdown(heads: Cells, rows: Iterable[Cells]) -> str:
    """A Markdown table, all columns but the first to the right; floats get four digits.

    Blank cells stand for `None`.
    """
    ends = ["---", *("---:" for _ in heads[1:])]
    lines = [[_shown(cell) for cell in line] for line in (heads, ends, *rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _shown(cell: Any) -> str:
    if cell is None:
        return ""
    text = f"{cell:.4g}" if isinstance(cell, float) else str(cell)
    return text.replace("|", "\\|")


def write_csv(heads: Cells, rows: Iterable[Cells], path: Path) -> None:
    """Writes every number in full; `None` is a blank cell."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heads)
        writer.writerows(rows)


def picked(lines: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> list[list[Any]]:
    """Rows of lines with named numbers; `None` where a line lacks one."""
    return [[line.get(column) for column in columns] for line in lines]


def mean_and_error(values: Any) -> tuple[float, float | None]:
    """The mean of values of shape `(n,)` and its standard error: `None` for a single value."""
    error = float(stats.sem(values)) if len(values) > 1 else None
    return float(np.mean(values)), error


def means_with_errors(scores: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """The mean of each score as `NAME`, and its standard error as `NAME_error`.

    **Arguments:** `scores`: each of shape `(seeds,)`.
    """
    found = {name: mean_and_error(values) for name, values in scores.items()}
    return {f"{name}{end}": value for name, pair in found.items()
            for end, value in zip(("", "_error"), pair, strict=True)}  # fmt: skip


def plus_minus(value: float, error: float | None, digits: int, unit: str = "") -> str:
    """A number with its error, both with as many digits after the point: `0.512 ± 0.003`."""
    spread = "" if error is None else f" ± {error:.{digits}f}"
    return f"{value:.{digits}f}{spread}{unit}"
