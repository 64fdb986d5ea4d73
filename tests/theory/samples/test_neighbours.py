"""Precision, recall, density, coverage and memorisation, by their definitions and expectations."""

import itertools

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.distance

import theory

seeds = st.integers(0, 2**31 - 1)


def prdc_by_hand(real, fake, k):
    """Naeem et al.'s definitions with whole distance matrices."""
    cdist = scipy.spatial.distance.cdist
    radius = lambda cloud: np.sort(cdist(cloud, cloud), axis=1)[:, k]
    across = cdist(real, fake)
    in_real, in_fake = across < radius(real)[:, None], across < radius(fake)[None, :]
    return [
        in_real.any(axis=0).mean(),
        in_fake.any(axis=1).mean(),
        in_real.sum(axis=0).mean() / k,
        in_real.any(axis=1).mean(),
    ]


@hyp.settings(max_examples=15)
@hyp.given(seed=seeds, k=st.sampled_from([1, 3]))
def test_prdc_is_its_definition(seed, k):
    """Sizes differ; a shift of both far from 0 changes nothing."""
    rng = np.random.default_rng(seed)
    real, fake = rng.normal(size=(30, 4)), 0.8 * rng.normal(size=(20, 4)) + 0.3
    expected = prdc_by_hand(real, fake, k)
    np.testing.assert_allclose(theory.prdc(jnp.asarray(real), jnp.asarray(fake), k), expected)
    far = theory.prdc(jnp.asarray(real + 1000), jnp.asarray(fake + 1000), k)
    np.testing.assert_allclose(far, expected)


@pytest.mark.parametrize(("n", "m"), [(256, 300), (600, 10), (257, 513)])
def test_prdc_in_blocks_is_its_definition(n, m):
    """Sizes at, below and above whole blocks of rows."""
    rng = np.random.default_rng(n)
    real, fake = rng.normal(size=(n, 3)), 0.7 * rng.normal(size=(m, 3)) + 0.2
    ours = theory.prdc(jnp.asarray(real), jnp.asarray(fake), 4)
    np.testing.assert_allclose(ours, prdc_by_hand(real, fake, 4))


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("d", [1, 2, 20])
def test_identical_clouds_disjoint_clouds_and_chunks(d, k):
    """1, 1, 1, 1: each ball holds its centre and k - 1 more; then 0, 0, 0, 0. 600 points."""
    cloud = jax.random.normal(jax.random.key(0), (600, d))
    np.testing.assert_allclose(theory.prdc(cloud, cloud, k), 1.0)
    np.testing.assert_allclose(theory.prdc(cloud, cloud + 100, k), 0.0)
    copies = jnp.zeros((10, d))
    np.testing.assert_array_equal(theory.prdc(copies, copies, k), 0.0)  # every ball is empty


def test_equal_laws_have_density_one_and_the_coverage_of_the_formula():
    """400 draws of 20 real and 30 fake points: 5 standard errors of the mean (6e-7 each)."""

    def draw(key):
        key_real, key_fake = jax.random.split(key)
        real, fake = jax.random.normal(key_real, (20, 2)), jax.random.normal(key_fake, (30, 2))
        return theory.prdc(real, fake, 3)

    draws = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), 400))
    for values, exact in [
        (draws.density, 1.0),
        (draws.coverage, theory.equal_laws_coverage(20, 30, 3)),
    ]:
        error = jnp.std(values, ddof=1) / np.sqrt(400)
        assert abs(jnp.mean(values) - exact) < 5 * error
        assert error < 0.03
    assert theory.equal_laws_coverage(1000, 1000, 5) > 0.96


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_coverage_of_equal_laws_by_counting(k):
    """All orders, by distance from one of 4 real points, of the 3 others and of 3 fake ones."""
    orders = list(itertools.combinations(range(6), 3))  # where the real ones stand
    covered = [set(range(k)) - set(real) != set() for real in orders]
    np.testing.assert_allclose(theory.equal_laws_coverage(4, 3, k), np.mean(covered))


@pytest.mark.parametrize("k", [0, 10])
def test_impossible_neighbours_are_refused(k):
    """Less than the first, more than there are."""
    cloud = jnp.zeros((10, 2))
    with pytest.raises(ValueError, match="k must be from 1 to 9"):
        theory.prdc(cloud, cloud, k)
    with pytest.raises(ValueError, match="at least two training points"):
        theory.nearest_neighbour_ratios(cloud, cloud[:1])


@hyp.settings(max_examples=10)
@hyp.given(seed=seeds)
def test_ratios_are_those_of_sorted_distances(seed):
    """scipy's distances; 0 for copies, exactly, of one point or of several."""
    rng = np.random.default_rng(seed)
    generated, train = rng.normal(size=(12, 3)), rng.normal(size=(25, 3))
    ordered = np.sort(scipy.spatial.distance.cdist(generated, train), axis=1)
    ours = theory.nearest_neighbour_ratios(jnp.asarray(generated), jnp.asarray(train))
    np.testing.assert_allclose(ours, ordered[:, 0] / ordered[:, 1], rtol=1e-9)
    copies = jnp.asarray(train[:12] + 0.0)
    np.testing.assert_array_equal(theory.nearest_neighbour_ratios(copies, jnp.asarray(train)), 0)
    twice = jnp.asarray(np.concatenate([train, train]))
    np.testing.assert_array_equal(theory.nearest_neighbour_ratios(copies, twice), 0)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_ratios_of_samples_that_ignore_the_training_set(d):
    """E ratio = d / (d + 1) far inside a uniform cloud: 5 standard errors and 1 / 100 for edges.

    Each of 500 generated points has 2000 training points of its own, in a box around it, so that
    none share neighbours. False alarms: 6e-7.
    """

    def draw(key):
        train = jax.random.uniform(key, (2000, d), minval=-1.0)
        return theory.nearest_neighbour_ratios(jnp.zeros((1, d)), train)[0]

    ratios = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), 500))
    error = jnp.std(ratios, ddof=1) / np.sqrt(500)
    assert abs(jnp.mean(ratios) - d / (d + 1)) < 5 * error + 0.01


