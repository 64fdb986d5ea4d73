"""What every solver promises, whatever its formula."""

import inspect

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.solvers import ALL_SOLVERS, SOLVER_CASES, EqualTerms, both, point, sgd

each_solver = pytest.mark.parametrize("name", SOLVER_CASES)
LONG = ("acgd", "cgd", "lss", "follow_the_ridge")
"""They take long to compile: linear solves, as the others of the second order have."""
each_quick_solver = pytest.mark.parametrize(
    "name",
    [
        pytest.param(*case.values, marks=pytest.mark.slow) if case.values[0] in LONG else case
        for case in SOLVER_CASES
    ],
)
every_setting = pytest.mark.parametrize("name", sorted(ALL_SOLVERS))


class Strategy(eqx.Module):
    """A strategy with arrays, an integer, and a function."""

    weights: dict[str, jax.Array]
    count: jax.Array
    activation: object = eqx.field(static=True)


def strategy(scale, dtype=jnp.float64):
    weights = {"a": scale * jnp.ones((2, 3), dtype), "b": scale * jnp.arange(3, dtype=dtype)}
    return Strategy(weights, jnp.asarray(7), jax.nn.relu)


def value(x, y):
    total = 0.0
    for name in ("a", "b"):
        total = total + jnp.sum(x.weights[name] * y.weights[name])
        total = total + 0.1 * jnp.sum(x.weights[name] ** 2)
        total = total - 0.1 * jnp.sum(y.weights[name] ** 2)
    return total


GAME = EqualTerms(go.zero_sum_game(value))
KEY = jax.random.key(0)


@each_solver
def test_any_pytree_is_a_strategy(name):
    """Same structure, shapes and dtypes out as in; what is not played is carried along."""
    solver, players = ALL_SOLVERS[name](0.1), go.Players(strategy(1.0), strategy(-0.7))
    state = solver.init(GAME, players)
    new, new_state, info = solver.step(GAME, players, state, KEY)
    chex.assert_trees_all_equal_shapes_and_dtypes(new, players)
    chex.assert_trees_all_equal_structs(new_state, state)
    assert int(new.x.count) == 7
    assert new.x.activation is jax.nn.relu
    assert not bool(jnp.all(new.x.weights["a"] == players.x.weights["a"]))
    assert isinstance(info, go.RoundInfo)
    assert info.gradients.dtype == info.hvps.dtype == info.solves.dtype == jnp.int32


@each_solver
@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float32, marks=pytest.mark.slow)])
def test_every_dtype_is_kept(name, dtype):
    """A round in a dtype stays in it; the other tests are in float64."""
    solver = ALL_SOLVERS[name](0.1)
    players = go.Players(strategy(1.0, dtype), strategy(-0.5, dtype))
    last = go.rollout(GAME, solver, players, 3, key=KEY)
    chex.assert_trees_all_equal_shapes_and_dtypes(last.players, players)
    assert last.records.losses.x.dtype == dtype


@every_setting
def test_a_step_is_traced_once(name):
    """Ten rounds of a second call with other numbers trace nothing again."""
    traces = 0

    def counted(x, y):
        nonlocal traces
        traces += 1
        return x * y + 0.1 * x**2 - 0.1 * y**2

    game, solver = EqualTerms(go.zero_sum_game(counted)), ALL_SOLVERS[name](0.1)
    go.rollout(game, solver, point(1.0, 2.0), 10, key=KEY)
    first = traces
    go.rollout(game, solver, point(3.0, -1.0), 10, key=jax.random.key(1))
    assert traces == first


@each_quick_solver
def test_starts_can_be_vmapped_and_rounds_differentiated(name):
    """256 starts in one call; the derivative of the end in the start against a difference."""
    solver = ALL_SOLVERS[name](0.1)
    game = EqualTerms(go.zero_sum_game(lambda x, y: x * y + 0.1 * x**2 - 0.1 * y**2))
    end = lambda x: go.rollout(game, solver, point(x, 0.5), 5, key=KEY).players.y
    xs = jnp.linspace(1.0, 2.0, 256)
    many = jax.vmap(end)(xs)
    np.testing.assert_allclose(many[3], end(xs[3]), rtol=1e-12)
    slope, h = jax.grad(end)(1.3), 1e-5
    np.testing.assert_allclose(slope, (end(1.3 + h) - end(1.3 - h)) / (2 * h), rtol=1e-6, atol=1e-8)


