"""First-order solvers and wrappers against their formulas, their equivalences, and wrong words."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.gameopt.dense_games import ETA, GAME, START, D, loss_x, loss_y, moved
from tests.solvers import point, sgd


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
