"""Each solver's closed-form rate, the spectrum of its round, and the decay that is measured.

Closed form (theory), `local_rate` and a trajectory are three derivations. Closed form and spectrum
agree to rounding: 1e-9, since a double eigenvalue loses half of the digits only where two modes
meet, which the drawn parameters stay clear of.
"""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
import theory
from tests.solvers import ALL_SOLVERS, heavy_ball, point, sgd

etas = st.floats(0.02, 0.9)
scales = st.floats(0.2, 2.0)
curvatures = st.floats(0.05, 1.0)

SOLVERS = {
    "simultaneous": (lambda eta: go.Simultaneous(sgd(eta)), theory.simultaneous_rate),
    "alternating": (lambda eta: go.Alternating(sgd(eta)), theory.alternating_rate),
    "extragradient": (lambda eta: go.Extragradient(sgd(eta)), theory.extragradient_rate),
    "optimistic": (lambda eta: go.Optimistic(sgd(eta)), theory.optimistic_rate),
    "past_extragradient": (lambda eta: go.PastExtragradient(sgd(eta)), theory.optimistic_rate),
    "proximal_point": (go.ProximalPoint, theory.proximal_rate),
    "consensus": (lambda eta: go.Consensus(sgd(eta)), theory.consensus_rate),
    "sga": (lambda eta: go.SGA(sgd(eta), align=False), theory.sga_rate),
    "euler": (lambda eta: go.RungeKutta(eta, "euler"), theory.simultaneous_rate),
    "heun": (
        lambda eta: go.RungeKutta(eta, "heun"),
        lambda eta, s, mu: theory.runge_kutta_rate(eta, s, mu, order=2),
    ),
    "rk4": (go.RungeKutta, theory.runge_kutta_rate),
    "negative_momentum": (
        lambda eta: go.Simultaneous(heavy_ball(eta, -0.4)),
        lambda eta, s, mu: theory.heavy_ball_rate(eta, s, -0.4, alternating=False, mu=mu),
    ),
    "alternating_negative_momentum": (
        lambda eta: go.Alternating(heavy_ball(eta, -0.4)),
        lambda eta, s, mu: theory.heavy_ball_rate(eta, s, -0.4, alternating=True, mu=mu),
    ),
}
ORIGIN = point(0.0, 0.0)


def quadratic(s, mu):
    """f = mu/2 x^2 + s x y - mu/2 y^2."""
    m = jnp.asarray([[mu]])
    return go.ZeroSumQuadratic(m, jnp.asarray([[s]]), -m)


def origin():
    return point([0.0], [0.0])


@pytest.mark.parametrize("name", sorted(SOLVERS))
@hyp.given(eta=st.lists(etas, min_size=8, max_size=8), s=scales, mu=curvatures)
def test_closed_form_is_the_spectral_radius(name, eta, s, mu):
    """On the quadratic game, eight step sizes in a call."""
    make, rate = SOLVERS[name]
    radii = go.local_rates(quadratic(s, mu), make, origin(), jnp.asarray(eta))
    # A nearly double eigenvalue is known to the root of the precision only.
    np.testing.assert_allclose(radii, [rate(e, s, mu) for e in eta], rtol=2e-7)


@pytest.mark.parametrize("name", sorted(SOLVERS))
@pytest.mark.parametrize("eta", [0.05, 0.3, 0.7])
def test_closed_form_is_the_spectral_radius_on_bilinear(name, eta):
    """mu = 0: per singular value the same formulas; the largest over the matrix's."""
    make, rate = SOLVERS[name]
    matrix = jnp.array([[1.0, 0.4, 0.0], [-0.3, 0.5, 1.1]])
    game, start = go.Bilinear(matrix), point(jnp.zeros(2), jnp.zeros(3))
    radius = go.local_rate(game, make(eta), start).spectral_radius
    singular = np.append(np.linalg.svd(matrix, compute_uv=False), 0.0)  # y has a null space
    expected = max(float(rate(eta, s, 0.0)) for s in singular)
    np.testing.assert_allclose(radius, expected, rtol=2e-7)


@pytest.mark.parametrize(("gamma", "delta"), [(0.0, 1.0), (1.0, 1.0), (1.5, 1.5), (2.0, 1.2)])
@pytest.mark.parametrize("eta", [0.1, 0.5])
def test_alex_is_its_polynomial(gamma, delta, eta):
    """(0, 1) is simultaneous, (1, 1) alternating play, and gamma + delta > 2 converges."""
    solver = go.AlexGDA(eta, gamma, delta)
    radius = go.local_rate(go.Bilinear(1.3), solver, ORIGIN).spectral_radius
    np.testing.assert_allclose(radius, theory.alex_rate(eta, 1.3, gamma, delta), rtol=1e-7)
    if gamma + delta > 2 and eta == 0.1:
        assert radius < 1


