"""Is a PNG file whole? Pillow leaves rows black that a file, ended properly, does not have."""

import struct
import zlib
from pathlib import Path

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the colour type of the header."""

PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Adam7: first column and row of each pass, and the steps between its columns and rows."""


def check_png(path: Path) -> None:
    """Raises a `ValueError` if its pixels end before the last row that its header promises."""
    raw = path.read_bytes()
    if len(raw) < 33 or raw[12:16] != b"IHDR":
        return  # Pillow says what is wrong
    expected = _expected_bytes(raw[16:29])
    inflate, found, at = zlib.decompressobj(), 0, 8
    while at + 8 <= len(raw):
        (length,), kind = struct.unpack(">I", raw[at : at + 4]), raw[at + 4 : at + 8]
        if kind == b"IDAT":
            chunk = raw[at + 8 : at + 8 + length]
            # In parts, so that what unpacks to gigabytes never is in memory.
            while chunk and found < expected:
                found += len(inflate.decompress(chunk, 2**20))
                chunk = inflate.unconsumed_tail
        at += length + 12
    found += len(inflate.flush()) if found < expected else 0
    if found < expected:
        raise ValueError(f"it is truncated: {found:,} of {expected:,} bytes of pixels are there")


def _expected_bytes(header: bytes) -> int:
    """Bytes of all rows, each with one for its filter."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * CHANNELS.get(colour, 1)
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total
