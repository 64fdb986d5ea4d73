"""Combinators of layers; each is again a network of one point."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt import lipschitz_upper_bound, product_of_bounds

Layer = Callable[[Any], Any]


class Elementwise(eqx.Module):
    """A fixed function, such as an activation or `models.average_pool`, as a layer.

    - `function`: static.
    """

    function: Callable = eqx.field(static=True)

    def __call__(self, x: Array) -> Array:
        return self.function(x)


class Reshape(eqx.Module):
    """The same numbers in another shape.

    - `shape`: static.
    """

    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Array) -> Array:
        return x.reshape(self.shape)


class Chain(eqx.Module):
    """One layer after another.

    - `layers`: modules, each of one point.
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer):
        self.layers = layers

    def __call__(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer(x)
        return x


class Residual(eqx.Module):
    """The sum of two branches of the same input.

    - `main`, `shortcut`: the branches.

    !!! cite "Source"

        He et al. (2016), arXiv:1512.03385, equation 2.
    """

    main: Layer
    shortcut: Layer

    def __call__(self, x: Array) -> Array:
        return self.main(x) + self.shortcut(x)


class Skip(eqx.Module):
    """A branch's output and its input, concatenated as channels.

    - `inner`: gives an image of the same height and width.

    !!! cite "Source"

        Ronneberger, Fischer & Brox (2015), arXiv:1505.04597, figure 1.
    """

    inner: Layer

    def __call__(self, x: Float[Array, "h w c"]) -> Float[Array, "h w d"]:
        return jnp.concatenate([self.inner(x), x], axis=-1)


@lipschitz_upper_bound.register
def _(network: Elementwise) -> Float[Array, ""]:
    return lipschitz_upper_bound(network.function)


@lipschitz_upper_bound.register
def _(network: Chain) -> Float[Array, ""]:
    return product_of_bounds([layer for layer in network.layers if not isinstance(layer, Reshape)])


@lipschitz_upper_bound.register
def _(network: Residual) -> Float[Array, ""]:
    return lipschitz_upper_bound(network.main) + lipschitz_upper_bound(network.shortcut)
