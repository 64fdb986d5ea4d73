r"""Faces of convex sets: the active constraints at a point, and the directions that they leave.

At a minimum $z$ of a loss on a convex set $-g$ is normal to the set. Let a constraint be active.
If its multiplier is positive, the critical cone has the constraint's tangent space only; if the
multiplier is 0, both that and the side inside the set. $z$ is a strict minimum if the Lagrangian's
Hessian, $H$ with `Face.curvature` times the identity added, is positive on the critical cone.

!!! cite "Source"

    Nocedal & Wright (2006), Numerical Optimization, theorems 12.5 and 12.6.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gameopt._arithmetic import single_at_least
from gameopt._types import Scalar

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
    - `gap`: distance from the point to the affine hull of the face.
    - `is_clear`: no weak and no uncertain constraint, so that the game next to the point is a game
      on this face.
    - `is_known`: False if nothing is known of the set at this point; the rest means nothing then.
    - `is_whole`: no constraint is active: an interior point.
    """

    free: Vector
    normals: Float[Array, "m n"]
    curvature: Scalar
    weak: Array
    uncertain: Bool[Array, " n"]
    gap: Scalar
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
        gap=jnp.zeros((), dtype),
        is_clear=jnp.asarray(True),
        is_known=jnp.asarray(True),
        is_whole=jnp.asarray(True),
    )
