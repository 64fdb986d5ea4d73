"""What papers say happens, happens: fixed points kept, spurious points, sublinear rates, SVRE."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from tests.solvers import ALL_SOLVERS, SOLVER_CASES, EqualTerms, point, sgd

KEY = jax.random.key(0)


@pytest.mark.parametrize("name", SOLVER_CASES)
def test_fixed_points_are_kept(name):
    """At an equilibrium of a zero-sum game every solver stays, for ten rounds, to rounding."""
    rng = np.random.default_rng(4)
    xx, yy = np.diag([0.7, 1.2]), -np.diag([0.5, 0.9])
    game = go.ZeroSumQuadratic(
        xx, rng.normal(size=(2, 2)), yy, linear_x=rng.normal(size=2), linear_y=rng.normal(size=2)
    )
    (equilibrium,) = game.equilibria()
    # Adam divides rounding by its own size: from exactly zero gradients it does not move.
    atol = 0.5 if "adam" in name or name == "acgd" else 1e-12
    end = go.rollout(EqualTerms(game), ALL_SOLVERS[name](0.05), equilibrium, 10, key=KEY).players
    for now, before in zip(jax.tree.leaves(end), jax.tree.leaves(equilibrium), strict=True):
        np.testing.assert_allclose(now, before, atol=atol)


TANDEM = go.TOY_GAMES["tandem"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [("look_ahead", True), ("sos", True), ("lola", False), ("lola_foerster", False)],
)
def test_opponent_shaping_on_the_tandem_game(name, kept):
    """Letcher et al.: LOLA moves the fixed points x + y = 1, LookAhead and SOS keep them."""
    start = point(0.3, 0.7)
    end = go.rollout(TANDEM(), ALL_SOLVERS[name](0.05), start, 3000).players
    assert (abs(float(end.x + end.y) - 1) < 1e-6) == kept


def attracts(game, solver, where):
    """Whether play from nearby comes back."""
    start = go.Players(where.x + 0.01, where.y - 0.006)
    end = go.rollout(game, solver, start, 6000).players
    return float(go.tree_norm(jax.tree.map(jnp.subtract, end, where))) < 1e-3


def test_the_nash_equilibrium_that_gradient_play_avoids():
    """General-sum: both own Hessians are positive, the Jacobian has the eigenvalue -1; double
    Follow-the-Ridge is drawn to it."""
    game = go.TOY_GAMES["avoided_nash"]()
    origin = point(0.0, 0.0)
    assert go.hessian_x(game, origin)[0, 0] > 0
    assert go.hessian_y(game, origin)[0, 0] > 0
    for name in ("simultaneous", "alternating", "extragradient", "optimistic"):
        assert not attracts(game, ALL_SOLVERS[name](0.02), origin)
    assert attracts(game, go.FollowTheRidge(0.05, variant="double"), origin)


def spurious(game):
    """Its critical points that attract the flow and are no strict local minimax points."""
    return [c for c in game.critical_points() if c.attractor and not c.minimax]


def test_adolphs_spurious_attractor():
    """Gradient play ends at a point that is no Nash equilibrium; solvers made against it leave it,
    and come to the Nash equilibrium from nearby."""
    game = go.TOY_GAMES["adolphs"]()
    (point_,) = spurious(game)
    assert attracts(game, ALL_SOLVERS["simultaneous"](0.02), point_.players)
    for solver in (
        go.LSS(sgd(0.02), damping=1e-4),
        go.FollowTheRidge(0.02),
        go.FollowTheRidge(0.02, variant="double"),
    ):
        assert not attracts(game, solver, point_.players)
    (nash,) = [c for c in game.critical_points() if c.nash]
    for solver in (go.Simultaneous(sgd(0.02)), go.FollowTheRidge(0.02), go.LSS(sgd(0.02))):
        assert attracts(game, solver, nash.players)


@pytest.mark.parametrize("name", ["simultaneous", "alternating", "extragradient", "optimistic"])
def test_hsieh_s_spurious_limit_cycle(name):
    """On the forsaken game first-order play from outside ends on a cycle: it keeps moving, within a
    ring around the critical point, for 2000 rounds after 20 000."""
    game = go.TOY_GAMES["forsaken"]()
    (only,) = game.critical_points()
    last = go.rollout(game, ALL_SOLVERS[name](0.02), point(1.0, 1.0), 20_000)
    path = go.rollout(
        game, ALL_SOLVERS[name](0.02), last.players, 2000, record=go.record_players
    ).records
    radius = np.asarray(go.distances(path, only.players))
    assert radius.min() > 0.3
    assert radius.max() < 2.0
    turned = np.unwrap(np.arctan2(path.y - only.players.y, path.x - only.players.x))
    assert abs(turned[-1] - turned[0]) > 2 * np.pi


def test_ridges_have_real_rates_at_a_local_minimax():
    """Wang et al.: on g1, whose minimax point repels gradient play, FR attracts without rotation:
    the eigenvalues are 1 - eta times the Schur complement's and y's own."""
    game, origin, eta = go.TOY_GAMES["wang_g1"](), point(0.0, 0.0), 0.05
    assert go.local_rate(game, go.Simultaneous(sgd(eta)), origin).spectral_radius > 1
    rate = go.local_rate(game, go.FollowTheRidge(eta), origin)
    # V_xx - V_xy V_yy^-1 V_yx = -6 + 16 / 2 = 2, and -V_yy = 2.
    np.testing.assert_allclose(rate.eigenvalues, [1 - 2 * eta, 1 - 2 * eta], atol=1e-8)
    large = go.local_rate(game, go.two_timescale_extragradient(0.05, 50.0), origin)
    assert large.spectral_radius < 1  # fast answers make a minimax point attract


@pytest.mark.parametrize("matrix_seed", range(3))
def test_anchoring_is_the_published_bound(matrix_seed):
    """|xi(z_t)|^2 <= 260 R^2 |z_0 - z*|^2 / ((t+1)(t+2)) with eta = 1 / (8R), for every t."""
    rng = np.random.default_rng(matrix_seed)
    game = go.Bilinear(rng.normal(size=(3, 3)))
    smooth = np.linalg.norm(game.matrix, 2)
    start = point(rng.normal(size=3), rng.normal(size=3))
    field = lambda now: go.tree_norm(go.field(now.game, now.players))
    solver = go.AnchoredExtragradient(1 / (8 * smooth))
    norms = np.asarray(go.rollout(game, solver, start, 2000, record=field).records)
    t = np.arange(1, 2001)
    bound = 260 * smooth**2 * float(go.tree_norm(start)) ** 2 / ((t + 1) * (t + 2))
    assert (norms**2 <= bound).all()
    # And the order is that: the slope of log |xi| in log t is -1 on average over the tail.
    slope = np.polyfit(np.log(t[200:]), np.log(norms[200:]), 1)[0]
    assert -1.3 < slope < -0.7


def test_the_average_of_a_circle_comes_in_as_one_over_t():
    """Alternating play on f = xy stays on its ellipse; its average is bounded by a constant / t."""
    path = go.rollout(
        go.Bilinear(1.0),
        go.Averaged(go.Alternating(sgd(0.1))),
        point(1.0, 0.5),
        10_000,
        record=go.record_players,
    ).records
    off = np.asarray(go.distances(path, point(0.0, 0.0)))
    t = np.arange(1, 10_001)
    # Sum of a rotation by angle ~ eta over any number of rounds: at most 2 |z| / (2 sin(eta / 2)).
    assert (off * t < 1.1 * np.hypot(1.0, 0.5) * 2 / 0.1).all()
    assert (off[5000:] * t[5000:]).max() > 5


def noisy_bilinear(batch_size=1):
    rng = np.random.default_rng(0)
    matrices = np.eye(3) + 0.5 * rng.normal(size=(20, 3, 3))
    return go.StochasticBilinear(
        matrices, rng.normal(size=(20, 3)), rng.normal(size=(20, 3)), batch_size
    )


@pytest.mark.parametrize("coin", [None, pytest.param(jax.random.key(3), marks=pytest.mark.slow)])
def test_svre_converges_where_stochastic_extragradient_does_not(coin):
    """SVRE Figure 4: variance reduction reaches 1e-6, plain extragradient at its step does not."""
    game = noisy_bilinear()
    (equilibrium,) = game.equilibria()
    start, rounds = point(jnp.ones(3), jnp.ones(3)), 100_000
    svre = go.rollout(game, go.SVRE(0.03, coin=coin), start, rounds, key=KEY).players
    plain = go.rollout(
        game, go.Extragradient(sgd(0.03), sample="fresh"), start, rounds, key=KEY
    ).players
    off = lambda end: float(go.tree_norm(jax.tree.map(jnp.subtract, end, equilibrium)))
    assert off(svre) < 1e-6
    assert not off(plain) < 0.05


def test_svre_at_a_snapshot_is_extragradient():
    """With the snapshot taken every round the first half-step sees the whole field; with one term
    both do."""
    rng = np.random.default_rng(1)
    single = go.StochasticBilinear(rng.normal(size=(1, 2, 2)), np.zeros((1, 2)), np.zeros((1, 2)))
    start = point(jnp.ones(2), -jnp.ones(2))
    svre = go.rollout(single, go.SVRE(0.1), start, 10, key=KEY).players
    whole = go.rollout(go.over(single, "all"), go.Extragradient(sgd(0.1)), start, 10).players
    np.testing.assert_allclose(svre.x, whole.x, rtol=1e-12)


def test_svre_needs_a_finite_sum():
    """And says so."""
    with pytest.raises(ValueError, match="SVRE needs a finite-sum game"):
        go.rollout(go.Bilinear(1.0), go.SVRE(0.1), point(1.0, 1.0), 1, key=KEY)


def test_over_is_the_mean_whatever_the_chunks():
    """All terms in chunks of 1, 7, 20 and more; and over keys the mean of their samples."""
    game = noisy_bilinear(batch_size=4)
    at = point(jnp.arange(3.0), -jnp.ones(3))
    mean = lambda terms: np.mean(terms, axis=0)
    exact = go.Bilinear(mean(game.matrices), mean(game.offsets_x), mean(game.offsets_y))
    for chunk in (1, 7, 20, 100):
        whole = go.over(game, "all", chunk=chunk)
        np.testing.assert_allclose(whole.losses(at).x, exact.losses(at).x, rtol=1e-12)
        np.testing.assert_allclose(go.field(whole, at).x, go.field(exact, at).x, rtol=1e-12)
    keys = jax.random.split(KEY, 5)
    each = [game.losses(at, key).x for key in keys]
    np.testing.assert_allclose(go.over(game, keys).losses(at).x, np.mean(each), rtol=1e-12)
    field = go.field(go.over(game, keys), at).y
    np.testing.assert_allclose(field, np.mean([go.field(game, at, k).y for k in keys], 0))


def test_over_says_what_it_needs():
    """All of a game that is no finite sum, and no keys."""
    stochastic = go.zero_sum_game(lambda x, y, key: x * y, stochastic=True)
    with pytest.raises(ValueError, match="needs a finite-sum game"):
        go.over(stochastic, "all")
    with pytest.raises(ValueError, match="keys of shape"):
        go.over(stochastic, KEY)


def test_hidden_state_of_a_solver_is_nowhere():
    """A solver kept in a jitted closure leaks no tracer: it is data, and can be used again."""
    solver = ALL_SOLVERS["lookahead_simultaneous"](0.1)
    step = jax.jit(
        lambda x: (
            solver.step(
                go.Bilinear(1.0), point(x, 1.0), solver.init(go.Bilinear(1.0), point(x, 1.0))
            )[0].x
        )
    )
    first = step(1.0)
    with jax.checking_leaks():
        assert step(1.0) == first


def test_svre_counts_a_snapshot_by_its_minibatches():
    """20 terms in minibatches of 4: 8 + 2 * 5 gradients with a snapshot, 8 without."""
    game = noisy_bilinear(batch_size=4)
    counts = go.rollout(game, go.SVRE(0.01), point(jnp.ones(3), jnp.ones(3)), 6, key=KEY).records
    np.testing.assert_array_equal(counts.gradients, [18, 8, 8, 8, 8, 18])
