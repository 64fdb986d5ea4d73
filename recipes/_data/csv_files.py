"""Delimited text: tables and points."""

import csv
import dataclasses
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from recipes._data.dataset import Dataset, as_points, kind_of
from recipes._data.delimited import (
    DECIMAL_COMMA,
    NUMBER,
    check_header,
    check_widths,
    read_delimited,
    with_points,
)
from recipes._data.table import MOST_CATEGORIES, Column, Table, check_table, quantile_classes
from recipes._runtime.errors import UserError

_PANDAS = {"", "na", "n/a", "nan", "-nan", "null", "none", "<na>", "nat", "#na", "#n/a", "#n/a n/a"}
_ERRORS = {"#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!"}

MISSING = _PANDAS | _ERRORS | {"?", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
"""Cells without a value, in lower case: those of pandas, and the errors of spreadsheets."""

MISSING_NUMBERS = MISSING | {".", "-", "--", "missing", "nil"}
"""And those that mean it among numbers: of SAS, of printed tables."""

FEW = 10
"""An integer column with at most this many values is taken to be categorical."""

INTEGER = re.compile(r"[+-]?\d+")


@dataclasses.dataclass(frozen=True)
class Roles:
    """The roles of a file's columns.

    - `label`: the column that is generated for. `drop`: left out.
    - `categorical`, `continuous`: columns of which this is said, whatever they look like.
    - `label_bins`: classes into which a continuous label is cut, at its quantiles.
    """

    label: str
    categorical: tuple[str, ...] = ()
    continuous: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    label_bins: int = 3


class TextCells(NamedTuple):
    """A file's text: `columns` by name, and the `lines` of its rows."""

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]
    delimiter: str


def load_csv(path: Path, roles: Roles) -> Table:
    """The table of a CSV file: a header, and then one row a line.

    Text columns and integer columns with at most 10 values are categorical, other numbers are
    continuous. A label that is continuous by this rule is cut at its quantiles. The separator is
    that of `,`, `;` and tab which divides the header into most names.

    A missing value of a categorical column is a category of its own, the empty text. That of a
    continuous one is filled with the column's median, and a further column, of two categories,
    says which were missing.

    **Raises:** `UserError` for a file that cannot be read, has ragged rows, rows without a label,
    columns without a value or numbers that are not finite, or lacks a column of `roles`.
    """
    cells = _read(path)
    _check_roles(cells, roles)
    kept = [name for name in cells.columns if name not in (*roles.drop, roles.label)]
    features = [pair for name in kept for pair in _columns(cells, name, roles)]
    columns, label = tuple(column for column, _ in features), _label(cells, roles)
    values = np.stack([v for _, v in features], axis=1) if features else np.zeros((0, 0))
    return check_table(Table(path.stem, str(path), columns, values, *label))


def write_csv(table: Table, path: Path) -> None:
    """Writes a table, its label last, so that `load_csv` gives it back."""
    header, texts = _written(table)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*header, table.label.name])
        writer.writerows(zip(*texts, table.label.texts(table.labels), strict=True))


def _written(table: Table) -> tuple[list[str], list[list[str]]]:
    """Names and cells of the columns that a file has: missing values are empty cells again."""
    missing = {
        column.indicates: table.values[:, place] == 1
        for place, column in enumerate(table.columns)
        if column.indicates is not None
    }
    names, texts = [], []
    for column, values in zip(table.columns, table.values.T, strict=True):
        if column.indicates is None:
            empty = missing.get(column.name, np.zeros(len(values), bool))
            names.append(column.name)
            cells = zip(column.texts(values), empty, strict=True)
            texts.append(["" if gone else text for text, gone in cells])
    return names, texts


def _read(path: Path) -> TextCells:
    name = f"--csv {path}"
    rows, delimiter = read_delimited(path, name)
    if len(rows) < 2:
        what = "is empty" if not rows else "has a header and no rows"
        raise UserError(f"{name} {what}; a header and a line for each row are needed.")
    header = rows[0][1]
    check_header(header, name)
    check_widths(rows, name)
    columns = zip(*(row for _, row in rows[1:]), strict=True)
    named = dict(zip(header, map(list, columns), strict=True))
    return TextCells(path, named, [line for line, _ in rows[1:]], delimiter)


def _check_roles(cells: TextCells, roles: Roles) -> None:
    named = {"label": (roles.label,)}
    named |= {flag: getattr(roles, flag) for flag in ("categorical", "continuous", "drop")}
    for flag, names in named.items():
        for name in names:
            if name not in cells.columns:
                near = difflib.get_close_matches(name, cells.columns, n=1)
                hint = f"perhaps you meant {near[0]}" if near else _listing(list(cells.columns))
                raise UserError(f"--{flag} {name}: {cells.path} has no such column; {hint}.")
    both = [name for name in roles.categorical if name in roles.continuous]
    if both:
        raise UserError(f"--categorical and --continuous both name {both[0]}; choose one.")
    if roles.label in roles.drop:
        raise UserError(f"--drop {roles.label}: this is the label; choose another --label.")


