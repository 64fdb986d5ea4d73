"""Encoders: networks from a data point to a vector, the codes or parameters of an autoencoder.

The decoders beside them are `mlp_generator` and `dcgan_generator` with `bounded=False`.
"""

from collections.abc import Callable

import jax
from jax.nn.initializers import Initializer
from jaxtyping import PRNGKeyArray

from models.layers.combinators import Chain
from models.layers.linear import Linear
from models.networks.dcgan import Norm, dcgan_features
from models.networks.mlp import MLP


def mlp_encoder(
    shape: tuple[int, ...],
    size: int,
    *,
    width: int,
    depth: int,
    key: PRNGKeyArray,
    activation: Callable = jax.nn.relu,
    init: Initializer | None = None,
) -> MLP:
    """A fully connected encoder, from a point of `shape` to a vector `(size,)`.

    `width`, `depth`: units and number of hidden layers; of depth 0 it is affine.
    """
    return MLP(shape, (size,), width=width, depth=depth, key=key, activation=activation, init=init)


def dcgan_encoder(
    shape: tuple[int, ...],
    size: int,
    *,
    width: int,
    key: PRNGKeyArray,
    norm: Norm = "none",
    init: Initializer | None = None,
) -> Chain:
    """A convolutional encoder: `dcgan_features` and a linear layer to a vector `(size,)`.

    The mirror image of `dcgan_generator`, by halvings of the image.

    **Arguments:** those of `dcgan_features`.
    """
    key_body, key_head = jax.random.split(key)
    body, flat = dcgan_features(shape, width=width, key=key_body, norm=norm, init=init)
    init = jax.nn.initializers.he_normal() if init is None else init
    return Chain(*body.layers, Linear(flat, size, init, key_head))
