"""Recall@k and NDCG@k against enumeration of all orders, and against scikit-learn."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import ndcg_score

import theory

BOTH = pytest.mark.parametrize("metric", [theory.recall_at_k, theory.ndcg_at_k])


def gain(order, held_out, k, metric):
    """The metric of one ranking, item by item, as its definition is read."""
    hits = [rank for rank, item in enumerate(order, 1) if rank <= k and item in held_out]
    best = range(1, min(k, len(held_out)) + 1)
    if metric is theory.recall_at_k:
        return len(hits) / len(best)
    discount = lambda ranks: sum(1 / math.log2(rank + 1) for rank in ranks)
    return discount(hits) / discount(best)


def by_enumeration(scores, held_out, k, masked, metric):
    """The mean over all orders of the unmasked items in which no score is below the next."""
    items = [i for i in range(len(scores)) if not masked[i]]
    relevant = {i for i in items if held_out[i]}
    if not relevant:
        return np.nan
    orders = [
        order
        for order in itertools.permutations(items)
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    return np.mean([gain(order, relevant, k, metric) for order in orders])


@BOTH
@pytest.mark.parametrize("k", [1, 3, 50])
def test_it_is_the_mean_over_the_orders_of_ties(metric, k):
    """Six items, few distinct scores, any masks: rounding is all that differs."""
    rng = np.random.default_rng(k)
    scores = rng.integers(0, 3, (30, 6)).astype(float)
    scores[scores == 0] = rng.choice([0.0, -np.inf], (scores == 0).sum())
    held_out, masked = rng.random((30, 6)) < 0.4, rng.random((30, 6)) < 0.3
    expected = np.array(
        [
            by_enumeration(*row[:2], k, row[2], metric)
            for row in zip(scores, held_out, masked, strict=True)
        ]
    )
    assert np.isnan(expected).any()
    assert np.isfinite(expected).sum() > 15
    found = jax.jit(metric, static_argnums=2)(scores, held_out, k, masked)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 5, 100])
def test_ndcg_is_that_of_scikit_learn(k):
    """Nothing is masked; scikit-learn averages over ties too."""
    rng = np.random.default_rng(0)
    scores, held_out = rng.integers(0, 9, (30, 40)), rng.random((30, 40)) < 0.2
    held_out[:, 0] |= ~held_out.any(axis=1)
    expected = [ndcg_score([h], [s], k=k) for h, s in zip(held_out, scores, strict=True)]
    np.testing.assert_allclose(theory.ndcg_at_k(scores, held_out, k), expected, rtol=1e-12)


@BOTH
def test_a_constant_score_is_a_random_ranking(metric):
    """Its value is the mean over 20 000 random rankings, to 5 of their standard errors.

    By chance it is further off in less than one of 10^6 runs.
    """
    held_out = np.zeros((1, 30), bool)
    held_out[0, [3, 7, 20]] = True
    random = np.random.default_rng(1).random((20_000, 30))
    values = metric(random, np.broadcast_to(held_out, random.shape), 10)
    error = np.std(values) / math.sqrt(len(values))
    assert abs(metric(np.ones((1, 30)), held_out, 10)[0] - np.mean(values)) < 5 * error


@BOTH
def test_the_best_and_the_worst_ranking(metric):
    """1 when the held-out items come first, also where they are more or fewer than k; 0 last."""
    held_out = np.arange(8) < np.array([[1], [3], [7]])
    for k in (1, 3, 5, 8, 100):
        np.testing.assert_allclose(metric(held_out, held_out, k), 1, rtol=1e-15)
    assert metric(~held_out[:1], held_out[:1], 7)[0] == 0


@BOTH
def test_masked_items_do_not_matter(metric):
    """Not their scores, nor that they are held out: it is the metric of the other items."""
    rng = np.random.default_rng(2)
    scores, held_out = rng.normal(size=(20, 9)), rng.random((20, 9)) < 0.5
    masked = np.zeros((20, 9), bool)
    masked[:, [0, 4]] = True
    others = [1, 2, 3, 5, 6, 7, 8]
    expected = metric(scores[:, others], held_out[:, others], 3)
    for value in (0.0, 1e9, -np.inf, np.inf):
        hidden = np.where(masked, value, scores)
        np.testing.assert_array_equal(metric(hidden, held_out | masked, 3, masked), expected)
    assert np.isnan(metric(scores, held_out, 3, np.ones((20, 9)))).all()


@BOTH
def test_nan_of_a_user_is_of_that_user_alone(metric):
    """A NaN anywhere in the row, masked or not."""
    held_out = np.eye(3)
    for place in range(3):
        scores = jnp.ones((3, 3)).at[1, place].set(jnp.nan)
        found = np.asarray(metric(scores, held_out, 2, np.roll(held_out, 1, axis=1)))
        np.testing.assert_array_equal(np.isnan(found), [False, True, False])


@pytest.mark.parametrize(
    ("arrays", "k", "says"),
    [
        ((np.ones(3), np.ones(3)), 1, r"scores must have the shape \(users, items\)"),
        ((np.ones((2, 3)), np.ones((2, 4))), 1, "held_out must have the shape"),
        ((np.ones((2, 0)), np.ones((2, 0))), 1, "at least one"),
        ((np.ones((2, 3)), np.ones((2, 3))), 0, "k must be 1 or more"),
        ((np.ones((2, 3)), np.ones((2, 3))), 2.5, "k must be 1 or more"),
    ],
)
@BOTH
def test_wrong_shapes_and_numbers_are_refused(metric, arrays, k, says):
    """One clear line."""
    with pytest.raises(ValueError, match=says):
        metric(*arrays, k)
    with pytest.raises(ValueError, match="masked must have the shape"):
        metric(np.ones((2, 3)), np.ones((2, 3)), 1, np.ones((2, 2)))
