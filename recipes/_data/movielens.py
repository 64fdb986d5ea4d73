"""Ratings in MovieLens' three formats, and the users' sets of items that are made of them.

u.data         user, item, rating, time between tabs (100K)
ratings.dat    the same between double colons (1M, 10M)
ratings.csv    with a header, whose columns may be in any order and case (20M and later)
"""

import dataclasses
import hashlib
import io
import math
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from recipes._data.raw_bytes import read_bytes
from recipes._runtime.errors import UserError

FILES = ("u.data", "ratings.dat", "ratings.csv")
COLUMNS = {
    "user": ("userid", "user"),
    "item": ("movieid", "itemid", "movie", "item"),
    "rating": ("rating",),
}
"""Names of the columns in a header, in lower case and without spaces and underscores."""
LARGEST_ID = 2**53
"""Whole numbers up to it are exact in double precision."""


class Ratings(NamedTuple):
    """Ratings as a file has them, each of shape `(n,)`; users and items by their whole numbers."""

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    source: str


@dataclasses.dataclass(frozen=True)
class Interactions:
    """The items of each user, as a sparse matrix of ones.

    - `matrix`: CSR of shape `(users, items)`, float32, its columns in order within each row.
    - `users`, `items`: what the file calls the rows and the columns, shapes `(users,)` and
      `(items,)`.
    - `name`, `source`: for a person to read.
    """

    matrix: sparse.csr_array
    users: np.ndarray
    items: np.ndarray
    name: str
    source: str

    def checksum(self) -> str:
        """SHA-256 of the matrix and of both lists of names."""
        digest = hashlib.sha256(repr(self.matrix.shape).encode())
        for part in (self.matrix.indptr, self.matrix.indices, self.users, self.items):
            digest.update(np.ascontiguousarray(part, np.int64).data)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return {
            "name": self.name,
            "source": self.source,
            "users": shape_of(self.matrix)[0],
            "items": shape_of(self.matrix)[1],
            "interactions": self.matrix.nnz,
            "sha256": self.checksum(),
        }

    def __str__(self) -> str:
        users, items = shape_of(self.matrix)
        return (
            f"{self.name}: {users:,} users, {items:,} items, {self.matrix.nnz:,} interactions, "
            f"{self.source}"
        )


def shape_of(matrix: sparse.csr_array) -> tuple[int, int]:
    """Rows and columns of a matrix; by SciPy's types it might have no shape."""
    shape: Any = matrix.shape
    return shape


