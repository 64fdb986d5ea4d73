"""Convolutional layers: transposes of one another, and no steeper than their bounds."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from models import Conv2d, ConvTranspose2d, Resize, average_pool
from theory.lipschitz import circular_convolution_norm

INIT = jax.nn.initializers.normal(1.0)
KEY = jax.random.key(0)


def image(*shape):
    """Normal numbers."""
    return jax.random.normal(jax.random.key(sum(shape)), shape)


def dense_norm(layer, shape):
    """The operator's norm, by singular values of the matrix of its linear part."""
    jacobian = jax.jit(jax.jacfwd(layer))(jnp.zeros(shape))
    return np.linalg.norm(np.asarray(jacobian).reshape(-1, np.prod(shape)), ord=2)


def with_kernel(layer, kernel):
    """The same layer with another kernel."""
    return eqx.tree_at(lambda node: node.kernel, layer, kernel)


def test_convolutions_whose_answer_is_plain():
    """A 1x1 kernel is a matrix at each place; a box adds up neighbours; the bias is added."""
    x = image(5, 4, 3)
    pointwise = Conv2d(3, 2, 1, INIT, KEY)
    pointwise = jax.tree.map(lambda leaf: leaf + 1, pointwise)
    np.testing.assert_allclose(pointwise(x), x @ pointwise.kernel[0, 0] + 1, atol=1e-12)
    box = Conv2d(1, 1, 3, jax.nn.initializers.ones, KEY, padding="valid", bias=False)
    one = np.asarray(x[..., :1])
    expected = sum(one[a : a + 3, b : b + 2] for a in range(3) for b in range(3))
    np.testing.assert_allclose(box(x[..., :1]), expected, rtol=1e-12)
    assert len(jax.tree.leaves(box)) == 1


@pytest.mark.parametrize(
    ("size", "kernel", "geometry"),
    [
        ((8, 6), 4, {"stride": 2, "padding": 1}),
        ((8, 6), 3, {"stride": 2}),
        ((5, 7), (3, 2), {}),
        ((8, 8), 2, {"stride": (3, 2), "padding": "valid"}),
        ((7, 7), 3, {"dilation": 2, "padding": "valid"}),
    ],
    ids=str,
)
def test_a_transposed_convolution_is_a_convolutions_gradient(size, kernel, geometry):
    """With the same kernel, on the smallest image where the stride leaves a choice."""
    forward = Conv2d(2, 3, kernel, INIT, KEY, bias=False, **geometry)
    y, pull = jax.vjp(forward, image(*size, 2))
    g = image(*y.shape)
    transposed = ConvTranspose2d(3, 2, kernel, INIT, KEY, **geometry)
    assert transposed.kernel.shape == forward.kernel.shape
    transposed = jax.tree.map(lambda leaf: leaf + 1, transposed)
    transposed = with_kernel(transposed, forward.kernel)
    np.testing.assert_allclose(transposed(g), pull(g)[0] + 1, rtol=1e-11, atol=1e-11)


def test_the_shape_of_a_transposed_convolution_is_a_choice_within_its_stride():
    """Images of 4 are what stride 2 makes of 7 and of 8, and of no others."""
    layer = lambda size: ConvTranspose2d(1, 2, 3, INIT, KEY, stride=2, out_shape=(size, 8))
    for size in (7, 8):
        assert layer(size)(image(4, 4, 1)).shape == (size, 8, 2)
    with pytest.raises(ValueError, match=r"takes images of \(9, 8\) to \(4, 4\)"):
        layer(9)(image(4, 4, 1))


@pytest.mark.parametrize("shape", [(6, 8), (7, 9), (3, 4), (3, 11)])
def test_resize_repeats_pixels_and_then_the_edge(shape):
    """NumPy's repetition, and its padding by the edge where the size is no multiple."""
    x = np.asarray(image(3, 4, 2))
    down, across = shape[0] // 3, shape[1] // 4
    expected = x.repeat(down, axis=0).repeat(across, axis=1)
    missing = [(0, n - m) for n, m in zip(shape, expected.shape, strict=False)]
    expected = np.pad(expected, [*missing, (0, 0)], mode="edge")
    np.testing.assert_array_equal(Resize(shape)(jnp.asarray(x)), expected)


def test_resize_does_not_shrink():
    """It says what was asked of it."""
    with pytest.raises(ValueError, match=r"Resize enlarges.*\(4, 4\)"):
        Resize((8, 3))(image(4, 4, 1))


def test_average_pooling_undoes_resizing():
    """The mean of equal pixels; what is left over of an odd size is cut off."""
    x = image(3, 4, 2)
    np.testing.assert_allclose(average_pool(Resize((6, 8))(x)), x, rtol=1e-15)
    np.testing.assert_allclose(average_pool(Resize((9, 12))(x), 3), x, rtol=1e-14)
    odd = image(5, 7, 1)
    np.testing.assert_array_equal(average_pool(odd), average_pool(odd[:4, :6]))
    np.testing.assert_allclose(average_pool(odd)[1, 2], odd[2:4, 4:6].mean(), rtol=1e-15)


@pytest.mark.parametrize(
    ("kernel", "geometry"),
    [(3, {}), (4, {"stride": 2, "padding": 1}), (3, {"dilation": 2}), ((1, 3), {"stride": (1, 2)})],
    ids=str,
)
def test_the_bound_of_a_kernel_bounds_the_operator(kernel, geometry):
    """And its transpose, whose norm is the same; the true one is not below half of the bound."""
    layer = Conv2d(2, 3, kernel, INIT, KEY, **geometry)
    bound, true = go.lipschitz_upper_bound(layer), dense_norm(layer, (8, 8, 2))
    assert true <= bound * (1 + 1e-12)
    assert true >= bound / 2
    transposed = with_kernel(ConvTranspose2d(3, 2, kernel, INIT, KEY, **geometry), layer.kernel)
    np.testing.assert_allclose(go.lipschitz_upper_bound(transposed), bound, rtol=1e-12)


def test_the_bound_is_exact_where_windows_do_not_overlap():
    """Then each pixel is in one window, and the operator is the same matrix for each of them."""
    layer = Conv2d(2, 3, 2, INIT, KEY, stride=2, padding="valid")
    np.testing.assert_allclose(
        go.lipschitz_upper_bound(layer), dense_norm(layer, (6, 4, 2)), rtol=1e-12
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_the_bound_bounds_convolutions_on_the_torus_too(stride):
    """Against theory's exact norm by Fourier transform, of the same kernel."""
    layer = Conv2d(2, 3, 3, INIT, KEY, stride=stride)
    exact = circular_convolution_norm(layer.kernel.transpose(3, 2, 0, 1), (8, 8), stride)
    bound = go.lipschitz_upper_bound(layer)
    assert bound / 2 <= exact <= bound * (1 + 1e-12)
