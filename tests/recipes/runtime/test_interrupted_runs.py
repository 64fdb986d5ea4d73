"""Runs that are cut off, by a kill at any write or by signals, go on to the same bits."""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

from recipes import wgan
from recipes._runtime import checkpoint as _checkpoint, cli, signals, standing, training
from recipes._runtime.errors import UserError
from recipes._runtime.metrics_file import MetricsFile
from tests.recipes.runtime.test_damaged_runs import SOLVER, Args, run
from tests.recipes.runtime.test_run_folder import TINY

ROUNDS: dict[str, Any] = {"steps": 7, "eval_every": 3, "log_every": 2}


def contents(folder, rounds=7):
    """The measurements of a run, and the bits of its last checkpoint."""
    checkpoint = folder / "checkpoints" / f"{rounds:08d}"
    leaves = json.loads((checkpoint / "manifest.json").read_text(encoding="utf-8"))["leaves"]
    found = _checkpoint._restored(checkpoint, like())
    assert isinstance(found, dict)
    bits = {name: np.asarray(leaf).tobytes() for name, leaf in found.items()}
    return (folder / "metrics.jsonl").read_text(encoding="utf-8"), leaves, bits


def like():
    import jax
    import jax.numpy as jnp

    import gameopt as go

    players = go.Players(jnp.float32(0), jnp.float32(0))
    game = go.Bilinear(jnp.float32(1.0))
    return _checkpoint._named_leaves((players, SOLVER.init(game, players, jax.random.key(0))))


class Killed(BaseException):
    """The end of a process; what follows in it does not happen."""


WRITES = [
    (os, "fsync"), (pathlib.Path, "rename"), (pathlib.Path, "replace"), (pathlib.Path, "mkdir"),
    (pathlib.Path, "unlink"), (pathlib.Path, "open"), (shutil, "rmtree"),
]  # fmt: skip


def dies_at(monkeypatch, number):
    """The writes from `number` on are not made. Returns the number of those asked for."""
    counts = itertools.count()
    seen = []

    def guarded(real):
        def call(*args, **kwargs):
            count = next(counts)
            seen.append(count)
            if count >= number:
                raise Killed
            return real(*args, **kwargs)

        return call

    for owner, name in WRITES:
        monkeypatch.setattr(owner, name, guarded(getattr(owner, name)))
    return seen


def test_a_run_that_is_killed_at_any_write_goes_on_to_the_same_bits(
    tmp_path, monkeypatch, capsys, float32
):
    """Before every second write of a run in turn; what has no config.json yet is begun again."""
    rounds = {**ROUNDS, "steps": 4}
    with monkeypatch.context() as patch:
        seen = dies_at(patch, 10**9)
        run(Args(out=tmp_path / "whole", **rounds))
    expected, begun = contents(tmp_path / "whole", 4), 0
    assert len(seen) > 40
    for number in range(0, len(seen), 2):
        folder = tmp_path / str(number)
        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            dies_at(patch, number)
            run(Args(out=folder, **rounds))
        if (folder / "config.json").is_file():
            run(cli.parse(Args, ["--resume", str(folder)]))
        else:
            begun += 1
            run(Args(out=folder, overwrite=True, **rounds))
        assert contents(folder, 4) == expected, number
    assert 0 < begun < 20


@pytest.mark.parametrize("at", range(8))
def test_a_run_that_is_stopped_at_any_round_goes_on_to_the_same_bits(
    at, tmp_path, monkeypatch, float32
):
    """By a signal between two rounds: a checkpoint where it was, evaluations at multiples."""
    run(Args(out=tmp_path / "whole", **ROUNDS))
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(training._Pace, "rounds", 1, raising=False)
        patch.setattr(training._Pace, "took", stop_after(at))
        with contextlib.suppress(signals.Stopped):
            run(Args(out=folder, **ROUNDS))
    signals._asked.clear()
    newest = _checkpoint.newest_round(folder / "checkpoints")
    assert newest == (at or 7)
    run(cli.parse(Args, ["--resume", str(folder)]))
    assert contents(folder) == contents(tmp_path / "whole")
    rounds = [line["round"] for line in MetricsFile(folder).read() if line["kind"] == "eval"]
    assert rounds == [0, 3, 6, 7]


def stop_after(round):
    played = []

    def took(pace, rounds, seconds):
        pace.rounds = 1
        pace._played, pace._seconds = 1, 1.0
        played.append(rounds)
        if sum(played) == round:
            signals._asked.append(int(signal.SIGTERM))

    return took


def test_log_lines_are_at_multiples(tmp_path, float32):
    """Multiples of --log-every, whatever --eval-every is; a shorter run has one at its end."""
    run(Args(out=tmp_path / "run", steps=20, eval_every=7, log_every=3))
    lines = MetricsFile(tmp_path / "run").read()
    assert [line["round"] for line in lines if line["kind"] == "train"] == [3, 6, 9, 12, 15, 18]
    assert [line["round"] for line in lines if line["kind"] == "eval"] == [0, 7, 14, 20]
    run(Args(out=tmp_path / "short", steps=2, eval_every=7, log_every=3))
    kinds = [(line["kind"], line["round"]) for line in MetricsFile(tmp_path / "short").read()]
    assert kinds == [("eval", 0), ("train", 2), ("eval", 2)]


def test_records_without_any_checkpoint_are_no_run_to_go_on_with(tmp_path, float32):
    """They were lost; of a run that has none of either yet, it begins."""
    run(Args(out=tmp_path / "run", **ROUNDS))
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(UserError, match="has no sound checkpoint"):
        run(Args(resume=tmp_path / "run", **ROUNDS))


