"""recipes.adversarial: the game and its windows, whole runs, resumed runs, and wrong starts."""

import dataclasses
import json
import shutil
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image

import gameopt as go
from models import MLP
from recipes import _data, adversarial
from recipes._adversarial.attacks import Norm, PerturbationBall, cross_entropy
from recipes._adversarial.game import PLANS, AdversarialGame, Windows, distinct_rows, steepest_steps
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from tests.recipes.data.test_data import IMAGES, LABELS, idx_bytes, write_pair

SMALL = adversarial.Args(
    steps=24, eval_every=12, log_every=4, width=8, depth=1, batch_size=32, inner_steps=2,
    attack_steps=3, attack_restarts=2, eval_size=40,
)  # fmt: skip


def small_game(norm: Norm = "linf", n: int = 12):
    points = jax.random.uniform(jax.random.key(0), (n, 2, 3))
    labels = jnp.arange(n) % 3
    game = AdversarialGame(points, labels, PerturbationBall(jnp.asarray(0.3), norm))
    x = MLP((2, 3), (3,), width=8, depth=1, key=jax.random.key(1))
    return game, go.Players(x, game.ball.sample(jax.random.key(2), points))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_best_perturbations_are_the_worst_case(norm):
    """Ascent on y alone against a linear classifier ends at the worst loss, each row its own."""
    game, players = small_game(norm)
    players = go.Players(MLP((2, 3), (2,), width=1, depth=0, key=jax.random.key(1)), players.y)
    game = AdversarialGame(game.points, game.labels % 2, game.ball)
    solver = go.Alternating(go.Players(None, steepest_steps(norm, 0.05)))
    end = go.rollout(game, solver, players, 400).players
    weight = players.x.layers[0].weight
    signs = jnp.where(game.labels == 1, 1.0, -1.0)[:, None, None]
    slope = (weight[:, 1] - weight[:, 0]).reshape(1, 2, 3)
    worst = game.ball.project(-1e8 * signs * slope, game.points)
    loss = lambda y: jax.vmap(lambda p, c: cross_entropy(players.x(p), c))(
        game.points + y, game.labels
    )
    np.testing.assert_allclose(loss(end.y), loss(worst), rtol=1e-3)
    np.testing.assert_allclose(game.value(end), jnp.mean(loss(end.y)))


@pytest.mark.slow
def test_a_window_of_everything_is_the_whole_game():
    """With as many rows as images, a round of `Windows` is the solver's own round."""
    game, players = small_game()
    optimizers = go.Players(optax.adam(1e-2), steepest_steps("linf", 0.1))
    for plan in (PLANS[name](optimizers, 3, False) for name in PLANS):
        windows = Windows(plan.solver, len(game.points))
        whole = go.rollout(game, plan.solver, players, 3, key=jax.random.key(0))
        seen = go.rollout(game, windows, players, 3, key=jax.random.key(0))
        chex.assert_trees_all_close(
            go.playable(seen.players), go.playable(whole.players), atol=1e-12
        )
        assert int(whole.records.gradients[0]) == plan.gradients


@pytest.mark.parametrize("name", sorted(PLANS))
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_round_moves_its_window_alone_and_stays_in_the_sets(name, norm):
    """Rows outside keep their bits; without an adversary all of them do."""
    game, players = small_game(norm)
    optimizers = go.Players(optax.adam(1e-2), steepest_steps(norm, 0.1))
    windows = Windows(PLANS[name](optimizers, 3, False).solver, 5)
    end = go.rollout(game, windows, players, 1, key=jax.random.key(0)).players
    moved = jnp.any(end.y != players.y, axis=(1, 2))
    assert int(jnp.sum(moved)) == (0 if name == "none" else 5)
    np.testing.assert_allclose(game.project(end).y, end.y, atol=1e-15)


def test_inner_steps_see_one_window_and_a_restart_forgets():
    """Three steps of the adversary move five rows; restarted rows do not depend on where y was."""
    game, players = small_game()
    optimizers = go.Players(optax.adam(1e-2), steepest_steps("linf", 0.01))
    plan = PLANS["inner_steps"](optimizers, 3, True)
    windows = Windows(plan.solver, 5, plan.restart)
    other = go.Players(players.x, jnp.zeros_like(players.y))
    ends = [
        go.rollout(game, windows, p, 1, key=jax.random.key(0)).players for p in (players, other)
    ]
    chex.assert_trees_all_equal(go.playable(ends[0].x), go.playable(ends[1].x))
    assert int(jnp.sum(jnp.all(ends[0].y == ends[1].y, axis=(1, 2)))) == 5


