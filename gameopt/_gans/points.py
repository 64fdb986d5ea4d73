"""Points that a GAN sees: latents, samples, conditions, augmentation."""

from collections.abc import Callable
from typing import Any, Generic, TypeAlias, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from gameopt._checks import Integer, check_count, count_array


class Conditioned(eqx.Module):
    """A point, and what it is conditioned on.

    - `value`: the point itself, shape `shape`; of a batch `(n, *shape)`.
    - `condition`: a label (int32, shape `()`), an image, any pytree of arrays. Of a batch every
      leaf has the batch axis in front.

    A conditional generator is called `generator(z, condition)`, a conditional critic
    `critic(x, condition)`. Gradients by points are gradients by values.
    """

    value: Array
    condition: PyTree


Points: TypeAlias = Float[Array, "n *shape"] | Conditioned
"""A batch of points of shape `shape`, of a `Conditioned` one its value."""

Batched = TypeVar("Batched", bound=Array | Conditioned)
"""A batch of either kind, where what comes out is of the kind of what goes in."""

Point: TypeAlias = Float[Array, "..."] | Conditioned


def value_of(point: Any) -> Array:
    """The point without its condition."""
    return point.value if isinstance(point, Conditioned) else point


def with_value(point: Any, value: Array) -> Any:
    """Another point with the same condition, where there is one."""
    return Conditioned(value, point.condition) if isinstance(point, Conditioned) else value


def call_at(function: Callable[..., Any], point: Any) -> Any:
    """`function(value, condition)` at a `Conditioned` point, `function(point)` at any other."""
    if isinstance(point, Conditioned):
        return function(point.value, point.condition)
    return function(point)


def reshaped(points: Any, old_axes: int, shape: tuple[int, ...]) -> Any:
    """Batches with their first `old_axes` axes, of all leaves, brought to `shape`."""
    return jax.tree.map(lambda leaf: leaf.reshape(*shape, *leaf.shape[old_axes:]), points)


Sampler = Callable[[PRNGKeyArray, int], Array | Conditioned]
"""Draws a batch: `(key, n) -> (n, *shape)`. A module's arrays are leaves of the game."""


class Samples(eqx.Module, Generic[Batched]):
    """Draws from a finite set, uniformly and with replacement.

    - `points`: shape `(n, *shape)`, on the device. Of `Conditioned` points, the same rows are
      drawn of every leaf.
    - `count`: how many of the first points there are to draw from, all of them by default. A
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


Augment: TypeAlias = Callable[[PRNGKeyArray, Array], Array]
"""`(key, point) -> point`, of one point without its condition; differentiable by the point."""


def augmented(augment: Augment, points: Batched, key: PRNGKeyArray) -> Batched:
    """Every point transformed by a fresh key; of `Conditioned` points only the values are.

    **Arguments:** `augment`: `(key, point) -> point`. `points`: shape `(n, *shape)`. `key`: is
    split in n.
    """
    values = value_of(points)
    keys = jax.random.split(key, values.shape[0])
    return with_value(points, jax.vmap(augment)(keys, values))
