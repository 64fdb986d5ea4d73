"""Parts of the recommender: splits, sparse rows, losses, the Bayes ranking, factorisation."""

import itertools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import sparse, special, stats

import gameopt as go
from recipes import recommender
from recipes._data.movielens import of_pairs, shape_of
from recipes._latent.elbo import timed
from recipes._recommender import data as parts
from recipes._recommender.baselines import MatrixFactorisation
from recipes._recommender.game import MultinomialGame, SparseRows, make_players
from recipes._recommender.judge import Judge
from recipes._recommender.low_rank import BayesRanking, LowRankLaw, draw_law
from recipes._runtime.errors import UserError

RNG = np.random.default_rng(0)


def ones(*rows):
    return sparse.csr_array(np.array(rows, np.float32))


def random_interactions(users=60, items=25, density=0.6):
    chosen = np.random.default_rng(1).random((users, items)) < density
    rows, columns = np.nonzero(chosen)
    return of_pairs(rows, columns, "random", "a test")


def test_held_out_users_are_in_no_part_twice():
    """Every user is in one part of three, and every item of a user in one half at most."""
    whole = random_interactions()
    # Each user has an item of its own, which says who a row is.
    own = sparse.csr_array(np.eye(60, dtype=np.float32))
    both = sparse.csr_array(sparse.hstack([own, whole.matrix]))
    found = parts.split(_with(whole, both), 12, 0)
    used = set(found.items.tolist())
    training = {item for item in used if item < 60}
    assert len(training) == 36
    assert shape_of(found.train)[0] == 36
    for part in (found.validation, found.test):
        known, wanted = part.fold_in.toarray(), part.held_out.toarray()
        assert not (known * wanted).any()
        # None of the items that a single user has is a held-out user's: they are training users'.
        names = found.items[np.flatnonzero((known + wanted).any(axis=0))]
        assert not set(names.tolist()) & training
    shared = found.items >= 60
    rows = [found.train, *(p.fold_in + p.held_out for p in (found.validation, found.test))]
    together = np.concatenate([part.toarray()[:, shared] for part in rows])
    by_row = lambda rows: sorted(map(tuple, rows.tolist()))
    assert by_row(together) == by_row(whole.matrix.toarray())


def _with(interactions, matrix):
    names = np.arange(matrix.shape[1])
    return type(interactions)(matrix, interactions.users, names, "random", "a test")


def test_a_fifth_of_a_users_items_is_held_out():
    """Rounded down, at random; none of fewer than 5, whose users are dropped and counted."""
    counts = [1, 4, 5, 9, 10, 25]
    matrix = ones(*(np.arange(30) < count for count in counts))
    known, wanted = parts.split_items(matrix, np.random.default_rng(0))
    np.testing.assert_array_equal(np.diff(wanted.indptr), [0, 0, 1, 1, 2, 5])
    np.testing.assert_array_equal((known + wanted).toarray(), matrix.toarray())
    assert not np.array_equal(wanted.toarray()[5], np.arange(30) >= 20)
    kept = parts._kept(known, wanted)
    assert kept.dropped == 2
    assert kept.users == shape_of(kept.held_out)[0] == 4


def test_every_item_is_held_out_equally_often():
    """Of 4000 users with the same 10 items, a share of 1/5 each, to 5 standard errors.

    By chance one of the ten is further off in less than one of 10^5 runs.
    """
    matrix = sparse.csr_array(np.ones((4000, 10), np.float32))
    _, wanted = parts.split_items(matrix, np.random.default_rng(3))
    shares = wanted.toarray().mean(axis=0)
    np.testing.assert_allclose(shares, 0.2, atol=5 * np.sqrt(0.2 * 0.8 / 4000))


def test_training_sees_nothing_of_held_out_users(float32):
    """The game is made without them."""
    args = recommender.Args(users=200, items=100)
    args, data = recommender.resolve(args)
    blind: parts.RecommenderData = data._replace(validation=None, test=None, law=None)  # pyright: ignore[reportArgumentType]
    game, players = recommender.set_up(args, data)
    assert eqx.tree_equal((game, players), recommender.set_up(args, blind))
    assert game.users.begins.shape == (shape_of(data.train)[0] + 1,)  # pyright: ignore[reportAttributeAccessIssue]


