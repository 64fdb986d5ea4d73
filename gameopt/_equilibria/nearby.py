r"""The critical point next to a point, by a contraction on a ball.

With $K$ the Jacobian at $z$ on the tangent space of the sets' faces and $s = -K^{-1}\xi$, the map
$z' \mapsto z' - K^{-1}\xi(z')$ has the derivative $K^{-1}(K - K(z'))$. If
$\theta = \|K^{-1}\|\sup\|K(z') - K\| < 1$ over a ball of the radius $\|s\| / (1 - \theta)$, it
contracts the ball into itself, so that exactly one critical point is there. The supremum is
estimated, at a few points of the ball and from what the field leaves over there.

!!! cite "Source"

    Ortega & Rheinboldt (1970), Iterative Solution of Nonlinear Equations in Several Variables,
    12.6.1 (Kantorovich) and 12.1.2; docs/derivations.md.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gameopt._arithmetic import divisor, length
from gameopt._types import Scalar

LARGEST_RATIO = 0.5
r"""The largest $\theta$ that is accepted."""

Vector = Float[Array, " n"]


class Ball(NamedTuple):
    """Places around a point at which a field is looked at, as differences from the point.

    - `near`: `(a, n)`, in the ball of the radius `radius` around the point, the first of them
      Newton's step; `far`: `(b, n)`, at the distance `reach`.
    """

    near: Float[Array, "a n"]
    far: Float[Array, "b n"]
    radius: Scalar
    reach: Scalar


def ball(
    step: Vector,
    size: Scalar,
    reach: Scalar,
    directions: tuple[Vector, Vector],
    project: Callable[[Vector], Vector],
) -> Ball:
    """The places to look at.

    **Arguments:**

    - `step`: Newton's. `size`: at least its length, with what rounding may do to it.
    - `reach`: the distance within which a critical point counts as here.
    - `directions`: two at random. `project`: on the tangent space.
    """
    first, second = (_unit(project(direction)) for direction in directions)
    radius = (2 * size).astype(step.dtype)
    onward = _unit(step)
    near = jnp.stack(
        [step, 2 * step, *(radius * sign * d for d in (first, second) for sign in (1, -1))]
    )
    reach = reach.astype(step.dtype)
    far = reach * jnp.stack([jnp.where(jnp.any(step != 0), onward, first), -first, second])
    return Ball(near, far, radius, reach)


def _unit(vector: Vector) -> Vector:
    return vector / divisor(length(vector))


def left_over(
    fields: Float[Array, "a n"],
    field: Vector,
    products: Float[Array, "a n"],
    places: Float[Array, "a n"],
    noise: Scalar,
) -> Float[Array, " a"]:
    r"""$\|\xi(z + s) - \xi(z) - Js\| / \|s\|$ less rounding: at most the change of $J$ on the way.

    **Arguments:** `products`: $Js$. `noise`: of each field.
    """
    lengths = jax.vmap(length)(places)
    rest = jax.vmap(length)(fields - field[None] - products)
    return jnp.maximum(rest - 2 * noise, 0) / divisor(lengths)


class Nearby(NamedTuple):
    """A critical point nearby.

    - `shown`: whether one is within `radius`, which is infinite if not.
    - `none`: whether there is none within the reach of the ball.
    - `change`: how far the Jacobian there may be from the one here; 0 if none is shown.
    """

    shown: Any
    none: Any
    radius: Any
    change: Any

    @staticmethod
    def shapes() -> "Nearby":
        """Shapes and dtypes of the fields."""
        one = jax.ShapeDtypeStruct((), jnp.result_type(float))
        flag = jax.ShapeDtypeStruct((), jnp.bool_)
        return Nearby(flag, flag, one, one)


def nearby(inverse_norm, largest, field, residual, change, change_far, radius, reach) -> Nearby:
    r"""Conclude from the numbers of a ball. Host code: numbers of NumPy.

    **Arguments:**

    - `inverse_norm`: of $K^{-1}$, infinite if $K$ may be singular. `largest`: the norm of $K$.
    - `field`: the norm of the field on the tangent space, less its noise. `residual`: of
      $z - \mathrm{project}(z - \xi)$, less that noise.
    - `change`, `change_far`: of the Jacobian over either ball. `radius`, `reach`: theirs.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        ratio = float(inverse_norm) * float(change)
        shown = bool(np.isfinite(inverse_norm) and ratio <= LARGEST_RATIO)
        # From a critical point to here the field grows by at most the largest Jacobian on the way,
        # and the residual, as projections do not increase distances, by that and twice the way.
        growth = (float(largest) + float(change_far)) * float(reach)
        none = bool(float(field) > growth or float(residual) > growth + 2 * float(reach))
    distance = float(radius) / (2 * (1 - ratio)) if shown else np.inf
    return Nearby(shown, none, distance, float(change) if shown else 0.0)
