"""Corner cases of every solver: JAX's checkers, NaN, optimizers that want the loss, wrong types."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.gameopt.test_corners import players
from tests.solvers import ALL_SOLVERS, SOLVER_CASES, EqualTerms, both, point, sgd

each_solver = pytest.mark.parametrize("name", SOLVER_CASES)


def value(x, y):
    x, y = x["w"], y["w"]
    return jnp.sum(jnp.tanh(x * y) + 0.2 * x**2 - 0.3 * y**2)


GAME = EqualTerms(go.zero_sum_game(value))


@each_solver
def test_jax_s_checkers_and_nan(name):
    """In float32, with keys and empty arrays in the strategies: a finite run passes JAX's checkers
    of transfers, of keys and of NaN; from NaN there is no way back."""
    solver, key = ALL_SOLVERS[name](0.1), jax.random.key(0)
    fine, broken = players(dtype=jnp.float32), players((jnp.nan, 0.1), dtype=jnp.float32)
    play = lambda z: go.rollout(GAME, solver, z, 3, key=key, every=3)
    with jax.transfer_guard("disallow"), jax.debug_key_reuse(True):
        with jax.debug_nans(True):
            last = play(fine)
        lost = play(broken)
    assert np.isfinite(last.players.x["w"]).all()
    assert np.isnan(lost.players.x["w"][0])
    assert not np.isfinite(lost.records.losses.x).any()
    # What was carried along still is.
    assert last.players.x["key"] == jax.random.key(3)
    assert last.players.x["empty"].shape == (0, 2)


WITH_NORMS = ("simultaneous", "acgd", "cgd", "proximal_point", "sos", "sga")


@pytest.mark.parametrize(
    "name",
    [*WITH_NORMS]
    + [pytest.param(n, marks=pytest.mark.slow) for n in ALL_SOLVERS if n not in WITH_NORMS],
)
def test_a_rollout_is_differentiable_at_an_equilibrium(name):
    """Where the field is 0, and every norm in a solver with it: finite, and a difference."""
    solver = ALL_SOLVERS[name](0.1)
    game = EqualTerms(go.zero_sum_game(lambda x, y: x * y + 0.2 * x**2 - 0.3 * y**2))
    end = lambda x: go.rollout(game, solver, point(x, 0.0), 2, key=jax.random.key(0)).players.y
    assert np.isfinite(jax.grad(end)(0.0))


@pytest.mark.parametrize("make", [go.Simultaneous, go.Alternating])
def test_a_frozen_player_has_a_loss_and_no_nan(make):
    """Under jax_debug_nans; its loss is that of the strategies that the other sees."""
    game = go.zero_sum_game(lambda x, y: x * y - y**2)
    solver = make(go.Players(None, optax.sgd(0.1)))
    with jax.debug_nans(True):
        records = go.rollout(game, solver, point(2.0, 0.5), 3).records
    np.testing.assert_allclose(records.losses.x, -records.losses.y, rtol=1e-14)
    frozen = go.Alternating(go.Players(None, None))
    assert go.rollout(game, frozen, point(2.0, 0.5), 1).records.losses.x[0] == 0.75


WANT_VALUE = {
    "polyak": lambda: optax.polyak_sgd(max_learning_rate=0.1),
    "plateau": lambda: optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau(patience=1)),
}
LINE_SEARCH = {
    "lbfgs": optax.lbfgs,
    "backtracking": lambda: optax.chain(
        optax.sgd(1.0), optax.scale_by_backtracking_linesearch(max_backtracking_steps=10)
    ),
}
CONVEX = go.zero_sum_game(lambda x, y: jnp.sum(x**2 + 0.5 * x * y - y**2) + 1)


@pytest.mark.parametrize("make", [go.Simultaneous, go.Alternating])
@pytest.mark.parametrize(
    "name", [*WANT_VALUE, "backtracking", pytest.param("lbfgs", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("dtype", [jnp.float32, pytest.param(jnp.float64, marks=pytest.mark.slow)])
def test_optimizers_that_want_the_loss_have_it(make, name, dtype):
    """As optax's own loop gives it, for a player whose opponent is frozen."""
    optimizer = (WANT_VALUE | LINE_SEARCH)[name]()
    start = go.Players(jnp.asarray([1.0, -2.0], dtype), jnp.asarray([0.5, 0.3], dtype))
    solver = make(go.Players(optimizer, None))
    played = go.rollout(CONVEX, solver, start, 4).players.x
    assert played.dtype == dtype

    loss = lambda x: CONVEX.value(go.Players(x, start.y))
    x: Any = start.x
    state = optimizer.init(x)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        for _ in range(4):
            v, g = jax.value_and_grad(loss)(x)
            update, state = optimizer.update(g, state, x, value=v, grad=g, value_fn=loss)
            x = optax.apply_updates(x, update)
    np.testing.assert_allclose(played, x, rtol=1e-4 if dtype == jnp.float32 else 1e-10)


def test_line_searches_are_named_where_the_loss_is_not_what_is_descended():
    """The error says what is missing and which solvers have it."""
    line_search, start = both(lambda _: optax.lbfgs(), 0.1), point([1.0], [1.0])
    for make in (go.Extragradient, go.Consensus, go.Optimistic):
        with pytest.raises(TypeError, match=r"value_fn.*Simultaneous and Alternating"):
            go.rollout(CONVEX, make(line_search), start, 2)
    plateau = both(lambda _: WANT_VALUE["plateau"](), 0.1)
    for make in (go.Extragradient, go.Consensus, go.Optimistic, go.SGA):
        go.rollout(CONVEX, make(plateau), start, 2)
    with pytest.raises(TypeError, match=r"wants 'value'.*does not know"):
        go.rollout(CONVEX, go.PastExtragradient(plateau), start, 2)


