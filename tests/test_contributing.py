"""The recipe that CONTRIBUTING.md shows: it runs, resumes, is read back, and has its line."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
SHOWN = re.search(
    r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.S
)
READ_BACK = """
import gameopt as go
import recipes
run = recipes.load_run("runs/whole")
print(run.round, float(go.tree_norm(run.players)))
"""


def python(*words: str, folder: Path) -> str:
    """The output of a process in the folder."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recipe_that_is_shown(tmp_path):
    """In a copy of `recipes`: a run of 60 rounds and one resumed at 40 end at the same distance.

    Of a round's matrix at step size 0.1 the spectral radius is 0.9, so that 60 rounds shrink a
    distance of order 1 to 0.9**60 = 2e-3, times a condition number of order 1.
    """
    assert SHOWN is not None
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes", ignore=ignored)
    (tmp_path / "recipes" / "duel.py").write_text(SHOWN[1], encoding="utf-8")
    assert "duel" in python("-m", "recipes", folder=tmp_path)
    start = ("-m", "recipes.duel", "--eval-every", "20", "--steps")
    whole = python(*start, "60", "--out", "runs/whole", folder=tmp_path)
    python(*start, "40", "--out", "runs/part", folder=tmp_path)
    resumed = ("-m", "recipes.duel", "--resume", "runs/part", "--steps", "60")
    again = python(*resumed, folder=tmp_path)
    ends = [json.loads(printed.splitlines()[-1])["distance"] for printed in (whole, again)]
    assert ends[0] == ends[1] < 2e-2
    round, distance = python("-c", READ_BACK, folder=tmp_path).split()
    assert int(round) == 60
    np.testing.assert_allclose(float(distance), ends[0], rtol=1e-6)
