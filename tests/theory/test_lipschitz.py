"""Norms of layers against dense matrices, bounds of networks against what happens in them."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

seeds = st.integers(0, 2**31 - 1)


def circular(kernel, stride):
    """The convolution itself, by `lax.conv` after wrapping the image around."""
    window = kernel.shape[2:]

    def apply(image):
        pads = [(0, 0), *((0, w - 1) for w in window)]
        wrapped = jnp.pad(image, pads, mode="wrap")[None]
        strides = (stride,) * len(window)
        return jax.lax.conv_general_dilated(wrapped, kernel, strides, "VALID")[0]

    return apply


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("channels", "window", "size"),
    [
        ((2, 3), (3, 3), (4, 6)),
        ((3, 1), (2, 4), (6, 4)),
        ((2, 2), (3,), (8,)),
        ((1, 1), (1, 1), (2, 2)),
    ],
)
def test_the_norm_of_a_convolution_is_that_of_its_matrix(channels, window, size, stride):
    """The matrix by applying it to every unit image, its singular values by NumPy."""
    kernel = jax.random.normal(jax.random.key(0), (*channels, *window))
    shape = (channels[1], *size)
    units = jnp.eye(int(np.prod(shape))).reshape(-1, *shape)
    columns = jax.vmap(circular(kernel, stride))(units)
    exact = np.linalg.norm(np.asarray(columns).reshape(len(units), -1), ord=2)
    ours = theory.circular_convolution_norm(kernel, size, stride)
    np.testing.assert_allclose(ours, exact, rtol=1e-10)


def test_a_box_kernel_and_zero_padding():
    """Nine ones: 9, at frequency 0, where the reshaped matrix says 3; zero padding stays below."""
    box = jnp.ones((1, 1, 3, 3))
    np.testing.assert_allclose(theory.circular_convolution_norm(box, (8, 8)), 9.0, rtol=1e-12)
    np.testing.assert_allclose(theory.dense_norm(box.reshape(1, 9)), 3.0)
    kernel = jax.random.normal(jax.random.key(1), (2, 2, 3, 3))
    units = jnp.eye(50).reshape(-1, 2, 5, 5)
    padded = jax.lax.conv_general_dilated(units, kernel, (1, 1), "SAME")
    exact = np.linalg.norm(np.asarray(padded).reshape(50, -1), ord=2)
    assert exact <= theory.circular_convolution_norm(kernel, (7, 7))


@hyp.settings(max_examples=5)
@hyp.given(seed=seeds)
def test_power_iteration_is_its_closed_form(seed):
    """Every value, from a known decomposition; from below, rising, at the rate that is said."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(2))
    sigma, c = np.array([3.0, 2.4, 1.0, 0.2, 0.0]), rng.normal(size=5)
    matrix = jnp.asarray(left * sigma @ right.T)
    run = theory.power_iteration(lambda v: matrix @ v, jnp.asarray(right @ c), 25)
    closed = [
        theory.power_iteration_value(jnp.asarray(sigma), jnp.asarray(c), t) for t in range(26)
    ]
    np.testing.assert_allclose(run.values, closed, rtol=1e-9)
    assert bool(jnp.all(jnp.diff(run.values) > -1e-12))
    assert run.values[-1] <= 3.0 + 1e-12
    rate = theory.power_iteration_rate(jnp.asarray(sigma))
    np.testing.assert_allclose(rate, 0.64)
    errors = 3.0 - run.values
    # Late in the run a third direction has died away, and rounding has not set in.
    late = errors[14:16]
    if abs(c[0]) > 0.1 and abs(c[1]) > 0.1:
        np.testing.assert_allclose(late[1] / late[0], rate**2, rtol=0.02)
    first = right[:, 0]
    tangent = np.linalg.norm(run.vector - first * (first @ run.vector)) / abs(first @ run.vector)
    # The angle is of the size that the rate says: the start's, times rate^25.
    start = np.linalg.norm(c[1:]) / abs(c[0])
    assert tangent <= start * float(rate) ** 25 + 1e-12


