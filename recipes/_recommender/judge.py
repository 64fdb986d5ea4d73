"""Rankings of held-out users, measured in pieces that fit into memory."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

import theory
from models import MLP
from recipes._data.movielens import shape_of
from recipes._recommender.data import HeldOut
from recipes._recommender.game import Encoder, SparseRows, encoded
from recipes._report.tables import mean_and_error

Scores = Callable[[np.ndarray], Any]
"""From the places of users to the scores of all items, shape `(n, items)`."""

NDCG_AT, RECALLS_AT = 100, (2, 5, 10, 20, 50, 100)
TABLE = {"ndcg_100": "NDCG@100", "recall_20": "Recall@20", "recall_50": "Recall@50"}
"""The published metrics, by name."""
TOP = 20
"""Recommendations a user gets, where they are looked at one by one."""
PIECE = 2**23
"""Scores in memory at once."""


class Measured(NamedTuple):
    """Metrics of one ranking, user by user.

    - `ndcg`: at 100, shape `(users,)`. `recalls`: at `RECALLS_AT`, shape `(users, 6)`.
    - `top`: the first items that are recommended, shape `(users, TOP)`, fewer for fewer items.
    """

    ndcg: np.ndarray
    recalls: np.ndarray
    top: np.ndarray

    def of(self, name: str) -> np.ndarray:
        """A metric of `TABLE`, shape `(users,)`."""
        metric, _, k = name.partition("_")
        return self.ndcg if metric == "ndcg" else self.recalls[:, RECALLS_AT.index(int(k))]

    def means(self) -> dict[str, float | None]:
        """Means over users of the metrics of `TABLE`, and their standard errors."""
        pairs = {name: mean_and_error(self.of(name)) for name in TABLE}
        means = {name: mean for name, (mean, _) in pairs.items()}
        return means | {f"{name}_error": error for name, (_, error) in pairs.items()}


class Judge:
    """Held-out users on the device, sparse.

    - `part`: the users. `fold_in`, `held_out`: their items.
    """

    def __init__(self, part: HeldOut):
        self.part = part
        self.users, items = shape_of(part.fold_in)
        self.fold_in, self.held_out = SparseRows.of(part.fold_in), SparseRows.of(part.held_out)
        self.piece = max(1, min(self.users, PIECE // items))

    def __call__(self, scores: Scores) -> Measured:
        """The metrics of a ranking, whose fold-in items are not ranked."""
        found = [
            _measured(jnp.asarray(scores(rows)), self.fold_in, self.held_out, jnp.asarray(rows))
            for rows in self._pieces()
        ]
        joined = [np.concatenate(parts)[: self.users] for parts in zip(*found, strict=True)]
        return Measured(*joined)

    def _pieces(self) -> list[np.ndarray]:
        """Places of users, all of one length; the last may begin again."""
        count = math.ceil(self.users / self.piece)
        return np.split(np.arange(count * self.piece) % self.users, count)

    def of_model(self, decoder: MLP, encoder: Encoder) -> Measured:
        """The metrics of a model's ranking."""
        return self(lambda rows: _decoded(decoder, encoder, self.fold_in, jnp.asarray(rows)))

    def latents(self, encoder: Encoder) -> np.ndarray:
        """The latents of all users, shape `(users, d)`."""
        found = [_latents(encoder, self.fold_in, jnp.asarray(rows)) for rows in self._pieces()]
        return np.concatenate(found)[: self.users]


@eqx.filter_jit
def _decoded(
    decoder: MLP, encoder: Encoder, fold_in: SparseRows, rows: Int[Array, " n"]
) -> Float[Array, "n items"]:
    return jax.vmap(decoder)(encoded(encoder, fold_in(rows)))


@eqx.filter_jit
def _latents(encoder: Encoder, fold_in: SparseRows, rows: Int[Array, " n"]) -> Float[Array, "n d"]:
    return encoded(encoder, fold_in(rows))


@eqx.filter_jit
def _measured(
    scores: Float[Array, "n items"], fold_in: SparseRows, held_out: SparseRows, rows: Any
) -> Measured:
    known, wanted = fold_in(rows), held_out(rows)
    recalls = [theory.recall_at_k(scores, wanted, k, known) for k in RECALLS_AT]
    shown = jnp.where(known > 0, -jnp.inf, scores)
    top = jax.lax.top_k(shown, min(TOP, scores.shape[1]))[1]
    ndcg: Any = theory.ndcg_at_k(scores, wanted, NDCG_AT, known)
    return Measured(ndcg, jnp.stack(recalls, axis=1), top)  # pyright: ignore[reportArgumentType]
