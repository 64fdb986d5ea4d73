"""The pages at the root: README's example and commands, links, rooms of ARCHITECTURE.md."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def text_of(page: str) -> str:
    """A page at the root."""
    return (ROOT / page).read_text(encoding="utf-8")


README = text_of("README.md")


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
    for target in re.findall(r"\]\(([^)#:]+)\)", text_of(page)):
        assert (ROOT / target).exists(), target


def rooms_listed() -> dict[str, set[str]]:
    """The names that ARCHITECTURE.md lists of each package, at the start of a line."""
    listed = {}
    for section in re.split(r"^## ", text_of("ARCHITECTURE.md"), flags=re.M)[1:]:
        starts = re.findall(r"^    (\S+(?:, \S+)*)  ", section, re.M)
        names = {name.rstrip("/") for start in starts for name in start.split(", ")}
        listed[section.split()[0].rstrip(",")] = names
    return listed


@pytest.mark.parametrize("package", ["gameopt", "theory", "models", "recipes"])
def test_the_architecture_lists_every_room_and_no_other(package):
    """Folders and modules; of recipes, `NAME` and `_NAME` are an entry and its parts."""
    there = {
        path.stem
        for path in (ROOT / package).iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("__")
    }
    if package == "recipes":
        entries = {name for name in there if not name.startswith("_")}
        there = there - entries - {f"_{name}" for name in entries} | {"NAME", "_NAME"}
        # Parts that other recipes use too, such as `_certify`, are listed by name.
        there |= rooms_listed()[package] & {path.name for path in (ROOT / package).iterdir()}
    assert rooms_listed()[package] == there


def test_the_architecture_fits_a_page():
    """80 lines at most."""
    assert len(text_of("ARCHITECTURE.md").splitlines()) <= 80
