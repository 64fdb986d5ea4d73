"""Points from a text file: one point a line, coordinates between delimiters."""

from pathlib import Path

import numpy as np

from recipes._data._dataset import Dataset, as_points, kind_of
from recipes._data._delimited import (
    DECIMAL_COMMA,
    check_header,
    check_widths,
    read_delimited,
    with_points,
)
from recipes._errors import UserError


def load_point_csv(path: Path) -> Dataset:
    """The points of a .csv file, float32 of shape `(n, d)`; a first line of names is passed over.

    Cells are between `,`, `;` or tabs; with the latter two, numbers may have a decimal comma.

    **Raises:** `UserError` that names the line for a cell that is no number, or for a line with
    more or fewer cells than the first; also for a file that cannot be read or has no points.
    """
    rows, delimiter = read_delimited(path, str(path))
    if rows and not any(_is_number(cell) for cell in rows[0][1]):
        check_header(rows[0][1], str(path))
        check_widths(rows, str(path))
        rows = rows[1:]
    if not rows:
        raise UserError(f"{path} has no points: write one a line, coordinates between commas.")
    check_widths(rows, str(path))
    columns = [
        _numbers([row[place] for _, row in rows], [line for line, _ in rows], path, delimiter)
        for place in range(len(rows[0][1]))
    ]
    points = as_points(np.stack(columns, axis=1), str(path))
    return Dataset(path.stem, points, None, kind_of(points.shape, str(path)), str(path))


def _numbers(texts: list[str], lines: list[int], path: Path, delimiter: str) -> np.ndarray:
    try:
        texts = with_points(texts, delimiter)
    except ValueError as error:
        raise UserError(f"{path} has {error}.") from error
    for line, text in zip(lines, texts, strict=True):
        if not _is_float(text):
            raise UserError(f"{path}, line {line}: {text[:40]!r} is no number.")
    return np.array(texts, np.float64)


def _is_number(text: str) -> bool:
    return _is_float(text) or DECIMAL_COMMA.fullmatch(text) is not None


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
