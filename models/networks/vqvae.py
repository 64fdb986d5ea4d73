"""Networks of a VQ-VAE: from an image to a grid of vectors, from a grid of codes to an image."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from models.layers.codebook import AbstractCodebook
from models.layers.combinators import Chain, Elementwise, Reshape, Residual
from models.layers.conv import Conv2d, ConvTranspose2d
from models.networks.code_prior import CodePrior
from models.networks.dcgan import KERNEL, PADDING, STRIDE, image_shape

INIT = jax.nn.initializers.he_normal()


class CodeDecoder(eqx.Module):
    """All that generates: a codebook, a decoder of grids of codes, and a law of such grids.

    - `codebook`: k codes of d numbers. `network`: from a grid `(h, w, d)` to a point. `prior`: of
      grids of indices `(h, w)`.
    """

    codebook: AbstractCodebook
    network: Callable[[Any], Array]
    prior: CodePrior

    def __call__(self, indices: Int[Array, "h w"]) -> Float[Array, "*shape"]:
        """The point of a grid of codes."""
        return self.network(self.codebook.at(indices))

    def sample(self, key: PRNGKeyArray) -> Float[Array, "*shape"]:
        """One point: codes from the prior, decoded."""
        return self(self.prior.sample(key))


def grid_sizes(shape: tuple[int, ...], halvings: int) -> list[tuple[int, int]]:
    """Heights and widths from the image's own to the grid's.

    **Raises:** `ValueError` if nothing would be left.
    """
    height, width, _ = image_shape(shape)
    if halvings < 0 or min(height, width) >> halvings < 1:
        raise ValueError(f"Images of {shape} cannot be halved {halvings} times.")
    return [(height >> times, width >> times) for times in range(halvings + 1)]


def vqvae_encoder(
    shape: tuple[int, ...], size: int, *, width: int, halvings: int, depth: int, key: PRNGKeyArray
) -> Chain:
    """A convolutional encoder, from an image of `shape` to a grid of vectors `(h, w, size)`.

    For each halving a convolution (4x4, stride 2) and ReLU; a convolution (3x3); residual blocks;
    a convolution (1x1) to vectors.

    **Arguments:**

    - `shape`: `(height, width)` or `(height, width, channels)`. Odd sizes are rounded down.
    - `width`: channels at the grid; half of them with each halving further up. `depth`: residual
      blocks.

    **Raises:** `ValueError` for more halvings than the image has.

    !!! cite "Source"

        van den Oord, Vinyals & Kavukcuoglu (2017), arXiv:1711.00937, section 4.1.
    """
    sizes = grid_sizes(shape, halvings)
    channels = image_shape(shape)[2]
    keys = iter(jax.random.split(key, halvings + 3))
    layers: list[Callable] = [Reshape((*sizes[0], channels))]
    for times in range(halvings):
        out = _channels(width, halvings - 1 - times)
        layers.append(
            Conv2d(channels, out, KERNEL, INIT, next(keys), stride=STRIDE, padding=PADDING)
        )
        layers.append(Elementwise(jax.nn.relu))
        channels = out
    layers += [Conv2d(channels, width, 3, INIT, next(keys)), *_blocks(width, depth, next(keys))]
    return Chain(*layers, Conv2d(width, size, 1, INIT, next(keys)))


def vqvae_decoder(
    size: int, shape: tuple[int, ...], *, width: int, halvings: int, depth: int, key: PRNGKeyArray
) -> Chain:
    """A convolutional decoder, from a grid `(h, w, size)` to an image of `shape`, unbounded.

    The mirror image of `vqvae_encoder`: residual blocks, and a transposed convolution (4x4,
    stride 2) for each doubling.

    **Arguments:** those of `vqvae_encoder`.

    **Raises:** `ValueError` for more halvings than the image has.
    """
    sizes = grid_sizes(shape, halvings)
    channels = image_shape(shape)[2]
    keys = iter(jax.random.split(key, halvings + 3))
    layers: list[Callable] = [Conv2d(size, width, 3, INIT, next(keys))]
    layers += _blocks(width, depth, next(keys))
    now = width
    for times in range(halvings - 1, -1, -1):
        out = channels if times == 0 else _channels(width, halvings - times)
        layers.append(
            ConvTranspose2d(
                now, out, KERNEL, INIT, next(keys),
                stride=STRIDE, padding=PADDING, out_shape=sizes[times],
            )
        )  # fmt: skip
        layers += [Elementwise(jax.nn.relu)] if times else []
        now = out
    if not halvings:
        layers.append(Conv2d(width, channels, 1, INIT, next(keys)))
    return Chain(*layers, Reshape(shape))


def _channels(width: int, halved: int) -> int:
    return max(1, width >> halved)


def _blocks(width: int, depth: int, key: PRNGKeyArray) -> list[Callable]:
    """Residual blocks (ReLU, 3x3, ReLU, 1x1), and a ReLU behind them."""
    inner = _channels(width, 1)
    blocks: list[Callable] = []
    for key_block in jax.random.split(key, depth) if depth else ():
        key_wide, key_narrow = jax.random.split(key_block)
        relu = Elementwise(jax.nn.relu)
        wide = Conv2d(width, inner, 3, INIT, key_wide)
        narrow = Conv2d(inner, width, 1, INIT, key_narrow)
        blocks.append(Residual(Chain(relu, wide, relu, narrow), Chain()))
    return [*blocks, Elementwise(jax.nn.relu)]
