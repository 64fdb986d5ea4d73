"""Where a perturbation may be: a ball around each image, cut by the range of the pixels."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

Norm = Literal["linf", "l2"]


class Ball(eqx.Module):
    r"""The perturbations $\delta$ of an image p with $\|\delta\| \le$ `radius`, p + δ in [0, 1].

    - `radius`: shape `()`; an array, so that another radius is no other program.
    - `norm`: `linf`, the largest change of a pixel, or `l2`, the Euclidean norm of an image.

    Every method takes a batch: the sets of different images have nothing to do with each other.
    """

    radius: Float[Array, ""]
    norm: Norm = eqx.field(static=True)

    def project(
        self, perturbations: Float[Array, "n *shape"], points: Float[Array, "n *shape"]
    ) -> Float[Array, "n *shape"]:
        """The nearest perturbations of the set, exact for both norms.

        For `linf` the set is a box. For `l2` the ball and the range of the pixels are met together,
        see `project_on_ball_in_box`; one after the other would not be the nearest point.
        """
        lower, upper = -points, 1 - points
        if self.norm == "linf":
            lower, upper = jnp.maximum(lower, -self.radius), jnp.minimum(upper, self.radius)
            return jnp.clip(perturbations, lower, upper)
        flat = lambda a: a.reshape(len(a), -1)
        nearest = jax.vmap(project_on_ball_in_box, in_axes=(0, None, 0, 0))
        out = nearest(flat(perturbations), self.radius, flat(lower), flat(upper))
        return out.reshape(perturbations.shape)

    def sample(
        self, key: PRNGKeyArray, points: Float[Array, "n *shape"]
    ) -> Float[Array, "n *shape"]:
        """Uniform in the ball, and then brought into the range of the pixels."""
        if self.norm == "linf":
            uniform = jax.random.uniform(key, points.shape, points.dtype, -1, 1)
            return self.project(self.radius * uniform, points)
        key_direction, key_length = jax.random.split(key)
        direction = steepest("l2", jax.random.normal(key_direction, points.shape, points.dtype))
        # The share of a ball's volume within a radius grows as its d-th power.
        length = jax.random.uniform(key_length, (len(points),), points.dtype) ** (
            1 / points[0].size
        )
        return self.project(self.radius * jax.vmap(jnp.multiply)(length, direction), points)


def steepest(norm: Norm, gradients: Float[Array, "n *shape"]) -> Float[Array, "n *shape"]:
    """For each image the direction of norm 1 in which its loss climbs fastest; 0 where it is flat.

    The sign of the gradient for `linf`, the gradient over its length for `l2`.
    """
    if norm == "linf":
        return jnp.sign(gradients)
    axes = tuple(range(1, gradients.ndim))
    largest = jnp.max(jnp.abs(gradients), axis=axes, keepdims=True)
    # By the largest entry first: the square of a small gradient is 0 in float32.
    scaled = gradients / jnp.where(largest > 0, largest, 1)
    length = jnp.sqrt(jnp.sum(jnp.square(scaled), axis=axes, keepdims=True))
    return scaled / jnp.where(length > 0, length, 1)


def project_on_ball_in_box(
    point: Float[Array, " d"],
    radius: Float[Array, ""],
    lower: Float[Array, " d"],
    upper: Float[Array, " d"],
) -> Float[Array, " d"]:
    r"""The nearest z to `point` with $\|z\|_2 \le$ `radius` and `lower` <= z <= `upper`, exactly.

    The box must hold 0. By the conditions of Karush, Kuhn and Tucker z = clip(s y) for one s in
    (0, 1], the largest that keeps z in the ball. In $t = s^2$ the square of its norm,
    $\sum_i \min(t y_i^2, b_i^2)$ with b the bounds, is concave and made of lines, so that Newton's
    method climbs from 0 to its root in finitely many steps, of which few are needed.
    """
    squares = jnp.square(point)
    limits = jnp.square(jnp.where(point > 0, upper, lower))

    def newton(carry):
        _, t = carry
        met = t * squares >= limits
        room = jnp.square(radius) - jnp.sum(jnp.where(met, limits, 0))
        slope = jnp.sum(jnp.where(met, 0, squares))
        root = jnp.maximum(room, 0) / jnp.where(slope > 0, slope, 1)
        return t, jnp.where(slope > 0, jnp.minimum(root, 1), 1)

    below, zero = -jnp.ones_like(squares[0]), jnp.zeros_like(squares[0])
    _, t = jax.lax.while_loop(lambda carry: carry[1] > carry[0], newton, (below, zero))
    return jnp.clip(jnp.sqrt(t) * point, lower, upper)