def test_sparse_rows_are_the_dense_ones(float32):
    """Empty rows, the last row, repeated rows; under jit and without."""
    dense = np.random.default_rng(0).random((7, 5)) < 0.4
    dense[2] = False
    rows = SparseRows.of(sparse.csr_array(dense.astype(np.float32)))
    assert rows.longest == dense.sum(axis=1).max()
    wanted = jnp.array([6, 2, 2, 0, 5])
    np.testing.assert_array_equal(rows(wanted), dense[np.asarray(wanted)])
    np.testing.assert_array_equal(eqx.filter_jit(rows)(wanted), dense[np.asarray(wanted)])
    nothing = SparseRows.of(sparse.csr_array(np.zeros((3, 5), np.float32)))
    np.testing.assert_array_equal(nothing(jnp.arange(3)), np.zeros((3, 5)))


def make_game(matrix, **changes):
    options: Any = {"batch_size": 6, "dropout": 0.0, "beta": 0.4}
    options |= {"anneal_steps": 4, "weight_penalty": 0.1}
    return MultinomialGame(SparseRows.of(matrix), **(options | changes))


MATRIX = sparse.csr_array((RNG.random((6, 9)) < 0.5).astype(np.float32))


def test_the_losses_are_their_formulas(float32):
    """Of one user, whom every batch is of: the likelihood by SciPy, the KL by its closed form."""
    row = np.array([1, 0, 1, 1, 0, 0, 0, 1, 0], np.float32)
    game = make_game(ones(row))
    players = make_players(("vae", "dae"), 9, 2, 4, 1, jax.random.key(0))
    # Without a decoder's slope by the latent there is no noise left in the likelihood.
    flat = eqx.tree_at(lambda p: p.x.networks["vae"].layers[0].weight, players, jnp.zeros((2, 4)))
    bias = jnp.linspace(-1, 2, 9)
    flat = eqx.tree_at(lambda p: p.x.networks["vae"].layers[1].bias, flat, bias)
    terms = game.terms(flat, jax.random.key(1))
    likelihood = -np.sum(row * special.log_softmax(np.asarray(bias)))
    np.testing.assert_allclose(terms["vae"].negative_log_likelihood, likelihood, rtol=1e-5)
    law = flat.y["vae"](jnp.asarray(row / 2))  # its length is 2
    mean, log_variance = np.asarray(law.mean), 2 * np.asarray(law.log_deviation)
    kl = 0.5 * np.sum(np.exp(log_variance) + mean**2 - 1 - log_variance)
    np.testing.assert_allclose(terms["vae"].kl, kl, rtol=1e-5)
    latent = players.y["dae"](jnp.asarray(row / 2))
    logits = np.asarray(players.x.networks["dae"](latent), float)
    plain = -np.sum(row * special.log_softmax(logits))
    np.testing.assert_allclose(terms["dae"].negative_log_likelihood, plain, rtol=1e-5)
    assert float(terms["dae"].kl) == 0
    squares = sum(
        float(jnp.sum(layer.weight**2))
        for network in (players.x.networks["dae"], players.y["dae"])
        for layer in network.layers
    )
    total = likelihood + plain + 0.1 / 6 * squares  # the KL has no weight in round 0
    np.testing.assert_allclose(game.loss(flat, jax.random.key(1)), total, rtol=1e-5)


def test_dropout_keeps_the_mean_and_sets_the_share_to_zero(float32):
    """Logits that are the first layer's input: 0, or 2 in place of 1/2 for a quarter of the items.

    The loss of 20 000 draws to 5 standard errors of a binomial number of twos: by chance further
    off in less than one of 10^6 runs.
    """
    game = make_game(ones([1, 1, 1, 1]), dropout=0.75, batch_size=20_000, weight_penalty=0.0)
    players = make_players(("dae",), 4, 4, 4, 1, jax.random.key(0))
    layers = lambda p: (p.y["dae"].layers[0].weight, p.x.networks["dae"].layers[0].weight)
    # So small that tanh is its own argument, to 10^-6 of it.
    players = eqx.tree_at(layers, players, (1e-3 * jnp.eye(4), 1e3 * jnp.eye(4)))
    twos = np.arange(5)
    each = 4 * np.log(4 - twos + np.e**2 * twos) - 2 * twos
    chances = stats.binom.pmf(twos, 4, 0.25)
    expected, square = chances @ each, chances @ each**2
    error = np.sqrt((square - expected**2) / 20_000)
    value = game.terms(players, jax.random.key(0))["dae"].negative_log_likelihood
    assert abs(float(value) - expected) < 5 * error


