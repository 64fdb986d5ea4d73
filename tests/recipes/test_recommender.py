"""The recommender from flags to its table, resumed, read back, and against the Bayes optimum."""

import csv
import dataclasses
import json
import time
from typing import Any

import chex
import jax
import numpy as np
import pytest
from scipy import special, stats

import gameopt as go
import recipes
from recipes import recommender
from recipes._recommender import data as parts
from recipes._recommender.baselines import baselines
from recipes._recommender.judge import Judge
from recipes._recommender.low_rank import LowRankLaw, draw_law
from recipes._runtime import cli
from recipes._runtime.errors import UserError

SMALL: dict[str, Any] = {
    "steps": 40, "eval_every": 10, "log_every": 5, "batch_size": 32, "latent_size": 3, "width": 8,
    "anneal_steps": 20, "als_factors": (2,), "als_confidences": (4.0,),
}  # fmt: skip
TINY = recommender.Args(users=300, items=80, **SMALL)


def rows_of(folder):
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def write_ratings(folder, users, items, count, seed=0):
    """Ratings of low-rank users as a u.data file: the likeliest pairs, in a random order."""
    rng = np.random.default_rng(seed)
    law = draw_law(items, rng)
    latents = rng.normal(size=(users, 2))
    odds = LowRankLaw(law.biases, law.factors).log_odds(latents) + rng.normal(size=(users, 1))
    place = (odds + rng.gumbel(size=odds.shape)).ravel()
    pairs = rng.permutation(np.argsort(place)[-count:])
    rows, columns = np.divmod(pairs, items)
    spread = odds[rows, columns] - np.median(odds[rows, columns])
    ratings = 1 + rng.binomial(4, special.expit(0.8 + 0.5 * spread))
    table = np.column_stack([rows + 1, columns + 1, ratings, 881_250_949 + np.arange(count)])
    folder.mkdir(exist_ok=True)
    np.savetxt(folder / "u.data", table, fmt="%d", delimiter="\t")
    return folder


