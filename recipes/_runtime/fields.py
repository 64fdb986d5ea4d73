"""Fields of `Args`: the types, ranges and defaults of flags, whoever sets them.

Checked whenever arguments are made: from the command line, from a config.json, or in Python. The
range of a field is part of its type: `steps: AtLeast1 = 4000`.
"""

import contextlib
import dataclasses
import functools
import json
import math
import numbers
import os
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from recipes._runtime.errors import FEWEST, UserError, flag_of

LARGEST_SEED = 2**64 - 1
LARGEST_INT = 2**31 - 1
"""The bound of every whole number but a seed: rounds are counted in 32 bits."""
LARGEST = {
    "eval_size": 10_000,
    "width": 16_384,
    "depth": 1_000,
    "codes": 65_536,
    "size": 1_000_000,
    "starts": 1_000_000,
    "plays": 1_000_000,
    "seeds": 100_000,
    "thetas": 100_000,
    "sizes": 100_000,
    "values": 100_000,
    "matvecs": 100_000,
    "pieces": 1_000,
    "packing": 1_000,
}
"""By a flag or its last word: above it, arrays would be larger than a machine's memory. Exact W1
has a matrix of --eval-size squared."""
LONGEST_PATH, LONGEST_NAME = 4095, 255
"""Bytes that file systems take for a path, and for each name in it."""


class Range(NamedTuple):
    """Finite numbers from `low` on, or beyond it if it is `excluded`, and below `high`.

    `words`: after "must be", in errors.
    """

    words: str
    low: float
    excluded: bool = False
    high: float = math.inf

    def check(self, flag: str, value: int | float) -> None:
        """Raise a `UserError` for a number outside."""
        above = value > self.low if self.excluded else value >= self.low
        if not (above and value < self.high):
            raise UserError(f"{flag} must be {self.words}, got {value}.")


def at_least(low: int) -> Range:
    """Numbers from `low` on."""
    return Range(f"at least {low}" if low else "0 or more", low)


AtLeast0 = Annotated[int, at_least(0)]
AtLeast1 = Annotated[int, at_least(1)]
AtLeast2 = Annotated[int, at_least(2)]
Judged = Annotated[int, at_least(FEWEST)]
"""A number of points that are compared with data: fewer have no metrics."""
Positive = Annotated[float, Range("positive", 0, excluded=True)]
NotNegative = Annotated[float, Range("0 or more, and finite", 0)]
Decay = Annotated[float, Range("in [0, 1)", 0, high=1)]


def of_type(hint: Any, value: Any) -> Any:
    """`value` as the type `hint`, from JSON or Python; a `TypeError` if it is none.

    A whole number is also a float, a text a path, a list a tuple, and NumPy's numbers are numbers.
    """
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is Annotated:
        return of_type(parts[0], value)
    if origin in (typing.Union, types.UnionType):
        for part in parts:
            with contextlib.suppress(TypeError):
                return of_type(part, value)
    elif origin is Literal:
        # 1 == True == 1.0, so that the type must be the same too
        if any(type(value) is type(part) and value == part for part in parts):
            return value
    elif origin is tuple and isinstance(value, list | tuple):
        parts = parts[:1] * len(value) if parts[1:] == (...,) else parts
        if len(parts) == len(value):
            return tuple(map(of_type, parts, value))
    elif dataclasses.is_dataclass(hint):
        if isinstance(value, typing.cast(type, hint)):
            return value
    elif isinstance(value, bool) or hint is bool:
        if type(value) is hint:
            return value
    elif hint is int and isinstance(value, numbers.Integral):
        return int(value)
    elif hint is float and isinstance(value, numbers.Real):
        return float(value)
    elif hint is Path and isinstance(value, str | os.PathLike):
        return Path(value)
    elif hint in (str, type(None)) and type(value) is hint:
        return value
    raise TypeError(f"no {hint}")


def type_name(hint: Any) -> str:
    """A type as it is written, without its modules and ranges."""
    if typing.get_origin(hint) is Annotated:
        return type_name(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " | ".join(map(type_name, typing.get_args(hint))).replace("NoneType", "None")
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, typing.get_args(hint)))
    name = hint.__name__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)
    return re.sub(r"\b(typing|pathlib(\._local)?|recipes\.\w+)\.", "", name)


