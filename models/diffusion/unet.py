"""A network of images with skip connections that is told its noise level, and perhaps its class."""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from models.diffusion.time_embedding import TimeEmbedding
from models.layers.attention import SelfAttention
from models.layers.conv import Conv2d, ConvTranspose2d
from models.layers.linear import Linear
from models.layers.normalisation import GroupNorm
from models.networks.dcgan import KERNEL, PADDING, STRIDE, image_shape
from models.networks.vqvae import grid_sizes

Image = Float[Array, "_ _ _"]
Vector = Float[Array, " size"]
INIT = jax.nn.initializers.lecun_normal()
ZEROS = jax.nn.initializers.zeros
EXPANSION = 4
"""Numbers of an embedded time to each channel of the first hidden image."""


class ImageAttention(eqx.Module):
    """Attention between the places of an image, added to it.

    - `norm`, `attention`: one after the other; begins at 0.
    """

    norm: GroupNorm
    attention: SelfAttention

    def __init__(self, channels: int, groups: int, heads: int, key: PRNGKeyArray):
        self.norm = GroupNorm(channels, groups)
        attention = SelfAttention(channels, heads, INIT, key)
        last = lambda layer: layer.outward.weight
        self.attention = eqx.tree_at(last, attention, replace_fn=jnp.zeros_like)

    def __call__(self, x: Image) -> Image:
        places = self.norm(x).reshape(-1, x.shape[-1])
        return x + self.attention(places).reshape(x.shape)


class ImageBlock(eqx.Module):
    """Two convolutions, between them scale and shift by the embedded time, added to what comes in.

    - `norms`, `first`, `second`: each convolution, 3x3, after its normalisation and silu; the
      second begins at 0. `told`: from the embedding to the scale and the shift, to which those of
      the normalisation are added.
    - `shortcut`: a 1x1 convolution where the channels change, or `None`. `attention`, or `None`.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, appendix B; scale and shift: Dhariwal & Nichol
        (2021), arXiv:2105.05233, section 3.1.
    """

    norms: tuple[GroupNorm, GroupNorm]
    first: Conv2d
    told: Linear
    second: Conv2d
    shortcut: Conv2d | None
    attention: ImageAttention | None

    def __init__(
        self, channels: int, out: int, size: int, groups: int, heads: int | None, key: PRNGKeyArray
    ):
        """`size`: of the embedding. `heads`: of the attention; `None` for none."""
        key_first, key_told, key_shortcut, key_attention = jax.random.split(key, 4)
        self.norms = GroupNorm(channels, groups), GroupNorm(out, groups)
        self.first = Conv2d(channels, out, 3, INIT, key_first)
        self.told = Linear(size, 2 * out, INIT, key_told, bias=False)
        self.second = Conv2d(out, out, 3, ZEROS, key)
        same = channels == out
        self.shortcut = None if same else Conv2d(channels, out, 1, INIT, key_shortcut)
        self.attention = None
        if heads is not None:
            self.attention = ImageAttention(out, groups, heads, key_attention)

    def __call__(self, x: Image, embedded: Vector) -> Image:
        hidden = self.first(jax.nn.silu(self.norms[0](x)))
        hidden = self.second(jax.nn.silu(self.norms[1](hidden, self.told(embedded))))
        x = hidden + (x if self.shortcut is None else self.shortcut(x))
        return x if self.attention is None else self.attention(x)


