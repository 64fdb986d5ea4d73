"""recipes.tabular: reports with known answers, runs as a user meets them, wrong starts."""

import dataclasses
import json
import sys

import chex
import jax
import numpy as np
import pytest
from PIL import Image
from scipy import stats

import gameopt as go
from recipes import _data, tabular
from recipes._data import Column, Table
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._tabular.gan import TrainingTable
from recipes._tabular.metrics import (
    correlation_gap,
    correlations,
    held_out_accuracy,
    marginal_distances,
)
from recipes._tabular.reports import make_report, verdict

SMALL = tabular.Args(
    data="diabetes", steps=20, eval_every=10, log_every=5, batch_size=16, generator_width=16,
    discriminator_width=16, depth=1, latent_size=4, draws=2,
)  # fmt: skip
SHIFT, CORRELATION = 1.5, 0.6
WRONG = {
    "csv_gone": (["--csv", "gone.csv", "--label", "y"], ["gone.csv", "no such file"]),
    "no_label": (["--csv", "t.csv"], ["needs --label"]),
    "label_gone": (["--csv", "t.csv", "--label", "z"], ["--label z", "no such column"]),
    "label_alone": (["--label", "y"], ["--label is about a --csv file"]),
    "drop_alone": (["--drop", "a", "b"], ["--drop is about a --csv file"]),
    "nan": (["--csv", "nan.csv", "--label", "y"], ["the label y", "no value", "line 3"]),
    "data": (["--data", "cats"], ["cats", "wine"]),
    "bins": (["--label-bins", "1"], ["--label-bins must be at least 2"]),
    "draws": (["--draws", "1"], ["--draws must be at least 2"]),
    "batch": (["--batch-size", "0"], ["--batch-size must be at least 1"]),
    "penalty": (["--penalty-weights", "nan"], ["--penalty-weights must be 0 or more"]),
    "label_weight": (["--label-weight", "-1"], ["--label-weight must be 0 or more"]),
    "rate": (
        ["--discriminator-optimizer.learning-rate", "0"],
        ["--discriminator-optimizer.learning-rate"],
    ),
}


def small(tmp_path, name="run", **changes):
    return dataclasses.replace(SMALL, out=tmp_path / name, **changes)


def known_law(n, seed):
    """Two classes, equally frequent, normal with means of `SHIFT` to either side in two columns
    of correlation `CORRELATION` within a class; and a category that names the class 3 times of 4.
    """
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 2).astype(np.int32)
    covariance = [[1, CORRELATION], [CORRELATION, 1]]
    numbers = rng.multivariate_normal([0, 0], covariance, n) + SHIFT * (2 * labels[:, None] - 1)
    codes = np.where(rng.uniform(size=n) < 0.75, labels, 1 - labels)
    columns = (Column("a"), Column("b"), Column("c", ("no", "yes")))
    values = np.concatenate([numbers, codes[:, None]], axis=1)
    return Table("known", "drawn", columns, values, Column("y", ("low", "high")), labels)


def test_a_report_on_rows_of_the_same_law_finds_nothing(float32):
    """Independent real rows in the place of generated ones: every number is that of real rows.

    Each bound is 4.5 of the standard errors that the sizes imply: random seeds would fail one of
    the dozen bounds less than once in 10 000 times.
    """
    train, held_out = known_law(400, 0), known_law(100, 1)
    report = make_report(train, held_out, [known_law(400, seed) for seed in range(2, 7)], 0)
    numbers = report.numbers()
    for classifier in ("logistic_regression", "random_forest"):
        # Rows told differently by two classifiers of this law: less than a fifth of the 100.
        bound = 4.5 * np.sqrt(0.2 / 100)
        assert abs(numbers[classifier] - numbers[f"{classifier}_real"]) < bound
    assert numbers["majority_accuracy"] == 0.5
    # E W1 <= integral of sqrt(F (1 - F) (1/n + 1/m)) <= 1 deviation * sqrt(1/400 + 1/100), about.
    assert numbers["marginal_w1"] < 4.5 * np.sqrt(1 / 400 + 1 / 100)
    assert numbers["marginal_tv"] < 4.5 * 0.5 * np.sqrt(1 / 400 + 1 / 100)
    assert abs(numbers["coverage"] - (1 - 2.0**-5)) < 0.1, "lemma 2 of Naeem et al., large n"
    memory = report.memorisation
    np.testing.assert_allclose(memory.null.value, 0.8, atol=1e-6)
    assert abs(memory.deviations) < 4.5
    assert "are no nearer to training" in verdict(report)


