"""recipes.wgan as a user meets it: small runs, resumed runs, and every wrong way to start one."""

import dataclasses
import json
from typing import Any

import chex
import jax
import numpy as np
import pytest
from PIL import Image

import gameopt as go
from recipes import _data, gan, wgan
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.optimizers import OptimizerArgs

SMALL = wgan.Args(
    steps=40, eval_every=20, log_every=5, eval_size=64, batch_size=16, generator_width=16,
    discriminator_width=16, depth=1, latent_size=4, metrics=False,
)  # fmt: skip


def small(tmp_path, name="run", **changes):
    return dataclasses.replace(SMALL, out=tmp_path / name, **changes)


def arrays(players):
    return go.playable(players)


def test_a_run_leaves_everything_it_should(tmp_path, float32):
    """Configuration, metrics, pictures, checkpoints, summary; all of them readable."""
    result = wgan.run(small(tmp_path, metrics=True))
    folder = tmp_path / "run"
    assert "| Fréchet distance, classifier |" in (folder / "metrics.md").read_text(encoding="utf-8")
    assert result.folder == folder
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["args"]["penalty_weights"] == [10.0], "resolved, not left out"
    assert config["data"]["sha256"] == _data.load("digits").checksum()
    assert config["versions"]["jax"] == jax.__version__
    lines = [
        json.loads(line)
        for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    train = [line["round"] for line in lines if line["kind"] == "train"]
    evaluations = [line for line in lines if line["kind"] == "eval"]
    assert train == [5, 10, 15, 20, 25, 30, 35, 40]
    assert [line["round"] for line in evaluations] == [0, 20, 40]
    for line in lines:
        assert {"wasserstein_estimate", "penalty"} <= line.keys()
    for picture in ("curves.png", "over_time.png", "data.png", "samples/00000040.png"):
        image = np.asarray(Image.open(folder / picture).convert("L"))
        assert image.std() > 5, f"{picture} is not blank"
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == cli.finite(
        result.summary
    )
    assert (folder / "checkpoints" / "00000040").is_dir()


@pytest.mark.slow
def test_the_estimate_is_bounded_by_the_exact_distance(tmp_path, float32):
    """On the same points, E f(x) - E f(G(z)) <= Lip(f) W1: Kantorovich-Rubinstein, every time.

    The largest gradient on the lines of a coupling bounds the increments along it, so that the
    bound holds for that very coupling; here the rigorous product of norms stands for Lip(f).
    """
    result = wgan.run(small(tmp_path, data="swiss_roll"))
    lines = [
        json.loads(s)
        for s in (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    upper = float(go.lipschitz_upper_bound(result.players.y))
    last = [line for line in lines if line["kind"] == "eval"][-1]
    assert last["wasserstein_estimate"] <= upper * last["w1_exact"] * (1 + 1e-5)
    assert last["w1_floor"] > 0


@pytest.mark.parametrize(
    "way",
    ["clip", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gp", "lp", "none"))],
)
def test_every_way_to_keep_the_critic_lipschitz(tmp_path, float32, way):
    """Clipping keeps every weight within the limit and reports the share at it."""
    penalties, clip = (way,) if way in ("gp", "lp") else (), 0.02 if way == "clip" else None
    result = wgan.run(small(tmp_path, penalties=penalties, steps=20, clip=clip))
    if way == "clip":
        for leaf in jax.tree.leaves(arrays(result.players.y)):
            assert np.abs(leaf).max() <= np.float32(0.02)
        assert 0 < result.summary["share_at_limit"] <= 1
        assert result.summary["penalty"] == 0
    assert ("share_at_limit" in result.summary) == (way == "clip")
    assert (result.summary["penalty"] > 0) == (way in ("gp", "lp"))


@pytest.mark.parametrize(
    "data",
    ["colour", *(pytest.param(d, marks=pytest.mark.slow) for d in ("ring", "vectors", "grid"))],
)
def test_every_kind_of_data(tmp_path, float32, data):
    """The plane with contours, vectors on principal axes, images with channels."""
    rng = np.random.default_rng(0)
    if data == "vectors":
        np.save(tmp_path / "vectors.npy", 100 + 30 * rng.normal(size=(200, 5)))
    if data == "colour":
        images = rng.integers(0, 255, (200, 4, 4, 3)).astype(np.uint8)
        np.save(tmp_path / "colour.npy", images)
    path = data if data in _data.NAMES else str(tmp_path / f"{data}.npy")
    result = wgan.run(small(tmp_path, data=path, steps=20, eval_size=50))
    assert np.isfinite(result.summary["w1_exact"])
    generated = np.load(tmp_path / "run" / "generated.npy")
    assert generated.shape == (50, *_data.load(path).points.shape[1:])
    if data == "vectors":
        assert 50 < generated.mean() < 150, "in the units of the file"
    assert (tmp_path / "run" / "over_time.png").is_file()


def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, float32):
    """40 rounds at once; or 20, a stop, and 20 more: players, optimizers and metrics alike."""
    whole = wgan.run(small(tmp_path, "whole"))
    wgan.run(small(tmp_path, "parts", steps=20))
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as file:
        file.write(
            '{"kind": "train", "round": 25, "loss_x": 0}\n{"kind": "tr'
        )  # as a kill leaves it
    resumed = wgan.run(
        dataclasses.replace(cli.parse(wgan.Args, ["--resume", str(tmp_path / "parts")]), steps=40)
    )
    chex.assert_trees_all_equal(arrays(resumed.players), arrays(whole.players))
    texts = [
        (tmp_path / name / "metrics.jsonl").read_text(encoding="utf-8")
        for name in ("whole", "parts")
    ]
    assert texts[0] == texts[1]
    manifests = [
        json.loads(
            (tmp_path / name / "checkpoints/00000040/manifest.json").read_text(encoding="utf-8")
        )["leaves"]
        for name in ("whole", "parts")
    ]
    assert manifests[0] == manifests[1]


@pytest.mark.slow
def test_a_damaged_checkpoint_is_skipped_on_resume(tmp_path, float32, capsys):
    """The one before is used, this is said, and the end is the same."""
    whole = wgan.run(small(tmp_path))
    manifest = tmp_path / "run/checkpoints/00000040/manifest.json"
    manifest.write_text("{")
    resumed = wgan.run(cli.parse(wgan.Args, ["--resume", str(tmp_path / "run")]))
    error = capsys.readouterr().err
    assert "skipped checkpoint" in error
    assert "00000040" in error
    assert "resumed at round 20" in error
    chex.assert_trees_all_equal(arrays(resumed.players), arrays(whole.players))


def test_a_run_compiles_its_rounds_once(tmp_path, float32, compilations):
    """Chunks of every length, also in a run that goes on; a seed is no other program."""
    # A width of its own: no other test's program.
    args = small(tmp_path, steps=50, discriminator_width=17)
    wgan.run(args)
    assert sum("_play_rounds" in name for name in compilations) == 1
    compilations.clear()
    wgan.run(dataclasses.replace(args, out=tmp_path / "again", seed=1))
    assert sum("_play_rounds" in name for name in compilations) <= 1


@pytest.mark.slow
def test_a_configuration_gives_the_same_run(tmp_path, float32):
    """config.json of one run as --config of another: the same bits."""
    first = wgan.run(small(tmp_path, steps=20))
    args = cli.parse(
        wgan.Args, ["--config", str(tmp_path / "run/config.json"), "--out", str(tmp_path / "b")]
    )
    second = wgan.run(args)
    chex.assert_trees_all_equal(arrays(first.players), arrays(second.players))
    assert first.summary["w1_exact"] == second.summary["w1_exact"]


def test_training_that_explodes_says_so_and_keeps_what_was_sound(tmp_path, float32):
    """Step sizes of 1e30: one line, and no checkpoint of nan."""
    huge = OptimizerArgs(name="sgd", learning_rate=1e30)
    with pytest.raises(
        UserError, match="inf or nan in round 1: player x and y; lower the learning rates"
    ):
        wgan.run(small(tmp_path, generator_optimizer=huge, discriminator_optimizer=huge))
    kept = tmp_path / "run/checkpoints"
    assert [int(path.name) for path in kept.glob("[0-9]*") if path.is_dir()] == [0]


def test_a_resumed_run_is_the_same_run(tmp_path, float32, monkeypatch):
    """Another batch size, another recipe's folder, another output: refused; more steps: not."""
    wgan.run(small(tmp_path, steps=20))
    run = str(tmp_path / "run")
    parsed = lambda *flags: cli.parse(wgan.Args, ["--resume", run, *flags])
    with pytest.raises(UserError, match="--batch-size is 16 and not 32"):
        wgan.run(parsed("--batch-size", "32"))
    with pytest.raises(UserError, match="leave --out out"):
        wgan.run(parsed("--out", str(tmp_path / "other")))
    config = tmp_path / "run" / "config.json"
    older = json.loads(config.read_text(encoding="utf-8"))
    del older["args"]["standardize"]
    config.write_text(json.dumps(older))
    assert wgan.run(parsed()).summary["rounds"] == 20, "a run of an older version goes on"
    config.write_text(
        config.read_text(encoding="utf-8").replace('"recipe": "wgan"', '"recipe": "vae"')
    )
    with pytest.raises(UserError, match=r"is a run of recipes\.vae"):
        wgan.run(parsed())


@pytest.mark.parametrize("recipe", [wgan, pytest.param(gan, marks=pytest.mark.slow)])
def test_a_run_does_not_go_on_with_other_data(recipe, tmp_path, float32, monkeypatch, capsys):
    """Stopped, and the file changed: status 2, one line, every byte of the folder as it was."""
    path, run = tmp_path / "x.npy", tmp_path / "run"
    points = np.random.default_rng(0).normal(size=(40, 3))
    np.save(path, points)

    short: Any = {"steps": 2, "eval_every": 2, "depth": 1, "metrics": False, "latent_size": 2}
    recipe.run(recipe.Args(data=str(path), batch_size=8, eval_size=8, out=run, **short))
    np.save(path, points + 1)
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    monkeypatch.setattr("sys.argv", [recipe.__name__, "--resume", str(run), "--steps", "4"])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        recipe.main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert f"--resume {run}: the run began with other data than {path} has now" in err
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}


def test_overwrite_replaces_an_earlier_run(tmp_path, float32):
    """And only when it is asked for."""
    wgan.run(small(tmp_path, steps=20))
    stale = tmp_path / "run" / "samples" / "00009999.png"
    stale.touch()
    with pytest.raises(UserError, match="exists already"):
        wgan.run(small(tmp_path, steps=20))
    assert stale.exists()
    wgan.run(small(tmp_path, steps=20, overwrite=True))
    assert not stale.exists()
