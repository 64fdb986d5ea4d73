"""recipes.modes: what a round costs, seeds side by side, the judges, the tables, and going on."""

import dataclasses
import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
import theory
from recipes import _data, modes
from recipes._modes.data import StackedJudge, mixture
from recipes._modes.methods import METHODS, MODE_SOLVERS, AcrossSeeds, make_game
from recipes._modes.play import ModeSetting, make_players, rounds_of
from recipes._modes.tables import line_of, turnover
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._tournament.play import cost_of

NETWORKS = modes.NetworkArgs(
    generator_width=8, generator_depth=1, discriminator_width=4, discriminator_depth=1, pieces=2
)
pytestmark = pytest.mark.usefixtures("float32")

TINY = modes.Args(
    data=("ring",),
    methods=("non_saturating",),
    solvers=(),
    steps=20,
    seeds=2,
    moments=4,
    batch_size=8,
    network=NETWORKS,
)


@pytest.fixture
def ring():
    return mixture("ring", jax.random.key(0))


@pytest.mark.parametrize("name", sorted(MODE_SOLVERS))
def test_a_round_costs_what_the_table_says(name):
    """Gradients as the round reports them, and updates as the optimizers count them."""
    entry = MODE_SOLVERS[name]
    game = go.zero_sum_game(lambda x, y: jnp.sum(x * y) + jnp.sum(x**2) - jnp.sum(y**2))
    players = go.Players(jnp.ones(2), jnp.ones(2))
    solver = entry.make(go.Players(optax.adam(1e-2), optax.adam(1e-2)), 0.1)
    # The first round of a method with memory may take a gradient that later ones have.
    last = go.rollout(game, solver, players, 3)
    assert int(cost_of(jax.tree.map(lambda leaf: leaf[-1], last.records))) == entry.gradients
    flat = jax.tree_util.tree_flatten_with_path(last.state)[0]
    for player in ("x", "y"):
        counts = [
            int(leaf)
            for path, leaf in flat
            if jax.tree_util.keystr(path).endswith(".count")
            and f".{player}" in jax.tree_util.keystr(path)
        ]
        assert max(counts, default=0) == 3 * getattr(entry.updates, player), (name, player)


@pytest.mark.parametrize(
    "solver",
    [pytest.param(n, marks=pytest.mark.slow) for n in ("ema_simultaneous", "past_extragradient")],
)
def test_seeds_side_by_side_are_plays_of_their_own(solver, ring):
    """Each seed of three is the play of that seed alone, and of two the first two."""
    play = modes.play_of(TINY, "ring")._replace(seeds=3)
    method = METHODS["non_saturating"]
    players = make_players(method, ring, play, jax.random.key(1))
    game = make_game(method, ring.sampler, 2, 8, 0.1)
    alone = MODE_SOLVERS[solver].make(go.Players(optax.sgd(0.1), optax.sgd(0.1)), 0.1)
    key = jax.random.key(2)
    together = go.rollout(game, AcrossSeeds(alone, 3), players, 5, key=key)
    pick = lambda tree, i: jax.tree.map(lambda a: a[i] if eqx.is_array(a) else a, tree)
    two = go.rollout(game, AcrossSeeds(alone, 2), pick(players, slice(0, 2)), 5, key=key)
    for left, right in zip(
        jax.tree.leaves(eqx.filter(pick(together.players, slice(0, 2)), eqx.is_array)),
        jax.tree.leaves(eqx.filter(two.players, eqx.is_array)),
        strict=True,
    ):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)
    one, state = pick(players, 1), None
    for t in range(5):
        round_key = jax.random.fold_in(jax.random.fold_in(key, t), 1)
        if state is None:
            state = alone.init(game, one, jax.random.fold_in(key, 1))
        one, state, _ = alone.step(game, one, state, round_key)
    expected = jax.tree.leaves(eqx.filter(one, eqx.is_array))
    found = jax.tree.leaves(eqx.filter(pick(together.players, 1), eqx.is_array))
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


