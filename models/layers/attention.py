"""Attention over places, and causal attention, all at once or place by place."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from models.layers.linear import Linear


class Memory(eqx.Module):
    """Keys and values of the places so far; zeros behind them."""

    keys: Float[Array, "places heads size"]
    values: Float[Array, "places heads size"]


class SelfAttention(eqx.Module):
    """Attention of several heads, in which every place sees all.

    - `inward`: to queries, keys and values of all heads. `outward`: from the heads' answers.
    - `heads`: static.

    !!! cite "Source"

        Vaswani et al. (2017), arXiv:1706.03762, section 3.2.
    """

    inward: Linear
    outward: Linear
    heads: int = eqx.field(static=True)

    def __init__(self, width: int, heads: int, init: Initializer, key: PRNGKeyArray):
        """**Raises:** `ValueError` unless the heads share the width evenly."""
        if heads < 1 or width % heads:
            raise ValueError(f"{width} numbers a place cannot be shared by {heads} heads evenly.")
        key_in, key_out = jax.random.split(key)
        self.inward = Linear(width, 3 * width, init, key_in)
        self.outward = Linear(width, width, init, key_out)
        self.heads = heads

    def __call__(self, x: Float[Array, "places width"]) -> Float[Array, "places width"]:
        queries, keys, values = self._heads(jax.vmap(self.inward)(x))
        seen = self._seen(len(x))
        return jax.vmap(self.outward)(_attend(queries, keys, values, seen))

    def _seen(self, places: int) -> Bool[Array, "places places"]:
        """The places, across, that each place, down, sees."""
        return jnp.ones((places, places), bool)

    def _heads(self, x: Float[Array, "places three"]) -> list[Float[Array, "places heads size"]]:
        return [part.reshape(len(x), self.heads, -1) for part in jnp.split(x, 3, axis=1)]


class CausalAttention(SelfAttention):
    """Attention of several heads, in which a place sees itself and those before it."""

    def __init__(self, width: int, heads: int, init: Initializer, key: PRNGKeyArray):
        """**Raises:** `ValueError` unless the heads share the width evenly."""
        super().__init__(width, heads, init, key)

    def _seen(self, places: int) -> Bool[Array, "places places"]:
        return jnp.tril(jnp.ones((places, places), bool))

    def memory(self, places: int) -> Memory:
        """The memory before the first of some places."""
        width = self.outward.weight.shape[0]
        nothing = jnp.zeros((places, self.heads, width // self.heads), self.outward.weight.dtype)
        return Memory(nothing, nothing)

    def step(
        self, x: Float[Array, " width"], memory: Memory, place: Int[Array, ""]
    ) -> tuple[Float[Array, " width"], Memory]:
        """The answer at one place from those before it, and the memory with this one in it."""
        query, own_key, own_value = self._heads(self.inward(x)[None])
        put = lambda kept, new: jax.lax.dynamic_update_slice_in_dim(kept, new, place, axis=0)
        memory = Memory(put(memory.keys, own_key), put(memory.values, own_value))
        seen = jnp.arange(len(memory.keys), dtype=place.dtype)[None] <= place
        return self.outward(_attend(query, memory.keys, memory.values, seen)[0]), memory


def _attend(
    queries: Float[Array, "q heads size"],
    keys: Float[Array, "places heads size"],
    values: Float[Array, "places heads size"],
    seen: Bool[Array, "q places"],
) -> Float[Array, "q width"]:
    scores = jnp.einsum("qhd,khd->hqk", queries, keys) * queries.shape[2] ** -0.5
    weights = jax.nn.softmax(jnp.where(seen[None], scores, -jnp.inf), axis=2)
    return jnp.einsum("hqk,khd->qhd", weights, values).reshape(len(queries), -1)
