"""Two-sample metrics on equal and on shifted laws, whose values are known."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.special
import scipy.stats

import theory

seeds = st.integers(0, 2**31 - 1)


def two_clouds(seed, n=40, m=30, d=3):
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(d, d))
    return jnp.asarray(rng.normal(size=(n, d)) @ mix), jnp.asarray(rng.normal(size=(m, d)) + 0.5)


@hyp.settings(max_examples=15)
@hyp.given(seed=seeds, d=st.sampled_from([1, 3]))
def test_frechet_against_the_matrix_root(seed, d):
    """scipy's sqrtm and NumPy's moments; symmetric; a shift costs |delta|^2 and nothing else."""
    x, y = two_clouds(seed, d=d)
    ours = theory.frechet_distance(x, y)
    s, t = (np.atleast_2d(np.cov(np.asarray(c).T)) for c in (x, y))
    root = np.trace(np.real(scipy.linalg.sqrtm(s @ t)))
    exact = np.sum(np.square(np.mean(x, axis=0) - np.mean(y, axis=0))) + np.trace(s + t) - 2 * root
    np.testing.assert_allclose(ours.distance, exact, rtol=1e-6)
    np.testing.assert_allclose(ours.distance, theory.frechet_distance(y, x).distance, rtol=1e-8)
    assert ours.sizes == (40, 30)
    shifted = theory.frechet_distance(x, x + 2.0)
    np.testing.assert_allclose(shifted.distance, 4 * d, rtol=1e-6)
    assert shifted.covariance_part < 1e-12 * float(jnp.trace(jnp.asarray(s))) + 1e-12


def test_frechet_with_fewer_samples_than_dimensions():
    """Singular covariances: real, finite, 0 for equal clouds; one point has no covariance."""
    x, y = two_clouds(0, 4, 5, 12)
    assert float(theory.frechet_distance(x, y).distance) > 0
    np.testing.assert_allclose(theory.frechet_distance(x, x).distance, 0, atol=1e-12)
    with pytest.raises(ValueError, match="at least two points"):
        theory.frechet_distance(x[:1], y)


@pytest.mark.parametrize("sizes", [(300, 300), (200, 800)])
def test_the_bias_of_frechet_between_equal_laws(sizes):
    """The mean of 200 draws in 5 dimensions: within 5 standard errors (6e-7) and 3 per cent.

    The formula is of first order in d / n, at most 5 / 200 here.
    """
    covariance = jnp.diag(jnp.array([4.0, 2.0, 1.0, 0.5, 0.1]))
    root = jnp.sqrt(covariance)

    def draw(key):
        clouds = (
            jax.random.normal(k, (n, 5)) @ root
            for k, n in zip(jax.random.split(key), sizes, strict=True)
        )
        return theory.frechet_distance(*clouds).distance

    draws = np.asarray(jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), 200)))
    error = draws.std(ddof=1) / np.sqrt(len(draws))
    expected = float(theory.frechet_bias(covariance, *sizes))
    assert abs(draws.mean() - expected) < 5 * error + 0.03 * expected
    assert error < 0.06 * expected


def kid_by_hand(x, y):
    """The three sums over pairs, with loops' meaning and NumPy's matrices."""
    gram = lambda u, v: (np.asarray(u) @ np.asarray(v).T / u.shape[1] + 1) ** 3
    off = lambda k: (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))
    return off(gram(x, x)) + off(gram(y, y)) - 2 * gram(x, y).mean()


@hyp.settings(max_examples=10)
@hyp.given(seed=seeds)
def test_kid_is_its_sums_and_its_error_a_jackknife(seed):
    """The jackknife by leaving out each point in turn."""
    x, y = two_clouds(seed, 9, 7)
    ours = jax.jit(theory.mmd2_unbiased)(x, y)
    np.testing.assert_allclose(ours.value, kid_by_hand(x, y), rtol=1e-9)
    without_x = [kid_by_hand(np.delete(x, i, 0), y) for i in range(9)]
    without_y = [kid_by_hand(x, np.delete(y, i, 0)) for i in range(7)]
    variance = 8 * np.var(without_x) + 6 * np.var(without_y)
    np.testing.assert_allclose(ours.standard_error, np.sqrt(variance), rtol=1e-8)


def test_kid_of_normals_is_a_sum_over_moments():
    """On the line MMD^2 = sum_k C(3, k) (m_k - m'_k)^2 for (xy + 1)^3: unbiased, error right.

    500 draws of 60 points: the mean within 5 standard errors (6e-7); the jackknife's square at
    least 0.8 times the variance (its mean is above; this allows for the noise of both).
    """
    moments = lambda mean, std: [mean, mean**2 + std**2, mean**3 + 3 * mean * std**2]
    gaps = np.subtract(moments(0.0, 1.0), moments(0.4, 1.2))
    exact = np.sum(scipy.special.comb(3, [1, 2, 3]) * gaps**2)

    def draw(key):
        key_x, key_y = jax.random.split(key)
        x, y = jax.random.normal(key_x, (60, 1)), jax.random.normal(key_y, (60, 1))
        return theory.mmd2_unbiased(x, 0.4 + 1.2 * y)

    draws = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), 500))
    values = np.asarray(draws.value)
    assert abs(values.mean() - exact) < 5 * values.std(ddof=1) / np.sqrt(500)
    assert np.mean(np.square(draws.standard_error)) > 0.8 * values.var(ddof=1)


def test_equal_laws_have_no_mmd_and_gaussians_the_closed_form():
    """0 and the closed form within 5 standard errors (6e-7); a singular covariance; 2 far apart."""
    key_x, key_y = jax.random.split(jax.random.key(1))
    x = jax.random.normal(key_x, (300, 2))
    root = jnp.array([[1.0, 0.0], [0.5, 0.8]])
    y = jax.random.normal(key_y, (250, 2))
    kernel = theory.gaussian_kernel(0.9)
    same = theory.mmd2_unbiased(x, y, kernel)
    assert abs(same.value) < 5 * same.standard_error
    shift = jnp.array([0.3, -0.2])
    moved = theory.mmd2_unbiased(x, y @ root.T + shift[None, :], kernel)
    exact = theory.mmd2_gaussian(jnp.zeros(2), jnp.eye(2), shift, root @ root.T, 0.9)
    assert abs(moved.value - exact) < 5 * moved.standard_error
    assert moved.standard_error < 0.4 * exact
    points = theory.mmd2_gaussian(jnp.zeros(2), jnp.zeros((2, 2)), 50 + shift, jnp.zeros((2, 2)), 1)
    np.testing.assert_allclose(points, 2.0)
    assert theory.mmd2_gaussian(shift, root @ root.T, shift, root @ root.T, 0.9) == 0
    assert jnp.isnan(theory.mmd2_unbiased(x[:2], y).standard_error)
    with pytest.raises(ValueError, match="at least two points"):
        theory.mmd2_unbiased(x[:1], y)


def test_the_closed_form_of_mmd_by_quadrature():
    """E k over a product rule for two normals on the line; two points at a distance of 1.5."""
    rule, kernel = theory.quadrature(-10, 10, 120), theory.gaussian_kernel(0.7)
    laws = theory.Normal(0.2, 1.0), theory.Normal(-0.5, 0.6)
    difference = jnp.exp(laws[0].log_prob(rule.nodes)) - jnp.exp(laws[1].log_prob(rule.nodes))
    signed = rule.weights * difference
    gram = jax.vmap(lambda u: jax.vmap(lambda v: kernel(u, v))(rule.nodes))(rule.nodes)
    closed = theory.mmd2_gaussian(
        jnp.array([0.2]), jnp.eye(1), jnp.array([-0.5]), 0.36 * jnp.eye(1), 0.7
    )
    np.testing.assert_allclose(closed, signed @ gram @ signed, rtol=1e-9)
    point = jnp.zeros((1, 1))
    apart = theory.mmd2_gaussian(jnp.zeros(1), point, jnp.array([1.5]), point, 0.7)
    np.testing.assert_allclose(apart, 2 - 2 * np.exp(-0.5 * (1.5 / 0.7) ** 2), rtol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3, 10])
def test_the_share_of_high_quality(d):
    """scipy's chi distribution; 98.889 per cent in the plane."""
    np.testing.assert_allclose(theory.high_quality_share(d), scipy.stats.chi(d).cdf(3), rtol=1e-10)
    np.testing.assert_allclose(theory.high_quality_share(2), 1 - np.exp(-4.5), rtol=1e-12)


def test_the_true_ring_scores_what_it_must():
    """2 500 samples: 8 modes, 98.889 % within 5 standard errors, reverse KL below 1 / 100 nats.

    Its reverse KL is chi^2_7 / 2n: above 0.01 with probability 5e-8; the share's error is 6e-7.
    """
    law = theory.ring()
    samples = law.sample(jax.random.key(0), 2500)
    ours = jax.jit(theory.mode_coverage)(samples, law.means, 0.01)
    share = float(theory.high_quality_share(2))
    assert ours.captured == 8
    assert abs(ours.high_quality - share) < 5 * np.sqrt(share * (1 - share) / 2500)
    assert 0 <= ours.reverse_kl < 0.01
    assert jnp.sum(ours.counts) == round(float(ours.high_quality) * 2500)


def test_collapsed_shifted_and_weighted_modes():
    """One mode of K: log K. Four of eight: log 2. Far away: nothing, and no reverse KL."""
    law = theory.ring()
    one = theory.mode_coverage(jnp.tile(law.means[:1], (5, 1)), law.means, 0.01)
    assert (int(one.captured), float(one.high_quality)) == (1, 1.0)
    np.testing.assert_allclose(one.reverse_kl, np.log(8), rtol=1e-12)
    half = theory.mode_coverage(law.means[::2], law.means, 0.01)
    np.testing.assert_allclose(half.reverse_kl, np.log(2), rtol=1e-12)
    away = theory.mode_coverage(law.means + 0.05, law.means, 0.01)
    assert (int(away.captured), float(away.high_quality)) == (0, 0.0)
    assert jnp.isnan(away.reverse_kl)
    labels = jnp.array([0, 0, 0, 1, -1, 7])
    weighted = theory.occupancy(labels, 2, jnp.array([3.0, 1.0]))
    np.testing.assert_allclose(weighted.reverse_kl, 0, atol=1e-15)
    np.testing.assert_allclose(weighted.high_quality, 4 / 6)
    np.testing.assert_array_equal(weighted.counts, [3, 1])
    assert theory.occupancy(labels, 2, jnp.array([0.0, 1.0])).reverse_kl == jnp.inf


def test_single_precision_stays_single():
    """Features in float32 give float32 everywhere, under strict promotion, near the float64."""
    double = two_clouds(3, 40, 30)
    single = tuple(cloud.astype(jnp.float32) for cloud in double)
    along = theory.slice_directions(jax.random.key(0), 8, 3)
    metrics = {
        "frechet": lambda x, y: theory.frechet_distance(x, y).distance,
        "kid": lambda x, y: theory.mmd2_unbiased(x, y).value,
        "density": lambda x, y: theory.prdc(x, y, 3).density,
        "ratio": lambda x, y: jnp.mean(theory.nearest_neighbour_ratios(x, y)),
        "quality": lambda x, y: theory.mode_coverage(x, y[:4], 1.0).reverse_kl,
        "sliced": lambda x, y: theory.sliced_wasserstein(x, y, along.astype(x.dtype)).value,
        "sinkhorn": lambda x, y: theory.sinkhorn(jnp.abs(x @ y.T), 1.0, tol=1e-5).value,
    }
    for name, metric in metrics.items():
        value = jax.jit(metric)(*single)
        assert value.dtype == jnp.float32, name
        np.testing.assert_allclose(value, jax.jit(metric)(*double), rtol=2e-3, err_msg=name)
