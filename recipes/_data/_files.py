"""Data of the user's own: .npy and .npz files."""

from pathlib import Path
from typing import Any

import numpy as np

from recipes._data._dataset import Dataset, as_points, check_labels, image_points, kind_of
from recipes._errors import UserError

MAGIC = (b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06")
"""How a .npy begins, and a .npz, and a .npz without arrays."""

POINTS = ("points", "images", "x", "data", "arr_0")
LABELS = ("labels", "y")


def load_array_file(path: Path, flag: str) -> Dataset:
    """A .npy array of points, or a .npz with points and perhaps labels.

    Images are bytes in 0..255, or floats in [-1, 1] or [0, 1]; they come out in [-1, 1]. Floats
    without a negative pixel are taken to be in [0, 1]. Vectors and points in the plane keep their
    units.

    **Arguments:** `flag`: what the user named it by, for the errors.

    **Raises:** `UserError` for a file that cannot be read or holds no usable points.
    """
    raw, raw_labels, where = _read(path, flag)
    if raw.dtype.kind not in "fiub" or raw.ndim == 0:
        raise UserError(f"{where} has dtype {raw.dtype} and shape {raw.shape}; numbers are needed.")
    kind = kind_of(raw.shape, where)
    points = as_points(raw, where)
    if kind == "image":
        points = _image_range(points, raw.dtype, where)
    labels = None if raw_labels is None else check_labels(raw_labels, len(points), where)
    return Dataset(path.stem, points, labels, kind, str(path))


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


def _read(path: Path, flag: str) -> tuple[np.ndarray, np.ndarray | None, str]:
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
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content, None, str(path)
            return _choose(content, path)
    except UserError:
        raise
    except Exception as error:  # of damaged bytes: TokenError, zlib.error, NotImplementedError...
        if isinstance(error, ValueError) and "allow_pickle" in str(error):
            raise UserError(
                f"{path} holds Python objects, which are not loaded; save an array of numbers with "
                "numpy.save."
            ) from error
        raise UserError(f"{path} cannot be read as .npy or .npz: {error}") from error


def _choose(arrays: Any, path: Path) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Points and labels of an open .npz; its other arrays are left unread."""
    names = list(arrays)
    found = [name for name in POINTS if name in names] or (names if len(names) == 1 else [])
    if not found:
        raise UserError(
            f"{path} has the arrays {', '.join(names) or '(none)'}; name the points one of "
            f"{', '.join(POINTS[:-1])}."
        )
    labels = next((np.asarray(arrays[name]) for name in LABELS if name in names), None)
    # A member that is no array comes as bytes, and is then refused for its dtype.
    return np.asarray(arrays[found[0]]), labels, f"{path} ({found[0]})"
