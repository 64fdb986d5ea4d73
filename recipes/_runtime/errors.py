"""Errors that the user can fix, and range checks of flags."""

from typing import Any


class UserError(Exception):
    """A mistake that the user can mend: its text is one line saying what, where and what to do.

    Line ends are taken out here, because a text may quote a path or another library's message.
    """

    def __init__(self, text: str):
        super().__init__(" ".join(line.strip() for line in text.splitlines()))


FEWEST = 3
"""So many points have metrics."""


def flag_of(name: str, group: str = "") -> str:
    """A field as it is written on the command line: `--group.batch-size`."""
    return f"--{group}{name.replace('_', '-')}"


def check_increasing(args: Any, low: str, high: str, group: str = "") -> None:
    """Raise a `UserError` unless these two are positive, finite, and the first is the smaller."""
    least, most = getattr(args, low), getattr(args, high)
    if not 0 < least < most < float("inf"):
        raise UserError(
            f"{flag_of(low, group)} and {flag_of(high, group)} must be positive and increasing, "
            f"got {least} and {most}."
        )
