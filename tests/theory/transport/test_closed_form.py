"""Distances against scipy, against quadrature, against plans, and each other."""

import itertools

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.stats

import theory

seeds = st.integers(0, 2**31 - 1)
sizes = st.sampled_from([1, 2, 5, 12])  # each pair of sizes is a program to compile


def clouds(seed, n, m, d=None):
    rng = np.random.default_rng(seed)
    shape = (lambda k: (k,)) if d is None else (lambda k: (k, d))
    a, b = rng.uniform(0.1, 1, n), rng.uniform(0.1, 1, m)
    return rng.normal(size=shape(n)), rng.normal(size=shape(m)), a / a.sum(), b / b.sum()


@hyp.given(seed=seeds, n=sizes, m=sizes)
def test_w1_on_the_line_is_the_area_between_distribution_functions(seed, n, m):
    """Against scipy.stats, sizes and weights unequal."""
    x, y, a, b = clouds(seed, n, m)
    ours = theory.wasserstein_1d(*map(jnp.asarray, (x, y, a, b)))
    np.testing.assert_allclose(ours, scipy.stats.wasserstein_distance(x, y, a, b), rtol=1e-10)


@hyp.given(seed=seeds, n=sizes, m=sizes, p=st.sampled_from([1.0, 1.5, 2.0, 3.0]))
def test_the_line_and_the_plan_agree(seed, n, m, p):
    """Quantiles against the network simplex, for every p."""
    x, y, a, b = clouds(seed, n, m)
    line = theory.wasserstein_1d(*map(jnp.asarray, (x, y, a, b)), p=p)
    np.testing.assert_allclose(line, theory.optimal_transport(x, y, a, b, p=p).distance, rtol=1e-9)


def test_identical_clouds_are_at_distance_zero():
    """Also of one point, and with a finite gradient."""
    x = jnp.array([1.0, -2.0, 5.0])
    assert theory.wasserstein_1d(x, x) == 0
    assert theory.wasserstein_1d(x, x, p=2) == 0
    assert theory.wasserstein(np.ones((1, 3)), np.ones((1, 3))) == 0
    gradient = jax.grad(lambda v: theory.wasserstein_1d(v, x, p=2))(x)
    assert bool(jnp.all(jnp.isfinite(gradient)))


@pytest.mark.parametrize("shift", [-2.5, 0.0, 1e-3, 40.0])
@pytest.mark.parametrize("p", [1.0, 2.0])
def test_a_shift_costs_its_length(shift, p):
    """W_p(x, x + c) = |c|, under jit."""
    x = jax.random.normal(jax.random.key(0), (20,))
    distance = jax.jit(lambda v: theory.wasserstein_1d(v, v + shift, p=p))(x)
    np.testing.assert_allclose(distance, abs(shift), atol=1e-7)


normals = st.tuples(st.floats(-5, 5), st.floats(0.05, 4), st.floats(-5, 5), st.floats(0.05, 4))


@hyp.settings(max_examples=15)
@hyp.given(laws=normals)
def test_w1_of_normals_is_the_mean_of_a_folded_normal(laws):
    """Closed form, quadrature of quantiles, and scipy's integral of |F - G|."""
    closed = float(theory.wasserstein1_normal(*laws))
    p, q = scipy.stats.norm(*laws[:2]), scipy.stats.norm(*laws[2:])
    edges = sorted([p.ppf(1e-14), q.ppf(1e-14), laws[0], laws[2], p.isf(1e-14), q.isf(1e-14)])
    if laws[1] != laws[3]:  # where F and G cross the integrand has a corner, which quad can miss
        corner = (laws[0] * laws[3] - laws[2] * laws[1]) / (laws[3] - laws[1])
        edges = sorted([*edges, np.clip(corner, edges[0], edges[-1])])
    area = sum(
        scipy.integrate.quad(lambda t: abs(p.cdf(t) - q.cdf(t)), lo, hi, epsabs=1e-11)[0]
        for lo, hi in itertools.pairwise(edges)
        if hi - lo > 1e-9
    )
    np.testing.assert_allclose(closed, area, rtol=1e-6, atol=1e-8)
    quantile = lambda mean, std: theory.Normal(mean, std).quantile
    by_quantiles = theory.wasserstein_1d_quantiles(quantile(*laws[:2]), quantile(*laws[2:]))
    # The integrand has a corner where the quantile functions cross: error of order 1 / num^2.
    np.testing.assert_allclose(closed, by_quantiles, rtol=1e-5, atol=1e-6)


@hyp.given(laws=normals)
def test_w2_of_normals_three_ways(laws):
    """sqrt(dm^2 + ds^2), the Bures formula in one dimension, and quantiles."""
    exact = np.hypot(laws[0] - laws[2], laws[1] - laws[3])
    as_matrix = lambda v: jnp.full((1, 1), v**2)
    bures = theory.wasserstein2_gaussian(
        jnp.array([laws[0]]), as_matrix(laws[1]), jnp.array([laws[2]]), as_matrix(laws[3])
    )
    # A difference of near equals under a root: half the digits where the deviations coincide.
    np.testing.assert_allclose(bures, exact, rtol=1e-6, atol=1e-7)
    quantile = lambda mean, std: theory.Normal(mean, std).quantile
    by_quantiles = theory.wasserstein_1d_quantiles(quantile(*laws[:2]), quantile(*laws[2:]), p=2.0)
    np.testing.assert_allclose(by_quantiles, exact, rtol=1e-6, atol=1e-12)


