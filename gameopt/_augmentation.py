"""Random transformations of points, each with a key of its own."""

from collections.abc import Callable
from typing import TypeAlias

import jax
from jaxtyping import Array, PRNGKeyArray

from gameopt._conditioned import Batched, value_of, with_value

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
