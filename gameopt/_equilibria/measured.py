"""Field and second derivatives at a point, and what rounding does to them, as it is measured."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gameopt._arithmetic import length
from gameopt._games.base import AbstractGame
from gameopt._keys import again
from gameopt._linalg.perturbed_arithmetic import Draw, draws, perturbed
from gameopt._trees import ravel
from gameopt._types import Key, Players, Scalar

PAIRS = 2
"""Draws of perturbed arithmetic, and as many opposite ones."""
MARGIN = 4.0
"""How many times the largest deviation of the draws, or of a few points of a ball, is trusted to
cover all."""
SIZES = 64.0, 4096.0
"""Sizes of perturbations, in rounding errors, under which a jump is told from rounding."""

Vector = Float[Array, " n"]


class Derivatives(NamedTuple):
    """Field and Jacobian at a point, and those of perturbed arithmetic.

    - `point`, `field`: `(n,)`. `jacobian`: `(n, n)`. `drawn`: Jacobians of the draws, `(d, n, n)`.
    - `field_noise`: what rounding may do to the field, 0 where it is exactly 0.
    - `smooth`: whether it has no jump so near.
    """

    point: Vector
    field: Vector
    jacobian: Float[Array, "n n"]
    drawn: Float[Array, "d n n"]
    field_noise: Scalar
    smooth: Bool[Array, ""]


def field_of(game: AbstractGame, players: Players, key: Key) -> Callable[[Vector], Vector]:
    """The field, from vectors to vectors."""
    _, unravel = ravel(players)
    return lambda v: ravel(game.losses_and_field(unravel(v), again(key))[1])[0]


def with_jacobian(
    function: Callable[[Vector], Vector],
) -> Callable[[Vector], tuple[Vector, Float[Array, "n n"]]]:
    """A vector field and its Jacobian together."""
    return lambda v: (function(v), jax.jacfwd(function)(v))


def derivatives(game: AbstractGame, players: Players, key: Key) -> Derivatives:
    """Derivatives of a small game at a point, with those of perturbed arithmetic."""
    vector, _ = ravel(players)
    only_field = field_of(game, players, key)
    function = with_jacobian(only_field)
    field, jacobian = function(vector)
    fields, drawn = jax.lax.map(lambda draw: perturbed(function, draw, vector), _all_draws())
    noise, smooth = _seen(fields, field)
    noise = _unless_exactly_zero(noise, only_field, vector, field)
    return Derivatives(vector, field, jacobian, drawn[: 2 * PAIRS], noise, smooth)


def noise_of_field(
    function: Callable[[Vector], Vector], vector: Vector, field: Vector
) -> tuple[Scalar, Bool[Array, ""]]:
    """The noise of a field by rounding, and whether it is smooth."""
    fields = jax.lax.map(lambda draw: perturbed(function, draw, vector), _all_draws())
    noise, smooth = _seen(fields, field)
    return _unless_exactly_zero(noise, function, vector, field), smooth


def _all_draws() -> Draw:
    """All draws: of the size of rounding, and as many at two larger sizes."""
    join = lambda *parts: jnp.concatenate(parts)
    return jax.tree.map(join, draws(PAIRS), *(draws(PAIRS, size) for size in SIZES))


def _seen(fields: Float[Array, "d n"], field: Vector) -> tuple[Scalar, Bool[Array, ""]]:
    """The noise of a field, and whether it has no jump within rounding, as at a kink of a loss.

    What rounding does grows with the perturbations; a jump does not. At the larger sizes, where
    the last digit of the field itself does not count.
    """
    usual, few, many = (farthest(part, field) for part in jnp.split(fields, 3))
    smooth = (few == 0) | (many > 3 * few)
    return MARGIN * usual, smooth


def _unless_exactly_zero(
    noise: Scalar, function: Callable[[Vector], Vector], vector: Vector, field: Vector
) -> Scalar:
    """The noise of a field, but 0 where the field is 0 and no operation that counts was rounded.

    The size of the perturbations is such that one goes unseen, in both draws, 6 times in 10^8.
    """
    some = jax.tree.map(lambda leaf: leaf[::2], draws(2, SIZES[1]))
    only = jax.lax.map(lambda draw: perturbed(function, draw, vector, only_rounded=True), some)
    return jnp.where(jnp.all(field == 0) & jnp.all(only == 0), 0, noise)


def is_zero(field: Vector, noise: Scalar) -> Bool[Array, ""]:
    """True where a field is exactly 0.

    With noise it may be 0 as computed, and as large as its noise.
    """
    return jnp.all(field == 0) & (noise == 0)


def farthest(rows: Float[Array, "d n"], row: Vector) -> Scalar:
    """The largest distance from a vector; NaN counts as infinite."""
    distances = jax.vmap(length)(rows - row[None])
    return jnp.max(jnp.where(jnp.isnan(distances), jnp.inf, distances))
