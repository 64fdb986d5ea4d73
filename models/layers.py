"""The layers that networks are made of. Each maps one point; batches are mapped over it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt import BATCH_AXIS, lipschitz_upper_bound


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


class BatchNorm(eqx.Module):
    r"""$\gamma (x - \mu)/\sqrt{\sigma^2 + \epsilon} + \beta$, unit by unit, with the mean and the
    variance of the batch.

    Keeps no statistics: they are those of the points that are mapped together, over the axis named
    `batch` (`gameopt.generated` and `gameopt.critic_scores` name it). In a critic, data and
    generated points are normalised apart, each kind by its own batch. A critic that couples its
    batch has no gradient of its own at each point, and so no gradient norm and no gradient penalty.

    - `scale`, `shift`: $\gamma$ and $\beta$, shape `(size,)`. `epsilon`: static.

    !!! cite "Source"

        Ioffe & Szegedy (2015), arXiv:1502.03167, algorithm 1.
    """

    scale: Float[Array, " size"]
    shift: Float[Array, " size"]
    epsilon: float = eqx.field(static=True)

    def __init__(self, size: int, epsilon: float = 1e-5):
        self.scale, self.shift = jnp.ones((size,)), jnp.zeros((size,))
        self.epsilon = epsilon

    def __call__(self, x: Float[Array, " size"]) -> Float[Array, " size"]:
        try:
            mean = jax.lax.pmean(x, BATCH_AXIS)
        except NameError:
            raise ValueError(
                "BatchNorm needs a batch, and this network is applied to one point at a time. Map "
                "it by gameopt.generated or gameopt.critic_scores. If a gradient norm or penalty "
                "of a critic was asked for: a critic that couples its batch has no gradient per "
                "sample. Normalise by groups or layers instead, or leave the penalty out."
            ) from None
        variance = jax.lax.pmean((x - mean) ** 2, BATCH_AXIS)
        return self.scale * (x - mean) * jax.lax.rsqrt(variance + self.epsilon) + self.shift


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
