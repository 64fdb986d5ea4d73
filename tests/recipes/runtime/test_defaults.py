"""Defaults that depend on other flags, and former names of flags."""

import contextlib
import dataclasses
import io
import json

import pytest

from recipes import cgan, dcgan, gan, wgan
from recipes._gans.images import PRESETS
from recipes._runtime import cli
from recipes._runtime.errors import UserError

ADAM = {"name": "adam", "learning_rate": 5e-4, "beta1": 0.0, "beta2": 0.99, "decay_steps": 0}


def help_of(kind, *argv):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit):
        cli.parse(kind, [*argv, "--help"])
    return " ".join(out.getvalue().split())


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_is_the_same_however_it_is_named(preset, tmp_path):
    """On the command line, in Python, in a file of flags, and as `--help` shows it."""
    made = dcgan.Args(preset=preset)
    assert {name: getattr(made, name) for name in PRESETS[preset]} == PRESETS[preset]
    assert cli.parse(dcgan.Args, ["--preset", preset]) == made
    assert cli.parse(dcgan.Args, [f"--preset={preset}"]) == made
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"preset": preset}), encoding="utf-8")
    found = cli.parse(dcgan.Args, ["--config", str(file)])
    assert dataclasses.replace(found, config=None) == made
    text = help_of(dcgan.Args, "--preset", preset)
    assert f"(default: {made.steps})" in text
    assert f"(default: {made.ema})" in text


def test_flags_override_a_preset_one_by_one(tmp_path):
    """Nested ones too; in a file as on the command line."""
    argv = ["--preset", "mnist", "--steps", "7", "--generator-optimizer.beta1", "0.5"]
    found = cli.parse(dcgan.Args, argv)
    assert (found.steps, found.ema, found.latent_size) == (7, 0.999, 64)
    assert dataclasses.asdict(found.generator_optimizer) == {**ADAM, "beta1": 0.5}
    assert dataclasses.asdict(found.discriminator_optimizer) == ADAM
    file = tmp_path / "flags.json"
    flags = {"preset": "mnist", "steps": 7, "generator_optimizer": {"beta1": 0.5}}
    file.write_text(json.dumps(flags), encoding="utf-8")
    from_file = cli.parse(dcgan.Args, ["--config", str(file)])
    assert dataclasses.replace(from_file, config=None) == found


def test_penalties_that_are_given_have_their_own_weights():
    """Not the preset's, which are of its own penalties."""
    assert cli.parse(dcgan.Args, ["--penalties", "gp"]).penalty_weights == ()
    assert dcgan.Args(penalties=("gp",)).penalty_weights == ()
    both = ["--penalties", "gp", "--penalty-weights", "3"]
    assert cli.parse(dcgan.Args, both).penalty_weights == (3.0,)
    assert cli.parse(wgan.Args, ["--penalties"]).penalties == ()


@pytest.mark.parametrize(
    ("kind", "argv", "expected"),
    [
        (gan.Args, [], {"penalties": (), "inner_steps": 4, "width": 64}),
        (gan.Args, ["--data", "digits"], {"penalties": ("r1",), "inner_steps": 1, "width": 256}),
        (gan.Args, ["--solver", "simultaneous"], {"inner_steps": 1}),
        (gan.Args, [], {"activation": "tanh"}),
        (gan.Args, ["--data", "digits"], {"activation": "relu"}),
        (gan.Args, ["--data", "digits", "--activation", "silu"], {"activation": "silu"}),
        (wgan.Args, [], {"activation": "relu"}),
        (wgan.Args, ["--solver=extragradient"], {"inner_steps": 1}),
        (cgan.Args, ["--condition", "edges"], {"generator_norm": "instance"}),
        (cgan.Args, ["--generator-norm=none", "--condition=edges"], {"generator_norm": "none"}),
        (cgan.Args, [], {"generator_norm": "batch"}),
    ],
)  # fmt: skip
def test_defaults_follow_the_flags_that_they_depend_on(kind, argv, expected):
    """And `--help` with the same flags shows them."""
    found = cli.parse(kind, argv)
    assert {name: getattr(found, name) for name in expected} == expected


def test_former_names_are_taken(tmp_path):
    """From the command line and from a file; what changed its form has a hint."""
    found = cli.parse(wgan.Args, ["--n-critic", "3", "--critic-optimizer.learning-rate=0.1"])
    assert (found.inner_steps, found.discriminator_optimizer.learning_rate) == (3, 0.1)
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"n_critic": 3, "critic_width": 5}), encoding="utf-8")
    from_file = cli.parse(wgan.Args, ["--config", str(file)])
    assert (from_file.inner_steps, from_file.discriminator_width) == (3, 5)
    with pytest.raises(UserError, match="give --penalties"):
        cli.parse(wgan.Args, ["--lipschitz", "clip"])
    file.write_text(json.dumps({"lipschitz": "clip"}), encoding="utf-8")
    with pytest.raises(UserError, match=r"there is no --lipschitz; give --penalties"):
        cli.parse(wgan.Args, ["--config", str(file)])


DENSITY = {"penalties": [], "penalty_weights": [], "inner_steps": 4, "width": 64}
PLANE = {"data": "swiss_roll", "latent_size": 2, "penalties": ["lecam"], "penalty_weights": [0.3]}


@pytest.mark.parametrize(
    ("saved", "argv", "expected"),
    [
        (PLANE, ["--penalties", "gp"], {"penalties": ("gp",), "penalty_weights": ()}),
        (PLANE, ["--penalties"], {"penalties": (), "penalty_weights": ()}),
        (PLANE, ["--steps", "7"], {"penalty_weights": (0.3,), "latent_size": 2, "steps": 7}),
        (PLANE, ["--data", "digits"], {"latent_size": None, "penalties": ("lecam",)}),
        (PLANE, ["--data", "ring"], {"latent_size": None}),
        ({**DENSITY, "data": "normal"}, ["--solver", "extragradient"], {"inner_steps": 1}),
        ({**DENSITY, "data": "normal"}, ["--data", "ring"], {"width": 64, "inner_steps": 4}),
        (PLANE, ["--data", "normal"], {"activation": "tanh"}),
        ({**PLANE, "activation": "silu"}, ["--data", "digits"], {"activation": "silu"}),
        (
            {**DENSITY, "data": "normal"},
            ["--data", "digits"],
            {"penalties": ("r1",), "inner_steps": 1, "width": 256},
        ),
    ],
)
def test_flags_beside_a_file_drop_what_depended_on_the_others(saved, argv, expected, tmp_path):
    """A run saves what it filled in: with other flags these values are no longer meant."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"recipe": "gan", "args": saved}), encoding="utf-8")
    found = cli.parse(gan.Args, ["--config", str(file), *argv])
    assert {name: getattr(found, name) for name in expected} == expected
