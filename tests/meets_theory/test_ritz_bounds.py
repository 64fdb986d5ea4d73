"""What a Krylov space from a random start says of eigenvalues that it has not found."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matfree import decomp

from gameopt._equilibria.krylov_evidence import SAFETY
from gameopt._linalg.krylov import krylov_space, random_start
from gameopt._linalg.ritz_bounds import disc_bound, half_plane_bound, smallest_projection
from gameopt._linalg.ritz_values import analyse

FAILURE = 1e-6


def dense_product(matrix):
    return lambda v: (matrix @ v, jnp.zeros((), v.dtype))


def _space(matrix, start, m, symmetric=False, sizes=()):
    return krylov_space(dense_product(matrix), start, m, symmetric, sizes)


space_of = jax.jit(_space, static_argnums=(2, 3, 4))


def random_symmetric(rng, n):
    """Spectra of many shapes: semicircle, clusters, outliers, a long tail to 0, negative specks."""
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
    shape = rng.integers(5)
    if shape == 0:
        values = np.linalg.eigvalsh(rng.normal(size=(n, n)))
    elif shape == 1:
        values = rng.choice([-1.0, 0.0, 2.0], size=n) + 1e-3 * rng.normal(size=n)
    elif shape == 2:
        values = np.append(rng.uniform(0, 1, n - 2), [-rng.exponential(), 10 * rng.exponential()])
    elif shape == 3:
        values = np.geomspace(1e-8, 1, n)
    else:
        values = np.append(np.linspace(1, 2, n - 1), -(10.0 ** rng.uniform(-6, 0)))
    return (basis * values) @ basis.T, values


@pytest.mark.parametrize("m", [5, *(pytest.param(m, marks=pytest.mark.slow) for m in (20, 40))])
def test_no_symmetric_operator_has_an_eigenvalue_outside(m):
    """In 334 operators each, 1002 in all; a right code fails once in 500 runs: 2 bounds of 1e-6."""
    rng = np.random.default_rng(m)
    n = 40
    for case in range(334):
        matrix, values = random_symmetric(rng, n)
        space = space_of(jnp.asarray(matrix), random_start(n, case, float), m, True)
        result = analyse("symmetric", space, None, n, FAILURE)
        assert result.lower <= values.min()
        assert result.upper >= values.max()
        # And the Ritz values are Rayleigh quotients, so that they bound from the inside.
        found = np.asarray(result.values.real)
        assert np.nanmin(found) >= values.min() - 2 * result.noise
        assert np.nanmax(found) <= values.max() + 2 * result.noise
        # Each has an eigenvalue within its error.
        there = found[~np.isnan(found)]
        gaps = np.abs(there[:, None] - values).min(axis=1)
        assert (gaps <= np.asarray(result.errors)[: len(there)]).all()


def random_nonnormal(rng, n):
    """Shifted, with a strictly upper part that makes pseudospectra far larger than spectra."""
    values = rng.normal(size=(n, n)) / np.sqrt(n)
    upper = np.triu(rng.normal(size=(n, n)), 1) * 10.0 ** rng.uniform(-2, 0.5)
    return values + upper + rng.normal() * np.eye(n)


@pytest.mark.parametrize(
    ("m", "cases"),
    [
        (10, 60),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in [(30, 60), (10, 500), (30, 500)]),
    ],
)
def test_no_operator_has_an_eigenvalue_left_of_the_bound(m, cases):
    """Half-planes and disc, of so many non-normal operators each: three bounds of 1e-6.

    And the first-order error of a Ritz value, times its safety factor, never puts an eigenvalue
    where there is none. 60 each fail once in 2700 runs by chance, the slow 500 once in 330.
    """
    rng = np.random.default_rng(m)
    n = 30
    delta = smallest_projection(n, FAILURE, real=False)
    for case in range(cases):
        matrix = random_nonnormal(rng, n)
        exact = np.linalg.eigvals(matrix)
        start = random_start(n, case, float)
        right = space_of(jnp.asarray(matrix), start, m)
        left = space_of(jnp.asarray(matrix.T), start, m)
        result = analyse("general", right, left, n, FAILURE)
        slack = 1e-9 * np.linalg.norm(matrix, 2)
        assert result.lower <= exact.real.min() + slack
        assert result.upper >= exact.real.max() - slack
        reach = np.asarray(result.values.real + SAFETY * result.errors)
        assert exact.real.min() <= np.nanmin(reach) + slack
        values = np.linalg.eigvals(np.asarray(right.small))
        lengths = np.append(np.diagonal(right.small, -1), right.last)
        assert disc_bound(values, lengths, delta, 1e-14) >= np.abs(exact).max() - slack


def test_bounds_are_near_once_the_space_has_seen_much():
    """On a normal operator with an isolated eigenvalue they come within 1e-6 of it."""
    n = 500
    values = jnp.append(jnp.linspace(1.0, 3.0, n - 1), -1.0)
    space = jax.jit(lambda v: krylov_space(lambda u: (values * u, jnp.zeros(())), v, 60, True))(
        random_start(n, 3, float)
    )
    result = analyse("symmetric", space, None, n, FAILURE)
    assert -1 - 1e-6 < result.lower <= -1
    np.testing.assert_allclose(result.values[0], -1, atol=1e-12)


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("probability", [0.05, 0.3])
def test_the_smallest_projection_fails_as_often_as_it_says(real, probability):
    """Of a fixed u and 40 000 directions. For real u exactly; at most, for complex ones.

    The share has a standard error of at most 0.0023; it is allowed 5 of them.
    """
    n, rng = 7, np.random.default_rng(0)
    v = rng.normal(size=(40_000, n))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    u = rng.normal(size=n) + (0 if real else 1j * rng.normal(size=n))
    delta = smallest_projection(n, probability, real=real)
    share = np.mean(np.abs(v @ (u / np.linalg.norm(u))) < delta)
    assert share <= probability + 0.012
    if real:
        assert share >= probability - 0.012


def test_the_relation_of_arnoldi():
    """A Q = Q H + beta q e_m', with Q'Q = I, and as matfree has it."""
    rng = np.random.default_rng(0)
    matrix, start = jnp.asarray(rng.normal(size=(50, 50))), random_start(50, 1, float)
    space = space_of(matrix, start, 20)
    basis = np.asarray(space.basis)
    rest = matrix @ basis.T - basis.T @ space.small
    np.testing.assert_allclose(basis @ basis.T, np.eye(20), atol=1e-13)
    np.testing.assert_allclose(rest[:, :-1], 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(rest[:, -1]), space.last, rtol=1e-12)
    np.testing.assert_allclose(basis @ rest[:, -1], 0, atol=1e-12)
    with jax.numpy_dtype_promotion("standard"):
        theirs = decomp.hessenberg(20, reortho="full")(lambda v: matrix @ v, start)
    np.testing.assert_allclose(space.small, theirs.J_small, atol=1e-10)
    np.testing.assert_allclose(space.basis, theirs.Q_tall, atol=1e-10)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("count", [1, 2, 8, 9, 30, 50])
@pytest.mark.parametrize("sizes", [(), (7, 13, 30), (0, 50)])
def test_pieces_and_numbers_of_products_keep_the_relation(symmetric, count, sizes):
    """A Q = Q H + beta q e_m' to rounding; H is tridiagonal where the operator is symmetric."""
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(50, 50))
    matrix = matrix + matrix.T if symmetric else matrix
    start = random_start(50, 2, float)
    space = space_of(jnp.asarray(matrix), start, count, symmetric, sizes)
    basis, small = np.asarray(space.basis), np.asarray(space.small)
    rest = matrix @ basis.T - basis.T @ small
    np.testing.assert_allclose(basis[0], start / np.linalg.norm(start), rtol=1e-14)
    np.testing.assert_allclose(basis @ basis.T, np.eye(count), atol=1e-13)
    np.testing.assert_allclose(rest[:, :-1], 0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(rest[:, -1]), space.last, atol=1e-12)
    np.testing.assert_allclose(small, np.triu(small, -1), atol=0)
    if symmetric:
        np.testing.assert_allclose(small, small.T, atol=1e-12)
    longest = np.linalg.norm(matrix @ basis.T, axis=0).max()
    np.testing.assert_allclose(space.noise, 32 * np.finfo(float).eps * longest, rtol=1e-14)


