"""The benchmarks can be started. Nothing here is timed, and none of their peers is needed."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent.parent / "benchmarks").glob("[!_]*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_help_says_what_it_takes(script, monkeypatch, capsys):
    """Compiled, imported, and asked for `--help`, which ends it with status 0.

    Those that time something take the number of repeats, and studies the folder of their runs or
    the number of their games.
    """
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    monkeypatch.syspath_prepend(str(script.parent))
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(script), run_name="__main__")
    assert end.value.code == 0
    flag = {"beta_sweep": "--out", "certificates": "--games"}.get(script.stem, "--repeats")
    assert flag in capsys.readouterr().out
