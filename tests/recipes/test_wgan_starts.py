"""Every wrong way to start recipes.wgan, and the command as a shell runs it."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from recipes import wgan

WRONG = {
    "unknown_flag": (["--inner-step", "3"], ["--inner-step", "--inner-steps"]),
    "unknown_solver": (["--solver", "magic"], ["magic", "alternating"]),
    "inner_steps": (["--inner-steps", "0"], ["--inner-steps must be at least 1"]),
    "batch_zero": (["--batch-size", "0"], ["--batch-size must be at least 1"]),
    "batch_large": (["--batch-size", "5000"], ["--batch-size 5000", "1797 points"]),
    "steps": (["--steps", "-3"], ["--steps must be at least 1"]),
    "latent": (["--latent-size", "0"], ["--latent-size must be at least 1"]),
    "clip": (["--clip", "-1"], ["--clip must be positive"]),
    "rate": (
        ["--discriminator-optimizer.learning-rate", "0"],
        ["--discriminator-optimizer.learning-rate"],
    ),
    "rate_nan": (["--generator-optimizer.learning-rate", "nan"], ["must be positive, got nan"]),
    "beta": (["--generator-optimizer.beta2", "1"], ["--generator-optimizer.beta2 must be in"]),
    "penalty": (["--penalty-weights", "-1"], ["--penalty-weights must be 0 or more"]),
    "penalty_nan": (["--penalty-weights", "nan"], ["--penalty-weights"]),
    "simultaneous": (["--solver", "simultaneous", "--inner-steps", "2"], ["add --inner-steps 1"]),
    "no_dir": (["--data", "mnist"], ["train-images-idx3-ubyte(.gz)"]),
    "missing_dir": (["--data", "mnist", "--data-dir", "gone"], ["gone is no folder"]),
    "nan_file": (["--data", "nan.npy"], ["NaN or inf in 1 of its 9 points"]),
    "odd_images": (["--data", "odd.npy"], ["shape (9, 1, 5)"]),
    "no_file": (["--data", "gone.npy"], ["no such file"]),
    "unknown_data": (["--data", "cats"], ["--data cats is none of"]),
    "truncated": (["--data", "mnist", "--data-dir", "cut"], ["truncated"]),
    "magic": (["--data", "mnist", "--data-dir", "magic"], ["no IDX file"]),
    "out_exists": (["--out", "full"], ["--out full exists already", "--overwrite", "--resume"]),
    "out_below_file": (["--out", "nan.npy/run"], ["cannot be written"]),
    "overwrite_other": (["--out", "full", "--overwrite"], ["no earlier run's folder"]),
    "resume_nothing": (["--resume", "gone"], ["gone/config.json does not exist"]),
    "resume_empty": (["--resume", "full"], ["full/config.json does not exist"]),
    "config_keys": (["--config", "keys.json"], ["keys.json", "--colour"]),
    "config_gone": (["--config", "gone.json"], ["gone.json does not exist"]),
}  # fmt: skip


@pytest.fixture
def wrong_files(tmp_path, monkeypatch):
    """A folder with every file that the cases above name."""
    monkeypatch.chdir(tmp_path)
    points = np.ones((9, 3))
    points[4, 1] = np.nan
    np.save("nan.npy", points)
    np.save("odd.npy", np.ones((9, 1, 5)))
    (tmp_path / "keys.json").write_text('{"args": {"colour": "red"}}')
    for name, head in (("cut", b"\x00\x00\x08\x03"), ("magic", b"\x01\x02\x03\x04")):
        folder = tmp_path / name
        folder.mkdir()
        images = head + bytes([0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 4]) + bytes(100)
        (folder / "train-images-idx3-ubyte").write_bytes(images)
        (folder / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 9, *[1] * 9]))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("precious")
    return tmp_path


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_start_is_one_line_and_changes_nothing(
    name, wrong_files, monkeypatch, capsys, float32, compilations
):
    """Status 2, before anything is compiled, in under 5 seconds, nothing written or lost."""
    argv, words = WRONG[name]
    before = sorted((str(p), p.is_file() and p.read_bytes()) for p in wrong_files.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["wgan", *argv])
    begin = time.perf_counter()
    with pytest.raises(SystemExit) as stop:
        wgan.main()
    assert stop.value.code == 2
    assert time.perf_counter() - begin < 5
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    for word in words:
        assert word in captured.err
    assert compilations == []
    after = sorted((str(p), p.is_file() and p.read_bytes()) for p in wrong_files.rglob("*"))
    assert before == after


def test_the_command_from_outside(tmp_path):
    """A fresh process: exit status, one line of error, and JSON as the last line of output."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "recipes.wgan"]
    begin = time.perf_counter()
    wrong = subprocess.run(
        [*command, "--inner-steps", "0"], capture_output=True, text=True, env=environment
    )
    assert time.perf_counter() - begin < 15  # 5 on an idle machine
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "error: --inner-steps must be at least 1, got 0.\n"
    flags = ["--steps", "20", "--eval-every", "10", "--no-metrics", "--out", str(tmp_path / "run")]
    right = subprocess.run([*command, *flags], capture_output=True, text=True, env=environment)
    assert right.returncode == 0, right.stderr
    summary = json.loads(right.stdout.splitlines()[-1])
    assert summary["rounds"] == 20
    assert summary["w1_exact"] > summary["w1_floor"] > 0
    assert "rounds/s" in right.stderr
