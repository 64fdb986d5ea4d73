"""Differentiable augmentations of one image: `augment(key, image) -> image`.

Images are `(height, width)` or `(height, width, channels)` of any size. Each augmentation is linear
or affine in the image, so that gradients pass through it; a batch is mapped over them with one key
for each of its images.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from models.layers.conv import with_channels

Image = Float[Array, "h w *c"]
Augmentation = Callable[[PRNGKeyArray, Any], Any]


class Brightness(eqx.Module):
    r"""$x + b$ with one $b$, uniform in $[-$`most`$,$ `most`$]$, for the whole image.

    - `most`: static, as are the fields of all augmentations.
    """

    most: float = eqx.field(static=True, default=0.5)

    def __call__(self, key: PRNGKeyArray, image: Image) -> Image:
        return image + _uniform(key, -self.most, self.most, image)


class Saturation(eqx.Module):
    r"""Scaling of each pixel's distance from its gray: $\bar x + s (x - \bar x)$.

    - `low`, `high`: of the uniform $s$. $\bar x$ is the mean of a pixel's channels, so that an
      image of one channel stays as it is.
    """

    low: float = eqx.field(static=True, default=0.0)
    high: float = eqx.field(static=True, default=2.0)

    def __call__(self, key: PRNGKeyArray, image: Image) -> Image:
        x = with_channels(image)
        gray = jnp.mean(x, axis=-1, keepdims=True)
        return (gray + _uniform(key, self.low, self.high, x) * (x - gray)).reshape(image.shape)


class Contrast(eqx.Module):
    r"""Scaling of the distance from the mean of the whole image: $\bar x + s (x - \bar x)$.

    - `low`, `high`: of the uniform $s$.
    """

    low: float = eqx.field(static=True, default=0.5)
    high: float = eqx.field(static=True, default=1.5)

    def __call__(self, key: PRNGKeyArray, image: Image) -> Image:
        mean = jnp.mean(image)
        return mean + _uniform(key, self.low, self.high, image) * (image - mean)


class Translation(eqx.Module):
    """A shift down and one across, each by a uniform number of pixels, filled with zeros.

    - `fraction`: of height and of width, rounded, is the largest shift.
    - `pixels`: the largest shift, in place of the fraction.
    """

    fraction: float = eqx.field(static=True, default=0.125)
    pixels: int | None = eqx.field(static=True, default=None)

    def most(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """The largest shifts of an image of this shape."""
        if self.pixels is not None:
            return self.pixels, self.pixels
        return _part(self.fraction, shape[0]), _part(self.fraction, shape[1])

    def __call__(self, key: PRNGKeyArray, image: Image) -> Image:
        most = jnp.asarray(self.most(image.shape))
        start = jax.random.randint(key, (2,), 0, 2 * most + 1)
        pads = [(size, size) for size in self.most(image.shape)]
        padded = jnp.pad(with_channels(image), [*pads, (0, 0)])
        sizes = (*image.shape[:2], padded.shape[2])
        return jax.lax.dynamic_slice(padded, (start[0], start[1], 0), sizes).reshape(image.shape)


class Cutout(eqx.Module):
    """Zeros in a rectangle around a uniformly drawn pixel, cropped at the image's edges.

    - `fraction`: of height and of width, rounded, are the rectangle's sides.
    """

    fraction: float = eqx.field(static=True, default=0.5)

    def __call__(self, key: PRNGKeyArray, image: Image) -> Image:
        keys = jax.random.split(key)
        down, across = (
            self._inside(key, size) for key, size in zip(keys, image.shape[:2], strict=True)
        )
        inside = (down[:, None] & across[None, :])[..., None]
        return jnp.where(inside, 0, with_channels(image)).reshape(image.shape)

    def _inside(self, key: PRNGKeyArray, size: int) -> Array:
        """Mask of the rows, or columns, that the rectangle covers."""
        side = _part(self.fraction, size)
        # An even side has its centre between two pixels, so that there is one more of them.
        start = jax.random.randint(key, (), 0, size + 1 - side % 2) - side // 2
        places = jnp.arange(size)
        return (places >= start) & (places < start + side)


class Flip(eqx.Module):
    """A left-right flip with probability one half."""

    def __call__(self, key: PRNGKeyArray, image: Image) -> Image:
        return jnp.where(jax.random.bernoulli(key), jnp.flip(image, axis=1), image)


class Composition(eqx.Module):
    """One augmentation after another, each with a key of its own.

    - `parts`: any of the above.
    """

    parts: tuple[Augmentation, ...]

    def __init__(self, *parts: Augmentation):
        self.parts = parts

    def __call__(self, key: PRNGKeyArray, image: Image) -> Image:
        for part, own in zip(self.parts, jax.random.split(key, len(self.parts)), strict=True):
            image = part(own, image)
        return image


def DiffAugment(policy: tuple[str, ...] = ("color", "translation", "cutout")) -> Composition:
    """Differentiable augmentation with the published strengths.

    **Arguments:**

    - `policy`: the augmentations, in order. `color` is brightness by up to 0.5, saturation times
      up to 2, contrast times 0.5 to 1.5; `translation` by up to an eighth; `cutout` of a half.

    **Raises:** `ValueError` for an empty policy or an unknown name.

    !!! cite "Source"

        Zhao et al. (2020), arXiv:2006.10738, section 3.2 and appendix A.
    """
    kinds = {
        "color": (Brightness(), Saturation(), Contrast()),
        "translation": (Translation(),),
        "cutout": (Cutout(),),
    }
    unknown = [name for name in policy if name not in kinds]
    if unknown or not policy:
        raise ValueError(f"a policy is made of {', '.join(kinds)}; got {policy}.")
    return Composition(*(part for name in policy for part in kinds[name]))


def flip_and_shift(pixels: int = 4) -> Composition:
    """A flip with probability one half and a shift by up to `pixels`: for consistency terms.

    !!! cite "Source"

        Zhang et al. (2020), arXiv:1910.12027, section 3.1; balanced: Zhao et al. (2020),
        arXiv:2002.04724.
    """
    return Composition(Flip(), Translation(pixels=pixels))


def _part(fraction: float, size: int) -> int:
    """A fraction of the size, rounded half up."""
    return int(fraction * size + 0.5)


def _uniform(key: PRNGKeyArray, low: float, high: float, like: Array) -> Float[Array, "..."]:
    """One uniform number, shaped to broadcast against `like`."""
    return jax.random.uniform(key, (1,) * like.ndim, like.dtype, low, high)
