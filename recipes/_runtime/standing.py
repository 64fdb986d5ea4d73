"""The run in progress: where it is, what of it is sound, and how to go on with it.

Read when a command ends early, also by another thread: it looks at names of files only.
"""

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

_begun: list[tuple[Path, str, bool]] = []


@contextlib.contextmanager
def nothing_begun() -> Iterator[None]:
    """Within it, and after it, no run of before is in progress."""
    _begun.clear()
    try:
        yield
    finally:
        _begun.clear()


def begins(path: Path, recipe: str, can_resume: bool) -> None:
    """Notes the run that this process writes; runs that are parts of it change nothing."""
    if not _begun or not path.is_relative_to(_begun[0][0]):
        _begun[:] = [(path, recipe, can_resume)]


def newest_rounds(folder: Path) -> list[int]:
    """The rounds of the finished checkpoints of RUN/checkpoints, newest first."""
    with contextlib.suppress(OSError):
        names = [path.name for path in folder.iterdir()]
        return sorted((int(n) for n in names if re.fullmatch("[0-9]{8,}", n)), reverse=True)
    return []


def how_to_go_on() -> str:
    """A clause for the line that ends a command; empty if no run was begun."""
    if not _begun:
        return ""
    path, recipe, can_resume = _begun[0]
    if not can_resume or not (path / "config.json").is_file():
        return (
            f"{path} is not complete; begin again with --overwrite --out {shlex.quote(str(path))}"
        )
    rounds = newest_rounds(path / "checkpoints")
    sound = f"{path} is sound to round {rounds[0]}" if rounds else f"{path} keeps what is done"
    return f"{sound}; go on by python -m recipes.{recipe} --resume {_quoted(path)}"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
