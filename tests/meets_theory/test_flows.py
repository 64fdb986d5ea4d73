"""Flows against closed forms, and play against the flows it follows, by their orders.

One-step errors are fitted on step sizes over a factor of eight; the slope is the order, and its
tolerance of 0.1 covers the next order's share at the largest step.
"""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.linalg

import gameopt as go
import theory
from tests.solvers import point, sgd

TIGHT = go.Integrator(rtol=1e-12, atol=1e-13)


def bent(x, y):
    """A zero-sum game that is neither linear nor symmetric between the players."""
    return jnp.sum(jnp.tanh(x * y) + 0.3 * x**2 - 0.2 * y**2 + 0.1 * x**3)


GAME = go.zero_sum_game(bent)
START = point([0.6, -0.3], [0.4, 0.8])


def slope(steps, errors):
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]


def distance(left, right):
    return float(go.tree_norm(jax.tree.map(jnp.subtract, left, right)))


def test_the_flow_of_a_bilinear_game_is_a_rotation():
    """x' = -sy, y' = sx: after time t the point is turned by st."""
    path = go.flow(go.Bilinear(1.3), point(1.0, 0.0), 5.0, integrator=TIGHT)
    np.testing.assert_allclose(path.players.x, np.cos(1.3 * path.times), atol=1e-10)
    np.testing.assert_allclose(path.players.y, np.sin(1.3 * path.times), atol=1e-10)
    assert path.successful


def test_rates_are_each_player_s_own():
    """On a separable quadratic each coordinate decays at its own rate."""
    game = go.Quadratic(np.eye(1), np.zeros((1, 1)), np.zeros((1, 1)), 2 * np.eye(1))
    end = go.flow(game, point([1.0], [1.0]), 1.5, rates=go.Players(2.0, 0.5), integrator=TIGHT).end
    np.testing.assert_allclose([end.x[0], end.y[0]], np.exp([-3.0, -1.5]), rtol=1e-9)


def test_an_event_stops_the_flow_where_it_changes_sign():
    """The rotation crosses x = 0 at t = pi / 2."""
    path = go.flow(
        go.Bilinear(1.0), point(1.0, 0.0), 10.0, event=lambda players: players.x, integrator=TIGHT
    )
    np.testing.assert_allclose(path.end_time, np.pi / 2, rtol=1e-7)
    np.testing.assert_allclose(path.end.y, 1.0, rtol=1e-7)


def test_strategies_of_any_structure_flow():
    """What is not played is carried along."""
    game = go.zero_sum_game(lambda x, y: jnp.sum(x["w"] * y["w"]))
    start = go.Players({"w": jnp.ones(2), "f": jax.nn.relu}, {"w": jnp.zeros(2), "n": 3})
    end = go.flow(game, start, 0.3).end
    assert end.x["f"] is jax.nn.relu
    np.testing.assert_allclose(end.x["w"], np.cos(0.3), rtol=1e-6)


PLAYS = {
    "simultaneous": ({}, lambda o: go.Simultaneous(o)),
    "alternating": ({"play": "alternating"}, lambda o: go.Alternating(o)),
    "alternating_y_first": (
        {"play": "alternating", "order": ("y", "x")},
        lambda o: go.Alternating(o, order=("y", "x")),
    ),
    "inner_steps": (
        {"play": "alternating", "inner_steps": go.Players(2, 3)},
        lambda o: go.Alternating(o, inner_steps=go.Players(2, 3)),
    ),
    "inner_steps_y_first": (
        {"play": "alternating", "order": ("y", "x"), "inner_steps": go.Players(1, 4)},
        lambda o: go.Alternating(o, order=("y", "x"), inner_steps=go.Players(1, 4)),
    ),
}


