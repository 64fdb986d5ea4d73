"""recipes.autoencoder: corruptions, exact baselines, PCA from a linear network, and runs."""

import dataclasses
import json
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import recipes
import theory
from recipes import autoencoder
from recipes._autoencoder.baselines import (
    best_threshold,
    fitted_gaussian,
    iou,
    pca,
    posterior_means,
)
from recipes._autoencoder.codes import corrupted, fitted_law
from recipes._autoencoder.game import Autoencoding
from recipes._autoencoder.segmentation import CONTRAST, _ink, paste, photographs
from recipes._autoencoder.tasks import Corruption, Downsample, Hole, Noise, each
from recipes._data import hold_out, load
from recipes._runtime import cli
from recipes._runtime.errors import UserError

TINY = autoencoder.Args(
    steps=20, eval_every=10, log_every=5, batch_size=16, eval_size=24, width=4, depth=1,
    latent_size=3, metrics=False,
)  # fmt: skip
COLOURED = (8, 6, 3)
CORRUPTIONS = {
    "noise": Noise((8, 8), 0.5),
    "hole": Hole((8, 8), 4),
    "hole_of_colours": Hole(COLOURED, 3),
    "downsample": Downsample((8, 8), 2),
    "downsample_of_colours": Downsample(COLOURED, 2),
    "none": Corruption((8, 8)),
}


def tiny(tmp_path, **changes):
    return dataclasses.replace(TINY, out=tmp_path / "run", **changes)


@pytest.fixture(scope="module")
def digits():
    """Training and held-out digits, shape `(n, 8, 8)`."""
    train, held_out = hold_out(load("digits"))
    return train.points, held_out.points


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_is_known_is_put_back_by_a_projection(name, float32):
    """Of any output: twice is once, the truth stays, and no output comes further from the truth.

    The corruption of what comes out is the input again, but for noise.
    """
    corruption = CORRUPTIONS[name]
    rng = np.random.default_rng(0)
    image, output = rng.uniform(-1, 1, (2, *corruption.shape)).astype(np.float32)
    key = jax.random.key(0)
    seen = corruption(jnp.asarray(image), key)
    assert seen.shape == corruption.seen_shape
    assert corruption.picture(seen).shape == corruption.shape
    kept = corruption.keep(seen, jnp.asarray(output))
    np.testing.assert_allclose(corruption.keep(seen, kept), kept, atol=1e-6)
    np.testing.assert_allclose(corruption.keep(seen, jnp.asarray(image)), image, atol=1e-6)
    assert np.sum((kept - image) ** 2) <= np.sum((output - image) ** 2) + 1e-5
    if name not in ("noise", "none"):
        np.testing.assert_allclose(corruption(kept, key), seen, atol=1e-6)


def test_holes_lie_within_and_reach_everywhere(float32):
    """Every hole has all of its pixels in the image, and every pixel is in some hole."""
    for shape, size in (((8, 8), 4), ((9, 7), 3), ((5, 5), 1), ((28, 28), 27)):
        hole = Hole(shape, size)
        images = jnp.ones((300, *shape))
        seen = np.asarray(corrupted(hole, images, jax.random.key(0)))
        hidden = seen[..., -1] < 0
        assert (hidden.sum(axis=(1, 2)) == size**2).all()
        assert hidden.any(axis=0).all()
        np.testing.assert_array_equal(seen[..., 0], np.where(hidden, 0, 1))
        assert len(np.unique(hidden, axis=0)) == len(hole.corners())


def test_posterior_means_are_least_squares_regressions(digits, float32):
    """Of the images that the moments are of: E(x | y) is the affine map with the least error.

    Regression of pixels on the means over squares finds the same map from the same images, without
    a covariance; single precision leaves 1e-4. The mean image's error is larger by half.
    """
    train, _ = digits
    corruption = Downsample((8, 8), 2)
    flat = train.reshape(len(train), -1)
    moments = theory.moments(flat)
    seen = np.asarray(corrupted(corruption, jnp.asarray(train), jax.random.key(0)))
    found = posterior_means(corruption, moments, seen).reshape(flat.shape)
    small = each(corruption.small, seen).reshape(len(train), -1)
    inputs = np.concatenate([small, np.ones_like(small[:, :1])], axis=1).astype(float)
    fit, *_ = np.linalg.lstsq(inputs, flat.astype(float), rcond=None)
    np.testing.assert_allclose(found, inputs @ fit, atol=5e-3)
    error = lambda answer: np.mean((answer - flat) ** 2)
    assert abs(error(found) / error(inputs @ fit) - 1) < 1e-4
    assert error(found) < 0.5 * error(flat.mean(axis=0))