def test_best_answers_may_be_searched_by_a_line_search():
    """lbfgs finds the best answer of a quadratic loss in a few steps."""
    gap = go.exploitability(CONVEX, point([1.0], [1.0]), optimizer=optax.lbfgs(), steps=5)
    # x^2 + x/2 - 1 at 1 is .5, at least -1/16; and the same for y with the sign of x turned.
    np.testing.assert_allclose(gap.gains.x, 1.5 + 1 / 16, rtol=1e-8)


@pytest.mark.parametrize("name", ["alternating", "extragradient", "lecam", "over", "svre"])
def test_sampled_games_reuse_no_key_but_on_purpose(name):
    """GANs with augmentation and penalties, means over stated samples, and variance reduction."""
    k = jax.random.split(jax.random.key(0), 4)
    data, latent = go.Samples(jax.random.normal(k[0], (6, 1))), go.NormalLatent((1,))
    shift = lambda key, x: x + jax.random.normal(key, x.shape, x.dtype)
    penalty = go.LeCamPenalty(0.1) if name == "lecam" else go.GradientPenalty(where="around")
    game = go.NonSaturatingGAN(data, latent, 3, penalty, augment=shift)
    players = go.Players(eqx.nn.Linear(1, 1, key=k[1]), eqx.nn.Linear(1, 1, key=k[2]))
    solver = ALL_SOLVERS.get(name, ALL_SOLVERS["alternating_inner_steps"])(0.1)
    if name == "lecam":
        solver = go.Anchored(solver)
    elif name == "over":
        game = go.over(game, jax.random.split(k[3], 2))
    elif name == "svre":
        ones = jnp.ones((4, 1, 1))
        game, players = go.StochasticBilinear(ones, ones[..., 0], ones[..., 0]), point([1.0], [1.0])
    key = jax.random.key(1)
    with jax.debug_key_reuse(True), jax.transfer_guard("disallow"):
        last = go.rollout(game, solver, players, 2, key=key)
    assert np.isfinite(last.records.losses.x).all()


OF_OPTIMIZERS = [
    go.Simultaneous, go.Alternating, go.Extragradient, go.Optimistic, go.PastExtragradient,
    go.Unrolled, go.SGA, go.Consensus, go.Hamiltonian, go.LSS, go.Stackelberg,
]  # fmt: skip


@pytest.mark.parametrize("make", OF_OPTIMIZERS)
def test_one_optimizer_for_both_is_refused_and_the_pair_named(make):
    """As are a tuple of two, and a number."""
    for wrong in (optax.sgd(0.1), (optax.sgd(0.1), optax.sgd(0.1)), 0.1):
        with pytest.raises(TypeError, match=r"optimizers must be a pair.*go\.Players"):
            make(wrong)
    with pytest.raises(TypeError, match=r"optimizers\.y must be an optimizer of optax"):
        make(go.Players(optax.sgd(0.1), 0.1))


def test_games_and_solvers_of_wrong_types_are_named():
    """Where they are made, or before anything is traced."""
    three: Any = 3
    pair: Any = (jnp.ones(1), jnp.ones(1))
    no_solver: Any = sgd(0.1)
    for make in (go.zero_sum_game, lambda f: go.game_from_losses(f, f)):
        with pytest.raises(TypeError, match=r"value|loss_x"):
            make(three)
    with pytest.raises(TypeError, match="game"):
        go.constrained(three, y=go.Box(-1.0, 1.0))
    with pytest.raises(TypeError, match=r"\by\b"):
        go.constrained(CONVEX, y=three)
    with pytest.raises(TypeError, match="solver"):
        go.rollout(CONVEX, no_solver, point([1.0], [1.0]), 3)
    with pytest.raises(TypeError, match=r"Players"):
        go.solve(CONVEX, go.Simultaneous(sgd(0.1)), pair)


def test_the_remedy_is_the_first_line_of_the_error():
    """And no page of advice about debugging follows."""
    with pytest.raises(RuntimeError) as error:
        go.solve(go.Bilinear(1.0), go.Simultaneous(sgd(0.5)), point(1.0, 1.0))
    assert str(error.value) == go.RESULTS[go.RESULTS.diverged]
    assert "\n" not in str(error.value)
    # Under jit the error comes from the compiled program, and still has the remedy in it.
    play = eqx.filter_jit(lambda z: go.solve(go.Bilinear(1.0), go.Simultaneous(sgd(0.5)), z))
    with pytest.raises(RuntimeError, match="left the ball"):
        jax.block_until_ready(play(point(1.0, 1.0)))


def test_an_optimizer_whose_moments_overflow_is_not_finite():
    """Adam's second moment is inf, so that the player stands still and looks finite."""
    game = go.zero_sum_game(lambda x, y: 1e25 * jnp.sum(x) - jnp.sum(y**2))
    start = go.Players(jnp.ones(2, jnp.float32), jnp.ones(2, jnp.float32))
    solution = go.solve(
        game, go.Simultaneous(both(optax.adam, 0.1)), start, max_rounds=5, throw=False
    )
    assert np.isfinite(solution.iterate.x).all()
    assert solution.result == go.RESULTS.nonfinite
    # A best value of infinity in the beginning is none of that.
    plateau = both(lambda _: WANT_VALUE["plateau"](), 0.1)
    solution = go.solve(
        CONVEX, go.Simultaneous(plateau), point([1.0], [1.0]), max_rounds=3, throw=False
    )
    assert solution.result == go.RESULTS.max_rounds_reached
