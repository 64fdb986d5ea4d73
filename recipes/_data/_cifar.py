"""CIFAR-10 as its authors publish it: 32x32 colour images of ten classes, in five batches and one.

Krizhevsky (2009), Learning Multiple Layers of Features from Tiny Images.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from recipes._data._dataset import Dataset, check_points, image_points
from recipes._data._plain_pickle import StoredArray, read_pickle
from recipes._data._raw_bytes import read_bytes
from recipes._errors import UserError

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
