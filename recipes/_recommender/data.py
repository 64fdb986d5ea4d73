"""Users to train on and users held out, each of these in two parts: fold-in and held-out items."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import sparse

from recipes._data.movielens import Interactions, load_liked, shape_of
from recipes._recommender.low_rank import (
    HELD_OUT,
    RANK,
    BayesRanking,
    LowRankLaw,
    draw_law,
    draw_liked,
)
from recipes._runtime.errors import FEWEST, UserError
from recipes._runtime.fields import AtLeast1, AtLeast2, NotNegative
from recipes._runtime.run import FolderArgs

MOST_HELD_OUT = 10_000
"""Users of the published protocol, for validation and for test each."""
MOST_GENERATED = 2**27
"""Pairs of generated users and items, which are drawn at once."""
FEWEST_SPLIT = 5
"""Users with fewer items have none held out."""


class HeldOut(NamedTuple):
    """Users that training never sees.

    - `fold_in`, `held_out`: their items in two parts, CSR of shape `(users, items)` each: the first
      is what they are known by, the second what is to be found.
    - `dropped`: users who are not among them, because none of their items is held out.
    - `latents`: of generated users, shape `(users, 2)`.
    """

    fold_in: sparse.csr_array
    held_out: sparse.csr_array
    dropped: int
    latents: np.ndarray | None = None

    @property
    def users(self) -> int:
        """The number of users."""
        return shape_of(self.fold_in)[0]


class RecommenderData(NamedTuple):
    """The users to train on, and those held out for validation and test.

    - `train`: CSR of ones, shape `(users, items)`, every item with a user. `items`: what the data
      call the columns, shape `(items,)`. `law`: of generated data.
    - `origin`: the entry of config.json about the whole. `title`: a line for a person.
    """

    train: sparse.csr_array
    validation: HeldOut
    test: HeldOut
    items: np.ndarray
    law: LowRankLaw | None
    origin: dict[str, Any]
    title: str

    @property
    def bayes(self) -> BayesRanking | None:
        """The Bayes-optimal ranking, where the law is known."""
        return None if self.law is None else BayesRanking(self.law)

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        users, items = shape_of(self.train)
        counts = {"train_users": users, "train_items": items}
        for name in ("validation", "test"):
            part: HeldOut = getattr(self, name)
            counts |= {f"{name}_users": part.users, f"{name}_dropped": part.dropped}
        return {**self.origin, **counts, "split_sha256": self._checksum()}

    def _checksum(self) -> str:
        digest = hashlib.sha256()
        for matrix in (self.train, *self.validation[:2], *self.test[:2]):
            digest.update(np.ascontiguousarray(matrix.indptr, np.int64).data)
            digest.update(np.ascontiguousarray(matrix.indices, np.int64).data)
        return digest.hexdigest()

    def __str__(self) -> str:
        users, items = shape_of(self.train)
        dropped = self.validation.dropped + self.test.dropped
        return (
            f"{self.title}\n{users:,} users and {items:,} items to learn from; held out "
            f"{self.validation.users:,} users for validation and "
            f"{self.test.users:,} for test; dropped {dropped}, without held-out items"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class UsersArgs(FolderArgs):
    """The flags of users and their items."""

    data: Literal["generated", "movielens"] = "generated"
    """Users of a low-rank law, or the ratings of a file in --data-dir."""
    data_dir: Path | None = None
    """Folder with MovieLens' u.data, ratings.dat or ratings.csv, gzipped or not."""
    users: AtLeast1 = 6000
    """Generated users, those held out included."""
    items: AtLeast2 = 500
    """Generated items."""
    liked_above: NotNegative = 3.5
    """Ratings above it are items that a user likes; the others are left out."""
    fewest_items: AtLeast1 = 5
    """Users of a file who like fewer items are left out."""
    held_out_users: AtLeast1 | None = None
    """Users for validation and for test, each. Default: a tenth of all, at most 10 000."""


def load(args: UsersArgs) -> RecommenderData:
    """The data of the flags.

    **Raises:** `UserError` for files that are not there or not sound, and for too few users.
    """
    if args.data == "generated":
        if args.data_dir is not None:
            raise UserError("--data-dir is for --data movielens: add that, or leave it out.")
        if args.users * args.items > MOST_GENERATED:
            raise UserError(
                f"--users {args.users} times --items {args.items} are more than "
                f"{MOST_GENERATED:,} pairs to draw; generate fewer of either."
            )
        held_out = held_out_users(args.held_out_users, args.users, "--users")
        return generated(args.users, args.items, held_out, args.seed)
    if args.data_dir is None:
        raise UserError("--data movielens needs --data-dir, the folder of its file of ratings.")
    liked = load_liked(args.data_dir, args.liked_above)
    active = with_items(liked, args.fewest_items)
    what = f"{liked.source}: users with {args.fewest_items} ratings above {args.liked_above:g}"
    held_out = held_out_users(args.held_out_users, shape_of(active.matrix)[0], what)
    return split(active, held_out, args.seed)


