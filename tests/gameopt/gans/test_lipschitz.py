"""Bounds of a network's Lipschitz constant, from above and from below."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import gameopt as go
from gameopt._gans.lipschitz import _ACTIVATIONS
from models import MLP


def network(kind, key):
    if kind == "eqx":
        return eqx.nn.MLP(3, 2, 16, 2, activation=jnp.tanh, key=key)
    if kind == "ours":
        return MLP((3,), (2,), width=16, depth=2, activation=jnp.tanh, key=key)
    layers = [eqx.nn.Linear(3, 8, key=key), eqx.nn.Lambda(jax.nn.relu), eqx.nn.Identity()]
    return eqx.nn.Sequential([*layers, eqx.nn.Linear(8, 2, key=key)])


@pytest.mark.parametrize("kind", ["eqx", "ours", "sequential"])
@pytest.mark.parametrize("seed", range(5))
def test_slopes_lie_between_the_bounds(kind, seed):
    """Every difference quotient is below the upper bound, the lower bound too, and above 0."""
    key, key_points = jax.random.split(jax.random.key(seed))
    net, points = network(kind, key), jax.random.normal(key_points, (200, 3))
    upper, lower = go.lipschitz_upper_bound(net), go.lipschitz_lower_bound(net, points)
    values = jax.vmap(net)(points)
    quotients = jnp.linalg.norm(values[1:] - values[:-1], axis=1) / jnp.linalg.norm(
        points[1:] - points[:-1], axis=1
    )
    assert 0 < lower <= upper
    assert jnp.max(quotients) <= upper


def test_both_bounds_are_exact_for_a_linear_map():
    """The largest singular value."""
    linear = eqx.nn.Linear(4, 3, key=jax.random.key(0))
    exact = np.linalg.svd(np.asarray(linear.weight))[1][0]
    np.testing.assert_allclose(go.lipschitz_upper_bound(linear), exact, rtol=1e-12)
    lower = go.lipschitz_lower_bound(linear, jnp.ones((1, 4)))
    np.testing.assert_allclose(lower, exact, rtol=1e-12)


def test_scalar_critics_of_images_have_a_lower_bound():
    """Any shape in, one number out: the largest gradient norm."""
    critic = lambda image: 3.0 * image[0, 0] + 4.0 * image[1, 1]
    np.testing.assert_allclose(go.lipschitz_lower_bound(critic, jnp.ones((2, 2, 2))), 5.0)


@pytest.mark.parametrize("activation", list(_ACTIVATIONS), ids=lambda f: f.__name__)
def test_the_slope_of_every_known_activation_is_bounded(activation):
    """Its largest slope on a grid, refined by a search, is below the table's and near it."""
    slope = lambda x: abs(float(jax.grad(lambda t: activation(t))(x)))
    xs = np.linspace(-8, 8, 2001) + 1e-3
    slopes = np.abs(jax.vmap(jax.grad(activation))(jnp.asarray(xs)))
    best = xs[slopes.argmax()]
    refined: Any = scipy.optimize.minimize_scalar(
        lambda x: -slope(x), bounds=(best - 0.02, best + 0.02), method="bounded"
    )
    largest = max(slopes.max(), -refined.fun)
    bound = _ACTIVATIONS[activation]
    assert largest <= bound * (1 + 1e-12)
    assert largest >= 0.99 * bound


def test_an_unknown_network_is_refused_with_the_way_out():
    """The message names the decorator."""
    with pytest.raises(ValueError, match=r"@lipschitz_upper_bound\.register"):
        go.lipschitz_upper_bound(lambda x: x**2)