@hyp.settings(max_examples=20)
@hyp.given(eta=st.floats(0.05, 1.0), s=scales, k=st.integers(1, 12), alpha=st.floats(0.05, 1.0))
def test_lookahead_is_a_polynomial_of_the_inner_modes(eta, s, k, alpha):
    """|1 - alpha + alpha T^k|, and stable iff alpha is below its limit."""
    solver = go.Lookahead(go.Simultaneous(sgd(eta)), steps=k, alpha=alpha)
    radius = go.local_rate(go.Bilinear(s), solver, ORIGIN).spectral_radius
    mode = jnp.asarray(1 + 1j * eta * s)
    np.testing.assert_allclose(radius, theory.lookahead_rate(mode[None], k, alpha), rtol=1e-9)
    limit = theory.max_lookahead_alpha(mode, k)
    hyp.assume(abs(alpha - limit) > 1e-6)
    assert (radius < 1) == (alpha < limit)


@pytest.mark.parametrize("eta", [0.3, 1.0, 5.0])
def test_competitive_gradient_descent_is_the_proximal_point_on_bilinear(eta):
    """The same iterates; 1 / sqrt(1 + eta^2 s^2) for every step size."""
    matrix = jnp.array([[1.0, 0.4, 0.0], [-0.3, 0.5, 1.1]])
    start = point([1.0, -0.5], [0.3, 0.2, -1.0])
    play = lambda solver: (
        go.rollout(go.Bilinear(matrix), solver, start, 20, record=go.record_players).records
    )
    cgd, proximal = play(go.CGD(eta)), play(go.ProximalPoint(eta))
    np.testing.assert_allclose(cgd.x, proximal.x, atol=1e-9)
    np.testing.assert_allclose(cgd.y, proximal.y, atol=1e-9)
    radius = go.local_rate(go.Bilinear(1.7), go.CGD(eta), ORIGIN).spectral_radius
    np.testing.assert_allclose(radius, theory.proximal_rate(eta, 1.7), rtol=1e-9)


def test_extragradient_consensus_and_sga_have_the_same_spectrum_on_bilinear():
    """EG: 1 - ia - a^2. Consensus (gamma = eta) and SGA (lambda = eta): the same eigenvalues."""
    eta, s = 0.3, 1.2
    spectra = [
        np.sort_complex(np.asarray(go.local_rate(go.Bilinear(s), solver, ORIGIN).eigenvalues))
        for solver in (
            go.Extragradient(sgd(eta)),
            go.Consensus(sgd(eta), strength=eta),
            go.SGA(sgd(eta), strength=eta, align=False),
        )
    ]
    a = eta * s
    expected = np.array([1 - 1j * a - a**2, 1 + 1j * a - a**2])
    for spectrum in spectra:
        np.testing.assert_allclose(spectrum, expected, atol=1e-12)


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


NO_RATE = {"averaged", "anchored_extragradient", "svre", "svre_coin"}
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
MOVES_FIXED_POINTS = {"lola", "lola_foerster", "stackelberg", "unrolled"}
"""In general-sum games, where the other's strategy matters to first order."""
LINEAR = sorted(set(ALL_SOLVERS) - NO_RATE - NOT_LINEAR)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("seed", [0, 1])
def test_measured_decay_is_the_local_rate(name, seed):
    """Within 2 % of log(rate), and so of the rate, on a general-sum affine game."""
    game, equilibrium = random_game(seed)
    solver = ALL_SOLVERS[name](0.08)
    if name in MOVES_FIXED_POINTS:
        equilibrium = go.rollout(game, solver, equilibrium, 5000).players
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


@pytest.mark.parametrize("name", ["simultaneous", "alternating", "optimistic", "lookahead"])
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


