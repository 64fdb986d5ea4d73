"""Arrays that are carried and not played: nothing moves them but projections and updates."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from models import InPrecision
from tests.gameopt.public import ANALYSES
from tests.solvers import ALL_SOLVERS, RANDOM, SOLVER_CASES, EqualTerms


class Scaled(eqx.Module):
    """A weight, and a number that it is multiplied by and that nobody plays."""

    weight: jax.Array
    scale: go.Fixed


def players(scale: float = 2.0) -> go.Players:
    """Both players have a carried scale."""
    one = lambda *w: Scaled(jnp.asarray(w), go.Fixed(jnp.asarray([scale])))
    return go.Players(one(0.5, -0.3), one(0.2, 0.7))


def value(x, y):
    """Strongly convex-concave in what is played; of the scales too, were they played."""
    u, v = x.weight * x.scale.value, y.weight * y.scale.value
    return jnp.sum(u**2 + u * v - v**2)


GAME = go.zero_sum_game(value)
PLAIN = go.zero_sum_game(lambda x, y: jnp.sum(4 * x**2 + 4 * x * y - 4 * y**2))
BARE = go.Players(players().x.weight, players().y.weight)


WITH_TANGENTS = ("hessian_product", "jvp", "vjp")
"""Their tables hand over the players as tangents, and so another vector here."""
LONG = ("classify (krylov)", "overlay", "modified_flow", "high_resolution_flow")
"""Analyses that take seconds to compile, with the slow tests."""


def test_playable_leaves_it_out():
    """It, a whole tree in it, and no array beside it."""
    held = {"a": go.Fixed({"b": jnp.ones(2)}), "c": jnp.ones(3)}
    left = go.playable(held)
    assert left["a"].value == {"b": None}
    assert left["c"].shape == (3,)
    assert eqx.tree_equal(go.playable(left), left)
    assert float(go.tree_norm(held)) == pytest.approx(np.sqrt(3))


def _lower_bounds(report: go.EquilibriumReport) -> list:
    proved = report.hessian_x, report.hessian_y, report.schur_x, report.schur_y, report.leftmost
    return [curvature.lower for curvature in proved if curvature is not None]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in LONG))
        for name in ANALYSES
        if name not in WITH_TANGENTS
    ],
)
def test_every_analysis_gives_what_it_gives_without_it(name):
    """On the same game with the scale written into its formula: the same numbers, to 1e-9, but for
    what in a report measures the rounding of each formula, its radius and its lower bounds."""
    ours, plain = (ANALYSES[name](g, z, None) for g, z in ((GAME, players()), (PLAIN, BARE)))
    if isinstance(ours, go.EquilibriumReport):
        ours, plain = (eqx.tree_at(lambda r: r.radius, r, r.reach) for r in (ours, plain))
        np.testing.assert_allclose(_lower_bounds(ours), _lower_bounds(plain), rtol=1e-6)
        ours, plain = (eqx.tree_at(_lower_bounds, r, _lower_bounds(ours)) for r in (ours, plain))
    numbers = lambda tree: [
        np.asarray(leaf, np.complex128)
        for leaf in jax.tree.leaves(go.playable(tree))
        if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    ]
    for a, b in zip(numbers(ours), numbers(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SOLVER_CASES)
def test_every_solver_carries_it(name):
    """Bit for bit, and plays the rest as in the game without it, to 1e-10."""
    solver, key = ALL_SOLVERS[name](0.05), jax.random.key(0)
    games = (EqualTerms(GAME), EqualTerms(PLAIN)) if name in RANDOM else (GAME, PLAIN)
    ours = go.rollout(games[0], solver, players(), 3, key=key)
    plain = go.rollout(games[1], solver, BARE, 3, key=key)
    evaluated = solver.evaluate(ours.players, ours.state)
    for seen in (ours.players, evaluated):
        assert float(seen.x.scale.value[0]) == float(seen.y.scale.value[0]) == 2.0
    np.testing.assert_allclose(ours.players.x.weight, plain.players.x, rtol=1e-10)
    np.testing.assert_allclose(ours.players.y.weight, plain.players.y, rtol=1e-10)


@pytest.mark.parametrize("make", [go.Box, lambda low, high: go.Ball(high), lambda *_: go.Simplex()])
def test_sets_are_of_what_is_played(make):
    """A scale of 2 stays outside of [-0.1, 0.1]."""
    moved = make(-0.1, 0.1)(players().x)
    assert float(moved.scale.value[0]) == 2.0
    assert np.any(moved.weight != players().x.weight)


def test_half_precision_keeps_it():
    """A network in bfloat16 casts its weights, and not what it carries."""
    seen = []

    class Network(Scaled):
        def __call__(self, x):
            seen.append((self.weight.dtype, self.scale.value.dtype))
            return x

    network = Network(jnp.ones(2), go.Fixed(jnp.ones(1)))
    InPrecision(network, jnp.bfloat16)(jnp.ones(2))
    assert seen == [(jnp.bfloat16, jnp.float64)]


def test_a_player_of_fixed_arrays_alone_has_nothing_to_play():
    """It is said, as of integers."""
    with pytest.raises(ValueError, match=r"players\.x has no floating-point JAX array to play"):
        go.classify(GAME, go.Players(go.Fixed(jnp.ones(2)), jnp.ones(2)))


def test_nan_in_what_is_carried_is_seen():
    """By `solve` and `classify`, where the loss does not show it."""
    game = go.zero_sum_game(lambda x, y: jnp.sum(x.weight**2 - y.weight**2))
    solver = go.Simultaneous(go.Players(optax.sgd(0.1), optax.sgd(0.1)))
    end = go.solve(game, solver, players(np.nan), throw=False)
    assert str(end.result) == "nonfinite"
    assert not bool(go.classify(game, players(np.nan)).finite)


class Codebook(eqx.Module):
    """k codes with running counts and sums, each a moving average (van den Oord et al., A.1)."""

    codes: go.Fixed
    counts: go.Fixed
    sums: go.Fixed


class Quantised(eqx.Module):
    """One weight that scales points, and the codebook that they are assigned to."""

    scale: jax.Array
    book: Codebook


DATA = np.concatenate([np.full(50, -3.0), np.full(150, 1.0)])
DECAY = 0.9


def assigned(codes, points):
    """The index of the nearest code of each point."""
    return jnp.argmin(jnp.abs(points[:, None] - codes[None, :]), axis=1)


class Quantisation(go.OnePlayerGame):
    """Pulls scaled points to their codes, and the scale to 2."""

    data: jax.Array

    def batch(self, key):
        return jax.random.choice(key, self.data, (64,))

    def loss(self, x, key=None):
        points = x.scale * self.batch(key)
        codes = x.book.codes.value
        off = points - codes[assigned(codes, jax.lax.stop_gradient(points))]
        return jnp.mean(off**2) + 100 * (x.scale - 2) ** 2


def moving_averages(game: Quantisation, now: go.Players, key):
    """Counts, sums and codes after one batch."""
    network = now.x
    points, book = network.scale * game.batch(key), network.book
    one_hot = jax.nn.one_hot(assigned(book.codes.value, points), len(book.codes.value))
    mean = lambda old, new: DECAY * old + (1 - DECAY) * new
    counts = mean(book.counts.value, one_hot.sum(axis=0))
    sums = mean(book.sums.value, one_hot.T @ points)
    book = Codebook(go.Fixed(sums / counts), go.Fixed(counts), go.Fixed(sums))
    # The weight that an update returns is ignored.
    return go.Players(Quantised(network.scale + 100, book), None)


def first() -> go.Players:
    """Codes at -1 and 1."""
    codes, ones = jnp.asarray([-1.0, 1.0]), jnp.ones(2)
    book = Codebook(go.Fixed(codes), go.Fixed(ones), go.Fixed(codes * ones))
    return go.Players(Quantised(jnp.asarray(2.0), book), None)


def test_a_codebook_of_moving_averages_is_carried_through_a_rollout():
    """As in a loop by hand, to rounding; the codes tend to the clusters of the scaled data."""
    game, key = Quantisation(jnp.asarray(DATA)), jax.random.key(0)
    solver = go.Carrying(go.descent(optax.sgd(1e-3)), moving_averages)
    end = go.rollout(game, solver, first(), 120, key=key).players.x
    now = first()
    step = jax.jit(
        lambda now, key: jax.grad(lambda s: game.loss(Quantised(s, now.x.book), key))(now.x.scale)
    )
    for t in range(120):
        now_key = jax.random.fold_in(key, jnp.uint32(t))
        scale = now.x.scale - 1e-3 * step(now, now_key)
        moved = go.Players(Quantised(scale, now.x.book), None)
        now = go.Players(Quantised(scale, moving_averages(game, moved, now_key).x.book), None)
    np.testing.assert_allclose(end.book.codes.value, now.x.book.codes.value, rtol=1e-10)
    np.testing.assert_allclose(end.scale, now.x.scale, rtol=1e-12)
    # The first codes' weight left in the averages is 0.9^120 = 3e-6; the scale moved by 1e-4.
    np.testing.assert_allclose(end.book.codes.value, end.scale * np.asarray([-3.0, 1.0]), rtol=1e-3)


def test_an_average_shows_the_newest_codebook():
    """Weights are averaged, and what is carried is that of the iterate."""
    game, key = Quantisation(jnp.asarray(DATA)), jax.random.key(0)
    solver = go.Averaged(go.Carrying(go.descent(optax.sgd(1e-3)), moving_averages), decay=0.9)
    last = go.rollout(game, solver, first(), 5, key=key)
    seen = solver.evaluate(last.players, last.state)
    assert eqx.tree_equal(seen.x.book, last.players.x.book)
    assert seen.x.scale != last.players.x.scale


def test_carrying_refuses_no_function():
    """Before anything is compiled."""
    with pytest.raises(TypeError, match="update must be a function"):
        go.Carrying(go.descent(optax.sgd(0.1)), 3.0)  # pyright: ignore[reportArgumentType]