def begin(folder, *argv, code="from recipes import wgan; wgan.main()"):
    # As from a terminal: a shell's background and nohup start processes with signals ignored.
    as_usual = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"import signal; {as_usual}; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n{code}"
    np.save(folder.parent / "points.npy", np.random.default_rng(0).normal(size=(40, 3)))
    tiny = [word for pair in TINY.items() for word in map(str, pair)]
    command = [sys.executable, "-c", code, "--out", str(folder), *tiny, *argv]
    environment = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder.parent, env=environment, stdout=pipe, stderr=pipe)


def wait_for(condition, process):
    end = time.monotonic() + 120
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
        assert process.poll() is None


STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -9}
FLAGS = ["--steps", "1000000", "--eval-every", "300000", "--log-every", "10", "--no-metrics"]


@pytest.mark.parametrize(
    "chosen",
    [
        (signal.SIGINT, signal.SIGKILL),
        pytest.param((signal.SIGTERM, signal.SIGHUP), marks=pytest.mark.slow),
    ],
)
def test_signals_end_a_training_where_it_is(chosen, tmp_path, monkeypatch, float32):
    """One line, the status that shells give, a checkpoint between evaluations; SIGKILL, too."""
    started = {sent: begin(tmp_path / str(int(sent)), *FLAGS) for sent in chosen}
    monkeypatch.chdir(tmp_path)
    try:
        for sent, process in started.items():
            folder = tmp_path / str(int(sent))
            wait_for(lambda run=folder: b'"train"' in metrics(run), process)
            process.send_signal(sent)
            _, err = process.communicate(timeout=60)
            assert process.returncode == STATUSES[sent]
            assert b"Traceback" not in err
            newest = _checkpoint.newest_round(folder / "checkpoints")
            assert newest is not None
            if sent != signal.SIGKILL:
                last = err.replace(b"\r", b"\n").decode().splitlines()[-1]
                word = signals.WORDS[sent]
                assert last == (
                    f"{word}: {folder} is sound to round {newest}; go on by "
                    f"python -m recipes.wgan --resume {folder}"
                )
                assert newest > 0
                assert newest % 300000
            args = cli.parse(wgan.Args, ["--resume", str(folder)])
            args = dataclasses.replace(args, steps=newest + 5)
            if sent == signal.SIGINT:
                assert wgan.run(args).summary["rounds"] == newest + 5
    finally:
        for process in started.values():
            process.kill()
            process.communicate()


def metrics(run):
    path = run / "metrics.jsonl"
    return path.read_bytes() if path.is_file() else b""


BUSY = """
import sys, time
from recipes._runtime import cli, run, signals
def busy(args):
    with {context}:
        print("busy", flush=True)
        {work}
cli.main(run.FolderArgs, busy, [])
"""
WORK = {
    "sleep": ("contextlib.nullcontext()", "time.sleep(60)"),
    "finalizer": ("contextlib.nullcontext()", "[Finalised() for _ in iter(int, 1)]"),
    "suppressed": ("contextlib.nullcontext()", "swallow()"),
    "asked": ("signals.signals_ask()", "time.sleep(60)"),
}
HELP = """
import contextlib, gc
class Finalised:
    def __del__(self):
        time.sleep(0.01)
def swallow():
    while True:
        try:
            time.sleep(0.1)
        except BaseException:
            pass
"""


@pytest.mark.parametrize("name", sorted(WORK))
def test_ctrl_c_is_never_swallowed(name, tmp_path):
    """In finalizers, and under code that catches all; the second one ends what was only asked."""
    context, work = WORK[name]
    code = HELP + BUSY.format(context=context, work=work)
    process = begin(tmp_path / "run", code=code)
    assert process.stdout is not None
    assert process.stdout.readline() == b"busy\n"
    process.send_signal(signal.SIGINT)
    if name == "asked":
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err.strip()) == (130, b"interrupted")


def test_ctrl_c_in_the_imports_is_one_line(tmp_path):
    """At several moments from the first import of the package on."""
    # Started with SIGINT as a shell in the foreground has it.
    command = [sys.executable, "-X", "importtime", "-m", "recipes.wgan", "--help"]
    reset = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    command = [sys.executable, "-c", f"{reset}os.execv(sys.argv[1], sys.argv[1:])", *command]
    for word in (b"recipes._runtime.signals", b"jax._src.config", b"equinox"):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stderr is not None
        seen = b""
        while word not in seen:
            seen = process.stderr.readline()
            assert seen
        time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert b"Traceback" not in err
        assert err.rstrip().endswith(b"interrupted")


def test_signals_that_are_ignored_stay_so():
    """As of a process in the background, or one under nohup."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals.signals_end():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_IGN, signal.SIG_DFL)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_line_speaks_of_the_outermost_run(tmp_path):
    """Whose parts are runs, too; names with blanks are quoted, and old runs are forgotten."""
    whole = tmp_path / "a run"
    whole.mkdir()
    (whole / "config.json").touch()
    with standing.nothing_begun():
        assert standing.how_to_go_on() == ""
        standing.begins(whole, "compare", can_resume=True)
        standing.begins(whole / "dcgan", "dcgan", can_resume=True)
        assert standing.how_to_go_on().endswith(f"recipes.compare --resume '{whole}'")
        standing.begins(tmp_path / "other", "critic", can_resume=False)
        assert "other is not complete; begin again" in standing.how_to_go_on()
    assert standing.how_to_go_on() == ""
