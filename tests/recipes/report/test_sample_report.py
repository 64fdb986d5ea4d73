"""Metrics of samples beside those of real data, the features they are taken in, the classifier."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recipes import _data
from recipes._report import classifier
from recipes._report.classifier import trained_classifier
from recipes._report.sample_metrics import (
    features_of,
    headline,
    random_network,
    raw,
    sample_report,
    write_report,
)

pytestmark = pytest.mark.usefixtures("float32")


def clouds(count, n=60, shape=(3, 2)):
    keys = jax.random.split(jax.random.key(0), count)
    return [jax.random.normal(key, (n, *shape)) for key in keys]


def test_a_shift_is_its_square_and_a_copy_has_no_distance():
    """Fréchet of a shifted copy is |s|^2 exactly; a training point's ratio is 0."""
    real, other, rest = clouds(3)
    shift = jnp.full((1, 3, 2), 0.5)
    report = sample_report(real, other, real + shift, rest, {"raw": raw})
    np.testing.assert_allclose(report.generated["Fréchet distance, raw"], 6 * 0.25, rtol=1e-4)
    copied = sample_report(real, other, rest, rest, {"raw": raw})
    assert copied.generated["nearest-neighbour ratio"] == 0
    assert copied.real["nearest-neighbour ratio"] > 0.5
    same = sample_report(real, real, real, rest, {"raw": raw})
    assert same.generated["precision, raw"] == same.generated["coverage, raw"] == 1
    np.testing.assert_allclose(same.generated["Fréchet distance, raw"], 0, atol=1e-4)


def test_the_table_has_a_row_for_each_metric_and_space(tmp_path):
    """And the summary is of the last space."""
    real, other, generated, rest = clouds(4)
    spaces = {"raw": raw, "random network": random_network((3, 2))}
    report = sample_report(real, other, generated, rest, spaces)
    write_report(report, tmp_path / "metrics.md")
    text = (tmp_path / "metrics.md").read_text(encoding="utf-8")
    assert text.count("\n|") == 2 + 2 * 7 + 1
    assert "against 60 real ones" in text
    numbers = headline(report)
    found = report.generated["Fréchet distance, random network"]
    assert numbers["frechet_random_network"] == found
    assert len(numbers) == 2


def test_features_fit_the_data(tmp_path):
    """Points in the plane have no learned features, images with labels all."""
    assert list(features_of(_data.load("ring"), tmp_path)) == ["raw"]
    digits = _data.load("digits")
    spaces = features_of(digits, tmp_path)
    assert list(spaces) == ["raw", "random network", "classifier"]
    points = jnp.asarray(digits.points[:5])
    shapes = [spaces[name](points).shape for name in spaces]
    assert shapes == [(5, 64), (5, 128), (5, classifier.WIDTH)]


def test_a_classifier_is_good_and_trained_once(tmp_path, monkeypatch):
    """Right about 95 % of held-out digits or more; taken from the cache, unless it is damaged."""
    train, held_out, classes = _data.load_labelled("digits")
    first = trained_classifier(train, held_out, classes, tmp_path)
    assert first.accuracy > 0.95
    assert classes == 10
    train_again = classifier._train
    monkeypatch.setattr(classifier, "_train", lambda *args: pytest.fail("trained again"))
    again = trained_classifier(train, held_out, classes, tmp_path)
    assert again.accuracy == first.accuracy
    monkeypatch.setattr(classifier, "_train", train_again)
    next(tmp_path.rglob("manifest.json")).write_text("{")
    mended = trained_classifier(train, held_out, classes, tmp_path)
    assert mended.accuracy == first.accuracy
    assert len(list(tmp_path.iterdir())) == 1
