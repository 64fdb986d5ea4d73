"""recipes.dcgan: a run and its resumption, every loss and constraint, wrong flags."""

import dataclasses
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from recipes import dcgan
from recipes._data import load
from recipes._gans.args import make_solver
from recipes._gans.images import LOSSES, PRESETS, make_game, with_weights
from recipes._gans.penalties import PENALTIES
from recipes._runtime import cli
from recipes._runtime.errors import UserError

TINY = dcgan.Args(
    steps=4, eval_every=2, log_every=1, batch_size=4, width=2, latent_size=3, eval_size=12,
    metrics=False,
)  # fmt: skip


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """200 digits without labels, for which no classifier is trained, in a file."""
    monkeypatch.chdir(tmp_path)
    np.save("pictures.npy", load("digits").points[:200])
    return dataclasses.replace(TINY, data="pictures.npy")


def test_a_run_draws_what_it_learned(pictures, tmp_path, float32):
    """Every picture is there, and numbers are finite."""
    dcgan.run(dataclasses.replace(pictures, out=tmp_path / "run"))
    for name in ("samples", "over_time", "curves", "interpolations", "inversion", "neighbours"):
        assert (tmp_path / "run" / f"{name}.png").stat().st_size > 1000
    lines = [
        json.loads(s)
        for s in (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for line in (line for line in lines if line["kind"] == "eval"):
        assert line["w1_exact"] > line["w1_floor"] > 0
        assert np.isfinite([line["score_real"], line["score_fake"]]).all()
    assert np.load(tmp_path / "run/generated.npy").shape == (12, 8, 8)


@pytest.mark.slow
def test_a_run_is_the_same_bits_in_two_parts(pictures, tmp_path, float32):
    """Four rounds are two and two, with anchors, averages and spectral norms carried along."""
    own = {"discriminator_weights": "spectral", "penalties": ("lecam",)}
    args = dataclasses.replace(pictures, **own)
    result = dcgan.run(dataclasses.replace(args, out=tmp_path / "run"))
    half = dcgan.run(dataclasses.replace(args, steps=2, out=tmp_path / "half"))
    flags = ["--resume", str(half.folder), "--steps", "4"]
    again = dcgan.run(cli.parse(dcgan.Args, flags))
    chex.assert_trees_all_equal(go.playable(again.players), go.playable(result.players))


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["plain", "spectral"])
def test_half_precision_stays_finite_with_weights_in_single(weights, pictures, tmp_path, float32):
    """200 rounds in bfloat16: weights and losses are float32, and nothing is NaN."""
    args = dataclasses.replace(
        pictures,
        precision="bfloat16",
        discriminator_weights=weights,
        steps=200,
        out=tmp_path / "run",
    )
    result = dcgan.run(args)
    leaves = jax.tree.leaves(go.playable(result.players))
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype(jnp.float32)}
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in leaves)
    assert np.isfinite(result.summary["w1_exact"])


def one_round(args: dcgan.Args, shape: tuple[int, ...]):
    """The shapes and types after a round of resolved flags, traced and not computed."""
    images = jnp.zeros((20, *shape))

    def play(key):
        players = dcgan.networks(args, shape, key)
        game = make_game(args, go.Samples(images))
        solver = make_solver(args)
        state = solver.init(game, players, key)
        players, _, info = solver.step(game, players, state, key)
        return go.playable(players), info.losses

    return jax.eval_shape(play, jax.random.key(0))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("penalty", sorted(PENALTIES))
def test_every_penalty_can_be_played(penalty, precision, float32):
    """Losses are float32 numbers, whatever the networks compute in."""
    args = with_weights(
        dataclasses.replace(TINY, penalties=(penalty,), penalty_weights=(), precision=precision)
    )
    _, losses = one_round(args, (8, 8, 3))
    assert {losses.x.dtype, losses.y.dtype} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_every_loss_can_be_played(loss, float32):
    """One round each."""
    players, losses = one_round(with_weights(dataclasses.replace(TINY, loss=loss)), (8, 8))
    assert losses.x.shape == losses.y.shape == ()
    assert jax.tree.leaves(players)


@pytest.mark.parametrize(
    "flags",
    [
        {"discriminator_weights": "spectral", "penalties": ()},
        {"architecture": "sngan", "discriminator_weights": "spectral"},
        {"discriminator_weights": "spectral", "penalties": ("gp",), "precision": "bfloat16"},
        {"packing": 2, "augment": ("color", "translation", "cutout"), "penalties": ("bcr",)},
        {"clip": 0.1, "solver": "extragradient", "ema": 0.0},
        {"discriminator_norm": "batch", "penalties": ("bcr", "orthogonal"), "solver": "lookahead"},
    ],
    ids=["spectral", "sngan", "half", "packed", "clipped", "batch"],
)
def test_constraints_architectures_and_solvers_can_be_played(flags, float32):
    """One round each, of the hinge loss."""
    weights = {"penalty_weights": ()} if "penalties" in flags else {}
    args = with_weights(dataclasses.replace(TINY, loss="hinge", **flags, **weights))
    players, losses = one_round(args, (8, 8))
    assert losses.x.shape == losses.y.shape == ()
    assert jax.tree.leaves(players)


@pytest.mark.parametrize("preset", ["small", *sorted(PRESETS)])
def test_presets_can_be_played_on_colour_images(preset, float32):
    """32x32 in three channels, with everything that the preset says."""
    args = with_weights(dcgan.Args(preset=preset))
    players, _ = one_round(args, (32, 32, 3))
    assert jax.tree.leaves(players.x)


def test_flags_override_a_preset(float32):
    """Penalties that are given have their own papers' weights, not the preset's."""
    args = with_weights(dcgan.Args(penalties=("gp", "r1"), width=5))
    assert (args.width, args.penalty_weights) == (5, (10.0, 1.0))
    assert with_weights(dcgan.Args()).penalty_weights == (0.1,)


WRONG = {
    "twice": (["--penalties", "r1", "r1"], "give each of them once"),
    "weights": (["--penalties", "r1", "r2", "--penalty-weights", "1"], "1 numbers for 2 penalties"),
    "negative": (["--penalty-weights", "-1"], "--penalty-weights must be 0 or more"),
    "coupled": (["--discriminator-norm", "batch"], "--penalties r1 needs a gradient at each image"),
    "spectral": (
        ["--discriminator-weights", "spectral", "--discriminator-norm", "layer"],
        "--discriminator-norm none",
    ),
    "simultaneous": (["--solver", "simultaneous", "--inner-steps", "2"], "add --inner-steps 1"),
    "ema": (["--ema", "1"], "--ema must be in [0, 1)"),
    "rate": (
        ["--generator-optimizer.learning-rate", "0"],
        "--generator-optimizer.learning-rate must be positive",
    ),
    "steps": (["--steps", "0"], "--steps must be at least 1"),
    "plane": (["--data", "ring"], "images are needed"),
    "size": (["--image-size", "16"], "--image-size 16"),
    "large": (["--batch-size", "2000"], "--batch-size 2000 is larger than the data"),
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_wrong_flags_are_one_line(case, tmp_path, monkeypatch):
    """Before anything is compiled or written."""
    monkeypatch.chdir(tmp_path)
    flags, message = WRONG[case]
    with pytest.raises(UserError) as error:
        dcgan.run(cli.parse(dcgan.Args, flags))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())