class UNet(eqx.Module):
    """A denoiser's network for images.

    Called with an image, a time, and, if it has classes, a label of 0 to `classes`. The last is the
    null label, with which it is the network of no class, as it is without a label; labels outside
    are taken for the nearest. It begins at 0.

    - `embedding`: of time and label. `inward`: a convolution to the first hidden image.
    - `downs`: blocks of each level, from the image's own size to the smallest. `halvings`: from one
      level to the next. `middle`: two blocks at the smallest.
    - `ups`: blocks of each level, from the smallest on, each of which sees beside its image what
      one of `downs` gave at that size. `doublings`: from one level to the next.
    - `norm`, `outward`: to the answer.

    !!! cite "Source"

        Ronneberger, Fischer & Brox (2015), arXiv:1505.04597; Ho, Jain & Abbeel (2020),
        arXiv:2006.11239, appendix B.
    """

    embedding: TimeEmbedding
    inward: Conv2d
    downs: tuple[tuple[ImageBlock, ...], ...]
    halvings: tuple[Conv2d, ...]
    middle: tuple[ImageBlock, ImageBlock]
    ups: tuple[tuple[ImageBlock, ...], ...]
    doublings: tuple[ConvTranspose2d, ...]
    norm: GroupNorm
    outward: Conv2d

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        width: int = 32,
        multipliers: Sequence[int] = (1, 2),
        blocks: int = 1,
        attention: Sequence[int] = (),
        heads: int = 4,
        groups: int = 8,
        classes: int = 0,
        key: PRNGKeyArray,
    ):
        """Make one for images of `shape`, `(height, width)` or `(height, width, channels)`.

        **Arguments:**

        - `width`, `multipliers`: the channels of each level are `width` times its multiplier. Each
          level has half the height and width of the one before, rounded down.
        - `blocks`: residual blocks of each level, on the way down and on the way up.
        - `attention`: the heights of the levels whose blocks have attention; `heads`: of it.
        - `groups`: of the normalisation. `classes`: 0 for a network that knows none.

        **Raises:** `ValueError` for an image that cannot be halved that often, numbers below 1,
        heights that no level has, channels that do not come in `groups` or `heads`.
        """
        sizes, channels = _levels(shape, width, multipliers, blocks, attention)
        levels, colours = range(len(sizes)), image_shape(shape)[2]
        keys = iter(jax.random.split(key, 2 * (blocks + 1) * len(sizes) + 2))
        made = EXPANSION * width

        def block(before: int, level: int) -> ImageBlock:
            heads_here = heads if sizes[level][0] in attention else None
            return ImageBlock(before, channels[level], made, groups, heads_here, next(keys))

        befores = [channels[0], *channels[:-1]]
        self.embedding = TimeEmbedding(2 * width, made, classes, next(keys))
        self.inward = Conv2d(colours, channels[0], 3, INIT, next(keys))
        self.downs = tuple(
            tuple(block((channels if index else befores)[level], level) for index in range(blocks))
            for level in levels
        )
        self.halvings = tuple(_halving(count, next(keys)) for count in channels[:-1])
        self.middle = block(channels[-1], -1), block(channels[-1], -1)
        self.ups = tuple(
            tuple(block(2 * channels[level], level) for _ in range(blocks))
            for level in reversed(levels)
        )
        self.doublings = tuple(
            _doubling(channels[level], befores[level], sizes[level - 1], next(keys))
            for level in reversed(levels[1:])
        )
        self.norm = GroupNorm(channels[0], groups)
        self.outward = Conv2d(channels[0], colours, 3, ZEROS, key)

    def __call__(
        self, x: Float[Array, "h w ..."], time: Float[Array, ""], *label: Int[Array, ""]
    ) -> Float[Array, "h w ..."]:
        embedded = self.embedding(time, *label)
        hidden, kept = self.inward(x.reshape(image_shape(x.shape))), []
        for index, level in enumerate(self.downs):
            for block in level:
                hidden = block(hidden, embedded)
                kept.append(hidden)
            if index < len(self.halvings):
                hidden = self.halvings[index](hidden)
        for block in self.middle:
            hidden = block(hidden, embedded)
        for index, level in enumerate(self.ups):
            for block in level:
                hidden = block(jnp.concatenate([hidden, kept.pop()], axis=-1), embedded)
            if index < len(self.doublings):
                hidden = self.doublings[index](hidden)
        return self.outward(jax.nn.silu(self.norm(hidden))).reshape(x.shape)


def _levels(
    shape: tuple[int, ...],
    width: int,
    multipliers: Sequence[int],
    blocks: int,
    attention: Sequence[int],
) -> tuple[list[tuple[int, int]], list[int]]:
    """Sizes and channels of the levels."""
    if min((width, blocks, *multipliers), default=0) < 1 or not multipliers:
        raise ValueError(
            "UNet needs a width, blocks and multipliers of at least 1, got "
            f"{width}, {blocks} and {tuple(multipliers)}."
        )
    sizes = grid_sizes(shape, len(multipliers) - 1)
    heights = [size[0] for size in sizes]
    if not set(attention) <= set(heights):
        raise ValueError(f"attention must be among the levels' heights {heights}, got {attention}.")
    return sizes, [width * multiplier for multiplier in multipliers]


def _halving(channels: int, key: PRNGKeyArray) -> Conv2d:
    return Conv2d(channels, channels, KERNEL, INIT, key, stride=STRIDE, padding=PADDING)


def _doubling(channels: int, out: int, size: tuple[int, int], key: PRNGKeyArray) -> ConvTranspose2d:
    return ConvTranspose2d(
        channels, out, KERNEL, INIT, key, stride=STRIDE, padding=PADDING, out_shape=size
    )