def test_the_conditional_mean_of_a_hole_is_the_block_formula(digits, float32):
    """m_u + C_uo C_oo^-1 (x_o - m_o) for each image's own hole; what is known stays."""
    train, held_out = digits
    hole = Hole((8, 8), 4)
    gaussian = fitted_gaussian(train)
    mean, cov = (np.asarray(part, float) for part in gaussian)
    seen = np.asarray(corrupted(hole, jnp.asarray(held_out[:20]), jax.random.key(1)))
    found = posterior_means(hole, gaussian, seen)
    for image, one, answer in zip(held_out, seen, found, strict=False):
        o = one[..., -1].reshape(-1) > 0
        u = ~o
        gain = cov[np.ix_(u, o)] @ np.linalg.inv(cov[np.ix_(o, o)])
        expected = mean[u] + gain @ (image.reshape(-1)[o] - mean[o])
        np.testing.assert_allclose(answer.reshape(-1)[u], expected, atol=2e-3)
        np.testing.assert_allclose(answer.reshape(-1)[o], image.reshape(-1)[o], atol=2e-3)


def test_the_wiener_filter_is_the_ridge_formula(digits, float32):
    """(C + s^2 I)^-1 C on noisy digits, which halves the error of the input at s = 0.5."""
    train, held_out = digits
    noise = Noise((8, 8), 0.5)
    gaussian = fitted_gaussian(train)
    mean, cov = (np.asarray(part, float) for part in gaussian)
    seen = np.asarray(corrupted(noise, jnp.asarray(held_out), jax.random.key(1)))
    found = posterior_means(noise, gaussian, seen).reshape(len(seen), -1)
    shrunk = np.linalg.solve(cov + 0.25 * np.eye(64), cov)
    expected = mean + (seen.reshape(len(seen), -1) - mean) @ shrunk
    np.testing.assert_allclose(found, expected, atol=1e-4)
    error = lambda answer: np.mean((answer.reshape(held_out.shape) - held_out) ** 2)
    assert error(found) < 0.5 * error(seen)


def test_a_linear_autoencoder_reaches_pca(tmp_path, digits, float32):
    """Full batches of an affine decoder and encoder: the minimum is PCA's error, to 0.1 %.

    No affine pair of 8 numbers has less, which holds to the rounding of single precision; and the
    decoder's columns span PCA's subspace, so that the projections agree to a few per cent.
    """
    train, _ = digits
    found = autoencoder.run(
        autoencoder.Args(
            depth=0, latent_size=8, batch_size=len(train), steps=2000, eval_every=2000,
            eval_size=24, metrics=False, out=tmp_path / "run",
            optimizer=dataclasses.replace(autoencoder.Args().optimizer, learning_rate=0.03),
        )
    ).players  # fmt: skip
    restored = jax.vmap(lambda image: found.x(found.y(image)))(jnp.asarray(train))
    best = pca(train, train, 8)
    error = lambda answer: np.mean((np.asarray(answer, float) - train) ** 2)
    assert 1 - 1e-5 < error(restored) / error(best) < 1.001
    assert np.mean((restored - best) ** 2) < 0.02 * error(best)


def test_a_batch_as_large_as_the_data_is_the_data(digits, float32):
    """Whatever the key; smaller batches depend on it, and their loss is that of their mean."""
    args = dataclasses.replace(TINY, batch_size=1438)
    resolved, data = autoencoder.resolve(args)
    game, players = autoencoder.set_up(resolved, data)
    losses = [float(game.losses(players, jax.random.key(seed)).x) for seed in range(2)]
    train, _ = digits
    restored = jax.vmap(lambda image: players.x(players.y(image)))(jnp.asarray(train))
    np.testing.assert_allclose(losses, np.mean((restored - train) ** 2), rtol=1e-5)
    assert isinstance(game, Autoencoding)
    small = dataclasses.replace(game, batch_size=8)
    first, second = (float(small.losses(players, jax.random.key(s)).x) for s in range(2))
    assert first != second