def test_power_iteration_at_the_edges():
    """A zero map gives 0; equal singular values converge at once; a single one has the rate 0."""
    nothing = theory.power_iteration(lambda v: 0.0 * v, jnp.ones(3), 4)
    np.testing.assert_array_equal(nothing.values, 0)
    np.testing.assert_allclose(theory.power_iteration(lambda v: 2 * v, jnp.ones(3), 4).values, 2)
    assert theory.power_iteration_rate(jnp.array([2.0, 2.0])) == 1
    assert theory.power_iteration_rate(jnp.array([2.0])) == 0
    kernel = jax.random.normal(jax.random.key(2), (3, 2, 3, 3))
    start = jax.random.normal(jax.random.key(3), (2, 8, 8))
    run = theory.power_iteration(circular(kernel, 1), start, 300)
    exact = theory.circular_convolution_norm(kernel, (8, 8))
    np.testing.assert_allclose(run.values[-1], exact, rtol=1e-3)


@hyp.settings(max_examples=5)
@hyp.given(seed=seeds)
def test_networks_lie_between_their_bounds(seed):
    """Chords <= upper, local norms <= upper; local norms are those of dense Jacobians."""
    rng = np.random.default_rng(seed)
    weights = [jnp.asarray(rng.normal(size=shape)) for shape in [(8, 3), (8, 8), (2, 8)]]

    def network(x):
        for weight in weights[:-1]:
            x = jnp.tanh(weight @ x)
        return weights[-1] @ x

    points = jnp.asarray(rng.normal(size=(20, 3)))
    upper = theory.network_upper_bound(weights)
    chord = theory.quotient_lower_bound(jax.vmap(network)(points), points)
    assert 0 < chord <= upper
    starts = jnp.asarray(rng.normal(size=(20, 3)))
    local = theory.local_lower_bound(network, points, starts, 200)
    dense = jax.vmap(lambda x: jnp.linalg.norm(jax.jacobian(network)(x), ord=2))(points)
    assert bool(jnp.all(local <= dense * (1 + 1e-9)))
    np.testing.assert_allclose(local, dense, rtol=0.02)
    assert jnp.max(dense) <= upper


def test_upper_bounds_that_are_tight():
    """One layer; positive layers in a line, where products of norms are not tight; slopes."""
    weight = jax.random.normal(jax.random.key(0), (3, 4))
    np.testing.assert_allclose(theory.network_upper_bound([weight]), theory.dense_norm(weight))
    apart = [jnp.array([[1.0, 0.0]]), jnp.array([[2.0]]), jnp.array([[0.0], [3.0]])]
    np.testing.assert_allclose(theory.network_upper_bound(apart, [0.5, 1.0]), 3.0)
    split = [jnp.array([[1.0], [0.0]]), jnp.array([[0.0, 1.0]])]
    assert theory.network_upper_bound(split) == 0  # the product of norms says 1
    turned = jnp.array([[1.0, 1.0], [1.0, -1.0]])
    np.testing.assert_allclose(theory.network_upper_bound([turned, turned]), 2.0)  # the other: 4


def test_chords_of_points_that_coincide():
    """Passed over; images are flattened."""
    same = jnp.ones((3, 2, 2))
    assert theory.quotient_lower_bound(jnp.arange(3.0), same) == 0
    points = jnp.array([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0]])
    values = jnp.array([0.0, 0.0, 10.0])
    np.testing.assert_allclose(theory.quotient_lower_bound(values, points), 2.0)


def test_impossible_layers_are_refused():
    """Windows, strides, slopes."""
    kernel = jnp.ones((1, 1, 3, 3))
    with pytest.raises(ValueError, match="does not fit"):
        theory.circular_convolution_norm(kernel, (2, 4))
    with pytest.raises(ValueError, match="multiples"):
        theory.circular_convolution_norm(kernel, (5, 4), 2)
    with pytest.raises(ValueError, match="activations between"):
        theory.network_upper_bound([jnp.ones((1, 1))], [1.0])
