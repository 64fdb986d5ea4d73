"""Every second-order solver's move against its formula in dense matrices.

The solver sees vectors only. Linear solves are done to 1e-10, and that is the tolerance.
"""

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

import gameopt as go
from tests.gameopt.dense_games import ALPHA, ETA, GAME, START, ZERO_SUM, D, Z, loss_x, loss_y, moved
from tests.solvers import point, sgd


def sga_direction(d, strength, align):
    rotation = (d.jac.T @ d.xi - d.jac @ d.xi) / 2
    if align:
        product = (d.xi @ d.jac.T @ d.xi) * (rotation @ d.jac.T @ d.xi) / len(d.xi)
        strength = strength * (1 if product + 0.1 >= 0 else -1)
    return d.xi + strength * rotation


def lss_direction(d, damping):
    inverse = np.linalg.inv(d.jac.T @ d.jac + damping * np.eye(len(d.xi)))
    return (d.xi + d.jac.T @ inverse @ d.jac.T @ d.xi) / 2


def ridge_direction(d):
    correction = np.linalg.solve(d.g[1][1], d.g[1][0] @ d.fx)
    return d.xi - np.concatenate([np.zeros(d.n), correction])


def both_ridges(d):
    own = np.concatenate([d.f[0][0] @ d.fx, d.g[1][1] @ d.gy])
    return np.linalg.solve(d.jac, own)


def stackelberg_direction(d):
    through = d.g[0][1] @ np.linalg.solve(d.g[1][1], d.fy)
    return np.concatenate([d.fx - through, d.gy])


def cgd_direction(d, eta):
    """From the defining pair of equations, solved as one system."""
    n, m = d.n, len(d.xi) - d.n
    system = np.block([[np.eye(n), eta * d.f[0][1]], [eta * d.g[1][0], np.eye(m)]])
    return -np.linalg.solve(system, -eta * d.xi) / eta


EYE = np.eye(5)
FORMULAS = {
    "sga": (go.SGA(sgd(ETA), strength=0.7), lambda d: sga_direction(d, 0.7, True)),
    "sga_plain": (go.SGA(sgd(ETA), 0.7, align=False), lambda d: sga_direction(d, 0.7, False)),
    # A hand-written gradient of |xi|^2 / 2 with a spurious 1/2 is a known error.
    "consensus": (go.Consensus(sgd(ETA), 0.6), lambda d: d.xi + 0.6 * d.jac.T @ d.xi),
    "hamiltonian": (go.Hamiltonian(sgd(ETA)), lambda d: d.jac.T @ d.xi),
    "lss": (go.LSS(sgd(ETA), damping=0.05), lambda d: lss_direction(d, 0.05)),
    "look_ahead": (go.LookAhead(ETA, ALPHA), lambda d: (EYE - ALPHA * d.off) @ d.xi),
    "lola": (
        go.LOLA(ETA, ALPHA),
        lambda d: (EYE - ALPHA * d.off) @ d.xi - ALPHA * d.chi,
    ),
    "lola_foerster": (
        go.LOLA(ETA, ALPHA, convention="foerster"),
        lambda d: d.xi - ALPHA * d.chi,
    ),
    "stackelberg": (go.Stackelberg(sgd(ETA)), stackelberg_direction),
    "follow_the_ridge": (go.FollowTheRidge(ETA), ridge_direction),
    "follow_the_ridge_double": (go.FollowTheRidge(ETA, variant="double"), both_ridges),
    "cgd": (go.CGD(ETA), lambda d: cgd_direction(d, ETA)),
}


@pytest.mark.parametrize("name", sorted(FORMULAS))
@pytest.mark.parametrize(("game", "dense"), [(GAME, D), (ZERO_SUM, Z)], ids=["general", "zero_sum"])
def test_the_move_is_the_formula(name, game, dense):
    """z+ = z - eta d with d from dense blocks."""
    solver, direction = FORMULAS[name]
    after, info = moved(solver, game)
    np.testing.assert_allclose(after, dense.z - ETA * direction(dense), rtol=0, atol=1e-9)
    assert info.hvps > 0
    assert info.residual < 1e-9


def test_sos_is_its_algorithm():
    """p = min(p1, p2), of Letcher et al. (2019), algorithm 1; both branches of p1, and of p2."""
    branches = set()
    for a, b, alpha in [(0.5, 0.1, 0.2), (0.01, 0.1, 3.0), (0.5, 50.0, 0.2), (0.5, 0.1, 2.0)]:
        careful = (EYE - alpha * D.off) @ D.xi
        inner = -alpha * D.chi @ careful
        p_1 = 1.0 if inner > 0 else min(1.0, -a * careful @ careful / inner)
        norm = np.linalg.norm(D.xi)
        p_2 = norm**2 if norm < b else 1.0
        p = min(p_1, p_2)
        branches.add((inner > 0, p_1 < 1, p_2 != 1))
        after, _ = moved(go.SOS(ETA, alpha, a, b))
        np.testing.assert_allclose(after, D.z - ETA * (careful - p * alpha * D.chi), atol=1e-13)
    assert len(branches) >= 2


