"""Ranking metrics of recommenders: recall@k and NDCG@k, averaged over the orders of ties."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Count, as_count, floats
from theory._numeric import nan_unless


def recall_at_k(
    scores: ArrayInput, held_out: ArrayInput, k: Count, masked: ArrayInput | None = None
) -> Float[Array, " users"]:
    r"""Recall@k of each user: held-out items among the first $k$, over $\min(k, |H|)$.

    See `ndcg_at_k` for the arguments, ties, and users without held-out items.

    !!! cite "Source"

        Liang et al. (2018), arXiv:1802.05814, section 4.2.
    """
    scores, held_out, masked, k = _inputs(scores, held_out, masked, k)
    return _share_of_ideal(scores, held_out, masked, _first(k, scores))


def ndcg_at_k(
    scores: ArrayInput, held_out: ArrayInput, k: Count, masked: ArrayInput | None = None
) -> Float[Array, " users"]:
    r"""Truncated normalised discounted cumulative gain, NDCG@k, of each user.

    $\mathrm{DCG@}k = \sum_{r \le k} 1[\omega(r) \in H] / \log_2(r + 1)$ for the item $\omega(r)$ of
    rank $r$, over that of the best ranking, whose first $\min(k, |H|)$ items are held out.

    Among equal scores it is the mean over all their orders, in closed form, so that a constant
    score has the value that a random ranking has on average.

    **Arguments:**

    - `scores`: the higher, the earlier; shape `(users, items)`.
    - `held_out`: $H$ of each user, by any number but 0; shape `(users, items)`.
    - `k`: ranks that count; more than there are items is all of them.
    - `masked`: items that are not ranked, such as those that the user was represented by; shape
      `(users, items)`, none by default. A masked item counts as not held out.

    **Returns:** shape `(users,)`; NaN for a user without held-out items, for whom nothing is
    measured, and for one with a NaN in any array.

    **Raises:** `ValueError` for arrays of other or of different shapes, or for k below 1.

    !!! cite "Source"

        Järvelin & Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques; ties,
        McSherry & Najork (2008), Computing information retrieval performance measures efficiently
        in the presence of tied scores; truncation, Liang et al. (2018), arXiv:1802.05814.
    """
    scores, held_out, masked, k = _inputs(scores, held_out, masked, k)
    ranks = jnp.arange(1, scores.shape[1] + 1, dtype=scores.dtype)
    return _share_of_ideal(scores, held_out, masked, _first(k, scores) / jnp.log2(ranks + 1))


def _inputs(
    scores: ArrayInput, held_out: ArrayInput, masked: ArrayInput | None, k: Count
) -> tuple[Array, Array, Array, int]:
    k = as_count("k", k)
    scores, held_out, masked = floats(scores, held_out, 0.0 if masked is None else masked)
    masked = jnp.broadcast_to(masked, scores.shape) if masked.ndim == 0 else masked
    arrays = {"scores": scores, "held_out": held_out, "masked": masked}
    for name, array in arrays.items():
        if array.ndim != 2 or array.size == 0 or array.shape != scores.shape:
            raise ValueError(
                f"{name} must have the shape (users, items) of the scores, with at least one of "
                f"each, got {array.shape} beside {scores.shape}."
            )
    return scores, held_out, masked, k


def _first(k: int, scores: Float[Array, "users items"]) -> Float[Array, " items"]:
    """1 for the first k ranks, 0 for the others."""
    return (jnp.arange(scores.shape[1]) < k).astype(scores.dtype)


def _share_of_ideal(
    scores: Float[Array, "users items"],
    held_out: Float[Array, "users items"],
    masked: Float[Array, "users items"],
    gains: Float[Array, " items"],
) -> Float[Array, " users"]:
    """The gain of the ranks of held-out items, over that of the best ranking."""
    known = ~jnp.any(jnp.isnan(scores) | jnp.isnan(held_out) | jnp.isnan(masked), axis=1)
    is_relevant = ((held_out != 0) & (masked == 0)).astype(scores.dtype)
    # Masked items come last: below the lowest score, with which they may tie.
    last, descending, is_relevant = jax.lax.sort(
        ((masked != 0).astype(scores.dtype), -scores, is_relevant), dimension=1, num_keys=2
    )
    total = jnp.concatenate([jnp.zeros(1, gains.dtype), jnp.cumsum(gains)])
    each = jax.vmap(_tied_gains, (0, 0, None))(last, descending, total)
    reached = jnp.sum(each * is_relevant, axis=1)
    count = jnp.sum(is_relevant, axis=1)
    ideal = total[count.astype(jnp.int32)]
    some = count > 0
    return nan_unless(known & some, reached / jnp.where(some, ideal, 1))


def _tied_gains(
    first_key: Float[Array, " items"],
    second_key: Float[Array, " items"],
    total: Float[Array, " ranks"],
) -> Float[Array, " items"]:
    """The mean gain of the ranks of each item's tie; `total`: gains of the first r ranks, from 0.

    **Arguments:** the keys by which the items are sorted, in that order.
    """
    places = jnp.arange(len(first_key))
    # Not by differences, which of two infinities are NaN.
    differs = (first_key[1:] != first_key[:-1]) | (second_key[1:] != second_key[:-1])
    begins = jnp.concatenate([jnp.ones(1, bool), differs])
    ends = jnp.concatenate([differs, jnp.ones(1, bool)])
    begin = jax.lax.cummax(jnp.where(begins, places, 0))
    end = jax.lax.cummin(jnp.where(ends, places + 1, len(places)), reverse=True)
    return (total[end] - total[begin]) / (end - begin).astype(total.dtype)
