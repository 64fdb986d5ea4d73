"""The table of a comparison: a row for each metric, a column for each family."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from recipes._comparison import Comparison

BLANK = ""


def table_of(comparison: Comparison) -> list[list[float | int | str]]:
    """Rows of cells, the heads first; blank where a column has no such number."""
    numbers = comparison.numbers
    metrics = dict.fromkeys(metric for column in numbers.values() for metric in column)
    rows: list[list[float | int | str]] = [["metric", *numbers]]
    for metric in metrics:
        values = [column.get(metric, math.nan) for column in numbers.values()]
        rows.append([metric, *(value if math.isfinite(value) else BLANK for value in values)])
    return rows


def write_csv(comparison: Comparison, path: Path) -> None:
    """Every number in full."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(table_of(comparison))


def _shown(cell: float | int | str) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def write_markdown(comparison: Comparison, says: Mapping[str, str], path: Path) -> None:
    """compare.md; `says`: what each family is."""
    heads, *rows = table_of(comparison)
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    table = "".join(f"| {' | '.join(map(_shown, line))} |\n" for line in lines)
    families = "".join(f"- {name}: {text}.\n" for name, text in says.items())
    path.write_text(
        f"{comparison.size} samples of each family, and as many other real images, against the "
        f"same {comparison.size} real ones. Fréchet distance, KID, sliced W2 and overlaps are "
        f"taken in the features of a {comparison.space}, exact W1 between pixels. The column of "
        "real images is what a perfect generator measures with so few points: all numbers are "
        "better the nearer they are to it. It bounds nothing, and blurred or shrunk samples can "
        "have smaller distances than it. A "
        "nearest-neighbour ratio near 0 is a copy of a training point. Seconds are without "
        f"compilation and evaluation.\n\n{table}\n{families}",
        encoding="utf-8",
    )
