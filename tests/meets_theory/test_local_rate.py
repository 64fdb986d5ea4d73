"""The spectrum of a round against what plays show, on affine games; what has no rate; Krylov."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
import theory
from tests.meets_theory.test_solver_rates import ORIGIN, origin, quadratic
from tests.solvers import ALL_SOLVERS, SOLVER_CASES, point, sgd


def random_game(seed):
    """A general-sum affine game whose one slowest mode is a pair apart from the others."""
    rng = np.random.default_rng(seed)
    sym = lambda block: (block + block.T) / 2
    while True:
        matrix = rng.normal(size=(5, 5)) / 2
        matrix[:3, :3], matrix[3:, 3:] = sym(matrix[:3, :3]), sym(matrix[3:, 3:])
        matrix += (0.3 - np.linalg.eigvalsh(sym(matrix)).min()) * np.eye(5)
        values = np.linalg.eigvals(matrix)
        slow, slowest = np.sort(np.unique(values.real.round(9))), values[np.argmin(values.real)]
        singular = np.sort(np.linalg.svd(matrix, compute_uv=False))
        blocks = [np.linalg.eigvalsh(matrix[:3, :3]), np.linalg.eigvalsh(matrix[3:, 3:])]
        own, potential = np.sort(np.concatenate(blocks)), np.linalg.eigvalsh(sym(matrix))
        rotates = slowest.imag == 0 or abs(slowest.imag) > 2 * slowest.real
        if rotates and all(v[1] > 1.3 * v[0] for v in (slow, singular, own, potential)):
            break
    a, d = rng.normal(size=3), rng.normal(size=2)
    game = go.Quadratic(
        matrix[:3, :3], matrix[:3, 3:], matrix[3:, :3], matrix[3:, 3:], linear_x=a, linear_y=d
    )
    z = np.linalg.solve(matrix, -np.concatenate([a, d]))
    return game, point(z[:3], z[3:])


NO_RATE = {"averaged_alternating", "anchored_extragradient", "svre", "svre_short", "svre_coin"}
NOT_LINEAR = {
    "simultaneous_adam",
    "alternating_adam",
    "extra_adam",
    "extra_adam_separate",
    "extra_adam_untouched",
    "optimistic_adam",
    "optimistic_adam_update",
    "lookahead_adam_reset",
    "acgd",
}
"""Adam divides by the root of a mean square: its round is not smooth at an equilibrium."""
MOVES_FIXED_POINTS = {"lola", "lola_foerster", "stackelberg", "unrolled", "unrolled_three"}
"""In general-sum games, where the other's strategy matters to first order."""
LINEAR = sorted(set(ALL_SOLVERS) - NO_RATE - NOT_LINEAR)


@pytest.mark.parametrize("name", [case for case in SOLVER_CASES if case.values[0] in LINEAR])
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_measured_decay_is_the_local_rate(name, seed):
    """Within 2 % of log(rate), and so of the rate, on a general-sum affine game."""
    game, equilibrium = random_game(seed)
    solver = ALL_SOLVERS[name](0.08)
    if name in MOVES_FIXED_POINTS:
        equilibrium = go.rollout(game, solver, equilibrium, 20_000).players
    rate = go.local_rate(game, solver, equilibrium)
    assert rate.displacement < 1e-9
    assert rate.spectral_radius < 1, "a point that does not attract shows nothing"
    start = jax.tree.map(lambda z: z + 1.0, equilibrium)
    rounds = min(int(-25 / np.log(rate.spectral_radius)), 20_000)
    path = go.rollout(game, solver, start, rounds, record=go.record_players).records
    measured = go.measured_rate(path, equilibrium, angle=rate.angle, skip=0.5)
    np.testing.assert_allclose(np.log(measured.rate), np.log(rate.spectral_radius), rtol=0.02)
    np.testing.assert_allclose(measured.rate, rate.spectral_radius, rtol=0.02)


@pytest.mark.parametrize("name", sorted(NO_RATE))
def test_what_has_no_single_rate_says_so(name):
    """With the reason and what to do instead."""
    with pytest.raises(ValueError, match=r"no single local rate: .*measured_rate"):
        go.local_rate(go.Bilinear(1.0), ALL_SOLVERS[name](0.1), ORIGIN)


def test_a_schedule_is_seen():
    """The linearisation is not the same a thousand rounds on."""
    decaying = optax.sgd(optax.exponential_decay(0.1, 10, 0.5))
    solver = go.Simultaneous(go.Players(decaying, decaying))
    assert not go.local_rate(go.Bilinear(1.0), solver, ORIGIN).constant
    assert go.local_rate(go.Bilinear(1.0), go.Simultaneous(sgd(0.1)), ORIGIN).constant


def test_adam_has_a_rate_where_its_root_is_smooth():
    """eps_root > 0: at the equilibrium Adam is momentum with step eta / (sqrt(eps_root) + eps)."""
    eta, eps_root, b1 = 0.01, 0.04, 0.5
    adam = optax.adam(eta, b1=b1, b2=0.9, eps=0.0, eps_root=eps_root)
    solver = go.Simultaneous(go.Players(adam, adam))
    game = quadratic(1.0, 0.5)
    state = solver.init(game, origin())
    late = jax.tree.map(
        lambda leaf: leaf + 10_000 if leaf.dtype == jnp.int32 else leaf, state
    )  # bias correction over
    radius = go.local_rate(game, solver, origin(), state=late).spectral_radius
    step = eta / np.sqrt(eps_root) * (1 - b1)
    expected = theory.heavy_ball_rate(step, 1.0, b1, alternating=False, mu=0.5)
    np.testing.assert_allclose(radius, expected, rtol=1e-9)


@pytest.mark.parametrize(
    "name", ["simultaneous", "alternating", "optimistic", "lookahead_simultaneous"]
)
def test_krylov_finds_the_dense_radius(name):
    """20 + 20 entries: 64 products span everything, so that Ritz values are eigenvalues."""
    rng = np.random.default_rng(3)
    m = rng.normal(size=(20, 20)) / 5
    game = go.ZeroSumQuadratic(0.3 * np.eye(20), m, -0.3 * np.eye(20))
    start = point(jnp.zeros(20), jnp.zeros(20))
    solver = ALL_SOLVERS[name](0.1)
    dense = go.local_rate(game, solver, start, method="dense")
    krylov = go.local_rate(game, solver, start, method="krylov", num_matvecs=100)
    np.testing.assert_allclose(krylov.spectral_radius, dense.spectral_radius, rtol=1e-7)
    assert krylov.residuals[0] < 1e-6


def test_krylov_is_cut_at_an_invariant_subspace():
    """2 entries and 64 products asked for: two Ritz values, no NaN."""
    rate = go.local_rate(go.Bilinear(1.0), go.Simultaneous(sgd(0.1)), ORIGIN, method="krylov")
    np.testing.assert_allclose(rate.spectral_radius, np.sqrt(1.01), rtol=1e-12)
    assert rate.eigenvalues.shape == (2,)
