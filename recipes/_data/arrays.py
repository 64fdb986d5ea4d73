"""Data of the user's own: .npy and .npz files."""

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from recipes._data.dataset import Dataset, Split, as_points, check_labels, image_points, kind_of
from recipes._runtime.errors import UserError

MAGIC = (b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06")
"""How a .npy begins, and a .npz, and a .npz without arrays."""

POINTS = ("points", "images", "x", "data", "arr_0")
LABELS = ("labels", "y")

SPLITS = {
    "train": (("x_train", "y_train"), ("train_images", "train_labels")),
    "test": (("x_test", "y_test"), ("test_images", "test_labels")),
}
"""Arrays of points and labels of a split, as Keras and MedMNIST name them."""

LARGEST = 2**33
"""Bytes of an array: what fits into the memory of a large machine."""


def load_array_file(path: Path, flag: str, split: Split = "train") -> Dataset:
    """A .npy array of points, or a .npz with points and perhaps labels.

    Images are bytes in 0..255, or floats in [-1, 1] or [0, 1]; they come out in [-1, 1]. Floats
    without a negative pixel are taken to be in [0, 1]. Vectors and points in the plane keep their
    units.

    **Arguments:** `flag`: what the user named it by, for the errors. `split`: which arrays of a
    .npz that has some for training and some for testing.

    **Raises:** `UserError` for a file that cannot be read or holds no usable points.
    """
    raw, raw_labels, where = _read(path, flag, split)
    if raw.dtype.kind not in "fiub" or raw.ndim == 0:
        raise UserError(f"{where} has dtype {raw.dtype} and shape {raw.shape}; numbers are needed.")
    kind = kind_of(raw.shape, where)
    points = as_points(raw, where)
    if kind == "image":
        points = _image_range(points, raw.dtype, where)
    labels = None if raw_labels is None else check_labels(raw_labels, len(points), where)
    return Dataset(path.stem, points, labels, kind, str(path))


def has_test_arrays(path: Path) -> bool:
    """Does a .npz have arrays for testing? False for what cannot be read, to be refused later."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {Path(name).stem for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return False
    return any(points in names for points, _ in SPLITS["test"])


def _image_range(points: np.ndarray, dtype: np.dtype, where: str) -> np.ndarray:
    low, high = float(points.min()), float(points.max())
    if dtype == np.uint8:
        return image_points(points)
    if low >= -1 and high <= 1:
        return points if low < 0 else points * 2 - 1
    raise UserError(
        f"{where} has pixels from {low:g} to {high:g}; expected bytes, or floats in [0, 1] or "
        "[-1, 1]."
    )


def _read(path: Path, flag: str, split: Split) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Points, labels, and what to call them in an error."""
    if not path.is_file():
        raise UserError(f"{flag} {path}: there is no such file.")
    try:
        # Opened here, because numpy leaves a damaged archive open.
        with path.open("rb") as file:
            begin = file.read(6)
            if not begin.startswith(MAGIC):
                raise UserError(f"{path} is no .npy or .npz file: it begins with 0x{begin.hex()}.")
            file.seek(0)
            _check_size(file, path)
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content, None, str(path)
            return _choose(content, path, split)
    except UserError:
        raise
    except Exception as error:  # of damaged bytes: TokenError, zlib.error, NotImplementedError...
        if isinstance(error, ValueError) and "allow_pickle" in str(error):
            raise UserError(
                f"{path} holds Python objects, which are not loaded; save an array of numbers with "
                "numpy.save."
            ) from error
        raise UserError(f"{path} cannot be read as .npy or .npz: {error}") from error


def _check_size(file: IO[bytes], path: Path) -> None:
    """Raise a `UserError` for what would not fit into memory, from the headers alone."""
    sizes = {str(path): path.stat().st_size}
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            sizes = {f"{path} ({Path(m.filename).stem})": m.file_size for m in archive.infolist()}
    file.seek(0)
    for name, size in sizes.items():
        if size > LARGEST:
            raise UserError(f"{name} has {size:,} bytes; at most {LARGEST:,} are read.")


def _choose(arrays: Any, path: Path, split: Split) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Points and labels of an open .npz; its other arrays are left unread."""
    names = list(arrays)
    pairs = [pair for pair in SPLITS[split] if pair[0] in names]
    pairs += [(name, _labels_in(names)) for name in POINTS if name in names]
    pairs += [(names[0], None)] if len(names) == 1 else []
    if not pairs:
        raise UserError(
            f"{path} has the arrays {', '.join(names) or '(none)'}; name the points one of "
            f"{', '.join(POINTS[:-1])}, or {' or '.join(p for p, _ in SPLITS[split])}."
        )
    points, labels = pairs[0]
    # A member that is no array comes as bytes, and is then refused for its dtype.
    return (
        np.asarray(arrays[points]),
        np.asarray(arrays[labels]) if labels in names else None,
        f"{path} ({points})",
    )


def _labels_in(names: list[str]) -> str | None:
    return next((name for name in LABELS if name in names), None)
