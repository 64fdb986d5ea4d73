"""recipes.compare: one judgement for all families, and runs that are added to or go on."""

import csv
import dataclasses
import json
import shutil
import typing
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from recipes import _data, compare, wgan
from recipes._compare import comparison as _comparison
from recipes._compare.comparison import (
    CONFIDENT,
    PARAMETERS,
    REAL_DATA,
    ROUNDS,
    W1,
    training_numbers,
)
from recipes._compare.families import FAMILIES, FamilyName, is_done, planned
from recipes._data.training import judged_rows
from recipes._report import judge
from recipes._report.classifier import Judging
from recipes._runtime import cli
from recipes._runtime.errors import UserError

STEPS, SIZE = 4, 8
FILES = ("compare.md", "compare.csv", "compare.png", "summary.json", "config.json")


@pytest.fixture(scope="module", autouse=True)
def _no_metrics_of_each_family():
    """The recipes' own metrics.md, of which they have tests, is left out as for too few points."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "FEWEST", SIZE + 1)
        yield


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Forty pictures of noise without labels, which need no classifier."""
    path = tmp_path_factory.mktemp("data") / "noise.npy"
    np.save(path, np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8))
    return path


def args_for(pictures, out, **changes):
    tiny = compare.Args(
        data=str(pictures), out=out, families=("gan", "wgan"), steps=STEPS, eval_size=SIZE
    )
    return dataclasses.replace(tiny, **changes)


class Whole(NamedTuple):
    """A whole run, and what the files of its first family were when there was no other."""

    path: Path
    before: dict[Path, tuple[bytes, int]]


def contents(folder):
    """Bytes and times of the files in a folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    """A run of a GAN, to which a second family is added that was cut off as it began."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    with (
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        compare.run(args_for(pictures, run, families=("gan",)))
        before = contents(run / "gan")
        (run / "wgan" / "samples").mkdir(parents=True)
        compare.run(cli.parse(compare.Args, ["--resume", str(run), "--families", "wgan"]))
    return Whole(run, before)


def test_a_run_has_a_column_for_each_family_and_each_is_a_run_itself(whole):
    """The table says in three formats the same; real data have no training."""
    for name in FILES:
        assert (whole.path / name).stat().st_size > 100
    summary = json.loads((whole.path / "summary.json").read_text(encoding="utf-8"))
    table = summary["table"]
    assert list(table) == [REAL_DATA, "gan", "wgan"]
    assert summary["size"] == SIZE
    with (whole.path / "compare.csv").open() as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    for name in table:
        for metric, value in table[name].items():
            assert float(rows[metric][name]) == value
    assert rows[ROUNDS][REAL_DATA] == ""
    text = (whole.path / "compare.md").read_text(encoding="utf-8")
    assert f"| {ROUNDS} |  | {STEPS} | {STEPS} |" in text
    for name, recipe in (("gan", "gan"), ("wgan", "wgan")):
        config = json.loads((whole.path / name / "config.json").read_text(encoding="utf-8"))
        assert config["recipe"] == recipe
        assert config["args"]["steps"] == table[name][ROUNDS] == STEPS
        assert np.load(whole.path / name / "generated.npy").shape == (SIZE, 8, 8)


@pytest.mark.slow
def test_a_family_is_added_and_what_is_there_is_not_touched(whole):
    """Every file of the first keeps its bytes and its time; config.json names both."""
    assert contents(whole.path / "gan") == whole.before
    config = json.loads((whole.path / "config.json").read_text(encoding="utf-8"))
    assert config["args"]["families"] == ["gan", "wgan"]
    assert is_done(whole.path / "wgan")


