"""Convolutions as matrix products: the form that is fast on a CPU, inside scans and for gradients.

The windows of the image become rows of a matrix, and the convolution is that matrix times the
kernel.
All functions take a batch: images `(n, height, width, channels)`, kernels
`(height, width, in, out)`.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, DTypeLike, Float

from models.convolution.geometry import Geometry
from models.convolution.pieces import mapped, piece as fitting, summed

Images = Float[Array, "n _ _ _"]
Kernel = Float[Array, "_ _ _ _"]
PIECE = 2**22
"""Bytes of windows made at a time, few enough to be read back from the cache."""
FEW_CHANNELS = 16
"""Below it, kernel gradients are faster by windows as columns: benchmarks/conv_forms.py."""


def convolution(x: Images, kernel: Kernel, geometry: Geometry) -> Images:
    """Cross-correlate images with a kernel."""
    matrix = kernel.reshape(-1, kernel.shape[-1])
    part = lambda x: _product(_windows(x, geometry), matrix).astype(x.dtype)
    # Where an image is its own windows there are none to make.
    piece = len(x) if geometry.is_pointwise else _piece(len(x), geometry, matrix)
    return mapped(part, x, piece)


def is_small(n: int, channels: int, dtype: DTypeLike, geometry: Geometry) -> bool:
    """True if the windows of n images fit into one piece, so that they are made at once."""
    window = math.prod(geometry.kernel_shape) * channels
    matrix = jax.ShapeDtypeStruct((window, 1), dtype)
    return n * _bytes_of_one(geometry, matrix) <= PIECE


def transposed_convolution(g: Images, kernel: Kernel, geometry: Geometry) -> Images:
    """Add up the kernel times each entry of `g`, where the windows overlap."""
    matrix = kernel.reshape(-1, kernel.shape[-1])
    dilated = geometry.dilation != (1, 1)
    part = _added_up(kernel, geometry) if dilated else _added_up_by_phases(kernel, geometry)
    return mapped(part, g, _piece(len(g), geometry, matrix))


def _added_up(kernel: Kernel, geometry: Geometry) -> Callable[[Images], Images]:
    """Add up windows, by the transpose of `_windows`."""
    matrix = kernel.reshape(-1, kernel.shape[-1])

    def part(g):
        products = _product(g, matrix.T)
        shape = (len(g), *geometry.in_shape, kernel.shape[2])
        like = jax.ShapeDtypeStruct(shape, products.dtype)
        (image,) = jax.linear_transpose(lambda x: _windows(x, geometry), like)(products)
        return image.astype(g.dtype)

    return part


def _added_up_by_phases(kernel: Kernel, geometry: Geometry) -> Callable[[Images], Images]:
    """Add up windows phase by phase: pixels a stride apart are one image of stride 1.

    So what is added up is contiguous, and the phases are put between each other at the end.
    """
    s, t = geometry.stride
    # As many rows and columns of zeros as make whole phases of the kernel.
    rows, columns = (-(-k // n) for k, n in zip(geometry.kernel_shape, (s, t), strict=True))
    missing = (rows * s - kernel.shape[0], columns * t - kernel.shape[1])
    kernel = jnp.pad(kernel, (*((0, n) for n in missing), (0, 0), (0, 0)))
    kernel = kernel.reshape(rows, s, columns, t, *kernel.shape[2:]).swapaxes(1, 2)
    matrix = kernel.reshape(-1, kernel.shape[-1])

    def part(g):
        products = _product(g, matrix.T).reshape(*g.shape[:3], rows * columns, -1)
        height, width = g.shape[1] + rows - 1, g.shape[2] + columns - 1
        image = jnp.zeros((), products.dtype)
        for index in range(rows * columns):
            top, left = divmod(index, columns)
            below, right = rows - 1 - top, columns - 1 - left
            margins = ((0, 0), (top, below), (left, right), (0, 0))
            image += jnp.pad(products[:, :, :, index], margins)
        image = image.reshape(len(g), height, width, s, t, -1).swapaxes(2, 3)
        image = image.reshape(len(g), height * s, width * t, -1)
        return lax.pad(image.astype(g.dtype), jnp.zeros((), g.dtype), _cut(image, geometry))

    return part


def _cut(image: Images, geometry: Geometry) -> list[tuple[int, int, int]]:
    """`lax.pad` margins that crop the padding and restore uncovered pixels."""
    lows = [low for low, _ in geometry.padding]
    sizes = zip(geometry.in_shape, image.shape[1:3], lows, strict=True)
    margins = [(-low, size + low - n, 0) for size, n, low in sizes]
    return [(0, 0, 0), *margins, (0, 0, 0)]


def kernel_gradient(x: Images, g: Images, geometry: Geometry) -> Kernel:
    """The sum over windows of window times `g`, as a kernel."""
    form = by_columns if x.shape[-1] < FEW_CHANNELS else by_rows
    return form(x, g, geometry)


def by_rows(x: Images, g: Images, geometry: Geometry) -> Kernel:
    """`kernel_gradient` with windows as the rows of a matrix."""
    # The other way round, windows first, the product takes up to twice as long.
    part = lambda x, g: _dot(g, _windows(x, geometry), ((0, 1, 2), (0, 1, 2)))
    total = summed(part, x, g, _piece_of_both(x, g, geometry))
    return _transposed(total).astype(g.dtype).reshape(_kernel_shape(x, g, geometry))


def by_columns(x: Images, g: Images, geometry: Geometry) -> Kernel:
    """`kernel_gradient` with windows as the columns of a matrix."""
    part = lambda x, g: _dot(_windows_as_columns(x, geometry), g, ((1, 2, 3), (0, 1, 2)))
    total = summed(part, x, g, _piece_of_both(x, g, geometry))
    return total.astype(g.dtype).reshape(_kernel_shape(x, g, geometry))


def _kernel_shape(x: Images, g: Images, geometry: Geometry) -> tuple[int, ...]:
    return (*geometry.kernel_shape, x.shape[-1], g.shape[-1])


def _transposed(matrix: Float[Array, "a b"]) -> Float[Array, "b a"]:
    """The transpose, concatenated from two halves: users that read it several times, as optimisers
    do, then do not read the matrix against its order, since XLA does not fuse concatenations."""
    half = len(matrix) // 2
    return jnp.concatenate([matrix[:half].T, matrix[half:].T], axis=1)


def _piece(n: int, geometry: Geometry, matrix: Any) -> int:
    """The number of images whose windows are made at a time."""
    return fitting(n, _bytes_of_one(geometry, matrix), PIECE)


def _piece_of_both(x: Images, g: Images, geometry: Geometry) -> int:
    """The same for a kernel's gradient."""
    shape = _kernel_shape(x, g, geometry)
    kernel = jax.ShapeDtypeStruct((math.prod(shape[:3]), shape[3]), _sums_in(g))
    return _piece(len(x), geometry, kernel)


