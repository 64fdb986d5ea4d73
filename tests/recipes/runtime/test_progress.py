"""Signs of life of a command between its lines."""

import io
import time

import pytest
from tqdm import tqdm

from recipes._runtime import progress
from recipes._runtime.progress import says


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(progress, "FIRST", 0.05)
    monkeypatch.setattr(progress, "EVERY", 0.1)


def test_what_takes_long_is_said_again_and_again():
    """Elsewhere than on a terminal: one line, which grows."""
    stream = io.StringIO()
    with says("compiling", stream=stream):
        time.sleep(0.6)
    text = stream.getvalue()
    assert text.startswith("compiling ...")
    assert text.count(" s ...") >= 3
    assert text.endswith("done in 1 s\n")
    assert text.count("\n") == 1


def test_what_is_over_at_once_is_not_spoken_of():
    """Nor is anything left running."""
    stream = io.StringIO()
    with says("compiling", stream=stream):
        pass
    time.sleep(0.1)
    assert stream.getvalue() == ""


def test_on_a_terminal_the_line_is_gone_at_the_end_and_a_bar_comes_back():
    """The bar is cleared before, and drawn again after."""
    stream = Terminal()
    with tqdm(total=10, file=stream, mininterval=0) as bar:
        bar.update(3)
        before = stream.getvalue()
        with says("evaluating", bar, stream):
            time.sleep(0.2)
        text = stream.getvalue()[len(before) :]
    assert "\revaluating ..." in text
    assert "\n" not in text
    assert text.rindex("3/10") > text.rindex("\x1b[K")


def test_an_error_within_ends_the_line():
    """It is not swallowed, and nothing is written after it."""
    stream = io.StringIO()
    with pytest.raises(ValueError, match="no"), says("compiling", stream=stream):  # noqa: PT012
        time.sleep(0.1)
        raise ValueError("no")
    text = stream.getvalue()
    time.sleep(0.2)
    assert stream.getvalue() == text