@pytest.mark.slow
@pytest.mark.parametrize("at", [2, STEPS])
def test_a_family_that_was_cut_off_goes_on(whole, pictures, tmp_path, float32, capfd, at):
    """From its checkpoint, in its training or after it, to the bits of a run not cut off."""
    run = tmp_path / "run"
    shutil.copytree(whole.path, run)
    if at < STEPS:
        shutil.rmtree(run / "wgan")
        plan = planned("wgan", compare.resolve(args_for(pictures, None))[1])
        wgan.run(dataclasses.replace(plan.args, steps=at, out=run / "wgan"))
    (run / "wgan" / "summary.json").unlink()
    assert not is_done(run / "wgan")
    compare.run(cli.parse(compare.Args, ["--resume", str(run)]))
    assert f"resumed at round {at}" in capfd.readouterr().err
    name = "wgan/generated.npy"
    assert (run / name).read_bytes() == (whole.path / name).read_bytes()


def test_samples_that_were_changed_are_drawn_again(whole, tmp_path, float32):
    """A flipped bit, or a summary that cannot be read: the family goes on from its checkpoint."""
    run = tmp_path / "run"
    shutil.copytree(whole.path, run)
    path = run / "wgan" / "generated.npy"
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 4
    path.write_bytes(bytes(raw))
    (run / "gan" / "summary.json").write_text("[1]", encoding="utf-8")
    assert not is_done(run / "wgan")
    assert not is_done(run / "gan")
    compare.run(cli.parse(compare.Args, ["--resume", str(run)]))
    for name in ("gan", "wgan"):
        samples = f"{name}/generated.npy"
        assert (run / samples).read_bytes() == (whole.path / samples).read_bytes()


def test_all_are_judged_alike(pictures, float32, monkeypatch):
    """The judged real points themselves are at distance 0, and other ones are the real column.

    The column exactly: the same numbers go through the same programs. The distances of a copy are
    rounding. A classifier that is sure of all gives a share of 1.
    """
    sure = Judging(lambda image: jnp.array([50.0, 0.0]), 1.0, 1.0, 2)  # pyright: ignore
    monkeypatch.setattr(_comparison, "judging", lambda *data: sure)
    data = _data.load(str(pictures))
    rows = judged_rows(len(data.points), SIZE, 0)
    samples = {"copy": data.points[rows.real], "fresh": data.points[rows.other]}
    comparison = _comparison.compare(data, samples, 0)
    found = comparison.numbers
    assert list(found) == [REAL_DATA, "copy", "fresh"]
    assert (comparison.size, comparison.space) == (SIZE, "random network")
    assert found["fresh"] == found[REAL_DATA]
    np.testing.assert_allclose(found["copy"][W1], 0, atol=1e-5)
    scale = found[REAL_DATA]["Fréchet distance, random network"]
    copied = found["copy"]["Fréchet distance, random network"]
    np.testing.assert_allclose(copied / scale, 0, atol=1e-3)
    assert found["copy"]["precision, random network"] == 1
    assert found["copy"][CONFIDENT] == 1
    fewer = _comparison.compare(data, {**samples, "few": data.points[rows.rest[:5]]}, 0)
    assert {len(images) for images in fewer.images.values()} == {fewer.size} == {5}


@pytest.mark.parametrize("name", list(FAMILIES))
def test_every_family_fits_the_digits(name, float32):
    """Rounds of its own unless told, and the networks for larger images where they are larger."""
    _, setting = compare.resolve(compare.Args())
    own = FAMILIES[name].recipe.resolve(planned(name, setting).args)[0]
    assert 1000 <= own.steps <= 6000
    assert planned(name, setting._replace(steps=7)).args.steps == 7
    larger = planned(name, setting._replace(side=28)).args
    assert FAMILIES[name].recipe.resolve(larger)[0].steps > own.steps


@pytest.mark.parametrize(
    "name",
    [n if n in ("gan", "wgan") else pytest.param(n, marks=pytest.mark.slow) for n in FAMILIES],
)
def test_a_plan_knows_the_parameters_of_the_network_that_samples(name, float32):
    """As many as the fresh generator has, though the plan makes none."""
    _, setting = compare.resolve(compare.Args())
    plan, family = planned(name, setting), FAMILIES[name]
    players = family.recipe.set_up(*family.recipe.resolve(plan.args))[1]
    assert plan.parameters == sum(a.size for a in jax.tree.leaves(go.playable(players).x))