def held_out_users(wanted: int | None, users: int, what: str) -> int:
    """Users for validation and for test each: a tenth of all and at most 10 000, by default."""
    count = min(users // 10, MOST_HELD_OUT) if wanted is None else wanted
    if count < FEWEST or users < 3 * count:
        raise UserError(
            f"{what} are {users:,}, of which {count:,} cannot be held out for validation and "
            f"{count:,} for test: at least {FEWEST} each are needed, and as many to learn from; "
            "give more users or fewer --held-out-users."
        )
    return count


def generated(users: int, items: int, held_out: int, seed: int) -> RecommenderData:
    """Users of a low-rank law that is drawn too; the split of those held out is the law's own."""
    rng = np.random.default_rng(seed)
    law = draw_law(items, rng)
    latents = rng.normal(size=(users, RANK))
    liked = draw_liked(law, latents, rng)
    is_held_out = rng.random(liked.shape) < HELD_OUT
    first_test, first_validation = users - held_out, users - 2 * held_out
    train = liked[:first_validation]
    seen = train.any(axis=0)
    if seen.sum() < FEWEST:
        raise UserError(f"--users {users} like fewer than {FEWEST} items; give more of both.")
    law = LowRankLaw(law.biases[seen], law.factors[seen])
    parts: list[HeldOut] = []
    for rows in (slice(first_validation, first_test), slice(first_test, users)):
        out = (liked & is_held_out)[rows][:, seen]
        known = (liked & ~is_held_out)[rows][:, seen]
        parts.append(_kept(_ones(known), _ones(out), latents[rows]))
    origin = {"name": "generated", "source": "a low-rank law", "users": users, "items": items}
    title = f"generated: {users:,} users and {items:,} items of a law of rank {RANK}"
    used = np.flatnonzero(seen)
    return _checked(
        RecommenderData(_ones(train[:, seen]), parts[0], parts[1], used, law, origin, title)
    )


def with_items(interactions: Interactions, fewest: int) -> Interactions:
    """The users with at least `fewest` items."""
    counts = np.diff(interactions.matrix.indptr)
    kept = np.flatnonzero(counts >= fewest)
    return Interactions(
        interactions.matrix[kept], interactions.users[kept], interactions.items,
        interactions.name, interactions.source,
    )  # fmt: skip


def split(interactions: Interactions, held_out: int, seed: int) -> RecommenderData:
    """Split by users, and those held out by items, four fifths known and a fifth to be found.

    The items are those of the users to train on.

    **Arguments:** `held_out`: users for validation and for test each.

    !!! cite "Source"

        Liang et al. (2018), arXiv:1802.05814, section 4.1, strong generalisation.
    """
    rng = np.random.default_rng(seed)
    matrix = interactions.matrix
    order = rng.permutation(shape_of(matrix)[0])
    test, validation = order[-held_out:], order[-2 * held_out : -held_out]
    train = matrix[order[: -2 * held_out]]
    used = np.flatnonzero(np.bincount(train.indices, minlength=shape_of(matrix)[1]))
    parts = [_kept(*split_items(matrix[rows][:, used], rng)) for rows in (validation, test)]
    origin, title = interactions.describe(), str(interactions)
    items = interactions.items[used]
    return _checked(RecommenderData(train[:, used], parts[0], parts[1], items, None, origin, title))


def split_items(
    matrix: sparse.csr_array, rng: np.random.Generator
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """A fifth of each user's items at random, rounded down, and before it the rest of them.

    Of users with fewer than 5 items, none is in the fifth.
    """
    counts = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(len(counts)), counts)
    shuffled = np.lexsort((rng.random(matrix.nnz), rows))
    place = np.empty(matrix.nnz, int)
    place[shuffled] = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], counts)
    wanted = np.where(counts >= FEWEST_SPLIT, (HELD_OUT * counts).astype(int), 0)
    is_out = place < np.repeat(wanted, counts)
    part = lambda chosen: sparse.csr_array(
        (matrix.data[chosen], (rows[chosen], matrix.indices[chosen])), shape=matrix.shape
    )
    return part(~is_out), part(is_out)


def _kept(
    fold_in: sparse.csr_array, held_out: sparse.csr_array, latents: np.ndarray | None = None
) -> HeldOut:
    """The users with held-out items."""
    has_some = np.diff(held_out.indptr) > 0
    latents = None if latents is None else latents[has_some]
    return HeldOut(fold_in[has_some], held_out[has_some], int((~has_some).sum()), latents)


def _checked(data: RecommenderData) -> RecommenderData:
    for name in ("validation", "test"):
        count = getattr(data, name).users
        if count < FEWEST:
            raise UserError(
                f"{count} users for {name} have held-out items, and at least {FEWEST} are needed; "
                "give more --held-out-users."
            )
    return data


def _ones(chosen: np.ndarray) -> sparse.csr_array:
    return sparse.csr_array(chosen.astype(np.float32))
