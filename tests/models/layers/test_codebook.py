"""Codebooks: nearest codes, straight-through gradients, moving averages, revived codes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import models

KEY = jax.random.key(0)
updated = eqx.filter_jit(lambda book, z, key: book.updated(z, key))
CODES = jax.random.normal(KEY, (7, 3))
Z = jax.random.normal(jax.random.key(1), (4, 5, 3))


@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_nearest_is_the_least_distance(shift):
    """By all distances at once; far from 0 too, where a product of vectors loses its digits."""
    squares = ((Z[..., None, :] - CODES[None, None]) ** 2).sum(axis=-1)
    book = models.Codebook(CODES + shift)
    np.testing.assert_array_equal(book.nearest(Z + shift), jnp.argmin(squares, axis=-1))
    assert models.Codebook(jnp.ones((3, 2))).nearest(jnp.zeros((1, 2))).tolist() == [0]


def test_gradients_pass_straight_through():
    """The value is the code; the Jacobian by z is the identity, and by the codes 0."""
    book = models.Codebook(CODES)
    np.testing.assert_allclose(book(Z), CODES[book.nearest(Z)], rtol=1e-12)
    by_z = jax.jacobian(book)(Z[0, 0])
    np.testing.assert_array_equal(by_z, np.eye(3))
    by_codes = jax.grad(lambda codes: jnp.sum(jnp.sin(models.Codebook(codes)(Z))))(CODES)
    np.testing.assert_array_equal(by_codes, 0)


def test_moving_averages_are_those_of_the_formulas():
    """Three batches in NumPy, with Laplace's smoothing; nothing of it is played."""
    book = models.MovingCodebook(CODES, decay=0.9, epsilon=1e-2)
    counts, sums, codes = np.ones(7), np.asarray(CODES), np.asarray(CODES)
    for t in range(3):
        z = np.asarray(Z + t).reshape(-1, 3)
        index = ((z[:, None] - codes[None]) ** 2).sum(axis=2).argmin(axis=1)
        counts = 0.9 * counts + 0.1 * np.bincount(index, minlength=7)
        sums = 0.9 * sums + 0.1 * np.eye(7)[index].T @ z
        total = counts.sum()
        smoothed = total * (counts + 1e-2) / (total + 7 * 1e-2)
        codes = sums / smoothed[:, None]
        book = updated(book, Z + t, None)
        np.testing.assert_allclose(book.codes, codes, rtol=1e-10)
        np.testing.assert_allclose(smoothed.sum(), total)
    assert jax.tree.leaves(go.playable(book)) == []


def test_dead_codes_become_vectors_of_the_batch():
    """Those below the share and no others, at the mean count; the same key is the same draw."""
    codes = jnp.asarray([[0.0, 0.0], [50.0, 50.0], [1.0, 1.0]])
    z = jnp.asarray(np.random.default_rng(0).uniform(0, 1, (20, 2)))
    alive = models.MovingCodebook(codes, decay=0.5)
    book = models.MovingCodebook(codes, decay=0.5, revive_below=0.2)
    for t in range(3):
        alive, book = updated(alive, z, None), updated(book, z, jax.random.key(t))
    # Its count fell to 0.5, 0.25, ..., while the mean rose: below a fifth of it in the first round.
    np.testing.assert_allclose(alive.codes[1], [50, 50], rtol=1e-3)
    assert float(jnp.max(jnp.abs(book.codes))) <= 1
    fresh = models.MovingCodebook(codes, decay=0.5, revive_below=0.2)
    once = updated(fresh, z, KEY)
    assert bool(jnp.any(jnp.all(once.codes[1][None] == z, axis=1)))
    counts = once.averages.value.counts
    plain = updated(models.MovingCodebook(codes, decay=0.5), z, None)
    kept = plain.averages.value.counts
    np.testing.assert_allclose(counts[1], jnp.mean(kept), rtol=1e-12)
    np.testing.assert_array_equal(once.codes[::2], plain.codes[::2])
    assert eqx.tree_equal(once, updated(fresh, z, KEY))
    with pytest.raises(ValueError, match="needs a key"):
        book.updated(z)


def test_a_nan_reaches_the_codes():
    """In a vector of the batch, or in what is carried."""
    book = models.MovingCodebook(CODES, revive_below=0.1)
    assert bool(jnp.isnan(updated(book, Z.at[0, 0, 0].set(jnp.nan), KEY).codes).any())
    lost = eqx.tree_at(lambda b: b.averages.value.sums, book, CODES.at[0, 0].set(jnp.nan))
    assert bool(jnp.isnan(updated(lost, Z, KEY).codes).any())
    assert bool(jnp.isnan(book(Z.at[0, 0, 0].set(jnp.nan))[0, 0]).any())


@pytest.mark.parametrize("wrong", [{"decay": 1.0}, {"epsilon": -1.0}, {"revive_below": -0.1}])
def test_numbers_out_of_range_are_refused(wrong):
    """One line."""
    with pytest.raises(ValueError, match="MovingCodebook needs a decay"):
        models.MovingCodebook(CODES, **wrong)
