"""Points from a text file: one point a line, coordinates between commas."""

import csv
from pathlib import Path

import numpy as np

from recipes._data._dataset import Dataset, as_points, kind_of
from recipes._errors import UserError


def load_point_csv(path: Path) -> Dataset:
    """The points of a .csv file, float32 of shape `(n, d)`; a first line of names is passed over.

    **Raises:** `UserError` that names the line for a field that is no number, or for a line with
    more or fewer fields than the first; also for a file that cannot be read or has no points.
    """
    rows = _rows(path)
    if rows and not any(_is_number(field) for field in rows[0][1]):
        rows = rows[1:]
    if not rows:
        raise UserError(f"{path} has no points: write one a line, coordinates between commas.")
    width = len(rows[0][1])
    for line, fields in rows:
        if len(fields) != width:
            raise UserError(
                f"{path}, line {line}: {len(fields)} coordinates, where line {rows[0][0]} has "
                f"{width}; repair or remove it."
            )
        wrong = [field for field in fields if not _is_number(field)]
        if wrong:
            raise UserError(f"{path}, line {line}: {wrong[0][:40]!r} is no number.")
    raw = np.array([[float(field) for field in fields] for _, fields in rows])
    points = as_points(raw, str(path))
    return Dataset(path.stem, points, None, kind_of(points.shape, str(path)), str(path))


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The fields of every line that is not empty, with its number from 1."""
    try:
        # Spreadsheets put a byte order mark in front.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            return [(reader.line_num, fields) for fields in reader if any(map(str.strip, fields))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as comma-separated text: {error}") from error


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
