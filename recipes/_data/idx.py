"""The IDX format of MNIST: a magic number, big-endian sizes, and the numbers themselves."""

import struct
from pathlib import Path

import numpy as np

from recipes._data.raw_bytes import read_bytes
from recipes._runtime.errors import UserError

TYPES = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
"""The third byte of the magic number."""


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """The array of an IDX file, gzipped or not, of `ndim` axes.

    **Raises:** `UserError` if the file cannot be read, is no IDX file, has another number of axes,
    or does not have exactly as many bytes as its header says.
    """
    raw = read_bytes(path)
    if len(raw) < 4 or raw[:2] != b"\x00\x00" or raw[2] not in TYPES:
        raise UserError(
            f"{path} is no IDX file: it begins with 0x{raw[:4].hex()}, where two zeros, a type and "
            "the number of axes should stand; get the file again."
        )
    dtype, axes = TYPES[raw[2]], raw[3]
    if axes != ndim:
        raise UserError(
            f"{path} has {axes} axes where {ndim} are expected (magic 0x{raw[:4].hex()}); "
            "images have 3 and labels 1: are the files swapped?"
        )
    header = 4 + 4 * axes
    if len(raw) < header:
        raise UserError(f"{path} is truncated: its header needs {header} bytes, it has {len(raw)}.")
    shape = struct.unpack(f">{axes}I", raw[4:header])
    expected, found = int(np.prod(shape, dtype=object)) * dtype.itemsize, len(raw) - header
    if found != expected:
        what = "is truncated" if found < expected else "has bytes too many"
        raise UserError(
            f"{path} {what}: its header says {'x'.join(map(str, shape))}, which is {expected} "
            f"bytes, and {found} follow; get the file again."
        )
    if expected == 0:
        raise UserError(f"{path} is empty: its header says {'x'.join(map(str, shape))}.")
    return np.frombuffer(raw, dtype, offset=header).reshape(shape)
