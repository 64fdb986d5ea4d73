"""The pages of `docs`: links and names, the API's completeness, the tutorial's output."""

import ast
import contextlib
import importlib.util
import io
import re
from pathlib import Path

import pytest

import gameopt
import models
import theory

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
PACKAGES = {"go": gameopt, "gameopt": gameopt, "models": models, "theory": theory}
API_PAGES = {
    "gameopt": {
        "_games": "games",
        "_gans": "gans",
        "_solvers": "solvers",
        "_linalg": "solvers",
        "_equilibria": "equilibria",
        "_dynamics": "dynamics",
        "": "loops",
    },
    "theory": {
        **{
            room: room
            for room in (
                "divergences",
                "transport",
                "gans",
                "dynamics",
                "samples",
                "latent",
                "diffusion",
            )
        },
        "lipschitz": "lipschitz",
        "": "laws",
    },
    "models": {
        room: room
        for room in (
            "networks",
            "latent",
            "diffusion",
            "layers",
            "convolution",
            "wrappers",
            "augmentation",
        )
    },
}
"""The API page of each room; that of "" has the modules beside the rooms."""


def text_of(page: str) -> str:
    """A page of `docs`."""
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_only_what_there_is(page):
    """Functions, test files, recipes, pictures and other pages."""
    text = text_of(page)
    for package, name in re.findall(r"`(go|models|theory)\.(\w+)", text):
        assert hasattr(PACKAGES[package], name), f"{page}: {package}.{name}"
    for name in re.findall(r"`recipes\.(\w+)`", text):
        assert importlib.util.find_spec(f"recipes.{name}"), f"{page}: recipes.{name}"
    for path in re.findall(
        r"(?:`|tests/)((?:gameopt|models|theory|meets_theory|recipes)/test_\w+\.py)", text
    ):
        assert (ROOT / "tests" / path).is_file(), f"{page}: {path}"
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    for path in re.findall(r"\]\(([^)#:]+)[^):]*\)", prose):
        assert (DOCS / page).parent.joinpath(path).is_file(), f"{page}: {path}"


def test_every_recipe_is_in_the_map_of_the_lectures_or_in_the_readme():
    """A recipe that nobody is told of is not found."""
    text = (ROOT / "README.md").read_text(encoding="utf-8") + text_of("lecture_notes.md")
    for path in (ROOT / "recipes").glob("[!_]*.py"):
        assert f"recipes.{path.stem}" in text


def test_every_page_is_in_the_contents():
    """`nav` of mkdocs.yml lists all pages, and no others."""
    contents = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    assert sorted(re.findall(r"- (?:[^:\n]+: )?(\S+\.md)$", contents, re.M)) == PAGES


def public_names(package: str) -> dict[str, list[str]]:
    """Every public name by the API page of the room that it is imported from."""
    rooms = API_PAGES[package]
    names = {page: [] for page in rooms.values()}
    source = (ROOT / package / "__init__.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            room = node.module.split(".")[1]
            page = rooms[room if room in rooms else ""]
            names[page] += [f"{package}.{alias.asname or alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("package", API_PAGES)
def test_the_api_pages_have_every_public_name_once(package):
    """On the page of its room: a new function joins it by one line `::: package.name`."""
    for page, names in public_names(package).items():
        listed = re.findall(r"^::: (\S+)$", text_of(f"api/{package}/{page}.md"), re.M)
        assert sorted(listed) == sorted(names), page


def test_the_tutorial_prints_what_it_shows(float32):
    """Its blocks are one program; each is followed by what it prints, if it prints anything."""
    blocks = re.findall(
        r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", text_of("tutorial.md"), re.S
    )
    assert len(blocks) >= 5
    namespace = {}
    for code, shown in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "tutorial.md", "exec"), namespace)
        assert printed.getvalue() == shown
