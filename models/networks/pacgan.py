"""Networks of PacGAN's experiments on mixtures in the plane, at any width."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from models.layers.linear import Linear, Maxout
from models.layers.normalisation import BatchNorm

INIT_DEVIATION = 0.02


class NormalisedGenerator(eqx.Module):
    """`depth` blocks of bias-free linear layer, batch normalisation and ReLU; a linear layer.

    - `layers`, `norms`: `depth` of each. `last`: the last one. `out_shape`: static.
    - `bounded`: whether tanh ends it; static.
    """

    layers: tuple[Linear, ...]
    norms: tuple[BatchNorm, ...]
    last: Linear
    out_shape: tuple[int, ...] = eqx.field(static=True)
    bounded: bool = eqx.field(static=True)

    def __call__(self, z: Float[Array, " latent"]) -> Float[Array, "*out_shape"]:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            z = jax.nn.relu(norm(layer(z)))
        x = self.last(z).reshape(self.out_shape)
        return jnp.tanh(x) if self.bounded else x


class MaxoutCritic(eqx.Module):
    """Maxout layers and a linear one to one number, for points of any shape, flattened.

    - `layers`: the maxout layers. `last`: the linear one.
    """

    layers: tuple[Maxout, ...]
    last: Linear

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, ""]:
        x = x.reshape(-1)
        for layer in self.layers:
            x = layer(x)
        return self.last(x)[0]


def normalised_generator(
    latent_size: int,
    shape: tuple[int, ...],
    *,
    width: int = 400,
    depth: int = 4,
    key: PRNGKeyArray,
    bounded: bool = False,
    deviation: float = INIT_DEVIATION,
) -> NormalisedGenerator:
    """A batch-normalised generator, from latents `(latent_size,)` to points of `shape`.

    **Arguments:**

    - `bounded`: ends it with tanh, for data in [-1, 1] such as images.
    - `deviation`: of the normal law that the weights begin with.

    !!! cite "Source"

        Lin et al. (2018), arXiv:1712.04086, section 4.1 and the authors' code; its defaults.
    """
    init = jax.nn.initializers.normal(deviation)
    keys = jax.random.split(key, depth + 1)
    sizes = [latent_size, *[width] * depth]
    layers = [Linear(n, width, init, k, bias=False) for n, k in zip(sizes, keys[:-1], strict=False)]
    last = Linear(sizes[-1], math.prod(shape), init, keys[-1])
    return NormalisedGenerator(
        tuple(layers), tuple(BatchNorm(width) for _ in layers), last, tuple(shape), bounded
    )


def maxout_critic(
    shape: tuple[int, ...],
    *,
    width: int = 200,
    depth: int = 3,
    pieces: int = 5,
    key: PRNGKeyArray,
    deviation: float = INIT_DEVIATION,
) -> MaxoutCritic:
    """A discriminator of `depth` maxout layers, from points or packs of `shape` to a logit.

    !!! cite "Source"

        Lin et al. (2018), arXiv:1712.04086, section 4.1 and the authors' code; its defaults.
    """
    init = jax.nn.initializers.normal(deviation)
    keys = jax.random.split(key, depth + 1)
    sizes = [math.prod(shape), *[width] * depth]
    layers = [Maxout(n, width, pieces, init, k) for n, k in zip(sizes, keys[:-1], strict=False)]
    return MaxoutCritic(tuple(layers), Linear(sizes[-1], 1, init, keys[-1]))