@pytest.mark.parametrize("name", sorted(PLAYS))
def test_one_round_leaves_the_modified_flow_by_the_third_order(name):
    """Slope 3 +- 0.1 in h, with unequal rates; the plain flow's is 2."""
    keywords, make = PLAYS[name]
    steps = 0.02 / 2.0 ** np.arange(4)
    errors, plain = [], []
    for h in steps:
        rates = go.Players(h, 0.6 * h)
        solver = make(go.Players(optax.sgd(rates.x), optax.sgd(rates.y)))
        after, _, _ = solver.step(GAME, START, solver.init(GAME, START))
        modified = go.modified_flow(
            GAME, START, 1.0, learning_rate=rates, integrator=TIGHT, **keywords
        )
        inner = keywords.get("inner_steps", go.Players(1, 1))
        moves = go.Players(rates.x * inner.x, rates.y * inner.y)
        errors.append(distance(modified.end, after))
        plain.append(distance(go.flow(GAME, START, 1.0, rates=moves, integrator=TIGHT).end, after))
    assert abs(slope(steps, errors) - 3) < 0.1
    assert abs(slope(steps, plain) - 2) < 0.1


@pytest.mark.parametrize(
    ("method", "order"),
    [("euler", 1), ("heun", 2), ("midpoint", 2), ("rk4", 4), (diffrax.Bosh3(), 3)],
)
def test_every_integrator_has_its_order(method, order):
    """The error at a fixed time: slope 1, 2, 2, 4 and 3 (an "Euler-Heun" of order 1 is a known
    error)."""
    end = go.flow(GAME, START, 2.0, integrator=TIGHT).end
    counts = np.array([10, 20, 40, 80])
    errors = [
        distance(go.rollout(GAME, go.RungeKutta(2.0 / n, method), START, int(n)).players, end)
        for n in counts
    ]
    assert abs(slope(2.0 / counts, errors) - order) < 0.15


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("inner", [(1, 1), (2, 3)])
@pytest.mark.parametrize("alternating", [True, False])
def test_the_drift_matrix_is_the_logarithm_of_a_round(seed, inner, alternating):
    """log T, by scipy, within the third order; and the modified field of the linear game is it."""
    if not alternating and inner != (1, 1):
        return
    rng = np.random.default_rng(seed)
    jac = rng.normal(size=(4, 4))
    sym = lambda m: (m + m.T) / 2
    jac[:2, :2], jac[2:, 2:] = sym(jac[:2, :2]), sym(jac[2:, 2:])
    game = go.Quadratic(jac[:2, :2], jac[:2, 2:], jac[2:, :2], jac[2:, 2:])
    steps, errors = 0.02 / 2.0 ** np.arange(4), []
    for h in steps:
        rates = jnp.array([h, h, 0.5 * h, 0.5 * h])
        keywords = {"alternating": alternating, "inner_steps": inner}
        logarithm = scipy.linalg.logm(theory.round_matrix(jnp.asarray(jac), rates, 2, **keywords))
        drift = theory.drift_matrix(jnp.asarray(jac), rates, 2, **keywords)
        errors.append(np.abs(logarithm - drift).max())
        z = rng.normal(size=4)
        velocity = go.modified_field(
            game,
            point(z[:2], z[2:]),
            learning_rate=go.Players(h, 0.5 * h),
            play="alternating" if alternating else "simultaneous",
            inner_steps=go.Players(*inner),
        )
        np.testing.assert_allclose(
            np.concatenate([velocity.x, velocity.y]), drift @ z, rtol=1e-11, atol=1e-14
        )
    assert abs(slope(steps, errors) - 3) < 0.1


@pytest.mark.parametrize("eta", [0.1, 0.3])
def test_drift_explains_what_the_flow_does_not(eta):
    """On f = sxy the flow circles; simultaneous play's modified flow grows by eta^2 s^2 / 2 a
    round, alternating play's circles too."""
    s = 1.2
    jac = jnp.array([[0.0, s], [-s, 0.0]])
    rates = jnp.full(2, eta)
    real = lambda alternating: (
        np.linalg.eigvals(theory.drift_matrix(jac, rates, 1, alternating=alternating)).real
    )
    np.testing.assert_allclose(real(False), (eta * s) ** 2 / 2, rtol=1e-12)
    np.testing.assert_allclose(real(True), 0.0, atol=1e-15)


