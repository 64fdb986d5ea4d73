"""Variational autoencoders by flags: every likelihood, prior and bound; resuming; reports."""

from pathlib import Path
from typing import Any

import chex
import jax
import numpy as np
import pytest

import gameopt as go
import recipes
from recipes import vae
from recipes._data import load
from recipes._runtime.errors import UserError
from recipes._runtime.optimizers import adam
from recipes._vae.held_out import log_weights
from recipes._vae.model import VAEData

TINY: dict[str, Any] = {
    "steps": 4, "eval_every": 2, "log_every": 1, "batch_size": 8, "eval_size": 8, "width": 8,
    "depth": 1, "latent_size": 3, "metrics": False, "likelihood_points": 30,
    "likelihood_samples": 60, "optimizer": adam(1e-3),
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "gaussian_shared": {"likelihood": "gaussian_shared", "latent_size": 1},
    "logistic": {"likelihood": "logistic", "levels": 17, "kind": "conv", "width": 2},
    "categorical": {"likelihood": "categorical", "levels": 17, "prior": "mixture"},
    "vamp": {"prior": "vamp", "components": 3, "objective": "iwae", "samples": 2},
    "conditional": {"conditional": True, "objective": "dreg", "samples": 2},
    "annealed": {
        "likelihood": "gaussian_fixed",
        "encoder_steps": 2,
        "beta": 2.0,
        "anneal_steps": 3,
        "free_bits": 0.1,
    },
    "plane": {"data": "ring", "likelihood": "gaussian_learned"},
}
SLOW = ("annealed", "categorical", "conditional", "gaussian_shared", "logistic", "vamp")
"""Each of their parts is tested on its own, too."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in KINDS]
)
def test_every_kind_runs_and_reports(name, tmp_path, float32):
    """Finite numbers; a bound below the likelihood; pictures of images; samples of a run read back.

    IWAE bounds of more samples are no lower in expectation: here they are of the same weights, of
    which the table has the means over disjoint groups.
    """
    result = vae.run(vae.Args(out=tmp_path / "run", **{**TINY, **KINDS[name]}))
    summary = result.summary
    assert all(np.isfinite(summary[key]) for key in ("elbo", "rate", "log_likelihood"))
    assert summary["rate"] >= 0 or name in ("categorical", "vamp")  # those are estimates
    table = (result.folder / "likelihood.md").read_text(encoding="utf-8")
    bounds = [float(line.split("|")[2]) for line in table.splitlines()[2:6] if "|" in line]
    assert bounds[0] <= bounds[1] <= bounds[2]
    pictures = {path.name for path in result.folder.glob("*.png")}
    images = {"reconstructions.png", "interpolations.png", "traversals.png", "samples.png"}
    assert {"curves.png", "units.png"} <= pictures
    assert images <= pictures or name == "plane"
    assert "latent_map.png" in pictures or name in ("plane", "gaussian_shared")
    samples = recipes.load_run(result.folder).sample(jax.random.key(0), 3)
    assert samples.shape == ((3, 2) if name == "plane" else (3, 8, 8))


@pytest.mark.slow
def test_a_resumed_run_is_an_unbroken_one(tmp_path, float32):
    """The same bits, the count of rounds and the annealed weight included."""
    flags = {**TINY, "anneal_steps": 6, "conditional": True}
    whole = vae.run(vae.Args(out=tmp_path / "whole", **flags))
    vae.run(vae.Args(out=tmp_path / "cut", **{**flags, "steps": 2}))
    again = vae.run(vae.Args(resume=tmp_path / "cut", **flags))
    chex.assert_trees_all_equal(whole.players, again.players)
    lines = [(tmp_path / run / "metrics.jsonl").read_text("utf-8") for run in ("whole", "cut")]
    assert lines[0] == lines[1]
    assert int(whole.players.x.round) == 4


def test_bits_drawn_once_are_the_same_for_every_seed_and_have_the_pixels_means(float32):
    """Held-out ones too; the share of ones is the mean brightness, to 5 standard errors."""
    one, other = (VAEData(vae.Args(binarize="static", seed=seed)) for seed in (0, 1))
    np.testing.assert_array_equal(one.points, other.points)
    assert set(np.unique(one.points)) == {0.0, 1.0}
    chances = (one.data.scaled.points + 1) / 2
    error = np.sqrt(np.sum(chances * (1 - chances))) / chances.size
    assert abs(one.points.mean() - chances.mean()) < 5 * error
    dynamic = VAEData(vae.Args())
    np.testing.assert_array_equal(dynamic.points, chances)
    np.testing.assert_array_equal(dynamic.held_out, one.held_out)


def test_the_last_block_of_points_is_none_of_those_before(float32):
    """Of 30 points in blocks of 25, the last of which begins among the first: 30 distinct rows."""
    args = vae.Args(**TINY)
    data = VAEData(args)
    _, players = vae.set_up(args, data)
    points = jax.numpy.asarray(data.held_out[:30])
    weights = log_weights(players.x, players.y, points, 60, jax.random.key(0))
    assert weights.shape == (30, 60)
    assert len(np.unique(weights, axis=0)) == 30


def test_sprites_have_a_gap_of_information(tmp_path, float32):
    """Factors are kept by a split; the table has each, and the value by chance."""
    data = load("sprites")
    assert data.factors is not None
    assert len(np.unique(data.factors.values, axis=0)) == len(data.points)
    np.testing.assert_array_equal(data.factors.values[:, 0], data.labels)
    flags = {**TINY, "data": "sprites", "kind": "conv", "width": 2}
    result = vae.run(vae.Args(out=tmp_path / "run", **flags))
    text = (result.folder / "disentanglement.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in text for name in data.factors.names)
    assert 0 <= result.summary["mig"] <= 1


def test_presets_fill_in_what_is_not_given():
    """The published setting, whose step size falls for as long as it trains."""
    args = vae.Args(preset="mnist")
    assert (args.width, args.depth, args.latent_size, args.binarize) == (400, 1, 40, "static")
    assert args.optimizer.decay_steps == args.steps
    assert vae.Args(preset="mnist", width=10).width == 10
    assert vae.Args(preset="mnist", steps=7).optimizer.decay_steps == 7
    assert vae.Args(preset="mnist", resume=Path("run"), steps=7).optimizer.decay_steps == 240_000
    with pytest.raises(UserError, match="step size is 0 from round 5 on"):
        vae.resolve(vae.Args(steps=9, optimizer=adam(1e-3, decay_steps=5)))


def test_the_encoder_s_step_size_falls_by_rounds_and_not_by_its_moves(float32):
    """With 3 moves a round and a fall of 4 rounds, both players move in round 4 and none in 5."""
    args = vae.Args(**{**TINY, "encoder_steps": 3, "optimizer": adam(1e-3, decay_steps=4)})
    game, players = vae.set_up(args, vae.resolve(args)[1])
    solver, key = vae.make_solver(args), jax.random.key(0)
    path = go.rollout(game, solver, players, 5, key=key, record=go.record_players).records
    for player in (path.x.model, path.y):
        first = jax.tree.leaves(player)[0]
        moved = [float(np.abs(first[t] - first[t - 1]).max()) for t in range(1, 5)]
        assert moved[2] > 0
        assert moved[3] == 0


@pytest.mark.slow
def test_data_of_few_of_a_class_and_of_less_than_full_rank_are_judged(tmp_path, float32):
    """Labelled samples are as many as have others of their label; PCA has the latents it can."""
    labels = np.repeat([0, 1, 2], [9, 9, 22])
    points = np.random.default_rng(0).normal(size=(40, 2)) @ np.ones((2, 4)) * [1.0, 2.0, 0.0, 1.0]
    np.savez(tmp_path / "few.npz", x=points + labels[:, None] * [1, 0, 0, 0], y=labels)
    flags = {**TINY, "data": str(tmp_path / "few.npz"), "likelihood": "gaussian_shared"}
    result = vae.run(vae.Args(out=tmp_path / "run", conditional=True, **flags))
    assert np.isfinite(result.summary["w1_exact"])
    result = vae.run(vae.Args(out=tmp_path / "wide", **{**flags, "latent_size": 4}))
    assert np.isfinite(result.summary["ppca_log_likelihood"])
