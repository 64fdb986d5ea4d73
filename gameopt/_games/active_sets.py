r"""Faces of convex sets: the active constraints at a point, and the directions that they leave.

At a minimum $z$ of a loss on a convex set $-g$ is normal to the set. Let a constraint be active.
If its multiplier is positive, the critical cone has the constraint's tangent space only; if the
multiplier is 0, both that and the side inside the set. $z$ is a strict minimum if the Lagrangian's
Hessian, $H$ with `Face.curvature` times the identity added, is positive on the critical cone.

!!! cite "Source"

    Nocedal & Wright (2006), Numerical Optimization, theorems 12.5 and 12.6.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from gameopt._arithmetic import single_at_least, square_root
from gameopt._trees import ravel
from gameopt._types import Projection, Scalar, Strategy

Vector = Float[Array, " n"]


class Face(eqx.Module):
    r"""Directions in which one player can move from a point to first order.

    All are of the raveled played entries, shape `(n,)`, in the order of `gameopt._trees.ravel`.

    - `free`: 1 where no strictly active constraint holds the entry, else 0; in the vector's dtype.
    - `normals`: shape `(m, n)`; orthonormal or zero rows, each zero outside of `free`: normals of
      active constraints on several entries together. Their span is no direction of the face.
    - `curvature`: $\mu \ge 0$; the Lagrangian's Hessian on the face is $H + \mu I$.
    - `weak`: -1, 0 or 1 (int32): the entry lies on a bound, its multiplier is at most the slack,
      and directions into the set have `weak * d >= 0`.
    - `uncertain`: the entry's constraint may be active or not, or its multiplier zero or not, as
      far as `near` and `slack` allow. A proof of positivity takes such entries to be free (where
      `weak`, on its side), and a refutation takes them to be fixed.
    - `offset`: from the point to the affine hull of the face, of a sphere to the sphere.
    - `is_clear`: no weak and no uncertain constraint, so that the game next to the point is a game
      on this face.
    - `is_known`: False if nothing is known of the set at this point; the rest means nothing then.
    - `is_whole`: no constraint is active: an interior point.
    """

    free: Vector
    normals: Float[Array, "m n"]
    curvature: Scalar
    weak: Int[Array, " n"]
    uncertain: Bool[Array, " n"]
    offset: Vector
    is_clear: Bool[Array, ""]
    is_known: Bool[Array, ""]
    is_whole: Bool[Array, ""]

    def project(self, vector: Vector) -> Vector:
        """Orthogonal projection on the tangent space, the span of the face's directions."""
        inside = self.free * vector
        return inside - self.normals.T @ (self.normals @ inside)


def whole_space(point: Vector) -> Face:
    """The face of a point that no constraint touches."""
    n, dtype = point.size, point.dtype
    return Face(
        free=jnp.ones(n, dtype),
        normals=jnp.zeros((0, n), dtype),
        curvature=jnp.zeros((), dtype),
        weak=jnp.zeros(n, jnp.int32),
        uncertain=jnp.zeros(n, bool),
        offset=jnp.zeros(n, dtype),
        is_clear=jnp.asarray(True),
        is_known=jnp.asarray(True),
        is_whole=jnp.asarray(True),
    )


def box_face(
    point: Vector, lower: Vector, upper: Vector, gradient: Vector, near: Scalar, slack: Array
) -> Face:
    """The face of a box, of bounds of shape `(n,)`; `slack` may be of shape `(n,)` too."""
    x, low, high, g, near, slack = _wide(point, lower, upper, gradient, near, slack)
    # Two equal bounds hold their entry whatever the multiplier.
    single = low >= high
    at_low, at_high = x - low <= near, high - x <= near
    held_low, held_high = at_low & (g > slack), at_high & (g < -slack)
    active = single | held_low | held_high
    touched = (at_low | at_high) & ~active
    # Where the other bound is near too, the critical point may lie on either.
    side = jnp.where((x == low) & ~at_high, 1, jnp.where((x == high) & ~at_low, -1, 0))
    offset = jnp.where(single | held_low, low - x, jnp.where(held_high, high - x, 0))
    return _entries_face(
        point,
        active=active,
        touched=touched,
        side=jnp.where(jnp.abs(g) <= slack, side, 0),
        told=slack == 0,
        normals=jnp.zeros((0, x.size), x.dtype),
        offset=offset,
        is_whole=~jnp.any(at_low | at_high | single),
    )