def _listing(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"its columns are {', '.join(names[:most])}{more}"


def _is_categorical(texts: list[str], name: str, roles: Roles) -> bool:
    if name in roles.categorical or name in roles.continuous:
        return name in roles.categorical
    if all(map(INTEGER.fullmatch, texts)):
        return len(set(texts)) <= FEW
    return not all(map(NUMBER.fullmatch, texts))


def _columns(cells: TextCells, name: str, roles: Roles) -> list[tuple[Column, np.ndarray]]:
    """A column and its values, float64 of shape `(n,)`; and its indicator if values are missing."""
    texts, missing = _texts(cells, name)
    present = [text for text, gone in zip(texts, missing, strict=True) if not gone]
    if name not in roles.continuous:
        _check_no_odd_number(cells, name, _without(texts, MISSING_NUMBERS), roles)
    if _is_categorical(present, name, roles):
        # Of texts, a dot or a dash is one like any other.
        return [_categories(cells, name, _without(cells.columns[name], MISSING))]
    lines = [line for line, gone in zip(cells.lines, missing, strict=True) if not gone]
    numbers = _numbers(cells, name, present, lines)
    if not missing.any():
        return [(Column(name), numbers)]
    indicator = Column(f"{name} is missing", ("no", "yes"), indicates=name)
    if indicator.name in cells.columns:
        raise UserError(f"--csv {cells.path} has a column {indicator.name!r}; name it otherwise.")
    values = np.full(len(texts), np.median(numbers))
    values[~missing] = numbers
    return [(Column(name, fill=float(np.median(numbers))), values), (indicator, missing * 1.0)]


def _texts(cells: TextCells, name: str) -> tuple[list[str], np.ndarray]:
    """The column's cells, decimal points for commas, and which of them have no value.

    **Raises:** `UserError` if none has one.
    """
    texts = cells.columns[name]
    rest = _without(texts, MISSING_NUMBERS)
    of_numbers = all(NUMBER.fullmatch(t) or DECIMAL_COMMA.fullmatch(t) for t in rest if t)
    rest = rest if of_numbers else _without(texts, MISSING)
    missing = np.array([not text for text in rest])
    if missing.all():
        raise UserError(
            f"--csv {cells.path}: column {name} has no value in any row; take it out (--drop "
            f"{name})."
        )
    try:
        pointed = with_points([text for text in rest if text], cells.delimiter)
    except ValueError as error:
        raise UserError(f"--csv {cells.path}: column {name} has {error}.") from error
    values = iter(pointed)
    return [next(values) if text else "" for text in rest], missing


def _without(texts: list[str], missing: set[str]) -> list[str]:
    """The texts, those that say that there is no value made empty."""
    return ["" if text.lower() in missing else text for text in texts]


def _check_no_odd_number(cells: TextCells, name: str, texts: list[str], roles: Roles) -> None:
    """Raise a `UserError` for a column of numbers, but for a few cells, that nobody calls text."""
    numbers = [bool(NUMBER.fullmatch(text)) for text in texts if text]
    many = len({text for text in texts if NUMBER.fullmatch(text)}) > FEW
    if name in roles.categorical or not many or sum(numbers) < 0.9 * len(numbers) or all(numbers):
        return
    place = next(i for i, t in enumerate(texts) if t and not NUMBER.fullmatch(t))
    raise UserError(
        f"--csv {cells.path}, line {cells.lines[place]}: column {name} has numbers and "
        f"{texts[place]!r}; repair it, empty it if it means a missing value, or give --categorical "
        f"{name}."
    )


def _categories(cells: TextCells, name: str, texts: list[str]) -> tuple[Column, np.ndarray]:
    found = sorted(set(texts), key=lambda t: (float(t) if INTEGER.fullmatch(t) else np.inf, t))
    if len(found) > MOST_CATEGORIES:
        odd = next((text for text in texts if text and not NUMBER.fullmatch(text)), None)
        why = "" if odd is None else f" (it has {odd!r}, which is no number)"
        raise UserError(
            f"--csv {cells.path}: column {name} has {len(found)} categories{why}, more than "
            f"{MOST_CATEGORIES}; leave it out by --drop {name}, or take another for the label."
        )
    place = {text: float(code) for code, text in enumerate(found)}
    return Column(name, tuple(found)), np.asarray([place[text] for text in texts])


def _numbers(cells: TextCells, name: str, texts: list[str], lines: list[int]) -> np.ndarray:
    odd = [not NUMBER.fullmatch(text) for text in texts]
    if any(odd):
        place = odd.index(True)
        raise UserError(
            f"--csv {cells.path}, line {lines[place]}: column {name} has "
            f"{texts[place]!r}, which is no number; leave --continuous {name} out."
        )
    values = np.asarray(texts, np.float64)
    beyond = ~(np.abs(values) <= np.finfo(np.float32).max)
    if beyond.any():
        place = int(beyond.argmax())
        raise UserError(
            f"--csv {cells.path}, line {lines[place]}: column {name} has {texts[place]}, "
            "which is not finite in float32; remove or repair it."
        )
    return values


def _label(cells: TextCells, roles: Roles) -> tuple[Column, np.ndarray]:
    _, missing = _texts(cells, roles.label)
    if missing.any():
        first = cells.lines[int(missing.argmax())]
        raise UserError(
            f"--csv {cells.path}: the label {roles.label} has no value in {missing.sum()} of "
            f"{len(missing)} rows, first in line {first}; fill them in, or take out these rows."
        )
    ((column, values),) = _columns(cells, roles.label, roles)
    if column.categories is None:
        return quantile_classes(roles.label, values, roles.label_bins)
    return column, values.astype(np.int32)


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
        _floats([row[place] for _, row in rows], [line for line, _ in rows], path, delimiter)
        for place in range(len(rows[0][1]))
    ]
    points = as_points(np.stack(columns, axis=1), str(path))
    return Dataset(path.stem, points, None, kind_of(points.shape, str(path)), str(path))


def _floats(texts: list[str], lines: list[int], path: Path, delimiter: str) -> np.ndarray:
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
