"""Spectrally normalised convolutions: it is the operator whose norm is 1."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from models import Chain, Linear, Reshape, SpectralConv2d, convolve, geometry as lay_out, refreshed
from tests.solvers import both

INIT = jax.nn.initializers.normal(1.0)
GEOMETRIES = [{}, {"stride": 2, "padding": 1}, {"stride": (1, 2), "padding": "valid"}]


def layer(kernel=3, in_shape=(6, 5), **geometry):
    """Two channels to three."""
    return SpectralConv2d(
        2, 3, kernel, INIT, jax.random.key(1), in_shape=in_shape, bias=False, **geometry
    )


def matrix(network, shape):
    """The matrix of a linear map of images."""
    basis = jnp.eye(int(np.prod(shape))).reshape(-1, *shape)
    return jax.vmap(network)(basis).reshape(len(basis), -1)


def norm(network, shape=(6, 5, 2)):
    """The largest singular value."""
    return float(jnp.linalg.norm(matrix(network, shape), ord=2))


@pytest.mark.parametrize(
    "geometry",
    [GEOMETRIES[0], *(pytest.param(g, marks=pytest.mark.slow) for g in GEOMETRIES[1:])],
    ids=str,
)
def test_after_enough_iterations_the_operators_norm_is_one(geometry):
    """From above, since its own norm is approached from below; 2000 iterations leave rounding.

    The estimate after k of them never falls in k: it is a Rayleigh quotient of a power method.
    """
    raw = layer(**geometry)
    estimates = jnp.stack([raw.operator_norm(k) for k in (0, 1, 3, 10, 2000)])
    assert (jnp.diff(estimates) >= -1e-12).all()
    settled = raw.refreshed(2000)
    np.testing.assert_allclose(norm(settled), 1, rtol=1e-9)
    assert norm(raw) >= 1 - 1e-12
    assert 1 - 1e-9 <= go.lipschitz_upper_bound(settled) <= 3


def test_a_box_kernel_is_normalised_by_the_norm_of_its_operator():
    """Of n x m zero-padded images it is (1 + 2 cos(pi/(n+1)))(1 + 2 cos(pi/(m+1))), near 9.

    The kernel as a matrix has norm 3, and dividing by that would leave a 3-Lipschitz layer.
    """
    box = SpectralConv2d(
        1, 1, 3, jax.nn.initializers.ones, jax.random.key(0), in_shape=(9, 7), bias=False
    )
    exact = (1 + 2 * np.cos(np.pi / 10)) * (1 + 2 * np.cos(np.pi / 8))
    np.testing.assert_allclose(box.operator_norm(300), exact, rtol=1e-12)
    np.testing.assert_allclose(norm(box.refreshed(300), (9, 7, 1)), 1, rtol=1e-12)


@pytest.mark.parametrize("geometry", GEOMETRIES[:2], ids=str)
def test_the_gradient_is_that_of_the_kernel_over_its_norm(geometry):
    """Against autodiff through the singular values of the operator's matrix.

    It has no part along the kernel.
    """
    settled = layer(**geometry).refreshed(2000)
    x = jax.random.normal(jax.random.key(2), (6, 5, 2))
    ours = jax.grad(lambda network: jnp.sum(jnp.sin(network(x))), allow_int=True)(settled).kernel
    where = lay_out((6, 5), (3, 3), **geometry)

    def exactly(kernel):
        plain = lambda image: convolve(image, kernel, where)
        size = jnp.linalg.norm(matrix(plain, x.shape), ord=2)
        return jnp.sum(jnp.sin(plain(x) / size))

    np.testing.assert_allclose(ours, jax.grad(exactly)(settled.kernel), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(jnp.vdot(ours, settled.kernel), 0, atol=1e-10)


def test_scale_does_not_matter_and_zero_is_the_zero_map():
    """w and 7 w are one layer; of w = 0 value and gradient are numbers."""
    raw = layer()
    x = jnp.ones((6, 5, 2))
    scaled = eqx.tree_at(lambda n: n.kernel, raw, 7 * raw.kernel)
    np.testing.assert_allclose(scaled(x), raw(x), rtol=1e-10)
    zero = eqx.tree_at(lambda n: n.kernel, raw, 0 * raw.kernel)
    value, gradient = eqx.filter_value_and_grad(lambda n: jnp.sum(n(x)))(zero)
    assert value == 0
    assert jnp.isfinite(gradient.kernel).all()


def test_images_of_another_size_are_an_error():
    """The norm would be another."""
    with pytest.raises(ValueError, match=r"normalised on images of \(6, 5, 2\).*\(6, 6, 2\)"):
        layer()(jnp.ones((6, 6, 2)))


# In a game -----------------------------------------------------------------------------------


def small_game() -> tuple[Any, Any]:
    """Images against constants, with a critic of one such layer and a linear head."""
    images = jax.random.normal(jax.random.key(3), (16, 6, 5, 2))
    data, latent = go.Samples(images), go.NormalLatent((6, 5, 2))
    head = Linear(90, 1, INIT, jax.random.key(4))
    critic = Chain(layer(), Reshape((90,)), head, Reshape(()))
    generator = Chain(Reshape((60,)), Linear(60, 60, INIT, jax.random.key(5)), Reshape((6, 5, 2)))
    game = go.WassersteinGAN(data, latent, 8)
    return go.constrained(game, y=refreshed), go.Players(generator, critic)


def test_one_iteration_a_move_keeps_the_norm_at_one():
    """200 rounds of Adam at rate 0.01, which moves the kernel by as much as it is long.

    One iteration a call and a move lags behind by what a move turns the singular vectors: the norm
    stays within 2 % of 1.
    """
    game, players = small_game()
    solver = go.Simultaneous(both(optax.adam, 0.01))
    end = lambda game: go.rollout(game, solver, players, 200, key=jax.random.key(0)).players
    moved = end(game).y.layers[0]
    assert jnp.linalg.norm(moved.kernel - players.y.layers[0].kernel) > 1
    assert 1 - 1e-9 <= norm(moved) < 1.02


def test_the_direction_is_not_played():
    """No leaf of the field, none of the optimizer's; refreshing moves it and nothing else."""
    game, players = small_game()
    field = go.field(game, players, jax.random.key(0))
    assert field.y.layers[0].direction.value is None
    assert field.y.layers[0].kernel.shape == (3, 3, 2, 3)
    moved = refreshed(players.y)
    assert jnp.any(moved.layers[0].direction.value != players.y.layers[0].direction.value)
    restored = eqx.tree_at(lambda c: c.layers[0].direction, moved, players.y.layers[0].direction)
    assert eqx.tree_equal(restored, players.y)