def simplex_face(
    point: Vector, scale: Scalar, gradient: Vector, near: Scalar, slack: Array
) -> Face:
    r"""The face of the simplex $x \ge 0$, $\sum_i x_i = s$.

    The multipliers of $x_i \ge 0$ are $g_i - \lambda$. $\lambda$ is the mean of $g$ over the
    support: there $g_i = \lambda + e_i$ with the errors $e_i$, which the mean averages, whereas the
    minimum is off by the largest of them, always to one side.
    """
    x, total, g, near, slack = _wide(point, scale, gradient, near, slack)
    clear = x > near
    count = jnp.sum(clear).astype(x.dtype)
    # Differences to one entry of the support are exact where all of its gradients are equal.
    from_one = g - g[jnp.argmax(x)]
    multiplier = from_one - jnp.sum(jnp.where(clear, from_one, 0)) / jnp.maximum(count, 1)
    # The slack of the entry, and of the mean.
    spread = jnp.max(jnp.where(clear, jnp.abs(from_one), 0))
    reach = 2 * jnp.max(slack) + _rounding(count, x.dtype) * spread
    known = count > 0
    active = jnp.where(total > 0, ~clear & (multiplier > reach) & known, True)
    touched = ~clear & ~active
    free = ~active
    size = jnp.maximum(jnp.sum(free), 1).astype(x.dtype)
    off_sum = jnp.where(jnp.any(free), total, 0) - jnp.sum(jnp.where(free, x, 0))
    return _entries_face(
        point,
        active=active,
        touched=touched,
        side=jnp.where(known & (x == 0) & (jnp.abs(multiplier) <= reach), 1, 0),
        told=reach == 0,
        normals=jnp.where(free, 1 / jnp.sqrt(size), 0)[None],
        offset=jnp.where(active, -x, off_sum / size),
        is_whole=jnp.asarray(False),
    )


def sphere_face(
    point: Vector, radius: Scalar, gradient: Vector, near: Scalar, slack: Array
) -> Face:
    r"""The face of the ball $\|x\| \le r$: on the sphere its tangent space, curved by $|g| / r$.

    Moving by $d$ along the sphere ends $\|d\|^2 / 2r$ further inside than along the tangent, where
    the loss is higher by $\|d\|^2 |g| / 2r$.
    """
    x, radius, g, near, slack = _wide(point, radius, gradient, near, slack)
    length = _length(x)
    outward = x / jnp.where(length > 0, length, 1)
    multiplier = -jnp.sum(outward * g)
    rounding = _rounding(x.size, x.dtype)
    reach = jnp.max(slack) + rounding * _length(g)
    # No vector of rounded entries has its length exactly.
    at_edge = (radius - length <= near + rounding * radius) & (radius > 0)
    active = at_edge & (multiplier > reach)
    # A quadratic form is even, so that the half-space of directions inwards is as good as the
    # whole: nothing is weak. With a multiplier above 0 only the tangent space would count.
    touched = at_edge & ~active
    return _surface_face(
        point,
        fixed=jnp.broadcast_to(radius <= 0, x.shape),
        normal=jnp.where(active, outward, 0),
        curvature=jnp.where(active, multiplier / jnp.where(radius > 0, radius, 1), 0),
        uncertain=jnp.broadcast_to(touched & (reach > 0), x.shape),
        offset=jnp.where(radius <= 0, -x, jnp.where(active, (radius - length) * outward, 0)),
        is_clear=~touched,
        is_known=jnp.asarray(True),
        is_whole=(radius > 0) & ~at_edge,
    )


def cross_polytope_face(
    point: Vector, radius: Scalar, gradient: Vector, near: Scalar, slack: Array
) -> Face:
    r"""The face of the ball $\sum_i |x_i| \le r$.

    With the multiplier $m$ the support has $g_i = -m\,\mathrm{sign}(x_i)$, and an entry off the
    support stays 0 if $|g_i| < m$. Where one of these inequalities is no strict one, or the
    multiplier is zero at an edge, the cone is not a subspace, and `is_known` is false.
    """
    x, radius, g, near, slack = _wide(point, radius, gradient, near, slack)
    clear = jnp.abs(x) > near
    count = jnp.sum(clear).astype(x.dtype)
    size, signs = jnp.maximum(count, 1), jnp.where(clear, jnp.sign(x), 0)
    multiplier = -jnp.sum(signs * g) / size
    rounding = _rounding(x.size, x.dtype)
    reach = jnp.max(slack) + rounding * jnp.max(jnp.abs(g))
    # The surface is (r - sum |x_i|) / sqrt(n) away along the diagonal, which is nearest.
    margin = near * x.size**0.5 + rounding * radius
    at_edge = (radius - jnp.sum(jnp.abs(x)) <= margin) & (radius > 0)
    held = ~clear & (jnp.abs(g) < multiplier - 2 * reach)
    strict = (multiplier > reach) & jnp.all(clear | held) & (count > 0)
    active, touched = at_edge & strict, at_edge & ~strict
    off_facet = (radius - jnp.sum(jnp.abs(jnp.where(clear, x, 0)))) / size
    offset = jnp.where(clear, signs * off_facet, -x)
    return _surface_face(
        point,
        fixed=(active & held) | (radius <= 0),
        normal=jnp.where(active, signs / jnp.sqrt(size), 0),
        curvature=jnp.zeros((), x.dtype),
        uncertain=jnp.broadcast_to(touched & (reach > 0), x.shape),
        offset=jnp.where(radius <= 0, -x, jnp.where(active, offset, 0)),
        is_clear=~touched,
        # One facet alone is a half-space, as on the sphere.
        is_known=~touched | jnp.all(clear),
        is_whole=(radius > 0) & ~at_edge,
    )


