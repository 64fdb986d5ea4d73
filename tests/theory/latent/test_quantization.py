"""Vector quantisation: Lloyd's rounds beside scikit-learn, closed forms of scalar quantisers."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.cluster import KMeans

import theory

_rng = np.random.default_rng(0)
POINTS = _rng.normal(size=(300, 3)) + 4 * _rng.integers(0, 3, size=(300, 1))
START = POINTS[:7]


def lloyd(points, codebook, rounds):
    """The codebook after some rounds, and the inertia before each."""
    step = lambda codes, _: (theory.lloyd_round(points, codes), theory.inertia(points, codes))
    return jax.jit(lambda c: jax.lax.scan(step, c, None, length=rounds))(codebook)


def test_codes_are_the_nearest_by_the_matrix_of_distances():
    """Against all distances at once; the lowest index of several that are as near."""
    squares = ((POINTS[:, None] - START[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(theory.assign_codes(POINTS, START), squares.argmin(axis=1))
    np.testing.assert_allclose(theory.inertia(POINTS, START), squares.min(axis=1).sum(), rtol=1e-12)
    assert theory.assign_codes([[0.0]], [[1.0], [-1.0], [1.0]]).tolist() == [0]
    assert theory.assign_codes([[0.0], [3.0]], [[2.0], [2.0]]).tolist() == [0, 0]


def test_no_point_with_nan_has_a_code():
    """-1, whether the point or a code is NaN; and no count takes it for a code."""
    broken = [[np.nan, 0.0], [1.0, 1.0]]
    assert theory.assign_codes(broken, [[0.0, 0.0], [1.0, 1.0]]).tolist() == [-1, 1]
    assert theory.assign_codes([[0.0, 0.0]], [[0.0, 0.0], [1.0, np.nan]]).tolist() == [-1]
    assert theory.code_counts([-1, 1, 1, 2, 3], 3).tolist() == [0, 2, 1]
    with pytest.raises(ValueError, match="indices must be whole numbers"):
        theory.code_counts([0.5], 3)


def test_lloyd_never_raises_the_inertia_and_ends_where_scikit_learn_does():
    """From the same start, to rounding; more than one round was needed."""
    found, along = lloyd(jnp.asarray(POINTS), jnp.asarray(START), 60)
    assert (np.diff(along) <= 1e-9).all()
    assert along[2] < along[1] < along[0]
    own: Any = {"init": START, "n_init": 1, "algorithm": "lloyd", "max_iter": 60, "tol": 0}
    peer: Any = KMeans(7, **own).fit(POINTS)
    np.testing.assert_allclose(found, peer.cluster_centers_, rtol=1e-10)
    np.testing.assert_allclose(theory.inertia(POINTS, found), peer.inertia_, rtol=1e-10)


def test_a_round_is_a_newton_step_of_the_inertia():
    """The gradient by a code is 2 n (e - mean), so that 1/(2n) of it is Lloyd's round."""
    gradient = jax.grad(lambda codes: theory.inertia(POINTS, codes))(jnp.asarray(START))
    sizes = theory.code_counts(theory.assign_codes(POINTS, START), len(START))[:, None]
    stepped = START - gradient / (2 * sizes.astype(float))
    np.testing.assert_allclose(theory.lloyd_round(POINTS, START), stepped, rtol=1e-10)


def test_a_code_with_an_empty_cell_is_kept():
    """However far it is; the other takes the mean of all."""
    found = theory.lloyd_round([[0.0, 1.0], [2.0, 3.0]], [[1.0, 1.0], [100.0, 100.0]])
    np.testing.assert_allclose(found, [[1.0, 2.0], [100.0, 100.0]])


def test_the_perplexity_of_equal_counts_is_their_number():
    """And 1 for a single code, whatever the scale; e to the entropy of SciPy for any counts."""
    for k in (1, 2, 17):
        np.testing.assert_allclose(theory.perplexity(np.full(k, 3)), k)
    np.testing.assert_allclose(theory.perplexity([0, 0, 9, 0]), 1)
    counts = [3, 1, 0, 5]
    np.testing.assert_allclose(theory.perplexity(counts), np.exp(stats.entropy(counts)))
    assert np.isnan(theory.perplexity([0, 0]))
    assert np.isfinite(jax.grad(theory.perplexity)(jnp.asarray([3.0, 0.0, 1.0]))).all()


@pytest.mark.parametrize("k", [1, 2, 5, 16])
def test_even_codes_are_optimal_for_a_uniform_law(k):
    """Fixed by Lloyd's round, with the error w²/(12 k²) of high resolution, exact for every k.

    On a grid of m points in the middle of m cells the mean square in a cell is that of the interval
    times 1 - (k/m)², which is exact too.
    """
    m = 160
    low, width = -1.0, 3.0
    points = low + width * (np.arange(m) + 0.5)[:, None] / m
    codes = low + width * (np.arange(k) + 0.5)[:, None] / k
    np.testing.assert_allclose(theory.lloyd_round(points, codes), codes, rtol=1e-12)
    rule = theory.quadrature(low, low + width, 8)
    log_p = np.full(8, -math.log(width))
    expected = theory.high_resolution_error(log_p, rule.weights, k)
    np.testing.assert_allclose(expected, width**2 / (12 * k**2), rtol=1e-12)
    found = theory.quantization_error(points, codes).value
    np.testing.assert_allclose(found, expected * (1 - (k / m) ** 2), rtol=1e-10)
    bound = theory.distortion_lower_bound(math.log(width), k)
    np.testing.assert_allclose(bound, expected * 6 / (math.pi * math.e), rtol=1e-12)


def test_quantisers_of_a_normal_law_tend_to_panter_and_dite():
    """Max's table (1960): 1 - 2/π for 2 codes, 0.1175 for 4, 0.002499 for 32.

    On 5000 quantiles, whose cells are even within a percent; high resolution is 6 % above the last,
    and no error is below Shannon's.
    """
    count = 5000
    quantiles = stats.norm.ppf((np.arange(count) + 0.5) / count)[:, None]
    for k, rounds, best in ((2, 20, 1 - 2 / math.pi), (4, 40, 0.1175), (32, 100, 0.002499)):
        # Codes of the density p^(1/3): quantiles of a deviation of √3.
        start = math.sqrt(3) * stats.norm.ppf((np.arange(k) + 0.5) / k)[:, None]
        codes, _ = lloyd(jnp.asarray(quantiles), jnp.asarray(start), rounds)
        error = float(theory.quantization_error(quantiles, codes).value)
        np.testing.assert_allclose(error, best, rtol=0.02)
        bound = theory.distortion_lower_bound(0.5 * math.log(2 * math.pi * math.e), k)
        np.testing.assert_allclose(bound, 1 / k**2)
        assert error > bound
    rule = theory.quadrature(-30, 30, 400)
    limit = theory.high_resolution_error(stats.norm.logpdf(rule.nodes), rule.weights, 32)
    np.testing.assert_allclose(limit, math.sqrt(3) * math.pi / (2 * 32**2), rtol=1e-6)
    assert 0.92 < 0.002499 / limit < 0.96


def test_memory_is_linear_in_the_points():
    """No array of n times k times d is made: a million distances of 200 numbers in 16 MB."""
    points, codes = jnp.zeros((10_000, 200)), jnp.zeros((100, 200))
    memory: Any = jax.jit(theory.assign_codes).lower(points, codes).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 3 * points.nbytes
