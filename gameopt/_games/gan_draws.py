"""What a GAN draws: points of a finite set, latents, and a batch of both."""

from collections.abc import Callable
from typing import Any, Generic

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from gameopt._checks import Integer, check_count, count_array
from gameopt._conditioned import Batched, Conditioned

Sampler = Callable[[PRNGKeyArray, int], Array | Conditioned]
"""Draws a batch: `(key, n) -> (n, *shape)`. A module's arrays are leaves of the game."""


class Samples(eqx.Module, Generic[Batched]):
    """Draws from a finite set, uniformly and with replacement.

    - `points`: shape `(n, *shape)`, on the device. Of `Conditioned` points, the same rows are
      drawn of every leaf.
    - `count`: how many of the first points there are to draw from, all of them if left out. A
      short last window of a larger data set is padded to the others' shape and says its count.
    """

    points: Batched
    count: Int[Array, ""]

    def __init__(self, points: Batched, count: Integer | None = None):
        """**Raises:** `ValueError` if values and conditions are not equally many."""
        self.points = jax.tree.map(jnp.asarray, points)
        sizes = [len(leaf) for leaf in jax.tree.leaves(self.points)]
        if len(set(sizes)) != 1:
            raise ValueError(
                f"Samples needs as many conditions as points, got leaves of lengths {sizes}. "
                "Every leaf has the points' axis in front."
            )
        self.count = count_array("count", sizes[0] if count is None else count, 1)

    def __call__(self, key: PRNGKeyArray, n: int) -> Batched:
        rows = jax.random.randint(key, (n,), 0, self.count)
        return jax.tree.map(lambda leaf: leaf[rows], self.points)


def _shape(value: Any) -> tuple[int, ...]:
    axes = value if isinstance(value, tuple | list) else (value,)
    return tuple(check_count("an axis of the latents' shape", axis, 1) for axis in axes)


class NormalLatent(eqx.Module):
    """Standard normal latents of shape `shape`."""

    shape: tuple[int, ...] = eqx.field(static=True, converter=_shape)

    def __call__(self, key: PRNGKeyArray, n: int) -> Float[Array, "n ..."]:
        return jax.random.normal(key, (n, *self.shape))


class Batch(eqx.Module):
    """One sample of a GAN's data and noise.

    - `real`: shape `(n, *shape)`. `latents`: shape `(n, *latent_shape)`. Both have an axis of the
      packing behind n where there is one. Arrays, or both `Conditioned`: each latent by the
      condition of the real point in its row.
    - `key`: what is left for augmentation and penalty to draw with.
    """

    real: Any
    latents: Any
    key: PRNGKeyArray