def probed_face(projection: Projection, strategy: Strategy, near: Scalar) -> Face:
    """The face of a set of which only the projection is known: the whole space, or not known.

    A convex set with the point on its boundary lies on one side of a hyperplane through it, which
    cuts off one of two opposite points around it, but with probability 0. So the point is in the
    interior if no projection of four random pairs moves them. Carried arrays may change.
    """
    point, unravel = ravel(strategy)
    (x, near) = _wide(point, near)
    eps = float(jnp.finfo(point.dtype).eps)
    step = jnp.maximum(near, eps**0.5 * jnp.maximum(1, _length(x)))

    def stays(index: Array) -> Array:
        direction = _scattered(index // 2, x.size, x.dtype)
        direction = direction / jnp.maximum(_length(direction), 1e-30)
        sign = jnp.where(index % 2 == 0, step, -step)
        there = unravel((x + sign * direction).astype(point.dtype))
        # Projections of other libraries mix integers with floats.
        with jax.numpy_dtype_promotion("standard"):
            moved = projection(there)
        return jnp.all(ravel(moved)[0] == ravel(there)[0])

    interior = jnp.all(jax.lax.map(stays, jnp.arange(2 * _PAIRS)))
    whole = whole_space(point)
    flags = lambda face: (face.is_clear, face.is_known, face.is_whole)
    return eqx.tree_at(flags, whole, (interior, interior, interior))


_PAIRS = 4


def _scattered(seed: Array, n: int, dtype: jnp.dtype) -> Vector:
    """Numbers in [-1, 1] that look random, by a hash of their indices: no key, no constants.

    !!! cite "Source"

        Appleby, MurmurHash3 (2011): the last mixing of 32 bits.
    """
    word = lambda number: jnp.asarray(number, jnp.uint32)
    bits = (jnp.arange(n, dtype=jnp.uint32) + word(1)) * word(0x9E3779B9)
    bits = bits ^ ((seed.astype(jnp.uint32) + word(1)) * word(0x7FEB352D))
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        bits = (bits ^ (bits >> word(shift))) * word(factor)
    return bits.astype(dtype) / 2**31 - 1


def _entries_face(
    point: Vector,
    *,
    active: Array,
    touched: Array,
    side: Array,
    told: Array,
    normals: Array,
    offset: Array,
    is_whole: Array,
) -> Face:
    """A face of bounds on entries: `side` into the set at a bound with a multiplier within slack.

    `told`: whether such a multiplier is known to be 0.
    """
    weak = jnp.where(touched, side, 0)
    # One weak entry alone needs no sign, as a quadratic form is even and a half-space as good as
    # the space; two together do.
    return Face(
        free=(~active).astype(point.dtype),
        normals=normals.astype(point.dtype),
        curvature=jnp.zeros((), point.dtype),
        weak=weak.astype(jnp.int32),
        uncertain=touched & ~((weak != 0) & told),
        offset=offset.astype(point.dtype),
        is_clear=~jnp.any(touched),
        is_known=jnp.asarray(True),
        is_whole=is_whole,
    )


def _surface_face(
    point: Vector,
    *,
    fixed: Array,
    normal: Array,
    curvature: Array,
    uncertain: Array,
    offset: Array,
    is_clear: Array,
    is_known: Array,
    is_whole: Array,
) -> Face:
    """A face with one normal, on entries that are not fixed."""
    return Face(
        free=(~fixed).astype(point.dtype),
        normals=jnp.where(fixed, 0, normal).astype(point.dtype)[None],
        curvature=curvature.astype(point.dtype),
        weak=jnp.zeros(point.shape, jnp.int32),
        uncertain=uncertain & ~fixed,
        offset=offset.astype(point.dtype),
        is_clear=is_clear,
        is_known=is_known,
        is_whole=is_whole,
    )


def _wide(point: Vector, *others: Array) -> tuple[Array, ...]:
    """All in the point's precision, or single if that is more: half would round the slack to 0."""
    dtype = single_at_least(point.dtype)
    return tuple(jnp.asarray(array).astype(dtype) for array in (point, *others))


def _length(vector: Array) -> Scalar:
    return square_root(jnp.sum(jnp.square(vector)))


def _rounding(count: Array | int, dtype: jnp.dtype) -> Array:
    """Relative rounding error of a sum of `count` terms, which grows like a random walk."""
    return 8 * float(jnp.finfo(dtype).eps) * jnp.sqrt(jnp.asarray(count).astype(dtype))
