"""Dynamic games: iterated matrix games and linear-quadratic control, against sums over time."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from tests.solvers import point

INF = np.inf
ALWAYS_COOPERATE = [INF] * 5
ALWAYS_DEFECT = [-INF] * 5
TIT_FOR_TAT = [INF, INF, -INF, INF, -INF]  # at first, and after CC, CD, DC, DD

logits = st.lists(st.floats(-3, 3), min_size=5, max_size=5)
seeds = st.integers(0, 1000)


def sum_over_rounds(game, x, y, rounds):
    """The discounted mean losses, added up round by round."""
    cooperates = lambda strategy: 1 / (1 + np.exp(-np.asarray(strategy)))
    chance_x, chance_y = cooperates(x), cooperates(y)[[0, 1, 3, 2, 4]]  # y sees CD as DC
    rewards = np.stack([np.ravel(game.reward_x), np.ravel(game.reward_y)])
    memory, losses, gamma = np.array([1.0, 0, 0, 0, 0]), np.zeros(2), float(game.discount)
    for t in range(rounds):
        pairs = [
            memory @ (c_x * c_y)
            for c_x in (chance_x, 1 - chance_x)
            for c_y in (chance_y, 1 - chance_y)
        ]
        losses -= (1 - gamma) * gamma**t * rewards @ pairs
        memory = np.array([0.0, *pairs])
    return losses


@hyp.given(x=logits, y=logits)
@hyp.settings(max_examples=10)
def test_an_iterated_game_is_the_sum_over_its_rounds(x, y):
    """(1 - gamma) sum gamma^t r_t, cut after 60 rounds: gamma^60 is below 1e-18 for gamma = 1/2."""
    game = go.iterated_prisoners_dilemma(0.5)
    losses = game.losses(point(x, y))
    np.testing.assert_allclose([losses.x, losses.y], sum_over_rounds(game, x, y, 60), atol=1e-13)


@pytest.mark.parametrize(
    ("x", "y", "loss_x", "loss_y"),
    [
        (ALWAYS_DEFECT, ALWAYS_DEFECT, 2, 2),
        (TIT_FOR_TAT, TIT_FOR_TAT, 1, 1),
        (ALWAYS_COOPERATE, ALWAYS_COOPERATE, 1, 1),
        (ALWAYS_COOPERATE, ALWAYS_DEFECT, 3, 0),
        # Betrayed once, and then both defect: (1 - gamma) 3 + 2 gamma, and 2 gamma.
        (TIT_FOR_TAT, ALWAYS_DEFECT, 0.04 * 3 + 0.96 * 2, 0.96 * 2),
    ],
)
def test_pure_strategies_of_the_iterated_prisoners_dilemma(x, y, loss_x, loss_y):
    """The losses by hand, for either player in either place."""
    game = go.iterated_prisoners_dilemma()
    losses, swapped = game.losses(point(x, y)), game.losses(point(y, x))
    np.testing.assert_allclose([losses.x, losses.y], [loss_x, loss_y], atol=1e-12)
    np.testing.assert_allclose([swapped.x, swapped.y], [loss_y, loss_x], atol=1e-12)


@pytest.mark.parametrize("strategy", [ALWAYS_DEFECT, TIT_FOR_TAT])
def test_no_pure_deviation_from_defection_or_tit_for_tat_pays(strategy):
    """Both are Nash equilibria: against a memory-one strategy some pure one is a best answer."""
    game = go.iterated_prisoners_dilemma()
    agreed = game.losses(point(strategy, strategy)).x
    for bits in np.ndindex(2, 2, 2, 2, 2):
        deviation = np.where(np.array(bits) == 1, INF, -INF)
        assert game.losses(point(deviation, strategy)).x >= agreed - 1e-12


@hyp.given(x=logits, y=logits)
@hyp.settings(max_examples=10)
def test_the_iterated_prisoners_dilemma_is_symmetric(x, y):
    """Exchanging the strategies exchanges the losses: memories are read from one's own side."""
    game = go.iterated_prisoners_dilemma()
    losses, swapped = game.losses(point(x, y)), game.losses(point(y, x))
    np.testing.assert_allclose([losses.x, losses.y], [swapped.y, swapped.x], rtol=1e-12)


def test_iterated_matching_pennies_are_zero_sum_with_a_half_for_ever():
    """L_x = -L_y; at a half in every state the field is zero, and no answer loses less than 0."""
    game = go.iterated_matching_pennies()
    (players,) = game.equilibria()
    np.testing.assert_array_equal(players.x, np.zeros(5))
    assert go.stationarity(game, players) < 1e-15
    any_answer = point([1.0, -2.0, 0.5, 3.0, -0.7], players.y)
    np.testing.assert_allclose(game.losses(any_answer).x, 0, atol=1e-15)
    losses = game.losses(point([1.0, -2.0, 0.5, 3.0, -0.7], [0.3, 1.0, -1.0, 2.0, 0.1]))
    np.testing.assert_allclose(losses.x, -losses.y)


