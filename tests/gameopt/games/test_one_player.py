"""Optimisation problems as games: an absent player, and the closed forms of a quadratic loss."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from gameopt._games.base import _checked
from tests.solvers import ALL_SOLVERS, RANDOM, EqualTerms

HESSIANS = {
    "definite": [[2.0, 0.5], [0.5, 1.0]],
    "indefinite": [[2.0, 0.5], [0.5, -1.0]],
    "singular": [[1.0, 1.0], [1.0, 1.0]],
}


def quadratic(name: str = "definite", shift: float = 0.0) -> go.OnePlayerGame:
    """The loss (x - s)' H (x - s) / 2."""
    hessian = jnp.asarray(HESSIANS[name])
    loss = lambda h, s, x: 0.5 * (x - s) @ h @ (x - s)
    return go.one_player_game(jax.tree_util.Partial(loss, hessian, jnp.full(2, shift)))


def at(*x) -> go.Players:
    """A strategy of one player."""
    return go.Players(jnp.asarray(x), None)


def test_what_an_absent_player_would_have_is_none_everywhere():
    """In losses, the field, records, solutions, certificates, gaps and angles."""
    game, solver, z = quadratic(), go.descent(optax.adam(0.1)), at(1.0, 2.0)
    losses, field = go.losses_and_field(game, z)
    last = go.rollout(game, solver, z, 4)
    found = go.solve(game, solver, z, max_rounds=3, throw=False)
    report = go.classify(game, z)
    gap = go.exploitability(game, z, steps=3)
    angle = go.path_angle(game, z, at(0.0, 0.0))
    pairs = (losses, field, last.records.losses, last.players, found.stats.losses, found.players)
    pairs += (report.losses, report.field_norm, gap.gains, gap.answers, angle.own_cosine)
    assert all(pair.x is not None and pair.y is None for pair in pairs)
    absent = (report.hessian_y, report.schur_x, report.schur_y, report.tau_star)
    absent += (report.minimax, report.maximin, report.attractor_alternating)
    assert all(entry is None for entry in absent)
    assert not any(word in str(report) for word in ("H_yy", ", y", "tau", "alternating", "minimax"))
    assert game.player_names == ("x",)


@pytest.mark.parametrize("method", ["dense", "krylov"])
@pytest.mark.parametrize("name", list(HESSIANS))
def test_a_critical_point_is_nash_iff_its_hessian_is_positive_definite(name, method):
    """And of a singular one neither is proved, as of rounding nobody knows its sign."""
    report = go.classify(quadratic(name), at(0.0, 0.0), method=method, learning_rate=0.1)
    expected = {"definite": "yes", "indefinite": "no", "singular": "inconclusive"}[name]
    assert str(report.dne) == str(report.attractor) == expected
    assert str(report.stationary) == "yes"
    assert report.attractor_simultaneous is not None
    assert str(report.attractor_simultaneous) == expected


def test_descent_has_the_closed_rate():
    """max |1 - eta lambda|, by the linearisation to rounding, by a trajectory to 1e-6."""
    eta = 0.3
    values = np.linalg.eigvalsh(HESSIANS["definite"])
    rate = np.abs(1 - eta * values).max()
    game, solver = quadratic(), go.descent(optax.sgd(eta))
    np.testing.assert_allclose(
        go.local_rate(game, solver, at(0.0, 0.0)).spectral_radius, rate, rtol=1e-14
    )
    path = go.rollout(game, solver, at(1.0, 2.0), 120, record=go.record_players).records
    np.testing.assert_allclose(go.measured_rate(path, at(0.0, 0.0)).rate, rate, rtol=1e-6)
    make = lambda rate: go.descent(optax.sgd(rate))
    largest = go.classify(game, at(0.0, 0.0)).max_step
    np.testing.assert_allclose(largest, 2 / values.max(), rtol=1e-12)
    np.testing.assert_allclose(go.safe_step(game, make, at(0.0, 0.0)).largest, largest, rtol=1e-6)