@pytest.mark.parametrize("mu", [0.2, 0.5])
def test_safe_step_is_the_largest_stable_one(mu):
    """Sim: min 2 Re / |lambda|^2, its best step Re / |lambda|^2; EG and OGDA on bilinear: 1/s,
    1/(sqrt(3) s)."""
    s = 1.3
    game = quadratic(s, mu)
    safe = go.safe_step(game, lambda eta: go.Simultaneous(sgd(eta)), origin())
    limit = theory.max_stable_step(go.jacobian(game, origin()))
    np.testing.assert_allclose(safe.largest, limit, rtol=1e-6)
    np.testing.assert_allclose(safe.best, mu / (mu**2 + s**2), rtol=1e-4)
    np.testing.assert_allclose(safe.best_rate, s / np.hypot(mu, s), rtol=1e-9)
    bilinear = lambda make: go.safe_step(go.Bilinear(s), make, ORIGIN)
    eg = bilinear(lambda eta: go.Extragradient(sgd(eta)))
    np.testing.assert_allclose(eg.largest, 1 / s, rtol=1e-6)
    np.testing.assert_allclose(eg.best, 1 / (np.sqrt(2) * s), rtol=1e-4)
    ogda = bilinear(lambda eta: go.Optimistic(sgd(eta)))
    np.testing.assert_allclose(ogda.largest, 1 / (np.sqrt(3) * s), rtol=1e-6)
    rk4 = bilinear(go.RungeKutta)
    np.testing.assert_allclose(rk4.largest, 2 * np.sqrt(2) / s, rtol=1e-6)


@pytest.mark.parametrize("make", [go.Simultaneous, go.Alternating])
def test_no_step_is_safe_for_gradient_play_on_bilinear(make):
    """Sim grows and Alt circles at every step size."""
    safe = go.safe_step(go.Bilinear(1.0), lambda eta: make(sgd(eta)), ORIGIN)
    assert safe.largest == 0
    assert safe.best_rate == 1


def test_a_rate_map_is_the_closed_form():
    """EG over (eta, gamma), 30 x 20, in one call."""
    eta, gamma = jnp.linspace(0.05, 1.0, 30), jnp.linspace(0.05, 1.5, 20)
    make = lambda a, b: go.Extragradient(sgd(a), extrapolation=sgd(b))
    radii = go.rate_map(go.Bilinear(1.2), make, ORIGIN, eta, gamma)
    expected = theory.extragradient_rate(eta[:, None], 1.2, 0.0, gamma[None, :])
    np.testing.assert_allclose(radii, expected, rtol=1e-9)


def test_modal_lookahead_beats_its_neighbours():
    """Over Sim on a game of two modes: attracts, and no other (k, alpha) of a grid is faster."""
    game = go.Bilinear(jnp.diag(jnp.array([0.5, 1.0])))
    start = point(jnp.zeros(2), jnp.zeros(2))
    inner = go.Simultaneous(sgd(0.3))
    chosen = go.modal_lookahead(game, inner, start, max_steps=20)
    per_round = lambda solver: float(
        go.local_rate(game, solver, start).spectral_radius ** (1 / solver.steps)
    )
    best = per_round(chosen)
    assert best < 1
    for k in range(1, 21):
        for alpha in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0):
            assert best <= per_round(go.Lookahead(inner, steps=k, alpha=alpha)) + 1e-9


def test_a_point_that_no_lookahead_can_save_is_said():
    """A game that repels: L = -x^2 for both."""
    game = go.Quadratic(-np.eye(1), np.zeros((1, 1)), np.zeros((1, 1)), -np.eye(1))
    with pytest.raises(ValueError, match="makes the point attract"):
        go.modal_lookahead(game, go.Simultaneous(sgd(0.1)), origin())


@pytest.mark.parametrize("variant", ["gan", "nsgan", "r1", "r1_critical", "instance_noise"])
def test_the_dirac_gan_table(variant):
    """The eigenvalues of the flow, -J, are those of Mescheder et al.'s table."""
    game = go.DIRAC_GAN_VARIANTS[variant]()
    strength = {"r1": 0.3, "r1_critical": 1.0, "instance_noise": 0.7}.get(variant, 0.0)
    kind = "r1" if variant.startswith("r1") else variant
    expected = np.sort_complex(np.asarray(theory.dirac_gan_eigenvalues(kind, strength)))
    found = np.sort_complex(np.linalg.eigvals(-np.asarray(go.jacobian(game, ORIGIN))))
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize(
    ("variant", "converges"),
    [
        ("gan", False),
        ("nsgan", False),
        ("wgan", False),
        ("wgan_clip", False),
        ("wgan_gp", False),
        ("consensus", True),
        ("instance_noise", True),
        ("r1", True),
        ("r1_critical", True),
    ],
)
def test_the_dirac_gan_converges_as_published(variant, converges):
    """Alternating play from (1, 1), 8000 rounds of 0.1: within 1e-3 of the equilibrium, or not."""
    game = go.DIRAC_GAN_VARIANTS[variant]()
    end = go.rollout(game, go.Alternating(sgd(0.1)), point(1.0, 1.0), 8000).players
    assert (float(go.tree_norm(end)) < 1e-3) == converges
