"""Batches done a few images at a time, as many as the cache has room for."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Images = Float[Array, "n _ _ _"]


def piece(n: int, size: int, most: int) -> int:
    """The number of images at a time, of `size` bytes each and `most` in all: a divisor of n if one
    is near."""
    count = min(n, max(1, most // size))
    divisors = [each for each in range(max(1, (count + 1) // 2), count + 1) if n % each == 0]
    return max(divisors, default=count)


def mapped(part: Callable, images: Images, piece: int) -> Images:
    """Map a function over images, `piece` of them at a time."""
    if piece >= len(images):
        return part(images)
    whole = len(images) // piece * piece
    head = images[:whole].reshape(-1, piece, *images.shape[1:])
    done = lax.map(part, head)
    done = done.reshape(whole, *done.shape[2:])
    if whole == len(images):
        return done
    return jnp.concatenate([done, part(images[whole:])])


def summed(part: Callable, x: Images, g: Images, piece: int) -> Array:
    """Sum a function over images, `piece` of them at a time."""
    if piece >= len(x):
        return part(x, g)
    whole = len(x) // piece * piece
    heads = jax.tree.map(lambda a: a[:whole].reshape(-1, piece, *a.shape[1:]), (x, g))
    like = jax.eval_shape(part, x[:1], g[:1])
    rest = part(x[whole:], g[whole:]) if whole < len(x) else jnp.zeros(like.shape, like.dtype)
    return lax.scan(lambda total, pair: (total + part(*pair), None), rest, heads)[0]
