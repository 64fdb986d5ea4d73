"""The bytes of a file, gzipped or not."""

import gzip
import zlib
from pathlib import Path

from recipes._errors import UserError


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked if it is gzipped, whatever the file's name is.

    **Raises:** `UserError` if it cannot be read or its gzip stream is damaged.
    """
    try:
        raw = path.read_bytes()
        # Told by its content: a file that was unpacked by a browser often keeps the name.
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except EOFError:
        raise UserError(f"{path} is truncated: its gzip stream ends early; get it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is corrupt: {error}; get the file again.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
