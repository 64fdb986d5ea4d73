"""recipes.gan: exact numbers that theory bounds, the saturation picture, and wrong starts."""

import dataclasses
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import theory
from recipes import gan, wgan
from recipes._gans.density_grid import (
    DENSITIES,
    cells_around,
    data_log_masses,
    generated_log_masses,
)
from recipes._gans.saturation import measure_saturation
from recipes._runtime import cli
from recipes._runtime.errors import UserError

SMALL = gan.Args(
    steps=20, eval_every=10, log_every=5, batch_size=32, width=8, depth=1, metrics=False
)


@pytest.fixture
def quick_saturation(monkeypatch):
    """The saturation picture with a few rounds: it has a test of its own."""
    monkeypatch.setattr(gan, "measure_saturation", lambda key: measure_saturation(key, rounds=2))


@pytest.mark.parametrize(
    ("data", "loss"),
    [
        ("two_normals", "minimax"),
        pytest.param("ring", "non_saturating", marks=pytest.mark.slow),
        pytest.param("two_normals", "non_saturating", marks=pytest.mark.slow),
        pytest.param("ring", "minimax", marks=pytest.mark.slow),
    ],
)
def test_a_run_stays_within_its_bounds(tmp_path, float32, quick_saturation, data, loss):
    """-log 4 <= V(D*, G) <= 0, V(D, G) <= V(D*, G), 0 <= JS <= log 2; and it resumes."""
    result = gan.run(dataclasses.replace(SMALL, data=data, loss=loss, out=tmp_path / "run"))
    lines = [
        json.loads(s)
        for s in (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    evaluations = [line for line in lines if line["kind"] == "eval"]
    assert [line["round"] for line in evaluations] == [0, 10, 20]
    for line in evaluations:
        assert -np.log(4) - 1e-5 <= line["value_at_optimum"] <= 1e-5
        assert line["value"] <= line["value_at_optimum"] + 1e-5
        np.testing.assert_allclose(line["value_at_optimum"], 2 * line["js"] - np.log(4), atol=1e-6)
        assert 0 <= line["d_error_mean"] <= line["d_error_max"] + 1e-6 <= 1 + 1e-6
    for picture in ("curves", "over_time", "saturation", "samples/00000020"):
        assert (tmp_path / "run" / f"{picture}.png").stat().st_size > 10_000
    again = gan.run(cli.parse(gan.Args, ["--resume", str(tmp_path / "run")]))
    chex.assert_trees_all_equal(go.playable(again.players), go.playable(result.players))


DATA = dataclasses.replace(SMALL, data="digits", eval_size=32)


@pytest.mark.parametrize(
    "penalty", ["r1", *(pytest.param(p, marks=pytest.mark.slow) for p in ("none", "r2", "gp0"))]
)
def test_a_run_on_data_judges_its_samples(tmp_path, float32, penalty):
    """Exact W1 beside its floor, D and V on held points, the penalty apart; and it resumes."""
    penalties = () if penalty == "none" else (penalty,)
    args = dataclasses.replace(DATA, penalties=penalties, out=tmp_path / "run")
    result = gan.run(args)
    lines = [
        json.loads(s)
        for s in (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    for line in (line for line in lines if line["kind"] == "eval"):
        assert line["w1_exact"] > line["w1_floor"] > 0
        assert 0 < line["d_fake"] < 1
        assert line["value"] <= 0
    penalties = [line["penalty"] for line in lines if line["kind"] == "train"]
    assert (max(penalties) == 0) == (penalty == "none")
    for picture in ("curves", "over_time", "data", "samples/00000020"):
        assert (tmp_path / "run" / f"{picture}.png").stat().st_size > 1000
    assert np.load(tmp_path / "run/generated.npy").shape == (32, 8, 8)
    again = gan.run(cli.parse(gan.Args, ["--resume", str(tmp_path / "run")]))
    chex.assert_trees_all_equal(go.playable(again.players), go.playable(result.players))


def test_defaults_depend_on_what_is_trained_on(float32):
    """Densities as ever; data with R1, one discriminator step and wider networks."""
    pick = lambda args: (args.inner_steps, args.width, args.penalties, args.latent_size)
    assert pick(gan.resolve(gan.Args())[0]) == (4, 64, (), None)
    assert pick(gan.resolve(gan.Args(data="digits"))[0]) == (1, 256, ("r1",), 32)
    assert pick(gan.resolve(gan.Args(solver="simultaneous"))[0])[0] == 1
    data = gan.resolve(gan.Args(data="digits"))
    game, _ = gan.set_up(*data)
    assert isinstance(game, go.NonSaturatingGAN)
    assert isinstance(game.penalty, go.GradientPenalty)
    assert (game.penalty.where, game.penalty.target, game.penalty.weight) == ("real", 0, 0.5)


@pytest.mark.parametrize("name", ["relu", "silu", "softplus", "tanh"])
@pytest.mark.parametrize("data", ["normal", "ring", "swiss_roll", "digits"])
def test_both_networks_have_the_activation_of_the_flag(float32, data, name):
    """On the line, in the plane, of points and of images; the generator of images ends in tanh."""
    function = getattr(jax.nn, name)
    args = dataclasses.replace(SMALL, data=data, activation=name)
    made = [gan.set_up(*gan.resolve(args))[1]]
    if data in ("swiss_roll", "digits"):
        args = wgan.Args(data=data, depth=1, activation=name)
        made.append(wgan.set_up(*wgan.resolve(args))[1])
    for players in made:
        assert players.x.activation is function
        assert players.y.activation is function
        end = jax.nn.tanh if data == "digits" else jax.nn.identity
        assert players.x.output_activation is end
        first, last = players.y.layers
        point = jnp.linspace(-1.0, 1.0, first.weight.shape[0])
        score = last(function(first(point))).reshape(())
        chex.assert_trees_all_close(players.y(point.reshape(players.x.out_shape)), score)


@pytest.mark.slow
def test_data_in_the_plane_are_coloured_by_d(tmp_path, float32):
    """swiss_roll: a latent of size 2, and a picture each evaluation."""
    gan.run(dataclasses.replace(DATA, data="swiss_roll", out=tmp_path / "run"))
    assert (tmp_path / "run/samples/00000020.png").stat().st_size > 10_000


@pytest.mark.slow
def test_default_training_approaches_the_optimum(tmp_path, float32, quick_saturation):
    """Two bumps: JS below 0.05 of its 0.69 in 2000 rounds, V within 0.1 of -log 4."""
    result = gan.run(gan.Args(steps=2000, eval_every=2000, out=tmp_path / "run"))
    assert result.summary["js"] < 0.05
    assert abs(result.summary["value"] + np.log(4)) < 0.1


@pytest.mark.slow
def test_saturation_is_as_theory_says(float32):
    """Exact curves: minimax is 2 dJS, vanishing; the sum is dKL = shift. Learned ones follow.

    A discriminator of 600 rounds is within 0.1 of the exact minimax gradient everywhere, and of
    the non-saturating one up to a shift of 1.5, where D still meets both laws.
    """
    measured = measure_saturation(jax.random.key(0))
    total = measured.exact_minimax + measured.exact_non_saturating
    np.testing.assert_allclose(total, measured.shifts, atol=1e-3)
    assert measured.exact_minimax[-1] < 1e-3 < measured.exact_minimax.max()
    np.testing.assert_allclose(measured.learned_minimax, measured.exact_minimax, atol=0.1)
    near = measured.shifts <= 1.5
    np.testing.assert_allclose(
        measured.learned_non_saturating[near], measured.exact_non_saturating[near], atol=0.1
    )


@pytest.mark.parametrize("name", sorted(DENSITIES))
def test_cells_hold_the_law_they_stand_for(name, float32):
    """Masses sum to 1; a large sample of the law falls into them accordingly: JS below 1 %.

    200 000 points on at most 10 000 cells: the expected JS of that noise is cells / (8 n) = 0.6 %.
    """
    law = DENSITIES[name]()
    cells = cells_around(law)
    exact = data_log_masses(law, cells)
    np.testing.assert_allclose(jnp.sum(jnp.exp(exact)), 1, rtol=1e-4)
    points = np.asarray(law.sample(jax.random.key(0), 200_000))
    sampled = generated_log_masses(points, cells)
    assert sampled[-1] < np.log(1e-4)
    assert theory.js_density(exact, sampled, jnp.ones_like(exact)) < 0.01


def test_points_outside_are_counted_outside(float32):
    """Half of them beyond the window: half of the mass in the last entry."""
    cells = cells_around(DENSITIES["normal"]())
    masses = generated_log_masses(np.array([[1.0], [99.0]]), cells)
    np.testing.assert_allclose(jnp.exp(masses[-1]), 0.5)
    np.testing.assert_allclose(jnp.sum(jnp.exp(masses)), 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inner_steps": 0}, "--inner-steps must be at least 1"),
        ({"solver": "simultaneous", "inner_steps": 4}, "add --inner-steps 1"),
        ({"penalty_weights": (-1.0,)}, "--penalty-weights must be 0 or more"),
        ({"latent_size": 3}, "--latent-size: two_normals is an exact density"),
        ({"data": "digits", "latent_size": 0}, "--latent-size must be at least 1"),
        ({"data": "digits", "batch_size": 5000}, "--batch-size 5000 is larger"),
        ({"data": "cats"}, "--data cats is none of"),
        ({"certify_every": 15}, "--certify-every 15 must be a multiple of --eval-every 10"),
        ({"certify_every": -10}, "--certify-every must be 0 or more"),
        ({"certify_matvecs": 0}, "--certify-matvecs must be at least 1"),
        ({"width": 0}, "--width must be at least 1"),
    ],
)
def test_wrong_flags_are_refused(tmp_path, changes, message):
    """Before anything is written."""
    with pytest.raises(UserError, match=message):
        gan.run(dataclasses.replace(SMALL, out=tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()
