"""Every second-order solver's move against its formula in dense matrices.

The blocks come from `jax.hessian` of both losses on a general-sum game that is neither quadratic
nor separable; the solver sees vectors only. Linear solves are done to 1e-10: the tolerance.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.solvers import point, sgd

ETA, ALPHA = 0.07, 0.2


def loss_x(x, y):
    return jnp.sum(jnp.sin(x) * x) + x @ W @ y + 0.5 * jnp.sum(x[:2] * y**2) + jnp.sum(jnp.cosh(x))


def loss_y(x, y):
    return jnp.sum(y**4) / 4 + y @ U @ x + jnp.sum(y**2) + 0.3 * jnp.sum(jnp.tanh(x)) * jnp.sum(y)


W = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)))
U = jnp.asarray(np.random.default_rng(1).normal(size=(2, 3)))
GAME = go.game_from_losses(loss_x, loss_y)
START = point([0.5, -0.3, 0.2], [0.4, 0.7])


def value(x, y):
    return jnp.sum(jnp.tanh(x[:2] * y)) + 0.5 * jnp.sum(x**2) - 0.3 * jnp.sum(y**2) + x @ W @ y


ZERO_SUM = go.zero_sum_game(value)


class Dense:
    """Gradients and Hessian blocks of both losses at the start, as NumPy arrays."""

    def __init__(self, f, g, start=START):
        x, y = start.x, start.y
        n = len(x)
        grad = lambda loss, i: np.asarray(jax.grad(loss, i)(x, y))
        self.x, self.y, self.n = np.asarray(x), np.asarray(y), n
        self.fx, self.fy, self.gx, self.gy = grad(f, 0), grad(f, 1), grad(g, 0), grad(g, 1)
        hess = lambda loss: [
            [np.asarray(b) for b in row] for row in jax.hessian(loss, (0, 1))(x, y)
        ]
        self.f, self.g = hess(f), hess(g)  # [row][column] blocks
        self.xi = np.concatenate([self.fx, self.gy])
        self.jac = np.block([[self.f[0][0], self.f[0][1]], [self.g[1][0], self.g[1][1]]])
        self.off = self.jac.copy()
        self.off[:n, :n] = 0
        self.off[n:, n:] = 0
        self.chi = np.concatenate([self.g[0][1] @ self.fy, self.f[1][0] @ self.gx])
        self.z = np.concatenate([self.x, self.y])


D = Dense(loss_x, loss_y)
Z = Dense(value, lambda x, y: -value(x, y))


def moved(solver, game=GAME, rounds=1):
    state = solver.init(game, START)
    players, state, info = solver.step(game, START, state)
    for _ in range(rounds - 1):
        players, state, info = solver.step(game, players, state)
    return np.concatenate([players.x, players.y]), info


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
    import lineax as lx

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


def test_extragradient_variants_are_what_they_say():
    """Korpelevich takes both gradients at the half point, cross each at its own old strategy."""
    half = point(D.x - ETA * D.fx, D.y - ETA * D.gy)
    korpelevich, _ = moved(go.Extragradient(sgd(ETA)))
    cross, _ = moved(go.Extragradient(sgd(ETA), variant="cross"))
    at_half = go.field(GAME, half)
    expected = D.z - ETA * np.concatenate([at_half.x, at_half.y])
    np.testing.assert_allclose(korpelevich, expected, atol=1e-15)
    x = D.x - ETA * np.asarray(jax.grad(loss_x, 0)(START.x, half.y))
    y = D.y - ETA * np.asarray(jax.grad(loss_y, 1)(half.x, START.y))
    np.testing.assert_allclose(cross, np.concatenate([x, y]), atol=1e-15)
    assert np.abs(cross - korpelevich).max() > 1e-4
    on_bilinear = [
        go.rollout(
            go.Bilinear(1.0), go.Extragradient(sgd(0.3), variant=v), point(1.0, 0.5), 5
        ).players.x
        for v in ("korpelevich", "cross")
    ]
    np.testing.assert_allclose(on_bilinear[0], on_bilinear[1], rtol=1e-14)


def test_extra_adam_as_published_advances_its_moments_twice():
    """By hand with optax: u1, s1 = adam(g(z), s0); u2, s2 = adam(g(z + u1), s1); z + u2."""
    adam = optax.adam(0.1)
    solver = go.Extragradient(go.Players(adam, adam))
    state = adam.init((START.x, START.y))
    z = (START.x, START.y)
    gradient = lambda z: (jax.grad(loss_x, 0)(*z), jax.grad(loss_y, 1)(*z))
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(3):
            first, state = adam.update(gradient(z), state)
            second, state = adam.update(gradient(optax.apply_updates(z, first)), state)
            z = jax.tree.map(jnp.add, z, second)
    after, _ = moved(solver, rounds=3)
    np.testing.assert_allclose(after, np.concatenate([*z]), rtol=1e-14)
    untouched = moved(go.Extragradient(go.Players(adam, adam), memory="untouched"), rounds=3)[0]
    separate = moved(go.Extragradient(go.Players(adam, adam), memory="separate"), rounds=3)[0]
    assert np.abs(untouched - after).max() > 1e-4
    assert np.abs(separate - untouched).max() > 1e-4


def test_optimistic_play_is_past_extragradient():
    """The half points of past extragradient are OGDA's iterates, and OGDA is not plain descent
    (which it becomes where the last gradient is stored by reference)."""
    optimistic = go.Optimistic(sgd(ETA), first="zero")
    past = go.PastExtragradient(sgd(ETA), first="zero")
    path = go.rollout(GAME, optimistic, START, 12, record=go.record_players).records
    players, state = START, past.init(GAME, START)
    for t in range(12):
        ahead = jax.tree.map(lambda z, g: z - ETA * g, players, state.last)
        if t:
            np.testing.assert_allclose(ahead.x, path.x[t - 1], rtol=1e-12)
        players, state, _ = past.step(GAME, players, state)
    plain = go.rollout(GAME, go.Simultaneous(sgd(ETA)), START, 12).players
    assert np.abs(plain.x - path.x[-1]).max() > 1e-4


def test_optimistic_adam_corrects_the_gradient_or_the_update():
    """Two methods under one name; for SGD they are one."""
    adam = go.Players(optax.adam(0.1), optax.adam(0.1))
    both_ways = lambda optimizers: {
        "gradient": moved(go.Optimistic(optimizers), rounds=4)[0],
        "update": moved(go.Optimistic(optimizers, on="update"), rounds=4)[0],
    }
    ends = both_ways(adam)
    assert np.abs(ends["gradient"] - ends["update"]).max() > 1e-4
    plain = both_ways(sgd(ETA))
    np.testing.assert_allclose(plain["gradient"], plain["update"], rtol=1e-13)
    # Daskalakis et al.: theta - 2 eta m_t / sqrt(v_t) + eta m_{t-1} / sqrt(v_{t-1}).
    optimizer, z = optax.adam(0.1), (START.x, START.y)
    state, last = optimizer.init(z), None
    gradient = lambda z: (jax.grad(loss_x, 0)(*z), jax.grad(loss_y, 1)(*z))
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(4):
            update, state = optimizer.update(gradient(z), state)
            last = update if last is None else last
            z = jax.tree.map(lambda p, u, l: p + 2 * u - l, z, update, last)
            last = update
    np.testing.assert_allclose(ends["update"], np.concatenate(z), rtol=1e-13)


def test_alex_is_simultaneous_and_alternating_at_its_corners():
    """(gamma, delta) = (0, 1) and (1, 1)."""
    alex = lambda *corner: moved(go.AlexGDA(ETA, *corner), rounds=5)[0]
    np.testing.assert_allclose(
        alex(0.0, 1.0), moved(go.Simultaneous(sgd(ETA)), rounds=5)[0], rtol=1e-13
    )
    np.testing.assert_allclose(
        alex(1.0, 1.0), moved(go.Alternating(sgd(ETA)), rounds=5)[0], rtol=1e-13
    )


def test_lookahead_of_one_step_is_the_solver_and_its_first_sync_is_one():
    """k = 1, alpha = 1 is the inner solver; and round one already comes back half of the way (slow
    weights made at the first sync would make it a no-op)."""
    inner = go.Alternating(go.Players(optax.adam(0.1), optax.adam(0.1)))
    same = moved(go.Lookahead(inner, steps=1, alpha=1.0), rounds=4)[0]
    np.testing.assert_allclose(same, moved(inner, rounds=4)[0], rtol=1e-14)
    five = moved(inner, rounds=5)[0]
    half = moved(go.Lookahead(inner, steps=5, alpha=0.5))[0]
    np.testing.assert_allclose(half, (D.z + five) / 2, rtol=1e-14)


def test_lookahead_keeps_or_resets_what_the_solver_remembers():
    """After a reset, Adam's counter is zero."""
    inner = go.Simultaneous(go.Players(optax.adam(0.1), optax.adam(0.1)))
    kept, reset = go.Lookahead(inner, steps=3), go.Lookahead(inner, steps=3, memory="reset")
    for solver, count in ((kept, 6), (reset, 0)):
        state = go.rollout(GAME, solver, START, 2).state
        assert int(state.x[0].count) == count


