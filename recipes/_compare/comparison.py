"""Families judged alike, and their table."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from recipes._data import Dataset, hold_out
from recipes._data.training import judged_rows
from recipes._report import tables
from recipes._report.classifier import class_numbers, judging
from recipes._report.judge import exact_w1
from recipes._report.plots import columns_of
from recipes._report.sample_metrics import features_of, sample_numbers
from recipes._runtime.metrics_file import MetricsFile

FamilyNumbers = dict[str, float | int]
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

    numbers: dict[str, FamilyNumbers]
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

    def numbers_of(images: np.ndarray) -> FamilyNumbers:
        points = jnp.asarray(images, on_device.dtype)
        found: FamilyNumbers = {**sample_numbers(on_device, points, rest, {space: to})}
        found[W1] = exact_w1(flat, images.reshape(size, -1))
        if judge is not None:
            said = class_numbers(judge, points)
            found[CONFIDENT] = said["confident_share"]
            found[ENTROPY] = said["class_entropy_share"]
        return found

    images = {REAL_DATA: other} | {name: points[:size] for name, points in samples.items()}
    numbers = {name: numbers_of(points) for name, points in images.items()}
    return Comparison(numbers, images, size, space)


def training_numbers(path: Path, parameters: int) -> FamilyNumbers:
    """Cost of a family's training, from the summary of its run.

    - `training seconds`: rounds over rounds a second, without compilation and evaluation; nan for
      a run that was cut off after its last round, because nothing of it has been timed.
    """
    summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    rounds, rate = summary["rounds"], summary["rounds_per_second"]
    seconds = rounds / rate if rate else float("nan")
    return {ROUNDS: rounds, SECONDS: seconds, PARAMETERS: parameters}


def training_curve(path: Path) -> tuple[list[float], list[float]]:
    """Seconds of training and the exact W1 of a family's samples, at its evaluations."""
    summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    held = columns_of(MetricsFile(path).read(), "eval", after=0)
    rate = summary["rounds_per_second"]
    if not rate or "w1_exact" not in held:
        return [], []
    return [round / rate for round in held["round"]], held["w1_exact"]


def _rows_of(comparison: Comparison) -> list[list[float | int | str | None]]:
    """A row of cells for each metric; `None` where a column has no such number."""
    numbers = comparison.numbers
    metrics = dict.fromkeys(metric for column in numbers.values() for metric in column)
    rows: list[list[float | int | str | None]] = []
    for metric in metrics:
        values = [column.get(metric, math.nan) for column in numbers.values()]
        rows.append([metric, *(value if math.isfinite(value) else None for value in values)])
    return rows


def write_csv(comparison: Comparison, path: Path) -> None:
    """Writes every number in full."""
    tables.write_csv(["metric", *comparison.numbers], _rows_of(comparison), path)


def write_markdown(comparison: Comparison, says: Mapping[str, str], path: Path) -> None:
    """Writes compare.md; `says`: what each family is."""
    table = tables.markdown(["metric", *comparison.numbers], _rows_of(comparison))
    families = "".join(f"- {name}: {text}.\n" for name, text in says.items())
    path.write_text(
        f"{comparison.size} samples of each family, and {comparison.size} other real images, "
        f"against the same {comparison.size} real ones. Fréchet distance, KID, sliced W2 and "
        f"overlaps are taken in the features of a {comparison.space}, exact W1 between pixels. The "
        "column of real images is what a perfect generator measures with these sample sizes: all "
        "numbers are better the nearer they are to it. It bounds nothing, and blurred or shrunk "
        "samples can have smaller distances than it. A nearest-neighbour ratio near 0 is a copy of "
        "a training point. Seconds are without compilation and evaluation.\n\n"
        f"{table}\n{families}",
        encoding="utf-8",
    )
