"""recipes.diffusion: its game, sampling in pieces, words, bounds, a run and its tasks."""

import dataclasses
import json
from typing import Any

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import models
import recipes
import theory
from recipes import diffusion
from recipes._data import TOYS, load
from recipes._diffusion import losses, plane, restorations
from recipes._diffusion.bits import Bins, best_last, bins_of, bound_terms
from recipes._diffusion.exact import exact_law
from recipes._diffusion.game import DenoisingGame
from recipes._diffusion.interpolations import interpolate
from recipes._diffusion.likelihoods import FlowTimes, log_probs
from recipes._diffusion.losses import Memory
from recipes._diffusion.model import Boxed
from recipes._diffusion.processes import ChainLaw, TimeLaw, make_process
from recipes._diffusion.sampling import SAMPLERS, Rule, draw, noise_of
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.run import RunFolder

FLAGS: dict[str, Any] = {
    "network": "mlp", "width": 8, "depth": 1, "steps": 4, "eval_every": 2, "log_every": 1,
    "batch_size": 8, "eval_size": 6, "sampling_steps": 4, "metrics": False,
}  # fmt: skip
TINY = diffusion.Args(**FLAGS)


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Classifiers of few rounds, few levels and points, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recipes._report.classifier.MOST_ROUNDS", 2)
    monkeypatch.setattr(losses, "LEVELS", 5)
    monkeypatch.setattr(losses, "POINTS", 6)
    monkeypatch.setattr(restorations, "IMAGES", 5)
    monkeypatch.setattr(restorations, "DRAWS", 2)
    monkeypatch.setattr("recipes._diffusion.likelihoods.POINTS", 3)
    monkeypatch.setattr("recipes._diffusion.report.EACH", 10)
    monkeypatch.setattr(plane, "CELLS", 5)
    monkeypatch.setattr(plane, "COMPARED", 20)


def test_a_run_by_class_and_its_tasks(quick, tmp_path, float32):
    """Every picture is there; a task writes a folder of its own, and never to one that is there.

    The completed halves have the given ones within the noise that is allowed for them, or are
    clipped; the run is left as it was.
    """
    args = dataclasses.replace(
        TINY, condition="class", prompt="seven 3", guidance_scale=1.5, out=tmp_path / "run"
    )
    result = diffusion.run(args)
    names = ("samples", "prompt", "chains", "losses", "neighbours", "curves", "over_time")
    for name in names:
        assert (tmp_path / "run" / f"{name}.png").stat().st_size > 1000
    assert np.load(tmp_path / "run/generated.npy").shape == (6, 8, 8)
    assert 0 <= result.summary["label_accuracy"] <= 1
    assert result.summary["bits_per_dimension_bound"] > 0
    before = (tmp_path / "run/config.json").read_bytes()
    for task in ("inpaint", "interpolate"):
        done = diffusion.run(cli.parse(diffusion.Args, ["--run", "run", "--task", task]))
        assert (tmp_path / "run" / task / f"{task}.png").stat().st_size > 1000
        assert done.summary["task"] == task
    again = diffusion.run(diffusion.Args(run=result.folder, task="inpaint", prompt="two"))
    assert again.folder == tmp_path / "run" / "inpaint-2"
    assert again.summary["l1_spread"] > 0
    flags = ["--config", str(again.folder / "config.json"), "--out", "third"]
    third = diffusion.run(cli.parse(diffusion.Args, flags))
    assert third.summary["l1_draw"] == again.summary["l1_draw"]
    with pytest.raises(UserError, match="a task is not gone on with"):
        diffusion.run(cli.parse(diffusion.Args, ["--resume", str(again.folder)]))
    assert (tmp_path / "run/config.json").read_bytes() == before
    run = recipes.load_run(tmp_path / "run")
    asked = run.sample(jax.random.key(0), 3)
    np.testing.assert_array_equal(asked, run.sample(jax.random.key(0), 4)[:3])


def test_a_run_in_the_plane_is_held_against_its_law(quick, tmp_path, float32):
    """Pictures of density, score and paths; the KL at little noise is positive, as an untrained
    model is far from the law."""
    args = dataclasses.replace(TINY, data="ring", objective="edm", out=tmp_path / "run")
    numbers = diffusion.run(args).summary
    for name in ("density", "scores", "trajectories", "losses"):
        assert (tmp_path / "run" / f"{name}.png").stat().st_size > 1000
    assert numbers["kl_at_little_noise"] > 0.1
    assert numbers["score_error"] > 0.1
    with pytest.raises(UserError, match="is of images"):
        diffusion.run(diffusion.Args(run=tmp_path / "run", task="inpaint"))
    done = diffusion.run(diffusion.Args(run=tmp_path / "run", task="likelihood"))
    assert done.summary["log_likelihood"] < done.summary["log_likelihood_exact"]