@each_solver
def test_jit_and_eager_agree_to_the_last_places(name):
    """4 units in the last place a round, as the order of a fused multiply-add allows."""
    solver, players = ALL_SOLVERS[name](0.1), point(1.0, -0.5)
    game = EqualTerms(go.zero_sum_game(lambda x, y: jnp.tanh(x * y) + 0.1 * x**2 - 0.3 * y**2))
    state = solver.init(game, players)
    eager, _, _ = solver.step(game, players, state, KEY)
    jitted, _, _ = eqx.filter_jit(solver.step)(game, players, state, KEY)
    # Adam divides by a root: its own conditioning is one more place or two.
    np.testing.assert_array_max_ulp(np.asarray(eager.x), np.asarray(jitted.x), 4)
    np.testing.assert_array_max_ulp(np.asarray(eager.y), np.asarray(jitted.y), 4)


def test_sgd_is_the_textbook_iterate_to_the_last_bit():
    """x+ = x - eta g exactly, in the order in which it is written."""
    eta, x, y = 0.1, jnp.asarray(1.0 / 3), jnp.asarray(-0.7)
    game, start = go.Bilinear(1.3), go.Players(x, y)
    grad_x = lambda x, y: jax.grad(lambda x: x * jnp.asarray(1.3) * y)(x)
    grad_y = lambda x, y: jax.grad(lambda y: -(x * jnp.asarray(1.3) * y))(y)

    def one(solver):
        return solver.step(game, start, solver.init(game, start))[0]

    sim = one(go.Simultaneous(both(optax.sgd, eta)))
    assert sim.x == x - eta * grad_x(x, y)
    assert sim.y == y - eta * grad_y(x, y)
    alt = one(go.Alternating(both(optax.sgd, eta)))
    assert alt.x == x - eta * grad_x(x, y)
    assert alt.y == y - eta * grad_y(alt.x, y)


@every_setting
def test_signatures_are_the_protocol(name):
    """Same parameter names everywhere."""
    solver = ALL_SOLVERS[name](0.1)
    names = lambda method: list(inspect.signature(method).parameters)
    assert names(solver.init) == ["game", "players", "key"]
    assert names(solver.step) == ["game", "players", "state", "key"]
    assert names(solver.evaluate) == ["players", "state"]


@pytest.mark.parametrize("make", [go.Simultaneous, go.Alternating])
def test_none_freezes_a_player(make):
    """Its strategy stays, also one with nothing to play, and its gradient is not counted."""
    solver = make(go.Players(None, optax.sgd(0.1)))
    game = go.zero_sum_game(lambda x, y: y * 2.0 - y**2)
    last = go.rollout(game, solver, go.Players("nothing", jnp.asarray(0.0)), 200)
    assert last.players.x == "nothing"
    np.testing.assert_allclose(last.players.y, 1.0, rtol=1e-9)
    assert int(last.records.gradients[-1]) == 1


@every_setting
def test_a_python_float_is_no_strategy(name):
    """A clear error says what to do."""
    with pytest.raises(ValueError, match=r"players.x has no floating-point JAX array.*asarray"):
        go.rollout(GAME, ALL_SOLVERS[name](0.1), go.Players(1.0, jnp.asarray(0.5)), 1, key=KEY)