def test_draws_have_the_moments_of_the_codes(digits, float32):
    """R R^T is the covariance of the codes and the mean is theirs, for any encoder."""
    train, _ = digits
    resolved, data = autoencoder.resolve(TINY)
    _, players = autoencoder.set_up(resolved, data)
    law = fitted_law(players, Corruption((8, 8)), train, jax.random.key(0))
    codes = np.asarray(jax.vmap(players.y)(jnp.asarray(train)))
    np.testing.assert_allclose(law.mean, codes.mean(axis=0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        law.root @ law.root.T, np.cov(codes, rowvar=False), rtol=1e-3, atol=1e-3
    )


def test_scenes_show_what_their_masks_say(digits):
    """Well within a digit a scene differs from its ground's mean by `CONTRAST`, brighter or darker.

    Grounds to train on and held out have no pixel of a photograph in common.
    """
    train, _ = digits
    whole = np.ones((1, 8, 8), np.float32)  # opaque everywhere
    scenes = paste(whole, photographs(held_out=False), 40, np.random.default_rng(0))
    assert scenes.images.shape == scenes.masks.shape == (40, 16, 16)
    assert np.abs(scenes.images).max() <= 1
    signs = set()
    for image, mask in zip(scenes.images, scenes.masks > 0, strict=True):
        assert mask.sum() in [n**2 for n in range(7, 13)]
        assert np.ptp(image[mask]) < 1e-6
        signs.add(bool(image[mask].mean() > image[~mask].mean()))
    assert signs == {False, True}
    for left, right in zip(photographs(False), photographs(True), strict=True):
        assert left.width + right.width == 640
    draw = lambda: paste(train[:5], photographs(False), 7, np.random.default_rng(0))
    np.testing.assert_array_equal(draw().images, draw().images)
    assert set(np.unique(draw().masks)) == {0.0, 1.0}


@pytest.mark.parametrize("ground", [-1.0, -0.3, 0.2, 1.0])
def test_what_is_pasted_is_seen(ground):
    """Its brightness is uniform over what is `CONTRAST` or more from the ground's, in [-1, 1]."""
    rng = np.random.default_rng(0)
    inks = np.array([_ink(ground, rng) for _ in range(500)])
    assert np.abs(inks).max() <= 1
    assert np.abs(inks - ground).min() >= CONTRAST - 1e-12
    low, high = max(0.0, ground - CONTRAST + 1), max(0.0, 1 - ground - CONTRAST)
    # 500 draws: 4.5 standard errors of a share, which fail by chance once in 10^5 seeds.
    assert abs((inks < ground).mean() - low / (low + high)) <= 4.5 * 0.5 / 500**0.5


def test_iou_and_the_threshold_of_masks_that_are_thresholds():
    """Equal masks 1, disjoint ones 0, halves of each other 1/2; a true border is found."""
    mask = np.zeros((2, 4, 4), bool)
    mask[:, :2] = True
    half = mask.copy()
    half[:, 1] = False
    assert iou(mask, mask).tolist() == [1, 1]
    assert iou(mask, ~mask).tolist() == [0, 0]
    assert iou(mask, half).tolist() == [0.5, 0.5]
    assert iou(mask & False, mask & False).tolist() == [1, 1]
    images = np.random.default_rng(0).uniform(-1, 1, (5, 8, 8))
    found = best_threshold(images, (images > 0.25).astype(float))
    assert abs(found - 0.25) <= 0.05


RUNS: dict[str, dict[str, Any]] = {
    "inpaint": {"kind": "conv", "task": "inpaint"},
    "denoise": {"kind": "conv", "task": "denoise", "skips": True},
    "segment": {"task": "segment"},
}


@pytest.mark.parametrize("name", RUNS)
def test_every_task_runs_and_leaves_its_pictures(name, tmp_path, float32):
    """Pictures, a table with the baseline first after the autoencoder's rows, and a summary."""
    result = autoencoder.run(tiny(tmp_path, **RUNS[name]))
    for file in ("held_out.png", "curves.png", "over_time.png", "table.md"):
        assert (result.folder / file).stat().st_size > 150
    assert (result.folder / "codes.png").exists() != RUNS[name].get("skips", False)
    table = (result.folder / "table.md").read_text(encoding="utf-8")
    assert result.summary["reference_is"] in table
    lines = (result.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    last = [json.loads(line) for line in lines if '"eval"' in line][-1]
    if name in ("denoise", "segment"):
        assert "error_kept" not in last
    else:
        assert last["error_kept"] < last["error"]
    row = next(line for line in table.splitlines() if line.startswith("| autoencoder |"))
    shown = float(row.split("|")[2])
    assert shown == pytest.approx(last["iou" if name == "segment" else "error"], rel=1e-3)


@pytest.mark.slow
def test_it_resumes_to_the_same_bits_and_is_read_back(tmp_path, float32):
    """Half a run and the rest are a whole run; samples are a function of the key."""
    whole = autoencoder.run(dataclasses.replace(TINY, out=tmp_path / "whole"))
    half = autoencoder.run(dataclasses.replace(TINY, out=tmp_path / "half", steps=10))
    resumed = cli.parse(autoencoder.Args, ["--resume", str(half.folder), "--steps", "20"])
    chex.assert_trees_all_equal(
        go.playable(autoencoder.run(resumed).players), go.playable(whole.players)
    )
    lines = (half.folder / "metrics.jsonl").read_bytes()
    assert lines == (whole.folder / "metrics.jsonl").read_bytes()
    run = recipes.load_run(whole.folder)
    images = run.sample(jax.random.key(0), 5)
    assert images.shape == (5, 8, 8)
    np.testing.assert_array_equal(images, run.sample(jax.random.key(0), 5))


def test_flags_of_another_task_and_what_has_no_codes_are_refused():
    """Defaults are filled in for the task alone, and again give themselves."""
    args, data = autoencoder.resolve(dataclasses.replace(TINY, task="inpaint"))
    assert (args.hole, args.noise, args.factor) == (4, None, None)
    assert autoencoder.resolve(args)[0] == args
    with pytest.raises(UserError, match="--hole is for --task inpaint"):
        autoencoder.resolve(dataclasses.replace(args, task="denoise"))
    assert autoencoder.Args(kind="conv").width == 32
    assert cli.parse(autoencoder.Args, ["--preset", "mnist"]).latent_size == 32
    skips = dataclasses.replace(TINY, kind="conv", task="denoise", skips=True)
    with pytest.raises(UserError, match="no codes"):
        autoencoder.sample(skips, data, go.Players(None, None), jax.random.key(0), 1)