def test_exact_lola_is_the_gradient_through_the_opponent_s_step():
    """To first order in alpha: the slope of grad_x L_x(x, y - alpha grad_y L_y) at alpha = 0."""

    def shaped(alpha, x):
        answer = START.y - alpha * jax.grad(loss_y, 1)(x, START.y)
        return loss_x(x, answer)

    slope = jax.jacfwd(lambda alpha: jax.grad(lambda x: shaped(alpha, x))(START.x))(0.0)
    after, _ = moved(go.LOLA(1.0, 1.0))
    direction = D.z - after
    np.testing.assert_allclose(direction[:3] - D.fx, slope, atol=1e-12)


def test_unrolled_is_the_gradient_through_all_answers():
    """By finite differences of L_x(x, y_K(x)); K = 0 is simultaneous play."""

    def after_answers(x, steps, eta=0.1):
        y = START.y
        for _ in range(steps):
            y = y - eta * jax.grad(loss_y, 1)(x, y)
        return loss_x(x, y)

    solver = go.Unrolled(sgd(ETA), steps=4, unroll_rate=0.1)
    after, info = moved(solver)
    h = 1e-6
    slope = [
        (after_answers(START.x + h * e, 4) - after_answers(START.x - h * e, 4)) / (2 * h)
        for e in jnp.eye(3)
    ]
    np.testing.assert_allclose((D.z - after)[:3] / ETA, slope, rtol=1e-7)
    np.testing.assert_allclose((D.z - after)[3:] / ETA, D.gy, rtol=1e-12)
    assert (int(info.gradients), int(info.hvps)) == (6, 8)
    none, _ = moved(go.Unrolled(sgd(ETA), steps=0))
    np.testing.assert_array_equal(none, moved(go.Simultaneous(sgd(ETA)))[0])


def test_the_proximal_point_solves_its_equation():
    """z+ = z - eta xi(z+), on a nonlinear game, and says how well."""
    solver = go.ProximalPoint(0.3, newton_steps=8)
    after, info = moved(solver)
    end = point(after[:3], after[3:])
    field = go.field(GAME, end)
    xi = np.concatenate([field.x, field.y])
    np.testing.assert_allclose(after, D.z - 0.3 * xi, atol=1e-10)
    assert info.residual < 1e-9
    rough = moved(go.ProximalPoint(0.3, newton_steps=1))[1]
    assert rough.residual > 1e-4


def test_competitive_rates_may_differ_and_adapt():
    """ACGD's first round: sqrt(1 - beta) / (sqrt((1 - beta) g^2) + eps) for every entry."""
    beta, eps, eta = 0.9, 1e-3, 0.05
    after, _ = moved(go.ACGD(eta, beta, eps))
    rate = eta * np.sqrt(1 - beta) / (np.sqrt((1 - beta) * D.xi**2) + eps)
    a, b = rate[:3, None], rate[3:, None]
    system = np.block([[np.eye(3), a * D.f[0][1]], [b * D.g[1][0], np.eye(2)]])
    np.testing.assert_allclose(after, D.z + np.linalg.solve(system, -rate * D.xi), atol=1e-9)
    unequal, _ = moved(go.CGD(go.Players(0.1, 0.02)))
    system = np.block([[np.eye(3), 0.1 * D.f[0][1]], [0.02 * D.g[1][0], np.eye(2)]])
    rates = np.repeat([0.1, 0.02], [3, 2])
    np.testing.assert_allclose(unequal, D.z + np.linalg.solve(system, -rates * D.xi), atol=1e-9)


def test_the_regulariser_of_ode_gan_is_in_y_alone():
    """y+ -= eta lambda grad_y |grad_x L_x|^2 at the old point."""
    plain, _ = moved(go.RungeKutta(ETA, "heun"))
    after, info = moved(go.RungeKutta(ETA, "heun", regularizer=0.4))
    squared = lambda y: jnp.sum(jax.grad(loss_x)(START.x, y) ** 2)
    expected = ETA * 0.4 * np.asarray(jax.grad(squared)(START.y))
    np.testing.assert_allclose(plain - after, np.concatenate([np.zeros(3), expected]), atol=1e-14)
    assert (int(info.gradients), int(info.hvps)) == (5, 1)


def test_a_linear_solver_of_lineax_can_be_given():
    """A direct one gives the same move, and counts a product for every column."""
    direct, info = moved(go.CGD(ETA, linear_solver=lx.LU()))
    np.testing.assert_allclose(direct, moved(go.CGD(ETA))[0], atol=1e-10)
    assert int(info.hvps) == 2 + 2 * (3 + 1)


def test_solves_are_in_float32_at_least():
    """bfloat16 players: the residual is that of a float32 solve of a bfloat16 operator."""
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), START)
    game = go.zero_sum_game(lambda x, y: jnp.sum(x[:2] * y) + jnp.sum(x**2) - jnp.sum(y**2))
    solver = go.CGD(0.5)
    after, _, info = solver.step(game, half, None)
    assert after.x.dtype == jnp.bfloat16
    # Two roundings of the operator's input and output remain, 2^-8 each.
    assert info.residual < 2.0**-7
