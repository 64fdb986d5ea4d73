"""The layers that networks are made of. Each maps one point; batches are mapped over it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt import lipschitz_upper_bound


class Linear(eqx.Module):
    r"""$x W + b$.

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
    """$x$ where it is positive, `slope` times $x$ where not.

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
