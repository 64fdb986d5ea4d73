"""The surroundings of a point of a large game: noise, faces and the critical point nearby.

All by products along a few directions, so that changes and noise are estimates.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from gameopt._arithmetic import divisor, length, single_at_least
from gameopt._equilibria.krylov_setting import largest_of
from gameopt._equilibria.measured import MARGIN, PAIRS, field_of, is_zero, noise_of_field
from gameopt._equilibria.nearby import Nearby, ball, left_over, nearby
from gameopt._equilibria.on_faces import along, has_sets, is_clear, offset, rounding
from gameopt._games.base import AbstractGame
from gameopt._games.faces import faces
from gameopt._linalg.host import on_host
from gameopt._linalg.krylov import KrylovSpace, krylov_space
from gameopt._linalg.perturbed_arithmetic import draws, perturbed
from gameopt._trees import ravel
from gameopt._types import Key, Players, Scalar

GUESS = 10.0
"""How many times what is seen of an inverse is taken for its norm."""
SOLVED = 0.1
"""The largest relative residual of a Newton step that is of use."""

Vector = Float[Array, " n"]


class At(NamedTuple):
    """The faces of the sets at a point, and the field there.

    - `rounded`: the noise of the field. `noise`: with the difference to the field on the faces.
    - `smooth`: whether it is. `exact`: whether it is 0.
    """

    faces: Players
    rounded: Scalar
    noise: Scalar
    smooth: Bool[Array, ""]
    exact: Bool[Array, ""]


def faces_at(game: AbstractGame, players: Players, key: Key, start: Vector, reach: Scalar) -> At:
    """The faces of the sets at a point.

    Multipliers may change sign by the field's noise, and by what it changes within `reach`: about
    the Jacobian's Frobenius norm, estimated from one random product, times that.
    """
    vector, unravel = ravel(players)
    function = field_of(game, players, key)
    field, forward = jax.linearize(function, vector)
    noise, smooth = noise_of_field(function, vector, field)
    norm = length(forward(start)) / length(start) * vector.size**0.5
    on = faces(game, players, unravel(field), reach, noise + reach * norm)
    rounded = noise + rounding(on, field)
    if not has_sets(game, players):
        return At(on, rounded, rounded, smooth, is_zero(field, rounded))
    moved = along(on, ravel(players.x)[0].size, forward(offset(on)))
    noise = rounded + length(moved)
    return At(on, rounded, noise, smooth, is_zero(field, noise))


def look_around(
    game: AbstractGame,
    players: Players,
    key: Key,
    at: At,
    space: KrylovSpace,
    probes: Float[Array, "p n"],
    lower: Scalar,
    reach: Scalar,
    residual: Scalar,
) -> tuple[Nearby, Scalar]:
    """The critical point nearby, and the noise of products.

    **Arguments:**

    - `game`: on its faces, those of `at`. `space`: of its Jacobian.
    - `residual`: the point's stationarity.
    - `probes`: directions of the products. `lower`: a bound on the Jacobian's symmetric part.
    """
    vector, _ = ravel(players)
    function = field_of(game, players, key)
    field, forward = jax.linearize(function, vector)
    probes = probes / divisor(jax.vmap(length)(probes))[:, None]
    products = jax.lax.map(forward, probes)
    noise = _noise_of_products(function, vector, probes, products)
    newton = _newton(forward, field, len(space.small))
    inverse, size = _inverse(space, newton, field, at.noise, lower, noise)
    size_x = ravel(players.x)[0].size
    # The first probe is random.
    directions = probes[0], jnp.flip(probes[0])
    there = ball(newton.step, size, reach, directions, lambda v: along(at.faces, size_x, v))

    def look(place):
        moved, forward_there = jax.linearize(function, vector + place)
        changed = jax.lax.map(forward_there, probes) - products
        return moved, jnp.max(jax.vmap(length)(changed))

    fields, changes = jax.lax.map(look, jnp.concatenate([there.near, there.far]))
    count = len(there.near)
    straight = jax.lax.map(forward, there.near)
    rest = left_over(fields[:count], field, straight, there.near, at.rounded)
    near = on_host(
        nearby,
        Nearby.shapes(),
        inverse,
        largest_of(space) + noise,
        jnp.where(is_clear(at.faces), length(field) - at.noise, -jnp.inf),
        residual - at.noise,
        MARGIN * _worst(jnp.maximum(changes[:count], rest)),
        MARGIN * _worst(changes[count:]),
        there.radius,
        there.reach,
    )
    # A point at which the field is exactly 0 is critical itself, alone or one of many.
    zero = jnp.zeros_like(near.radius)
    here = Nearby(jnp.asarray(True), jnp.asarray(False), zero, zero)
    return jax.tree.map(lambda a, b: jnp.where(at.exact, a, b), here, near), noise


def _worst(values: Float[Array, " k"]) -> Scalar:
    """The largest; infinite if one is NaN."""
    return jnp.max(jnp.where(jnp.isnan(values), jnp.inf, values))


def _noise_of_products(function, vector, probes, products) -> Scalar:
    """The largest distance between products and those of perturbed arithmetic, with a margin."""
    product = lambda z, v: jax.jvp(function, (z,), (v,))[1]

    def off(draw):
        drawn = jax.lax.map(lambda probe: perturbed(product, draw, vector, probe), probes)
        return _worst(jax.vmap(length)(drawn - products))

    return MARGIN * jnp.max(jax.lax.map(off, draws(PAIRS)))


class _Newton(NamedTuple):
    """An approximate Newton step, and its relative residual."""

    step: Vector
    residual: Scalar


def _newton(forward, field: Vector, num_matvecs: int) -> _Newton:
    """Newton's step in the Krylov space of the field, by least squares (GMRES)."""
    wide, zero = single_at_least(field.dtype), jnp.zeros((), field.dtype)
    size = length(field)

    def solve() -> _Newton:
        space = krylov_space(lambda v: (forward(v), zero), field, num_matvecs)
        m = len(space.small)
        below = jnp.zeros((1, m), field.dtype).at[0, -1].set(space.last)
        matrix = jnp.concatenate([space.small, below]).astype(wide)
        right = jnp.zeros(m + 1, wide).at[0].set(-size.astype(wide))
        found = jnp.linalg.lstsq(matrix, right)[0]
        rest = jnp.linalg.norm(matrix @ found - right) / size.astype(wide)
        return _Newton(found.astype(field.dtype) @ space.basis, rest.astype(field.dtype))

    there = (size > 0) & jnp.isfinite(size)
    return jax.lax.cond(there, solve, lambda: _Newton(jnp.zeros_like(field), zero))


