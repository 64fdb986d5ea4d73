"""Convolutional layers. Each maps one image `(height, width, channels)`."""

import math

import equinox as eqx
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt import lipschitz_upper_bound
from models.convolution.geometry import Geometry, Padding, Size, geometry, pair
from models.convolution.trilinear import convolve, transposed_convolve

Image = Float[Array, "_ _ _"]


def fresh_kernel(
    shape: tuple[int, int, int, int], init: Initializer, key: PRNGKeyArray, bias: bool
) -> tuple[Float[Array, "kh kw in out"], Float[Array, " out"] | None]:
    """Draw a kernel of `shape`, `(kh, kw, in, out)`, with a bias of 0, or `None` for none."""
    kernel = init(key, shape)
    return kernel, jnp.zeros(shape[-1:], kernel.dtype) if bias else None


def with_bias(y: Image, bias: Float[Array, " out"] | None) -> Image:
    """Add a channel's bias at every place."""
    return y if bias is None else y + bias[None, None]


class Conv2d(eqx.Module):
    r"""A convolution with stride, padding and dilation, and a bias for each channel.

    - `kernel`: shape `(kh, kw, in, out)`. `bias`: shape `(out,)`, or `None`.
    - `stride`, `padding`, `dilation`: as in `models.convolution.geometry`. Static.
    """

    kernel: Float[Array, "kh kw in out"]
    bias: Float[Array, " out"] | None
    stride: Size = eqx.field(static=True)
    padding: Padding = eqx.field(static=True)
    dilation: Size = eqx.field(static=True)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        init: Initializer,
        key: PRNGKeyArray,
        *,
        stride: Size = 1,
        padding: Padding = "same",
        dilation: Size = 1,
        bias: bool = True,
    ):
        """`init` draws the kernel, such as `jax.nn.initializers.he_normal()`; the bias is 0."""
        shape = (*pair(kernel_size), in_channels, out_channels)
        self.kernel, self.bias = fresh_kernel(shape, init, key, bias)
        self.stride, self.padding, self.dilation = stride, padding, dilation

    def __call__(self, x: Image) -> Image:
        kernel = self.kernel
        where = geometry(x.shape[:2], kernel.shape[:2], self.stride, self.padding, self.dilation)
        return with_bias(convolve(x, kernel, where), self.bias)


class ConvTranspose2d(eqx.Module):
    r"""A transposed convolution: the gradient of a `Conv2d` with respect to its input.

    With the convolution's own kernel it maps the convolution's output shape back to its input
    shape. So its kernel has the shape `(kh, kw, out, in)`, and its output has `out` channels.

    - `bias`: shape `(out,)`, or `None`. `stride`, `padding`, `dilation`: the convolution's. Static.
    - `out_shape`: height and width of the output, where the stride leaves a choice; by default the
      smallest, or the stride times the input with padding `same`. Static.
    """

    kernel: Float[Array, "kh kw out in"]
    bias: Float[Array, " out"] | None
    stride: Size = eqx.field(static=True)
    padding: Padding = eqx.field(static=True)
    dilation: Size = eqx.field(static=True)
    out_shape: tuple[int, int] | None = eqx.field(static=True)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        init: Initializer,
        key: PRNGKeyArray,
        *,
        stride: Size = 1,
        padding: Padding = "same",
        dilation: Size = 1,
        out_shape: tuple[int, int] | None = None,
        bias: bool = True,
    ):
        """`init` draws the kernel as one from `in` to `out` channels; the bias is 0."""
        shape = (*pair(kernel_size), in_channels, out_channels)
        kernel, self.bias = fresh_kernel(shape, init, key, bias)
        self.kernel = kernel.swapaxes(2, 3)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.out_shape = out_shape

    def __call__(self, x: Image) -> Image:
        where = self._geometry(x.shape[:2])
        if where.out_shape != x.shape[:2]:
            raise ValueError(
                f"No convolution with this stride and padding takes images of {where.in_shape} to "
                f"{x.shape[:2]}; it gives {where.out_shape}. Choose another out_shape."
            )
        return with_bias(transposed_convolve(x, self.kernel, where), self.bias)

    def _geometry(self, shape: tuple[int, ...]) -> Geometry:
        of = lambda size: geometry(
            size, self.kernel.shape[:2], self.stride, self.padding, self.dilation
        )
        if self.out_shape is not None:
            return of(self.out_shape)
        stride = pair(self.stride)
        if self.padding == "same":
            return of((shape[0] * stride[0], shape[1] * stride[1]))
        # Of a window as large as the kernel's reach: it has one place, whatever the padding.
        kernel = zip(self.kernel.shape[:2], pair(self.dilation), strict=True)
        least = of(tuple(d * (k - 1) + 1 for k, d in kernel))
        sizes = zip(shape, stride, least.reach, least.padding, strict=True)
        size = [(n - 1) * s + reach - sum(pad) for n, s, reach, pad in sizes]
        return of((size[0], size[1]))


class Resize(eqx.Module):
    """Nearest-neighbour resizing: every pixel `n // h` times down and `m // w` times across.

    Before a convolution: a resize-convolution. Where the size is no multiple of the input's, the
    last row or column is repeated.

    - `shape`: height and width of the output, $(n, m)$. Static.

    !!! cite "Source"

        Odena, Dumoulin & Olah (2016), Distill, doi:10.23915/distill.00003.
    """

    shape: tuple[int, int] = eqx.field(static=True)

    def __call__(self, x: Image) -> Image:
        height, width, channels = x.shape
        down, across = self.shape[0] // height, self.shape[1] // width
        if min(down, across) < 1:
            raise ValueError(f"Resize enlarges; {x.shape[:2]} is larger than {self.shape}.")
        x = jnp.broadcast_to(x[:, None, :, None], (height, down, width, across, channels))
        x = x.reshape(height * down, width * across, channels)
        missing = ((0, self.shape[0] - len(x)), (0, self.shape[1] - x.shape[1]), (0, 0))
        return jnp.pad(x, missing, mode="edge") if any(map(sum, missing)) else x


def average_pool(x: Image, factor: int = 2) -> Image:
    """Means of squares of `factor` times `factor` pixels; the remainder is cropped."""
    height, width = x.shape[0] // factor, x.shape[1] // factor
    x = x[: height * factor, : width * factor]
    return x.reshape(height, factor, width, factor, -1).mean(axis=(1, 3))


def with_channels(x: Float[Array, "h w *c"]) -> Image:
    """Add a channel axis to an image that has none: `(h, w)` to `(h, w, 1)`."""
    return x[..., None] if x.ndim == 2 else x


@lipschitz_upper_bound.register
def _(network: Conv2d) -> Float[Array, ""]:
    return kernel_bound(network.kernel, network.stride, network.dilation)


@lipschitz_upper_bound.register
def _(network: ConvTranspose2d) -> Float[Array, ""]:
    return kernel_bound(network.kernel, network.stride, network.dilation)


def kernel_bound(
    kernel: Float[Array, "kh kw in out"],
    stride: Size,
    dilation: Size = 1,
) -> Float[Array, ""]:
    r"""$\sqrt{m}\,\|R\|_2$: a bound of the convolution's norm for every image size and padding.

    $R$ is the kernel as a matrix from windows to outputs, and $m$ the number of windows that a
    pixel is in at most.
    """
    sizes = zip(kernel.shape[:2], pair(stride), pair(dilation), strict=True)
    windows = math.prod(-(-k // s) if d == 1 else k for k, s, d in sizes)
    return windows**0.5 * jnp.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), ord=2)
