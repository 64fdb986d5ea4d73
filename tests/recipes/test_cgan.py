"""recipes.cgan: labels and images as conditions, what is judged, wrong flags."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from models import BatchNorm, Conv2d, GroupNorm, SpectralConv2d
from recipes import cgan
from recipes._data.training import judged_rows, most_judged
from recipes._gans.conditions import CONDITIONS, edges, left_half, low_resolution
from recipes._report import classifier
from recipes._report.classifier import Judging, class_numbers, nearest
from recipes._report.judge import SampleJudge
from recipes._report.latents import between, nearest_latents
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.run import RunFolder

FLAGS: dict[str, Any] = {
    "steps": 2, "eval_every": 2, "log_every": 1, "batch_size": 4, "width": 2, "latent_size": 3,
    "eval_size": 10, "metrics": False,
}  # fmt: skip
TINY = cgan.Args(**FLAGS)


@pytest.fixture
def quick_classifier(tmp_path, monkeypatch):
    """A classifier of few rounds, cached where the test is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(classifier, "MOST_ROUNDS", 10)


@pytest.mark.parametrize(
    "kind",
    [
        "projection",
        pytest.param("concatenation", marks=pytest.mark.slow),
        pytest.param("auxiliary", marks=pytest.mark.slow),
    ],
)
def test_a_run_by_labels_is_judged_by_a_classifier(kind, tmp_path, float32, quick_classifier):
    """200 images of each class are asked for, and the share of right ones is their mean."""
    result = cgan.run(dataclasses.replace(TINY, label_by=kind, out=tmp_path / "run"))
    assert 0 <= result.summary["label_accuracy"] <= 1
    for name in ("samples", "interpolations", "neighbours", "curves", "over_time"):
        assert (tmp_path / "run" / f"{name}.png").stat().st_size > 1000


@pytest.mark.parametrize(
    "condition",
    [pytest.param(name, marks=pytest.mark.slow) for name in ("left-half", "edges", "low-res")],
)
def test_a_run_from_images_is_judged_on_held_out_ones(condition, tmp_path, float32, monkeypatch):
    """Errors are those of images that were not trained on, beside a nearest neighbour's."""
    monkeypatch.chdir(tmp_path)
    result = cgan.run(dataclasses.replace(TINY, condition=condition, out=tmp_path / "run"))
    assert result.summary["l1_generated"] > 0
    assert 0 < result.summary["l1_nearest"] < 1
    assert (tmp_path / "run/samples.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("flags", "norms"),
    [
        ({}, {GroupNorm}),
        ({"generator_norm": "batch"}, {BatchNorm}),
        ({"discriminator_weights": "spectral", "generator_norm": "none"}, set()),
    ],
)
def test_networks_from_images_are_those_that_the_flags_ask_for(flags, norms, float32):
    """Instance normalisation if none is asked for; spectral convolutions if they are."""
    args, data = cgan.resolve(cgan.Args(**{**FLAGS, "condition": "low-res", **flags}))
    players = cgan.networks(args, data, jax.random.key(0))
    kinds = lambda network: {type(node) for node in parts_of(network)}
    assert kinds(players.x) & {GroupNorm, BatchNorm} == norms
    spectral = args.discriminator_weights == "spectral"
    assert (SpectralConv2d in kinds(players.y)) == spectral
    assert (Conv2d in kinds(players.y)) == (not spectral)


def parts_of(network):
    """Every layer, at any depth."""
    stop = lambda node: isinstance(node, GroupNorm | BatchNorm | Conv2d | SpectralConv2d)
    return jax.tree.leaves(network, is_leaf=stop)


WRONG = {
    "packing": (["--packing", "2"], "--packing: packs have no one condition"),
    "architecture": (["--architecture", "sngan"], "--architecture"),
    "weight": (["--reconstruction-weight", "-1"], "--reconstruction-weight must be 0 or more"),
    "labels": (["--data", "images.npy"], "has no labels"),
    "large": (["--batch-size", "1500"], "without its held-out fifth, 1438 images"),
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_wrong_flags_are_one_line(case, tmp_path, monkeypatch):
    """Before anything is compiled or written."""
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", np.zeros((100, 8, 8), np.float32))
    flags, message = WRONG[case]
    with pytest.raises(UserError) as error:
        cgan.run(cli.parse(cgan.Args, flags))
    assert message in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["images.npy"]


def test_conditions_are_made_of_the_image():
    """A half is known and says so; means are kept; a flat image has no edges, a step has one."""
    images = jax.random.uniform(jax.random.key(0), (3, 8, 8, 1), minval=-1)
    half = left_half(images)
    np.testing.assert_array_equal(half[:, :, :4, :1], images[:, :, :4])
    np.testing.assert_array_equal(half[:, :, 4:, 0], 0)
    np.testing.assert_array_equal(np.unique(half[..., 1]), [-1, 1])
    small = low_resolution(images)
    np.testing.assert_allclose(small.mean(axis=(1, 2)), images.mean(axis=(1, 2)), rtol=1e-12)
    assert (small[:, :2, :2] == small[:, :1, :1]).all()
    np.testing.assert_array_equal(edges(jnp.full((1, 6, 6, 1), 0.3)), -1)
    step = jnp.broadcast_to(jnp.where(jnp.arange(6) < 3, -1.0, 1.0), (1, 6, 6))
    np.testing.assert_array_equal(edges(step[..., None])[0, :, :, 0], [[-1, -1, 1, 1, -1, -1]] * 6)
    assert set(CONDITIONS) == {"edges", "left-half", "low-res"}


def test_a_linear_generator_is_inverted():
    """G(z) = z W reaches what is in the span of W, up to the weight on |z|^2; a normal latent has
    |z|^2 / d about 1, so that the error is at most a thousandth of a pixel's mean."""
    weight = jax.random.normal(jax.random.key(1), (3, 12))
    latents = jax.random.normal(jax.random.key(2), (4, 3))
    found = nearest_latents(lambda z: z @ weight, latents @ weight, 3, jax.random.key(3))
    assert float(found.errors.max()) < 1e-3
    np.testing.assert_allclose(found.latents, latents, atol=0.02)
    np.testing.assert_allclose(found.images, found.latents @ weight, rtol=1e-12)


def test_a_path_between_latents_turns_evenly():
    """Between orthogonal unit vectors all points are unit vectors, at equal angles; ends are met;
    parallel vectors are joined by a line."""
    path = between(jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0]), 5)
    angles = np.linspace(0, np.pi / 2, 5)
    np.testing.assert_allclose(path, np.stack([np.cos(angles), np.sin(angles)], 1), atol=1e-14)
    line = between(jnp.array([1.0, 0.0]), jnp.array([3.0, 0.0]), 3)
    np.testing.assert_allclose(line, [[1, 0], [2, 0], [3, 0]], atol=1e-14)