def test_averages_are_of_what_was_played():
    """Uniform over the iterates after the first round; EMA by its recursion, each player's own."""
    inner = go.Alternating(sgd(ETA))
    path = go.rollout(GAME, inner, START, 7, record=go.record_players).records
    seen = go.rollout(GAME, go.Averaged(inner), START, 7, record=go.record_players).records
    np.testing.assert_allclose(seen.x[-1], path.x.mean(0), rtol=1e-12)
    ema = go.Averaged(inner, decay=go.Players(0.9, 0.5))
    seen = go.rollout(GAME, ema, START, 7, record=go.record_players).records
    mean_x, mean_y = START.x, START.y
    for x, y in zip(path.x, path.y, strict=True):
        mean_x, mean_y = 0.9 * mean_x + 0.1 * x, 0.5 * mean_y + 0.5 * y
    np.testing.assert_allclose(seen.x[-1], mean_x, rtol=1e-12)
    np.testing.assert_allclose(seen.y[-1], mean_y, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: go.Lookahead(go.CGD(0.1), steps=0), "steps must be at least 1"),
        (lambda: go.Unrolled(sgd(0.1), steps=-1), "steps must be at least 0"),
        (lambda: go.Unrolled(go.Players(None, optax.sgd(0.1))), "needs both optimizers"),
        (lambda: go.ProximalPoint(0.1, newton_steps=0), "newton_steps must be"),
        (lambda: go.SVRE(0.1, epoch=0), "epoch must be at least 1"),
        (
            lambda: go.Extragradient(sgd(0.1), extrapolation=go.Players(None, optax.sgd(0.1))),
            r"extrapolation\.x and optimizers\.x",
        ),
    ],
)
def test_wrong_hyper_parameters_are_refused(make, message):
    """When the solver is made."""
    with pytest.raises(ValueError, match=message):
        make()


def test_a_wrong_word_is_refused():
    """Not taken for the other choice."""
    for make in (
        lambda: go.Extragradient(sgd(0.1), variant="Cross"),  # pyright: ignore[reportArgumentType]
        lambda: go.LOLA(0.1, convention="letcher"),  # pyright: ignore[reportArgumentType]
        lambda: go.RungeKutta(0.1, "rk5"),  # pyright: ignore[reportArgumentType]
        lambda: go.Lookahead(go.CGD(0.1), memory="forget"),  # pyright: ignore[reportArgumentType]
    ):
        with pytest.raises((ValueError, TypeError)):
            make()
