"""Arithmetic at zero that keeps NaN and has finite derivatives; precision."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def square_root(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\sqrt x$, whose derivative at 0 is taken to be 0. NaN stays NaN."""
    zero = x == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, x)))


def single_at_least(dtype: Any) -> np.dtype:
    """The dtype, or float32 for half precision, in which there is no linear algebra."""
    dtype = np.dtype(dtype)
    return dtype if dtype.itemsize >= 4 else np.dtype(np.float32)


def length(vector: Float[Array, " n"]) -> Float[Array, ""]:
    """The Euclidean norm, also where the squares would underflow or overflow. NaN stays NaN."""
    scale = jnp.max(jnp.abs(vector), initial=0)
    usable = (scale > 0) & (scale < jnp.inf)
    return jnp.where(usable, scale * jnp.linalg.norm(vector / jnp.where(usable, scale, 1)), scale)


def divisor(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`x`, and 1 in place of 0, so that 0 / 0 comes out as 0. NaN stays NaN."""
    return jnp.where(x == 0, 1, x)
