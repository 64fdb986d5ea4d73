"""Multilayer perceptrons, and the generators and critics made of them."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt import lipschitz_upper_bound, product_of_bounds
from models.layers.linear import Linear, SpectralLinear


class MLP(eqx.Module):
    """A multilayer perceptron, from one point of `in_shape` to one of `out_shape`.

    - `layers`: `depth + 1` of them. `activation`, `output_activation`: of `jax.nn`, static.
    """

    layers: tuple[Linear | SpectralLinear, ...]
    activation: Callable = eqx.field(static=True)
    output_activation: Callable = eqx.field(static=True)
    out_shape: tuple[int, ...] = eqx.field(static=True)

    def __init__(
        self,
        in_shape: tuple[int, ...],
        out_shape: tuple[int, ...],
        *,
        width: int,
        depth: int,
        key: PRNGKeyArray,
        activation: Callable = jax.nn.relu,
        output_activation: Callable = jax.nn.identity,
        init: Initializer | None = None,
        layer: type[Linear] | type[SpectralLinear] = Linear,
    ):
        """Make a network with `depth` hidden layers of `width` units; `init` defaults to He's.

        `layer`: what it is made of; of `SpectralLinear` it is 1-Lipschitz.
        """
        if width < 1 or depth < 0:
            raise ValueError(f"MLP needs width >= 1 and depth >= 0, got {width} and {depth}.")
        init = jax.nn.initializers.he_uniform() if init is None else init
        sizes = [math.prod(in_shape), *[width] * depth, math.prod(out_shape)]
        keys = jax.random.split(key, depth + 1)
        pairs = zip(sizes[:-1], sizes[1:], keys, strict=True)
        self.layers = tuple(layer(n, m, init, k) for n, m, k in pairs)
        self.activation = activation
        self.output_activation = output_activation
        self.out_shape = tuple(out_shape)

    def __call__(self, x: Float[Array, "*in_shape"]) -> Float[Array, "*out_shape"]:
        x = x.reshape(-1)
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.output_activation(self.layers[-1](x)).reshape(self.out_shape)


@lipschitz_upper_bound.register
def _(network: MLP) -> Float[Array, ""]:
    hidden = [network.activation] * (len(network.layers) - 1)
    return product_of_bounds([*network.layers, *hidden, network.output_activation])


def mlp_generator(
    latent_size: int,
    shape: tuple[int, ...],
    *,
    width: int,
    depth: int,
    key: PRNGKeyArray,
    bounded: bool = True,
    activation: Callable = jax.nn.relu,
) -> MLP:
    """A fully connected generator, from a latent `(latent_size,)` to a point of `shape`.

    `bounded` ends it with tanh, for data in [-1, 1] such as images.
    """
    end = jnp.tanh if bounded else jax.nn.identity
    return MLP(
        (latent_size,),
        shape,
        width=width,
        depth=depth,
        key=key,
        activation=activation,
        output_activation=end,
    )


def mlp_critic(
    shape: tuple[int, ...],
    *,
    width: int,
    depth: int,
    key: PRNGKeyArray,
    activation: Callable = jax.nn.relu,
    layer: type[Linear] | type[SpectralLinear] = Linear,
) -> MLP:
    """A fully connected critic or discriminator, from a point of `shape` to a score or logit.

    Made of `SpectralLinear` layers it is 1-Lipschitz.
    """
    return MLP(shape, (), width=width, depth=depth, key=key, activation=activation, layer=layer)
