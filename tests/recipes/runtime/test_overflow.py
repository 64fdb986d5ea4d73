"""Trainings that leave the numbers of single precision: they end, and say so."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from models import mlp_critic
from recipes import critic, dcgan, divergences, tabular, wgan
from recipes._gans.critics import train_critic
from recipes._runtime import checkpoint as _checkpoint
from recipes._runtime.errors import UserError
from tests.recipes.runtime.test_damaged_runs import Args, run

SMALL: dict[str, Any] = {
    "steps": 6,
    "eval_every": 2,
    "log_every": 1,
    "batch_size": 8,
    "eval_size": 8,
}
STEEP: dict[str, Any] = {"penalties": ("gp",), "penalty_weights": (1e25,)}
MLP: dict[str, Any] = {"generator_width": 4, "discriminator_width": 4, "latent_size": 2, "depth": 1}
IMAGES: dict[str, Any] = {"width": 2, "latent_size": 2, "metrics": False}
OVERFLOWS = {
    "wgan": lambda out: wgan.run(wgan.Args(out=out, **SMALL, **MLP, metrics=False, **STEEP)),
    "tabular": lambda out: tabular.run(tabular.Args(out=out, **SMALL, **MLP, **STEEP)),
    "dcgan": lambda out: dcgan.run(dcgan.Args(out=out, **SMALL, **IMAGES, **STEEP)),
}


@pytest.mark.parametrize("recipe", sorted(OVERFLOWS))
def test_moments_that_overflow_end_a_training(recipe, tmp_path, float32):
    """Adam's squares are inf at gradients of 1e25, and its steps 0: the weights stand still.

    The players are finite all the while. Nothing that was sound before is lost.
    """
    with pytest.raises(UserError) as error:
        OVERFLOWS[recipe](tmp_path / "run")
    assert "what the solver remembers became inf or nan in round 1 (" in str(error.value)
    assert "\n" not in str(error.value)
    assert _checkpoint.newest_round(tmp_path / "run/checkpoints") == 0
    kinds = [json.loads(line)["kind"] for line in open_lines(tmp_path / "run/metrics.jsonl")]
    assert kinds == ["eval", "train"]


def open_lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_a_run_that_overflows_later_keeps_its_checkpoints(tmp_path, float32, monkeypatch):
    """The one before is sound, and the run can be gone on with from there."""
    run(Args(out=tmp_path / "run"))

    steep = go.Bilinear(jnp.float32(1e25))
    monkeypatch.setattr("tests.recipes.runtime.test_damaged_runs.GAME", steep)
    with pytest.raises(UserError, match=r"in round 5 .* The checkpoints before it are kept"):
        run(Args(resume=tmp_path / "run", steps=8))
    assert _checkpoint.newest_round(tmp_path / "run/checkpoints") == 4
    monkeypatch.undo()
    assert run(Args(resume=tmp_path / "run", steps=8)).summary["rounds"] == 8


def test_a_state_that_begins_infinite_may_stay_so(tmp_path, float32, monkeypatch):
    """As the best value so far of a schedule: it is no overflow."""
    best = optax.GradientTransformation(
        lambda params: (jnp.inf, optax.adam(0.1).init(params)),
        lambda updates, state, params=None: (updates, state),
    )
    monkeypatch.setattr(
        "tests.recipes.runtime.test_damaged_runs.SOLVER", go.Simultaneous(go.Players(best, best))
    )
    assert run(Args(out=tmp_path / "run")).summary["rounds"] == 4


def test_a_critic_that_stands_still_is_nan(float32):
    """Trained with a penalty of 1e25 it is no number, and with one of 10 it is as before."""
    points = jnp.asarray(np.random.default_rng(0).normal(size=(16, 2)), jnp.float32)
    network = mlp_critic((2,), width=4, depth=1, key=jax.random.key(0))
    start = go.Players(lambda point: point, network)
    for weight, is_finite in ((10.0, True), (1e25, False)):
        draws = go.Samples(points), go.Samples(points + 1)
        game = go.WassersteinGAN(*draws, 8, go.GradientPenalty(weight))
        found = train_critic(game, start, 5, 1e-2, jax.random.key(1)).y
        leaves = jax.tree.leaves(go.playable(found))
        assert all(bool(jnp.isfinite(leaf).all()) for leaf in leaves) == is_finite
        assert is_finite or all(bool(jnp.isnan(leaf).all()) for leaf in leaves)


def test_studies_of_critics_end_with_a_line(tmp_path, float32):
    """Instead of a null in a summary."""
    small: dict[str, Any] = {
        "points": 6,
        "steps": 4,
        "batch_size": 4,
        "width": 4,
        "depth": 1,
        "deep_clips": (),
    }
    with pytest.raises(UserError, match="--constraints gp: its critic became inf or nan"):
        critic.run(
            critic.Args(
                out=tmp_path / "a", constraints=("gp",), penalty_weights=(1e25, 1.0), **small
            )
        )
    small = {"thetas": 2, "steps": 3, "batch_size": 4, "width": 4}
    with pytest.raises(UserError, match="became inf or nan; lower --learning-rate"):
        divergences.run(divergences.Args(out=tmp_path / "b", learning_rate=1e38, **small))