@pytest.mark.slow
def test_it_resumes_to_the_same_bits_and_is_read_back(tmp_path, float32):
    """Half a run and the rest are a whole run; its users are made up from its folder alone."""
    whole = recommender.run(dataclasses.replace(TINY, out=tmp_path / "whole"))
    half = recommender.run(dataclasses.replace(TINY, out=tmp_path / "half", steps=20))
    resumed = cli.parse(recommender.Args, ["--resume", str(half.folder), "--steps", "40"])
    chex.assert_trees_all_equal(
        go.playable(recommender.run(resumed).players), go.playable(whole.players)
    )
    for name in ("metrics.jsonl", "recommendations.csv", "table.md"):
        assert (half.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    run = recipes.load_run(whole.folder)
    assert run.round == int(run.players.x.round) == 40
    made_up = run.sample(jax.random.key(0), 50)
    assert len(made_up) == 50
    sizes = set(np.diff(run.data.train.indptr).tolist())
    for items in made_up:
        assert len(set(items.tolist())) == len(items)
        assert len(items) in sizes
        assert set(items.tolist()) <= set(run.data.items.tolist())
    for name in ("curves.png", "rankings.png", "latents.png", "summary.json"):
        assert (whole.folder / name).stat().st_size > 500


def test_the_best_rounds_are_judged_on_the_test_users(tmp_path, float32):
    """Rounds by the validation users alone; the numbers again, from the players that came back.

    With 200 rounds Mult-VAE is above popularity by a third, and no ranking above the optimum by 3
    paired standard errors, which chance does in one of 700 runs.
    """
    larger = {"steps": 200, "eval_every": 50, "batch_size": 100, "width": 32, "learning_rate": 3e-3}
    args = recommender.Args(users=2000, items=150, **{**SMALL, **larger})
    result = recommender.run(dataclasses.replace(args, out=tmp_path / "run"))
    evaluations = [row for row in rows_of(result.folder) if row["kind"] == "eval"]
    _, data = recommender.resolve(args)
    judge = Judge(data.test)
    assert data.bayes is not None
    optimum = data.bayes.scores(data.test.fold_in)
    best = judge(lambda rows: optimum[rows]).ndcg
    for name, label in (("vae", "Mult-VAE"), ("dae", "Mult-DAE")):
        scores = {row["round"]: row[f"{name}_validation_ndcg_100"] for row in evaluations}
        assert result.summary["best_rounds"][name] == max(scores, key=scores.__getitem__)
        networks = result.players.x.networks[name], result.players.y[name]
        measured = judge.of_model(*networks)
        assert result.summary["test"][label] == pytest.approx(measured.means(), abs=1e-5)
        difference = measured.ndcg - best
        assert difference.mean() < 3 * stats.sem(difference)
    test, shares = result.summary["test"], result.summary["share_of_optimum"]
    assert [name.partition(",")[0] for name in test] == [
        "popularity", "ALS", "Mult-DAE", "Mult-VAE", "Bayes-optimal",
    ]  # fmt: skip
    assert 1.33 * shares["popularity"] < shares["Mult-VAE"]
    assert shares["Bayes-optimal"] == 1
    with (result.folder / "recommendations.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["test_user"] == "0"]
    items = [int(row["item"]) for row in rows if row["model"] == "Mult-VAE"]
    assert len(set(items)) == 10
    assert not set(items) & set(data.items[data.test.fold_in[[0]].indices].tolist())


def test_a_file_of_ratings_is_learned_from(tmp_path, float32):
    """One model, without a law: no optimum in the table, and the file's own names of items."""
    folder = write_ratings(tmp_path / "ml", 120, 60, 3000)
    args = recommender.Args(
        data="movielens", data_dir=folder, models=("dae",), out=tmp_path / "run", **SMALL
    )
    result = recommender.run(args)
    assert "share_of_optimum" not in result.summary
    assert list(result.summary["test"])[-1] == "Mult-DAE"
    table = (result.folder / "table.md").read_text(encoding="utf-8")
    assert "Bayes" not in table
    assert "Mult-VAE" not in table
    config = json.loads((result.folder / "config.json").read_text(encoding="utf-8"))
    assert (
        config["data"]["train_users"] + 2 * (config["data"]["users"] // 10)
        == (config["data"]["users"])
    )
    run = recipes.load_run(result.folder)
    with pytest.raises(UserError, match="no prior"):
        run.sample(jax.random.key(0), 2)
    other = write_ratings(tmp_path / "other", 120, 60, 3000, seed=1)
    with pytest.raises(UserError, match="trained on other data"):
        recipes.load_run(result.folder, data_dir=other)


def test_the_published_protocol_is_a_preset():
    """Sizes of Liang et al. (2018), section 4, and what follows from the ratings of ML-20M."""
    args = cli.parse(recommender.Args, ["--preset", "ml-20m", "--data-dir", "ml-20m"])
    assert (args.data, args.liked_above, args.fewest_items) == ("movielens", 3.5, 5)
    assert (args.width, args.latent_size, args.depth, args.dropout) == (600, 200, 1, 0.5)
    assert (args.batch_size, args.learning_rate) == (500, 1e-3)
    # 136 677 users are left, of whom 10 000 each are held out: 234 batches in each of 200 epochs.
    users = 136_677
    held_out = parts.held_out_users(args.held_out_users, users, "users")
    assert held_out == 10_000
    assert args.steps == 200 * -(-(users - 2 * held_out) // args.batch_size)
    # The published weight is round / 200 000, and at most 0.2.
    assert args.beta / args.anneal_steps == pytest.approx(1 / 200_000)
    found = cli.parse(recommender.Args, ["--preset", "ml-20m", "--beta", "1", "--data-dir", "x"])
    assert (found.beta, found.width) == (1.0, 600)


@pytest.mark.slow
def test_mult_vae_is_within_five_percent_of_the_optimum(tmp_path, float32):
    """With the defaults; above popularity and the best factorisation by 3 paired errors."""
    result = recommender.run(recommender.Args(out=tmp_path / "run"))
    shares = result.summary["share_of_optimum"]
    assert 0.95 < shares["Mult-VAE"] < 1.01
    _, data = recommender.resolve(recommender.Args())
    judge = Judge(data.test)
    vae = judge.of_model(result.players.x.networks["vae"], result.players.y["vae"])
    others = baselines(recommender.Args(), data, Judge(data.validation))
    for other in others[:2]:
        difference = vae.ndcg - judge(other.scores(data.test)).ndcg
        assert difference.mean() > 3 * stats.sem(difference), other.name


@pytest.mark.slow
def test_a_hundred_thousand_ratings_take_less_than_a_minute(tmp_path, float32):
    """As many users, items and ratings as MovieLens 100K has, in its format, from file to table.

    A minute of all processors together: on an idle machine it takes no longer than that.
    """
    folder = write_ratings(tmp_path / "ml", 943, 1682, 100_000)
    begin = time.process_time()
    result = recommender.run(
        recommender.Args(data="movielens", data_dir=folder, out=tmp_path / "run")
    )
    assert time.process_time() - begin < 60
    test = result.summary["test"]
    assert test["Mult-VAE"]["ndcg_100"] > 1.5 * test["popularity"]["ndcg_100"]
