"""Each solver's closed-form rate, the spectrum of its round, and the decay that is measured.

Closed form (theory), `local_rate` and a trajectory are three derivations. Closed form and spectrum
agree to rounding: 1e-9, since a double eigenvalue loses half of the digits only where two modes
meet, which the drawn parameters stay clear of.
"""

import hypothesis as hyp
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import theory
from tests.solvers import heavy_ball, point, sgd

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


LONG = ("proximal_point", "sga")
"""They take long to compile."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in sorted(SOLVERS)]
)
@hyp.settings(max_examples=25)
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
