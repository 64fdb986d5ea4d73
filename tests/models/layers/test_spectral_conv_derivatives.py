"""Second derivatives of a convolution's norm are those of its operator's largest singular value."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from models import SpectralConv2d, convolve, geometry as lay_out

INIT = jax.nn.initializers.normal(1.0)
SHAPE = (4, 3, 2)


def layer(**options):
    """A few channels to three, on images of `SHAPE`."""
    return SpectralConv2d(
        2, 3, 2, INIT, jax.random.key(1), in_shape=SHAPE[:2], bias=False, **options
    )


def norm_of(network, iterations=0):
    """The layer's norm, a function of its kernel."""
    put = lambda kernel: eqx.tree_at(lambda n: n.kernel, network, kernel)
    return lambda kernel: put(kernel).operator_norm(iterations)


def exactly(network):
    """LAPACK's largest singular value of the operator's matrix, a function of the kernel."""
    where = lay_out(SHAPE[:2], (2, 2), network.stride, network.padding)
    basis = jnp.eye(int(np.prod(SHAPE))).reshape(-1, *SHAPE)

    def norm(kernel):
        matrix = jax.vmap(lambda image: convolve(image, kernel, where).reshape(-1))(basis)
        return jnp.linalg.svd(matrix, full_matrices=False, compute_uv=False)[0]

    return norm


@pytest.mark.parametrize(
    "options",
    [pytest.param({}, marks=pytest.mark.slow), {"stride": (1, 2), "padding": "valid"}],
    ids=str,
)
def test_derivatives_are_those_of_the_operators_matrix(options):
    """Second ones by two modes; third ones along a line."""
    settled = layer(**options).refreshed(3000)
    found, expected, kernel = norm_of(settled), exactly(settled), settled.kernel
    hessian = jax.hessian(expected)(kernel)
    for outer in (jax.jacfwd, jax.jacrev):
        second = outer(jax.jacrev(found))(kernel)
        np.testing.assert_allclose(second, hessian, rtol=1e-7, atol=1e-9)
    along = jnp.cos(jnp.arange(kernel.size, dtype=float)).reshape(kernel.shape)
    third = lambda norm: jax.jacfwd(jax.hessian(lambda t: norm(kernel + t * along)))(0.0)
    np.testing.assert_allclose(third(found), third(expected), rtol=1e-6)


@pytest.mark.parametrize("size", [1e-30, 1e15])
def test_scale_does_not_matter_in_single_precision(size, float32):
    """Value and second derivative, of kernels whose squares are no numbers: 1e-3 relative.

    The relative gap of the first two singular values is 0.1 and the precision 1e-7.
    """
    settled = layer().refreshed(300)
    found, along = norm_of(settled), jnp.cos(jnp.arange(24.0)).reshape(settled.kernel.shape)
    curvature = lambda scale: jax.hessian(
        lambda t: found(scale * (settled.kernel + t * along)) / scale
    )(0.0)
    one = curvature(1.0)
    np.testing.assert_allclose(
        found(size * settled.kernel) / size, found(settled.kernel), rtol=1e-5
    )
    np.testing.assert_allclose(curvature(size), one, rtol=1e-3)


def test_inside_of_jit_and_vmap():
    """Hessian products along several directions at once are those one at a time."""
    settled = layer().refreshed(3000)
    slope = jax.grad(norm_of(settled, 1))
    directions = jax.random.normal(jax.random.key(2), (3, *settled.kernel.shape))
    product = lambda direction: jax.jvp(slope, (settled.kernel,), (direction,))[1]
    one_by_one = jnp.stack([product(direction) for direction in directions])
    np.testing.assert_allclose(jax.jit(jax.vmap(product))(directions), one_by_one, rtol=1e-9)


def test_an_early_direction_leaves_finite_derivatives():
    """Wrong by the angle that is left: less, the more iterations; never worse than finite."""
    raw = layer()
    expected = jax.hessian(exactly(raw))(raw.kernel)
    error = lambda k: float(jnp.abs(jax.hessian(norm_of(raw, k))(raw.kernel) - expected).max())
    errors = [error(k) for k in (0, 30, 100, 300)]
    assert np.isfinite(errors).all()
    assert errors[3] < 0.1 * errors[2] < 0.1 * errors[1]


def test_kernels_of_zero_and_operators_of_zero():
    """A kernel of zeros, and one that only meets padding: norm and derivatives 0, all finite."""
    none = layer()
    zero = jax.hessian(norm_of(none, 1))(0 * none.kernel)
    assert not zero.any()
    corner = SpectralConv2d(1, 1, 3, INIT, jax.random.key(0), in_shape=(1, 1), bias=False)
    kernel = jnp.zeros((3, 3, 1, 1)).at[0, 0].set(1.0)
    assert norm_of(corner, 1)(kernel) == 0
    assert np.isfinite(jax.hessian(norm_of(corner, 1))(kernel)).all()


@pytest.mark.slow
def test_certificates_of_a_convolution_see_its_vectors_turn():
    """The Jacobian of a game is that of the norm of a matrix: a one by one kernel is one.

    On one place, two channels to two: the players of `on_plane`, at a kernel of e_11.
    """
    start = jnp.asarray([[1.0, 0.0], [0.0, 0.0]])[None, None]
    made = SpectralConv2d(2, 2, 1, INIT, jax.random.key(0), in_shape=(1, 1), bias=False)
    network = eqx.tree_at(lambda n: n.kernel, made, start).refreshed(2)
    for off, verdict in ((0.3, "no"), (2.0, "yes")):
        mass = jnp.asarray([[1.0, off], [off, 1.0]])[None, None]
        game = go.zero_sum_game(
            lambda x, y, mass=mass: -x.operator_norm(1) + jnp.sum(mass * x.kernel**2) / 2 - y**2 / 2
        )
        report = go.classify(game, go.Players(network, jnp.asarray(0.0)))
        assert str(report.dne) == verdict
