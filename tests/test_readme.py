"""What the README claims can be run: its example prints what it says it prints."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_example_prints_what_the_readme_shows(float32):
    """The python block, executed, against the text block that follows it."""
    example = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.S)
    assert example is not None
    code, shown = example.groups()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert printed.getvalue() == shown
    assert len(code.splitlines()) <= 16


def test_the_two_commands_are_there():
    """One runs the main job and one the tests, each from nothing but Python."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.S)
    assert len(blocks) == 2
    for block, end in zip(blocks, ("-m recipes.wgan", "-m pytest -n 2"), strict=True):
        assert block.startswith("python3 -m venv .venv && ")
        assert block.strip().endswith(end)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_links_lead_somewhere(page):
    """Pictures and pages that are named exist."""
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target


def test_the_architecture_fits_a_page():
    """80 lines at most, and every module that it lists is there."""
    lines = (ROOT / "ARCHITECTURE.md").read_text().splitlines()
    assert len(lines) <= 80
