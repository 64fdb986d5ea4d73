"""Files that are written whole or not at all, and folders that one process writes to at a time."""

import contextlib
import hashlib
import os
import sys
import weakref
from pathlib import Path

import numpy as np

from recipes._runtime.errors import UserError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces a file by one of this content."""
    temporary = path.with_name(f".{path.name}.writing")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_array(path: Path) -> np.ndarray | None:
    """The array of a .npy file; `None`, and a line that says so, for one that cannot be read."""
    try:
        return np.load(path, allow_pickle=False)
    except Exception as error:  # of damaged bytes: whatever NumPy's parser raises
        print(f"left out {path}: it cannot be read ({type(error).__name__})", file=sys.stderr)
        return None


class FolderLock:
    """This process's hold on a folder, let go when nothing refers to it or the process ends.

    One that is not exclusive keeps others from writing to the folder, but not from parts of it.
    """

    def __init__(self, path: Path):
        self._path, self._exclusive = path, False
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)

    def take(self, exclusive: bool) -> None:
        """Take the hold, if it is not had already.

        **Raises:** `UserError` if another process has it.
        """
        if fcntl is None or self._exclusive:
            return
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{self._path} is being written to by another process; wait for it, or choose "
                "another folder."
            ) from None
        except OSError:  # a file system without locks
            return
        self._exclusive = exclusive


_held: "weakref.WeakValueDictionary[tuple[int, int], FolderLock]" = weakref.WeakValueDictionary()


def lock(path: Path, exclusive: bool = True) -> FolderLock | None:
    """The hold on a folder; the one that this process has already, if it has.

    **Raises:** `UserError` if another process has it.
    """
    with contextlib.suppress(PermissionError):
        place = path.stat()
        key = place.st_dev, place.st_ino
        found = _held.get(key)
        if found is None:
            found = FolderLock(path)
        found.take(exclusive)
        _held[key] = found
        return found
    return None


def lock_run(path: Path) -> list[FolderLock | None]:
    """The hold on a run's folder, and on the run that it is a part of.

    **Raises:** `UserError` if another process writes to the run, to a part of it, or to the whole.
    """
    above = [folder for folder in path.absolute().parents[:2] if (folder / "config.json").is_file()]
    return [lock(path), *(lock(folder, exclusive=False) for folder in above)]
