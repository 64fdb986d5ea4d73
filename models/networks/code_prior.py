"""An autoregressive law of grids of codes: a small causal transformer."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from models.layers.attention import CausalAttention, Memory
from models.layers.linear import Linear
from models.layers.normalisation import GroupNorm

INIT = jax.nn.initializers.lecun_normal()
EMBEDDED = jax.nn.initializers.normal(0.1)
EXPANSION = 4
"""Units of a hidden layer to each number of a place."""


class Block(eqx.Module):
    """Attention, and then two layers at each place, both added to what comes in.

    !!! cite "Source"

        Xiong et al. (2020), arXiv:2002.04745: normalisation before each part.
    """

    attention: CausalAttention
    norms: tuple[GroupNorm, GroupNorm]
    first: Linear
    second: Linear

    def __init__(self, width: int, heads: int, key: PRNGKeyArray):
        key_attention, key_first, key_second = jax.random.split(key, 3)
        self.attention = CausalAttention(width, heads, INIT, key_attention)
        self.norms = GroupNorm(width, 1), GroupNorm(width, 1)
        self.first = Linear(width, EXPANSION * width, INIT, key_first)
        self.second = Linear(EXPANSION * width, width, INIT, key_second)

    def __call__(self, x: Float[Array, "places width"]) -> Float[Array, "places width"]:
        x = x + self.attention(jax.vmap(self.norms[0])(x))
        return jax.vmap(self._at_place)(x)

    def step(
        self, x: Float[Array, " width"], memory: Memory, place: Int[Array, ""]
    ) -> tuple[Float[Array, " width"], Memory]:
        """The answer at one place, and the memory with this one in it."""
        answer, memory = self.attention.step(self.norms[0](x), memory, place)
        return self._at_place(x + answer), memory

    def _at_place(self, x: Float[Array, " width"]) -> Float[Array, " width"]:
        return x + self.second(jax.nn.gelu(self.first(self.norms[1](x))))


class CodePrior(eqx.Module):
    r"""$p(c) = \prod_t p(c_t \mid c_1, \dots, c_{t-1})$ for a grid of codes, row by row.

    - `embedding`: of codes, shape `(k, width)`. `start`: in place of the code before the first.
    - `places`: learned, shape `(h w, width)`. `blocks`, `norm`, `head`: to the k logits of a place.
    - `grid`: height and width. Static.

    Before training it is the uniform law, $-\log p(c) = hw \log k$: the head begins at 0.

    !!! cite "Source"

        van den Oord, Vinyals & Kavukcuoglu (2017), arXiv:1711.00937, section 3.3, where it is a
        PixelCNN.
    """

    embedding: Float[Array, "k width"]
    start: Float[Array, " width"]
    places: Float[Array, "places width"]
    blocks: tuple[Block, ...]
    norm: GroupNorm
    head: Linear
    grid: tuple[int, int] = eqx.field(static=True)

    def __init__(
        self,
        codes: int,
        grid: tuple[int, int],
        *,
        width: int,
        depth: int,
        heads: int,
        key: PRNGKeyArray,
    ):
        """Make a prior of `codes` codes a place; `depth`: blocks.

        **Raises:** `ValueError` for sizes below 1, or heads that do not share the width evenly.
        """
        if min(codes, *grid, width) < 1 or depth < 0:
            raise ValueError(
                "CodePrior needs codes, a grid and a width of at least 1, and a depth of 0 or "
                f"more, got {codes}, {grid}, {width} and {depth}."
            )
        key_codes, key_start, key_places, *keys = jax.random.split(key, depth + 3)
        self.embedding = EMBEDDED(key_codes, (codes, width))
        self.start = EMBEDDED(key_start, (width,))
        self.places = EMBEDDED(key_places, (math.prod(grid), width))
        self.blocks = tuple(Block(width, heads, k) for k in keys)
        self.norm = GroupNorm(width, 1)
        self.head = Linear(width, codes, jax.nn.initializers.zeros, key)
        self.grid = grid

    def logits(self, indices: Int[Array, "h w"]) -> Float[Array, "h w k"]:
        """The logits of each place, given the codes before it."""
        before = jnp.concatenate([self.start[None], self.embedding[indices.ravel()[:-1]]])
        return self.logits_of(before).reshape(*self.grid, -1)

    def logits_of(self, before: Float[Array, "places width"]) -> Float[Array, "places k"]:
        """The logits of each place, from the embedded codes before each."""
        x = before + self.places
        for block in self.blocks:
            x = block(x)
        return jax.vmap(self._logits_at)(x)

    def _logits_at(self, x: Float[Array, " width"]) -> Float[Array, " k"]:
        return self.head(self.norm(x))

    def log_prob(
        self, indices: Int[Array, "h w"], seen: Int[Array, "h w"] | None = None
    ) -> Float[Array, ""]:
        """The log probability of a grid of codes, in nats.

        `seen`: what is seen of the codes before each place instead of them, such as codes with
        noise, which keep a prior from learning few data by heart.
        """
        logs = jax.nn.log_softmax(self.logits(indices if seen is None else seen), axis=-1)
        return jnp.sum(jnp.take_along_axis(logs, indices[..., None], axis=-1))

    def sample(self, key: PRNGKeyArray) -> Int[Array, "h w"]:
        """One grid, code by code; each place is computed once."""
        count = len(self.places)
        memories = [block.attention.memory(count) for block in self.blocks]

        def draw(carry, now):
            before, memories = carry
            place, key = now
            x, kept = before + self.places[place], []
            for block, memory in zip(self.blocks, memories, strict=True):
                x, memory = block.step(x, memory, place)
                kept.append(memory)
            code = jax.random.categorical(key, self._logits_at(x)).astype(jnp.int32)
            return (self.embedding[code], kept), code

        steps = jnp.arange(count, dtype=jnp.int32), jax.random.split(key, count)
        _, codes = jax.lax.scan(draw, (self.start, memories), steps)
        return codes.reshape(self.grid)
