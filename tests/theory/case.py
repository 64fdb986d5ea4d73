"""A line of the table of public functions of `theory`."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Case:
    """A function of named arrays.

    - `call`: takes the arrays by name. `whole`: an example in whole numbers from 0 to 255.
    - `degree`: of homogeneity in the arrays of `scaled` (all by default), `None` if there is none.
    - `shifted`: arrays that may all be moved by one vector without an effect.
    - `orderless`: arrays whose rows may be put in any order, each on its own.
    - `quiet`: leaves of the result that a NaN does not reach, with the reason in a comment.
    - `on_host`: refuses NaN with a ValueError, and is always in float64.
    - `empty`: whether an array without rows must be refused.
    """

    call: Callable[..., Any]
    whole: Arrays
    degree: float | None = None
    scaled: tuple[str, ...] | None = None
    shifted: tuple[str, ...] = ()
    orderless: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    on_host: bool = False
    empty: bool = True


def whole(*values: Any) -> np.ndarray:
    """Whole numbers, as an array."""
    return np.array(values, np.int64)
