"""The shared setting of a Krylov certificate: the game, a random start, and spaces of it."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gameopt._arithmetic import single_at_least
from gameopt._equilibria.operators import Operator
from gameopt._games.base import AbstractGame
from gameopt._linalg.krylov import KrylovSpace, krylov_space
from gameopt._types import Key, Player, Players, Scalar

SAFETY = 100.0
"""How often an error that is known to first order must fit between an eigenvalue and the axis."""

BOUNDS = 4
"""The most bounds that one verdict rests on: each may fail with that part of the probability."""


class Budget(NamedTuple):
    """Budgets of `classify`: `num_matvecs` products a Krylov space, and at most `schur_products`
    with the Jacobian for each Schur complement."""

    num_matvecs: int
    schur_products: int


class Setting(NamedTuple):
    """The setting that all parts of the evidence share.

    - `game`: on the faces. `start`: a random direction along them; `sizes`: directions of each
      player; `clear`: whether its face is.
    - `probability`: with which one bound may fail.
    - `noise`: what products are off by, beyond what a Krylov space sees by itself.
    """

    game: AbstractGame
    players: Players
    key: Key
    start: Float[Array, " n"]
    sizes: Players
    clear: Players
    probability: Scalar
    budget: Budget
    vectors: bool
    noise: Scalar

    @property
    def size(self) -> Int[Array, ""]:
        return self.sizes.x if self.sizes.y is None else self.sizes.x + self.sizes.y


def nonzero(start: Float[Array, " n"]) -> Float[Array, " n"]:
    """A start on a face without directions, of which all products are 0, is any vector."""
    return jnp.where(jnp.any(start != 0), start, 1)


def own_space(linear: Operator, setting: Setting, player: Player) -> KrylovSpace:
    # Part of a random vector is a random vector.
    n = linear.like.size
    part = (setting.start[:n] if player == "x" else setting.start[-n:]).astype(linear.like.dtype)
    matvecs = setting.budget.num_matvecs
    return krylov_space(linear.matvec, nonzero(part), matvecs, symmetric=True, sizes=linear.sizes)


def two_sided(linear: Operator, setting: Setting) -> tuple[KrylovSpace, KrylovSpace]:
    assert linear.transpose is not None
    begin, num_matvecs = nonzero(setting.start), setting.budget.num_matvecs
    return (
        krylov_space(linear.matvec, begin, num_matvecs, sizes=linear.sizes),
        krylov_space(linear.transpose, begin, num_matvecs, sizes=linear.sizes),
    )


def largest_of(space: KrylovSpace) -> Scalar:
    """Twice the norm of the operator that a space has seen."""
    small = space.small.astype(single_at_least(space.small.dtype))
    return (2 * jnp.linalg.norm(small, 2)).astype(space.small.dtype)
