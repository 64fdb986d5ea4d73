r"""Convolution as a trilinear form, and its three maps.

$T(x, w, g) = \sum x_{n,\,si + da - p,\,c}\; w_{a,c,o}\; g_{n,i,o}$ over samples $n$, places $i$,
offsets $a$ in the kernel, and channels, with stride $s$, dilation $d$ and padding $p$. It is linear
in each of its three arguments, and so there are three maps:

- the convolution, from $x$ and $w$ to the factor of $g$;
- the transposed convolution, from $g$ and $w$ to the factor of $x$: the gradient of a
  convolution with respect to its input (Dumoulin & Visin 2016, arXiv:1603.07285, section 4);
- the kernel's gradient, from $x$ and $g$ to the factor of $w$.

Every derivative of one of them, of any order, is one of them again. So they are three JAX
primitives, and each has several ways to be computed: on a GPU or TPU by XLA's convolution; on a
CPU, where XLA's gradients of a convolution are slower by orders of magnitude, by convolutions of
the one form that is fast there (`models.convolution.canonical`), where kernels are three rows high
and channels many by that of half the multiplications (`models.convolution.winograd`), or, where
there is none and where they are faster, as matrix products (`models.convolution.matrix`). Images
are `(height, width, channels)`.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from models.convolution import canonical, matrix, winograd
from models.convolution.geometry import Geometry


def convolve(
    x: Float[Array, "h w in"], kernel: Float[Array, "kh kw in out"], where: Geometry
) -> Float[Array, "i j out"]:
    r"""$y_{i,o} = \sum_{a,c} x_{si + da - p,\,c}\, w_{a,c,o}$ of one image and a kernel.

    As in every neural network it is a correlation: the kernel is not flipped.

    **Returns:** shape `(*where.out_shape, out)`.
    """
    _check(x, kernel, where.in_shape, "in_shape")
    return _convolution.bind(x[None, None], kernel[None], geometry=where)[0, 0]


def transposed_convolve(
    g: Float[Array, "i j out"], kernel: Float[Array, "kh kw in out"], where: Geometry
) -> Float[Array, "h w in"]:
    r"""$\sum_{i,o} g_{i,o}\, w_{a,c,o}$ at the places $si + da - p$: `convolve` transposed.

    For every image `x` the inner products `vdot(convolve(x, kernel, where), g)` and
    `vdot(x, transposed_convolve(g, kernel, where))` are equal.

    **Returns:** shape `(*where.in_shape, in)`.
    """
    _check(g, kernel, where.out_shape, "out_shape")
    return _transposed_convolution.bind(g[None, None], kernel[None], geometry=where)[0, 0]


def _check(image: Array, kernel: Array, wanted: tuple[int, int], name: str) -> None:
    if image.shape[:2] != wanted:
        raise ValueError(f"The image is {image.shape[:2]}, and the geometry's {name} is {wanted}.")
    if image.dtype != kernel.dtype:
        raise ValueError(
            f"The image is of {image.dtype} and the kernel of {kernel.dtype}: cast one."
        )


# Every operand of a primitive has an axis in front for as many kernels as there are, and images
# have one of the batch behind it: x is (e, n, h, w, in), g is (e, n, i, j, out), kernels are
# (e, kh, kw, in, out).


def _convolution_shape(x: Any, kernel: Any, *, geometry: Geometry) -> tuple[int, ...]:
    return (*x.shape[:2], *geometry.out_shape, kernel.shape[-1])


def _transposed_shape(g: Any, kernel: Any, *, geometry: Geometry) -> tuple[int, ...]:
    return (*g.shape[:2], *geometry.in_shape, kernel.shape[-2])


def _kernel_shape(x: Any, g: Any, *, geometry: Geometry) -> tuple[int, ...]:
    return (x.shape[0], *geometry.kernel_shape, x.shape[-1], g.shape[-1])


def _by_xla(x: Array, kernel: Array, geometry: Geometry) -> Array:
    """XLA's own convolution of a batch `(n, h, w, in)`."""
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.stride,
        geometry.padding,
        rhs_dilation=geometry.dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _transposed_by_xla(g: Array, kernel: Array, geometry: Geometry) -> Array:
    shape = (len(g), *geometry.in_shape, kernel.shape[2])
    transposed = jax.linear_transpose(
        lambda x: _by_xla(x, kernel, geometry), jax.ShapeDtypeStruct(shape, g.dtype)
    )
    return transposed(g)[0]


def _kernel_gradient_by_xla(x: Array, g: Array, geometry: Geometry) -> Array:
    shape = (*geometry.kernel_shape, x.shape[-1], g.shape[-1])
    transposed = jax.linear_transpose(
        lambda kernel: _by_xla(x, kernel, geometry), jax.ShapeDtypeStruct(shape, x.dtype)
    )
    return transposed(g)[0]


def _at_once(function: Callable, left: Array, right: Array, geometry: Geometry) -> Array:
    """Map a function of a batch and one kernel over many kernels."""
    single = lambda a, b: function(a, b, geometry)
    return single(left[0], right[0])[None] if len(left) == 1 else jax.vmap(single)(left, right)


