"""Hellinger and chi squared between Gaussians; all of them between mixtures, by quadrature."""

from typing import Any

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

import theory
from theory import F_DIVERGENCES

seeds = st.integers(0, 2**31 - 1)
normals = st.tuples(st.floats(-1, 1), st.floats(0.7, 1.2), st.floats(-1, 1), st.floats(0.9, 1.4))


def matrices(mean_p, std_p, mean_q, std_q):
    """The arguments of the closed forms, for two normals on the line."""
    column = lambda mean: jnp.array([float(mean)])
    square = lambda std: jnp.array([[float(std) ** 2]])
    return column(mean_p), square(std_p), column(mean_q), square(std_q)


def one_gaussian(mean, cov):
    return theory.gaussian_mixture(np.atleast_2d(mean), covariances=np.asarray(cov)[None])


@hyp.settings(max_examples=25)
@hyp.given(laws=normals)
def test_closed_forms_on_the_line_against_adaptive_quadrature(laws):
    """scipy.integrate.quad of (sqrt p - sqrt q)^2 / 2 and (p - q)^2 / q."""
    normal: Any = scipy.stats.norm
    p, q = normal(*laws[:2]).pdf, normal(*laws[2:]).pdf
    integrals = [
        (theory.squared_hellinger_gaussian, lambda t: 0.5 * (p(t) ** 0.5 - q(t) ** 0.5) ** 2),
        (theory.chi2_gaussian, lambda t: (p(t) - q(t)) ** 2 / q(t)),
    ]
    for closed, integrand in integrals:
        exact = scipy.integrate.quad(integrand, -15, 15, points=[-1, 0, 1], limit=200)[0]
        np.testing.assert_allclose(closed(*matrices(*laws)), exact, rtol=1e-6, atol=1e-9)


@hyp.given(seed=seeds, d=st.integers(1, 4))
def test_closed_forms_in_space_against_their_definitions(seed, d):
    """Determinants and inverses; unchanged by an affine map of both; 0 for equal laws."""
    rng = np.random.default_rng(seed)
    spd = lambda: (lambda a: a @ a.T + 0.5 * np.eye(d))(rng.normal(size=(d, d)))
    m, n, s, t = rng.normal(size=d), rng.normal(size=d), spd(), spd()
    det, inv, gap = np.linalg.det, np.linalg.inv, m - n
    mean_cov = (s + t) / 2
    overlap = (det(s) * det(t)) ** 0.25 / det(mean_cov) ** 0.5
    overlap *= np.exp(-gap @ inv(mean_cov) @ gap / 8)
    call = lambda f, *args: float(f(*map(jnp.asarray, args)))
    hellinger = call(theory.squared_hellinger_gaussian, m, s, n, t)
    np.testing.assert_allclose(hellinger, 1 - overlap, rtol=1e-9, atol=1e-12)
    a = spd()
    moved = call(theory.squared_hellinger_gaussian, a @ m, a @ s @ a.T, a @ n, a @ t @ a.T)
    np.testing.assert_allclose(moved, hellinger, rtol=1e-6, atol=1e-9)
    wide = t + s  # 2 wide - s is positive definite
    other = 2 * wide - s
    chi2 = det(wide) / np.sqrt(det(s) * det(other)) * np.exp(gap @ inv(other) @ gap) - 1
    np.testing.assert_allclose(call(theory.chi2_gaussian, m, s, n, wide), chi2, rtol=1e-8)
    for f in (theory.squared_hellinger_gaussian, theory.chi2_gaussian):
        assert call(f, m, s, m, s) == 0


def test_twice_the_variance_is_infinitely_far():
    """chi^2 is finite just below, infinite at and above, in one direction of many too."""
    mean, narrow = jnp.zeros(2), jnp.eye(2)
    for ratio, finite in [(1.99, True), (2.0, False), (3.0, False)]:
        chi2 = theory.chi2_gaussian(mean, jnp.diag(jnp.array([ratio, 0.5])), mean, narrow)
        assert bool(jnp.isfinite(chi2)) is finite
        assert not bool(jnp.isnan(chi2))
    singular = jnp.diag(jnp.array([1.0, 0.0]))
    assert theory.chi2_gaussian(mean, singular, mean, narrow) == jnp.inf
    assert theory.squared_hellinger_gaussian(mean, singular, mean, narrow) == 1
    assert jnp.isnan(theory.squared_hellinger_gaussian(mean, singular, mean, singular))
    chi2_of_ratio = lambda r: theory.chi2_gaussian(mean, r * narrow, mean, narrow)
    assert jnp.isfinite(jax.grad(chi2_of_ratio)(1.0))
    assert jnp.isfinite(jax.grad(chi2_of_ratio)(3.0))


@pytest.mark.parametrize("d", [1, 2])
def test_mixture_quadrature_gives_the_closed_forms(d):
    """One tilted Gaussian against another: KL both ways, Hellinger, chi^2 both ways."""
    cov_p, cov_q = np.array([[1.0, 0.2], [0.2, 0.8]])[:d, :d], np.eye(2)[:d, :d]
    mean_p, mean_q = np.array([0.3, -0.2])[:d], np.zeros(d)
    p, q = one_gaussian(mean_p, cov_p), one_gaussian(mean_q, cov_q)
    forward = tuple(map(jnp.asarray, (mean_p, cov_p, mean_q, cov_q)))
    backward = forward[2:] + forward[:2]
    exact = {
        "kl": theory.kl_gaussian(*forward),
        "reverse_kl": theory.kl_gaussian(*backward),
        "squared_hellinger": theory.squared_hellinger_gaussian(*forward),
        "pearson": theory.chi2_gaussian(*forward),
        "neyman": theory.chi2_gaussian(*backward),
    }
    for name, value in exact.items():
        ours = theory.mixture_divergence(F_DIVERGENCES[name], p, q)
        np.testing.assert_allclose(ours.value, value, rtol=1e-9, atol=1e-11)
        assert abs(ours.value - value) <= ours.error + 1e-11