@pytest.mark.parametrize(("n", "size"), [(12, 5), (12, 12), (13, 4), (7, 1)])
def test_rows_are_distinct_and_equally_likely(n, size):
    """Also where the size does not divide n: within 5 deviations of the binomial."""
    draws = 4000
    rows = jax.vmap(lambda key: distinct_rows(key, n, size))(
        jax.random.split(jax.random.key(0), draws)
    )
    ordered = np.sort(np.asarray(rows), axis=1)
    assert (np.diff(ordered, axis=1) > 0).all()
    assert ordered.min() >= 0
    assert ordered.max() < n
    p = size / n
    counts = np.bincount(ordered.ravel(), minlength=n)
    assert np.abs(counts - draws * p).max() <= 5 * np.sqrt(draws * p * (1 - p)) + 1e-9


def test_a_run_leaves_everything_it_should(tmp_path, float32):
    """All four solvers: metrics, checkpoints, pictures, and a table that obeys the attacks."""
    result = adversarial.run(dataclasses.replace(SMALL, out=tmp_path / "run"))
    folder = tmp_path / "run"
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == cli.finite(
        result.summary
    )
    assert (
        json.loads((folder / "config.json").read_text(encoding="utf-8"))["data"]["held_out"] == 359
    )
    assert set(result.summary["solvers"]) == set(PLANS) == set(result.players)
    gradients_of_a_round = {"none": 1, "simultaneous": 2, "alternating": 2, "inner_steps": 3}
    for name, numbers in result.summary["solvers"].items():
        assert numbers["gradients"] == 24
        assert numbers["rounds"] == 24 // gradients_of_a_round[name]
        for norm in ("linf", "l2"):
            assert numbers["clean"] >= numbers[f"fgsm_{norm}"] >= numbers[f"pgd_{norm}"] >= 0
        lines = (folder / name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        held = [line for line in map(json.loads, lines) if line["kind"] == "eval"]
        assert [line["gradients"] for line in held] == [0, 12, 24]
        assert (folder / name / "checkpoints").is_dir()
    pictures = ("curves.png", "robustness.png", "samples/none.png", "samples/inner_steps.png")
    for picture in pictures:
        assert np.asarray(Image.open(folder / picture).convert("L")).std() > 5, picture
    before = (folder / "config.json").read_bytes()
    with pytest.raises(UserError, match="has come to 24 already: --steps must be at least that"):
        adversarial.run(cli.parse(adversarial.Args, ["--resume", str(folder), "--steps", "12"]))
    assert (folder / "config.json").read_bytes() == before


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path, float32):
    """Half of the steps, then the rest; and a part that had no checkpoint yet begins anew."""
    args = dataclasses.replace(SMALL, solver="inner_steps", norm="l2")
    whole = adversarial.run(dataclasses.replace(args, out=tmp_path / "whole"))
    adversarial.run(dataclasses.replace(args, steps=12, out=tmp_path / "parts"))
    part = tmp_path / "parts" / "inner_steps"
    for _ in range(2):
        resumed = adversarial.run(
            cli.parse(adversarial.Args, ["--resume", str(tmp_path / "parts"), "--steps", "24"])
        )
        chex.assert_trees_all_equal(go.playable(resumed.players), go.playable(whole.players))
        text = (tmp_path / "whole" / "inner_steps" / "metrics.jsonl").read_text(encoding="utf-8")
        assert (part / "metrics.jsonl").read_text(encoding="utf-8") == text
        shutil.rmtree(part / "checkpoints")


@pytest.mark.slow
def test_training_makes_robust(tmp_path, float32):
    """3000 gradients: below 20 % right under PGD after plain training, above 60 % after play."""
    args = adversarial.Args(steps=3000, eval_every=3000, attack_steps=20, attack_restarts=1)
    table = {}
    for name in ("none", "alternating"):
        one = dataclasses.replace(args, solver=name, out=tmp_path / name)
        table |= adversarial.run(one).summary["solvers"]
    assert table["none"]["clean"] > 0.95
    assert table["alternating"]["clean"] > 0.95
    assert table["none"]["pgd_linf"] < 0.2
    assert table["alternating"]["pgd_linf"] > 0.6