@pytest.mark.parametrize(
    ("solver", "keywords", "stable"),
    [
        ("gda", {}, False),
        ("extragradient", {}, True),
        ("optimistic", {}, True),
        ("lookahead", {"steps": 3, "alpha": 0.6}, True),
        ("lookahead", {"steps": 3, "alpha": 0.72}, False),
        ("lookahead", {"steps": 2, "alpha": 0.45}, True),
        ("lookahead", {"steps": 2, "alpha": 0.55}, False),
    ],
)
def test_high_resolution_flows_are_stable_where_published(solver, keywords, stable):
    """On f = xy: never for GDA, always for EG and OGDA, for Lookahead iff alpha < 1 - 1/k."""
    path = go.high_resolution_flow(
        go.Bilinear(1.0), point(1.0, 0.0), 400.0, solver=solver, learning_rate=0.2, **keywords
    )
    assert (float(go.tree_norm(path.end)) < 1) == stable


@pytest.mark.parametrize("solver", ["gda", "extragradient", "optimistic"])
def test_high_resolution_flows_grow_like_their_solvers(solver):
    """On f = xy: the logarithm of the rate a round agrees to leading order, +-a^2/2 at a = 0.05."""
    a = 0.05
    end = go.high_resolution_flow(
        go.Bilinear(1.0), point(1.0, 0.0), 2000.0, solver=solver, learning_rate=a, integrator=TIGHT
    ).end
    growth = np.log(float(go.tree_norm(end))) / 2000
    rates = {
        "gda": theory.simultaneous_rate,
        "extragradient": theory.extragradient_rate,
        "optimistic": theory.optimistic_rate,
    }
    np.testing.assert_allclose(growth, np.log(rates[solver](a, 1.0)), rtol=0.02)


def test_one_call_overlays_all_three():
    """The modified flow stays a hundred times nearer to the iterates than the flow does."""
    seen = go.overlay(GAME, START, 20, learning_rate=0.01, play="alternating", integrator=TIGHT)
    assert seen.iterates.x.shape == seen.flow.x.shape == seen.modified.x.shape == (21, 2)
    off = lambda path: distance(
        jax.tree.map(lambda leaf: leaf[-1], path),
        jax.tree.map(lambda leaf: leaf[-1], seen.iterates),
    )
    assert off(seen.modified) < off(seen.flow) / 100


def test_a_joint_runge_kutta_step_contracts_a_rotation():
    """Integrating each player with the other frozen *is* simultaneous play on f = xy; the joint
    step contracts."""
    start = point(1.0, 0.5)
    rk4 = go.rollout(go.Bilinear(1.0), go.RungeKutta(0.5), start, 200).players
    sim = go.rollout(go.Bilinear(1.0), go.Simultaneous(sgd(0.5)), start, 200).players
    assert go.tree_norm(rk4) < go.tree_norm(start) < go.tree_norm(sim)


def test_another_start_or_step_is_no_other_program():
    """Flows of one kind are compiled once: the traces of the value are counted."""
    traces = []

    def value(x, y):
        traces.append(1)
        return x * y + 0.1 * x**2

    game = go.zero_sum_game(value)
    play = lambda x, eta: go.modified_flow(game, point(x, 1.0), 3.0, learning_rate=eta)
    play(1.0, 0.1)
    go.flow(game, point(1.0, 1.0), 2.0, rates=0.3)
    first = len(traces)
    play(0.5, 0.2)
    go.flow(game, point(0.2, 1.0), 1.0, rates=0.1)
    # What is evaluated eagerly before and after is the same for both calls.
    assert len(traces) == first


def test_wrong_play_is_said():
    """Inner steps belong to alternating play."""
    with pytest.raises(ValueError, match="no inner steps"):
        go.modified_field(GAME, START, learning_rate=0.1, inner_steps=go.Players(1, 2))
    with pytest.raises((ValueError, TypeError), match="play"):
        go.modified_field(GAME, START, learning_rate=0.1, play="both")  # pyright: ignore[reportArgumentType]