@functools.cache
def type_hints(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields, by name."""
    return typing.get_type_hints(kind, include_extras=True)


class Typed(type):
    """The type of dataclasses whose fields are brought to their types before they are made.

    **Raises:** `UserError` for a value that is none of its field's.
    """

    if not typing.TYPE_CHECKING:  # what calls it is still checked as a call of the dataclass

        def __call__(cls, *args, **given):
            hints = type_hints(cls)
            found = {k: cls.brought(k, hints[k], v) if k in hints else v for k, v in given.items()}
            return super().__call__(*args, **found)

    def brought(cls, name: str, hint: Any, value: Any, what: str | None = None) -> Any:
        """The value of a field as its type; `what`: the field as the user knows it."""
        try:
            return of_type(hint, value)
        except (TypeError, OverflowError):
            what = f"{cls.__name__}.{name}" if what is None else what
            raise UserError(f"{what} must be {type_name(hint)}, got {_shown(value)}.") from None


class Flags(Typed):
    """The type of a recipe's arguments, whose fields are flags.

    A class may have a `defaults`: defaults that depend on other flags, such as those of a preset;
    they hold where arguments are made, and `dataclasses.replace` keeps every value that is not
    named.

    **Raises:** `UserError` also for numbers out of their range, whole numbers of a size that no
    machine can have, and texts and paths that no file system takes; of nested flags, too.
    """

    if not typing.TYPE_CHECKING:

        def __call__(cls, *args, **given):
            hints = type_hints(cls)
            found = {k: cls.brought(k, hints[k], v) for k, v in given.items() if k in hints}
            return super().__call__(*args, **{**cls.defaults(found), **given})

    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Defaults by name, from the flags that are `given` (as text on the command line)."""
        del given
        return {}

    def filled_in(cls) -> dict[str, tuple[str, ...]]:
        """The flags that a run fills in from what another flag names, by that flag.

        Another value of it beside a config.json drops them.
        """
        return {}

    def brought(cls, name: str, hint: Any, value: Any, what: str | None = None) -> Any:
        flag = flag_of(name)
        found = super().brought(name, hint, value, flag)
        if dataclasses.is_dataclass(found):
            hints = type_hints(type(found))
            for field in dataclasses.fields(found):
                nested = flag_of(field.name, f"{flag[2:]}.")
                _check(nested, field.name, hints[field.name], getattr(found, field.name))
        else:
            _check(flag, name, hint, found)
        return found


def _check(flag: str, name: str, hint: Any, value: Any) -> None:
    for entry in value if isinstance(value, tuple) else (value,):
        _check_value(flag, name, entry)
    _check_range(flag, hint, value)


def _check_range(flag: str, hint: Any, value: Any) -> None:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        for range in parts[1:]:
            if isinstance(range, Range):
                range.check(flag, value)
    elif origin in (typing.Union, types.UnionType) and value is not None:
        for part in parts:
            _check_range(flag, part, value)
    elif origin is tuple:
        entries = typing.cast(tuple[Any, ...], value)
        each = parts[:1] * len(entries) if ... in parts else parts
        for part, entry in zip(each, entries, strict=True):
            _check_range(flag, part, entry)


def _shown(value: Any) -> str:
    with contextlib.suppress(TypeError, ValueError):
        return json.dumps(value)
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _check_value(flag: str, name: str, value: Any) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        high = LARGEST.get(name, LARGEST.get(name.split("_")[-1], LARGEST_INT))
        if name == "seed" and not 0 <= value <= LARGEST_SEED:
            range = "0 or more" if value < 0 else f"at most 2**64 - 1 ({LARGEST_SEED})"
            raise UserError(f"{flag} must be {range}, got {value}.")
        if name != "seed" and not -LARGEST_INT <= value <= high:
            range = f"at least -{LARGEST_INT}" if value < 0 else f"at most {high}"
            raise UserError(f"{flag} must be {range}, got {value}.")
    elif isinstance(value, str | Path):
        _check_text(flag, str(value))


def _check_text(flag: str, text: str) -> None:
    raw = os.fsencode(text)
    if not raw:
        raise UserError(f"{flag} is empty; give it a value, or leave it out.")
    longest = max(map(len, re.split(rb"[/\\]", raw)))
    if len(raw) > LONGEST_PATH or longest > LONGEST_NAME:
        raise UserError(
            f"{flag} has {len(raw)} characters, which no file system takes: at most "
            f"{LONGEST_NAME} for a name, and {LONGEST_PATH} in all."
        )
    if b"\0" in raw:
        raise UserError(f"{flag} {text!r} has a null character, which no file system takes.")
