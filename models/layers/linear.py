"""Linear layers: dense, maxout, spectrally normalised; leaky ReLU."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt import lipschitz_upper_bound
from models.layers.spectral_norm import spectral_norm


class Linear(eqx.Module):
    r"""A linear layer, $x W + b$.

    - `weight`: $W$, shape `(in, out)`, so that a batch is one product $(n, in)(in, out)$ with no
      transposition. `bias`: $b$, shape `(out,)`, or `None`.
    """

    weight: Float[Array, "in out"]
    bias: Float[Array, " out"] | None

    def __init__(
        self, in_size: int, out_size: int, init: Initializer, key: PRNGKeyArray, bias: bool = True
    ):
        """`init` draws the weight, such as `jax.nn.initializers.he_normal()`; the bias is 0."""
        self.weight = init(key, (in_size, out_size))
        self.bias = jnp.zeros((out_size,), self.weight.dtype) if bias else None

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        y = x @ self.weight
        return y if self.bias is None else y + self.bias


class LeakyReLU(eqx.Module):
    """Leaky ReLU: $x$ where it is positive, `slope` times $x$ elsewhere.

    - `slope`: static.

    !!! cite "Source"

        Maas, Hannun & Ng (2013), Rectifier nonlinearities improve neural network acoustic models.
    """

    slope: float = eqx.field(static=True)

    def __call__(self, x: Array) -> Array:
        return jax.nn.leaky_relu(x, self.slope)


class Maxout(eqx.Module):
    """The largest of `pieces` linear maps, unit by unit.

    - `linear`: to `pieces * units` numbers. `pieces`: static.

    !!! cite "Source"

        Goodfellow et al. (2013), arXiv:1302.4389, section 3.
    """

    linear: Linear
    pieces: int = eqx.field(static=True)

    def __init__(self, in_size: int, units: int, pieces: int, init: Initializer, key: PRNGKeyArray):
        self.linear = Linear(in_size, units * pieces, init, key)
        self.pieces = pieces

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " units"]:
        return jnp.max(self.linear(x).reshape(self.pieces, -1), axis=0)


@lipschitz_upper_bound.register
def _(network: Linear) -> Float[Array, ""]:
    return jnp.linalg.norm(network.weight, ord=2)


@lipschitz_upper_bound.register
def _(network: LeakyReLU) -> Float[Array, ""]:
    return jnp.asarray(max(1.0, abs(network.slope)), jnp.result_type(float))


def operator_norm(weight: Float[Array, "in out"]) -> Float[Array, ""]:
    r"""$\|W\|_2$, exact, with its derivatives of every order; 0 with derivatives 0 for $W = 0$.

    The singular vectors come from the eigenvectors of the smaller of $WW^\top$ and $W^\top W$,
    which is a fraction of the cost of singular values and exact to rounding for the largest. A
    second derivative solves one linear system of that size; a first one none. Where the largest
    singular value is not simple, the first derivative is one of the subgradients, and there is no
    second: what comes is finite, and no derivative. Of a weight in half precision it is taken in
    single.
    """
    if weight.dtype.itemsize < 4:
        return operator_norm(weight.astype(jnp.float32)).astype(weight.dtype)
    return spectral_norm(_Matrix(), weight)


class _Matrix(NamedTuple):
    """The map of the smaller side of a matrix to the other."""

    def apply(self, weight: Array, right: Array) -> Array:
        return right @ weight if weight.shape[0] <= weight.shape[1] else weight @ right

    def adjoint(self, weight: Array, left: Array) -> Array:
        return weight @ left if weight.shape[0] <= weight.shape[1] else left @ weight

    def leading(self, weight: Array, begin: Any) -> Array:
        wide = weight if weight.shape[0] <= weight.shape[1] else weight.T
        return jnp.linalg.eigh(wide @ wide.T)[1][:, -1]

    def solve(self, matvec: Callable[[Array], Array], vector: Array) -> Array:
        return jnp.linalg.solve(jax.vmap(matvec)(jnp.eye(vector.size, dtype=vector.dtype)), vector)


class SpectralLinear(eqx.Module):
    r"""$x W/\|W\|_2 + b$: spectral normalisation without state, by the exact norm at every call.

    - `weight`: $W$, shape `(in, out)`, of any size. `bias`: $b$, shape `(out,)`.

    The gradient goes through the norm, so that it has no part along $W$: scaling $W$ changes
    nothing. Power iteration with a vector carried along is cheaper for large layers, and exact only
    in the limit.

    !!! cite "Source"

        Miyato et al. (2018), arXiv:1802.05957, equation 8; the gradient, equation 12.
    """

    weight: Float[Array, "in out"]
    bias: Float[Array, " out"]

    def __init__(self, in_size: int, out_size: int, init: Initializer, key: PRNGKeyArray):
        """`init` draws the weight, as in `Linear`; the bias is 0."""
        self.weight = init(key, (in_size, out_size))
        self.bias = jnp.zeros((out_size,), self.weight.dtype)

    @property
    def normalised_weight(self) -> Float[Array, "in out"]:
        r"""$W/\|W\|_2$; 0 for $W = 0$."""
        norm = operator_norm(self.weight)
        return self.weight / jnp.where(norm == 0, 1, norm)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        return x @ self.normalised_weight + self.bias


@lipschitz_upper_bound.register
def _(network: SpectralLinear) -> Float[Array, ""]:
    return jnp.linalg.norm(network.normalised_weight, ord=2)