def test_the_weight_of_the_kl_grows_with_the_rounds(float32):
    """Linearly from 0, and no further than beta; the count is carried, and nobody plays it."""
    game = make_game(MATRIX)
    players = make_players(("vae",), 9, 2, 4, 1, jax.random.key(0))
    solver = timed(go.Simultaneous(go.Players(optax.sgd(0.01), optax.sgd(0.01))))
    record = lambda now: now.game.weight(now.players)
    found = go.rollout(game, solver, players, 6, key=jax.random.key(0), record=record)
    np.testing.assert_allclose(found.records, [0.1, 0.2, 0.3, 0.4, 0.4, 0.4], rtol=1e-6)
    assert int(found.players.x.round) == 6
    assert float(make_game(MATRIX, anneal_steps=0).weight(players)) == pytest.approx(0.4)


def test_each_model_plays_as_it_would_alone(float32):
    """The loss is a sum over models without a common parameter, and Adam goes entry by entry."""
    game = make_game(MATRIX, dropout=0.5)
    adam = optax.adam(0.01)
    solver = timed(go.Simultaneous(go.Players(adam, adam)))
    play = lambda names: (
        go.rollout(
            game,
            solver,
            make_players(names, 9, 2, 4, 1, jax.random.key(0)),
            5,
            key=jax.random.key(2),
        ).players
    )
    both = play(("vae", "dae"))
    for name in ("vae", "dae"):
        alone = play((name,))
        pairs = zip(
            jax.tree.leaves((both.x.networks[name], both.y[name])),
            jax.tree.leaves((alone.x.networks[name], alone.y[name])),
            strict=True,
        )
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_the_bayes_ranking_is_bayes_rule_over_all_held_out_sets():
    """The joint law of F and H, summed over every H and over the grid, item by item."""
    law = draw_law(6, np.random.default_rng(0))
    law = LowRankLaw(law.biases + 3, law.factors)
    ranking = BayesRanking(law, 0.25)
    likes = special.expit(law.log_odds(ranking.latents))
    prior = np.exp(-0.5 * np.sum(ranking.latents**2, axis=1))
    known = [1, 4]
    others = [i for i in range(6) if i not in known]
    total, expected = 0.0, np.zeros(6)
    for size in range(5):
        for wanted in itertools.combinations(others, size):
            chance = np.prod(0.8 * likes[:, known], axis=1)
            chance = chance * np.prod(0.2 * likes[:, list(wanted)], axis=1)
            rest = [i for i in others if i not in wanted]
            weight = np.sum(prior * chance * np.prod(1 - likes[:, rest], axis=1))
            total += weight
            expected[list(wanted)] += weight
    found = ranking.scores(ones(np.isin(np.arange(6), known)))[0]
    np.testing.assert_allclose(found[others], (expected / total)[others], rtol=1e-10)


def test_the_grid_is_fine_enough():
    """Twice as fine, the scores of drawn users change by less than 10^-5 of a probability."""
    data = parts.generated(400, 300, 40, 0)
    assert data.law is not None
    coarse, fine = (BayesRanking(data.law, h).scores(data.test.fold_in) for h in (0.2, 0.1))
    np.testing.assert_allclose(coarse, fine, atol=1e-5)


def test_no_other_ranking_beats_the_bayes_optimal_one():
    """Not that of the true latents' neighbours, nor of the likeliest latent, nor its own noise.

    Paired over 1000 users: by chance one is above by 3 standard errors in one of 700 runs.
    """
    data = parts.generated(3000, 200, 1000, 0)
    assert data.law is not None
    assert data.test.latents is not None
    law, judge, bayes = data.law, Judge(data.test), BayesRanking(data.law)
    best_scores = bayes.scores(data.test.fold_in)
    modes = bayes.latents[np.argmax(bayes.posterior(data.test.fold_in), axis=1)]
    others = {
        "the likeliest latent": law.log_odds(modes),
        "popularity": np.tile(law.biases, (len(modes), 1)),
        "noise": best_scores * np.exp(0.3 * RNG.normal(size=best_scores.shape)),
    }
    best = judge(lambda rows: best_scores[rows])
    for name, scores in others.items():
        difference = judge(lambda rows, scores=scores: scores[rows]).ndcg - best.ndcg
        assert difference.mean() < 3 * stats.sem(difference), name
    true_scores = law.log_odds(data.test.latents)
    truth = judge(lambda rows: true_scores[rows])
    assert truth.ndcg.mean() > best.ndcg.mean()  # it knows what no ranking can


