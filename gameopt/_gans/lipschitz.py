"""Upper and lower bounds on a network's Lipschitz constant."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._arithmetic import single_at_least
from gameopt._types import Scalar

# Equinox's own default for "no activation" has no public name.
_NO_ACTIVATION = inspect.signature(eqx.nn.MLP).parameters["final_activation"].default

_ACTIVATIONS: dict[Any, float] = {
    jax.nn.relu: 1.0,
    jax.nn.relu6: 1.0,
    jax.nn.leaky_relu: 1.0,
    jax.nn.elu: 1.0,
    jax.nn.softplus: 1.0,
    jax.nn.sigmoid: 0.25,
    jax.nn.tanh: 1.0,
    jax.nn.hard_tanh: 1.0,
    jax.nn.log_sigmoid: 1.0,
    jax.nn.identity: 1.0,
    _NO_ACTIVATION: 1.0,
    jnp.tanh: 1.0,
    jnp.sin: 1.0,
    jnp.abs: 1.0,
    # The largest slopes of these two exceed 1: 1.0998 at x = 2.400, 1.1290 at x = sqrt(2) (exact
    # gelu; 1.1290 for the tanh form as well), rounded up.
    jax.nn.silu: 1.1,
    jax.nn.gelu: 1.13,
}


@functools.singledispatch
def lipschitz_upper_bound(network: Any) -> Scalar:
    r"""An upper bound of the Lipschitz constant of a network, from Euclidean to Euclidean norm.

    The product of the spectral norms of its linear layers and of the largest slopes of its
    activations. It is a bound, and seldom tight: the product of norms is reached only if every
    layer stretches the same direction.

    **Arguments:**

    - `network`: an `eqx.nn.Linear`, `MLP`, `Sequential`, `Lambda` or `Identity`, an activation of
      `jax.nn`, or a class that was taught: `@lipschitz_upper_bound.register`.

    **Returns:** shape `()`, in units of output per unit of input.

    **Raises:** `ValueError` for a network that it does not know.

    !!! cite "Source"

        Szegedy et al. (2014), arXiv:1312.6199, section 4.3.
    """
    for activation, slope in _ACTIVATIONS.items():
        if network is activation:
            return jnp.asarray(slope, jnp.result_type(float))
    raise ValueError(
        f"No Lipschitz bound is known for {network!r}. Teach one: decorate a function from your "
        "class to the bound with @lipschitz_upper_bound.register."
    )


@lipschitz_upper_bound.register
def _(network: eqx.nn.Linear) -> Scalar:
    return _spectral_norm(network.weight)


@lipschitz_upper_bound.register
def _(network: eqx.nn.Lambda) -> Scalar:
    return lipschitz_upper_bound(network.fn)


@lipschitz_upper_bound.register
def _(network: eqx.nn.Identity) -> Scalar:
    del network
    return jnp.ones((), jnp.result_type(float))


@lipschitz_upper_bound.register
def _(network: eqx.nn.Sequential) -> Scalar:
    return product_of_bounds(network.layers)


@lipschitz_upper_bound.register
def _(network: eqx.nn.MLP) -> Scalar:
    # The MLP stores one activation with an axis of its own per unit; they are all the same.
    hidden = [_unwrapped(network.activation)] * (len(network.layers) - 1)
    return product_of_bounds([*network.layers, *hidden, _unwrapped(network.final_activation)])


def _spectral_norm(matrix: Float[Array, "n m"]) -> Scalar:
    wide = matrix.astype(single_at_least(matrix.dtype))
    return jnp.linalg.norm(wide, ord=2).astype(matrix.dtype)


def product_of_bounds(layers: Any) -> Scalar:
    """The product of the layers' bounds: a bound of their composition."""
    bounds = [lipschitz_upper_bound(layer) for layer in layers]
    dtype = bounds[0].dtype
    return jnp.prod(jnp.stack([bound.astype(dtype) for bound in bounds]))


def _unwrapped(activation: Any) -> Any:
    return activation.fn if isinstance(activation, eqx.nn.Lambda) else activation


def lipschitz_lower_bound(
    network: Callable[[Float[Array, "..."]], Float[Array, "..."]], points: Float[Array, "n *shape"]
) -> Scalar:
    r"""$\max_i \|Df(x_i)\|_2$: the largest slope seen, and so a lower bound of the constant.

    **Arguments:**

    - `network`: takes one point of shape `shape`; gives an array of any shape.
    - `points`: where to look, shape `(n, *shape)`. More points make the bound larger.

    **Returns:** shape `()`, in units of output per unit of input (Euclidean norms).
    """

    def slope(point):
        output = jax.eval_shape(network, point)
        reverse = output.size <= point.size
        jacobian = (jax.jacrev if reverse else jax.jacfwd)(network)(point)
        return _spectral_norm(jacobian.reshape(output.size, point.size))

    return jnp.max(jax.vmap(slope)(points))
