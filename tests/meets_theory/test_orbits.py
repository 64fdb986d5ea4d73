"""Orbits that play is on: closed forms on bilinear games, Hsieh's cycle against its flow."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import gameopt as go
from tests.gameopt.dynamics.test_limit_cycles import named
from tests.solvers import ALL_SOLVERS, point


def path_of(game, name, eta, start, rounds):
    """What a solver plays."""
    solver = ALL_SOLVERS[name](eta)
    return go.rollout(game, solver, start, rounds, record=go.record_players).records


@pytest.mark.parametrize("eta", [0.01, 0.1, 0.37, 1.0])
def test_alternating_play_circles_by_its_closed_form(eta):
    """On V = xy each round turns by 2 arcsin(eta / 2), on x^2 + y^2 - eta xy = q: half axes
    sqrt(q / (1 - eta / 2)) and sqrt(q / (1 + eta / 2))."""
    found = go.limit_cycle(path_of(go.Bilinear(1.0), "alternating", eta, point(1.0, 0.3), 5000))
    assert named(found) == "cycle"
    np.testing.assert_allclose(found.period, np.pi / np.arcsin(eta / 2), rtol=1e-7)
    q = 1 + 0.3**2 - eta * 0.3
    # Where the turn is a sixth, the orbit is six points, which need not be on the axis.
    rtol = 2e-3 if eta < 1 else 0.1
    np.testing.assert_allclose(found.amplitude, np.sqrt(q / (1 - eta / 2)), rtol=rtol)
    assert abs(found.drift) < 1e-7


@pytest.mark.parametrize(("name", "sign"), [("simultaneous", 1), ("extragradient", -1)])
def test_the_drift_of_a_spiral_is_the_rate_of_a_turn(name, sign):
    """Simultaneous play grows by sqrt(1 + eta^2) a round, extragradient shrinks by the modulus of
    1 - i eta - eta^2: as many rounds of it as a turn has."""
    eta = 0.01
    found = go.limit_cycle(path_of(go.Bilinear(1.0), name, eta, point(1.0, 0.0), 4000), skip=0.3)
    assert named(found) == "undecided"
    round_ = 1 - 1j * eta if sign > 0 else 1 - 1j * eta - eta**2
    turn = 2 * np.pi / abs(np.angle(round_))
    np.testing.assert_allclose(found.period, turn, rtol=1e-3)
    np.testing.assert_allclose(found.drift, abs(round_) ** turn - 1, rtol=0.03)


def test_a_spiral_that_ends_is_settled_and_one_that_does_not_diverges():
    """With larger steps the same two are decided."""
    settles = path_of(go.Bilinear(1.0), "extragradient", 0.3, point(1.0, 0.0), 2000)
    leaves = path_of(go.Bilinear(1.0), "simultaneous", 0.1, point(1.0, 0.0), 2000)
    assert named(go.limit_cycle(settles)) == "settled"
    assert named(go.limit_cycle(leaves)) == "diverging"


def hsieh_s_turn():
    """The period of the flow's cycle on the forsaken game, by an event of scipy's integrator."""
    slope = lambda z: z / 2 - 2 * z**3 + z**5
    flow = lambda t, z: [-(z[1] - 0.45 + slope(z[0])), z[0] - slope(z[1])]
    crossing = lambda t, z: z[0]
    run = solve_ivp(flow, (0, 200), [1.0, 1.0], "DOP853", events=crossing, rtol=1e-11, atol=1e-11)
    times = run.t_events[0]
    return times[-1] - times[-3]  # up, down, up


def test_hsieh_s_cycle_has_the_period_of_its_flow():
    """Rounds of RK4 of step eta times eta are time; first-order play is off by O(eta), and from
    inside its cycle play ends at the critical point."""
    game, turn = go.TOY_GAMES["forsaken"](), hsieh_s_turn()
    found = go.limit_cycle(path_of(game, "rk4", 0.02, point(1.0, 1.0), 8000))
    assert named(found) == "cycle"
    np.testing.assert_allclose(found.period * 0.02, turn, rtol=1e-6)
    errors = []
    for eta in (0.02, 0.01):
        found = go.limit_cycle(path_of(game, "simultaneous", eta, point(1.0, 1.0), int(400 / eta)))
        assert named(found) == "cycle"
        assert 1 < found.amplitude < 2
        errors.append(float(found.period) * eta - turn)
    np.testing.assert_allclose(errors[0] / errors[1], 2, rtol=0.1)
    inside = path_of(game, "simultaneous", 0.02, point(0.08, 0.42), 20_000)
    assert named(go.limit_cycle(inside)) == "settled"


def test_almost_bilinear_play_is_drawn_to_a_circle_and_says_when_it_is_not_there():
    """V = xy + eps (y^2 / 2 - y^4 / 4): averaged over a turn, the radius grows until
    r^2 = 4 / 3; early records are still growing, late ones are not."""
    game = go.TOY_GAMES["almost_bilinear"]()
    path = path_of(game, "rk4", 0.1, point(0.1, 0.1), 60_000)
    early, late = (
        go.limit_cycle(go.Players(path.x[piece], path.y[piece]), skip=0.0)
        for piece in (slice(0, 1500), slice(40_000, 44_000))
    )
    assert named(early) != "cycle"
    assert early.drift > 0
    assert named(late) == "cycle"
    np.testing.assert_allclose(late.amplitude, np.sqrt(4 / 3), rtol=0.05)
    np.testing.assert_allclose(late.period * 0.1, 2 * np.pi, rtol=0.01)
    assert jnp.abs(late.drift) < 1e-7
