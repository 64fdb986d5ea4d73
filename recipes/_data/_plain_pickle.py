"""Pickles of arrays and plain values, read without running anything that they ask for."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recipes._errors import UserError

CODES = tuple(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8))
"""The types of numbers that an array may have: whole ones."""


class StoredType:
    """A type of numbers as NumPy pickles it: a code such as u1, and then the byte order."""

    def __init__(self, code: Any, *_: Any):
        self.code, self.order = _text(code), "="

    def __setstate__(self, state: Any) -> None:
        self.order = _text(state[1])

    def dtype(self) -> np.dtype:
        """NumPy's own; a `ValueError` if the numbers are not whole."""
        if self.code not in CODES:
            raise ValueError(f"an array of type {self.code[:20]!r}, where whole numbers belong")
        return np.dtype(self.code).newbyteorder(self.order)  # pyright: ignore[reportArgumentType]


class StoredArray:
    """What a pickle says of an array; `array` makes one of it.

    It stands for NumPy's own, whose state must not be set by bytes that may be damaged.
    """

    def __init__(self, kind: Any = None, shape: Any = (), raw: Any = b"", order: Any = "C"):
        self.kind, self.shape, self.raw = kind, shape, raw
        self.order: Any = order

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.kind, by_columns, self.raw = state
        self.order = "F" if by_columns else "C"

    def array(self) -> np.ndarray:
        """The array; an exception of any kind if the parts do not fit each other."""
        values = np.frombuffer(self.raw, self.kind.dtype())
        return values.reshape(self.shape, order=self.order)


def _text(value: Any) -> str:
    """Python 2 wrote its strings as bytes."""
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): StoredArray,
    ("numpy", "dtype"): StoredType,
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
    ("builtins", "bytes"): lambda: b"",
    ("__builtin__", "bytes"): lambda: b"",
}
"""What is called in place of what a pickle names, and all that it may name."""
for _core in ("numpy.core", "numpy._core"):  # before NumPy 2, and since
    STAND_INS |= {
        (f"{_core}.multiarray", "_reconstruct"): lambda *_: StoredArray(),
        (f"{_core}.multiarray", "scalar"): lambda kind, raw: StoredArray(kind, (), raw),
        (f"{_core}.numeric", "_frombuffer"): lambda raw, kind, shape, order, *_: StoredArray(
            kind, shape, raw, order
        ),
    }


# The unpickler in Python, because the one in C fills the memory if one byte of a memo's index is
# wrong; and bytes for byte arrays, which are made in full before it is seen that the file ends.
class _Reader(pickle._Unpickler):
    dispatch = {  # noqa: RUF012 - as in its base
        **pickle._Unpickler.dispatch,
        pickle.BYTEARRAY8[0]: pickle._Unpickler.dispatch[pickle.BINBYTES8[0]],
    }

    def __init__(self, raw: bytes, path: Path):
        super().__init__(io.BytesIO(raw), encoding="bytes")
        self.path = path

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in STAND_INS:
            raise UserError(
                f"{self.path} asks for code to be run, {f'{module}.{name}'[:60]!r}, and is not "
                "loaded: no file of numbers needs it; get the file again from its publisher."
            )
        return STAND_INS[module, name]


def read_pickle(raw: bytes, path: Path) -> Any:
    """The content of a pickle of any protocol: lists, dicts, texts, numbers and `StoredArray`s.

    Strings that Python 2 wrote come as bytes.

    **Arguments:** `path`: where `raw` was read, for the errors.

    **Raises:** `UserError` if it asks for anything else, or is damaged.
    """
    try:
        return _Reader(raw, path).load()
    except UserError:
        raise
    except Exception as error:  # of damaged bytes: of nearly every type
        why = "it ends early" if isinstance(error, EOFError) else str(error)[:100]
        raise UserError(f"{path} is truncated or no pickle: {why}; get the file again.") from error
