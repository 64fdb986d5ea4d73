"""Delimited text: rows of cells with their line numbers, and numbers as people write them."""

import collections
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from recipes._runtime.errors import UserError

LARGEST_FILE = 2**30
"""Bytes."""

LONGEST_LINE = 2**20
"""Characters: a line without an end is no table, and would fill the memory."""

MOST_COLUMNS = 10_000

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.I)
DECIMAL_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d*),\d+(e[+-]?\d+)?", re.I)


class Delimited(NamedTuple):
    """The rows of a file that are not blank, each with the number of its line."""

    rows: list[tuple[int, list[str]]]
    delimiter: str


def read_delimited(path: Path, name: str) -> Delimited:
    """The rows of a text file.

    Cells are between `,`, `;`, `|` or tabs, whichever divides the first row most. A byte
    order mark is passed over, and cells may be quoted.

    **Arguments:** `name`: what errors call the file.

    **Raises:** `UserError` if it is not there, no text in UTF-8, badly quoted, or too large.
    """
    if not path.is_file():
        raise UserError(f"{name}: there is no such file.")
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise UserError(f"{name} has {size:,} bytes; at most {LARGEST_FILE:,} are read.")
        with path.open(newline="", encoding="utf-8-sig") as file:
            delimiter = _delimiter(file, name)
            file.seek(0)
            return Delimited(_rows(file, name, delimiter), delimiter)
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is no text in UTF-8: {error.reason}; convert it.") from error


def _lines(file: TextIO, name: str) -> Iterator[str]:
    """Its lines, none of them longer than the limit."""
    count = 0
    while line := file.readline(LONGEST_LINE + 1):
        count += 1
        if len(line) > LONGEST_LINE:
            raise UserError(
                f"{name}, line {count} has more than {LONGEST_LINE:,} characters; is it a table?"
            )
        yield line


def _delimiter(file: TextIO, name: str) -> str:
    """The one between the most cells of the first row, where what is quoted is one cell."""

    def cells(delimiter: str) -> int:
        file.seek(0)
        try:
            return len(next(csv.reader(_lines(file, name), delimiter=delimiter), []))
        except csv.Error:  # a cell that is longer than any should be
            return 0

    # Of equals the comma is last: it may be that of decimals.
    return max("\t;|,", key=cells)


def _rows(file: TextIO, name: str, delimiter: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(_lines(file, name), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if len(row) > MOST_COLUMNS:
                raise UserError(
                    f"{name}, line {reader.line_num} has {len(row):,} columns; at most "
                    f"{MOST_COLUMNS:,} are read."
                )
            cells = [cell.strip() for cell in row]
            if any(cells) or (rows and len(cells) == len(rows[0][1]) and len(cells) > 1):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise UserError(f"{name}, line {reader.line_num}: {error}; repair it.") from error
    return rows


def check_header(header: list[str], name: str) -> None:
    """Raise a `UserError` unless every column has a name of its own, and none is an index."""
    unnamed = [cell for cell in header if not cell or re.fullmatch(r"Unnamed: \d+", cell)]
    if unnamed:
        raise UserError(
            f"{name} has a column without a name in its header, as pandas and R write the numbers "
            "of rows; take it out (to_csv(index=False), row.names = FALSE) or name it."
        )
    name_of_two, count = collections.Counter(header).most_common(1)[0]
    if count > 1:
        raise UserError(
            f"{name} has the name {name_of_two!r} twice in its header; every column needs its own "
            "name."
        )


def check_widths(rows: list[tuple[int, list[str]]], name: str) -> None:
    """Raise a `UserError` for a row with more or fewer cells than the first."""
    first, width = rows[0][0], len(rows[0][1])
    for line, row in rows:
        if len(row) != width:
            raise UserError(
                f"{name}, line {line} has {len(row)} cells where line {first} has {width}; "
                "repair it."
            )


def with_points(texts: list[str], delimiter: str) -> list[str]:
    """Numbers with a decimal point for numbers with a decimal comma; other texts as they are.

    A column is taken to have decimal commas if all of it are numbers and some have one.

    **Raises:** `ValueError` if that is uncertain: `1,234` between commas may be a thousand, and a
    column with both marks has one of them for thousands.
    """
    commas = [text for text in texts if DECIMAL_COMMA.fullmatch(text)]
    others = [text for text in texts if not DECIMAL_COMMA.fullmatch(text)]
    if not commas or not all(map(NUMBER.fullmatch, others)):
        return texts
    points = [text for text in others if "." in text]
    if points or delimiter == ",":
        both = f" and {points[0]!r}" if points else ""
        raise ValueError(f"{commas[0]!r}{both}; write numbers with a point and without thousands")
    return [text.replace(".", "").replace(",", ".") if "," in text else text for text in texts]
