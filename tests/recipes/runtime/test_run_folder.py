"""Run folders among other processes: names, locks, signals, pipes and disks."""

import ast
import concurrent.futures
import datetime
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recipes._runtime import checkpoint as _checkpoint, cli, config, run as _run
from recipes._runtime.errors import UserError
from recipes._runtime.files import load_array
from tests.recipes.runtime.test_args import RECIPES, module_of

TINY = {
    "--batch-size": 8, "--depth": 1, "--eval-size": 8, "--generator-width": 4,
    "--discriminator-width": 4, "--latent-size": 2, "--data": "points.npy",
}  # fmt: skip
START = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
"""A process in the background is started with SIGINT ignored."""


def open_new(monkeypatch, folder):
    monkeypatch.chdir(folder)
    return _run.open_run("toy", _run.FolderArgs(), None).path


def test_runs_that_begin_in_one_second_have_folders_of_their_own(tmp_path, monkeypatch):
    """Twenty of them, with the clock held: no name twice, and a name that is taken is passed by."""

    class Stopped(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 11, 21, 12)

    monkeypatch.setattr(_run.datetime, "datetime", Stopped)
    (tmp_path / "runs" / "toy").mkdir(parents=True)
    (tmp_path / "runs" / "toy" / "20261121-120000").touch()
    paths = [open_new(monkeypatch, tmp_path) for _ in range(20)]
    assert len(set(paths)) == 20
    assert paths[0].name == "20261121-120000-2"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        more = list(pool.map(lambda _: _run._new_path("toy"), range(40)))
    assert len({*paths, *more}) == 60


def test_two_processes_with_one_name_are_one_run_and_one_line(tmp_path, monkeypatch):
    """A folder that appears between looking and making is not written to."""
    real = _run.Path.exists
    monkeypatch.setattr(_run.Path, "exists", lambda path: path.name != "run" and real(path))
    (tmp_path / "run").mkdir()
    with pytest.raises(UserError, match="run exists already; choose another folder"):
        _run.open_run("toy", _run.FolderArgs(out=tmp_path / "run"), None)


def test_a_folder_that_another_process_writes_to_is_refused(tmp_path):
    """To go on with it, and to replace it; when that process has ended, it is free."""
    run = tmp_path / "run"
    _run.open_run("toy", _run.FolderArgs(out=run), ()).write_config("toy", _run.FolderArgs(), {})
    other = hold(run)
    for args in (_run.FolderArgs(resume=run), _run.FolderArgs(out=run, overwrite=True)):
        with pytest.raises(UserError, match="being written to by another process"):
            _run.open_run("toy", args, ())
    other.communicate()
    assert _run.open_run("toy", _run.FolderArgs(resume=run), ()).resumed
    assert not _run.open_run("toy", _run.FolderArgs(out=run, overwrite=True), ()).resumed


def begin(folder, *argv, **environment):
    code = f"{START}from recipes import wgan; wgan.main()"
    np.save(folder.parent / "points.npy", np.random.default_rng(0).normal(size=(40, 3)))
    tiny = [word for pair in TINY.items() for word in map(str, pair)]
    command = [sys.executable, "-c", code, "--out", str(folder), *tiny, *argv]
    environment = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1", **environment}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder.parent, env=environment, stdout=pipe, stderr=pipe)


