"""The packages as others install them: typed, whole, and with all that they import declared."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("gameopt", "theory", "models", "recipes")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTIONS = {
    "PIL": "pillow",
    "ot": "pot",
    "sklearn": "scikit-learn",
    "orbax": "orbax-checkpoint",
}
"""Distributions whose name is not that of the module."""


def imported(folder: Path) -> set[str]:
    """Top-level names of all imports below a folder."""
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add((node.module or "").partition(".")[0])
    return names - set(sys.stdlib_module_names) - {*PACKAGES, "tests"}


def declared(requirements: list[str]) -> set[str]:
    """Names of requirements, without versions and extras."""
    return {re.split(r"[\[><=~! ]", requirement)[0] for requirement in requirements}


def test_what_the_packages_import_is_declared_and_no_more():
    """A dependency that only comes along with another one may leave with it."""
    needed = {DISTRIBUTIONS.get(n, n) for package in PACKAGES for n in imported(ROOT / package)}
    assert needed == declared(PROJECT["dependencies"])


def test_what_the_tests_import_is_declared():
    """In the extra `test`, or as a dependency."""
    needed = {DISTRIBUTIONS.get(name, name) for name in imported(ROOT / "tests")}
    known = declared(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"])
    assert needed <= known


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed_and_have_no_namespaces(package):
    """`py.typed` lets users' checkers read our types; import contracts skip namespace packages."""
    assert (ROOT / package / "py.typed").is_file()
    for path in (ROOT / package).rglob("*.py"):
        assert (path.parent / "__init__.py").is_file(), path.parent
