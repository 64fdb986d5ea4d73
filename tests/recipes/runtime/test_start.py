"""The list of recipes, and starts that can't work: one line and status 2, before any import."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recipes._runtime.start import first_line, recipes, started_module

ROOT = Path(__file__).parents[3]


def python(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A start from `folder`, with this copy of the packages behind it on the import path."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_the_list_names_every_recipe_and_imports_none(tmp_path):
    """Each public file of `recipes` with its first line; JAX is not imported for it."""
    done = python("-X", "importtime", "-m", "recipes", folder=tmp_path)
    assert done.returncode == 0
    for path in (ROOT / "recipes").glob("[!_]*.py"):
        (line,) = [line for line in done.stdout.splitlines() if line.split(" ")[0] == path.stem]
        assert line.endswith(first_line(path.stem))
        assert first_line(path.stem)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "ast" in imported
    assert not imported & {"jax", "numpy", "equinox", "tyro", "recipes.wgan"}


@pytest.mark.parametrize("words", [("-m", "recipes.wgann"), ("-m", "recipes", "wgann")])
def test_an_unknown_recipe_has_a_hint(words, tmp_path):
    """As a module and as a word."""
    assert "perhaps you meant recipes.wgan." in refused(python(*words, folder=tmp_path))


def test_a_known_name_as_a_word_says_how_to_start_it(tmp_path):
    """`python -m recipes wgan` starts nothing."""
    assert "python -m recipes.wgan" in refused(python("-m", "recipes", "wgan", folder=tmp_path))


slow = functools.partial(pytest.param, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", ["models", slow("theory"), slow("gameopt")])
@pytest.mark.parametrize("file", ["{}.py", "{}/__init__.py"])
def test_a_package_of_the_user_in_the_working_folder(name, file, tmp_path):
    """It would be imported in place of ours: refused with its path, and none of it is run."""
    if (name, file) == ("gameopt", "{}/__init__.py"):
        pytest.skip("a folder named gameopt is taken for a copy of gameopt")
    own = tmp_path / file.format(name)
    own.parent.mkdir(exist_ok=True)
    own.write_text("print('not to be run')", encoding="utf-8")
    hidden = own.parent if own.name == "__init__.py" else own
    line = refused(python("-m", "recipes.wgan", "--help", folder=tmp_path))
    assert str(hidden) in line
    assert f"'{name}'" in line
    assert "-P" in line
    done = python("-P", "-m", "recipes.wgan", "--help", folder=tmp_path)  # the way that it names
    assert done.returncode == 0
    assert "usage: python -m recipes.wgan" in done.stdout


def test_from_python_it_is_an_import_error(tmp_path):
    """A script beside a user's own models.py; the process is not ended for it."""
    (tmp_path / "models.py").touch()
    (tmp_path / "script.py").write_text(
        "try:\n    import recipes.gan\nexcept ImportError as error:\n    print(error)\n",
        encoding="utf-8",
    )
    done = python("script.py", folder=tmp_path)
    assert done.returncode == 0
    assert f"{tmp_path / 'models.py'} hides" in done.stdout


def test_a_folder_without_init_hides_nothing(tmp_path):
    """Such as a folder of weights that is called models: Python prefers the package."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "weights.npz").touch()
    assert python("-m", "recipes", folder=tmp_path).returncode == 0


def test_a_copy_of_the_recipes_alone_is_ours(tmp_path):
    """Recipes are made to be copied and edited: the packages are then those beside gameopt."""
    for path in ("__init__.py", "__main__.py", "_runtime"):
        copy = shutil.copytree if path == "_runtime" else shutil.copy
        (tmp_path / "recipes").mkdir(exist_ok=True)
        copy(ROOT / "recipes" / path, tmp_path / "recipes" / path)
    own = tmp_path / "recipes" / "mine.py"
    own.write_text('"""My own."""\n', encoding="utf-8")
    done = python("-m", "recipes", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "mine  My own."


def test_the_module_that_was_started():
    """The recipe's name in every way to write it; other uses of Python have none."""
    assert started_module(["python", "-X", "dev", "-m", "recipes.gan", "--k", "2"]) == "recipes.gan"
    assert started_module(["python", "-mrecipes.gan"]) == "recipes.gan"
    assert started_module(["python", "file.py"]) == ""
    assert "gan" in recipes()