def _on_cpu(in_single: Callable, by_matrix: Callable, channels: Callable) -> Callable:
    """Choose `in_single` in single precision and half, `by_matrix` in double.

    Of many kernels one after another, as each product fills the processor; but of images so small
    that they don't, by their `channels(left, right)`, all at once by matrices.
    """

    def function(left: Array, right: Array, *, geometry: Geometry) -> Array:
        form = in_single if left.dtype.itemsize <= 4 else by_matrix
        if len(left) == 1:
            return form(left[0], right[0], geometry)[None]
        if matrix.is_small(left.shape[1], channels(left, right), left.dtype, geometry):
            return _at_once(by_matrix, left, right, geometry)
        return lax.map(lambda pair: form(*pair, geometry), (left, right))

    return function


def _single_convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    # A product of all windows at once has less to do beside it.
    if matrix.is_small(len(x), x.shape[-1], x.dtype, geometry):
        return matrix.convolution(x, kernel, geometry)
    return _large_convolution(x, kernel, geometry)


def _large_convolution(x: Array, kernel: Array, geometry: Geometry) -> Array:
    if geometry.is_pointwise:
        return matrix.convolution(x, kernel, geometry)
    fewer = winograd.pays(geometry, *kernel.shape[2:])
    return (winograd if fewer else canonical).convolution(x, kernel, geometry)


def _single_transposed_convolution(g: Array, kernel: Array, geometry: Geometry) -> Array:
    if geometry.stride == (1, 1):
        return _large_convolution(g, *canonical.turned(kernel, geometry))
    return matrix.transposed_convolution(g, kernel, geometry)


def _single_kernel_gradient(x: Array, g: Array, geometry: Geometry) -> Array:
    fewer = winograd.pays(geometry, x.shape[-1], g.shape[-1])
    return (winograd if fewer else matrix).kernel_gradient(x, g, geometry)


def _primitive(name: str, shape: Callable, on_cpu: Callable, elsewhere: Callable) -> Primitive:
    """Make a primitive that is lowered to one of two functions."""
    primitive = Primitive(name)

    @primitive.def_abstract_eval
    def _(left, right, *, geometry):
        return ShapedArray(shape(left, right, geometry=geometry), left.dtype)

    everywhere_else = lambda left, right, *, geometry: _at_once(elsewhere, left, right, geometry)
    for platform, function in (("cpu", on_cpu), (None, everywhere_else)):
        lowered = mlir.lower_fun(function, multiple_results=False)
        mlir.register_lowering(primitive, lowered, platform=platform)

    bind = lambda left, right, geometry: primitive.bind(left, right, geometry=geometry)
    compiled = jax.jit(bind, static_argnames="geometry")

    @primitive.def_impl
    def _(left, right, *, geometry):
        # A primitive has no Python to run in place of its program.
        with jax.disable_jit(False):
            return compiled(left, right, geometry=geometry)

    return primitive


_convolution = _primitive(
    "convolution",
    _convolution_shape,
    _on_cpu(_single_convolution, matrix.convolution, lambda x, kernel: x.shape[-1]),
    _by_xla,
)
_transposed_convolution = _primitive(
    "transposed_convolution",
    _transposed_shape,
    _on_cpu(
        _single_transposed_convolution,
        matrix.transposed_convolution,
        lambda g, kernel: kernel.shape[-2],
    ),
    _transposed_by_xla,
)
_kernel_gradient = _primitive(
    "kernel_gradient",
    _kernel_shape,
    _on_cpu(_single_kernel_gradient, matrix.kernel_gradient, lambda x, g: x.shape[-1]),
    _kernel_gradient_by_xla,
)

ad.defbilinear(
    _convolution,
    lambda g, x, kernel, **where: _transposed_convolution.bind(g, kernel, **where),
    lambda g, x, kernel, **where: _kernel_gradient.bind(x, g, **where),
)
ad.defbilinear(
    _transposed_convolution,
    lambda x, g, kernel, **where: _convolution.bind(x, kernel, **where),
    lambda x, g, kernel, **where: _kernel_gradient.bind(x, g, **where),
)
ad.defbilinear(
    _kernel_gradient,
    lambda kernel, x, g, **where: _transposed_convolution.bind(g, kernel, **where),
    lambda kernel, x, g, **where: _convolution.bind(x, kernel, **where),
)


def _batched_images(primitive: Primitive, operands, dims, *, geometry: Geometry):
    """Batch a primitive: mapped images join one batch, mapped kernels become more kernels."""
    images, kernel = operands
    if dims[1] is not None:
        return _more_kernels(primitive, operands, dims, geometry=geometry)
    images = jnp.moveaxis(images, dims[0], 1)
    merged = images.reshape(images.shape[0], -1, *images.shape[3:])
    out = primitive.bind(merged, kernel, geometry=geometry)
    return out.reshape(*images.shape[:3], *out.shape[2:]), 1


def _more_kernels(primitive: Primitive, operands, dims, *, geometry: Geometry):
    size = next(x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None)

    def in_front(x, dim):
        x = jnp.broadcast_to(x, (size, *x.shape)) if dim is None else jnp.moveaxis(x, dim, 0)
        return x.reshape(-1, *x.shape[2:])

    left, right = (in_front(x, dim) for x, dim in zip(operands, dims, strict=True))
    out = primitive.bind(left, right, geometry=geometry)
    return out.reshape(size, -1, *out.shape[1:]), 0


for _mapped, _rule in (
    (_convolution, _batched_images),
    (_transposed_convolution, _batched_images),
    (_kernel_gradient, _more_kernels),
):
    batching.primitive_batchers[_mapped] = functools.partial(_rule, _mapped)
