"""Spectral normalisation of convolutions by the norm of the operator, not of a reshaped kernel."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt import Fixed, lipschitz_upper_bound
from models.convolution.geometry import Geometry, Padding, Size, geometry, pair
from models.convolution.trilinear import convolve, transposed_convolve
from models.layers.conv import Image, fresh_kernel, kernel_bound, with_bias
from models.layers.spectral_norm import conjugate_gradients, spectral_norm, unit

ITERATIONS = 1


class SpectralConv2d(eqx.Module):
    r"""A convolution by $w/\|w\|$, with $\|w\|$ the *operator's* norm on images of one size.

    The norm of the kernel reshaped to a matrix, which is often taken instead, does not bound the
    operator: a 3x3 box kernel would come out 3-Lipschitz. The norm is $\langle v, w * u\rangle$ at
    the operator's leading singular vectors, which are found by power iteration from a stored
    direction. It is approached from below.

    Derivatives of every order are the norm's at the singular vectors, where the largest singular
    value is simple; from the second on they solve linear systems by conjugate gradients. Before
    the direction has converged, value and derivatives are wrong: the value by the square of the
    angle between the direction and the singular vector, derivatives by the angle, the second by
    the angle over the relative gap between the singular values. So refresh the direction before a
    certificate: `refreshed(network, 1000)`. At a direction so far off that a larger norm is seen
    from it, the part by which the vectors turn is cut short, to zero in the end.

    - `kernel`: shape `(kh, kw, in, out)`, of any size. `bias`: shape `(out,)`, or `None`.
    - `direction`: the stored image, shape `(height, width, in)`, in single precision at least,
      carried and not played. `refreshed` brings it nearer to the singular vector; with
      `gameopt.constrained(game, y=models.refreshed)` every solver does so after each move, so that
      one iteration a move is enough (Miyato et al. 2018, algorithm 1).
    - `iterations`: at every call, on top. `stride`, `padding`: as in `Conv2d`. All static.

    !!! cite "Source"

        Miyato et al. (2018), arXiv:1802.05957, equation 8, with the norm of the operator as in
        Gouk et al. (2021), arXiv:1804.04368, section 3.2.
    """

    kernel: Float[Array, "kh kw in out"]
    bias: Float[Array, " out"] | None
    direction: Fixed[Image]
    stride: Size = eqx.field(static=True)
    padding: Padding = eqx.field(static=True)
    iterations: int = eqx.field(static=True)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        init: Initializer,
        key: PRNGKeyArray,
        *,
        in_shape: tuple[int, int],
        stride: Size = 1,
        padding: Padding = "same",
        bias: bool = True,
        iterations: int = ITERATIONS,
    ):
        """For images of height and width `in_shape`; `init` draws the kernel, the bias is 0."""
        key_kernel, key_direction = jax.random.split(key)
        shape = (*pair(kernel_size), in_channels, out_channels)
        self.kernel, self.bias = fresh_kernel(shape, init, key_kernel, bias)
        image = (*in_shape, in_channels)
        dtype = _single_at_least(self.kernel.dtype)
        self.direction = Fixed(jax.random.normal(key_direction, image, dtype))
        self.stride, self.padding, self.iterations = stride, padding, iterations

    def __call__(self, x: Image) -> Image:
        shape = self.direction.value.shape
        if x.shape != shape:
            raise ValueError(
                f"This SpectralConv2d is normalised on images of {shape}, and is "
                f"given one of {x.shape}: the norm depends on the size."
            )
        return with_bias(convolve(x, self.normalised_kernel, self._geometry()), self.bias)

    @property
    def normalised_kernel(self) -> Float[Array, "kh kw in out"]:
        r"""$w/\|w\|$; 0 for $w = 0$."""
        norm = self.operator_norm(self.iterations)
        return self.kernel / jnp.where(norm == 0, 1, norm)

    def operator_norm(self, iterations: int) -> Float[Array, ""]:
        """The unnormalised operator's norm after `iterations`, from below.

        Of a kernel in half precision it is taken in single, and rounded at the end.
        """
        dtype = _single_at_least(self.kernel.dtype)
        operator = _Convolution(self._geometry(), iterations)
        begin = self.direction.value.astype(dtype)
        norm = spectral_norm(operator, self.kernel.astype(dtype), begin)
        return norm.astype(self.kernel.dtype)

    def refreshed(self, iterations: int) -> "SpectralConv2d":
        """Advance the stored power-iteration vector by `iterations` steps of the power method."""
        begin = lax.stop_gradient(self.direction.value)
        kernel = lax.stop_gradient(self.kernel).astype(begin.dtype)
        direction = _Convolution(self._geometry(), iterations).leading(kernel, begin)
        return eqx.tree_at(lambda layer: layer.direction.value, self, direction)

    def _geometry(self) -> Geometry:
        shapes = self.direction.value.shape[:2], self.kernel.shape[:2]
        return geometry(*shapes, self.stride, self.padding)


def _single_at_least(dtype: jnp.dtype) -> jnp.dtype:
    return dtype if dtype.itemsize >= 4 else jnp.dtype(jnp.float32)


class _Convolution(NamedTuple):
    """Convolution of images, its leading vector found by `iterations` of the power method."""

    where: Geometry
    iterations: int

    def apply(self, weight: Array, right: Image) -> Image:
        return convolve(right, weight, self.where)

    def adjoint(self, weight: Array, left: Image) -> Image:
        return transposed_convolve(left, weight, self.where)

    def leading(self, weight: Array, begin: Any) -> Image:
        iterate = lambda image, _: (unit(self.adjoint(weight, self.apply(weight, image))), None)
        return lax.scan(iterate, unit(begin), None, length=self.iterations)[0]

    def solve(self, matvec: Callable[[Image], Image], vector: Image) -> Image:
        return conjugate_gradients(matvec, vector)


def refreshed(network: Any, iterations: int = 1) -> Any:
    """Advance every stored power-iteration vector by `iterations` steps.

    A map from strategies to strategies that changes nothing that is played: give it to
    `gameopt.constrained` as a player's projection.
    """
    is_spectral = lambda node: isinstance(node, SpectralConv2d)
    refresh = lambda node: node.refreshed(iterations) if is_spectral(node) else node
    return jax.tree.map(refresh, network, is_leaf=is_spectral)


@lipschitz_upper_bound.register
def _(network: SpectralConv2d) -> Float[Array, ""]:
    return kernel_bound(network.normalised_kernel, network.stride)
