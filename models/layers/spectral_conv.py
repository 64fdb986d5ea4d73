"""Spectral normalisation of convolutions by the norm of the operator, not of a reshaped kernel."""

from typing import Any

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

ITERATIONS = 1


class SpectralConv2d(eqx.Module):
    r"""A convolution by $w/\|w\|$, with $\|w\|$ the *operator's* norm on images of one size.

    The norm of the kernel reshaped to a matrix, which is often taken instead, does not bound the
    operator: a 3x3 box kernel would come out 3-Lipschitz. The norm is $\langle v, w * u\rangle$ at
    the operator's leading singular vectors, which are found by power iteration from a stored
    direction. It is approached from below. The vectors are held fixed in derivatives: the first is
    exact at the singular vectors, and second ones lack the part by which the vectors turn.

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
        own = self.kernel.astype(_single_at_least(self.kernel.dtype))
        kernel = lax.stop_gradient(own)
        where, image = self._geometry(), self._iterated(kernel, iterations)
        answer = _unit(convolve(image, kernel, where))
        return jnp.vdot(answer, convolve(image, own, where)).astype(self.kernel.dtype)

    def refreshed(self, iterations: int) -> "SpectralConv2d":
        """Advance the stored power-iteration vector by `iterations` steps of the power method."""
        kernel = lax.stop_gradient(self.kernel).astype(self.direction.value.dtype)
        direction = self._iterated(kernel, iterations)
        return eqx.tree_at(lambda layer: layer.direction.value, self, direction)

    def _iterated(self, kernel: Float[Array, "kh kw in out"], iterations: int) -> Image:
        where = self._geometry()
        begin = _unit(self.direction.value.astype(kernel.dtype))

        def iterate(image, _):
            found = transposed_convolve(convolve(image, kernel, where), kernel, where)
            return _unit(found), None

        return lax.stop_gradient(lax.scan(iterate, begin, None, length=iterations)[0])

    def _geometry(self) -> Geometry:
        shapes = self.direction.value.shape[:2], self.kernel.shape[:2]
        return geometry(*shapes, self.stride, self.padding)


def _single_at_least(dtype: jnp.dtype) -> jnp.dtype:
    return dtype if dtype.itemsize >= 4 else jnp.dtype(jnp.float32)


def _unit(image: Image) -> Image:
    length = jnp.sqrt(jnp.sum(image**2))
    return image / jnp.where(length == 0, 1, length)


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
