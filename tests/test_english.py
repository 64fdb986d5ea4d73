"""First lines of docstrings: the noun phrase of the field, or an imperative."""

import ast
import importlib
import pathlib
import re

import pytest

PACKAGES = ("gameopt", "theory", "models", "recipes")
"""All that is installed."""

OPENINGS = re.compile(r"(What|How|Whether|Of|Which|Where|Why|Those|The words)\b")
"""Relative clauses and fragments in place of a noun."""

DESCRIPTIVE = re.compile(r"(Raises|Returns|Plays|Makes|Gives|Takes|Draws (?!from)|Integrates)\b")
"""The third person, where an imperative is the habit."""


def docstrings(package: str):
    """(file:line name, docstring) of every module, class and function, private ones too."""
    root = pathlib.Path(str(importlib.import_module(package).__file__)).parent
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text, name = ast.get_docstring(node), getattr(node, "name", "module")
                if text:
                    yield f"{path.relative_to(root.parent)}: {name}", text


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_open_with_a_noun_or_an_imperative(package):
    """No opening relative clause, no fragment that begins with "Of", no third person."""
    wrong = [
        f"{where}: {text.splitlines()[0]}"
        for where, text in docstrings(package)
        if OPENINGS.match(text) or DESCRIPTIVE.match(text)
    ]
    assert wrong == []


def test_the_habits_are_seen():
    """The patterns match what they are for, and not the verbs' other uses."""
    for bad in ("What it is.", "Whether it ends.", "Of a matrix.", "Raises an error."):
        assert OPENINGS.match(bad) or DESCRIPTIVE.match(bad)
    for good in ("Whatever it takes.", "Offsets of a kernel.", "Draws from a finite set."):
        assert OPENINGS.match(good) is None
        assert DESCRIPTIVE.match(good) is None