@hyp.given(seed=seeds, d=st.integers(1, 5), rank=st.integers(0, 5))
def test_w2_of_gaussians_against_the_matrix_root(seed, d, rank):
    """scipy's sqrtm for the definition, one covariance singular."""
    rng = np.random.default_rng(seed)
    half_x, half_y = rng.normal(size=(d, min(rank, d))), rng.normal(size=(d, d + 1))
    cov_x, cov_y = half_x @ half_x.T, half_y @ half_y.T
    mean_x, mean_y = rng.normal(size=(2, d))
    root = np.real(scipy.linalg.sqrtm(cov_y)) if d else cov_y
    inner = np.linalg.eigvalsh(root @ cov_x @ root)
    squared = np.sum((mean_x - mean_y) ** 2) + np.trace(cov_x + cov_y)
    squared -= 2 * np.sum(np.sqrt(np.maximum(inner, 0)))
    ours = theory.wasserstein2_gaussian(*map(jnp.asarray, (mean_x, cov_x, mean_y, cov_y)))
    np.testing.assert_allclose(ours, np.sqrt(squared), rtol=1e-6)


def test_w2_of_a_gaussian_with_itself_is_zero():
    """To half the digits, which is what a root of rounding leaves."""
    cov = jnp.array([[2.0, 0.3], [0.3, 0.1]])
    assert theory.wasserstein2_gaussian(jnp.ones(2), cov, jnp.ones(2), cov) < 1e-7


def test_gaussian_samples_approach_the_closed_form():
    """W1 of 4000 samples a side: within 0.15, five times its typical error of 0.03."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, 4000), rng.normal(1.5, 2, 4000)
    sampled = theory.wasserstein_1d(jnp.asarray(x), jnp.asarray(y))
    assert abs(sampled - theory.wasserstein1_normal(0, 1, 1.5, 2)) < 0.15


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [1, 2, 7.5, 50, 300])
def test_no_power_overflows_on_the_line(p, dtype):
    """One gap of 50 among three of 0: 50 / 4^(1/p), in float32 too, where 50^50 is infinite."""
    x, y = np.array([0, 1, 2, 53], dtype), np.array([0, 1, 2, 3], dtype)
    np.testing.assert_allclose(theory.wasserstein_1d(x, y, p=p), 50 / 4 ** (1 / p), rtol=1e-5)
    jitted = jax.jit(lambda p: theory.wasserstein_1d(x, y, p=p))
    np.testing.assert_allclose(jitted(p), 50 / 4 ** (1 / p), rtol=1e-5)


@hyp.given(seed=st.integers(0, 2**31 - 1), p=st.sampled_from([1, 2, 3.5]))
def test_points_without_weight_change_nothing(seed, p):
    """Anywhere, at 1e6 too: exactly so in single precision, whatever their sums round to."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=500).astype(np.float32), rng.normal(size=300).astype(np.float32)
    a, b = rng.random(500).astype(np.float32), rng.random(300).astype(np.float32)
    far = np.array([1e6, -1e6, 0], np.float32)
    with_more = theory.wasserstein_1d(np.append(x, far), y, np.append(a, [0, 0, 0]), b, p=p)
    # The sum over 503 weights may round otherwise than that over 500, by units of rounding.
    np.testing.assert_allclose(with_more, theory.wasserstein_1d(x, y, a, b, p=p), rtol=3e-5)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (4, 6), (3, 7), (1, 8)])
@pytest.mark.parametrize("p", [1, 2, 9, np.inf])
def test_equal_weights_given_or_not(n, m, p):
    """The merge that is known beforehand and the one by sorting levels; scipy's linear programme
    for p < inf, and the largest gap of the coarsest common refinement for p = inf."""
    rng = np.random.default_rng(10 * n + m)
    x, y = rng.normal(size=n), rng.normal(size=m)
    plain = theory.wasserstein_1d(x, y, p=p)
    fine = np.abs(np.repeat(np.sort(x), m) - np.repeat(np.sort(y), n))
    expected = fine.max() if np.isinf(p) else (fine**p).mean() ** (1 / p)
    np.testing.assert_allclose(plain, expected, rtol=1e-12)
    if not np.isinf(p):
        weighted = theory.wasserstein_1d(x, y, np.ones(n), np.ones(m), p=p)
        np.testing.assert_allclose(weighted, expected, rtol=1e-6)


def test_w2_near_equal_gaussians_keeps_its_digits():
    """N(0, s^2 I) against N(0, I) at s = 1 + 1e-9: sqrt(d) 1e-9, though all traces are 4."""
    zero, eye = jnp.zeros(4), jnp.eye(4)
    distance = theory.wasserstein2_gaussian(zero, (1 + 1e-9) ** 2 * eye, zero, eye)
    np.testing.assert_allclose(distance, 2e-9, rtol=1e-6)