def test_the_mixed_equilibrium_of_one_round_is_one_of_the_iterated_game():
    """Battle of the sexes, rewards (3, 2) and (2, 3): C with chance 3/5 and 2/5."""
    game = go.IteratedGame(np.diag([3.0, 2.0]), np.diag([2.0, 3.0]), 0.9)
    (players,) = game.equilibria()
    chance = lambda z: 1 / (1 + np.exp(-np.asarray(z)))
    np.testing.assert_allclose(chance(players.x), 3 / 5)
    np.testing.assert_allclose(chance(players.y), 2 / 5)
    assert go.stationarity(game, players) < 1e-14
    assert go.iterated_prisoners_dilemma().equilibria() == ()


def test_rewards_of_another_shape_are_refused():
    """Two actions each."""
    with pytest.raises(ValueError, match=r"IteratedGame\.reward_y"):
        go.IteratedGame(np.eye(2), np.eye(3))


def zero_sum_system(seed=0, d=3, n=2, m=1, horizon=None):
    """A stable random system with a disturbance that is dear enough."""
    draw = np.random.default_rng(seed)
    a = draw.normal(size=(d, d))
    a = 0.8 * a / np.abs(np.linalg.eigvals(a)).max()
    spd = lambda k: np.eye(k) + 0.1 * np.ones((k, k))
    bx, by = draw.normal(size=(d, n)), 0.3 * draw.normal(size=(d, m))
    return go.ZeroSumLinearQuadratic(a, bx, by, spd(d), spd(n), 30.0 * spd(m), spd(d), horizon)


def general_sum_system(horizon=None):
    """Two unlike controllers."""
    a, bx, by = [[0.9, 0.2], [-0.1, 0.7]], [[1.0], [0.2]], [[0.0, 0.5], [0.4, 0.1]]
    one, two = np.eye(1), np.eye(2)
    return go.LinearQuadratic(
        np.array(a),
        np.array(bx),
        np.array(by),
        state_x=np.diag([1.0, 2.0]),
        state_y=np.diag([3.0, 0.5]),
        control_xx=one,
        control_xy=0.2 * two,
        control_yx=0.1 * one,
        control_yy=2.0 * two,
        start=np.diag([1.0, 0.3]),
        horizon=horizon,
    )


GAINS = point([[0.2, 0.1]], [[0.1, 0.0], [-0.1, 0.2]])


def simulated(game, players, rounds):
    """Both losses of the general-sum game, from the columns of a root of the start's moment."""
    k, l = np.asarray(players.x), np.asarray(players.y)
    states, losses = np.linalg.cholesky(np.asarray(game.start)), np.zeros(2)
    form = lambda matrix, columns: np.sum(columns * (np.asarray(matrix) @ columns))
    for _ in range(rounds):
        u, w = -k @ states, -l @ states
        losses += [
            form(game.state_x, states) + form(game.control_xx, u) + form(game.control_xy, w),
            form(game.state_y, states) + form(game.control_yx, u) + form(game.control_yy, w),
        ]
        states = game.transition @ states + game.input_x @ u + game.input_y @ w
        states = np.asarray(states)
    return losses


@pytest.mark.parametrize(("horizon", "rounds"), [(1, 1), (7, 7), (None, 400)])
def test_linear_quadratic_costs_are_those_of_the_trajectories(horizon, rounds):
    """Sum over rounds of s'Qs + u'R_u u + w'R_w w; the infinite sum by a Lyapunov equation."""
    losses = general_sum_system(horizon).losses(GAINS)
    expected = simulated(general_sum_system(), GAINS, rounds)
    np.testing.assert_allclose([losses.x, losses.y], expected, rtol=1e-12)