def _bytes_of_one(geometry: Geometry, matrix: Any) -> int:
    """Bytes of one image's windows, for the matrix that they are multiplied by."""
    return math.prod(geometry.out_shape) * len(matrix) * matrix.dtype.itemsize


def _windows(x: Images, geometry: Geometry) -> Float[Array, "n i j window"]:
    """Every window of the image as a row: a slice for each offset in the kernel.

    Or for as many places side by side as the stride is long, if the window has no holes: so many
    columns are one column of more channels.
    """
    (height, width), (down, across) = geometry.kernel_shape, geometry.dilation
    (rows, columns), (s, t) = geometry.out_shape, geometry.stride
    block = t if across == 1 else 1
    reach = -(-geometry.reach[1] // block) * block
    x = _padded(x, geometry, t * (columns - 1) + reach)
    n, channels = len(x), x.shape[3]
    x = x.reshape(*x.shape[:2], -1, block * channels)
    slices = []
    for top in range(0, down * height, down):
        for place in range(0, width, block):
            first, step = across * place // block, t // block
            wide = min(block, width - place) * channels
            stop = (n, top + s * (rows - 1) + 1, first + step * (columns - 1) + 1, wide)
            slices.append(lax.slice(x, (0, top, first, 0), stop, (1, s, step, 1)))
    return jnp.concatenate(slices, axis=-1)


def _windows_as_columns(x: Images, geometry: Geometry) -> Float[Array, "window n i j"]:
    """The transpose of `_windows`: with few channels its rows are copied in longer pieces."""
    (rows, columns), (s, t) = geometry.out_shape, geometry.stride
    x = _padded(x, geometry, t * (columns - 1) + geometry.reach[1]).transpose(3, 0, 1, 2)
    slices = []
    for place in itertools.product(*map(range, geometry.kernel_shape)):
        top, left = (d * k for d, k in zip(geometry.dilation, place, strict=True))
        stop = (*x.shape[:2], top + s * (rows - 1) + 1, left + t * (columns - 1) + 1)
        slices.append(lax.slice(x, (0, 0, top, left), stop, (1, 1, s, t)))
    return jnp.concatenate(slices)


def _padded(x: Images, geometry: Geometry, width: int) -> Images:
    """Pad images before, and after up to this width."""
    (top, bottom), (left, _) = geometry.padding
    margins = ((0, 0, 0), (top, bottom, 0), (left, width - x.shape[2] - left, 0), (0, 0, 0))
    return lax.pad(x, jnp.zeros((), x.dtype), margins)


def _product(rows: Float[Array, "n i j k"], matrix: Float[Array, "k o"]) -> Images:
    return _dot(rows, matrix, ((3,), (0,)))


def _dot(left: Array, right: Array, axes: tuple[tuple[int, ...], tuple[int, ...]]) -> Array:
    """Contract these axes of each, in the precision of `_sums_in`."""
    sums = _sums_in(left)
    return lax.dot_general(left, right, (axes, ((), ())), preferred_element_type=sums)


def _sums_in(x: Array) -> jnp.dtype:
    """The precision of sums: single for products of half precision."""
    return jnp.dtype(jnp.float32) if x.dtype.itemsize < 4 else x.dtype