def test_its_spectra_are_those_of_the_hessian():
    """J is H, symmetric; the second player's operators are refused."""
    game, z = quadratic("indefinite"), at(1.0, 2.0)
    values = np.linalg.eigvalsh(HESSIANS["indefinite"])
    for which in ("jacobian", "symmetric", "hessian_x"):
        for method in ("dense", "krylov"):
            found = go.spectrum(game, z, which=which, method=method).values
            np.testing.assert_allclose(np.real(found), values, rtol=1e-12)
    np.testing.assert_allclose(go.jacobian(game, z), HESSIANS["indefinite"], rtol=1e-14)
    nodes = go.spectral_density(game, z, num_matvecs=2).nodes
    np.testing.assert_allclose(nodes, np.broadcast_to(values, nodes.shape), rtol=1e-12)
    assert float(go.rotation(game, z).rotational) == 0
    with pytest.raises(ValueError, match="hessian_y is of the second player"):
        go.spectrum(game, z, which="hessian_y")
    with pytest.raises(ValueError, match="zero-sum"):
        go.spectrum(game, z, which="schur_x")


def test_newton_and_descent_find_the_minimum():
    """Newton's method in one round, from any start, as the gradient is affine."""
    game = quadratic(shift=3.0)
    found = go.find_critical_points(game, at([9.0, -4.0], [1.0, 1.0]), max_move=np.inf)
    np.testing.assert_allclose(found.players.x, [[3.0, 3.0]], rtol=1e-13)
    end = go.solve(game, go.descent(optax.sgd(0.5)), at(0.0, 0.0), tol=1e-10)
    np.testing.assert_allclose(end.players.x, [3.0, 3.0], rtol=1e-9)
    assert end.players.y is None
    gap = go.exploitability(game, at(0.0, 0.0), optimizer=optax.sgd(0.5), steps=200)
    np.testing.assert_allclose(gap.total, game.losses(at(0.0, 0.0)).x, rtol=1e-12)


def test_sets_and_averages_and_lookahead():
    """A box holds the minimum at its corner; an average of descent tends to where descent does."""
    boxed = go.constrained(quadratic(shift=3.0), x=go.Box(-1.0, 1.0))
    solver = go.Lookahead(go.Averaged(go.descent(optax.sgd(0.3)), decay=0.5))
    end = go.solve(boxed, solver, at(0.0, 0.0), tol=1e-9)
    np.testing.assert_allclose(end.players.x, [1.0, 1.0], rtol=1e-8)
    report = go.classify(boxed, end.players, tol=1e-6)
    assert not bool(report.interior)
    assert str(report.dne) == "yes"
    with pytest.raises(ValueError, match="no player y"):
        go.constrained(quadratic(), y=go.Box(-1.0, 1.0))


class LeastSquares(go.AbstractFiniteSumGame):
    """Mean squares (x - c_i)^2 / 2 over the entries of c, one player."""

    centres: jax.Array

    @property
    def player_names(self):
        return ("x",)

    @property
    def size(self):
        return len(self.centres)

    def draw_indices(self, key):
        assert key is not None
        return jax.random.randint(key, (2,), 0, self.size)

    def losses_at(self, players, indices, key=None):
        del key
        return go.Players(0.5 * jnp.mean((players.x - self.centres[indices]) ** 2), None)


def test_finite_sums_and_stated_samples():
    """The minimum of the whole sum is the mean; SVRE finds it without noise."""
    game, start = LeastSquares(jnp.asarray([1.0, 2.0, 6.0])), go.Players(jnp.asarray(0.0), None)
    whole = go.over(game, "all", chunk=2)
    assert whole.losses(start).y is None
    end = go.solve(whole, go.descent(optax.sgd(1.0)), start)
    np.testing.assert_allclose(end.players.x, 3.0, rtol=1e-12)
    last = go.rollout(game, go.SVRE(0.3), start, 200, key=jax.random.key(0))
    np.testing.assert_allclose(last.players.x, 3.0, rtol=1e-10)
    keys = jax.random.split(jax.random.key(1), 3)
    assert go.classify(go.over(game, keys), start).losses.y is None


def test_a_stochastic_loss_sees_the_rounds_key():
    """Round t of `descent` descends the loss at fold_in(key, t): a loop by hand, to rounding."""
    loss = lambda x, key: jnp.sum((x - jax.random.normal(key, (2,))) ** 2)
    game, key = go.one_player_game(loss, stochastic=True), jax.random.key(3)
    x = jnp.zeros(2)
    for t in range(5):
        x = x - 0.1 * jax.jit(jax.grad(loss))(x, jax.random.fold_in(key, jnp.uint32(t)))
    last = go.rollout(game, go.descent(optax.sgd(0.1)), at(0.0, 0.0), 5, key=key)
    np.testing.assert_allclose(last.players.x, x, rtol=1e-14)
    with pytest.raises(ValueError, match="key=None"):
        go.field(game, at(0.0, 0.0))


