"""Checks before anything of gameopt is imported: hidden packages, and names of recipes.

Standard library only, because it runs at the first import of `recipes`.
"""

import ast
import difflib
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("gameopt", "theory", "models")
"""Packages that `recipes` imports, under names that a folder of the user's own may have too."""


def check_start() -> None:
    """Refuse to start with a hidden package, or under `python -m` with an unknown recipe.

    `python -m` puts the working folder first on the import path, so that a user's own `models`
    would be imported in place of ours. Under `python -m` this is one line and exit status 2.

    **Raises:** `ImportError`, from Python.
    """
    fault = hidden_package()
    if sys.argv[:1] != ["-m"]:  # Python's own name for itself while it looks for the module
        if fault is not None:
            raise ImportError(fault)
        return
    fault = fault or unknown_recipe(started_module(sys.orig_argv))
    if fault is not None:
        print(f"error: {fault}", file=sys.stderr)
        sys.exit(2)


def hidden_package() -> str | None:
    """The message about the first package that another one of its name hides, or `None`.

    Ours are those beside `recipes`. A copy of `recipes` alone works too: ours are then those
    beside `gameopt`.
    """
    places = {name: _place(name) for name in PACKAGES}
    homes = {ROOT.parent, places["gameopt"].parent if places["gameopt"].is_dir() else ROOT.parent}
    for name, place in places.items():
        if place.parent not in homes or not place.is_dir():
            return (
                f"{place} hides gameopt's own package {name!r}. Rename it, start from another "
                "folder, or put -P after python, which leaves the working folder out of the "
                "import path."
            )
    return None


def _place(name: str) -> Path:
    """The folder of a package, or the file of a module, as an import would find it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:  # not there: the import itself says so
        return ROOT.parent / name
    file = Path(spec.origin)
    return file.parent if spec.submodule_search_locations is not None else file


def started_module(argv: list[str]) -> str:
    """The module that `python -m` was given; empty if none is found."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word.startswith("-m"):
            return word[2:] or following
    return ""


def unknown_recipe(module: str) -> str | None:
    """The message about a module that is no recipe, with the nearest name, or `None`."""
    package, _, name = module.partition(".")
    found = recipes()
    if package != "recipes" or not name or name in found or name.startswith("_"):
        return None
    near = difflib.get_close_matches(name, found, n=1)
    hint = f"; perhaps you meant recipes.{near[0]}" if near else ""
    return f"there is no recipe {name!r}{hint}. See python -m recipes"


def recipes() -> list[str]:
    """Names of all recipes: the public modules of this package."""
    return sorted(path.stem for path in ROOT.glob("[!_]*.py"))


def first_line(name: str) -> str:
    """The first line of a recipe's docstring, without importing it."""
    doc = ast.get_docstring(ast.parse((ROOT / f"{name}.py").read_text(encoding="utf-8")))
    return (doc or "").partition("\n")[0]