def test_alternating_counts_and_orders_its_gradients():
    """n_x + n_y gradients a round; losses are those just before each player's last move."""
    solver = go.Alternating(both(optax.sgd, 0.1), order=("y", "x"), inner_steps=go.Players(1, 3))
    start = point(1.0, 0.0)
    _, _, info = solver.step(go.Bilinear(1.0), start, solver.init(go.Bilinear(1.0), start))
    assert int(info.gradients) == 4
    np.testing.assert_allclose(info.losses.y, -0.2, rtol=1e-14)  # y was 0.1, 0.2 before the third
    np.testing.assert_allclose(info.losses.x, 0.3, rtol=1e-14)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"order": ("x", "x")}, "order must be"),
        ({"inner_steps": go.Players(1, 0)}, r"inner_steps\.y must be at least 1"),
    ],
)
def test_wrong_hyper_parameters_are_refused(kwargs, message):
    """When the solver is made, not when it runs."""
    with pytest.raises(ValueError, match=message):
        go.Alternating(both(optax.sgd, 0.1), **kwargs)


def test_inner_steps_draw_fresh_samples():
    """The y player of a noisy game sees another sample at each inner step."""
    noise = lambda key: jax.random.normal(key)
    game = go.game_from_losses(
        lambda x, y, key: x * noise(key), lambda x, y, key: y * noise(key), stochastic=True
    )
    solver = go.Alternating(both(optax.sgd, 1.0), inner_steps=go.Players(1, 2))
    first = go.Alternating(both(optax.sgd, 1.0))
    key, start = jax.random.key(0), point(0.0, 0.0)
    one = first.step(game, start, first.init(game, start), key)[0].y
    two = solver.step(game, start, solver.init(game, start), key)[0].y
    assert not np.isclose(two, 2 * one)
    np.testing.assert_allclose(two - one, -noise(jax.random.fold_in(jax.random.split(key)[1], 1)))


@each_quick_solver
def test_scan_and_vmap_are_the_loop(name):
    """Five rounds: a rollout, a vmapped rollout and steps by hand, 4 units in the last place a
    round; Krylov solvers stop by their own tolerance, and Adam divides by a root."""
    solver = ALL_SOLVERS[name](0.1)
    game = EqualTerms(go.zero_sum_game(lambda x, y: jnp.tanh(x * y) + 0.2 * x**2 - 0.3 * y**2))
    starts = [point(1.0, -0.5), point(0.3, 0.8)]
    by_hand = []
    step = eqx.filter_jit(solver.step)
    for players in starts:
        state = solver.init(game, players)
        for t in range(5):
            players, state, _ = step(game, players, state, jax.random.fold_in(KEY, t))
        by_hand.append([float(players.x), float(players.y)])
    play = lambda players: go.rollout(game, solver, players, 5, key=KEY).players
    scanned = [play(players) for players in starts]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    mapped = jax.vmap(play)(stacked)
    tolerance = 1e-9 if float(_solves(solver, game, starts[0])) else 1e-13
    for i, end in enumerate(by_hand):
        np.testing.assert_allclose([scanned[i].x, scanned[i].y], end, rtol=tolerance)
        np.testing.assert_allclose([mapped.x[i], mapped.y[i]], end, rtol=tolerance)


def _solves(solver, game, players):
    return solver.step(game, players, solver.init(game, players), KEY)[2].solves


def test_the_textbook_to_the_last_bit():
    """Eagerly, in float64, in the order in which the docstrings write it."""
    eta, s = 0.1, jnp.asarray(1.3)
    x, y = jnp.asarray(1.0 / 3), jnp.asarray(-0.7)
    game, start = go.Bilinear(s), go.Players(x, y)
    xi = lambda x, y: (s * y, -(s * x))

    def one(solver, players=start, state=None):
        state = solver.init(game, players) if state is None else state
        new, state, _ = solver.step(game, players, state)
        return (new.x, new.y), state

    gx, gy = xi(x, y)
    half = (x - eta * gx, y - eta * gy)
    hx, hy = xi(*half)
    assert one(go.Extragradient(sgd(eta)))[0] == (x - eta * hx, y - eta * hy)
    assert one(go.RungeKutta(eta, "heun"))[0] == (
        x - eta * (0.5 * gx + 0.5 * hx),
        y - eta * (0.5 * gy + 0.5 * hy),
    )
    first, state = one(go.Optimistic(sgd(eta)))
    assert first == half
    second, _ = one(go.Optimistic(sgd(eta)), go.Players(*first), state)
    assert second == (
        half[0] - eta * (hx + (hx - gx)),
        half[1] - eta * (hy + (hy - gy)),
    )
    new_x = x - eta * xi(x, y)[0]
    assert one(go.AlexGDA(eta, 1.0, 1.0))[0] == (new_x, y - eta * xi(new_x, y)[1])
    ahead, _ = one(go.Simultaneous(sgd(eta)))
    back = one(go.Lookahead(go.Simultaneous(sgd(eta)), steps=1, alpha=0.5))[0]
    # Lookahead is a scan, and so compiled: one unit in the last place.
    np.testing.assert_allclose(
        back, (x + 0.5 * (ahead[0] - x), y + 0.5 * (ahead[1] - y)), rtol=3e-16
    )
    adjusted = one(go.Hamiltonian(sgd(eta)))[0]
    assert adjusted == (x - eta * (s * (s * x)), y - eta * (s * (s * y)))


