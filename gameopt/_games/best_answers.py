"""Gains of best answers in closed form."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._arithmetic import single_at_least
from gameopt._types import Scalar


def linear_gain(gradient: Float[Array, "..."], magnitude: Scalar) -> Scalar:
    """The best answer's gain for a linear loss: infinite unless the gradient is zero.

    **Arguments:**

    - `gradient`: of the own loss. `magnitude`: of the terms that it is the sum of, which says how
      large its rounding is.
    """
    norm = jnp.sqrt(jnp.sum(jnp.square(gradient)))
    rounding = 8 * gradient.size * float(jnp.finfo(gradient.dtype).eps) * magnitude
    # Not the other way round, so that nan gains infinity.
    return jnp.where(norm <= rounding, 0, jnp.inf).astype(gradient.dtype)


def quadratic_gain(
    hessian: Float[Array, "n n"], gradient: Float[Array, " n"], magnitude: Scalar
) -> Scalar:
    r"""The best answer's gain for a quadratic loss: $\tfrac12 g^\top H^{-1} g$, if that is bounded.

    Infinite where $H$ has a negative eigenvalue, or a zero one along which $g$ is not zero, both up
    to rounding.

    **Arguments:**

    - `hessian`: $H$, of which the symmetric part counts. `gradient`, `magnitude`: see
      `linear_gain`.
    """
    dtype = gradient.dtype
    eps = float(jnp.finfo(dtype).eps)
    wide = single_at_least(dtype)
    hessian, gradient, magnitude = (a.astype(wide) for a in (hessian, gradient, magnitude))
    values, vectors = jnp.linalg.eigh((hessian + hessian.T) / 2)
    along = vectors.T @ gradient
    flat = 8 * gradient.size * eps * jnp.max(jnp.abs(values))
    slope = jnp.abs(along) > 8 * gradient.size * eps * magnitude
    curved = values > flat
    gains = jnp.where(curved, along**2 / (2 * jnp.where(curved, values, 1)), 0)
    finite = jnp.all(jnp.isfinite(values)) & jnp.all(jnp.isfinite(gradient))
    unbounded = jnp.any((values < -flat) | (~curved & slope)) | ~finite
    return jnp.where(unbounded, jnp.inf, jnp.sum(gains)).astype(dtype)