def test_a_run_that_was_timed_by_nothing_has_no_seconds(tmp_path):
    """Cut off after its last round, its rate is null; else rounds over rounds a second."""
    for rate, seconds in ((None, np.nan), (4.0, 25.0)):
        summary = {"rounds": 100, "rounds_per_second": rate}
        (tmp_path / "summary.json").write_text(json.dumps(summary))
        found = training_numbers(tmp_path, 5)
        np.testing.assert_equal(found["training seconds"], seconds)
        assert (found[ROUNDS], found[PARAMETERS]) == (100, 5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"families": ("gan", "gan")}, r"^--families gan gan: give each of them once"),
        ({"families": ()}, "--families is empty"),
        ({"families": ("gan", "cgan")}, "--families cgan needs labels.*leave it out"),
        ({"data": "ring"}, "--data ring is of kind plane"),
        ({"data": "mnist"}, "--data mnist needs --data-dir"),
        ({"steps": 0}, "--steps must be at least 1"),
        ({"eval_size": 2}, "--eval-size must be at least 3"),
        ({"image_size": 4}, "--image-size 4"),
    ],
)
def test_a_wrong_flag_is_one_line_before_anything_is_written(
    change, message, pictures, tmp_path, compilations
):
    """And before anything is compiled."""
    with pytest.raises(UserError, match=message):
        compare.run(args_for(pictures, tmp_path / "run", **change))
    assert not (tmp_path / "run").exists()
    assert not compilations


def test_few_images_and_unknown_families(tmp_path):
    """One line each, too; the command line knows the families that there are."""
    assert typing.get_args(FamilyName) == tuple(FAMILIES)
    few = tmp_path / "few.npy"
    np.save(few, np.zeros((10, 8, 8), np.uint8))
    with pytest.raises(UserError, match="has 10 images; a comparison needs 16"):
        compare.run(args_for(few, tmp_path / "run"))
    with pytest.raises(UserError, match="nosuch"):
        cli.parse(compare.Args, ["--families", "gan", "nosuch"])


@pytest.mark.slow
def test_a_resumed_run_keeps_its_flags(whole, tmp_path):
    """Other steps or data would be another comparison."""
    with pytest.raises(UserError, match="where --steps is 4 and not 5"):
        compare.run(cli.parse(compare.Args, ["--resume", str(whole.path), "--steps", "5"]))
    with pytest.raises(UserError, match=r"no config\.json there"):
        compare.run(compare.Args(resume=tmp_path))


@pytest.mark.slow
def test_a_family_that_fails_is_named(whole, tmp_path, float32, monkeypatch):
    """Its recipe's line, after its name; the others' runs stay."""
    run = tmp_path / "run"
    shutil.copytree(whole.path, run)
    (run / "wgan" / "summary.json").unlink()
    for manifest in (run / "wgan").rglob("manifest.json"):
        manifest.write_text("{")
    with pytest.raises(UserError, match=r"^wgan: .* has no sound checkpoint"):
        compare.run(cli.parse(compare.Args, ["--resume", str(run)]))
    assert is_done(run / "gan")


@pytest.mark.slow
def test_convolutions_and_classes_on_the_digits(tmp_path, float32, monkeypatch):
    """cgan is judged by a fifth of the data, 359, and so are all beside it."""
    monkeypatch.chdir(tmp_path)
    args = compare.Args(
        out=tmp_path / "run", families=("dcgan", "wgan-gp", "sngan", "cgan"), steps=STEPS
    )
    summary = compare.run(args).summary
    assert summary["size"] == 359
    assert summary["features"] == "classifier"
    assert all("confident share" in column for column in summary["table"].values())
