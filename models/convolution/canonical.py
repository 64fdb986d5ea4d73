"""Convolutions in the one form that XLA computes fast on a CPU, inside scans too.

That form has the batch first, then height and width, then channels; kernels `(h, w, in, out)`; in
single precision, without holes in the image. XLA's own gradients of a convolution are of other
forms, which take up to a hundred times as long. The image's, without a stride, is brought to this
one here; all others are left to `models.convolution.matrix`.

All functions take a batch: images `(n, height, width, channels)`. Sums of half precision are taken
in single.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from models.convolution.geometry import Geometry, Pairs

Images = Float[Array, "n _ _ _"]
Kernel = Float[Array, "_ _ _ _"]


def convolution(x: Images, kernel: Kernel, geometry: Geometry) -> Images:
    """Cross-correlate images with a kernel.

    Computed of one image, as wide as all of these together: XLA shares an image's columns among its
    threads, and neither rows nor images. Neighbours stand so far apart, a multiple of the stride,
    that no window in use sees two of them.
    """
    (top, bottom), (left, _) = geometry.padding
    (rows, columns), reach, step = geometry.out_shape, geometry.reach[1], geometry.stride[1]
    last = step * (columns - 1)
    pitch = step * -(-max(x.shape[2] + left, last + reach - left, last + 1) // step)
    margins = ((top, bottom, 0), (0, 0, 0), (left, pitch - left - x.shape[2], 0), (0, 0, 0))
    images = lax.pad(x.transpose(1, 0, 2, 3), jnp.zeros((), x.dtype), margins)
    wide = images.reshape(1, len(images), -1, x.shape[3])
    whole = ((0, 0), (0, max(0, reach - step)))
    found = _convolution(wide, kernel, geometry.stride, whole, geometry.dilation)
    found = found.reshape(rows, len(x), pitch // step, -1)[:, :, :columns]
    return found.transpose(1, 0, 2, 3)


def transposed_convolution(g: Images, kernel: Kernel, geometry: Geometry) -> Images:
    """Add up the kernel times each entry of `g`; without a stride."""
    return convolution(g, *turned(kernel, geometry))


def turned(kernel: Kernel, geometry: Geometry) -> tuple[Kernel, Geometry]:
    """Kernel and geometry of the convolution that is the transposed one; without a stride.

    It is that by the kernel turned around, with the padding that is left to full overlap.
    """
    sizes = zip(
        geometry.in_shape, geometry.reach, geometry.padding, geometry.out_shape, strict=True
    )
    rows, columns = ((reach - 1 - low, size - out + low) for size, reach, (low, _), out in sizes)
    back = geometry._replace(in_shape=geometry.out_shape, padding=(rows, columns))
    return kernel[::-1, ::-1].swapaxes(2, 3), back


def _convolution(
    x: Images,
    kernel: Kernel,
    stride: tuple[int, int],
    padding: Pairs,
    dilation: tuple[int, int],
) -> Images:
    found = lax.conv_general_dilated(
        x.astype(jnp.float32),
        kernel.astype(jnp.float32),
        stride,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return found.astype(x.dtype)
