"""Keys that may be absent: a deterministic game is played with `key=None`."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray, PyTree, UInt

from gameopt._types import Key


def split_key(key: Key, num: int) -> list[Key]:
    """`num` independent keys; of `None`, `num` times `None`."""
    return [None] * num if key is None else list(jax.random.split(key, num))


def fold_in(key: Key, data: int | Int[Array, ""] | UInt[Array, ""]) -> Key:
    """The key numbered `data` of a stream; of `None`, `None`."""
    return None if key is None else jax.random.fold_in(key, jnp.asarray(data, jnp.uint32))


def again(key: Any) -> Any:
    """The same key, or array of keys, for the same sample once more: a reuse that is meant.

    `jax_debug_key_reuse` takes it for a key of its own. `None` stays `None`.
    """
    return None if key is None else jax.random.clone(key)


class _KeyData(eqx.Module):
    data: UInt[Array, "..."]
    impl: Any = eqx.field(static=True)


def as_data(tree: PyTree) -> PyTree:
    """The tree with typed keys as plain numbers, for libraries that know no keys."""
    is_key = lambda leaf: eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    plain = lambda key: _KeyData(jax.random.key_data(again(key)), jax.random.key_impl(key))
    return jax.tree.map(lambda leaf: plain(leaf) if is_key(leaf) else leaf, tree)


def as_keys(tree: PyTree) -> PyTree:
    """The inverse of `as_data`."""
    is_data = lambda node: isinstance(node, _KeyData)
    typed = lambda node: jax.random.wrap_key_data(node.data, impl=node.impl)
    return jax.tree.map(lambda node: typed(node) if is_data(node) else node, tree, is_leaf=is_data)


def require_key(key: Key, who: object) -> PRNGKeyArray:
    """The key itself; a `ValueError` for `None`, which names the stochastic game that needs one."""
    if key is None:
        raise ValueError(
            f"{type(who).__name__} is stochastic and was given key=None. Pass a key, for instance "
            "key=jax.random.key(0): the same key is the same minibatch."
        )
    return key
