"""Closed forms of simultaneous and alternating play on bilinear games."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.solvers import both, point

etas = st.floats(0.01, 1.5)
scales = st.floats(0.1, 3.0)


def trajectory(game, solver, start, rounds):
    return go.rollout(game, solver, start, rounds, record=go.record_players).records


@hyp.given(eta_x=etas, eta_y=etas, s=scales)
def test_simultaneous_grows_at_its_closed_form_rate(eta_x, eta_y, s):
    """Each round multiplies x^2/eta_x + y^2/eta_y by 1 + eta_x eta_y s^2; rounding: 1e-12."""
    optimizers = go.Players(optax.sgd(eta_x), optax.sgd(eta_y))
    path = trajectory(go.Bilinear(s), go.Simultaneous(optimizers), point(1.0, -0.5), 20)
    energy = path.x**2 / eta_x + path.y**2 / eta_y
    np.testing.assert_allclose(energy[1:] / energy[:-1], 1 + eta_x * eta_y * s**2, rtol=1e-12)


@pytest.mark.parametrize("eta", [0.01, 0.1, 1.0])
def test_simultaneous_grows_by_the_root_of_one_plus_eta_s_squared(eta):
    """|z+| = sqrt(1 + eta^2 s^2) |z| for equal step sizes, s = 1.7."""
    solver = go.Simultaneous(both(optax.sgd, eta))
    path = trajectory(go.Bilinear(1.7), solver, point(1.0, -0.5), 30)
    norms = jnp.hypot(path.x, path.y)
    np.testing.assert_allclose(norms[1:] / norms[:-1], np.sqrt(1 + (eta * 1.7) ** 2), rtol=1e-12)


@hyp.given(
    eta_x=etas,
    eta_y=etas,
    seed=st.integers(0, 2**31 - 1),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    x_first=st.booleans(),
)
def test_alternating_conserves_its_quadratic(eta_x, eta_y, seed, shape, x_first):
    """q = |x|^2/eta_x + |y|^2/eta_y -+ x'My (minus when x moves first) never changes."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=shape)
    matrix /= np.linalg.norm(matrix, 2) * np.sqrt(eta_x * eta_y)  # so that the orbit is bounded
    order = ("x", "y") if x_first else ("y", "x")
    solver = go.Alternating(go.Players(optax.sgd(eta_x), optax.sgd(eta_y)), order=order)
    start = point(rng.normal(size=shape[0]), rng.normal(size=shape[1]))
    path = trajectory(go.Bilinear(matrix), solver, start, 50)
    sign = -1.0 if x_first else 1.0
    energy = lambda x, y: x @ x / eta_x + y @ y / eta_y + sign * (x @ matrix @ y)
    values = jax.vmap(energy)(path.x, path.y)
    # The form's two eigenvalues are 1 -+ 1/2 in its own units: no cancellation beyond a factor 3.
    np.testing.assert_allclose(values, energy(start.x, start.y), rtol=1e-11)


@pytest.mark.parametrize(("product", "bounded"), [(3.9, True), (4.1, False)])
def test_alternating_is_bounded_iff_the_product_of_steps_is_below_four(product, bounded):
    """eta_x eta_y s^2 < 4."""
    solver = go.Alternating(go.Players(optax.sgd(product / 2), optax.sgd(2.0)))
    path = trajectory(go.Bilinear(1.0), solver, point(1.0, 1.0), 400)
    assert (jnp.max(jnp.abs(path.x)) < 100) == bounded


@pytest.mark.parametrize(("factor", "bounded"), [(0.98, True), (1.02, False)])
def test_inner_steps_widen_the_circle(factor, bounded):
    """With n_x and n_y inner steps: on the unit circle iff sqrt(n_x n_y) eta s <= 2."""
    inner = go.Players(2, 3)
    eta = factor * 2 / np.sqrt(6)
    solver = go.Alternating(both(optax.sgd, eta), inner_steps=inner)
    path = trajectory(go.Bilinear(1.0), solver, point(1.0, 1.0), 400)
    assert (jnp.max(jnp.abs(path.x)) < 100) == bounded


def test_the_two_orders_are_the_same_orbit_half_a_round_apart():
    """y-first from (x0, y0+) is x-first from (x0, y0), where y0+ answers x0."""
    eta, game = 0.3, go.Bilinear(1.0)
    x_first = go.Alternating(both(optax.sgd, eta))
    y_first = go.Alternating(both(optax.sgd, eta), order=("y", "x"))
    start = point(1.0, -0.5)
    ahead = go.Players(start.x - eta * start.y, start.y)  # x has moved: now y is first
    left = trajectory(game, x_first, start, 10)
    right = trajectory(game, y_first, ahead, 10)
    np.testing.assert_allclose(left.y, right.y, rtol=1e-13)


@pytest.mark.parametrize("matrix", [2.0, [[1.0, 2.0], [0.5, -1.0]], [[1.0], [2.0]]])
def test_the_known_equilibrium_is_stationary(matrix):
    """xi = 0 there; an offset outside the range of the matrix leaves none."""
    matrix = jnp.asarray(matrix)
    offsets = (None, None) if matrix.ndim == 0 else (matrix @ jnp.ones(matrix.shape[1]), None)
    game = go.Bilinear(matrix, *offsets)
    (equilibrium,) = game.equilibria()
    assert go.tree_norm(go.field(game, equilibrium)) < 1e-12


def test_a_game_without_equilibrium_says_so():
    """M y = -b has no solution if b is not in the range of M."""
    game = go.Bilinear(jnp.array([[1.0], [0.0]]), offset_x=jnp.array([0.0, 1.0]))
    assert game.equilibria() == ()


def test_unequal_steps_grow_in_the_norm_that_they_weigh():
    """|x|^2/eta_x + |y|^2/eta_y grows by 1 + eta_x eta_y s^2 a round; |x|^2 + |y|^2 does not."""
    eta_x, eta_y, s = 0.4, 0.1, 1.5
    solver = go.Simultaneous(both(optax.sgd, eta_x, eta_y))
    path = go.rollout(go.Bilinear(s), solver, point(1.0, 0.3), 30, record=go.record_players).records
    weighed = path.x**2 / eta_x + path.y**2 / eta_y
    np.testing.assert_allclose(weighed[1:] / weighed[:-1], 1 + eta_x * eta_y * s**2, rtol=1e-12)
    plain = path.x**2 + path.y**2
    assert np.ptp(np.asarray(plain[1:] / plain[:-1])) > 0.05


@pytest.mark.parametrize(("eta", "tends"), [(0.1, True), (1.9, True), (2.1, False)])
def test_averages_of_alternating_play_tend_to_the_equilibrium_below_two(eta, tends):
    """t times the distance stays bounded for eta s < 2; beyond, the average leaves with play."""
    solver = go.Averaged(go.Alternating(both(optax.sgd, eta)))
    path = go.rollout(go.Bilinear(1.0), solver, point(1.0, 0.3), 400, record=go.record_players)
    far = np.arange(1, 401) * np.hypot(np.asarray(path.records.x), np.asarray(path.records.y))
    assert (far.max() < 100) if tends else (far[-1] > 1e20)