QUICK = ("hinge", "pacgan3", "unrolled", "wgan_clip", "wgan_gp")
"""The others are left to the slow tests."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in METHODS]
)
def test_every_method_is_a_game_of_its_networks(name, ring):
    """Finite losses, a moving generator, packs where it packs, weights in the box if clipped."""
    play = modes.play_of(TINY, "ring")
    method = METHODS[name]
    players = make_players(method, ring, play, jax.random.key(0))
    one = jax.tree.map(lambda a: a[0] if eqx.is_array(a) else a, players)
    game = make_game(method, ring.sampler, 2, 8, 0.01)
    losses, field = game.losses_and_field(one, jax.random.key(0))
    assert np.isfinite([losses.x, losses.y]).all()
    assert go.tree_norm(field.x) > 0
    assert one.y.layers[0].linear.weight.shape[0] == 2 * method.packing
    clipped = go.playable(game.project(one).y)
    largest = max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(clipped))
    assert (largest <= 0.01) == method.clip


def test_solvers_get_the_same_gradients():
    """As many as so many simultaneous rounds, up to one round a moment."""
    play = modes.play_of(modes.Args(preset="cpu"), "ring")
    for name, entry in MODE_SOLVERS.items():
        rounds, between = rounds_of(ModeSetting("ring", "r1", name), play)
        assert rounds == between * play.moments
        short = 2 * play.steps - rounds * entry.gradients
        assert 0 <= short < entry.gradients * play.moments


def test_turnover_of_rest_and_of_rotation():
    """0 for counts that stay, 1 for one mode after the other, 1/2 for half of each."""
    line = lambda *counts: {"counts": [list(c) for c in counts]}
    history = [
        line([9, 1, 0, 0], np.roll([10, 0, 0, 0], t), np.roll([5, 5, 0, 0], t)) for t in range(9)
    ]
    np.testing.assert_allclose(turnover(history), [0, 1, 0.5])


def test_a_line_is_mean_and_standard_error_and_the_worst_without_samples():
    """Of known scores; nothing of high quality is log K, and not left out."""
    last = {"captured": [2, 4], "high_quality": [0.5, 0.0], "reverse_kl": [0.1, None]}
    line = line_of({"data": "ring", "method": "a", "solver": "b"}, [last], 8)
    np.testing.assert_allclose(line["captured"], 3)
    np.testing.assert_allclose(line["captured_error"], 1)
    np.testing.assert_allclose(line["reverse_kl"], (0.1 + np.log(8)) / 2)
    assert "turnover" not in line


def test_real_points_reach_the_ceiling(ring):
    """98.889 %, all modes, and (K - 1)/2n in reverse KL: within 5 standard errors of 10 samples."""
    line = modes.real_line(ring, jax.random.key(0), 10)
    share = float(theory.high_quality_share(2))
    error = np.sqrt(share * (1 - share) / ring.samples / 10)
    assert line["captured"] == ring.modes
    assert abs(line["high_quality"] - share) < 5 * error
    floor = (ring.modes - 1) / (2 * ring.samples)
    # 2 n KL has the law of chi^2 with K - 1 degrees of freedom
    spread = np.sqrt(2 * (ring.modes - 1)) / (2 * ring.samples)
    assert abs(line["reverse_kl"] - floor) < 5 * spread / np.sqrt(10)


def test_stacked_digits_are_a_hundred_ten_and_one():
    """A classifier that reads the digit off the first pixel, and is sure unless it is negative."""

    def read(image):
        sure = jnp.where(image[0, 0] < 0, 0.0, 50.0)
        return sure * (jnp.arange(10) == jnp.abs(image[0, 0])).astype(float)

    images = (
        jnp.zeros((3, 2, 2, 3))
        .at[:, 0, 0, :]
        .set(jnp.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [9.0, -1.0, 0.0]]))
    )
    coverage = StackedJudge(read)(images)
    assert coverage.counts[123] == 2
    assert coverage.captured == 2
    np.testing.assert_allclose(coverage.high_quality, 2 / 3)


def test_a_run_writes_all_and_adds_settings_when_it_goes_on(tmp_path, capsys):
    """Tables, pictures, summary; a second method leaves the first's numbers as they were."""
    out = tmp_path / "run"
    modes.run(dataclasses.replace(TINY, out=out))
    for name in ("table.md", "table.csv", "samples_ring_methods.png", "scores_ring_methods.png",
                 "occupancy_ring_methods.png", "summary.json"):  # fmt: skip
        assert (out / name).stat().st_size > 0
    part = out / "ring-non_saturating-simultaneous"
    before = (part / "metrics.jsonl").read_bytes()
    more = cli.parse(
        modes.Args,
        [
            "--resume",
            str(out),
            "--methods",
            "non_saturating",
            "--solvers",
            "lookahead_simultaneous",
        ],
    )
    modes.run(more)
    assert (part / "metrics.jsonl").read_bytes() == before
    table = (out / "table.md").read_text(encoding="utf-8")
    assert "| lookahead_simultaneous |" in table
    assert "98.889 %" in table
    lines = [json.loads(line) for line in before.splitlines()]
    assert sum(line["kind"] == "eval" for line in lines) == 5
    assert len(lines[-1]["captured"]) == 2


