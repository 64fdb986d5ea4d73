"""recipes.vqvae: a run and its resumption, both codebooks and kinds, numbers of all codes."""

import dataclasses
import json

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import gameopt as go
from recipes import vqvae
from recipes._data import load
from recipes._runtime import cli
from recipes._vqvae.args import PRESETS, PriorArgs, make_players, make_solver
from recipes._vqvae.codes import coded, independent_nats, independent_samples, place_counts
from recipes._vqvae.game import QuantisedAutoencoder
from recipes._vqvae.pictures import code_colours

TINY = vqvae.Args(
    steps=4, eval_every=2, log_every=1, batch_size=8, width=4, latent_size=3, eval_size=24, codes=6,
    prior=PriorArgs(width=4, depth=1, heads=2), metrics=False,
)  # fmt: skip


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """200 digits without labels, for which no classifier is trained, in a file."""
    monkeypatch.chdir(tmp_path)
    np.save("pictures.npy", load("digits").points[:200])
    return dataclasses.replace(TINY, data="pictures.npy")


def test_a_run_draws_its_codes_and_measures_all_of_them(pictures, tmp_path, float32):
    """Every picture is there; the perplexity is of all held-out codes, 40 images of 16.

    A fresh prior has log 6 nats a code. Codes of moving averages were revived and are carried.
    """
    result = vqvae.run(dataclasses.replace(pictures, revive_below=0.9, out=tmp_path / "run"))
    for name in ("samples", "priors", "codebook", "reconstructions", "curves", "neighbours"):
        assert (tmp_path / "run" / f"{name}.png").stat().st_size > 1000
    assert np.load(tmp_path / "run/generated.npy").shape == (24, 8, 8)
    text = (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8")
    held = [line for line in map(json.loads, text.splitlines()) if line["kind"] == "eval"]
    np.testing.assert_allclose(held[0]["prior_nats"], 16 * np.log(6), rtol=1e-5)
    found = coded(result.players, jnp.asarray(vqvae.HeldOutData(pictures).held_out.points))
    assert found.indices.shape == (40, 4, 4)
    counts = np.bincount(np.asarray(found.indices).ravel(), minlength=6)
    assert held[-1]["codes_used"] == (counts > 0).sum()
    np.testing.assert_allclose(held[-1]["perplexity"], np.exp(stats.entropy(counts)), rtol=1e-5)


@pytest.mark.slow
def test_a_run_is_the_same_bits_in_two_parts_with_its_codebook(pictures, tmp_path, float32):
    """Four rounds are two and two, with moving averages and revived codes."""
    args = dataclasses.replace(pictures, revive_below=0.9)
    result = vqvae.run(dataclasses.replace(args, out=tmp_path / "run"))
    half = vqvae.run(dataclasses.replace(args, steps=2, out=tmp_path / "half"))
    flags = ["--resume", str(half.folder), "--steps", "4"]
    again = vqvae.run(cli.parse(vqvae.Args, flags))
    leaves = lambda players: jax.tree.leaves(eqx.filter(players, eqx.is_array))
    chex.assert_trees_all_equal(leaves(again.players), leaves(result.players))


def one_round(args: vqvae.Args, shape: tuple[int, ...]):
    """The shapes after a round of flags, traced and not computed."""
    points = jnp.zeros((40, *shape))

    def play(key):
        players = make_players(args, points, key)
        game = QuantisedAutoencoder(
            go.Samples(points), jnp.asarray(0.25), jnp.asarray(0.1), args.batch_size
        )
        solver = make_solver(args)
        state = solver.init(game, players, key)
        players, _, info = solver.step(game, players, state, key)
        return jax.vmap(players.x.sample)(jax.random.split(key, 3)), info.losses

    return jax.eval_shape(play, jax.random.key(0))


@pytest.mark.parametrize(
    ("flags", "shape"),
    [
        ({"codebook": "gradient"}, (8, 8)),
        ({"kind": "dense", "groups": 2, "depth": 0}, (5,)),
        ({"kind": "dense", "codebook": "gradient"}, (2,)),
        ({"halvings": 3, "encoder_steps": 2}, (9, 8, 3)),
        ({"halvings": 0, "depth": 0, "prior": PriorArgs(depth=0)}, (4, 4)),
        (PRESETS["mnist"], (28, 28)),
    ],
)
def test_networks_codebooks_and_solvers_can_be_played(flags, shape, float32):
    """A round each; a sample is of the data's shape."""
    samples, losses = one_round(dataclasses.replace(TINY, **flags), shape)
    assert samples.shape == (3, *shape)
    assert losses.x.shape == losses.y.shape == ()


def test_no_independent_law_has_fewer_nats_than_the_entropy_of_the_places(float32):
    """Gibbs' inequality on the codes that are counted, against a hundred other laws."""
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 4, (30, 2, 3)) * rng.integers(0, 2, (1, 2, 3))
    counts = place_counts(indices, 5)
    assert counts.shape == (6, 5)
    assert (counts.sum(axis=1) == 30).all()
    best = independent_nats(counts)
    np.testing.assert_allclose(best, stats.entropy(counts, axis=1).sum(), rtol=1e-5)
    for law in rng.dirichlet(np.ones(5), (100, 6)):
        assert -np.sum(counts * np.log(law)) / 30 > best


def test_samples_of_independent_codes_have_the_frequencies_of_their_places(float32):
    """Codes that are never used at a place never come, and certain ones always do."""
    players = make_players(TINY, jnp.zeros((10, 8, 8)), jax.random.key(0))
    codes = np.arange(16) % 6
    certain = jnp.asarray(np.eye(6)[codes], jnp.float32)
    drawn = independent_samples(players.x, certain, jax.random.key(1), 3)
    expected = players.x(jnp.asarray(codes.reshape(4, 4)))
    np.testing.assert_allclose(drawn, np.broadcast_to(expected, drawn.shape), rtol=1e-5, atol=1e-6)


def test_colours_are_of_every_code_whatever_its_length():
    """Distinct ones, in the range of pixels; of codes of a single number too."""
    for shape in ((9, 1), (9, 5), (1, 2)):
        colours = code_colours(np.random.default_rng(0).normal(size=shape))
        assert colours.shape == (shape[0], 3)
        assert len(np.unique(colours, axis=0)) == shape[0]
        assert np.abs(colours).max() <= 1


@pytest.mark.slow
def test_the_default_run_uses_its_codebook_and_its_prior_beats_independence(tmp_path, float32):
    """Real digits: perplexity above half of the codes; the prior below the best independent law."""
    numbers = vqvae.run(vqvae.Args(out=tmp_path / "run")).summary
    assert numbers["perplexity"] > 0.5 * numbers["codes"]
    assert numbers["prior_nats"] < numbers["independent_nats"] - 5
    assert numbers["confident_share"] > 1.5 * numbers["confident_share_independent"]
