"""Spectral normalisation: the norm is the largest singular value, its gradient exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from models import MLP, SpectralLinear, mlp_critic, operator_norm

SHAPES = [(1, 1), (2, 5), (5, 2), (7, 7), (40, 1), (64, 48)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_norm_and_its_gradient_are_those_of_singular_values(shape):
    """Value and gradient against autodiff of LAPACK's singular values, to rounding.

    Random matrices have a simple largest singular value, where the gradient u v^T is unique.
    """
    weight = jax.random.normal(jax.random.key(sum(shape)), shape)
    exact = lambda w: jnp.linalg.norm(w, ord=2)
    np.testing.assert_allclose(operator_norm(weight), exact(weight), rtol=1e-12)
    np.testing.assert_allclose(
        jax.grad(operator_norm)(weight), jax.grad(exact)(weight), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e15])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_layer_has_norm_one_in_single_precision(shape, scale, float32):
    """Whatever the weight's size; rounding of 64 x 48 entries is far below 1e-5."""
    layer = SpectralLinear(shape[0], shape[1], jax.nn.initializers.normal(scale), jax.random.key(0))
    np.testing.assert_allclose(
        np.linalg.norm(np.asarray(layer.normalised_weight), ord=2), 1.0, rtol=1e-5
    )


def test_the_layers_gradient_is_that_of_the_weight_over_its_norm():
    """Against autodiff through the singular values; it has no part along the weight."""
    layer = SpectralLinear(6, 4, jax.nn.initializers.normal(1.0), jax.random.key(1))
    x, cotangent = jax.random.normal(jax.random.key(2), (6,)), jnp.arange(4.0)
    ours = jax.grad(lambda m: cotangent @ m(x))(layer).weight
    plain = lambda w: cotangent @ (x @ w / jnp.linalg.norm(w, ord=2))
    np.testing.assert_allclose(ours, jax.grad(plain)(layer.weight), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(jnp.sum(ours * layer.weight), 0.0, atol=1e-12)


def test_a_weight_of_zero_stays_finite():
    """W = 0 is the zero map, with a gradient that is a number."""
    layer = SpectralLinear(3, 2, jax.nn.initializers.zeros, jax.random.key(0))
    value, gradient = jax.value_and_grad(lambda m: jnp.sum(m(jnp.ones(3))))(layer)
    assert value == 0
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.slow
def test_a_critic_of_spectral_layers_is_one_lipschitz(float32):
    """The bound of its layers is 1, and slopes and chords at 500 points stay below it."""
    critic = mlp_critic((3,), width=32, depth=3, key=jax.random.key(0), layer=SpectralLinear)
    np.testing.assert_allclose(go.lipschitz_upper_bound(critic), 1.0, rtol=1e-4)
    points = jax.random.normal(jax.random.key(1), (500, 3))
    assert 0 < go.lipschitz_lower_bound(critic, points) <= 1 + 1e-5
    rises = jnp.abs(jnp.diff(go.critic_scores(critic, points)))
    assert (rises <= jnp.linalg.norm(jnp.diff(points, axis=0), axis=1) * (1 + 1e-5)).all()
    deep = MLP((3,), (2,), width=8, depth=12, key=jax.random.key(2), layer=SpectralLinear)
    np.testing.assert_allclose(go.lipschitz_upper_bound(deep), 1.0, rtol=1e-4)


def test_in_half_precision_the_norm_is_that_of_single():
    """Rounded at the end, to a unit of the last place; and so is the gradient's dtype."""
    weight = jax.random.normal(jax.random.key(0), (5, 3), jnp.bfloat16)
    norm, slope = jax.value_and_grad(operator_norm)(weight)
    assert norm.dtype == slope.dtype == jnp.bfloat16
    expected = np.linalg.norm(np.asarray(weight, np.float64), ord=2)
    np.testing.assert_allclose(float(norm), expected, rtol=float(jnp.finfo(jnp.bfloat16).eps))
