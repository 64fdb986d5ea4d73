"""Image-to-image networks: a generator with skip connections and a patch critic, conditioned."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, PRNGKeyArray

from models.layers.combinators import Chain, Elementwise
from models.layers.conv import Conv2d, ConvTranspose2d, with_channels
from models.layers.linear import LeakyReLU
from models.networks.dcgan import (
    KERNEL,
    PADDING,
    SLOPE,
    SMALLEST,
    STRIDE,
    Norm,
    convolution,
    halvings,
    image_shape,
    norm_layers,
)

Image = Float[Array, "h w ..."]
INIT = jax.nn.initializers.he_normal()
PATCH_HALVINGS = 3


class TranslationUNet(eqx.Module):
    """An image encoder and decoder, with skip connections between levels of one size.

    - `downs`: each takes an image to one of half its size. `bottom`: what is done at the smallest,
      with the latent beside it at every place. `ups`: each takes an image, and beside it the
      encoder's of the same size, to one of twice the size; the last gives the answer.
    - `out_shape`: static.

    !!! cite "Source"

        Isola et al. (2017), arXiv:1611.07004, section 3.2.1 and appendix 6.1; the latent beside the
        bottleneck: Zhu et al. (2017), arXiv:1711.11586, section 4.
    """

    downs: tuple[Chain, ...]
    bottom: Chain
    ups: tuple[Chain, ...]
    out_shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, z: Float[Array, " latent"], condition: Image) -> Array:
        x, kept = with_channels(condition), []
        for down in self.downs:
            x = down(x)
            kept.append(x)
        x = self.bottom(with_planes(x, z))
        for up, beside in zip(self.ups, reversed(kept), strict=True):
            x = up(jnp.concatenate([x, beside], axis=-1))
        return x.reshape(self.out_shape)


def with_planes(x: Image, z: Float[Array, " latent"]) -> Array:
    """Append the latent's numbers as constant channels."""
    return jnp.concatenate([x, jnp.broadcast_to(z, (*x.shape[:2], z.size))], axis=-1)


def unet_generator(
    latent_size: int,
    condition_shape: tuple[int, ...],
    shape: tuple[int, ...],
    *,
    width: int,
    key: PRNGKeyArray,
    norm: Norm = "instance",
    bounded: bool = True,
    init: Initializer = INIT,
) -> TranslationUNet:
    """A generator from a latent `(latent_size,)` and an image to an image of `shape`.

    **Arguments:**

    - `condition_shape`, `shape`: `(height, width)` or `(height, width, channels)`, of one height
      and width, at least 4, odd or even; channels may differ.
    - `width`: channels of the first hidden image; they double with each halving.
    - `norm`: not at the first and the last layer. `instance` is `batch` for batches of one.
    - `bounded`: ends it with tanh, for images in [-1, 1].

    **Raises:** `ValueError` for shapes that differ, or that are too small to be halved.
    """
    height, width_, channels = image_shape(condition_shape)
    sizes = halvings((height, width_))
    if image_shape(shape)[:2] != sizes[0]:
        raise ValueError(f"Images of {shape} from images of {condition_shape}: resize one.")
    if len(sizes) == 1:
        raise ValueError(f"unet_generator halves images: at least 4 x 4, got {condition_shape}.")
    key_bottom, *keys = jax.random.split(key, 2 * len(sizes) - 1)
    depths = [width * 2**index for index in range(len(sizes) - 1)]
    outs = [image_shape(shape)[2], *depths[:-1]]
    downs, ups = [], []
    for index, depth in enumerate(depths):
        kind = "none" if index == 0 else norm
        down_key, up_key = keys[2 * index], keys[2 * index + 1]
        down = Conv2d(channels, depth, KERNEL, init, down_key, stride=STRIDE, padding=PADDING)
        downs.append(Chain(down, *norm_layers(kind, depth), LeakyReLU(SLOPE)))
        end = Elementwise(jnp.tanh if bounded else jax.nn.identity)
        rest = [end] if index == 0 else [*norm_layers(norm, outs[index]), Elementwise(jax.nn.relu)]
        ups.append(Chain(_doubling(2 * depth, outs[index], sizes[index], init, up_key), *rest))
        channels = depth
    bottom = Chain(Conv2d(channels + latent_size, channels, 3, init, key_bottom), LeakyReLU(SLOPE))
    return TranslationUNet(tuple(downs), bottom, tuple(reversed(ups)), shape)


def _doubling(
    channels: int, out: int, size: tuple[int, int], init: Initializer, key: PRNGKeyArray
) -> ConvTranspose2d:
    return ConvTranspose2d(
        channels, out, KERNEL, init, key, stride=STRIDE, padding=PADDING, out_shape=size
    )


class PatchCritic(eqx.Module):
    """The mean score of an image's patches, each judged beside its part of the condition.

    A game's losses are means over the patches, each with a loss of its own.

    - `network`: from both images' channels side by side to an image of scores.

    !!! cite "Source"

        Isola et al. (2017), arXiv:1611.07004, section 3.2.2.
    """

    network: Chain

    def patch_scores(self, x: Image, condition: Image) -> Float[Array, "i j"]:
        """The score of each patch; a game's losses are means over them."""
        both = [with_channels(x), with_channels(condition)]
        return self.network(jnp.concatenate(both, axis=-1))[..., 0]

    def __call__(self, x: Image, condition: Image) -> Float[Array, ""]:
        return jnp.mean(self.patch_scores(x, condition))


def patch_critic(
    shape: tuple[int, ...],
    condition_shape: tuple[int, ...],
    *,
    width: int,
    key: PRNGKeyArray,
    norm: Norm = "instance",
    spectral: bool = False,
    init: Initializer = INIT,
) -> PatchCritic:
    """A patch critic, called with an image and its condition.

    As many halvings (4x4, stride 2) as the size allows, at most three, so that patches are of 70
    pixels; one such convolution without a stride, and one to the scores.

    **Arguments:**

    - `shape`, `condition_shape`: as in `unet_generator`, of any size from 4.
    - `width`: channels of the first hidden image; they double with each halving.
    - `norm`: not after the first layer. `instance` couples no images of a batch.
    - `spectral`: made of spectrally normalised layers. Then without `norm`.
    """
    height, width_, own = image_shape(shape)
    channels = own + image_shape(condition_shape)[2]
    sizes = halvings((height, width_))
    # The two last layers need room of their own.
    count = min(PATCH_HALVINGS, sum(min(size) >= SMALLEST for size in sizes[1:]))
    keys = jax.random.split(key, count + 2)
    layers: list[Callable] = []
    for index in range(count + 1):
        kind: Norm = "none" if index == 0 else norm
        out, stride = width * 2**index, STRIDE if index < count else 1
        layers += [
            convolution(
                spectral, channels, out, KERNEL, init, keys[index], sizes[index],
                stride=stride, padding=PADDING,
            ),
            *norm_layers(kind, out),
            LeakyReLU(SLOPE),
        ]  # fmt: skip
        channels = out
    # A 4x4 window without a stride, on an image with a margin of 1, leaves a pixel less.
    end = (sizes[count][0] - 1, sizes[count][1] - 1)
    last = convolution(spectral, channels, 1, KERNEL, init, keys[-1], end, padding=PADDING)
    return PatchCritic(Chain(*layers, last))