def _inverse(
    space: KrylovSpace,
    newton: _Newton,
    field: Vector,
    field_noise: Scalar,
    lower: Scalar,
    noise: Scalar,
) -> tuple[Scalar, Scalar]:
    """The norm of the Jacobian's inverse, and a bound on Newton's step.

    Proved where the symmetric part is positive. Elsewhere an estimate: ten times the larger of what
    the step and the smallest singular value of the projection show; infinite where the step was
    not found. Ritz values would not do: where J is far from normal they may be much larger.
    """
    lower = lower.astype(field.dtype) - noise
    dtype, off, step = field.dtype, length(field), length(newton.step)
    proved = lower > 0
    of_bound = (1 / jnp.where(proved, lower, 1)).astype(dtype)
    left = _smallest(space).astype(dtype) - noise - space.noise
    ratio = step / divisor(off)
    seen = GUESS * jnp.maximum(ratio, jnp.where(left > 0, 1 / left, jnp.inf))
    seen = jnp.where(newton.residual <= SOLVED, seen, jnp.inf)
    inverse = jnp.where(proved, of_bound, seen)
    size = jnp.where(proved, of_bound * off, step / (1 - SOLVED)) + inverse * field_noise
    return inverse, jnp.where(jnp.isfinite(size), size, 0)


def _smallest(space: KrylovSpace) -> Scalar:
    """The smallest singular value of an operator's projection on a space; 0 if it is not finite."""
    shape = jax.ShapeDtypeStruct((), jnp.result_type(float))
    return on_host(_smallest_singular, shape, space.small)


def _smallest_singular(small) -> float:
    small = np.asarray(small, np.float64)
    if not np.isfinite(small).all():
        return 0.0
    below = np.diagonal(small, -1)
    # An invariant subspace ends before the first 0, and what follows means nothing.
    size = int(np.argmax(below == 0)) + 1 if (below == 0).any() else len(small)
    return float(np.linalg.svd(small[:size, :size], compute_uv=False)[-1])
