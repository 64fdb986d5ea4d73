"""A data set as models are trained on it, and the rows of it that samples are compared with."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

import gameopt as go
from recipes._data.dataset import Dataset, hold_out, standardized
from recipes._data.sources import NAMES, has_test_split, load
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1
from recipes._runtime.run import FolderArgs

MOST_REST = 10_000
"""The most other training points that are searched for nearest neighbours."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataArgs(FolderArgs):
    """The flags of a data set that is trained on by minibatches."""

    data: str = "digits"
    """digits (scikit-learn's 8x8), mnist, fashion_mnist or cifar10 (files in --data-dir), ring,
    grid, swiss_roll, a .npy or .npz file, or a folder of images."""
    data_dir: Path | None = None
    """Folder with the four IDX files of mnist or fashion_mnist, gzipped or not; or with the batches
    of cifar10, binary or for Python."""
    standardize: bool = True
    """For vectors and points in the plane from a file: train on columns of mean 0 and deviation 1.
    Distances are then in deviations; generated.npy is in the file's units."""
    image_size: int | None = None
    """Height and width to which the pictures of a folder are resized and cropped."""
    batch_size: AtLeast1 = 64
    """Points a step sees."""


class TrainingData:
    """The data set that the flags name.

    - `loaded`: as it came. `scaled`: as it is trained on. `scaling`: from the first to the second.

    **Raises:** `UserError` if it is not there, not sound, or smaller than a batch.
    """

    def __init__(self, args: DataArgs):
        size = args.image_size
        self.loaded: Dataset = load(args.data, args.data_dir, args.seed, image_size=size)
        if args.batch_size > len(self.loaded.points):
            raise UserError(
                f"--batch-size {args.batch_size} is larger than the data: {args.data} has "
                f"{len(self.loaded.points)} points; choose a smaller batch."
            )
        self.scaled, self.scaling = self.loaded, None
        if args.standardize and args.data not in NAMES:
            self.scaled, self.scaling = standardized(self.loaded)
        self.name: str = self.loaded.name

    def unscaled(self, points: ArrayLike) -> np.ndarray:
        """Points of the scale of training, in the units of the data as they came."""
        raw = np.asarray(points)
        return raw if self.scaling is None else self.scaling.undo(raw)

    @property
    def is_plane(self) -> bool:
        """True for points in the plane."""
        return self.loaded.kind == "plane"

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return self.loaded.describe()

    def __str__(self) -> str:
        points = self.loaded.points
        return (
            f"{self.name}: {len(points)} points of shape {points.shape[1:]}, {self.loaded.source}"
        )

    def sampler(self, conditions: np.ndarray | None = None) -> go.Samples:
        """The sampler of its batches, of `Conditioned` points where there are `conditions`."""
        return go.Samples(with_conditions(self.scaled.points, conditions))


class HeldOutData(TrainingData):
    """A data set of which a part is held out: its own test files, or else a fifth.

    - `held_out`: what is never trained on, scaled as the training points are.

    **Raises:** `UserError` as `TrainingData`, and where the test points have another shape.
    """

    def __init__(self, args: DataArgs):
        super().__init__(args)
        if has_test_split(args.data):
            size = args.image_size
            test = load(args.data, args.data_dir, args.seed, "test", image_size=size)
        else:
            self.loaded, test = hold_out(self.loaded)
        points = self.loaded.points
        if test.points.shape[1:] != points.shape[1:]:
            raise UserError(
                f"--data {args.data} has training points of shape {points.shape[1:]} and held-out "
                f"ones of {test.points.shape[1:]}."
            )
        if args.batch_size > len(points):
            raise UserError(
                f"--batch-size {args.batch_size} is larger than the {len(points)} points of "
                f"{args.data} that are left to train on; choose a smaller batch."
            )
        self.scaled, self.held_out = self.loaded, test
        if self.scaling is not None:
            self.scaled, self.scaling = standardized(self.loaded)
            scaled = (test.points - self.scaling.mean) / self.scaling.scale
            self.held_out = dataclasses.replace(test, points=scaled)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "held_out": len(self.held_out.points)}

    def __str__(self) -> str:
        return f"{super().__str__()}; {len(self.held_out.points)} held out"


def with_conditions(points: np.ndarray, conditions: np.ndarray | None) -> go.Points:
    """Points on the device, `Conditioned` where there are as many conditions."""
    on_device = jnp.asarray(points)
    return on_device if conditions is None else go.Conditioned(on_device, jnp.asarray(conditions))


def check_varies(points: np.ndarray, what: str) -> None:
    """Raise a `UserError` if all points are the same; `what`: how the user named them."""
    if np.array_equal(points[0], points[-1]) and (points == points[0]).all():
        raise UserError(
            f"{what}: all {len(points)} points are the same, which leaves nothing to learn; give "
            "other data."
        )


class JudgedRows(NamedTuple):
    """Rows of data that samples are compared with, of as many others, and of some of the rest."""

    real: np.ndarray
    other: np.ndarray
    rest: np.ndarray


def judged_rows(count: int, size: int, seed: int, labels: np.ndarray | None = None) -> JudgedRows:
    """Disjoint rows of `count` points: twice `size`, which is at most half of them; the rest.

    - `labels`: of the points, shape `(count,)`, if the other rows must have the labels of the real
      ones, place by place; `size` is then at most `most_judged(labels)`.
    """
    order = np.random.default_rng(seed).permutation(count)
    if labels is None:
        return JudgedRows(order[:size], order[size : 2 * size], order[2 * size :][:MOST_REST])
    _, classes, sizes = np.unique(labels[order], return_inverse=True, return_counts=True)
    # No more of a class than leave as many for the others.
    real = order[_place_in_class(classes) < sizes[classes] // 2][:size]
    left = order[~np.isin(order, real)]
    other = np.empty_like(real)
    for label in np.unique(labels[real]):
        wanted = labels[real] == label
        other[wanted] = left[labels[left] == label][: wanted.sum()]
    rest = left[~np.isin(left, other)]
    return JudgedRows(real, other, rest[:MOST_REST])


def _place_in_class(labels: np.ndarray) -> np.ndarray:
    """The number of earlier entries with the same label, shape `(n,)`."""
    by_class = np.argsort(labels, kind="stable")
    sorted_labels = labels[by_class]
    begins = np.searchsorted(sorted_labels, sorted_labels, side="left")
    place = np.empty(len(labels), int)
    place[by_class] = np.arange(len(labels)) - begins
    return place


def most_judged(labels: np.ndarray) -> int:
    """So many rows have others of the same labels beside them."""
    return int((np.unique(labels, return_counts=True)[1] // 2).sum())
