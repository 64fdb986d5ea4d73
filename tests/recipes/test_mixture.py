"""A recipe of another family, in one file, on the shared runtime: `tests/recipes/mixture.py`."""

import contextlib
import dataclasses
import io
import json

import chex
import jax
import numpy as np
import pytest

import gameopt as go
import recipes
from recipes._data import load
from recipes._runtime import cli
from tests.recipes import mixture

TINY = mixture.Args(steps=40, eval_every=20, log_every=10, batch_size=32, eval_size=16)


def test_one_component_is_the_closed_form_maximum(tmp_path, float32):
    """The mean of the data, and the root of the mean squared distance from it over d.

    Full batches would reach it to rounding. Of batches of 1024 with Adam's last step sizes the mean
    is within 6 standard errors of a batch, σ / 32; the means of 2 coordinates fail so by chance in
    less than one of 10^8 runs.
    """
    args = mixture.Args(
        components=1, batch_size=1024, steps=600, eval_every=600, metrics=False, out=tmp_path / "m"
    )
    result = mixture.run(args)
    points = load("ring").points
    deviation = np.sqrt(np.mean((points - points.mean(axis=0)) ** 2))
    found = result.players.x
    np.testing.assert_allclose(found.means[0], points.mean(axis=0), atol=6 * deviation / 32)
    np.testing.assert_allclose(np.exp(found.log_deviations[0]), deviation, rtol=0.1)
    # The maximum of the likelihood in closed form: -d/2 (log(2 π σ²) + 1).
    best = -(np.log(2 * np.pi * deviation**2) + 1)
    assert best - 0.05 < result.summary["log_likelihood"] < best + 0.02


def test_it_resumes_to_the_same_bits_and_is_read_back(tmp_path, float32):
    """Half a run and the rest are a whole run; two lines lead from its folder to samples."""
    whole = mixture.run(dataclasses.replace(TINY, out=tmp_path / "whole"))
    half = mixture.run(dataclasses.replace(TINY, out=tmp_path / "half", steps=20))
    resumed = cli.parse(mixture.Args, ["--resume", str(half.folder), "--steps", "40"])
    chex.assert_trees_all_equal(
        go.playable(mixture.run(resumed).players), go.playable(whole.players)
    )
    for name in ("metrics.jsonl", "generated.npy"):
        assert (half.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    run = recipes.load_run(whole.folder, module=mixture)
    points = run.sample(jax.random.key(0), 7)
    assert points.shape == (7, 2)
    assert run.round == 40
    assert run.args.components == 8
    assert run.players.y is None


def test_records_have_no_absent_player(tmp_path, float32):
    """Nothing is called loss_y; evaluations have the likelihood beside W1; pictures are there."""
    result = mixture.run(dataclasses.replace(TINY, out=tmp_path / "run"))
    text = (result.folder / "metrics.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    train = [line for line in lines if line["kind"] == "train"]
    assert {frozenset(line) for line in train} == {frozenset({"kind", "round", "loss_x"})}
    last = next(line for line in reversed(lines) if line["kind"] == "eval")
    assert {"log_likelihood", "w1_exact", "w1_floor"} <= last.keys()
    for name in ("over_time.png", "metrics.md", "samples/00000040.png"):
        assert (result.folder / name).stat().st_size > 500


def test_its_help_is_of_its_own_family():
    """No flag of a GAN or of certificates, and the ranges are those of the types."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit):
        cli.parse(mixture.Args, ["--help"])
    for flag in ("--components", "--optimizer.learning-rate", "--batch-size", "--resume"):
        assert flag in out.getvalue()
    for word in ("certify", "generator", "discriminator", "latent"):
        assert word not in out.getvalue()
    with pytest.raises(Exception, match="--components must be at least 1, got 0"):
        cli.parse(mixture.Args, ["--components", "0"])


def test_the_first_rounds_are_drawn_and_measured_at_evaluations_alone(tmp_path, float32):
    """Pictures at a 50th, a 16th, a fifth and a half of --eval-every; no line of metrics there."""
    args = dataclasses.replace(TINY, steps=100, eval_every=50, metrics=False, out=tmp_path / "run")
    folder = mixture.run(args).folder
    drawn = sorted(int(path.stem) for path in (folder / "samples").glob("[0-9]*.png"))
    assert drawn == [0, 1, 3, 10, 25, 50, 100]
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["round"] for row in rows if row["kind"] == "eval"] == [0, 50, 100]
