"""Runs read back: two lines from a folder to samples, for every recipe that trains."""

import json
import shutil
from typing import Any

import chex
import jax
import numpy as np
import pytest

import gameopt as go
import recipes
from recipes import adversarial, cgan, dcgan, gan, latent, modes, tabular, transport, vqvae, wgan
from recipes._runtime.errors import UserError

TINY: dict[str, Any] = {"steps": 2, "eval_every": 2, "log_every": 1, "batch_size": 4}
PLAIN = {**TINY, "eval_size": 4, "metrics": False}
RUNS = {
    "wgan": (wgan, {**PLAIN, "generator_width": 4, "discriminator_width": 4}, None, (3, 8, 8)),
    "density": (gan, {**TINY, "width": 4}, None, (3, 1)),
    "gan": (gan, {**PLAIN, "data": "ring", "width": 4}, None, (3, 2)),
    "dcgan": (dcgan, {**PLAIN, "width": 2, "latent_size": 3}, None, (3, 8, 8)),
    "cgan": (cgan, {**PLAIN, "width": 2, "latent_size": 3}, None, (3, 8, 8)),
    "vqvae": (vqvae, {**PLAIN, "width": 4, "codes": 6, "latent_size": 3}, None, (3, 8, 8)),
    "latent": (
        latent,
        {**PLAIN, "width": 4, "latent_size": 1, "methods": ("jensen",)},
        None,
        (1, 3, 8, 8),
    ),
    "tabular": (tabular, {**TINY, "eval_size": 8, "draws": 2}, None, None),
    "modes": (
        modes,
        {
            "data": ("ring",), "methods": ("pacgan2",), "solvers": (), "steps": 4, "seeds": 2,
            "moments": 2, "batch_size": 4, "network": modes.NetworkArgs(generator_width=4),
        },
        "ring-pacgan2-simultaneous",
        (2, 3, 2),
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _quick(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recipes._report.classifier.MOST_ROUNDS", 2)
    monkeypatch.setattr(gan, "measure_saturation", lambda key: None)
    monkeypatch.setattr(gan, "draw_saturation", lambda measured, path: None)


SLOW = ("tabular", "vqvae", "latent")
"""They train longer than the others."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in RUNS]
)
def test_a_run_is_read_back_with_its_samples(name, tmp_path, float32):
    """The players are those that it returned; samples are of the data's shape; a key is a draw."""
    module, flags, part, shape = RUNS[name]
    result = module.run(module.Args(out=tmp_path / "run", **flags))
    run = recipes.load_run(tmp_path / "run" if part is None else tmp_path / "run" / part)
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert (run.recipe, run.args.seed) == (config["recipe"], 0)
    assert run.skipped == []
    if part is None:
        assert run.round == 2
        # Of dcgan and cgan the returned players have standing statistics too.
        leaves = lambda players: jax.tree.leaves(go.playable(players))
        chex.assert_trees_all_equal(leaves(run.evaluated), leaves(result.players))
    first = run.sample(jax.random.key(0), 3)
    if shape is None:
        assert len(first.labels) == 3
        return
    assert first.shape == shape
    np.testing.assert_array_equal(first, run.sample(jax.random.key(0), 3))
    assert not np.array_equal(first, run.sample(jax.random.key(1), 3))


def test_a_part_of_an_adversarial_run_is_a_classifier(tmp_path, float32):
    """Each solver's folder is read back by itself; a classifier has no samples."""
    flags = {**TINY, "steps": 4, "attack_steps": 1, "attack_restarts": 1, "width": 4}
    result = adversarial.run(
        adversarial.Args(out=tmp_path / "run", solver="alternating", eval_size=4, **flags)
    )
    with pytest.raises(UserError, match=r"a folder for each game.*run/alternating"):
        recipes.load_run(tmp_path / "run")
    run = recipes.load_run(tmp_path / "run" / "alternating")
    chex.assert_trees_all_equal(
        go.playable(run.players), go.playable(result.players["alternating"])
    )
    with pytest.raises(UserError, match="nothing that samples are drawn from"):
        run.sample(jax.random.key(0), 1)


def test_what_is_no_run_is_one_line(tmp_path, float32):
    """Recipes without players, folders that are none, other data, no checkpoint."""
    transport.run(transport.Args(out=tmp_path / "plans", points=6, regularisations=(1.0,)))
    refused = lambda match: pytest.raises(UserError, match=match)
    with refused(r"recipes\.transport, which leaves no players"):
        recipes.load_run(tmp_path / "plans")
    with refused("no such folder"):
        recipes.load_run(tmp_path / "nowhere")
    module, flags, *_ = RUNS["gan"]
    run = module.run(module.Args(out=tmp_path / "run", **flags)).folder
    with refused("no checkpoint of round 77|round 77"):
        recipes.load_run(run, round=77)
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    changed = {**config, "data": {**config["data"], "sha256": "0"}}
    (run / "config.json").write_text(json.dumps(changed), encoding="utf-8")
    with refused("was trained on other data"):
        recipes.load_run(run)
    (run / "config.json").write_text(json.dumps({**config, "recipe": "mine"}), encoding="utf-8")
    with refused(r"recipes\.mine, which there is not here"):
        recipes.load_run(run)
    (run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.rmtree(run / "checkpoints")
    with refused("no checkpoints yet"):
        recipes.load_run(run)
