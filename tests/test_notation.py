"""One vocabulary of flags over all recipes, as the table in docs/notation.md has it."""

import dataclasses
import importlib
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recipes._runtime.start import recipes

ROOT = Path(__file__).parent.parent
TABLE = (ROOT / "docs" / "notation.md").read_text(encoding="utf-8").partition("## Flags")[2]
ROWS = re.findall(r"^\| (`--.*?) \| .* \| (.*?) ?\|$", TABLE, re.M)
FLAG = re.compile(r"`--([\w.-]+)`")
NAMES = {flag for names, _ in ROWS for flag in FLAG.findall(names)}
FORBIDDEN = {flag for _, names in ROWS for flag in FLAG.findall(names)}
STEMS = re.compile(
    r"step|round|iteration|epoch|inner|rate$|optimi|width|depth|channels|penalt|lipschitz|weight$"
    r"|solver|critic|seed|start|every|size$|clip$"
)
"""Words of the things that the table names: a flag with one of them must be in it."""


def flags_of(args_type: Any, prefix: str = "") -> Iterator[str]:
    """Every flag of a recipe, nested ones with a dot."""
    hints = typing.get_type_hints(args_type)
    for field in dataclasses.fields(args_type):
        yield prefix + field.name.replace("_", "-")
        hint = hints[field.name]
        for part in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(part):
                yield from flags_of(part, f"{prefix}{field.name.replace('_', '-')}.")


def last(flag: str) -> str:
    """A flag without the group that it is in, but for a player's optimizer."""
    return flag if "optimizer." in flag else flag.rpartition(".")[2]


def test_the_table_is_read():
    """Both columns; no name is both the law and its opposite."""
    assert {"steps", "inner-steps", "penalties", "solver"} <= NAMES
    assert {"k", "n-critic", "generator-rate", "beta1", "rounds"} <= FORBIDDEN
    assert not NAMES & FORBIDDEN


@pytest.mark.parametrize("recipe", recipes())
def test_flags_are_those_of_the_table(recipe):
    """No flag has a name that the table replaces, or one of its words in another form."""
    flags = set(flags_of(importlib.import_module(f"recipes.{recipe}").Args))
    assert not {flag for flag in flags if last(flag) in FORBIDDEN}
    players = re.compile(r"((generator|discriminator|classifier)-)?optimizer(\.|$)")
    unknown = {flag for flag in flags if STEMS.search(last(flag)) and last(flag) not in NAMES}
    assert not {flag for flag in unknown if not players.match(flag)}


COMMAND = re.compile(r"python -m recipes\.(\w+)((?:[^`\n#]|\\\n)*)")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "recipes").glob("[!_]*.py")]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_that_are_shown_have_flags_that_there_are(page):
    """In the README, the docs, and the usage at the head of every recipe."""
    for name, rest in COMMAND.findall(page.read_text(encoding="utf-8")):
        if name not in recipes():  # an example's
            continue
        flags = {*flags_of(importlib.import_module(f"recipes.{name}").Args), "help"}
        shown = {flag.removeprefix("no-") for flag in re.findall(r"--([a-z][\w.-]*)", rest)}
        assert shown <= flags, f"{name}: {shown - flags}"
