"""Quadrature: integrals over an interval or a box as weighted sums."""

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Count, Number, as_count


class Quadrature(NamedTuple):
    """Nodes, `(k,)` on the line or `(k, d)` in space, and their weights, `(k,)`."""

    nodes: Float[Array, "k ..."]
    weights: Float[Array, " k"]


@functools.cache
def legendre(num: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on [-1, 1], cached: thousands of them take seconds."""
    return np.polynomial.legendre.leggauss(num)


def quadrature(low: Number, high: Number, num: Count) -> Quadrature:
    """Gauss-Legendre nodes on [low, high], exact for polynomials of degree 2 num - 1."""
    nodes, weights = legendre(as_count("num", num))
    low, high = float(low), float(high)
    half = (high - low) / 2
    return Quadrature(jnp.asarray(low + half * (nodes + 1)), jnp.asarray(half * weights))


def product_quadrature(*rules: Quadrature) -> Quadrature:
    """The product rule: nodes `(k_1 ... k_d, d)`, the first axis varying slowest."""
    if not rules:
        raise ValueError("a product rule needs at least one rule.")
    grids = jnp.meshgrid(*(rule.nodes for rule in rules), indexing="ij")
    weights = jnp.meshgrid(*(rule.weights for rule in rules), indexing="ij")
    nodes = jnp.stack([grid.ravel() for grid in grids], axis=-1)
    product = weights[0]
    for factor in weights[1:]:
        product = product * factor
    return Quadrature(nodes, product.ravel())


def piecewise_quadrature(edges: ArrayInput, num: Count) -> Quadrature:
    """Gauss-Legendre nodes on each interval between adjacent `edges`, `num` on each.

    **Arguments:**

    - `edges`: increasing, shape `(k + 1,)`: put them where the integrand has corners or changes
      its scale.

    **Raises:** `ValueError` for fewer than two edges, or edges that do not increase.
    """
    ends = np.asarray(edges, float)
    if ends.ndim != 1 or ends.size < 2 or not (np.diff(ends) > 0).all():
        raise ValueError("edges must be at least two numbers that increase.")
    nodes, weights = legendre(as_count("num", num))
    half = np.diff(ends)[:, None] / 2
    places = ends[:-1, None] + half * (nodes + 1)[None, :]
    return Quadrature(jnp.asarray(places.ravel()), jnp.asarray((half * weights[None, :]).ravel()))
