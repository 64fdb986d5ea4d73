"""A residual multilayer perceptron that is told its noise level, and perhaps its class."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from models.diffusion.time_embedding import TimeEmbedding
from models.layers.linear import Linear

INIT = jax.nn.initializers.lecun_normal()
ZEROS = jax.nn.initializers.zeros
FEATURES = 64


class TimeBlock(eqx.Module):
    """Two layers, between them scale and shift by the embedded time, added to what comes in.

    - `first`, `second`: the layers, of which the second begins at 0. `told`: from the embedding to
      the scale and the shift.

    !!! cite "Source"

        He et al. (2016), arXiv:1603.05027, activation before each layer; Li et al. (2024),
        arXiv:2406.11838, section 4.2, for residual perceptrons as denoisers.
    """

    first: Linear
    told: Linear
    second: Linear

    def __init__(self, width: int, key: PRNGKeyArray):
        key_first, key_told = jax.random.split(key)
        self.first = Linear(width, width, INIT, key_first)
        self.told = Linear(width, 2 * width, INIT, key_told)
        self.second = Linear(width, width, ZEROS, key)

    def __call__(
        self, x: Float[Array, " width"], embedded: Float[Array, " width"]
    ) -> Float[Array, " width"]:
        scale, shift = jnp.split(self.told(embedded), 2)
        hidden = (1 + scale) * self.first(jax.nn.silu(x)) + shift
        return x + self.second(jax.nn.silu(hidden))


class TimeMLP(eqx.Module):
    """A denoiser's network for points of any shape that are short enough to be vectors.

    Called with a point, a time, and, if it has classes, a label of 0 to `classes`. The last is the
    null label, with which it is the network of no class, as it is without a label; labels outside
    are taken for the nearest. It begins at 0.

    - `embedding`: of time and label. `inward`, `blocks`, `outward`: one after another.
    """

    embedding: TimeEmbedding
    inward: Linear
    blocks: tuple[TimeBlock, ...]
    outward: Linear

    def __init__(
        self, shape: tuple[int, ...], *, width: int, depth: int, classes: int = 0, key: PRNGKeyArray
    ):
        """Make one for points of `shape`, with `depth` residual blocks of `width` units.

        **Raises:** `ValueError` for a width or a depth below 1, a point without entries, or classes
        below 0.
        """
        if width < 1 or depth < 1 or math.prod(shape) < 1:
            raise ValueError(
                "TimeMLP needs a width and a depth of at least 1 and a point with entries, got "
                f"{width}, {depth} and {shape}."
            )
        key_embedding, key_in, key_blocks = jax.random.split(key, 3)
        self.embedding = TimeEmbedding(FEATURES, width, classes, key_embedding)
        self.inward = Linear(math.prod(shape), width, INIT, key_in)
        self.blocks = tuple(TimeBlock(width, k) for k in jax.random.split(key_blocks, depth))
        self.outward = Linear(width, math.prod(shape), ZEROS, key)

    def __call__(
        self, x: Float[Array, "*shape"], time: Float[Array, ""], *label: Int[Array, ""]
    ) -> Float[Array, "*shape"]:
        embedded = self.embedding(time, *label)
        hidden = self.inward(x.reshape(-1))
        for block in self.blocks:
            hidden = block(hidden, embedded)
        return self.outward(jax.nn.silu(hidden)).reshape(x.shape)
