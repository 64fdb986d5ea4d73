"""Columns of any unit, brought to mean 0 and deviation 1 for training, and back."""

import dataclasses
from typing import NamedTuple

import numpy as np

from recipes._data._dataset import Dataset


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
