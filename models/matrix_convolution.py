"""Convolutions as matrix products: the form that is fast on a CPU, inside scans and for gradients.

A stride is first folded into the channels (space to depth), so that what is left has stride 1; the
windows of the image become rows of a matrix, and the convolution is its product with the kernel.
All functions take a batch: images `(n, height, width, channels)`, kernels
`(height, width, in, out)`.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Images = Float[Array, "n h w c"]
Kernel = Float[Array, "kh kw c o"]
Pair = tuple[int, int]


class Geometry(Protocol):
    """See `models.convolution.Geometry`."""

    @property
    def in_shape(self) -> Pair: ...
    @property
    def out_shape(self) -> Pair: ...
    @property
    def kernel_shape(self) -> Pair: ...
    @property
    def stride(self) -> Pair: ...
    @property
    def dilation(self) -> Pair: ...
    @property
    def padding(self) -> tuple[Pair, Pair]: ...


PIECE = 2**22
"""Bytes of windows that are made at a time: what is written is read again from the cache."""


def convolution(x: Images, kernel: Kernel, geometry: Geometry) -> Images:
    """What each window of the image has in common with the kernel."""
    folded = _Folded(geometry)
    matrix = folded.kernel(kernel).reshape(-1, kernel.shape[-1])
    part = lambda x: _product(_windows(folded.image(x), folded), matrix)
    return _piecewise(part, x, _piece(len(x), geometry, matrix))


def transposed_convolution(g: Images, kernel: Kernel, geometry: Geometry) -> Images:
    """Each entry of `g` times the kernel, added up where the windows overlap."""
    folded = _Folded(geometry)
    folded_kernel = folded.kernel(kernel)
    matrix = folded_kernel.reshape(-1, kernel.shape[-1])

    def part(g):
        like = jax.ShapeDtypeStruct((len(g), *folded.in_shape, folded_kernel.shape[2]), g.dtype)
        add_up = jax.linear_transpose(lambda x: _windows(x, folded), like)
        (image,) = add_up(_product(g, matrix.T))
        return folded.unfolded_image(image)

    return _piecewise(part, g, _piece(len(g), geometry, matrix))


def kernel_gradient(x: Images, g: Images, geometry: Geometry) -> Kernel:
    """The sum over windows of window times `g`, as a kernel."""
    folded = _Folded(geometry)
    shape = (*folded.kernel_shape, x.shape[-1] * math.prod(folded.fold), g.shape[-1])
    like = jax.ShapeDtypeStruct((math.prod(shape[:3]), shape[3]), _sums_in(g))

    def part(x, g):
        windows = _windows(folded.image(x), folded)
        dims = (((0, 1, 2), (0, 1, 2)), ((), ()))
        return lax.dot_general(windows, g, dims, preferred_element_type=like.dtype)

    gradient = _summed(part, x, g, _piece(len(x), geometry, like))
    return folded.unfolded_kernel(gradient.astype(g.dtype).reshape(shape))


def _piece(n: int, geometry: Geometry, matrix: Any) -> int:
    """How many of n images have their windows made at a time: a divisor of n if one is near."""
    bytes_of_one = math.prod(geometry.out_shape) * len(matrix) * matrix.dtype.itemsize
    most = min(n, max(1, PIECE // bytes_of_one))
    divisors = [size for size in range((most + 1) // 2, most + 1) if n % size == 0]
    return max(divisors, default=most)


def _piecewise(part: Callable, images: Images, piece: int) -> Images:
    """A function of images, so many of them at a time."""
    whole = len(images) // piece * piece
    if piece >= len(images):
        return part(images)
    head = images[:whole].reshape(-1, piece, *images.shape[1:])
    done = lax.map(part, head)
    done = done.reshape(whole, *done.shape[2:])
    if whole == len(images):
        return done
    return jnp.concatenate([done, part(images[whole:])])


def _summed(part: Callable, x: Images, g: Images, piece: int) -> Array:
    """The sum of a function of images, so many of them at a time."""
    whole = len(x) // piece * piece
    if piece >= len(x):
        return part(x, g)
    heads = jax.tree.map(lambda a: a[:whole].reshape(-1, piece, *a.shape[1:]), (x, g))
    like = jax.eval_shape(part, x[:1], g[:1])
    rest = part(x[whole:], g[whole:]) if whole < len(x) else jnp.zeros(like.shape, like.dtype)
    return lax.scan(lambda total, pair: (total + part(*pair), None), rest, heads)[0]


class _Folded:
    """The geometry with the stride in the channels, unless it is dilated as well.

    - `in_shape`: of the folded image, with its padding. `kernel_shape`, `stride`: of what is left.
    """

    def __init__(self, geometry: Geometry):
        self.geometry, self.dilation = geometry, geometry.dilation
        self.fold = geometry.stride if geometry.dilation == (1, 1) else (1, 1)
        self.stride = (1, 1) if self.fold == geometry.stride else geometry.stride
        pairs = zip(geometry.kernel_shape, self.fold, strict=True)
        height, width = (-(-k // s) for k, s in pairs)
        self.kernel_shape = (height, width)
        reach = [d * (k - 1) + 1 for k, d in zip(self.kernel_shape, self.dilation, strict=True)]
        outs = zip(geometry.out_shape, self.stride, reach, strict=True)
        rows, columns = ((out - 1) * s + r for out, s, r in outs)
        self.in_shape = (rows, columns)

    def _margins(self) -> list[tuple[int, int, int]]:
        """What is padded, or where negative cut off, before and after, down and across."""
        sizes = zip(self.in_shape, self.fold, self.geometry.in_shape, strict=True)
        lows = [low for low, _ in self.geometry.padding]
        return [(low, n * s - size - low, 0) for (n, s, size), low in zip(sizes, lows, strict=True)]

    def image(self, x: Images) -> Images:
        x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *self._margins(), (0, 0, 0)])
        (rows, columns), (s, t) = self.in_shape, self.fold
        x = x.reshape(len(x), rows, s, columns, t, -1).swapaxes(2, 3)
        return x.reshape(len(x), rows, columns, -1)

    def unfolded_image(self, x: Images) -> Images:
        (rows, columns), (s, t) = self.in_shape, self.fold
        x = x.reshape(len(x), rows, columns, s, t, -1).swapaxes(2, 3)
        x = x.reshape(len(x), rows * s, columns * t, -1)
        undone = [(-low, -high, 0) for low, high, _ in self._margins()]
        return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *undone, (0, 0, 0)])

    def _missing(self) -> list[int]:
        """The rows and columns that the kernel lacks to be a multiple of the stride."""
        sizes = zip(self.kernel_shape, self.fold, self.geometry.kernel_shape, strict=True)
        return [n * s - size for n, s, size in sizes]

    def kernel(self, kernel: Kernel) -> Kernel:
        (height, width), (s, t) = self.kernel_shape, self.fold
        kernel = jnp.pad(kernel, (*((0, n) for n in self._missing()), (0, 0), (0, 0)))
        kernel = kernel.reshape(height, s, width, t, *kernel.shape[2:]).swapaxes(1, 2)
        return kernel.reshape(height, width, -1, kernel.shape[-1])

    def unfolded_kernel(self, kernel: Kernel) -> Kernel:
        (height, width), (s, t) = self.kernel_shape, self.fold
        kernel = kernel.reshape(height, width, s, t, -1, kernel.shape[-1]).swapaxes(1, 2)
        kernel = kernel.reshape(height * s, width * t, *kernel.shape[4:])
        rows, columns = self.geometry.kernel_shape
        return kernel[:rows, :columns]


def _windows(x: Images, folded: _Folded) -> Float[Array, "n i j window"]:
    """Every window of a padded image as a row."""
    (height, width), (down, across) = folded.kernel_shape, folded.dilation
    if (height, width) == (1, 1) and folded.stride == (1, 1):
        return x
    s, t = folded.stride
    rows = (x.shape[1] - down * (height - 1) - 1) // s + 1
    columns = (x.shape[2] - across * (width - 1) - 1) // t + 1
    parts = [
        lax.slice(
            x,
            (0, down * a, across * b, 0),
            (len(x), down * a + s * (rows - 1) + 1, across * b + t * (columns - 1) + 1, x.shape[3]),
            (1, s, t, 1),
        )
        for a in range(height)
        for b in range(width)
    ]
    return jnp.concatenate(parts, axis=-1)


def _product(rows: Float[Array, "n i j k"], matrix: Float[Array, "k o"]) -> Images:
    dims = (((3,), (0,)), ((), ()))
    product = lax.dot_general(rows, matrix, dims, preferred_element_type=_sums_in(rows))
    return product.astype(rows.dtype)


def _sums_in(x: Array) -> jnp.dtype:
    """Products of half precision are summed in single."""
    return jnp.promote_types(x.dtype, jnp.float32)
