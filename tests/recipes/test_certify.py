"""recipes.certify and the live probe: small runs, toys against what is published, wrong starts."""

import dataclasses
import json
import shutil
import sys
from typing import Any

import jax
import numpy as np
import pytest

import gameopt as go
from recipes import certify, cgan, dcgan, gan, tabular, wgan
from recipes._runtime import cli
from recipes._runtime.errors import UserError

TINY: dict[str, Any] = {"steps": 8, "eval_every": 4, "log_every": 4, "batch_size": 16, "depth": 1}
PROBED: dict[str, Any] = {
    "certify_every": 4,
    "certify_samples": 32,
    "certify_matvecs": 4,
    "eval_size": 32,
    "metrics": False,
}
GAN = gan.Args(data="digits", width=6, latent_size=3, **TINY, **PROBED)
WGAN = wgan.Args(
    generator_width=6, discriminator_width=6, latent_size=3, inner_steps=1, **TINY, **PROBED
)
QUICK: dict[str, Any] = {"samples": 32, "batch_size": 16, "matvecs": 4}


def certificates(folder):
    lines = [
        json.loads(line)
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return [line for line in lines if line["kind"] == "certificate"]


def _run_in(folder, args):
    with (
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        gan.run(dataclasses.replace(args, out=folder))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small GAN's run, with checkpoints of rounds 4 and 8. Tests that change it copy it."""
    folder = tmp_path_factory.mktemp("runs") / "gan"
    return _run_in(folder, dataclasses.replace(GAN, certify_every=0))


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """The same, probed at rounds 0, 4 and 8."""
    return _run_in(tmp_path_factory.mktemp("probed") / "gan", GAN)


def contents(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_a_probe_writes_certificates_and_pictures(probed):
    """Bounds are in order, shares add up to 1, and paths lead from both earlier players."""
    lines = certificates(probed)
    assert [line["round"] for line in lines] == [0, 4, 8]
    assert [len(line["paths"]) for line in lines] == [0, 1, 2]
    for line in lines:
        assert line["hessian_x_lower"] <= line["hessian_x"]
        assert line["hessian_y_lower"] <= line["hessian_y"]
        np.testing.assert_allclose(line["potential_share"] + line["rotational_share"], 1, rtol=1e-4)
        assert line["leftmost_real"] == min(line["eigenvalues"]["real"])
        assert line["verdicts"]["stationary"] == "no"
        assert set(line["verdicts"].values()) <= {"yes", "no", "inconclusive", None}
    for picture in ("spectrum", "history", "path_angle"):
        assert (probed / "probe" / f"{picture}.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("recipe", "args"), [(gan, GAN), pytest.param(wgan, WGAN, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_a_probed_run_goes_on_to_the_same_bits(tmp_path, float32, recipe, args):
    """Stopped after 4 of 8 rounds: metrics.jsonl, certificates included, ends up the same."""
    recipe.run(dataclasses.replace(args, out=tmp_path / "whole"))
    recipe.run(dataclasses.replace(args, out=tmp_path / "parts", steps=4))
    resumed = cli.parse(recipe.Args, ["--resume", str(tmp_path / "parts")])
    recipe.run(dataclasses.replace(resumed, steps=8))
    texts = [
        (tmp_path / name / "metrics.jsonl").read_text(encoding="utf-8")
        for name in ("whole", "parts")
    ]
    assert texts[0] == texts[1]


@pytest.mark.slow
def test_a_probe_changes_nothing_of_the_training(tmp_path, float32):
    """The same rounds, without certificates."""
    plain = gan.run(dataclasses.replace(GAN, out=tmp_path / "plain", certify_every=0))
    probed = gan.run(dataclasses.replace(GAN, out=tmp_path / "probed", certify_every=8))
    assert go.tree_norm(plain.players) == go.tree_norm(probed.players)
    assert not (tmp_path / "plain/probe").exists()
    assert [line["round"] for line in certificates(tmp_path / "probed")] == [0, 8]


@pytest.mark.slow
def test_a_run_is_certified_and_otherwise_left_alone(trained, float32):
    """Everything is written to RUN/certificate; the numbers are those of the stated game."""
    before = contents(trained)
    result = certify.run(certify.Args(run=trained, overwrite=True, density=True, **QUICK))
    folder = trained / "certificate"
    assert result.folder == folder
    assert {k: v for k, v in contents(trained).items() if "certificate" not in k} == before
    assert not (folder / "samples").exists()
    line = json.loads((folder / "certificate.json").read_text(encoding="utf-8"))
    assert line["round"] == 8
    assert list(line["paths"]) == ["from the first players"]
    report = (folder / "report.txt").read_text(encoding="utf-8")
    assert "mean over 2 minibatches of 16 points" in report
    assert str(result.players) in report
    for picture in ("spectrum", "path_angle", "density"):
        assert (folder / f"{picture}.png").stat().st_size > 10_000
    shutil.rmtree(folder)


@pytest.mark.slow
def test_an_earlier_round_in_float64(tmp_path, probed, float32):
    """The noise of products is that of the precision, and the numbers are those of round 4."""
    flags: dict[str, Any] = {"round": 4, "precision": "float64", **QUICK}
    double = certify.run(certify.Args(run=probed, out=tmp_path / "double", **flags)).summary
    assert double["round"] == 4
    seen = certificates(probed)[1]
    assert double["noise"] < 1e-6 * seen["noise"]
    assert double["field_norm_x"] != seen["field_norm_x"], "other minibatches"
    assert double["hessian_x_lower"] < double["hessian_x"]


@pytest.mark.slow
def test_a_wasserstein_gan_with_clipping_is_certified(tmp_path, float32):
    """Its set is part of the game that is certified."""
    wgan.run(
        dataclasses.replace(WGAN, penalties=(), clip=0.01, certify_every=0, out=tmp_path / "run")
    )
    result = certify.run(certify.Args(run=tmp_path / "run", **QUICK))
    assert result.summary["verdicts"]["stationary"] == "no"
    assert result.summary["verdicts"]["minimax"] == "no", "it is zero-sum: no penalty"


@pytest.mark.slow
def test_a_gan_on_an_exact_density_is_certified(tmp_path, float32, monkeypatch):
    """Its minibatches are drawn from the law."""
    monkeypatch.setattr(gan, "draw", lambda *_: [])
    args = gan.Args(width=4, **TINY)
    gan.run(dataclasses.replace(args, out=tmp_path / "run"))
    result = certify.run(certify.Args(run=tmp_path / "run", **QUICK))
    assert result.players.method == "dense"


def some_toys(quick=("forsaken", "jin_no_minimax", "tandem")):
    """Every toy, of which most are left to the slow tests."""
    slow = lambda name: () if name in quick else pytest.mark.slow
    return [pytest.param(name, marks=slow(name)) for name in sorted(go.TOY_GAMES)]


@pytest.mark.parametrize("name", some_toys())
def test_toys_are_what_was_published(tmp_path, float32, name):
    """Every known critical point is found from many starts, and no verdict is contradicted."""
    result = certify.run(certify.Args(game=name, out=tmp_path / "run"))
    summary = result.summary
    known = go.TOY_GAMES[name]().critical_points()
    assert summary["verdicts_agree"]
    assert summary["known_points"] == len(known)
    if name not in ("ratliff", "tandem"):  # points of a line: no start ends at a chosen one
        assert summary["known_points_that_no_start_found"] == 0
        assert summary["points_found"] == len(known)
    assert (tmp_path / "run/points.png").stat().st_size > 10_000
    assert "published / found" in (tmp_path / "run/report.txt").read_text(encoding="utf-8")


def break_config(run, **changes):
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    config.update(changes)
    (run / "config.json").write_text(json.dumps(config))


WRONG = {
    "neither": (lambda run: [], ["either the folder of a run or --game"]),
    "both": (lambda run: [str(run), "--game", "forsaken"], ["and not both"]),
    "no_game": (lambda run: ["--game", "forsake"], ["perhaps you meant forsaken"]),
    "missing": (lambda run: [str(run / "gone")], ["there is no such folder"]),
    "no_run": (lambda run: [str(run / "samples")], ["no config.json, so it is no run"]),
    "samples": (lambda run: [str(run), "--samples", "0"], ["--samples must be at least 1"]),
    "batch": (lambda run: [str(run), "--batch-size", "5000"], ["1797 points"]),
    "rate": (lambda run: [str(run), "--learning-rate", "nan"], ["--learning-rate must be"]),
    "round": (lambda run: [str(run), "--round", "5"], ["no checkpoint of round 5", "4, 8"]),
    "round_game": (lambda run: ["--game", "polar", "--round", "5"], ["--round is a checkpoint"]),
    "itself": (lambda run: [str(run), "--out", str(run), "--overwrite"], ["holds the run itself"]),
    "above": (lambda run: [str(run), "--out", str(run.parent)], ["holds the run itself"]),
    "resume": (
        lambda run: [str(run), "--resume", str(run)],
        ["go on with it by python -m recipes.gan"],
    ),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_start_is_one_line(name, tmp_path, trained, monkeypatch, capsys, float32):
    """Status 2, and nothing written or lost."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    before = contents(tmp_path)
    argv, words = WRONG[name]
    monkeypatch.setattr(sys, "argv", ["certify", *argv(run)])
    with pytest.raises(SystemExit) as stop:
        certify.main()
    assert stop.value.code == 2
    # A busy machine says how long it loaded the run.
    (line,) = [a for a in capsys.readouterr().err.splitlines() if not a.startswith("loading ")]
    assert line.startswith("error: ")
    for word in words:
        assert word in line
    assert contents(tmp_path) == before


IMAGES: dict[str, Any] = {
    "steps": 2, "eval_every": 2, "batch_size": 4, "width": 2, "latent_size": 3, "eval_size": 4,
    "metrics": False,
}  # fmt: skip
OTHERS = {
    "dcgan": lambda out: dcgan.run(dcgan.Args(out=out, **IMAGES)),
    "cgan": lambda out: cgan.run(cgan.Args(out=out, **IMAGES)),
    "tabular": lambda out: tabular.run(
        tabular.Args(out=out, steps=2, eval_every=2, generator_width=4, discriminator_width=4)
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["tabular", "dcgan", "cgan"])
def test_every_gan_by_minibatches_is_certified(recipe, tmp_path, monkeypatch, float32):
    """A verdict on each question; the players are the iterate's, not their average."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recipes._report.classifier.MOST_ROUNDS", 2)
    OTHERS[recipe](tmp_path / "run")
    result = certify.run(certify.Args(run=tmp_path / "run", samples=8, batch_size=4, matvecs=2))
    assert result.summary["round"] == 2
    assert result.summary["verdicts"]["stationary"] == "no"
    assert (tmp_path / "run" / "certificate" / "spectrum.png").stat().st_size > 1000


def test_a_run_of_another_kind_or_other_data_is_refused(tmp_path, trained, float32):
    """Each with its own line; and nothing is written."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    refuse = lambda match: pytest.raises(UserError, match=match)
    args = certify.Args(run=run, **QUICK)
    break_config(run, recipe="adversarial")
    with refuse(r"is a run of recipes\.adversarial; those of"):
        certify.run(args)
    break_config(run, recipe="gan", data={"sha256": "abc"})
    with refuse("was trained on other data"):
        certify.run(args)
    (run / "config.json").write_text("{")
    with refuse("is no configuration of a run"):
        certify.run(args)
    assert not (run / "certificate").exists()


@pytest.mark.slow
def test_a_damaged_checkpoint_is_skipped_or_named(tmp_path, trained, float32, capsys):
    """The newest damaged: the one before is certified, and this is said; all of them: an error."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (run / "checkpoints/00000008/manifest.json").write_text("{")
    result = certify.run(certify.Args(run=run, **QUICK))
    assert result.summary["round"] == 4
    assert "skipped checkpoint" in capsys.readouterr().err
    (run / "checkpoints/00000004/manifest.json").unlink()
    with pytest.raises(UserError, match="no sound checkpoint"):
        certify.run(certify.Args(run=run, overwrite=True, **QUICK))
    with pytest.raises(UserError, match="no sound checkpoint"):
        certify.run(certify.Args(run=run, overwrite=True, round=8, **QUICK))
    assert (run / "certificate/report.txt").is_file(), "an earlier certificate is kept"
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(UserError, match="has no checkpoints yet"):
        certify.run(certify.Args(run=run, overwrite=True, **QUICK))
