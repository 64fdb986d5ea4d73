"""The layers that networks are made of. Each maps one point; batches are mapped over it."""

import equinox as eqx
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt import lipschitz_upper_bound


class Linear(eqx.Module):
    r"""$x W + b$.

    - `weight`: $W$, shape `(in, out)`, so that a batch is one product $(n, in)(in, out)$ with no
      transposition. `bias`: $b$, shape `(out,)`.
    """

    weight: Float[Array, "in out"]
    bias: Float[Array, " out"]

    def __init__(self, in_size: int, out_size: int, init: Initializer, key: PRNGKeyArray):
        """`init` draws the weight, such as `jax.nn.initializers.he_normal()`; the bias is 0."""
        self.weight = init(key, (in_size, out_size))
        self.bias = jnp.zeros((out_size,), self.weight.dtype)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        return x @ self.weight + self.bias


@lipschitz_upper_bound.register
def _(network: Linear) -> Float[Array, ""]:
    return jnp.linalg.norm(network.weight, ord=2)
