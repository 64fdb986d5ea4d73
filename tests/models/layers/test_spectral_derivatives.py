"""Norms of operators have the derivatives of the largest singular value, of every order."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from models import SpectralLinear, operator_norm

INIT = jax.nn.initializers.normal(1.0)
HALF = jnp.bfloat16
_slow = lambda case: pytest.param(case, marks=pytest.mark.slow)


def exactly(weight):
    """LAPACK's largest singular value."""
    return jnp.linalg.svd(weight, full_matrices=False, compute_uv=False)[0]


@pytest.mark.parametrize("shape", [(3, 5), _slow((5, 3)), _slow((1, 4)), _slow((4, 1))])
def test_second_and_third_derivatives_are_those_of_singular_values(shape):
    """Against autodiff of LAPACK's, at random matrices, and by every mode of differentiation."""
    weight = jax.random.normal(jax.random.key(sum(shape)), shape)
    hessian = jax.hessian(exactly)(weight)
    for outer in (jax.jacfwd, jax.jacrev):
        for inner in (jax.jacfwd, jax.jacrev):
            found = outer(inner(operator_norm))(weight)
            np.testing.assert_allclose(found, hessian, rtol=1e-9, atol=1e-11)
    third = jax.jacfwd(jax.hessian(operator_norm))(weight)
    expected = jax.jacfwd(jax.hessian(exactly))(weight)
    np.testing.assert_allclose(third, expected, rtol=1e-8, atol=1e-10)


def closed_form(weight):
    """The norm of a 2 x 2 matrix: s^2 = (F + sqrt(F^2 - 4 det^2))/2, F the sum of squares."""
    square, (a, b), (c, d) = jnp.sum(weight**2), weight[0], weight[1]
    return jnp.sqrt((square + jnp.sqrt(square**2 - 4 * (a * d - b * c) ** 2)) / 2)


@pytest.mark.parametrize("size", [1e-100, _slow(1.0), 1e100])
def test_derivatives_of_two_by_two_are_those_of_the_closed_form(size):
    """Whatever the scale: k-th derivatives are homogeneous of degree 1 - k."""
    weight = jax.random.normal(jax.random.key(0), (2, 2))
    found, expected = operator_norm, closed_form
    for order in range(1, 5):
        found, expected = jax.jacfwd(found), jax.jacfwd(expected)
        scaled = found(size * weight) * size ** (order - 1)
        np.testing.assert_allclose(scaled, expected(weight), rtol=1e-9, atol=1e-10)
        if size != 1.0 and order == 3:
            return  # the fourth overflows


def test_a_spectral_layers_hessian_products_are_differences_of_its_gradient():
    """Central differences of step 1e-5: an error of about 1e-10."""
    layer = SpectralLinear(4, 6, INIT, jax.random.key(1))
    points = jax.random.normal(jax.random.key(2), (8, 4))
    gradient = jax.grad(lambda layer: jnp.sum(jnp.tanh(jax.vmap(layer)(points))))
    along = jax.tree.map(jnp.cos, layer)
    product = jax.jvp(gradient, (layer,), (along,))[1].weight
    moved = lambda step: jax.tree.map(lambda a, b: a + step * b, layer, along)
    difference = (gradient(moved(1e-5)).weight - gradient(moved(-1e-5)).weight) / 2e-5
    np.testing.assert_allclose(product, difference, rtol=1e-6, atol=1e-8)


def test_inside_of_jit_vmap_and_scan():
    """The same numbers, one matrix at a time and many."""
    weights = jax.random.normal(jax.random.key(3), (5, 3, 4))
    hessian = jax.hessian(operator_norm)
    one_by_one = jnp.stack([hessian(weight) for weight in weights])
    together = jax.jit(jax.vmap(hessian))(weights)
    scanned = jax.lax.scan(lambda _, w: (None, hessian(w)), None, weights)[1]
    for found in (together, scanned):
        np.testing.assert_allclose(found, one_by_one, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [jnp.float32, HALF])
def test_in_lower_precision(dtype):
    """In the weight's own dtype, to an error of eps times the inverse of the relative gap."""
    weight = jnp.asarray([[3.0, 0.5, 0.0], [0.0, 1.0, 0.25]], dtype)
    found = jax.hessian(operator_norm)(weight)
    assert found.dtype == dtype
    expected = jax.hessian(exactly)(weight.astype(jnp.float64))
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(found.astype(jnp.float64), expected, rtol=0, atol=4 * eps)


@pytest.mark.parametrize("shape", [(2, 3), _slow((3, 2)), _slow((1, 1))])
def test_derivatives_at_zero_are_zero(shape):
    """The first three orders, and of the layer they are finite."""
    function = operator_norm
    for _ in range(3):
        function = jax.jacrev(function)
        assert not function(jnp.zeros(shape)).any()
    layer = SpectralLinear(shape[0], shape[1], jax.nn.initializers.zeros, jax.random.key(0))
    output = lambda w: jnp.sum(eqx.tree_at(lambda n: n.weight, layer, w)(jnp.ones(shape[0])) ** 2)
    assert np.isfinite(jax.hessian(output)(layer.weight)).all()


def test_where_the_largest_singular_value_is_double_what_comes_is_finite():
    """There is no second derivative: the norm of diag(1, 1 + t) has a kink at 0."""
    twice = jnp.eye(3).at[2, 2].set(0.5)
    subgradient = jax.grad(operator_norm)(twice)
    np.testing.assert_allclose(jnp.sum(subgradient * twice), 1, rtol=1e-12)
    assert np.isfinite(jax.hessian(operator_norm)(twice)).all()


def on_plane(shift, method):
    """Verdicts of f(x, y) = -|x|_2 + sum_ij M_ij x_ij^2 / 2 - y^2 / 2, at x = e_11 and y = 0.

    M has ones on its diagonal and `shift` off it. There the norm's Hessian is 1 along e_12 and e_21
    and 0 along e_11 and e_22, so that the players' own is diag(1, shift - 1, shift - 1, 1).
    """
    mass = jnp.asarray([[1.0, shift], [shift, 1.0]])
    value = lambda x, y: -operator_norm(x) + jnp.sum(mass * x**2) / 2 - y**2 / 2
    game = go.zero_sum_game(value)
    players = go.Players(jnp.asarray([[1.0, 0.0], [0.0, 0.0]]), jnp.asarray(0.0))
    exact = np.diag([1, shift - 1, shift - 1, 1])
    np.testing.assert_allclose(go.hessian_x(game, players), exact, atol=1e-12)
    return go.classify(game, players, method=method)


@pytest.mark.parametrize("method", ["dense", pytest.param("krylov", marks=pytest.mark.slow)])
def test_certificates_see_how_the_singular_vectors_turn(method):
    """With u and v held fixed the Hessian of x would be diag(M), and every point an equilibrium."""
    refused, confirmed = on_plane(0.3, method), on_plane(2.0, method)
    for name in ("dne", "minimax", "attractor"):
        assert str(getattr(refused, name)) == "no", name
        assert str(getattr(confirmed, name)) == "yes", name
