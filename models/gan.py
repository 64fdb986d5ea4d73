"""Generators and critics."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from models.layers import Linear
from models.mlp import MLP
from models.spectral import SpectralLinear


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
    """A fully connected generator: a latent of shape `(latent_size,)` to a point of `shape`.

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
    """A fully connected critic or discriminator: a point of `shape` to a score or logit.

    Made of `SpectralLinear` layers it is 1-Lipschitz.
    """
    return MLP(shape, (), width=width, depth=depth, key=key, activation=activation, layer=layer)
