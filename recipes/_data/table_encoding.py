"""Rows of a table as vectors of floats, and back."""

import dataclasses
from typing import Literal, NamedTuple

import numpy as np
from scipy import special, stats

from recipes._data.dataset import mean_and_deviation
from recipes._data.table import Column, Table, filled

Scale = Literal["normal_scores", "standard"]


class Standard(NamedTuple):
    """To mean 0 and deviation 1. A column that never varies is always decoded to its one value."""

    mean: float
    deviation: float

    def encode(self, values: np.ndarray) -> np.ndarray:
        return (values - self.mean) / (self.deviation if self.deviation > 0 else 1.0)

    def decode(self, scores: np.ndarray) -> np.ndarray:
        return self.mean + self.deviation * scores


class NormalScores(NamedTuple):
    r"""To a normal law, by ranks: the i-th of n values to $\Phi^{-1}((i - 1/2)/n)$, and linearly
    between them, both ways. What is decoded never leaves the range of the values.

    Not scikit-learn's QuantileTransformer, which sends the least and the largest value to 5.2
    deviations, however few there are: outliers that a generator would have to learn.

    - `values`: ascending, without repetition. `scores`: one for each.
    """

    values: np.ndarray
    scores: np.ndarray

    def encode(self, values: np.ndarray) -> np.ndarray:
        return np.interp(values, self.values, self.scores)

    def decode(self, scores: np.ndarray) -> np.ndarray:
        return np.interp(scores, self.scores, self.values)


def standard(values: np.ndarray) -> Standard:
    """The scale of a column's values, shape `(n,)`."""
    mean, deviation = mean_and_deviation(values)
    return Standard(float(mean), float(deviation))


def normal_scores(values: np.ndarray) -> NormalScores:
    """The scale of a column's values, shape `(n,)`; values that coincide have their mean rank."""
    found, first = np.unique(values, return_index=True)
    ranks = stats.rankdata(values)[first]
    return NormalScores(found, special.ndtri((ranks - 0.5) / len(values)))


@dataclasses.dataclass(frozen=True)
class Encoding:
    """Vectors for rows: first the continuous columns, scaled, then each categorical one-hot.

    - `columns`: the table's. `scales`: one for each continuous column, in their order.
    """

    columns: tuple[Column, ...]
    scales: tuple[Standard | NormalScores, ...]

    @property
    def categories(self) -> tuple[int, ...]:
        """The number of categories of each categorical column."""
        return tuple(len(c.categories) for c in self.columns if c.categories is not None)

    @property
    def width(self) -> int:
        """The size of a vector."""
        return len(self.scales) + sum(self.categories)

    @property
    def names(self) -> list[str]:
        """The name of each coordinate: a column, or a column's category."""
        continuous = [c.name for c in self.columns if c.categories is None]
        return continuous + [
            f"{c.name}={text}" for c in self.columns if c.categories for text in c.categories
        ]

    def encode(self, table: Table) -> np.ndarray:
        """Float32 of shape `(n, width)`."""
        numbers = table.values[:, table.continuous].T
        blocks = [s.encode(v)[:, None] for s, v in zip(self.scales, numbers, strict=True)]
        for size, codes in zip(self.categories, table.values[:, table.categorical].T, strict=True):
            blocks.append(np.eye(size)[codes.astype(int)])
        return np.concatenate(blocks, axis=1).astype(np.float32)

    def decode(self, vectors: np.ndarray) -> np.ndarray:
        """Values of rows, float64 of shape `(n, len(columns))`: of a category, the most likely."""
        ends = np.cumsum([len(self.scales), *self.categories])[:-1]
        numbers, *blocks = np.split(np.asarray(vectors, np.float64), ends, axis=1)
        scaled = iter(s.decode(v) for s, v in zip(self.scales, numbers.T, strict=True))
        codes = iter(block.argmax(axis=1).astype(float) for block in blocks)
        kinds = [scaled if column.categories is None else codes for column in self.columns]
        return filled(self.columns, np.stack([next(kind) for kind in kinds], axis=1))


def fit_encoding(table: Table, scale: Scale) -> Encoding:
    """The encoding whose scales are those of this table's rows."""
    make = {"standard": standard, "normal_scores": normal_scores}[scale]
    return Encoding(table.columns, tuple(map(make, table.values[:, table.continuous].T)))
