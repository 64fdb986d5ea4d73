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


def check_least(args: Any, least: int, *names: str, group: str = "") -> None:
    """Raise a `UserError` for the first of these fields below `least`, or not finite.

    `None` is a default that is filled in later. `group`: of nested flags, such as `gan.`.
    """
    for name in names:
        value = getattr(args, name)
        if value is not None and not least <= value < float("inf"):
            range = (
                f"at least {least}" if value != float("inf") else f"finite, and at least {least}"
            )
            raise UserError(f"{flag_of(name, group)} must be {range}, got {value}.")


def check_not_negative(args: Any, *names: str) -> None:
    """Raise a `UserError` for the first of these fields that is negative or not finite.

    `None` is a default that is filled in later.
    """
    for name in names:
        value = getattr(args, name)
        if value is not None and not 0 <= value < float("inf"):
            raise UserError(f"{flag_of(name)} must be 0 or more, and finite, got {value}.")


def check_above_zero(args: Any, *names: str) -> None:
    """Raise a `UserError` for the first of these fields that is no positive, finite number.

    `None` is a default that is filled in later.
    """
    for name in names:
        value = getattr(args, name)
        if value is not None and not 0 < value < float("inf"):
            raise UserError(f"{flag_of(name)} must be positive, got {value}.")


def check_increasing(args: Any, low: str, high: str, group: str = "") -> None:
    """Raise a `UserError` unless these two are positive, finite, and the first is the smaller."""
    least, most = getattr(args, low), getattr(args, high)
    if not 0 < least < most < float("inf"):
        raise UserError(
            f"{flag_of(low, group)} and {flag_of(high, group)} must be positive and increasing, "
            f"got {least} and {most}."
        )
