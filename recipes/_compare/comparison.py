"""Families judged alike, and their table."""

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from recipes._data import Dataset, hold_out
from recipes._data.training import judged_rows
from recipes._report.classifier import class_numbers, judging
from recipes._report.judge import exact_w1
from recipes._report.sample_metrics import features_of, sample_numbers

Column = dict[str, float | int]
"""Numbers of real data or of a family, by metric."""

REAL_DATA = "real"
W1 = "exact W1"
CONFIDENT, ENTROPY = "confident share", "class entropy share"
ROUNDS, SECONDS, PARAMETERS = "rounds", "training seconds", "parameters"


class Comparison(NamedTuple):
    """The columns of a comparison.

    - `numbers`: by column and metric; the first column is real points against real ones.
    - `images`: by column, what was judged. `size`: how many of each.
    - `space`: the features that distances and overlaps are taken in.
    """

    numbers: dict[str, Column]
    images: dict[str, np.ndarray]
    size: int
    space: str


def compare(data: Dataset, samples: Mapping[str, np.ndarray], seed: int) -> Comparison:
    """Judges the first samples of each family, as many as the family with the fewest has.

    Against the real points that `seed` chooses. The last of the features that fit the data is
    taken: a classifier's last layer where there are labels, else a random network.

    **Arguments:** `samples`: by family, shape `(n, *shape)` each, in [-1, 1].
    """
    size = min(len(points) for points in samples.values())
    real, other, rest = (data.points[rows] for rows in judged_rows(len(data.points), size, seed))
    space, to = list(features_of(data).items())[-1]
    judge = judging(*hold_out(data))
    flat = real.reshape(size, -1)
    on_device, rest = jnp.asarray(real), jnp.asarray(rest)

    def numbers_of(images: np.ndarray) -> Column:
        points = jnp.asarray(images, on_device.dtype)
        found: Column = {**sample_numbers(on_device, points, rest, {space: to})}
        found[W1] = exact_w1(flat, images.reshape(size, -1))
        if judge is not None:
            said = class_numbers(judge, points)
            found[CONFIDENT] = said["confident_share"]
            found[ENTROPY] = said["class_entropy_share"]
        return found

    images = {REAL_DATA: other} | {name: points[:size] for name, points in samples.items()}
    numbers = {name: numbers_of(points) for name, points in images.items()}
    return Comparison(numbers, images, size, space)


def training_numbers(path: Path, parameters: int) -> Column:
    """What a family's training took, from the summary of its run.

    - `training seconds`: rounds over rounds a second, without compilation and evaluation; nan for
      a run that was cut off after its last round, because nothing of it has been timed.
    """
    summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    rounds, rate = summary["rounds"], summary["rounds_per_second"]
    seconds = rounds / rate if rate else float("nan")
    return {ROUNDS: rounds, SECONDS: seconds, PARAMETERS: parameters}


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
