"""Deep convolutional generators and critics for images of any size and number of channels."""

import math
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import PRNGKeyArray

from models.layers.combinators import Chain, Elementwise, Reshape
from models.layers.conv import Conv2d, ConvTranspose2d, Resize
from models.layers.linear import LeakyReLU, Linear, SpectralLinear
from models.layers.normalisation import BatchNorm, GroupNorm
from models.layers.spectral_conv import SpectralConv2d

Norm = Literal["none", "batch", "layer", "instance"]
KERNEL, STRIDE, PADDING = 4, 2, 1
SLOPE = 0.2
INIT_DEVIATION = 0.02
SMALLEST, FEWEST = 4, 2
"""Halving stops where less than SMALLEST pixels a side would be left, or, in the first FEWEST
halvings, less than half of it: 8x8 ends at 2x2, 28x28 at 7x7, 64x64 at 4x4."""


def halvings(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Heights and widths on the way down, from the image's own to the smallest."""
    sizes = [shape]
    while min(sizes[-1]) // 2 >= (SMALLEST if len(sizes) > FEWEST else SMALLEST // 2):
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return sizes


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Normalise `(h, w)` or `(h, w, c)` to `(h, w, c)`."""
    if len(shape) not in (2, 3):
        raise ValueError(f"Images are (height, width) or (height, width, channels), got {shape}.")
    return (shape[0], shape[1], shape[2] if len(shape) == 3 else 1)


def norm_layers(name: Norm, channels: int) -> list[Callable]:
    """Normalisation layers for a chain, for `channels` channels."""
    kinds = {
        "none": list,
        "batch": lambda: [BatchNorm(channels)],
        "layer": lambda: [GroupNorm(channels, 1)],
        "instance": lambda: [GroupNorm(channels, channels)],
    }
    return kinds[name]()


def _default_init(norm: Norm) -> Initializer:
    """DCGAN's initialisation under batch normalisation, which undoes its scale; He's elsewhere."""
    if norm == "batch":
        return jax.nn.initializers.normal(INIT_DEVIATION)
    return jax.nn.initializers.he_normal()


def dcgan_generator(
    latent_size: int,
    shape: tuple[int, ...],
    *,
    width: int,
    key: PRNGKeyArray,
    norm: Norm = "batch",
    upsampling: Literal["transposed", "resize"] = "transposed",
    bounded: bool = True,
    init: Initializer | None = None,
) -> Chain:
    """A generator from a latent `(latent_size,)` to an image of `shape`, by doublings of its size.

    A linear layer to the smallest image, then for each doubling a transposed convolution (4x4,
    stride 2) or a resize-convolution (each pixel four times, 3x3), normalisation and ReLU; tanh at
    the end.

    **Arguments:**

    - `shape`: `(height, width)` or `(height, width, channels)`; 28x28 grows from 7x7, 64x64 from
      4x4. A size that is not even somewhere on the way is rounded down there.
    - `width`: channels of the last hidden image; they double towards the latent.
    - `norm`: `batch` couples the images of a batch, so that they are drawn together, as
      `gameopt.generated` does; see `models.with_standing_statistics` for what follows training.
    - `bounded`: ends it with tanh, for images in [-1, 1].
    - `init`: draws the weights; N(0, 0.02) for `batch`, He's normal otherwise.

    !!! cite "Source"

        Radford, Metz & Chintala (2016), arXiv:1511.06434, section 3 and figure 1.
    """
    height, width_, channels = image_shape(shape)
    sizes = halvings((height, width_))[::-1]
    init = _default_init(norm) if init is None else init
    keys = iter(jax.random.split(key, len(sizes) + 1))
    depth = width * 2 ** max(len(sizes) - 2, 0)
    bias = norm == "none"
    first = (*sizes[0], depth)
    layers: list[Callable] = [
        Linear(latent_size, math.prod(first), init, next(keys), bias),
        Reshape(first),
    ]
    layers += [*norm_layers(norm, depth), Elementwise(jax.nn.relu)]
    for size in sizes[1:]:
        last = size == sizes[-1]
        out = channels if last else depth // 2
        layers += _doubling(upsampling, depth, out, size, init, next(keys), bias or last)
        layers += [] if last else [*norm_layers(norm, out), Elementwise(jax.nn.relu)]
        depth = out
    if len(sizes) == 1:
        layers.append(Conv2d(depth, channels, 3, init, next(keys)))
    layers += [Elementwise(jnp.tanh)] if bounded else []
    return Chain(*layers, *([Reshape(shape)] if len(shape) == 2 else []))


def _doubling(
    kind: Literal["transposed", "resize"],
    channels: int,
    out: int,
    size: tuple[int, int],
    init: Initializer,
    key: PRNGKeyArray,
    bias: bool,
) -> list[Callable]:
    if kind == "transposed":
        return [
            ConvTranspose2d(
                channels, out, KERNEL, init, key,
                stride=STRIDE, padding=PADDING, out_shape=size, bias=bias,
            )
        ]  # fmt: skip
    return [Resize(size), Conv2d(channels, out, 3, init, key, bias=bias)]


def dcgan_features(
    shape: tuple[int, ...],
    *,
    width: int,
    key: PRNGKeyArray,
    norm: Norm = "none",
    spectral: bool = False,
    init: Initializer | None = None,
) -> tuple[Chain, int]:
    """The body of a critic, from an image of `shape` to a vector, by halvings of its size.

    For each halving a convolution (4x4, stride 2), normalisation (not after the first) and leaky
    ReLU; the last image flattened. The arguments are those of `dcgan_critic`.

    **Returns:** the network, and the length of the vector.
    """
    height, width_, channels = image_shape(shape)
    sizes = halvings((height, width_))
    init = _default_init(norm) if init is None else init
    keys = iter(jax.random.split(key, len(sizes)))
    layers: list[Callable] = [Reshape((height, width_, channels))]
    if len(sizes) == 1:
        layers += [convolution(spectral, channels, width, 3, init, next(keys), sizes[0])]
        layers += [LeakyReLU(SLOPE)]
        channels = width
    for index, size in enumerate(sizes[:-1]):
        out, kind = width * 2**index, "none" if index == 0 else norm
        layers += [
            convolution(
                spectral, channels, out, KERNEL, init, next(keys), size,
                stride=STRIDE, padding=PADDING, bias=kind == "none",
            )
        ]  # fmt: skip
        layers += [*norm_layers(kind, out), LeakyReLU(SLOPE)]
        channels = out
    flat = math.prod(sizes[-1]) * channels
    return Chain(*layers, Reshape((flat,))), flat


def dcgan_critic(
    shape: tuple[int, ...],
    *,
    width: int,
    key: PRNGKeyArray,
    norm: Norm = "none",
    spectral: bool = False,
    init: Initializer | None = None,
) -> Chain:
    """A critic or discriminator: `dcgan_features` and a linear layer to one score or logit.

    **Arguments:**

    - `shape`: as in `dcgan_generator`. For packs of images see `models.Packed`.
    - `width`: channels of the first hidden image; they double with each halving.
    - `norm`: `batch` is DCGAN's own, and allows no gradient penalty; `layer` and `instance` do.
    - `spectral`: made of spectrally normalised layers. Then without `norm`.
    - `init`: draws the weights; N(0, 0.02) for `batch`, He's normal otherwise.

    !!! cite "Source"

        Radford, Metz & Chintala (2016), arXiv:1511.06434, section 3.
    """
    key_body, key_head = jax.random.split(key)
    kinds = {"norm": norm, "spectral": spectral, "init": init}
    body, size = dcgan_features(shape, width=width, key=key_body, **kinds)
    init = _default_init(norm) if init is None else init
    return Chain(*body.layers, linear(spectral, size, 1, init, key_head), Reshape(()))


def linear(
    spectral: bool, in_size: int, out_size: int, init: Initializer, key: PRNGKeyArray
) -> Linear | SpectralLinear:
    """A linear layer, spectrally normalised or not."""
    kind = SpectralLinear if spectral else Linear
    return kind(in_size, out_size, init, key)


def convolution(
    spectral: bool, channels: int, out: int, kernel_size: int, init: Initializer,
    key: PRNGKeyArray, in_shape: tuple[int, int], **geometry: Any,
) -> Conv2d | SpectralConv2d:  # fmt: skip
    """A convolution of images of height and width `in_shape`, spectrally normalised or not."""
    if spectral:
        size = {"in_shape": in_shape}
        return SpectralConv2d(channels, out, kernel_size, init, key, **size, **geometry)
    return Conv2d(channels, out, kernel_size, init, key, **geometry)
