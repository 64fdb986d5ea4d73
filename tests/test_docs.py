"""What the docs name is there."""

import importlib.util
import pathlib
import re

import pytest

import gameopt
import models
import theory

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = {"go": gameopt, "models": models, "theory": theory}


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_pages_name_only_what_there_is(page):
    """Functions, test files, recipes and pictures."""
    text = (ROOT / "docs" / page).read_text()
    for package, name in re.findall(r"`(go|models|theory)\.(\w+)", text):
        assert hasattr(PACKAGES[package], name), f"{page}: {package}.{name}"
    for name in re.findall(r"`recipes\.(\w+)`", text):
        assert importlib.util.find_spec(f"recipes.{name}"), f"{page}: recipes.{name}"
    for path in re.findall(
        r"(?:`|tests/)((?:gameopt|models|theory|meets_theory|recipes)/test_\w+\.py)", text
    ):
        assert (ROOT / "tests" / path).is_file(), f"{page}: {path}"
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (ROOT / "docs" / path).is_file(), f"{page}: {path}"


def test_every_recipe_is_in_the_map_of_the_lectures_or_in_the_readme():
    """A recipe that nobody is told of is not found."""
    text = (ROOT / "README.md").read_text() + (ROOT / "docs" / "lecture_notes.md").read_text()
    for path in (ROOT / "recipes").glob("[!_]*.py"):
        assert f"recipes.{path.stem}" in text
