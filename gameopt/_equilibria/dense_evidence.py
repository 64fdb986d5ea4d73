"""Evidence from dense linear algebra: small Jacobians in float64, on the host."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gameopt._arithmetic import length, single_at_least
from gameopt._equilibria.dense_numbers import BallNumbers, Extreme, Numbers, numbers, shapes
from gameopt._equilibria.dense_rounds import FaceNumbers, Proof
from gameopt._equilibria.evidence import VERDICT, Curvature, Facts, Leftmost, verdict
from gameopt._equilibria.measured import (
    Derivatives,
    derivatives,
    field_of,
    is_zero,
    with_jacobian,
)
from gameopt._equilibria.nearby import ball, left_over
from gameopt._equilibria.on_faces import along, curvatures, gap, is_clear, offset, rounding, turn
from gameopt._equilibria.operators import played_sizes
from gameopt._games.base import AbstractGame
from gameopt._games.faces import Face, faces
from gameopt._linalg.host import on_host
from gameopt._trees import ravel
from gameopt._types import Key, Players, Scalar, Strategy


def dense_facts(
    game: AbstractGame,
    players: Players,
    key: Key,
    rates: Players[Scalar, Scalar] | None,
    reach: Scalar,
    residual: Scalar,
    vectors: bool,
) -> Facts:
    """The evidence of dense matrices.

    **Arguments:** `reach`: the distance within which a critical point counts as here. `residual`:
    the point's stationarity.
    """
    size_x, size_y = played_sizes(players)
    here = derivatives(game, players, key)
    on = _faces_of(game, players, here, reach)
    around = _around(game, players, key, here, on, reach, residual)
    pair = jnp.zeros(2) if rates is None else jnp.stack([rates.x, rates.y])
    given = (_numbers_of(on.x), None if on.y is None else _numbers_of(on.y))
    arrays, structure = jax.tree.flatten((here.jacobian, here.drawn, around, given, pair))
    eps = float(jnp.finfo(here.jacobian.dtype).eps)
    # The callback must not keep the game, whose arrays may be traced.
    zero_sum = game.is_zero_sum

    def function(*arrays):
        return numbers(zero_sum, eps, *jax.tree.unflatten(structure, arrays))

    found: Numbers = on_host(function, shapes(size_x, size_y, zero_sum), *arrays)
    exact, judged = around.exact, rates is not None
    return _facts(found, players, on, here, exact, judged, vectors)


def _faces_of(game, players, here: Derivatives, reach: Scalar) -> Players:
    """The faces of the sets that the point is on."""
    gradient = ravel(players)[1](here.field)
    # Multipliers may change sign by rounding, and by what the field changes in the ball.
    slack = here.field_noise + reach * length(here.jacobian.reshape(-1))
    return faces(game, players, gradient, reach, slack)


def _numbers_of(face: Face) -> FaceNumbers:
    return FaceNumbers(face.free, face.normals, face.curvature, face.weak, face.uncertain)


def _around(
    game, players, key, here: Derivatives, on: Players, reach: Scalar, residual: Scalar
) -> BallNumbers:
    """Field and Jacobian next to the point."""
    size_x, dtype = played_sizes(players)[0], here.point.dtype
    project = functools.partial(along, on, size_x)
    both = jax.vmap(project, in_axes=1, out_axes=1)
    eye = jnp.eye(here.point.size, dtype=dtype)
    tangent = both(eye)
    bent = curvatures(on, size_x, here.point)[:, None] * tangent
    # Across the faces, where nothing moves, the identity, in units of the rest.
    flat = both(both(here.jacobian).T).T + bent
    matrix = flat + jnp.max(jnp.abs(flat)) * (eye - tangent)
    field = project(here.field)
    rounded = here.field_noise + rounding(on, here.field)
    # On the face the field is another than at a point next to it.
    noise = rounded + length(project(here.jacobian @ offset(on)))
    step, spread = _newton_step(matrix, field, noise)
    size = length(step) + spread
    random = np.random.default_rng(0).normal(size=(2, here.point.size))
    directions = jnp.asarray(random[0], dtype), jnp.asarray(random[1], dtype)
    there = ball(step, size, reach, directions, project)
    function = with_jacobian(field_of(game, players, key))
    places = jnp.concatenate([there.near, there.far])
    fields, jacobians = jax.lax.map(lambda place: function(here.point + place), places)
    count = len(there.near)
    products = there.near @ here.jacobian.T
    rest = left_over(
        jax.vmap(project)(fields[:count]),
        field,
        jax.vmap(project)(products),
        there.near,
        rounded,
    )
    return BallNumbers(
        near=jacobians[:count],
        far=jacobians[count:],
        left_over=rest,
        radius=there.radius,
        reach=there.reach,
        field=jnp.where(is_clear(on), length(field) - noise, -jnp.inf),
        residual=residual - noise,
        exact=is_zero(here.field, noise),
        gap=gap(on, here.point),
        turn=turn(on, players),
    )


def _newton_step(matrix, field, noise: Scalar) -> tuple[Float[Array, " n"], Scalar]:
    """Newton's step, and how far the noise of the field may move it."""
    wide = single_at_least(matrix.dtype)
    left, values, right = jnp.linalg.svd(matrix.astype(wide))
    usable = values > 0
    inverse = jnp.where(usable, 1 / jnp.where(usable, values, 1), 0)
    step = -right.T @ (inverse * (left.T @ field.astype(wide)))
    return step.astype(matrix.dtype), (jnp.max(inverse) * noise.astype(wide)).astype(matrix.dtype)


def _facts(
    found: Numbers, players, on: Players, here: Derivatives, exact, judged: bool, vectors: bool
) -> Facts:
    dtype = here.jacobian.dtype

    def curvature(row: Extreme | None, own: Strategy) -> Curvature | None:
        if row is None:
            return None
        vector = ravel(own)[1](row.vector.astype(dtype)) if vectors else None
        zero = jnp.zeros_like(row.value)
        return Curvature(row.value, row.lower, zero, _verdict(row.positive), vector)

    left = found.leftmost
    hessian_x = curvature(found.hessian_x, players.x)
    assert hessian_x is not None
    of_rounds = lambda proof: _verdict(proof) if judged and proof is not None else None
    return Facts(
        near=found.near,
        faces=on,
        exact=exact,
        smooth=here.smooth,
        hessian_x=hessian_x,
        hessian_y=curvature(found.hessian_y, players.y),
        schur_x=curvature(found.schur_x, players.x),
        schur_y=curvature(found.schur_y, players.y),
        leftmost=Leftmost(
            left.value, left.lower, left.condition, left.error, _verdict(left.positive)
        ),
        mixed=_verdict(found.mixed),
        singular=_verdict(found.singular),
        simultaneous=of_rounds(found.simultaneous),
        alternating=of_rounds(found.alternating),
        tau_star=found.tau_star,
        tau_star_lower=found.tau_star_lower,
        max_step=found.max_step,
        noise=found.noise,
        finite=jnp.all(jnp.isfinite(here.jacobian)),
    )


def _verdict(proof: Proof) -> VERDICT:
    return verdict(proof.yes, proof.no)