def test_seeds_of_a_vmap_share_svre_s_snapshots():
    """The coin and the epoch are unbatched: the branch stays a branch, and no seed pays for all."""
    game, start = EqualTerms(go.Bilinear(1.0)), point(1.0, 1.0)
    for solver in (ALL_SOLVERS["svre"](0.1), ALL_SOLVERS["svre_coin"](0.1)):
        play = lambda key, solver=solver: go.rollout(game, solver, start, 3, key=key).players
        program = str(jax.make_jaxpr(jax.vmap(play))(jax.random.split(KEY, 4)))
        assert " cond[" in program


@pytest.mark.parametrize(
    "make",
    [
        go.CGD,
        go.ProximalPoint,
        go.RungeKutta,
        go.AlexGDA,
        go.LOLA,
        go.SOS,
        go.FollowTheRidge,
        go.AnchoredExtragradient,
    ],
)
def test_step_sizes_are_leaves_that_can_be_mapped(make):
    """vmap over the module and vmap over a function that makes it are the loop over step sizes."""
    etas = jnp.array([0.05, 0.1, 0.2])
    game, start = go.zero_sum_game(lambda x, y: x * y + 0.1 * x**2 - 0.1 * y**2), point(1.0, 0.5)
    play = lambda solver: go.rollout(game, solver, start, 4).players.x
    loop = [play(make(float(eta))) for eta in etas]
    np.testing.assert_allclose(jax.vmap(lambda eta: play(make(eta)))(etas), loop, rtol=1e-9)
    stacked = eqx.filter_vmap(make)(etas)
    np.testing.assert_allclose(eqx.filter_vmap(play)(stacked), loop, rtol=1e-9)


class WithMemory(go.AbstractSolver[jax.Array]):
    """A user's own solver: gradient steps, and a memory of the loss."""

    eta: jax.Array

    def init(self, game, players, key=None):
        return jnp.zeros(())

    def step(self, game, players, state, key=None):
        losses, field = game.losses_and_field(players, key)
        new = jax.tree.map(lambda z, g: z - self.eta * g, players, field)
        none = jnp.asarray(0, jnp.int32)
        info = go.RoundInfo(losses, none + 2, none, none, jnp.zeros(()))
        return new, 0.5 * state + losses.x, info


def test_a_user_s_own_solver_plays_and_has_a_rate():
    """Nothing but init and step is asked of it."""
    game = go.ZeroSumQuadratic(jnp.eye(1), 2 * jnp.eye(1), -jnp.eye(1))
    origin = point([0.0], [0.0])
    rate = go.local_rate(game, WithMemory(jnp.asarray(0.1)), origin)
    # The memory of the loss has the eigenvalue 1/2; the strategies those of simultaneous play.
    np.testing.assert_allclose(rate.spectral_radius, np.hypot(0.9, 0.2), rtol=1e-12)
    np.testing.assert_allclose(rate.eigenvalues[-1], 0.5, rtol=1e-12)
    assert go.solve(game, WithMemory(jnp.asarray(0.1)), point([1.0], [1.0])).stats.rounds > 10
