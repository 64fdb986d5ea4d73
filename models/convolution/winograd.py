r"""Convolutions of kernels three rows high with half the multiplications, for many channels.

Four rows of the answer are polynomials' products: of six rows of the image, one number of each,
with three rows of the kernel. They need not 12 products but 6, of the values at as many points,
here 0, 1, -1, 2, -2 and infinity. Down the image only: across it each product is a convolution of
one row. So transformed rows are one and a half times as many as the image's, where tiles of two
directions are twice to four times as many, and sums lose less of their precision.

All functions take a batch: images `(n, height, width, channels)`, kernels `(3, width, in, out)`,
without stride or dilation. Products of half precision are summed, and transformed, in single.

!!! cite "Source"

    Winograd (1980), Arithmetic Complexity of Computations, SIAM; Lavin & Gray (2016),
    arXiv:1509.09308, section 4.3, for the matrices.
"""

import functools
import operator
from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from models.convolution.geometry import Geometry
from models.convolution.pieces import mapped, piece, summed

Images = Float[Array, "n _ _ _"]
Kernel = Float[Array, "_ _ _ _"]
Rows = Float[Array, "_ _"]
Matrix = tuple[tuple[int | float, ...], ...]
TILE = 4
"""Rows of the answer that are computed of `POINTS` products."""
POINTS = 6
FROM_IMAGE: Matrix = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
"""From six rows of the image to the factors of the products."""
FROM_KERNEL: Matrix = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
"""From the three rows of the kernel to the other factors."""
TO_ANSWER: Matrix = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)
"""From the products to four rows of the answer."""
CHANNELS = 32
"""Channels of image and answer from which on this form is the fastest: benchmarks/conv_forms.py."""
ROWS_BYTES = 48 * 2**20
"""Bytes of factors and products at a time: half of that and less is no faster, only smaller."""
WINDOWS_BYTES = 2**22
"""Bytes of a kernel's gradient's windows at a time, few enough to be read back from the cache."""


def pays(geometry: Geometry, channels: int, out: int) -> bool:
    """True where this form is possible and the fastest: of many channels, and few rows in vain."""
    possible = geometry.kernel_shape[0] == 3 and geometry.stride == geometry.dilation == (1, 1)
    rows = geometry.out_shape[0]
    return possible and min(channels, out) >= CHANNELS and POINTS * _tiles(geometry) <= 2 * rows


def convolution(x: Images, kernel: Kernel, geometry: Geometry) -> Images:
    """Cross-correlate images with a kernel."""
    kernels = _combined(FROM_KERNEL, list(_precise(kernel)))
    (rows, columns), (channels, out) = geometry.out_shape, kernel.shape[2:]

    def part(x):
        factors = _factors(x, geometry)
        shape = factors[0].shape
        products = [
            _along(v.reshape(-1, channels), u).reshape(*shape[:3], out)
            for v, u in zip(factors, kernels, strict=True)
        ]
        tiles = jnp.stack(_combined(TO_ANSWER, products), axis=2)
        found = tiles.reshape(len(x), -1, shape[2], out)
        return found[:, :rows, :columns].astype(x.dtype)

    size = POINTS * _tiles(geometry) * _pitch(geometry) * (channels + out) * 4
    return mapped(part, x, piece(len(x), size, ROWS_BYTES))


def kernel_gradient(x: Images, g: Images, geometry: Geometry) -> Kernel:
    """The sum over windows of window times `g`, as a kernel."""
    (rows, columns), width = geometry.out_shape, geometry.kernel_shape[1]
    channels, out = x.shape[-1], g.shape[-1]
    tiles, pitch = _tiles(geometry), _pitch(geometry)

    def part(x, g):
        margins = ((0, 0, 0), (0, TILE * tiles - rows, 0), (0, pitch - columns, 0), (0, 0, 0))
        g = lax.pad(_precise(g), jnp.zeros((), _precise(g).dtype), margins)
        answers = _combined(_transposed(TO_ANSWER), [g[:, row::TILE] for row in range(TILE)])
        gradients = []
        for v, z in zip(_factors(x, geometry), answers, strict=True):
            windows = _shifted(z.reshape(-1, out), width)
            rows_of_image = v.reshape(-1, channels)
            gradients.append(lax.dot_general(rows_of_image, windows, (((0,), (0,)), ((), ()))))
        return jnp.stack(_combined(_transposed(FROM_KERNEL), gradients))

    size = POINTS * tiles * pitch * width * out * 4
    found = summed(part, x, g, piece(len(x), size, WINDOWS_BYTES))
    return found.reshape(3, channels, width, out).swapaxes(1, 2).astype(g.dtype)


def _factors(x: Images, geometry: Geometry) -> list[Float[Array, "n tiles pitch channels"]]:
    """The image's factors of the products, its rows padded to one pitch."""
    (top, _), (left, _) = geometry.padding
    tiles, pitch = _tiles(geometry), _pitch(geometry)
    below = TILE * tiles + 2 - x.shape[1] - top
    margins = ((0, 0, 0), (top, below, 0), (left, pitch - left - x.shape[2], 0), (0, 0, 0))
    x = lax.pad(_precise(x), jnp.zeros((), _precise(x).dtype), margins)
    last = TILE * (tiles - 1)
    return _combined(FROM_IMAGE, [x[:, row : row + last + 1 : TILE] for row in range(POINTS)])


def _along(rows: Rows, kernel: Float[Array, "width in out"]) -> Rows:
    """Convolve all rows of all images, one after another, in the form that XLA computes fast."""
    found = lax.conv_general_dilated(
        rows[None, None],
        kernel[None],
        (1, 1),
        ((0, 0), (0, len(kernel) - 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return found[0, 0]


def _shifted(rows: Rows, width: int) -> Rows:
    """All rows, beside them the same one place later, and so on."""
    count, rows = len(rows), jnp.pad(rows, ((width - 1, 0), (0, 0)))
    starts = range(width - 1, -1, -1)
    return jnp.concatenate([rows[start : start + count] for start in starts], axis=1)


def _tiles(geometry: Geometry) -> int:
    return -(-geometry.out_shape[0] // TILE)


def _pitch(geometry: Geometry) -> int:
    """Columns from one row to the next: so many that no window in use sees two of them."""
    (left, _), columns = geometry.padding[1], geometry.out_shape[1]
    return max(geometry.in_shape[1] + left, columns - 1 + geometry.reach[1] - left, columns)


def _combined(matrix: Matrix, parts: Sequence[Array]) -> list[Array]:
    """The matrix times a vector of arrays."""
    terms = lambda row: (float(c) * part for c, part in zip(row, parts, strict=True) if c)
    return [functools.reduce(operator.add, terms(row)) for row in matrix]


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _precise(x: Array) -> Array:
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
