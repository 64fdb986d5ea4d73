"""Points with what they are conditioned on, and functions of either kind of point."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import equinox as eqx
import jax
from jaxtyping import Array, Float, PyTree


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
