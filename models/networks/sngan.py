"""Residual generators and critics after SNGAN, for images of any size."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, PRNGKeyArray

from models.layers.combinators import Chain, Elementwise, Reshape, Residual
from models.layers.conv import Conv2d, Resize, average_pool
from models.layers.linear import Linear
from models.networks.dcgan import Norm, convolution, halvings, image_shape, linear, norm_layers

RELU = Elementwise(jax.nn.relu)
POOL = Elementwise(average_pool)
INIT = jax.nn.initializers.glorot_uniform()
"""The authors' code scales it by the square root of 2 but in shortcuts and the ends."""


def sum_pool(x: Float[Array, "h w c"]) -> Float[Array, " c"]:
    """The sum over all places, channel by channel."""
    return jnp.sum(x, axis=(0, 1))


def sngan_generator(
    latent_size: int,
    shape: tuple[int, ...],
    *,
    width: int,
    key: PRNGKeyArray,
    norm: Norm = "batch",
    bounded: bool = True,
    init: Initializer = INIT,
) -> Chain:
    """A residual generator, from a latent `(latent_size,)` to an image of `shape`.

    A linear layer to the smallest image; for each doubling of the size a residual block with
    nearest neighbours before its first convolution; normalisation, ReLU and a 3x3 convolution.

    **Arguments:**

    - `shape`: `(height, width)` or `(height, width, channels)`, any size.
    - `width`: channels of every hidden image.
    - `norm`: in front of each convolution. `batch` couples the images of a batch: see
      `models.with_standing_statistics`.
    - `bounded`: ends it with tanh, for images in [-1, 1].

    !!! cite "Source"

        Miyato et al. (2018), arXiv:1802.05957, appendix B.4, table 4.
    """
    height, width_, channels = image_shape(shape)
    sizes = halvings((height, width_))[::-1]
    key_first, key_last, *keys = jax.random.split(key, len(sizes) + 1)
    first = (*sizes[0], width)
    layers: list[Callable] = [
        Linear(latent_size, math.prod(first), init, key_first),
        Reshape(first),
    ]
    layers += [_up(width, size, norm, init, k) for size, k in zip(sizes[1:], keys, strict=True)]
    layers += [*norm_layers(norm, width), RELU, Conv2d(width, channels, 3, init, key_last)]
    layers += [Elementwise(jnp.tanh)] if bounded else []
    return Chain(*layers, *([Reshape(shape)] if len(shape) == 2 else []))


def _up(
    width: int, size: tuple[int, int], norm: Norm, init: Initializer, key: PRNGKeyArray
) -> Residual:
    """A residual block that doubles the size (Gulrajani et al. 2017, arXiv:1704.00028, F)."""
    keys = jax.random.split(key, 3)
    main = Chain(
        *norm_layers(norm, width),
        RELU,
        Resize(size),
        Conv2d(width, width, 3, init, keys[0]),
        *norm_layers(norm, width),
        RELU,
        Conv2d(width, width, 3, init, keys[1]),
    )
    return Residual(main, Chain(Resize(size), Conv2d(width, width, 1, init, keys[2])))


def sngan_features(
    shape: tuple[int, ...],
    *,
    width: int,
    key: PRNGKeyArray,
    spectral: bool = True,
    blocks: int = 1,
    init: Initializer = INIT,
) -> tuple[Chain, int]:
    """The body of a critic, from an image of `shape` to a vector of `width` numbers.

    Residual blocks, each but the last ones followed by average pooling; ReLU, and the sum over all
    places. The first block has no ReLU in front, and pools its shortcut before the convolution.
    The arguments are those of `sngan_critic`.

    **Returns:** the network, and the length of the vector.
    """
    height, width_, channels = image_shape(shape)
    sizes = halvings((height, width_))
    keys = iter(jax.random.split(key, len(sizes) + blocks))
    layers: list[Callable] = [Reshape((height, width_, channels))]
    for index, size in enumerate(sizes[:-1]):
        layers += [_down(spectral, channels, width, init, next(keys), size, first=index == 0)]
        channels = width
    if len(sizes) == 1:
        layers += [convolution(spectral, channels, width, 3, init, next(keys), sizes[0])]
    for _ in range(blocks):
        main = _two(spectral, width, width, init, next(keys), sizes[-1])
        layers += [Residual(Chain(RELU, *main), Elementwise(jax.nn.identity))]
    return Chain(*layers, RELU, Elementwise(sum_pool)), width


def sngan_critic(
    shape: tuple[int, ...],
    *,
    width: int,
    key: PRNGKeyArray,
    spectral: bool = True,
    blocks: int = 1,
    init: Initializer = INIT,
) -> Chain:
    """A residual critic or discriminator: `sngan_features` and a linear layer to one number.

    **Arguments:**

    - `shape`: `(height, width)` or `(height, width, channels)`, any size.
    - `width`: channels of every hidden image.
    - `spectral`: made of spectrally normalised layers; see `models.refreshed`. Each layer then has
      norm 1; the network's constant is larger, since residual blocks and sums add up.
    - `blocks`: residual blocks on the smallest image.

    !!! cite "Source"

        Miyato et al. (2018), arXiv:1802.05957, appendix B.4, table 4.
    """
    key_body, key_head = jax.random.split(key)
    kinds = {"spectral": spectral, "blocks": blocks, "init": init}
    body, size = sngan_features(shape, width=width, key=key_body, **kinds)
    return Chain(*body.layers, linear(spectral, size, 1, init, key_head), Reshape(()))


def _down(
    spectral: bool, channels: int, out: int, init: Initializer, key: PRNGKeyArray,
    size: tuple[int, int], first: bool,
) -> Residual:  # fmt: skip
    """A residual block that halves the image's size; a critic's first takes the image itself."""
    key_main, key_short = jax.random.split(key)
    main = [*_two(spectral, channels, out, init, key_main, size), POOL]
    half = (size[0] // 2, size[1] // 2)
    at = half if first else size
    short = convolution(spectral, channels, out, 1, init, key_short, at)
    if first:
        return Residual(Chain(*main), Chain(POOL, short))
    return Residual(Chain(RELU, *main), Chain(short, POOL))


def _two(
    spectral: bool, channels: int, out: int, init: Initializer, key: PRNGKeyArray,
    size: tuple[int, int],
) -> list[Callable]:  # fmt: skip
    """Two 3x3 convolutions with a ReLU in between."""
    keys = jax.random.split(key)
    return [
        convolution(spectral, channels, out, 3, init, keys[0], size),
        RELU,
        convolution(spectral, out, out, 3, init, keys[1], size),
    ]