def test_a_training_ends_well_without_utf_8(tmp_path):
    """ASCII for the streams, and a locale without é: every file is UTF-8 all the same."""
    run = tmp_path / "run"
    settings = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    process = begin(run, "--steps", "2", "--eval-every", "2", PYTHONCOERCECLOCALE="0", **settings)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    assert json.loads(out.splitlines()[-1])["rounds"] == 2
    assert "Fréchet distance" in (run / "metrics.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "cp1251", "utf-8"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_help_is_printed_into_any_pipe(recipe, encoding, monkeypatch):
    """In every recipe: status 0, and every flag is there."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.argv", [recipe, "--help"])
    with pytest.raises(SystemExit) as stop:
        module_of(recipe).main()
    stream.flush()
    assert stop.value.code == 0
    assert b"--seed" in stream.buffer.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


FAULTS = {
    "full": (OSError(errno.ENOSPC, "No space left", "metrics.jsonl"), "No space left"),
    "input": (OSError(errno.EIO, "Input/output error"), "Input/output error"),
    "memory": (MemoryError(), "out of memory"),
    "array": (MemoryError("Unable to allocate 9 TiB"), "Unable to allocate 9 TiB"),
    "xla": (
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nMore"),
        "out of memory (RESOURCE_EXHAUSTED",
    ),
}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_of_the_machine_is_one_line_with_what_is_sound(name, tmp_path, capsys):
    """Status 2, and how to go on from the newest checkpoint."""
    error, words = FAULTS[name]

    def run(args):
        folder = _run.open_run("toy", _run.FolderArgs(out=tmp_path / "run"))
        folder.write_config("toy", args, {})
        folder.save_checkpoint(30, {"a": jnp.arange(3)})
        raise error

    with pytest.raises(SystemExit) as stop:
        cli.main(_run.FolderArgs, run, [])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert words in err
    assert f"sound to round 30; go on by python -m recipes.toy --resume {tmp_path / 'run'}" in err


def test_a_fault_of_the_program_keeps_its_traceback():
    """It is for whoever mends the program."""

    def run(args):
        raise RuntimeError("INTERNAL: a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(_run.FolderArgs, run, [])


def hold(path, exclusive=True):
    """Another process that has the lock of a folder, until its input ends."""
    code = "import pathlib, sys; from recipes._runtime.files import lock; "
    code += f"held = lock(pathlib.Path({str(path)!r}), {exclusive}); "
    code += "print('held', flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    other = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    return other


def test_a_run_and_its_parts_have_one_process(tmp_path):
    """Not a part while the whole is written, nor the whole while a part is; parts side by side."""
    run = tmp_path / "run"
    whole = _run.open_run("toy", _run.FolderArgs(out=run), ())
    whole.write_config("toy", _run.FolderArgs(), {})
    for name in ("a", "b"):
        part = _run.open_run("toy", _run.FolderArgs(out=run / name), ())
        part.write_config("toy", _run.FolderArgs(), {})
    del whole, part
    refused = pytest.raises(UserError, match="run is being written to by another process")
    other = hold(run)
    for args in (_run.FolderArgs(resume=run / "a"), _run.FolderArgs(out=run / "certificate")):
        with refused:
            _run.open_run("toy", args, ())
    other.communicate()
    other = hold(run, exclusive=False)
    for args in (_run.FolderArgs(resume=run), _run.FolderArgs(out=run, overwrite=True)):
        with refused:
            _run.open_run("toy", args, ())
    assert _run.open_run("toy", _run.FolderArgs(resume=run / "b"), ()).resumed
    other.communicate()
    assert _run.open_run("toy", _run.FolderArgs(resume=run), ()).resumed


def test_a_folder_that_was_killed_before_its_configuration(tmp_path):
    """Is replaced; and --resume says so."""
    run = tmp_path / "run"
    (run / "samples").mkdir(parents=True)
    (run / ".config.json.writing").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match=r"no config\.json there.* Begin it with --overwrite"):
        _run.open_run("toy", _run.FolderArgs(resume=run))
    (run / "samples" / "mine.png").touch()
    with pytest.raises(UserError, match="is no earlier run's folder"):
        _run.open_run("toy", _run.FolderArgs(out=run, overwrite=True))
    (run / "samples" / "mine.png").unlink()
    assert not _run.open_run("toy", _run.FolderArgs(out=run, overwrite=True)).resumed


def test_another_machine_is_said_and_kept_beside_the_first(tmp_path, capsys, monkeypatch):
    """config.json keeps what the run began with, and lists every process that wrote to it."""
    run = tmp_path / "run"
    _run.open_run("toy", _run.FolderArgs(out=run)).write_config("toy", _run.FolderArgs(), {})
    begun = json.loads((run / "config.json").read_text(encoding="utf-8"))
    resumed = lambda: _run.open_run("toy", _run.FolderArgs(resume=run))
    resumed().write_config("toy", _run.FolderArgs(), {})
    assert capsys.readouterr().err == ""
    now = config.surroundings()
    other = {**now, "versions": {**now["versions"], "jax": "9.9"}, "device": "abacus"}
    monkeypatch.setattr(config, "surroundings", lambda: other)
    folder = resumed()
    folder.save_checkpoint(30, {"a": jnp.arange(3)})
    folder.write_config("toy", _run.FolderArgs(), {})
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"jax {now['versions']['jax']} and goes on with 9.9" in err
    assert "goes on with abacus" in err
    found = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert {key: found[key] for key in now} == {key: begun[key] for key in now}
    assert [session["from_round"] for session in found["sessions"]] == [0, None, 30]
    assert found["sessions"][-1]["device"] == "abacus"


def test_a_run_from_another_system_keeps_its_files(tmp_path):
    """A manifest with the separators of Windows; our own has slashes on every system."""
    tree = {"a": jnp.arange(3.0), "b": jnp.arange(4)}
    checkpoint = _checkpoint.save(tmp_path, 7, tree)
    path = checkpoint / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    assert not any("\\" in name for name in manifest["sha256"])
    files = {name.replace("/", "\\"): value for name, value in manifest["sha256"].items()}
    manifest = {**manifest, "sha256": files}
    del manifest["checksum"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert _checkpoint.load(tmp_path, tree)[1:] == (7, [])


def test_an_array_that_was_damaged_is_left_out(tmp_path, capsys):
    """Each byte of the header flipped, and every length: an array, or `None` and a line."""
    path = tmp_path / "points.npy"
    np.save(path, np.arange(6.0))
    whole = path.read_bytes()
    lengths = [whole[:length] for length in range(0, len(whole), 7)]
    flips = [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in range(128)]
    for content in lengths + flips:
        path.write_bytes(content)
        found = load_array(path)
        err = capsys.readouterr().err
        assert (found is None) == (err.count("\n") == 1)
        assert found is None or isinstance(found, np.ndarray)


def test_every_text_file_is_opened_with_its_encoding():
    """In the packages and the benchmarks: no locale decides. Bytes have no encoding."""
    root = Path(_run.__file__).parents[2]
    for folder in ("gameopt", "theory", "models", "recipes", "benchmarks"):
        for path in (root / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call) and is_text(call):
                    named = {keyword.arg for keyword in call.keywords}
                    assert "encoding" in named, f"{path}, line {call.lineno}"


def is_text(call):
    """True for `read_text`, `write_text`, and an `open` without a `b`."""
    method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if method else getattr(call.func, "id", "")
    if name in ("read_text", "write_text"):
        return True
    if name != "open" or (method and getattr(call.func.value, "id", "") in ("os", "Image")):
        return False
    modes = [word.value for word in call.args[-1:] if isinstance(word, ast.Constant)]
    return not any("b" in str(mode) for mode in modes)
