"""The end of a command: a table for a person, a line of JSON, or one line of error."""

import json
import math
from collections.abc import Iterator
from typing import Any

from recipes._runtime.errors import UserError
from recipes._runtime.standing import how_to_go_on

LONGEST_LIST = 6
"""A list of more entries is left to summary.json."""


def print_summary(summary: dict[str, Any], stream: Any) -> None:
    """Prints the summary, of JSON values: on a terminal as a table, elsewhere as a line of JSON."""
    if not stream.isatty():
        print(json.dumps(summary), file=stream, flush=True)
        return
    rows = list(_rows(summary, ""))
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        print(f"{name:{width}}  {text}", file=stream)
    if isinstance(summary.get("folder"), str):
        print(f"{'in full':{width}}  {summary['folder']}/summary.json", file=stream)
    stream.flush()


def _rows(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict) and not prefix:
            yield from _rows(value, f"{name} ")
        elif isinstance(value, list):
            if len(value) <= LONGEST_LIST and not any(isinstance(v, dict | list) for v in value):
                yield prefix + _words(name), ", ".join(map(shown, value))
        elif not isinstance(value, dict) and not name.endswith("sha256"):
            yield prefix + _words(name), shown(value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def shown(value: Any) -> str:
    """A JSON value for a person: numbers with four digits that count, a dash for none."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        # Not 1.235e+04 for a number whose digits before the point are few.
        digits = 4 if value == 0 or not 1e4 <= abs(value) < 1e7 else int(math.log10(abs(value))) + 1
        return f"{value:.{digits}g}"
    return str(value)


def error_line(error: Exception) -> str | None:
    """The line of an error that the machine or the user can mend; `None` for one of the program.

    It says what is still sound of the run in progress.
    """
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        what = str(error).splitlines()[0] if str(error) else "the system has no more"
        text = f"out of memory ({what}); take smaller batches, networks or --eval-size"
    elif isinstance(error, OSError):
        text = str(error)
    else:
        return None
    sound = how_to_go_on()
    return str(UserError(f"{text}. {sound}" if sound else text))
