"""Conditions of image GANs and the data that have them."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from models import Resize, average_pool
from recipes._data import Dataset, check_labelled_images, hold_out
from recipes._data.training import TrainingData
from recipes._gans.images import ImageGANArgs, images
from recipes._runtime.errors import UserError

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
    r"""Edges: Sobel's gradient norm over its largest value, in [-1, 1].

    !!! cite "Source"

        Sobel & Feldman (1968); Gonzalez & Woods (2018), Digital Image Processing, section 10.2.
    """
    grey = jnp.mean(images, axis=-1)
    padded = jnp.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = padded[:, :, 2:] - padded[:, :, :-2]
    down = padded[:, 2:] - padded[:, :-2]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    down = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    norms = jnp.sqrt(across**2 + down**2)
    largest = jnp.max(norms, axis=(1, 2), keepdims=True)
    return (2 * norms / jnp.where(largest > 0, largest, 1) - 1)[..., None]


def low_resolution(images: Images) -> Made:
    """Means of squares of pixels, each as large as its square: the size stays."""
    size = (images.shape[1], images.shape[2])
    factor = FACTOR if min(size) >= 4 * FACTOR else 2
    return jax.vmap(lambda image: Resize(size)(average_pool(image, factor)))(images)


class ImageCondition(NamedTuple):
    """A condition made of images, and the number of its last channels that are no picture."""

    make: Callable[[Images], Made]
    hidden_channels: int = 0

    def picture(self, made: np.ndarray) -> np.ndarray:
        """The channels that can be looked at."""
        return made[..., : made.shape[-1] - self.hidden_channels]


CONDITIONS: dict[str, ImageCondition] = {
    "edges": ImageCondition(edges),
    "left-half": ImageCondition(left_half, hidden_channels=1),
    "low-res": ImageCondition(low_resolution),
}


class ConditionedData(TrainingData):
    """The data set of the flags, without the held-out fifth.

    - `held_out`: the other fifth. `classes`: how many, 0 where images are the conditions.
    - `condition`: `label`, or a name of `CONDITIONS`.
    - `conditions`, `held_out_conditions`: labels, or images `(n, h, w, channels)`.
    """

    def __init__(self, args: ImageGANArgs, condition: str):
        data = images(args)
        self.loaded, self.scaling, self.name = data.loaded, data.scaling, data.name
        self.scaled, self.held_out = hold_out(data.scaled)
        self.condition, self.classes = condition, 0
        if condition == "label":
            self.classes = check_labelled_images(self.scaled, self.held_out)
        if args.batch_size > len(self.scaled.points):
            raise UserError(
                f"--batch-size {args.batch_size} is larger than the data without its held-out "
                f"fifth, {len(self.scaled.points)} images; choose a smaller batch."
            )

    @functools.cached_property
    def conditions(self) -> np.ndarray:
        return self._of(self.scaled)

    @functools.cached_property
    def held_out_conditions(self) -> np.ndarray:
        return self._of(self.held_out)

    def _of(self, data: Dataset) -> np.ndarray:
        if self.condition == "label":
            assert data.labels is not None
            return data.labels
        make = jax.jit(CONDITIONS[self.condition].make)
        return np.asarray(make(jnp.asarray(with_channels(data.points))))