def test_a_logistic_regression_reaches_the_best_accuracy_of_the_law(float32):
    """Bayes' rule is its model: a + b ± t > 0, with t = log 3 (1 + CORRELATION) / (2 SHIFT).

    Within 4.5 errors of 20 000 held-out rows, 0.006, which random seeds miss 7 times in a million,
    and 0.003 for the 400 rows that it learns from. Without the column b it would be 0.016 less.
    """
    train, held_out = known_law(400, 0), known_law(20_000, 1)
    features = _data.fit_encoding(train, "standard")
    t, deviation = np.log(3) * (1 + CORRELATION) / (2 * SHIFT), np.sqrt(2 * (1 + CORRELATION))
    ends = [0.75 * stats.norm.cdf((2 * SHIFT + t) / deviation)]
    ends += [0.25 * stats.norm.cdf((2 * SHIFT - t) / deviation)]
    found = held_out_accuracy(features, "logistic regression", train, held_out, 0)
    assert abs(found - sum(ends)) < 0.009


def test_copies_of_the_training_rows_are_found(float32):
    """Their share is 1 and their ratio 0, far above the null, and the verdict says so."""
    train, held_out = known_law(200, 0), known_law(50, 1)
    report = make_report(train, held_out, [train, train], 0)
    memory = report.memorisation
    assert memory.share == 1
    assert float(memory.ratio.value) == 0
    assert memory.deviations > 5
    assert "lean on the training rows" in verdict(report)
    numbers = report.numbers()
    assert numbers["marginal_w1"] == pytest.approx(numbers["marginal_w1_real"])
    assert numbers["correlation_difference"] == pytest.approx(
        numbers["correlation_difference_real"]
    )


def test_the_null_of_memorisation_is_that_of_drawing_others(float32):
    """Mean and deviation in closed form against 2000 stratified re-splits of the same rows.

    The mean of 2000 shares has an error of 1/45 of a deviation, and their deviation one of 1/63
    of itself: 4.5 of each, so that random seeds would fail once in 100 000 times.
    """
    pool, made = known_law(100, 3), known_law(60, 4)
    rng = np.random.default_rng(0)
    shares, memory = [], None
    features = _data.fit_encoding(pool, "standard")
    cloud, points = features.encode(pool), features.encode(made)
    nearest = np.linalg.norm(cloud[None] - points[:, None], axis=2).argmin(axis=1)
    for draw in range(2000):
        train, held_out = _data.hold_out_rows(pool, draw)
        chosen = np.zeros(100, bool)
        for label in (0, 1):
            places = np.flatnonzero(pool.labels == label)
            chosen[rng.permutation(places)[:40]] = True
        shares.append(chosen[nearest].mean())
        if memory is None:
            memory = make_report(train, held_out, [made, made], 0).memorisation
    assert memory is not None
    deviation = float(memory.null.standard_error)
    assert abs(np.mean(shares) - float(memory.null.value)) < 4.5 * deviation / np.sqrt(2000)
    assert abs(np.std(shares) / deviation - 1) < 4.5 / np.sqrt(2 * 2000)


def test_marginals_and_correlations_of_known_tables(float32):
    """A shift of a column is its W1, and moved categories their share; flips are correlations."""
    table = known_law(300, 0)
    features = _data.fit_encoding(table, "standard")
    moved = table.values + np.asarray([2.0, 0.0, 0.0])
    moved[:30, 2] = 1 - moved[:30, 2]
    change = np.abs(np.mean(moved[:, 2]) - np.mean(table.values[:, 2]))
    found = marginal_distances(features, table, dataclasses.replace(table, values=moved))
    expected = [2 / table.values[:, 0].std(), 0, change]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    matrix = correlations(features, table)
    np.testing.assert_allclose(matrix[:2, :2], np.corrcoef(table.values[:, :2].T), atol=1e-6)
    np.testing.assert_allclose(matrix[2, 3], -1, rtol=1e-6)
    flipped = dataclasses.replace(table, values=table.values * np.asarray([-1.0, 1, 1]))
    gap = correlation_gap(features, matrix, correlations(features, flipped))
    owners = np.asarray([0, 1, 2, 2, 3, 3])
    pairs = owners[:, None] != owners[None, :]
    expected = 2 * 2 * np.abs(matrix[0, 1:]).sum() / pairs.sum()
    np.testing.assert_allclose(gap, expected, rtol=1e-5)
    still = dataclasses.replace(table, values=table.values * np.asarray([0.0, 1, 1]))
    assert np.all(correlations(_data.fit_encoding(still, "standard"), still)[0] == 0)