def test_class_numbers_of_a_classifier_that_is_known():
    """A classifier that reads the class from the first pixel: 3 of 4 right, all confident, the
    entropy of (1/2, 1/4, 1/4) over log 3."""
    classify = lambda image: 50.0 * jax.nn.one_hot(image[0].astype(int), 3)
    images = jnp.array([[0.0], [0.0], [1.0], [2.0]])
    judge = Judging(classify, 0.9, 0.8, 3)
    numbers = class_numbers(judge, images, jnp.array([0, 1, 1, 2]))
    assert numbers["label_accuracy"] == 0.75
    assert numbers["label_accuracy_by_class"] == [1.0, 0.5, 1.0]
    assert numbers["confident_share"] == 1.0
    entropy = -(0.5 * np.log(0.5) + 0.5 * np.log(0.25)) / np.log(3)
    np.testing.assert_allclose(numbers["class_entropy_share"], entropy, rtol=1e-12)


def test_nearest_is_by_distance():
    """Against all distances, written out."""
    left, right = (np.random.default_rng(i).normal(size=(n, 2, 3)) for i, n in ((0, 5), (1, 7)))
    squares = np.sum((left[:, None] - right[None]) ** 2, axis=(2, 3))
    found = nearest(jnp.asarray(left), jnp.asarray(right))
    np.testing.assert_array_equal(found, np.argmin(squares, axis=1))


@pytest.mark.parametrize(("count", "classes"), [(1438, 10), (11, 3), (40, 40), (9, 2), (200, 1)])
def test_the_other_rows_have_the_labels_of_the_real_ones(count, classes):
    """Place by place, and disjoint, at every size up to the largest; the real rows stay the same.

    Where no class is short of rows they are those that are chosen without labels.
    """
    labels = np.random.default_rng(count).integers(0, classes, count)
    most = most_judged(labels)
    for size in {1, most // 2, most} - {0}:
        rows = judged_rows(count, size, 3, labels)
        if most == 0:
            continue
        np.testing.assert_array_equal(labels[rows.real], labels[rows.other])
        assert len(rows.real) == len(rows.other) == size
        assert len({*rows.real, *rows.other}) == 2 * size
        assert not {*rows.rest} & {*rows.real, *rows.other}
    if classes <= 10 and count > 1000:
        plain = judged_rows(count, most // 2, 3)
        np.testing.assert_array_equal(judged_rows(count, most // 2, 3, labels).real, plain.real)


def test_what_is_shown_beside_the_samples_has_their_labels(tmp_path, float32):
    """The judge's other data, of which `w1_floor` is, and the samples: the same labels."""
    args, data = cgan.resolve(dataclasses.replace(TINY, eval_size=300))
    (tmp_path / "samples").mkdir()
    folder = RunFolder(tmp_path, resumed=False)
    sample = lambda players, conditions: jnp.zeros((args.eval_size, 8, 8))
    size, conditions = args.eval_size, data.conditions
    judge = SampleJudge(folder, data, size, 0, sample, conditions=conditions)
    flat = data.scaled.points.reshape(len(data.scaled.points), -1)
    place = {row.tobytes(): index for index, row in enumerate(flat)}
    others = np.asarray(judge.other).reshape(args.eval_size, -1)
    labels = data.conditions[[place[row.tobytes()] for row in others]]
    np.testing.assert_array_equal(labels, judge.conditions)


def test_no_text_calls_the_real_datas_distance_a_bound():
    """Blurred or shrunk samples can be nearer to data than other data are."""
    for path in sorted(Path(cgan.__file__).parent.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for claim in ("no generator passes", "expected to pass", '"floor', "pass the floor"):
            assert claim not in text, path.name