def test_a_fifth_is_held_out_whatever_the_seed():
    """No point in both parts, none lost."""
    train, held_out, classes = _data.load_labelled("digits")
    assert (len(train.points), len(held_out.points), classes) == (1438, 359, 10)
    both = np.concatenate([train.points, held_out.points]).reshape(1797, -1)
    everything = _data.load("digits").points.reshape(1797, -1)
    np.testing.assert_array_equal(np.sort(both.sum(1)), np.sort(everything.sum(1)))
    assert held_out.labels is not None
    assert np.bincount(held_out.labels).min() > 20


def test_idx_files_have_a_test_set_of_their_own(tmp_path):
    """The t10k files are held out; another size of image there is refused by name."""
    write_pair(tmp_path)
    for file in tmp_path.iterdir():
        file.rename(tmp_path / file.name.replace("train", "t10k"))
    write_pair(tmp_path)
    train, held_out, classes = _data.load_labelled("mnist", tmp_path)
    np.testing.assert_array_equal(train.points, held_out.points)
    assert classes == LABELS.max() + 1
    write_pair(tmp_path, images=idx_bytes(np.ascontiguousarray(IMAGES[:, 1:])))
    with pytest.raises(UserError, match="held-out ones of"):
        _data.load_labelled("mnist", tmp_path)


WRONG = {
    "unknown_solver": (["--solver", "magic"], ["magic", "alternating"]),
    "inner_steps": (["--inner-steps", "0"], ["--inner-steps must be at least 1"]),
    "radius": (["--linf-radius", "0"], ["--linf-radius must be positive, got 0.0"]),
    "radius_nan": (["--l2-radius", "nan"], ["--l2-radius must be positive, got nan"]),
    "step": (["--adversary-step", "-1"], ["--adversary-step must be positive"]),
    "attack": (["--attack-restarts", "0"], ["--attack-restarts must be at least 1"]),
    "restart": (["--solver", "none", "--restart"], ["--restart is for --solver inner_steps"]),
    "rate": (["--classifier-optimizer.learning-rate", "0"], ["--classifier-optimizer"]),
    "batch": (["--batch-size", "5000"], ["--batch-size 5000", "1438 training images"]),
    "no_dir": (["--data", "mnist"], ["train-images-idx3-ubyte(.gz)"]),
    "plane": (["--data", "ring"], ["--data ring is of kind plane; images are needed"]),
    "labels": (["--data", "bare.npy"], ["--data bare has no labels"]),
    "negative": (["--data", "negative.npz"], ["labels from -1 to 1"]),
    "one_class": (["--data", "one.npz"], ["fewer than two classes"]),
}


@pytest.fixture
def wrong_files(tmp_path, monkeypatch):
    """A folder with every file that the cases above name."""
    monkeypatch.chdir(tmp_path)
    images = np.full((20, 4, 4), 9, np.uint8)
    np.save("bare.npy", images)
    np.savez("negative.npz", images=images, labels=np.arange(20) % 3 - 1)
    np.savez("one.npz", images=images, labels=np.ones(20, int))
    return tmp_path


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_start_is_one_line_and_changes_nothing(
    name, wrong_files, monkeypatch, capsys, float32, compilations
):
    """Status 2, before anything is compiled or written."""
    argv, words = WRONG[name]
    before = sorted(wrong_files.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["adversarial", *argv])
    with pytest.raises(SystemExit) as stop:
        adversarial.main()
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    for word in words:
        assert word in captured.err
    assert compilations == []
    assert sorted(wrong_files.rglob("*")) == before


def test_a_run_does_not_go_on_with_other_images(tmp_path, float32, monkeypatch):
    """Stopped, and an image changed: one line, and nothing is written."""
    path, run = tmp_path / "x.npz", tmp_path / "run"
    images, labels = np.random.default_rng(0).uniform(size=(40, 6, 6)), np.arange(40) % 2

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(adversarial, "train", stop)
    args = dataclasses.replace(SMALL, data=str(path), batch_size=8)
    np.savez(path, images=images, labels=labels)
    with pytest.raises(KeyboardInterrupt):
        adversarial.run(dataclasses.replace(args, out=run))
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    images[-1] = images[0]
    np.savez(path, images=images, labels=labels)
    with pytest.raises(UserError, match="the run began with other data than"):
        adversarial.run(dataclasses.replace(args, resume=run))
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