def test_points_and_rows_are_inverse(float32):
    """Labels and categories exactly, and labels that are generated are those asked for."""
    data = TrainingTable(_data.load_table("diabetes", 3), 0, "normal_scores", 0.5)
    back = data.rows(data.points(data.train))
    np.testing.assert_array_equal(back.labels, data.train.labels)
    np.testing.assert_allclose(back.values, data.train.values, rtol=2e-6)
    players = data.networks(4, go.Players(8, 8), 1, jax.random.key(0))
    asked = np.asarray([2, 0, 1, 1, 2] * 9, np.int32)
    made = data.generate(players.x, data.latent(4), asked, jax.random.key(1))
    np.testing.assert_array_equal(made.labels, asked)
    assert set(made.values[:, 1]) <= {0.0, 1.0}
    low, high = data.train.values.min(axis=0), data.train.values.max(axis=0)
    assert np.all((made.values >= low) & (made.values <= high))


def test_a_run_leaves_everything_and_goes_on_to_the_same_bits(tmp_path, float32):
    """20 rounds at once; or 10, a stop, and 10 more: players, metrics and rows alike.

    With another file under the same name it does not go on, and nothing is lost.
    """
    path = tmp_path / "t.csv"
    _data.write_csv(known_law(60, 0), path)
    of_file = {"csv": path, "label": "y"}
    whole = tabular.run(small(tmp_path, "whole", **of_file))
    check_folder(whole, _data.load_csv(path, _data.Roles("y")))
    tabular.run(small(tmp_path, "parts", steps=10, **of_file))
    parsed = cli.parse(tabular.Args, ["--resume", str(tmp_path / "parts"), "--steps", "20"])
    resumed = tabular.run(parsed)
    chex.assert_trees_all_equal(go.playable(resumed.players), go.playable(whole.players))
    _data.write_csv(known_law(60, 1), path)
    with pytest.raises(UserError, match=r"began with other data than .*t\.csv"):
        tabular.run(parsed)
    for name in ("metrics.jsonl", "generated.csv", "report.md"):
        texts = [(tmp_path / run / name).read_text(encoding="utf-8") for run in ("whole", "parts")]
        assert texts[0] == texts[1], name


def check_folder(result, table):
    """Pictures that are not blank, a summary with the report's numbers, rows to be read again."""
    folder = result.folder
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["data"]["sha256"] == table.checksum()
    for name in ("marginals", "correlations", "curves", "over_time", "samples/00000020"):
        image = np.asarray(Image.open(folder / f"{name}.png").convert("L"))
        assert image.std() > 5, f"{name} is not blank"
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == cli.finite(
        result.summary
    )
    assert {"random_forest", "random_forest_real", "w1_exact"} <= result.summary.keys()
    report = (folder / "report.md").read_text(encoding="utf-8")
    assert "| a | W1 |" in report
    assert "| c | TV |" in report
    generated = _data.load_csv(folder / "generated.csv", _data.Roles("y"))
    assert [column.name for column in generated.columns] == ["a", "b", "c"]
    assert generated.label == table.label
    train, _ = _data.hold_out_rows(table, 0)
    np.testing.assert_array_equal(generated.counts(), train.counts())


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_start_is_one_line_and_changes_nothing(
    name, tmp_path, monkeypatch, capsys, float32, compilations
):
    """Status 2, before anything is compiled, nothing written."""
    argv, words = WRONG[name]
    monkeypatch.chdir(tmp_path)
    _data.write_csv(known_law(40, 0), tmp_path / "t.csv")
    (tmp_path / "nan.csv").write_text("x,y\n1,a\n2,NaN\n", encoding="utf-8")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["tabular", *argv])
    with pytest.raises(SystemExit) as stop:
        tabular.main()
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for word in words:
        assert word in error
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert compilations == []
