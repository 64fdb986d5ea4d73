"""Tables: rows of numbers and categories, each with a label; and held-out rows."""

import dataclasses
import hashlib
import itertools
from typing import Any

import numpy as np

from recipes._runtime.errors import UserError

HELD_OUT = 5
"""One row in so many is held out, class by class."""

MOST_CATEGORIES = 100


@dataclasses.dataclass(frozen=True)
class Column:
    """A column: continuous, or of categories as they are written in the file.

    - `fill`: the value that stands in a continuous column for a missing one, if any is.
    - `indicates`: of a column of two categories, the name of the continuous column whose values
      are missing where this one is 1.
    """

    name: str
    categories: tuple[str, ...] | None = None
    fill: float | None = dataclasses.field(default=None, repr=False)
    indicates: str | None = dataclasses.field(default=None, repr=False)

    def texts(self, values: np.ndarray) -> list[str]:
        """Its cells of a file, shape `(n,)`; a number always has a point or an exponent in it.

        So a continuous column stays one when the file is read again, whatever its values are.
        """
        if self.categories is None:
            return [repr(float(value)) for value in values]
        return [self.categories[int(code)] for code in values]


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows on the host, each with a label.

    - `columns`: without the label. `values`: float64 of shape `(n, len(columns))`; of a categorical
      column, the category's place.
    - `label`: categorical. `labels`: int32 of shape `(n,)`, places of its categories.
    - `source`: where it came from, for a person to read.
    """

    name: str
    source: str
    columns: tuple[Column, ...]
    values: np.ndarray
    label: Column
    labels: np.ndarray

    @property
    def classes(self) -> int:
        """The number of categories of the label."""
        assert self.label.categories is not None
        return len(self.label.categories)

    @property
    def continuous(self) -> np.ndarray:
        """The places of the continuous columns."""
        return np.flatnonzero([column.categories is None for column in self.columns])

    @property
    def categorical(self) -> np.ndarray:
        """The places of the categorical columns."""
        return np.flatnonzero([column.categories is not None for column in self.columns])

    def rows(self, chosen: np.ndarray) -> "Table":
        """These rows, by place or by mask."""
        return dataclasses.replace(self, values=self.values[chosen], labels=self.labels[chosen])

    def counts(self) -> np.ndarray:
        """Rows of each class, shape `(classes,)`."""
        return np.bincount(self.labels, minlength=self.classes)

    def checksum(self) -> str:
        """SHA-256 of the columns' names and of everything in them."""
        digest = hashlib.sha256(repr((self.columns, self.label)).encode())
        digest.update(np.ascontiguousarray(self.values).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return {
            "name": self.name,
            "source": self.source,
            "rows": len(self.values),
            "columns": {column.name: column.categories for column in self.columns},
            "label": {self.label.name: self.label.categories},
            "sha256": self.checksum(),
        }

    def __str__(self) -> str:
        return (
            f"{self.name}: {len(self.values)} rows, {len(self.continuous)} continuous and "
            f"{len(self.categorical)} categorical columns, {self.classes} classes of "
            f"{self.label.name}, {self.source}{self._missing()}"
        )

    def _missing(self) -> str:
        """The columns with missing values, for a person to read."""
        shares = [
            f"{column.indicates} ({self.values[:, place].mean():.1%})"
            for place, column in enumerate(self.columns)
            if column.indicates is not None
        ]
        shares += [
            f"{column.name} ({(self.values[:, place] == column.categories.index('')).mean():.1%})"
            for place, column in enumerate(self.columns)
            if column.categories is not None and "" in column.categories
        ]
        return (
            f"; missing values, which are generated too, in {', '.join(shares)}" if shares else ""
        )


def filled(columns: tuple[Column, ...], values: np.ndarray) -> np.ndarray:
    """Values of rows in which a continuous column has its `fill` wherever it is said to be missing.

    **Arguments:** `values`: shape `(n, len(columns))`.
    """
    place = {column.name: at for at, column in enumerate(columns)}
    values = values.copy()
    for indicator, column in enumerate(columns):
        if column.indicates is not None:
            at = place[column.indicates]
            values[values[:, indicator] == 1, at] = columns[at].fill
    return values


def check_table(table: Table) -> Table:
    """The table; a `UserError` if a generator of its rows could not be trained and judged."""
    if not table.columns:
        raise UserError(f"{table.source} has no column but the label {table.label.name}.")
    if table.classes < 2:
        raise UserError(
            f"{table.source}: the label {table.label.name} has fewer than 2 classes; choose "
            "another --label."
        )
    rarest = int(table.counts().argmin())
    if table.counts()[rarest] < HELD_OUT:
        (text,) = table.label.texts(np.asarray([rarest]))
        raise UserError(
            f"{table.source}: the class {text!r} of {table.label.name} has "
            f"{table.counts()[rarest]} rows; at least {HELD_OUT} are needed, because one in "
            f"{HELD_OUT} is held out."
        )
    return table


def hold_out_rows(table: Table, seed: int) -> tuple[Table, Table]:
    """Four fifths of each class to learn from, and a fifth of each held out, drawn by `seed`."""
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(table.labels), bool)
    for label, count in enumerate(table.counts()):
        places = rng.permutation(np.flatnonzero(table.labels == label))
        held_out[places[: max(1, round(count / HELD_OUT))]] = True
    return table.rows(~held_out), table.rows(held_out)


def rows_like(table: Table, counts: np.ndarray, rng: np.random.Generator) -> Table:
    """Rows drawn without replacement, `counts` of each class, shape `(classes,)`."""
    chosen = [
        rng.permutation(np.flatnonzero(table.labels == label))[:count]
        for label, count in enumerate(counts)
    ]
    return table.rows(np.concatenate(chosen))


def quantile_classes(name: str, values: np.ndarray, bins: int) -> tuple[Column, np.ndarray]:
    """A number as a label: classes of about as many rows each, and their names.

    **Arguments:** `values`: shape `(n,)`. `bins`: at most so many; values that coincide may make
    them fewer.

    **Returns:** the label's column, and its classes, int32 of shape `(n,)`.
    """
    # Edges that are values, so that no class is empty.
    edges = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="higher"))
    edges = edges[edges > values.min()]
    labels = np.searchsorted(edges, values, side="right").astype(np.int32)
    texts = [f"{edge:.6g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(texts)]
    ends = [f"below {texts[0]}", *between, f"from {texts[-1]}"] if texts else ["all"]
    return Column(name, tuple(ends)), labels