@pytest.mark.slow
def test_certificates_turn_the_singular_vectors():
    """The Jacobian times a vector is the difference of the field, once the direction has converged.

    Central differences of step 1e-6 are wrong by about 1e-9. At their two ends the direction is
    iterated on: one iteration a call does not turn it as far as the kernel turns the vectors.
    """
    game, start = small_game()
    key, players = jax.random.key(1), refreshed(start, 2000)
    tangent = jax.tree.map(jnp.cos, go.playable(players))

    def field(step):
        moved = eqx.apply_updates(players, jax.tree.map(lambda t: step * t, tangent))
        return go.field(game, refreshed(moved, 2000), key)

    ours = go.jvp(game, players, tangent, key)
    close = lambda j, a, b: np.testing.assert_allclose(j, (a - b) / 2e-6, rtol=1e-6, atol=1e-6)
    jax.tree.map(close, ours, field(1e-6), field(-1e-6))
    assert np.isfinite(go.spectrum(game, players, key=key).values).all()


def test_in_half_precision_the_norm_is_that_of_single():
    """Of the same kernel, rounded, after as many iterations: rounded once, at the end."""
    made = layer()
    half = eqx.tree_at(lambda n: n.kernel, made, made.kernel.astype(jnp.bfloat16))
    again = eqx.tree_at(lambda n: n.kernel, made, half.kernel.astype(jnp.float32))
    found, expected = half.operator_norm(20), again.operator_norm(20)
    assert found.dtype == jnp.bfloat16
    np.testing.assert_array_equal(found, expected.astype(jnp.bfloat16))