@pytest.mark.slow
def test_an_interrupted_run_ends_in_the_same_bits(tmp_path):
    """A setting cut off after two moments goes on from its checkpoint."""
    whole, cut = (dataclasses.replace(TINY, out=tmp_path / name) for name in ("whole", "cut"))
    modes.run(whole)
    modes.run(cut)
    part = tmp_path / "cut" / "ring-non_saturating-simultaneous"
    (part / "done.json").unlink()
    for checkpoint in sorted((part / "checkpoints").iterdir())[-1:]:
        (checkpoint / "manifest.json").unlink()
    modes.run(cli.parse(modes.Args, ["--resume", str(tmp_path / "cut")]))
    name = "ring-non_saturating-simultaneous/metrics.jsonl"
    assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": ("pacgan5",)}, "pacgan5: there is no such name; perhaps you meant pacgan"),
        ({"data": ("circle",)}, "--data circle: there is no such name"),
        ({"methods": (), "solvers": ()}, "are both empty"),
        ({"seeds": 0}, "--seeds must be at least 1"),
        ({"learning_rate": -1.0}, "--learning-rate must be positive"),
        ({"network": {"pieces": 0}}, "--network.pieces must be at least 1"),
        ({"data": ("stacked",), "digits": "mnist"}, "--digits mnist needs --data-dir"),
    ],
)
def test_a_wrong_flag_is_one_line_before_anything_is_written(change, message, tmp_path):
    """And nothing is written."""
    if "network" in change:
        change = {"network": modes.NetworkArgs(**change["network"])}
    start = lambda: modes.run(dataclasses.replace(TINY, out=tmp_path / "run", **change))
    with pytest.raises(UserError, match=message):
        start()
    assert not (tmp_path / "run").exists()


def test_errors_of_digits_name_the_flag_they_were_given_by(tmp_path):
    """--data is something else here; and nothing is written."""
    args = dataclasses.replace(
        TINY, data=("stacked",), digits="mnist", data_dir=tmp_path, out=tmp_path / "run"
    )
    with pytest.raises(UserError, match=r"lacks train-images.*; --digits mnist reads"):
        modes.run(args)
    images = _data.load("digits")
    unlabelled = dataclasses.replace(images, labels=None)
    with pytest.raises(UserError, match=r"^--digits digits has no labels"):
        _data.check_labelled_images(unlabelled, unlabelled, "--digits")
    assert not (tmp_path / "run").exists()


def test_a_preset_has_more_rounds_where_there_are_more_modes_unless_told():
    """36 000 on the grid with cpu, and what --steps says for all."""
    args = modes.Args(preset="cpu")
    assert [modes.play_of(args, name).steps for name in ("ring", "grid")] == [12_000, 36_000]
    told = modes.Args(preset="cpu", steps=7)
    assert [modes.play_of(told, name).steps for name in ("ring", "grid")] == [7, 7]


def test_the_paper_preset_is_the_published_protocol():
    """Lin et al. 2018, section 4.1 and the authors' code."""
    play = modes.play_of(modes.Args(preset="paper"), "grid")
    assert dataclasses.astuple(play.network) == (400, 4, 200, 3, 5)
    assert (play.steps, play.batch_size, play.learning_rate) == (400_000, 100, 1e-4)
    assert (play.seeds, play.decay) == (10, False)
