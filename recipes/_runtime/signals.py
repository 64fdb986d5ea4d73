"""SIGINT and SIGTERM: a training ends between two steps of Python, with its checkpoints whole."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

_received: list[int] = []
_held: list[bool] = []


class Terminated(KeyboardInterrupt):
    """SIGTERM, as a batch system sends it before it kills."""


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Within it, SIGINT raises a `KeyboardInterrupt` and SIGTERM a `Terminated`.

    A second signal of the same kind does what it does by default.
    """
    _received.clear()
    before = {}
    # A process that is started in the background ignores SIGINT, which is left so.
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
    with contextlib.suppress(ValueError):  # only the main thread of a process can
        for number in numbers:
            before[number] = signal.signal(number, _stop)
    try:
        yield
    finally:
        _received.clear()
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _stop(number: int, frame: Any) -> None:
    del frame
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    signal.signal(number, default)
    _received.append(number)
    if not _held:
        stop_if_asked()


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Within it a signal is only remembered: it raises at the end. For writes by other threads."""
    _held.append(True)
    try:
        yield
    finally:
        _held.pop()
    stop_if_asked()


def stop_if_asked() -> None:
    """Raises once more if a signal has come: Python drops what is raised in a finalizer."""
    if _received:
        raise Terminated if _received[0] == signal.SIGTERM else KeyboardInterrupt
