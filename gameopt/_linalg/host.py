"""Functions of NumPy arrays, called back on the host from compiled programs."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def on_host(function: Callable[..., Any], shapes: Any, *arguments: jax.Array) -> Any:
    """`function` of NumPy arrays, on the host, also under jit and vmap.

    The thread in which JAX calls back does not know of a local `jax.enable_x64`, and would round
    doubles to single precision on the way in and refuse them on the way out. So they go both ways
    as pairs of 32-bit words.

    **Arguments:**

    - `shapes`: the shapes and dtypes of the result, a tree of `jax.ShapeDtypeStruct`.
    """
    wanted, structure = jax.tree.flatten(shapes)
    dtypes = [np.dtype(argument.dtype) for argument in arguments]

    def on_numpy(*words):
        given = [_read(np.asarray(w), dtype) for w, dtype in zip(words, dtypes, strict=True)]
        found = jax.tree.leaves(function(*given))
        return [
            _written(np.asarray(a).astype(shape.dtype).reshape(shape.shape))
            for a, shape in zip(found, wanted, strict=True)
        ]

    words = jax.pure_callback(
        on_numpy,
        [jax.eval_shape(_to_words, shape) for shape in wanted],
        *map(_to_words, arguments),
        vmap_method="sequential",
    )
    found = [_from_words(w, shape.dtype) for w, shape in zip(words, wanted, strict=True)]
    return structure.unflatten(found)


def _part(dtype: Any) -> np.dtype:
    """The dtype of the real part."""
    return np.empty(0, dtype).real.dtype


def _to_words(array: jax.Array) -> jax.Array:
    """Double precision, real or complex, as pairs of 32-bit words along a last axis."""
    if _part(array.dtype).itemsize < 8:
        return array
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        array = jnp.stack([array.real, array.imag], axis=-1)
    return lax.bitcast_convert_type(array, jnp.uint32)


def _from_words(words: jax.Array, dtype: Any) -> jax.Array:
    if _part(dtype).itemsize < 8:
        return words
    parts = lax.bitcast_convert_type(words, _part(dtype))
    if jnp.issubdtype(dtype, jnp.complexfloating):
        return lax.complex(parts[..., 0], parts[..., 1])
    return parts


def _written(array: np.ndarray) -> np.ndarray:
    """`_to_words` of NumPy."""
    part = _part(array.dtype)
    if part.itemsize < 8:
        return array
    axes = (2, 2) if np.iscomplexobj(array) else (2,)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint32).reshape(*array.shape, *axes)


def _read(words: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """`_from_words` of NumPy."""
    part = _part(dtype)
    if part.itemsize < 8:
        return words
    axes = 2 if np.issubdtype(dtype, np.complexfloating) else 1
    shape = words.shape[: words.ndim - axes]
    return np.ascontiguousarray(words).reshape(-1).view(dtype).reshape(shape)