def test_the_gradient_passes_through_the_lyapunov_equation():
    """The field of the infinite horizon is that of a long one."""
    infinite, long = (go.field(general_sum_system(h), GAINS) for h in (None, 400))
    np.testing.assert_allclose(infinite.x, long.x, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(infinite.y, long.y, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("gain", [3.0, -2.0])
def test_an_unstable_loop_costs_nan(gain):
    """|a - b k| > 1: the sum has no end, though the linear system has a solution."""
    one = np.eye(1)
    game = go.ZeroSumLinearQuadratic(0.9 * one, one, 0.1 * one, one, one, 5.0 * one, one)
    players = point([[gain]], [[0.0]])
    assert jnp.isnan(game.losses(players).x)
    assert jnp.isnan(go.field(game, players).x).all()


@hyp.given(seed=seeds)
@hyp.settings(max_examples=10)
def test_riccati_gains_are_a_strict_saddle_point(seed):
    """xi = 0, H_xx > 0, H_yy > 0, and the closed loop is stable."""
    game = zero_sum_system(seed)
    (players,) = game.equilibria()
    assert go.stationarity(game, players) < 1e-9
    assert np.linalg.eigvalsh(go.hessian_x(game, players)).min() > 0
    assert np.linalg.eigvalsh(go.hessian_y(game, players)).min() > 0
    closed = game.transition - game.input_x @ players.x - game.input_y @ players.y
    assert np.abs(np.linalg.eigvals(closed)).max() < 1


@hyp.given(seed=seeds, step=st.floats(-0.05, 0.05))
@hyp.settings(max_examples=10)
def test_no_small_deviation_from_the_riccati_gains_pays(seed, step):
    """V(K*, L) <= V(K*, L*) <= V(K, L*)."""
    game = zero_sum_system(seed)
    (players,) = game.equilibria()
    value = game.value(players)
    assert game.value(go.Players(players.x + step, players.y)) >= value - 1e-9
    assert game.value(go.Players(players.x, players.y + step)) <= value + 1e-9


def test_the_scalar_riccati_equation_is_a_quadratic():
    """p = q + a^2 p / (1 + p s) with s = b_x^2 / r_x - b_y^2 / r_y, and V = p S_0.

    The gains are k = (b_x / r_x) a p / (1 + p s) and l = -(b_y / r_y) a p / (1 + p s).
    """
    a, bx, by, q, rx, ry, start = 1.2, 1.0, 0.5, 1.0, 2.0, 4.0, 1.7
    one = np.eye(1)
    game = go.ZeroSumLinearQuadratic(
        a * one, bx * one, by * one, q * one, rx * one, ry * one, start * one
    )
    (players,) = game.equilibria()
    s = bx**2 / rx - by**2 / ry
    p = np.roots([s, 1 - q * s - a**2, -q]).max()
    shared = a * p / (1 + p * s)
    np.testing.assert_allclose(players.x, bx / rx * shared, rtol=1e-12)
    np.testing.assert_allclose(players.y, -by / ry * shared, rtol=1e-12)
    np.testing.assert_allclose(game.value(players), p * start, rtol=1e-12)


def test_a_disturbance_that_is_too_cheap_leaves_no_equilibrium():
    """R_y must exceed B_y' P B_y; and a finite horizon has no constant gains."""
    one = np.eye(1)
    assert go.ZeroSumLinearQuadratic(one, one, one, one, one, 0.5 * one, one).equilibria() == ()
    assert zero_sum_system(horizon=5).equilibria() == ()


def test_blocks_that_do_not_fit_the_inputs_are_refused():
    """The message names the block and its shape."""
    one, two = np.eye(1), np.eye(2)
    with pytest.raises(ValueError, match=r"control_y must be of shape \(1, 1\)"):
        go.ZeroSumLinearQuadratic(one, one, one, one, one, two, one)


@pytest.mark.parametrize("make", [go.iterated_prisoners_dilemma, go.iterated_matching_pennies])
def test_either_normalisation_by_name(make):
    """The sum is the mean over (1 - discount), for both players, and so is its field."""
    start = point([0.3, -1.0, 0.2, 0.7, -0.1], [1.0, 0.0, -0.4, 0.3, 0.2])
    mean, total = make(0.9, "mean"), make(0.9, "sum")
    for a, b in zip(
        jax.tree.leaves(go.losses_and_field(total, start)),
        jax.tree.leaves(go.losses_and_field(make(0.9), start)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b / (1 - 0.9), rtol=1e-12)
    np.testing.assert_array_equal(mean.losses(start).x, make(0.9).losses(start).x)
    with pytest.raises((ValueError, TypeError), match="normalisation"):
        make(0.9, "average")


@pytest.mark.parametrize("convention", ["exact", "foerster"])
def test_lola_learns_to_cooperate_as_published(convention):
    """Foerster et al., table 1: -1.06 (standard deviation .19) a round for LOLA of the exact value,
    -1.98 for naive play; with published step sizes, which are of the sum. Of the mean they are 25
    times too small, and LOLA comes to -1.9. Twenty starts of given keys."""
    draw = lambda key: go.Players(*jax.random.normal(key, (2, 5)))
    starts = jax.vmap(draw)(jax.random.split(jax.random.key(0), 20))

    def reward(normalisation):
        game = go.iterated_prisoners_dilemma(0.96, normalisation)
        solver = go.LOLA(1.0, opponent_rate=1.0, convention=convention)
        end = lambda z: game.losses(go.rollout(game, solver, z, 200).players)
        losses = jax.vmap(end)(starts)
        scale = 1 - 0.96 if normalisation == "sum" else 1.0
        return -scale * float(jnp.mean(jnp.stack([losses.x, losses.y])))

    np.testing.assert_allclose(reward("sum"), -1.06, atol=0.1)
    assert reward("mean") < -1.8