@pytest.mark.parametrize("name", sorted(F_DIVERGENCES))
def test_narrow_modes_on_the_line_against_adaptive_quadrature(name):
    """Deviations of 0.01 eight units apart, beside scipy's quad between the ends of the modes."""
    p = theory.gaussian_mixture([[0.0], [8.0]], stds=[0.01, 0.5], weights=[1.0, 3.0])
    q = theory.gaussian_mixture([[0.01], [8.0], [4.0]], stds=[0.012, 0.45, 2.0])
    ours = theory.mixture_divergence(F_DIVERGENCES[name], p, q)
    if name == "neyman":  # q has tails four times as wide as p's: the integral diverges
        assert ours.value > 1e6
        assert ours.error > 0.1 * ours.value or jnp.isinf(ours.value)
        return
    weights, means, stds = [0.25, 0.75], [0.0, 8.0], [0.01, 0.5]
    log_pdf = lambda t, w, m, s: scipy.special.logsumexp(
        [np.log(a) + scipy.stats.norm.logpdf(t, b, c) for a, b, c in zip(w, m, s, strict=True)],
        axis=0,
    )
    # The trapezium rule on a fine uniform grid in each zone: spectrally exact for smooth integrands
    # that vanish at the ends, and second order at TV's corners.
    total = 0.0
    for low, high, n in [(-16.0, -0.2, 20_001), (-0.2, 0.2, 200_001), (0.2, 24.0, 200_001)]:
        t = np.linspace(low, high, n)
        log_p = log_pdf(t, weights, means, stds)
        log_q = log_pdf(t, [1 / 3] * 3, [0.01, 8.0, 4.0], [0.012, 0.45, 2.0])
        a, b = np.exp(log_p), np.exp(log_q)
        with np.errstate(all="ignore"):
            values = {
                "kl": a * (log_p - log_q),
                "reverse_kl": b * (log_q - log_p),
                "js": 0.5 * (a * (log_p - np.logaddexp(log_p, log_q)))
                + 0.5 * (b * (log_q - np.logaddexp(log_p, log_q)))
                + 0.5 * (a + b) * np.log(2),
                "gan": a * (log_p - np.logaddexp(log_p, log_q))
                + b * (log_q - np.logaddexp(log_p, log_q)),
                "tv": 0.5 * np.abs(a - b),
                "squared_hellinger": 0.5 * (np.exp(log_p / 2) - np.exp(log_q / 2)) ** 2,
                "pearson": np.exp(2 * log_p - log_q) - 2 * a + b,
            }
        total += scipy.integrate.trapezoid(values[name], t)
    # Corners cost digits: of |p - q|, and of log p half-way between a narrow mode and a wide one.
    rtol = {"tv": 1e-4, "reverse_kl": 2e-4}.get(name, 1e-7)
    np.testing.assert_allclose(ours.value, total, rtol=rtol)
    assert abs(ours.value - total) <= 3 * ours.error + 1e-7 * abs(total)


def test_ring_in_the_plane_against_samples():
    """JS and TV of rings of 8 modes, 20 000 samples: 5 standard errors (6e-7 each)."""
    p, q = theory.ring(std=0.1), theory.ring(radius=1.1, std=0.15)
    x, y = p.sample(jax.random.key(0), 20_000), q.sample(jax.random.key(1), 20_000)
    logs = [jax.vmap(law.log_prob)(points) for points in (x, y) for law in (p, q)]
    for name in ("js", "tv"):
        exact = theory.mixture_divergence(F_DIVERGENCES[name], p, q, order=4)
        sampled = theory.f_divergence_samples(F_DIVERGENCES[name], *logs)
        assert abs(exact.value - sampled.value) < 5 * sampled.standard_error
        assert exact.error < 1e-3


def test_what_quadrature_cannot_do_is_refused():
    """Three dimensions, two dimensions against one, edges that do not increase."""
    solid = theory.gaussian_mixture(np.zeros((1, 3)), stds=1.0)
    line = theory.gaussian_mixture(np.zeros((1, 1)), stds=1.0)
    with pytest.raises(ValueError, match="1 or 2"):
        theory.mixture_divergence(F_DIVERGENCES["kl"], solid, solid)
    with pytest.raises(ValueError, match="one dimension"):
        theory.mixture_divergence(F_DIVERGENCES["kl"], line, theory.ring())
    with pytest.raises(ValueError, match="increase"):
        theory.piecewise_quadrature([0.0, 0.0, 1.0], 3)


def test_piecewise_quadrature_is_exact_across_a_corner():
    """|t| t^2 on [-1, 2] with an edge at 0: 1/4 + 4."""
    rule = theory.piecewise_quadrature([-1.0, 0.0, 2.0], 4)
    np.testing.assert_allclose(jnp.sum(rule.weights * jnp.abs(rule.nodes) ** 3), 4.25, rtol=1e-13)
