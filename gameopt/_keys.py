"""Keys that may be absent: a deterministic game is played with `key=None`."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray, UInt

from gameopt._types import Key


def split_key(key: Key, num: int) -> list[Key]:
    """`num` independent keys; of `None`, `num` times `None`."""
    return [None] * num if key is None else list(jax.random.split(key, num))


def fold_in(key: Key, data: int | Int[Array, ""] | UInt[Array, ""]) -> Key:
    """The key numbered `data` of a stream; of `None`, `None`."""
    return None if key is None else jax.random.fold_in(key, jnp.asarray(data, jnp.uint32))


def require_key(key: Key, who: object) -> PRNGKeyArray:
    """Returns `key`, or raises a `ValueError` that names the stochastic game that needs one."""
    if key is None:
        raise ValueError(
            f"{type(who).__name__} is stochastic and was given key=None. Pass a key, for instance "
            "key=jax.random.key(0): the same key is the same minibatch."
        )
    return key
