"""Samples of several families judged alike: the same real points, as many of each."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from recipes._data import Dataset, hold_out
from recipes._features import features_of
from recipes._gan_data import exact_w1, judged_rows
from recipes._image_classes import class_numbers, judging
from recipes._sample_report import sample_numbers

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