@pytest.mark.slow
def test_a_task_of_vectors_leaves_its_samples(quick, tmp_path, float32):
    """In the units of the file; flags that are the run's own may stand beside it."""
    np.save("vectors.npy", 100 + np.random.default_rng(0).normal(size=(40, 5)))
    args = dataclasses.replace(TINY, data="vectors.npy", out=tmp_path / "run")
    diffusion.run(args)
    flags = ["--run", "run", "--task", "sample", "--width", "8"]
    done = diffusion.run(cli.parse(diffusion.Args, flags))
    drawn = np.load(done.folder / "generated.npy")
    assert drawn.shape == (6, 5)
    assert abs(np.mean(drawn) - 100) < 5
    with pytest.raises(UserError, match="--width is the trained run's own"):
        diffusion.run(cli.parse(diffusion.Args, ["--run", "run", "--width", "16"]))


def test_paths_between_few_held_out_images(quick, tmp_path, float32):
    """Two pairs are drawn if five images are held out."""
    np.save("few.npy", load("digits").points[:24])
    args = dataclasses.replace(TINY, data="few.npy", out=tmp_path / "run", eval_size=3)
    args, data = diffusion.resolve(args)
    assert len(data.held_out.points) < 12
    _, players = diffusion.set_up(args, data)
    folder = RunFolder(tmp_path, False)
    numbers = interpolate(folder, args, data, players.x, jax.random.key(0))
    assert numbers["l1_inversion"] >= 0


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["velocity", "edm"])
def test_a_run_is_the_same_bits_in_two_parts(objective, quick, tmp_path, float32):
    """Four rounds are two and two, moving averages included; of unlabelled pictures."""
    np.save("pictures.npy", load("digits").points[:200])
    args = dataclasses.replace(TINY, objective=objective, data="pictures.npy")
    result = diffusion.run(dataclasses.replace(args, out=tmp_path / "run"))
    half = diffusion.run(dataclasses.replace(args, steps=2, out=tmp_path / "half"))
    again = diffusion.run(cli.parse(diffusion.Args, ["--resume", str(half.folder), "--steps", "4"]))
    leaves = lambda players: jax.tree.leaves(eqx.filter(players, eqx.is_array))
    chex.assert_trees_all_equal(leaves(again.players), leaves(result.players))


def game_of(law, labels=None, dropout=0.1, size=8):
    points = jnp.zeros((20, 2), jnp.float32)
    given = points if labels is None else go.Conditioned(points, jnp.asarray(labels))
    classes = 0 if labels is None else 3
    return DenoisingGame(go.Samples(given), law, jnp.float32(dropout), size, classes)


def test_a_batch_has_one_level_of_every_stratum(float32):
    """Each step once, least noise first, of a chain of as many steps as points."""
    chain = theory.levels_of_betas(theory.cosine_betas(8))
    batch = game_of(ChainLaw(chain)).batch(jax.random.key(0))
    np.testing.assert_array_equal(batch.levels.alpha, chain.alpha[1:])
    times = game_of(TimeLaw(theory.StraightLines())).batch(jax.random.key(1)).levels.sigma
    np.testing.assert_array_equal(np.floor(8 * np.asarray(times)), np.arange(8))


def test_labels_are_dropped_at_their_share(float32):
    """A quarter of 4000, within five deviations: one false alarm in two million."""
    law = TimeLaw(theory.Cosine())
    game = game_of(law, np.arange(20) % 3, dropout=0.25, size=4000)
    labels = np.asarray(game.batch(jax.random.key(0)).labels)
    assert abs(np.sum(labels == 3) - 1000) < 5 * np.sqrt(4000 * 0.25 * 0.75)
    assert set(labels) == {0, 1, 2, 3}