def test_memorisation_is_seen_and_not_imagined():
    """Copies: 1. Held-out copies: 0. A fresh sample: n / (n + k), 400 draws, 5 standard errors."""
    train, held_out, _ = jax.random.normal(jax.random.key(0), (3, 50, 4))
    assert theory.memorised_share(train, train, held_out).value == 1
    assert theory.memorised_share(held_out, train, held_out).value == 0
    np.testing.assert_allclose(theory.memorised_share(train, train, train).value, 0.5)

    def draw(key):
        cloud = jax.random.normal(key, (40, 2))
        return theory.memorised_share(cloud[:10], cloud[10:30], cloud[30:]).value

    shares = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(1), 400))
    error = jnp.std(shares, ddof=1) / np.sqrt(400)
    assert abs(jnp.mean(shares) - 20 / 30) < 5 * error
    assert jnp.isnan(theory.memorised_share(train[:1], train, held_out).standard_error)


def clustered(rng, n, d, dtype):
    """Three clusters a thousand times as narrow as they are far from each other."""
    return (1e-3 * rng.normal(size=(n, d)) + rng.integers(0, 3, (n, 1))).astype(dtype)


@pytest.mark.parametrize("d", [2, 16, 17, 100])
@pytest.mark.parametrize("unit", [2.0**-90, 1.0, 2.0**90])
def test_close_points_far_from_the_origin_in_single_precision(d, unit):
    """Float64's brute force to one pair in ten thousand, by differences and by products.

    Distances are a thousandth of the norms, so that an expansion of the square in float32 has no
    right digit; units are powers of two, in which squares leave the range of float32.
    """
    rng = np.random.default_rng(d)
    real, fake = (clustered(rng, n, d, np.float32) for n in (300, 260))
    ours = theory.prdc(unit * real, unit * fake, 5)
    np.testing.assert_allclose(ours, prdc_by_hand(real, fake, 5), atol=2e-4)


def test_the_ring_in_single_precision():
    """Eight modes of deviation 0.01 on a circle: what float64 says of the same numbers."""
    real, fake = (
        np.asarray(theory.ring().sample(jax.random.key(seed), 800), np.float32) for seed in (0, 1)
    )
    np.testing.assert_allclose(theory.prdc(real, fake, 5), prdc_by_hand(real, fake, 5), atol=3e-4)


@pytest.mark.parametrize("d", [2, 40])
def test_one_far_point_changes_nothing_for_the_others(d):
    """A fake point at 1e6 to 1e30 in float32: density and precision lose its own share only."""
    rng = np.random.default_rng(0)
    real, fake = (rng.normal(size=(200, d)).astype(np.float32) for _ in range(2))
    without = theory.prdc(real, fake[1:], 5)
    for distance in (1e6, 1e30):
        fake[0] = distance
        ours = theory.prdc(real, fake, 5)
        share = 199 / 200
        np.testing.assert_allclose(ours.precision, share * without.precision, rtol=1e-6)
        np.testing.assert_allclose(ours.density, share * without.density, rtol=1e-6)
        np.testing.assert_allclose(ours.coverage, without.coverage, rtol=1e-6)


@pytest.mark.parametrize("d", [2, 20])
def test_ties_on_whole_numbers(d):
    """Points of a grid, many at one distance: the k-th neighbour itself is outside, always."""
    rng = np.random.default_rng(1)
    real, fake = (rng.integers(0, 3, (90, d)) for _ in range(2))
    for dtype in (np.uint8, np.float32, np.float64):
        ours = theory.prdc(real.astype(dtype), fake.astype(dtype), 4)
        np.testing.assert_allclose(ours, prdc_by_hand(real, fake, 4), rtol=1e-6)


@pytest.mark.parametrize("d", [3, 50])
@pytest.mark.parametrize("n", [20, 3000])
def test_nearest_neighbours_are_those_of_sorted_distances(n, d):
    """scipy's distances and places, in float32, of clusters far from the origin."""
    rng = np.random.default_rng(n)
    points, cloud = (clustered(rng, m, d, np.float32) for m in (15, n))
    found = theory.nearest_neighbours(points, cloud, 4)
    distances = scipy.spatial.distance.cdist(points.astype(float), cloud.astype(float))
    np.testing.assert_allclose(found.distances, np.sort(distances, axis=1)[:, :4], rtol=1e-5)
    at = np.take_along_axis(distances, np.asarray(found.indices), axis=1)
    np.testing.assert_allclose(found.distances, at, rtol=1e-5)
