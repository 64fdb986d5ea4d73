"""A line that says what a command does while it is silent."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

FIRST, EVERY = 1.0, 4.0
"""Seconds before the first word, and between two signs of life."""


@contextlib.contextmanager
def says(what: str, bar: "tqdm | None" = None, stream: Any = None) -> Iterator[None]:
    """Within it standard error says `what` and how many seconds it has taken.

    A thread writes, so that a compiler may take its time; it touches no array. What is over in a
    second is not spoken of. On a terminal the line is rewritten, and gone at the end; elsewhere it
    grows.

    **Arguments:**

    - `bar`: a bar that is on the screen: it makes way, and comes back.
    """
    stream = sys.stderr if stream is None else stream
    done = threading.Event()
    ticks = threading.Thread(target=_tick, args=(what, bar, stream, done), daemon=True)
    ticks.start()
    try:
        yield
    finally:
        done.set()
        ticks.join()


def _tick(what: str, bar: "tqdm | None", stream: Any, done: threading.Event) -> None:
    begin = time.monotonic()
    if done.wait(FIRST):
        return
    rewrites = stream.isatty()
    if bar is not None:
        bar.clear()
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        stream.write(f"\r{what} ..." if rewrites else f"{what} ...")
        stream.flush()
        while not done.wait(1.0 if rewrites else EVERY):
            seconds = f"{time.monotonic() - begin:.0f} s"
            stream.write(f"\r{what} ... {seconds}" if rewrites else f" {seconds} ...")
            stream.flush()
        seconds = f"{time.monotonic() - begin:.0f} s"
        stream.write("\r\x1b[K" if rewrites else f" done in {seconds}\n")
        stream.flush()
    if bar is not None:
        bar.refresh()
