"""The bytes of a file, gzipped or not, up to a limit."""

import gzip
import zlib
from pathlib import Path

from recipes._runtime.errors import UserError

LARGEST = 2**30
"""Bytes of a file and of what it unpacks to: more than any of the data sets read here has."""


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked if it is gzipped, whatever the file's name is.

    **Raises:** `UserError` if it cannot be read, is larger than the limit, or its gzip stream is
    damaged.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
            # Told by its content: a file that was unpacked by a browser often keeps the name.
            if raw[:2] == b"\x1f\x8b":
                file.seek(0)
                with gzip.open(file, "rb") as unpacked:
                    raw = unpacked.read(LARGEST + 1)
    except EOFError:
        raise UserError(f"{path} is truncated: its gzip stream ends early; get it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is corrupt: {error}; get the file again.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if len(raw) > LARGEST:
        raise UserError(f"{path} has, or unpacks to, more than {LARGEST:,} bytes; none is read.")
    return raw
