"""A data set: points of one kind, scaled and split."""

import dataclasses
import hashlib
from typing import Any, Literal, NamedTuple

import numpy as np

from recipes._runtime.errors import UserError

Kind = Literal["image", "plane", "vector"]
Split = Literal["train", "test"]


class Factors(NamedTuple):
    """Known factors of generated points: names, and integers of shape `(n, factors)`."""

    names: tuple[str, ...]
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Points on the host.

    - `points`: float32 of shape `(n, *shape)`. Images are in [-1, 1].
    - `labels`: int32 of shape `(n,)`, or `None`.
    - `kind`: an image is `(height, width)` or `(height, width, channels)`, a plane `(2,)`, a vector
      `(d,)`.
    - `source`: where it came from, for a person to read.
    - `factors`: of points that were made of known ones.
    """

    name: str
    points: np.ndarray
    labels: np.ndarray | None
    kind: Kind
    source: str
    factors: Factors | None = None

    def checksum(self) -> str:
        """SHA-256 of points and labels as they stand."""
        digest = hashlib.sha256(np.ascontiguousarray(self.points).data)
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return {
            "name": self.name,
            "source": self.source,
            "kind": self.kind,
            "shape": list(self.points.shape),
            "sha256": self.checksum(),
        }


def kind_of(shape: tuple[int, ...], where: str) -> Kind:
    """The kind of an array of shape `(n, ...)`; a `UserError` names the shapes there are."""
    if len(shape) == 2 and shape[1] >= 1:
        return "plane" if shape[1] == 2 else "vector"
    if len(shape) == 3 and min(shape[1:]) >= 2:
        return "image"
    if len(shape) == 4 and min(shape[1:3]) >= 2 and shape[3] in (1, 3):
        return "image"
    raise UserError(
        f"{where} has shape {shape}; expected (n, d) for vectors, (n, height, width) or "
        "(n, height, width, 1 or 3) for images."
    )


def image_points(pixels: np.ndarray) -> np.ndarray:
    """Pixels in 0..255, of any shape, as float32 in [-1, 1]."""
    points = pixels.astype(np.float32)
    # In place: a data set of images may fill half of the memory.
    points /= np.float32(127.5)
    points -= 1
    return points


def as_points(raw: np.ndarray, where: str) -> np.ndarray:
    """Points as float32; a `UserError` if they are too few, or not finite, or too large for it."""
    check_points(raw, where)
    with np.errstate(over="ignore"):
        points = raw.astype(np.float32)
    if not np.isfinite(points).all():
        raise UserError(f"{where} has numbers beyond float32, up to {np.abs(raw).max():.3g}.")
    return points


def check_points(points: np.ndarray, where: str) -> None:
    """Raise a `UserError` if there are fewer than two points, or NaN or inf among them."""
    if len(points) < 2:
        raise UserError(f"{where} has {len(points)} points; at least 2 are needed.")
    bad = ~np.isfinite(points.reshape(len(points), -1)).all(axis=1)
    if bad.any():
        raise UserError(
            f"{where} has NaN or inf in {int(bad.sum())} of its {len(points)} points, first in "
            f"point {int(bad.argmax())}; remove or repair them."
        )


def check_labels(labels: np.ndarray, count: int, where: str) -> np.ndarray:
    """Labels as int32 of shape `(n,)`; a `UserError` if they do not fit the points.

    A column, shape `(n, 1)`, is as good: Keras and MedMNIST have it so.
    """
    if labels.shape == (count, 1):
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise UserError(
            f"{where} has labels of shape {labels.shape} for {count} points; expected ({count},)."
        )
    if labels.dtype.kind in "fiub":
        with np.errstate(invalid="ignore"):  # of nan and of what is too large: they differ below
            whole = labels.astype(np.int32)
        if (whole == labels).all():
            return whole
    raise UserError(f"{where} has labels of dtype {labels.dtype} that are no whole 32-bit numbers.")


class Scaling(NamedTuple):
    """An affine map of each coordinate: `mean` and `scale` broadcast against a point."""

    mean: np.ndarray
    scale: np.ndarray

    def undo(self, points: np.ndarray) -> np.ndarray:
        """Points in the units of the data, from points in the units of training."""
        return points * self.scale + self.mean


def mean_and_deviation(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation along the first axis, in float64.

    What never varies is its own mean, with deviation 0. The mean of equal numbers may be another
    one by rounding, and their deviation then a rounding error that is not 0.
    """
    low, values = values.min(axis=0), values.astype(np.float64)
    varies = low < values.max(axis=0)
    return np.where(varies, values.mean(axis=0), low), np.where(varies, values.std(axis=0), 0.0)


def standardized(data: Dataset) -> tuple[Dataset, Scaling]:
    """The data with every column at mean 0 and deviation 1, and the way back.

    Images are left alone: they are in [-1, 1] already. A column that never varies is only shifted.
    """
    if data.kind == "image":
        return data, Scaling(np.zeros((), np.float32), np.ones((), np.float32))
    mean, deviation = mean_and_deviation(data.points)
    mean = mean.astype(np.float32)
    scale = np.where(deviation > 0, deviation, 1).astype(np.float32)
    points = (data.points - mean) / scale
    return dataclasses.replace(data, points=points), Scaling(mean, scale)


HELD_OUT = 0.2
MOST_CLASSES = 1000


def hold_out(data: Dataset) -> tuple[Dataset, Dataset]:
    """Four fifths to learn from and one fifth held out, in one fixed order that no seed changes."""
    order = np.random.default_rng(0).permutation(len(data.points))
    held_out = round(HELD_OUT * len(order))

    def rows(chosen: np.ndarray) -> Dataset:
        labels = None if data.labels is None else data.labels[chosen]
        factors = data.factors and Factors(data.factors.names, data.factors.values[chosen])
        points = data.points[chosen]
        return dataclasses.replace(data, points=points, labels=labels, factors=factors)

    return rows(order[held_out:]), rows(order[:held_out])


def check_labelled_images(train: Dataset, held_out: Dataset, flag: str = "--data") -> int:
    """The number of classes, 0 to the largest label; a `UserError` if there is nothing to classify.

    Both parts must be images of one shape, with labels. `flag`: what the user named them by.
    """
    if train.kind != "image":
        raise UserError(f"{flag} {train.name} is of kind {train.kind}; images are needed.")
    if train.points.shape[1:] != held_out.points.shape[1:]:
        raise UserError(
            f"{flag} {train.name} has training images of shape {train.points.shape[1:]} and "
            f"held-out ones of {held_out.points.shape[1:]}."
        )
    if train.labels is None or held_out.labels is None:
        raise UserError(f"{flag} {train.name} has no labels, and a classifier needs them.")
    if len(held_out.points) < 1 or len(np.unique(train.labels)) < 2:
        raise UserError(f"{flag} {train.name} has fewer than two classes, or too few images.")
    labels = np.concatenate([train.labels, held_out.labels])
    if labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise UserError(
            f"{flag} {train.name} has labels from {labels.min()} to {labels.max()}; expected "
            f"classes from 0 to at most {MOST_CLASSES - 1}."
        )
    return int(labels.max()) + 1
