"""Safe and best step sizes, rate maps and modal lookahead against closed forms."""

import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import theory
from tests.meets_theory.test_solver_rates import ORIGIN, origin, quadratic
from tests.solvers import point, sgd


@pytest.mark.parametrize("mu", [0.2, 0.5])
def test_safe_step_is_the_largest_stable_one(mu):
    """Sim: min 2 Re / |lambda|^2, its best step Re / |lambda|^2; EG and OGDA on bilinear: 1/s,
    1/(sqrt(3) s)."""
    s = 1.3
    game = quadratic(s, mu)
    safe = go.safe_step(game, lambda eta: go.Simultaneous(sgd(eta)), origin())
    limit = theory.max_stable_step(go.jacobian(game, origin()))
    np.testing.assert_allclose(safe.largest, limit, rtol=1e-6)
    np.testing.assert_allclose(safe.best, mu / (mu**2 + s**2), rtol=1e-4)
    np.testing.assert_allclose(safe.best_rate, s / np.hypot(mu, s), rtol=1e-9)
    bilinear = lambda make: go.safe_step(go.Bilinear(s), make, ORIGIN)
    eg = bilinear(lambda eta: go.Extragradient(sgd(eta)))
    np.testing.assert_allclose(eg.largest, 1 / s, rtol=1e-6)
    np.testing.assert_allclose(eg.best, 1 / (np.sqrt(2) * s), rtol=1e-4)
    ogda = bilinear(lambda eta: go.Optimistic(sgd(eta)))
    np.testing.assert_allclose(ogda.largest, 1 / (np.sqrt(3) * s), rtol=1e-6)
    rk4 = bilinear(go.RungeKutta)
    np.testing.assert_allclose(rk4.largest, 2 * np.sqrt(2) / s, rtol=1e-6)


@pytest.mark.parametrize("make", [go.Simultaneous, go.Alternating])
def test_no_step_is_safe_for_gradient_play_on_bilinear(make):
    """Sim grows and Alt circles at every step size."""
    safe = go.safe_step(go.Bilinear(1.0), lambda eta: make(sgd(eta)), ORIGIN)
    assert safe.largest == 0
    assert safe.best_rate == 1


def test_a_rate_map_is_the_closed_form():
    """EG over (eta, gamma), 30 x 20, in one call."""
    eta, gamma = jnp.linspace(0.05, 1.0, 30), jnp.linspace(0.05, 1.5, 20)
    make = lambda a, b: go.Extragradient(sgd(a), extrapolation=sgd(b))
    radii = go.rate_map(go.Bilinear(1.2), make, ORIGIN, eta, gamma)
    expected = theory.extragradient_rate(eta[:, None], 1.2, 0.0, gamma[None, :])
    np.testing.assert_allclose(radii, expected, rtol=1e-9)


@pytest.mark.slow
def test_modal_lookahead_beats_its_neighbours():
    """Over Sim on a game of two modes: attracts, and no other (k, alpha) of a grid is faster."""
    game = go.Bilinear(jnp.diag(jnp.array([0.5, 1.0])))
    start = point(jnp.zeros(2), jnp.zeros(2))
    inner = go.Simultaneous(sgd(0.3))
    chosen = go.modal_lookahead(game, inner, start, max_steps=20)
    per_round = lambda solver: float(
        go.local_rate(game, solver, start).spectral_radius ** (1 / solver.steps)
    )
    best = per_round(chosen)
    assert best < 1
    for k in range(1, 21):
        for alpha in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0):
            assert best <= per_round(go.Lookahead(inner, steps=k, alpha=alpha)) + 1e-9


def test_a_point_that_no_lookahead_can_save_is_said():
    """A game that repels: L = -x^2 for both."""
    game = go.Quadratic(-np.eye(1), np.zeros((1, 1)), np.zeros((1, 1)), -np.eye(1))
    with pytest.raises(ValueError, match="makes the point attract"):
        go.modal_lookahead(game, go.Simultaneous(sgd(0.1)), origin())


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("make", [go.Simultaneous, go.Alternating])
def test_no_step_is_safe_on_bilinear_in_single_precision_either(make, scale):
    """The radius is sqrt(1 + eta^2 s^2), or 1, and in float32 a little below 1 by rounding."""
    zero = jnp.zeros((), jnp.float32)
    game = go.Bilinear(jnp.asarray(scale, jnp.float32))
    found = go.safe_step(game, lambda eta: make(sgd(eta)), go.Players(zero, zero))
    assert found.largest == found.best == 0
    assert found.best_rate == 1
    assert found.largest.dtype == jnp.float32
    # What does have a safe step keeps it, to the threshold: 1 - eta and 1 - 2 eta here.
    one = jnp.ones((1, 1), jnp.float32)
    monotone = go.ZeroSumQuadratic(one, 0 * one, -2 * one)
    start = go.Players(jnp.zeros(1, jnp.float32), jnp.zeros(1, jnp.float32))
    found = go.safe_step(monotone, lambda eta: go.Simultaneous(sgd(eta)), start)
    np.testing.assert_allclose([found.largest, found.best], [1.0, 2 / 3], rtol=1e-4)


def test_many_rates_at_once_have_a_limit_of_size():
    """513 entries are one too many for a batch of Jacobians, whichever function takes it."""
    game = go.zero_sum_game(lambda x, y: jnp.sum(x**2) - jnp.sum(y**2))
    large, make = point(np.zeros(512), np.zeros(1)), lambda eta: go.Simultaneous(sgd(eta))
    one = jnp.asarray([0.1])
    for call in (
        lambda: go.safe_step(game, make, large),
        lambda: go.rate_map(game, lambda a, b: make(a + b), large, one, one),
        lambda: go.local_rates(game, make, large, one),
    ):
        with pytest.raises(ValueError, match="at most 512 entries of the strategies, got 513"):
            call()
