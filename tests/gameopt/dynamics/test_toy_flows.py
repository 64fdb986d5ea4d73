"""Where the flow of the toy games ends: on cycles, around the critical points or in them."""

import functools

import hypothesis as hyp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from tests.gameopt.games.test_toy_games import coordinates


def field_of(game):
    """xi as a function of vectors of shape (2,)."""

    def xi(z):
        gradient = go.field(game, go.Players(z[0], z[1]))
        return jnp.stack([gradient.x, gradient.y])

    return xi


@functools.partial(jax.jit, static_argnames="steps")
def flow(game, start, steps, size=0.01):
    """Runge-Kutta steps of z' = -xi(z): shape (steps, 2)."""
    xi = field_of(game)

    def step(z, _):
        k1 = -xi(z)
        k2 = -xi(z + size / 2 * k1)
        k3 = -xi(z + size / 2 * k2)
        k4 = -xi(z + size * k3)
        z = z + size / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return z, z

    return jax.lax.scan(step, jnp.asarray(start), None, length=steps)[1]


def test_gradient_play_leaves_the_avoided_nash_equilibrium():
    """Along the eigenvector (1, -1) of J = [[1, 2], [2, 1]] the flow grows as e^t."""
    path = flow(go.TOY_GAMES["avoided_nash"](), [1e-6, -1e-6], 1000)
    np.testing.assert_allclose(path[-1], np.array([1e-6, -1e-6]) * np.exp(10), rtol=1e-8)


@hyp.given(x=coordinates, y=coordinates)
def test_polar_field_is_what_it_is_integrated_from(x, y):
    """The flow -xi has radial part r^2 (r^2 - 1)(4 - r^2) / 4 and angular part r^2."""
    radial, angular = jnp.array([x, y]), jnp.array([-y, x])
    s = x**2 + y**2
    velocity = -field_of(go.TOY_GAMES["polar"]())(radial)
    np.testing.assert_allclose(velocity @ radial, s * (s - 1) * (4 - s) / 4, atol=1e-12)
    np.testing.assert_allclose(velocity @ angular, s, atol=1e-12)


@pytest.mark.parametrize(("start", "end"), [(0.9, 0.0), (1.1, 2.0), (3.0, 2.0)])
def test_polar_flow_ends_on_its_cycles(start, end):
    """Radius 1 repels, at rate 1.5; the origin, at rate 1, and radius 2, at rate 6, attract."""
    path = flow(go.TOY_GAMES["polar"](), [start, 0.0], 4000)
    np.testing.assert_allclose(jnp.linalg.norm(path[-1]), end, atol=1e-9)


def test_polar_flow_stays_on_its_cycles():
    """A solution: 2 (cos t, sin t)."""
    path = flow(go.TOY_GAMES["polar"](), [2.0, 0.0], 700)
    time = 0.01 * np.arange(1, 701)
    np.testing.assert_allclose(path, 2 * np.stack([np.cos(time), np.sin(time)], 1), atol=1e-7)


def test_almost_bilinear_flow_ends_on_its_cycle():
    """Averaged over a turn r' = e (r / 2 - 3 r^3 / 8): from both sides to 2 / sqrt(3), up to e."""
    for start in ([0.1, 0.0], [2.0, 0.0]):
        path = flow(go.TOY_GAMES["almost_bilinear"](), start, 20_000)
        radii = jnp.linalg.norm(path[-700:], axis=1)
        np.testing.assert_allclose(radii, 2 / np.sqrt(3), atol=0.1)
        np.testing.assert_allclose(jnp.mean(radii), 2 / np.sqrt(3), atol=0.1**2)


@pytest.mark.parametrize(("name", "repelled"), [("forsaken", 0.25), ("global_forsaken", 1.2)])
def test_forsaken_attractors_hide_inside_an_attracting_cycle(name, repelled):
    """Near the critical point the flow ends there, from elsewhere, on one cycle around it."""
    game = go.TOY_GAMES[name]()
    (critical,) = game.critical_points()
    centre = np.array([critical.players.x, critical.players.y])
    away = lambda distance: centre + np.array([distance, 0.0])
    assert np.linalg.norm(flow(game, away(0.1), 30_000)[-1] - centre) < 1e-5
    turn = slice(-1500, None)
    inner = np.asarray(flow(game, away(repelled), 30_000)[turn])
    outer = np.asarray(flow(game, away(1.6), 30_000)[turn])
    assert np.linalg.norm(inner - centre, axis=1).min() > 0.9
    # The highest point of a turn is met up to the time between two samples, squared.
    np.testing.assert_allclose(inner.max(axis=0), outer.max(axis=0), atol=1e-4)
