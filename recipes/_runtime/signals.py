"""SIGINT, SIGTERM and SIGHUP: a command ends with one line, and a training with a checkpoint.

What a run has written can be gone on with at any moment, whoever kills it. So a signal ends the
process at once, from a thread of its own: no callback of a compiled program can swallow it, and it
need not wait for the compiler. Only a training is asked to end: it reads a flag between chunks, and
writes where it is. A second signal does not wait for that.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

from recipes._runtime.standing import how_to_go_on

WORDS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    **({signal.SIGHUP: "hung up"} if hasattr(signal, "SIGHUP") else {}),
}
"""The word of the last line, by signal."""
_asked: list[int] = []
_waits: list[bool] = []


class Stopped(KeyboardInterrupt):
    """A training that was asked to end, and has written where it is."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


def line_of(number: int) -> str:
    """The line that a command ends with when a signal has come."""
    cure = how_to_go_on()
    return f"{WORDS[signal.Signals(number)]}{f': {cure}' if cure else ''}"


@contextlib.contextmanager
def signals_end() -> Iterator[None]:
    """Within it, a signal ends the process with one line and the status that shells give it."""
    _asked.clear()
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    # A process in the background ignores SIGINT, and one under nohup SIGHUP, which is left so.
    numbers = [n for n in WORDS if signal.getsignal(n) != signal.SIG_IGN]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    watch = threading.Thread(target=_watch, args=(reader,), daemon=True)
    watch.start()
    woken = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    # The thread does all; but only for a signal that Python handles is there a byte in the pipe.
    before = {number: signal.signal(number, lambda number, frame: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(woken)
        os.close(writer)
        watch.join()
        os.close(reader)


def _watch(reader: int) -> None:
    while number := os.read(reader, 1):
        if number[0] not in WORDS:
            continue
        if _asked or not _waits:
            _end(number[0])
        _asked.append(number[0])


def _end(number: int) -> None:
    # Another thread may be within a print for good; then what it has not written is lost.
    flush = threading.Thread(target=sys.stdout.flush, daemon=True)
    flush.start()
    flush.join(0.2)
    clear = "\r\x1b[K" if os.isatty(2) else "\r"
    with contextlib.suppress(OSError):
        os.write(2, f"{clear}{line_of(number)}\n".encode(errors="backslashreplace"))
    os._exit(128 + number)


@contextlib.contextmanager
def signals_ask() -> Iterator[None]:
    """Within it a first signal only sets a flag: see `asked`. At the end it raises."""
    _waits.append(True)
    try:
        yield
    finally:
        _waits.pop()
    raise_if_asked()


def asked() -> bool:
    """True if a signal has come within `signals_ask`."""
    return bool(_asked)


def raise_if_asked() -> None:
    """Raise `Stopped` if a signal has come."""
    if _asked:
        raise Stopped(_asked[0])


def quiet_while_importing() -> None:
    """Ctrl-C ends with a line, and no traceback, while `python -m recipes.NAME` is imported."""
    runs = any(
        flag == "-m" and name.startswith("recipes.")
        for flag, name in zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
    )
    if runs and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda number, frame: _end(number))