def test_pieces_of_users_do_not_matter(monkeypatch):
    """Metrics of a piece at a time are those of all at once; the last piece begins again."""
    data = parts.generated(200, 100, 23, 0)
    scores = RNG.normal(size=(data.test.users, 100))
    score = lambda rows: scores[rows][:, : shape_of(data.train)[1]]
    whole = Judge(data.test)(score)
    monkeypatch.setattr("recipes._recommender.judge.PIECE", 5 * shape_of(data.train)[1])
    pieces = Judge(data.test)
    assert pieces.piece == 5
    for a, b in zip(whole, pieces(score), strict=True):
        np.testing.assert_array_equal(a, b)
    known = data.test.fold_in.toarray() > 0
    assert not np.take_along_axis(known, whole.top, axis=1)[:, :5].any()


def factorisation_game(train, confidence, regularization):
    """The squares of all entries, seen or not, with their confidences."""
    liked = jnp.asarray(train.toarray(), float)
    weights = jnp.where(liked > 0, confidence, 1.0)
    return go.identical_interest_game(
        lambda x, y: (
            jnp.sum(weights * (liked - x @ y.T) ** 2)
            + regularization * (jnp.sum(x**2) + jnp.sum(y**2))
        )
    )


TRAIN = sparse.csr_array((np.random.default_rng(4).random((40, 30)) < 0.3).astype(np.float32))
SETTING = {"factors": 4, "confidence": 6.0, "regularization": 0.7, "seed": 0}


def test_als_is_the_dense_least_squares_solution():
    """A held-out user's factors, and those of the items, solve their normal equations.

    In single precision, to 10^-3 of the largest.
    """
    fit = MatrixFactorisation(TRAIN, **SETTING)
    rows = sparse.csr_array((np.random.default_rng(5).random((7, 30)) < 0.3).astype(np.float32))
    for found, held, liked in (
        (fit.folded_in(rows), fit.items, rows.toarray()),
        (fit.items, fit.users, TRAIN.toarray().T),
    ):
        for factors, row in zip(found, liked, strict=True):
            weights = np.where(row > 0, 6.0, 1.0)
            matrix = held.T @ (weights[:, None] * held) + 0.7 * np.eye(4)
            solution = np.linalg.solve(matrix, held.T @ (weights * row))
            np.testing.assert_allclose(factors, solution, atol=1e-3 * np.abs(solution).max())


def test_als_are_alternating_best_answers():
    """The game's loss never rises, and the last to move, the items, cannot do better."""
    game = factorisation_game(TRAIN, 6.0, 0.7)
    losses, slopes = [], []
    for alternations in range(1, 9):
        fit = MatrixFactorisation(TRAIN, **SETTING, alternations=alternations)
        players = go.Players(jnp.asarray(fit.users, float), jnp.asarray(fit.items, float))
        loss, field = game.losses_and_field(players)
        losses.append(float(loss.x))
        slopes.append(float(jnp.linalg.norm(field.y)) / float(jnp.linalg.norm(players.y)))
    assert np.all(np.diff(losses) < 1e-6 * losses[0])
    assert losses[-1] < 0.99 * losses[0]
    assert max(slopes) < 1e-3


def test_too_few_users_are_refused():
    """With the numbers that there are."""
    with pytest.raises(UserError, match="fewer --held-out-users"):
        parts.generated(10, 5, parts.held_out_users(None, 10, "--users"), 0)
    lonely = of_pairs(np.arange(40), np.arange(40), "lonely", "a test")
    with pytest.raises(UserError, match="users for validation have held-out items"):
        parts.split(lonely, 5, 0)