def of_pairs(users: np.ndarray, items: np.ndarray, name: str, source: str) -> Interactions:
    """Interactions from pairs of names, shape `(n,)` each; a pair that comes twice counts once."""
    user_names, rows = np.unique(users, return_inverse=True)
    item_names, columns = np.unique(items, return_inverse=True)
    shape = (len(user_names), len(item_names))
    ones = np.ones(len(rows), np.float32)
    matrix = sparse.csr_array((ones, (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return Interactions(matrix, user_names, item_names, name, source)


def load_liked(folder: Path, above: float) -> Interactions:
    """The pairs of a folder's ratings that are higher than `above`.

    **Raises:** `UserError` if the file is not there or not sound, or has no such rating.
    """
    ratings = read_ratings(folder)
    liked = ratings.values > above
    if not liked.any():
        raise UserError(
            f"{ratings.source} has no rating above {above:g}; the largest is "
            f"{ratings.values.max():g}: choose a lower --liked-above."
        )
    return of_pairs(ratings.users[liked], ratings.items[liked], "movielens", ratings.source)


def read_ratings(folder: Path) -> Ratings:
    """The ratings of the one file of MovieLens in a folder, gzipped or not.

    **Raises:** `UserError` if there is none, or more than one, or if it is not sound; the message
    has the number of the line.
    """
    path = _find(folder)
    raw = read_bytes(path)
    if not raw.strip():
        raise UserError(f"{path} is empty; get the file again.")
    if path.name.removesuffix(".gz") == "ratings.dat":
        # One character between cells, which is what is parsed fast.
        return _parse(raw.replace(b"::", b"\t"), path, "\t", (0, 1, 2), 0, "::")
    if path.name.removesuffix(".gz") == "u.data":
        return _parse(raw, path, "\t", (0, 1, 2), 0, "tabs")
    header = raw[: raw.find(b"\n") if b"\n" in raw else len(raw)]
    columns = _columns(header.decode("utf-8-sig", "replace"), path)
    return _parse(raw, path, ",", columns, 1, "commas")


def _find(folder: Path) -> Path:
    """The file of ratings in a folder."""
    if not folder.is_dir():
        raise UserError(f"--data-dir {folder}: there is no such folder.")
    there = [folder / name for file in FILES for name in (file, f"{file}.gz")]
    found = [path for path in there if path.is_file()]
    if not found:
        raise UserError(
            f"--data-dir {folder} has none of {', '.join(FILES)}, gzipped or not; give the folder "
            "that MovieLens' archive unpacks to."
        )
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise UserError(f"--data-dir {folder} has {names}; leave the one that is meant.")
    return found[0]


def _columns(header: str, path: Path) -> tuple[int, int, int]:
    """The places of user, item and rating in a header."""
    plain = lambda cell: cell.strip().strip('"').lower().replace("_", "").replace(" ", "")
    cells = [plain(cell) for cell in header.split(",")]
    places = []
    for what, names in COLUMNS.items():
        found = [place for place, cell in enumerate(cells) if cell in names]
        if len(found) != 1:
            raise UserError(
                f"{path}, line 1 must name one column of the {what}, {' or '.join(names)} in any "
                f"case; it is {header.strip()[:100]!r}."
            )
        places += found
    return places[0], places[1], places[2]


def _parse(
    raw: bytes, path: Path, delimiter: str, columns: tuple[int, int, int], skip: int, between: str
) -> Ratings:
    """The ratings of a text; `between`: what the cells of the file are between."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a text without rows, refused below
            table = np.loadtxt(
                io.BytesIO(raw), delimiter=delimiter, usecols=columns, skiprows=skip, ndmin=2,
                comments=None,
            )  # fmt: skip
    except ValueError as error:
        raise _fault(raw, path, delimiter, columns, skip, between, str(error)) from None
    if table.size == 0:
        raise UserError(f"{path} has a header and no ratings; get the file again.")
    names = table[:, :2]
    sound = (names >= 0) & (names < LARGEST_ID) & (names == np.floor(names))
    if not (sound.all() and np.isfinite(table[:, 2]).all()):
        raise _fault(raw, path, delimiter, columns, skip, between, "a number is not sound")
    users, items = names.T.astype(np.int64)
    return Ratings(users, items, table[:, 2], str(path))


def _fault(
    raw: bytes,
    path: Path,
    delimiter: str,
    columns: tuple[int, int, int],
    skip: int,
    between: str,
    otherwise: str,
) -> UserError:
    """The error about the first line that is wrong; `otherwise`: about a file without one."""
    for number, line in enumerate(io.BytesIO(raw), 1):
        text = line.decode("utf-8", "replace").strip("\r\n")
        if number <= skip or not text:
            continue
        cells = text.split(delimiter)
        if len(cells) <= max(columns):
            return UserError(
                f"{path}, line {number} has {len(cells)} cells between {between}, where at least "
                f"{max(columns) + 1} are needed: {text[:60]!r}; get the file again."
            )
        for what, place in zip(COLUMNS, columns, strict=True):
            if not _is_sound(cells[place], what):
                kind = "a finite number" if what == "rating" else "a whole number"
                return UserError(
                    f"{path}, line {number}: the {what} must be {kind}, got {cells[place][:40]!r}; "
                    "repair it."
                )
    return UserError(f"{path} cannot be read: {otherwise}.")


def _is_sound(cell: str, what: str) -> bool:
    try:
        number = float(cell)
    except ValueError:
        return False
    is_name = what != "rating"
    whole = 0 <= number < LARGEST_ID and number.is_integer() if math.isfinite(number) else False
    return whole if is_name else math.isfinite(number)
