"""Tables of the user's own: CSV files with a header, and every way in which one can be wrong."""

import csv
import dataclasses
import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recipes._data._table import MOST_CATEGORIES, Column, Table, check_table, quantile_classes
from recipes._errors import UserError

MISSING = {"", "?", "na", "n/a", "nan", "null"}
"""Cells that say that there is no value, in lower case."""

FEW = 10
"""An integer column with at most so many values is taken to be categorical."""

INTEGER = re.compile(r"[+-]?\d+")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.I)


@dataclasses.dataclass(frozen=True)
class Roles:
    """What the columns of a file are for.

    - `label`: the column that is generated for. `drop`: left out.
    - `categorical`, `continuous`: columns of which this is said, whatever they look like.
    - `label_bins`: classes into which a continuous label is cut, at its quantiles.
    """

    label: str
    categorical: tuple[str, ...] = ()
    continuous: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    label_bins: int = 3


class Cells(NamedTuple):
    """A file's text: `columns` by name, and the `lines` of its rows."""

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]


def load_csv(path: Path, roles: Roles) -> Table:
    """The table of a CSV file: a header, and then one row a line.

    Text columns and integer columns with at most 10 values are categorical, other numbers are
    continuous. A label that is continuous by this rule is cut at its quantiles. The separator is
    that of `,`, `;` and tab which the header has most of.

    **Raises:** `UserError` for a file that cannot be read, has ragged rows, missing values or
    numbers that are not finite, or lacks a column of `roles`.
    """
    cells = _read(path)
    _check_roles(cells, roles)
    kept = [name for name in cells.columns if name not in (*roles.drop, roles.label)]
    _check_present(cells, [*kept, roles.label])
    features = [_column(cells, name, roles) for name in kept]
    columns, label = tuple(column for column, _ in features), _label(cells, roles)
    values = np.stack([v for _, v in features], axis=1) if features else np.zeros((0, 0))
    return check_table(Table(path.stem, str(path), columns, values, *label))


def write_csv(table: Table, path: Path) -> None:
    """Writes a table, its label last, so that `load_csv` gives it back."""
    pairs = [*zip(table.columns, table.values.T, strict=True), (table.label, table.labels)]
    texts = [column.texts(values) for column, values in pairs]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([column.name for column, _ in pairs])
        writer.writerows(zip(*texts, strict=True))


def _read(path: Path) -> Cells:
    if not path.is_file():
        raise UserError(f"--csv {path}: there is no such file.")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            delimiter = max(",;\t", key=file.readline().count)
            file.seek(0)
            return _in_columns(
                path, _rows(path, csv.reader(file, delimiter=delimiter, strict=True))
            )
    except OSError as error:
        raise UserError(f"--csv {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"--csv {path} is no text in UTF-8: {error.reason}; convert it.") from error


def _rows(path: Path, reader: Any) -> list[tuple[int, list[str]]]:
    """The cells of each row that is not blank, and the number of its line."""
    try:
        return [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except csv.Error as error:
        raise UserError(f"--csv {path}, line {reader.line_num}: {error}; repair it.") from error


def _in_columns(path: Path, rows: list[tuple[int, list[str]]]) -> Cells:
    if len(rows) < 2:
        what = "is empty" if not rows else "has a header and no rows"
        raise UserError(f"--csv {path} {what}; a header and a line for each row are needed.")
    header = rows[0][1]
    twice = [name for name in header if header.count(name) > 1]
    if "" in header or twice:
        what = f"the name {twice[0]!r} twice" if twice and twice[0] else "a column without a name"
        raise UserError(f"--csv {path} has {what} in its header; every column needs its own name.")
    for line, row in rows:
        if len(row) != len(header):
            raise UserError(
                f"--csv {path}, line {line} has {len(row)} cells where the header has "
                f"{len(header)} columns; repair it."
            )
    columns = zip(*(row for _, row in rows[1:]), strict=True)
    named = dict(zip(header, map(list, columns), strict=True))
    return Cells(path, named, [line for line, _ in rows[1:]])


def _check_roles(cells: Cells, roles: Roles) -> None:
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


def _check_present(cells: Cells, names: list[str]) -> None:
    for name in names:
        missing = [text.lower() in MISSING for text in cells.columns[name]]
        if any(missing):
            first = cells.lines[missing.index(True)]
            raise UserError(
                f"--csv {cells.path}: column {name} has no value in {sum(missing)} of "
                f"{len(missing)} rows, first in line {first}; fill them in, or take out the rows "
                f"or the column (--drop {name})."
            )


def _is_categorical(texts: list[str], name: str, roles: Roles) -> bool:
    if name in roles.categorical or name in roles.continuous:
        return name in roles.categorical
    if all(map(INTEGER.fullmatch, texts)):
        return len(set(texts)) <= FEW
    return not all(map(NUMBER.fullmatch, texts))


def _column(cells: Cells, name: str, roles: Roles) -> tuple[Column, np.ndarray]:
    """A column and its values, float64 of shape `(n,)`."""
    texts = cells.columns[name]
    if _is_categorical(texts, name, roles):
        return _categories(cells, name)
    return Column(name), _numbers(cells, name)


def _categories(cells: Cells, name: str) -> tuple[Column, np.ndarray]:
    texts = cells.columns[name]
    found = sorted(set(texts), key=lambda t: (float(t) if INTEGER.fullmatch(t) else np.inf, t))
    if len(found) > MOST_CATEGORIES:
        odd = next((text for text in texts if not NUMBER.fullmatch(text)), None)
        why = "" if odd is None else f" (it has {odd!r}, which is no number)"
        raise UserError(
            f"--csv {cells.path}: column {name} has {len(found)} categories{why}, more than "
            f"{MOST_CATEGORIES}; leave it out by --drop {name}, or take another for the label."
        )
    place = {text: float(code) for code, text in enumerate(found)}
    return Column(name, tuple(found)), np.asarray([place[text] for text in texts])


def _numbers(cells: Cells, name: str) -> np.ndarray:
    texts = cells.columns[name]
    odd = [not NUMBER.fullmatch(text) for text in texts]
    if any(odd):
        place = odd.index(True)
        raise UserError(
            f"--csv {cells.path}, line {cells.lines[place]}: column {name} has "
            f"{texts[place]!r}, which is no number; leave --continuous {name} out."
        )
    values = np.asarray(texts, np.float64)
    beyond = ~(np.abs(values) <= np.finfo(np.float32).max)
    if beyond.any():
        place = int(beyond.argmax())
        raise UserError(
            f"--csv {cells.path}, line {cells.lines[place]}: column {name} has {texts[place]}, "
            "which is not finite in float32; remove or repair it."
        )
    return values


def _label(cells: Cells, roles: Roles) -> tuple[Column, np.ndarray]:
    column, values = _column(cells, roles.label, roles)
    if column.categories is None:
        return quantile_classes(roles.label, values, roles.label_bins)
    return column, values.astype(np.int32)
