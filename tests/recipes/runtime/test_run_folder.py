"""Run folders among other processes: names, locks, signals, pipes and disks."""

import ast
import concurrent.futures
import contextlib
import datetime
import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from recipes import wgan
from recipes._runtime import checkpoint as _checkpoint, cli, run as _run, signals
from recipes._runtime.errors import UserError
from recipes._runtime.files import load_array
from recipes._runtime.metrics_file import MetricsFile
from tests.recipes.runtime.test_args import RECIPES, module_of

TINY = {
    "--batch-size": 8, "--depth": 1, "--eval-size": 8, "--generator-width": 4,
    "--discriminator-width": 4,
    "--latent-size": 2, "--data": "points.npy",
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
    code = "import pathlib, sys; from recipes._runtime.files import lock; "
    code += f"held = lock(pathlib.Path({str(run)!r})); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
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


def test_signals_end_a_training_with_its_last_checkpoint_intact(tmp_path, monkeypatch):
    """SIGINT and SIGTERM: one line, the status that shells give them, and a run that can go on."""
    statuses = {signal.SIGINT: (130, b"interrupted"), signal.SIGTERM: (143, b"terminated")}
    flags = ["--steps", "1000000", "--eval-every", "20", "--log-every", "10", "--no-metrics"]
    started = {sent: begin(tmp_path / str(int(sent)), *flags) for sent in statuses}
    monkeypatch.chdir(tmp_path)
    try:
        for sent, process in started.items():
            run = tmp_path / str(int(sent))
            wait_for_a_checkpoint(run, process)
            process.send_signal(sent)
            _, err = process.communicate(timeout=60)
            last = err.replace(b"\r", b"\n").splitlines()[-1]
            assert (process.returncode, last.split(b":")[0]) == statuses[sent]
            assert b"Traceback" not in err
            _checkpoint.check_sound(run / "checkpoints")
            args = cli.parse(wgan.Args, ["--resume", str(run)])
            assert _run.open_run("wgan", args, ("steps",)).resumed
            newest = _checkpoint.newest_round(run / "checkpoints")
            assert MetricsFile(run).read()[-1]["round"] >= newest
    finally:
        for process in started.values():
            process.kill()
            process.communicate()


def wait_for_a_checkpoint(run, process):
    end = time.monotonic() + 120
    while _checkpoint.newest_round(run / "checkpoints") is None and time.monotonic() < end:
        time.sleep(0.1)
        assert process.poll() is None


def test_a_signal_that_python_drops_is_raised_again(monkeypatch):
    """Python drops exceptions of finalizers: the loop asks once a chunk."""

    class Finalised:
        def __del__(self):
            with contextlib.suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(signals.Terminated), signals.signals_raise():  # noqa: PT012
        Finalised()
        signals.stop_if_asked()
    signals.stop_if_asked()


def test_a_signal_waits_for_a_checkpoint():
    """It comes while threads write: they end first, and then it is raised."""
    seen = []
    with pytest.raises(signals.Terminated), signals.signals_raise(), signals.signals_wait():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGTERM)
        seen.append("written")
    assert seen == ["written"]


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


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_disk_is_one_line(code, capsys):
    """So are missing rights: status 2, and what the system says. Other faults are our own."""

    def run(args):
        raise OSError(code, os.strerror(code), "runs/metrics.jsonl")

    with pytest.raises(SystemExit) as stop:
        cli.main(_run.FolderArgs, run, [])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert os.strerror(code) in err


def test_a_run_from_another_system_keeps_its_files(tmp_path):
    """A manifest with the separators of Windows; our own has slashes on every system."""
    import jax.numpy as jnp

    tree = {"a": jnp.arange(3.0), "b": jnp.arange(4)}
    checkpoint = _checkpoint.save(tmp_path, 7, tree)
    path = checkpoint / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
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