def test_bands_are_the_loss_in_parts(float32):
    """Their mean is the loss of the same key; a denoiser that begins at 0 has that of the noise."""
    game = game_of(TimeLaw(theory.Cosine()))
    network = models.TimeMLP((2,), width=4, depth=1, key=jax.random.key(0))
    players = go.Players(models.Denoiser(network, "noise"), None)
    bands = game.metrics(players, jax.random.key(1))
    loss = game.loss(players.x, jax.random.key(1))
    np.testing.assert_allclose(np.mean(list(bands.values())), loss, rtol=1e-6)
    noise = game.batch(jax.random.key(1)).noise
    np.testing.assert_allclose(loss, np.mean(np.asarray(noise) ** 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("objective", "sampler"),
    [("noise", "ddim"), ("velocity", "dpm_solver"), ("flow", "heun"), ("edm", "ancestral")],
)
def test_sampling_in_pieces_is_one_process(objective, sampler, float32):
    """20 steps in two chunks, and points in blocks, give what `reverse_process` gives at once.

    Of the exact denoiser of a ring; the samples are within six deviations of its eight centres,
    but for one in fifty at most on the ways between them.
    """
    process, law = make_process(diffusion.Args(objective=objective), 1.0), exact_law("ring")
    assert law is not None
    low, high = jnp.full(2, -2.0), jnp.full(2, 2.0)
    rule = Rule(
        Boxed(law.denoiser, low, high),
        SAMPLERS[sampler](),
        process.levels(20),
        jnp.float32(1),
        False,
        0,
    )
    key = jax.random.key(0)
    drawn = draw(rule, (2,), key, 300, keep=True)
    start = noise_of(rule, (2,), key, 300)
    steps_key = jax.random.split(jax.random.fold_in(key, 299))[1]
    whole = models.reverse_process(
        rule.sampler, rule.of(None)[1], rule.levels, jnp.asarray(start[299]), steps_key, keep=True
    )
    np.testing.assert_allclose(drawn.x[299], whole.x, rtol=1e-4, atol=1e-5)
    assert drawn.path is not None
    np.testing.assert_allclose(drawn.path[299], np.asarray(whole.points), rtol=1e-3, atol=1e-4)
    far = np.linalg.norm(drawn.x[:, None] - np.asarray(law.means)[None], axis=2).min(axis=1)
    assert np.mean(far > 6 * 0.02 / 1.414) < 0.02


@pytest.mark.parametrize("name", sorted(TOYS))
def test_exact_laws_have_the_moments_of_the_points(name, float32):
    """Mean and covariance of 100 000 points within six standard errors of those of the mixture.

    One false alarm in ten million.
    """
    points, law = TOYS[name](0).points.astype(np.float64), exact_law(name)
    assert law is not None
    weights, means, covs = (
        np.asarray(part, np.float64) for part in (law.weights, law.means, law.covs)
    )
    mean = weights @ means
    np.testing.assert_allclose(
        points.mean(axis=0), mean, rtol=0, atol=6 * points.std() / np.sqrt(len(points))
    )
    second = np.einsum("k,kij->ij", weights, covs) + (weights[:, None] * means).T @ means
    products = points[:, :, None] * points[:, None]
    errors = products.std(axis=0) / np.sqrt(len(points))
    assert (np.abs(products.mean(axis=0) - second) < 6 * errors + 1e-5).all()


def test_the_box_changes_no_exact_denoiser(float32):
    """A mean of data is within their box; beyond it an answer is brought to its wall."""
    points = jax.random.normal(jax.random.key(0), (30, 3))
    memory = Memory(points)
    inside = Boxed(memory, points.min(axis=0), points.max(axis=0))
    level = theory.NoiseLevel(jnp.float32(0.6), jnp.float32(0.8))
    for x in 3 * jax.random.normal(jax.random.key(1), (5, 3)):
        np.testing.assert_array_equal(inside(x, level), memory(x, level))
    wall = Boxed(lambda x, level: 100 * x, jnp.float32(-1), jnp.float32(1))
    np.testing.assert_array_equal(wall(jnp.asarray([2.0, -3.0]), level), [1, -1])


def test_the_bound_is_the_sum_of_the_terms_of_the_chain():
    """Each step's KL and the prior's are theory's own, at any last level; the best one is least."""
    levels = theory.Cosine().levels_in_log_snr(6, 8.0)
    rng = np.random.default_rng(0)
    points, denoised = rng.normal(size=(2, 4, 3))
    squares = np.stack([np.sum((points - s * denoised) ** 2, axis=1) for s in np.linspace(0, 1, 7)])
    at = lambda i: theory.NoiseLevel(levels.alpha[i], levels.sigma[i])
    for last in (3, 6):
        prior, steps = bound_terms(points, levels, squares, last)
        for place, point in enumerate(points):
            expected = theory.prior_kl(point, at(0), levels.sigma[0] ** 2)
            np.testing.assert_allclose(prior[place], expected, rtol=1e-9)
            parts = [
                theory.denoising_kl(point, s * denoised[place], at(i + 1), at(i))
                for i, s in zip(range(last), np.linspace(0, 1, 7), strict=False)
            ]
            np.testing.assert_allclose(steps[place], np.sum(parts), rtol=1e-9)
    nats = rng.normal(size=(7, 4))
    totals = [
        sum(map(np.mean, (*bound_terms(points, levels, squares, i), nats[i]))) for i in range(1, 7)
    ]
    assert best_last(points, levels, squares, nats) == 1 + np.argmin(totals)


def test_values_of_discrete_points_are_found():
    """17 of the digits, with and without some of them; none of numbers that vary freely."""
    assert bins_of(load("digits").points) == Bins(17, -1.0, 1.0)
    assert bins_of(np.array([[0.0, 0.5], [0.5, 2.0]])) == Bins(5, 0.0, 2.0)
    assert bins_of(np.linspace(-1, 1, 256).astype(np.float32)) == Bins(256, -1.0, 1.0)
    assert bins_of(np.random.default_rng(0).normal(size=(9, 3))) is None
    assert bins_of(np.array([0.0, 1.0, 2.5])) is None


def test_log_likelihoods_are_those_of_the_exact_law(float32):
    """For the exact denoiser in float32 within 2e-3 nats, in blocks of points and without a key."""
    law, interpolant = exact_law("grid"), theory.StraightLines()
    assert law is not None
    times = FlowTimes(0.1, 0.999)
    points = 0.9 * load("grid").points[:20]
    found, _ = log_probs(law.denoiser, interpolant, times, points, None)
    level = interpolant.level(jnp.float32(0.1))
    exact = jax.vmap(lambda x: law.log_prob(x, level))(jnp.asarray(points))
    np.testing.assert_allclose(found, np.asarray(exact), atol=2e-3)


def test_classes_of_a_folder_are_its_words(quick, tmp_path, float32):
    """Names of the subfolders, in the order of the labels."""
    from PIL import Image

    for name in ("heron", "crow"):
        (tmp_path / "birds" / name).mkdir(parents=True)
        for place in range(12):
            shade = 20 * place + (5 if name == "crow" else 0)
            Image.new("L", (8, 8), shade).save(tmp_path / "birds" / name / f"{place}.png")
    args = dataclasses.replace(TINY, data="birds", condition="class", prompt="heron", eval_size=3)
    _, data = diffusion.resolve(args)
    assert data.words == ["crow", "heron"]
    np.testing.assert_array_equal(data.asked(args, 3), [1, 1, 1])


def test_means_over_squares_are_of_images_with_and_without_channels():
    """Each is the mean of its pixels; a colour is seen by itself."""
    image = jnp.arange(16.0).reshape(4, 4)
    squares = restorations.Squares(models.Pooled(2))
    expected = np.asarray([[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_allclose(squares(image)[..., 0], expected)
    both = squares(jnp.stack([image, -image], axis=-1))
    np.testing.assert_allclose(both, np.stack([expected, -expected], axis=-1))


@pytest.mark.slow
def test_held_out_images_are_drawn_from_their_means(quick, tmp_path, float32):
    """By a model without classes; draws differ, and agree with the means better than noise does."""
    flags = {**FLAGS, "steps": 200, "eval_every": 200}
    run = diffusion.run(diffusion.Args(**flags, out=tmp_path / "run"))
    done = diffusion.run(diffusion.Args(run=run.folder, task="superresolve", sampling_steps=20))
    assert (tmp_path / "run/superresolve/superresolve.png").stat().st_size > 1000
    assert done.summary["l1_observed"] < 0.2
    assert done.summary["l1_spread"] > 0.01


@pytest.mark.slow
def test_the_default_run_makes_what_it_is_asked_for(tmp_path, float32, monkeypatch):
    """At least 95 % of guided samples get their label from a classifier that is right about 97 %;
    the line of JSON has the numbers."""
    monkeypatch.chdir(tmp_path)
    result = diffusion.run(diffusion.Args(condition="class", out=tmp_path / "run"))
    assert result.summary["classifier_accuracy"] > 0.97
    assert result.summary["label_accuracy"] >= 0.95
    summary = json.loads((tmp_path / "run/summary.json").read_text(encoding="utf-8"))
    assert summary["frechet_classifier"] < 4 * summary["frechet_classifier_of_real"]