@pytest.mark.parametrize("kind", ["symmetric", "general"])
@pytest.mark.parametrize(
    "matrix",
    [
        np.zeros((9, 9)),
        3.0 * np.eye(9),
        np.diag([5.0, -2.0, *np.zeros(7)]),
        np.outer(np.arange(9.0), np.arange(9.0)),
    ],
    ids=["zero", "multiple of identity", "rank two", "rank one"],
)
def test_invariant_subspaces_end_a_space_without_nan(kind, matrix):
    """More products than there are dimensions or eigenvalues: the eigenvalues, once each."""
    space = space_of(jnp.asarray(matrix), random_start(9, 0, float), 30)
    assert all(bool(jnp.all(jnp.isfinite(part))) for part in space)
    result = analyse(kind, space, space, 9, FAILURE)
    exact = np.linalg.eigvalsh(matrix)
    distinct = np.unique(np.round(exact, 9))
    found = np.asarray(result.values.real)
    np.testing.assert_allclose(found[~np.isnan(found)], distinct, atol=1e-7)
    np.testing.assert_allclose([result.lower, result.upper], exact[[0, -1]], atol=1e-5)


def test_half_planes_of_a_single_root():
    """|z - theta| = beta / delta is a circle: its leftmost point is the bound."""
    bound = half_plane_bound(np.array([1.0 + 0j]), np.array([0.5]), 0.1, 0.0)
    np.testing.assert_allclose(bound, 1 - 0.5 / 0.1, rtol=1e-2)
    assert bound <= 1 - 0.5 / 0.1 + 1e-12
    outer = disc_bound(np.array([0.5 + 0j]), np.array([0.5]), 0.1, 0.0)
    np.testing.assert_allclose(outer, 0.5 + 0.5 / 0.1, rtol=1e-2)
    assert outer >= 0.5 + 0.5 / 0.1 - 1e-12
