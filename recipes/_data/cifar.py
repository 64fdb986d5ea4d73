"""CIFAR-10 and CIFAR-100, binary and for Python."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from recipes._data.dataset import Dataset, check_points, image_points
from recipes._data.raw_bytes import read_bytes
from recipes._runtime.errors import UserError

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
    """An array as a pickle describes it; `array` makes one of it.

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
"""The only names that a pickle may have, each with the function that is called in its place."""
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


CLASSES, PIXELS = 10, 3 * 32 * 32
ROW = 1 + PIXELS
"""Bytes of an image in the binary version: the label, and then red, green and blue."""

BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
FOLDERS = ("", "cifar-10-batches-bin", "cifar-10-batches-py")
"""Where the batches may be, below the folder that is given; the last two are the archives' own."""


def load_cifar10(data_dir: Path | None, split: Literal["train", "test"], flag: str) -> Dataset:
    """The images of a split, from the binary version or the one for Python; of any number of rows.

    **Raises:** `UserError` if a batch is missing or not sound.
    """
    parts = [_read(path) for path in _find(data_dir, BATCHES[split], flag)]
    rows, labels = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    where = f"CIFAR-10's batches in {data_dir}"
    check_points(rows, where)
    images = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    points = image_points(np.ascontiguousarray(images))
    return Dataset("cifar10", points, labels.astype(np.int32), "image", where)


def _find(data_dir: Path | None, names: list[str], flag: str) -> list[Path]:
    """The batches, in the version of which most are there."""
    ends = f"{names[0]}.bin to {names[-1]}.bin" if len(names) > 1 else f"{names[0]}.bin"
    listing = f"{ends}, or the same without .bin"
    if data_dir is None:
        raise UserError(f"{flag} cifar10 needs --data-dir, a folder with {listing}.")
    if not data_dir.is_dir():
        raise UserError(f"--data-dir {data_dir} is no folder; {flag} cifar10 reads {listing}.")
    versions = [
        [data_dir / folder / f"{name}{end}" for name in names]
        for folder in FOLDERS
        for end in (".bin", "")
    ]
    found = max(versions, key=lambda paths: sum(path.is_file() for path in paths))
    missing = [path for path in found if not path.is_file()]
    if len(missing) == len(found):
        raise UserError(
            f"--data-dir {data_dir} lacks {listing}; unpack cifar-10-binary.tar.gz or "
            "cifar-10-python.tar.gz there."
        )
    if missing:
        lacks = " and ".join(path.name for path in missing)
        raise UserError(f"{found[0].parent} lacks {lacks}; {flag} cifar10 reads {listing}.")
    return found


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Rows of pixels, uint8 of shape `(n, 3072)`, and as many labels."""
    raw = read_bytes(path)
    rows, labels = (_binary if path.suffix == ".bin" else _pickled)(raw, path)
    wrong = np.flatnonzero((labels < 0) | (labels >= CLASSES))
    if len(wrong):
        raise UserError(
            f"{path} has the label {labels[wrong[0]]} in row {wrong[0]}; those of CIFAR-10 are 0 "
            f"to {CLASSES - 1}: is it another data set, or damaged?"
        )
    return rows, labels


def _binary(raw: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    if not raw or len(raw) % ROW:
        raise UserError(
            f"{path} has {len(raw)} bytes, which is no whole number of rows of {ROW}: it is empty, "
            "truncated or another file; get it again."
        )
    table = np.frombuffer(raw, np.uint8).reshape(-1, ROW)
    return table[:, 1:], table[:, 0]


def _pickled(raw: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    content = read_pickle(raw, path)
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}; a batch is a dict.")
    entries = {k.decode("latin1") if isinstance(k, bytes) else str(k): content[k] for k in content}
    if not {"data", "labels"} <= entries.keys():
        keys = ", ".join(entries)[:100] or "(none)"
        raise UserError(f"{path} has the keys {keys}; a batch of CIFAR-10 has data and labels.")
    rows, labels = _array(entries["data"], path, "data"), _array(entries["labels"], path, "labels")
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != PIXELS or len(rows) == 0:
        raise UserError(
            f"{path} has data of shape {rows.shape} and dtype {rows.dtype}; expected bytes of "
            f"shape (n, {PIXELS})."
        )
    if labels.shape != rows.shape[:1]:
        raise UserError(f"{path} has labels of shape {labels.shape} for {len(rows)} images.")
    return rows, labels


def _array(entry: object, path: Path, name: str) -> np.ndarray:
    """An array of whole numbers, of a stored one or a list of them."""
    try:
        if isinstance(entry, StoredArray):
            return entry.array()
        if isinstance(entry, list):
            numbers = [int(v.array()) if isinstance(v, StoredArray) else v for v in entry]
            if all(type(number) is int for number in numbers):
                return np.asarray(numbers, np.int64)
    except Exception as error:  # of damaged bytes: AttributeError, TypeError, OverflowError...
        raise UserError(f"{path}: {name} cannot be read: {error}; get the file again.") from error
    raise UserError(f"{path}: {name} is neither an array nor a list of whole numbers.")