PAIRS_ONLY = ("alex_gda", "unrolled", "cgd", "acgd", "look_ahead", "lola", "sos", "stackelberg")


@pytest.mark.parametrize("name", list(ALL_SOLVERS))
def test_every_solver_plays_it_or_says_that_it_needs_two(name):
    """Solvers with an optimizer for each player say so of y's; those about answers refuse."""
    solver, start = ALL_SOLVERS[name](0.05), at(1.0, 2.0)
    game = EqualTerms(quadratic()) if name in RANDOM else quadratic()
    own = getattr(solver, "optimizers", None)
    if own is not None and name not in PAIRS_ONLY:
        with pytest.raises(ValueError, match=r"players\.y is None"):
            go.rollout(game, solver, start, 2)
        return
    if name in PAIRS_ONLY or "follow" in name or "lola" in name or hasattr(solver, "solver"):
        with pytest.raises(ValueError, match=r"one player|players\.y is None"):
            go.rollout(game, solver, start, 2)
        return
    last = go.rollout(game, solver, start, 60, key=jax.random.key(0))
    assert last.players.y is None
    assert float(game.losses(last.players).x) < 0.5 * float(game.losses(start).x)


@pytest.mark.parametrize(
    "make",
    [
        go.Simultaneous,
        go.Alternating,
        go.Extragradient,
        go.Optimistic,
        lambda pair: go.Optimistic(pair, on="update"),
        go.PastExtragradient,
        go.Consensus,
        go.Hamiltonian,
        go.SGA,
        go.LSS,
    ],
)
def test_solvers_with_no_optimizer_for_y_play_it(make):
    """Each descends: the loss falls, and one gradient is counted where two players take two."""
    solver = make(go.Players(optax.sgd(0.1), None))
    last = go.rollout(quadratic(), solver, at(1.0, 2.0), 40)
    assert np.all(np.diff(last.records.losses.x) < 0)
    assert last.records.losses.y is None


def test_a_frozen_player_is_not_absent():
    """It does not move, and its loss is reported."""
    game = go.zero_sum_game(lambda x, y: x * y)
    start = go.Players(jnp.asarray(2.0), jnp.asarray(3.0))
    for kind in (go.Simultaneous, go.Alternating):
        info = go.rollout(game, kind(go.Players(optax.sgd(0.1), None)), start, 1).records
        assert (float(info.losses.x[0]), float(info.losses.y[0])) == (6.0, -6.0)


def test_wrong_players_get_one_line():
    """A second strategy for one player, and none for two."""
    with pytest.raises(ValueError, match="has one player, and is given a strategy for a second"):
        go.rollout(quadratic(), go.descent(optax.sgd(0.1)), go.Players(jnp.zeros(2), 0.0), 1)
    with pytest.raises(ValueError, match=r"players\.y is None"):
        go.classify(go.zero_sum_game(lambda x, y: jnp.sum(x)), at(1.0, 2.0))


def test_a_hessian_asks_its_own_player_alone():
    """y may be a function, with nothing to play."""
    game = go.game_from_losses(lambda x, y: y(jnp.sum(x**2)), lambda x, y: jnp.sum(x))
    players = go.Players(jnp.asarray([1.0, 2.0]), jnp.sin)
    values = go.spectrum(game, players, which="hessian_x").values
    np.testing.assert_allclose(
        np.sort(np.real(values)), np.linalg.eigvalsh(go.hessian_x(game, players)), rtol=1e-12
    )
    assert go.spectral_density(game, players, num_matvecs=2).density.shape == (512,)


def test_critical_points_keep_what_is_carried():
    """Each point can be played and classified, with the arrays of `Fixed` of its start."""
    game = go.one_player_game(lambda x: jnp.sum(x["a"] ** 2) * x["c"].value)
    starts = {"a": jnp.ones((2, 2)), "c": go.Fixed(jnp.array([3.0, 3.0]))}
    found = go.find_critical_points(game, go.Players(starts, None))
    point = jax.tree.map(lambda leaf: leaf[0], found.players)
    np.testing.assert_array_equal(point.x["c"].value, 3.0)
    assert bool(go.is_yes(go.classify(game, point).dne))


def test_a_loss_that_is_not_returned_is_named():
    """A function without a return; the check alone, as tests check types before it."""
    with pytest.raises(ValueError, match=r"losses\.x must be one real number, and is None"):
        _checked(None, "losses.x")
