"""Images made of an image, for a generator to undo: its left half, its edges, fewer pixels."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from models import Resize, average_pool

Images = Float[Array, "n h w c"]
Made = Float[Array, "n h w d"]
FACTOR = 4
"""How many times smaller a small image is, down and across, if it is then at least 4 pixels."""


def with_channels(images: np.ndarray) -> np.ndarray:
    """Images `(n, h, w)` as `(n, h, w, 1)`."""
    return images[..., None] if images.ndim == 3 else images


def left_half(images: Images) -> Made:
    """The left half, the other at 0, and a channel that is 1 where the image is known, else -1."""
    known = jnp.arange(images.shape[2]) < images.shape[2] // 2
    known = jnp.broadcast_to(known[None, None, :, None], (*images.shape[:3], 1))
    mask = jnp.where(known, 1, -1).astype(images.dtype)
    return jnp.concatenate([jnp.where(known, images, 0), mask], axis=-1)


def edges(images: Images) -> Made:
    r"""Where the brightness changes: Sobel's gradient norm over its largest value, in [-1, 1].

    !!! cite "Source"

        Sobel & Feldman (1968); Gonzalez & Woods (2018), Digital Image Processing, section 10.2.
    """
    grey = jnp.mean(images, axis=-1)
    padded = jnp.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = padded[:, :, 2:] - padded[:, :, :-2]
    down = padded[:, 2:] - padded[:, :-2]
    smooth = lambda a, axis: (
        jnp.take(a, jnp.arange(a.shape[axis] - 2), axis)
        + 2 * jnp.take(a, jnp.arange(1, a.shape[axis] - 1), axis)
        + jnp.take(a, jnp.arange(2, a.shape[axis]), axis)
    )
    norms = jnp.sqrt(smooth(across, 1) ** 2 + smooth(down, 2) ** 2)
    largest = jnp.max(norms, axis=(1, 2), keepdims=True)
    return (2 * norms / jnp.where(largest > 0, largest, 1) - 1)[..., None]


def low_resolution(images: Images) -> Made:
    """Means of squares of pixels, each as large as its square: the size stays."""
    size = (images.shape[1], images.shape[2])
    factor = FACTOR if min(size) >= 4 * FACTOR else 2
    return jax.vmap(lambda image: Resize(size)(average_pool(image, factor)))(images)


CONDITIONS: dict[str, Callable[[Images], Made]] = {
    "edges": edges,
    "left-half": left_half,
    "low-res": low_resolution,
}
