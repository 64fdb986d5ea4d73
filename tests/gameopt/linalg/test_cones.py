"""Quadratic forms on cones: closed forms, every support by hand, and matrices at the noise."""

import itertools

import hypothesis as hyp
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest

from gameopt._linalg.cones import _copositive, curvature_on_cone, face_basis


def on_orthant(matrix, noise=0.0):
    """Curvature on the nonnegative vectors."""
    n = len(matrix)
    normals, nobody = np.zeros((0, n)), np.zeros(n, bool)
    return curvature_on_cone(matrix, noise, np.ones(n), normals, 0.0, np.ones(n, int), nobody)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize(("a", "c"), [(0.2, 0.2), (1.0, 4.0), (1e-4, 3.0)])
@pytest.mark.parametrize("margin", [-1e-2, -1e-9, 1e-9, 1e-2])
def test_two_weak_entries_against_the_closed_form(scale, a, c, margin):
    """[[a, b], [b, c]] is strictly copositive if a, c > 0 and b > -sqrt(ac)."""
    b = -np.sqrt(a * c) * (1 - margin)
    found = on_orthant(scale * np.array([[a, b], [b, c]]))
    assert (found.yes, found.no) == (margin > 0, margin < 0)


def test_on_the_threshold_there_is_no_verdict():
    """b = -sqrt(ac), and the Horn matrix, copositive and no sum of simpler ones."""
    found = on_orthant(np.array([[1.0, -2.0], [-2.0, 4.0]]))
    assert not found.yes
    assert not found.no
    signs = np.array([1, -1, 1, 1, -1])
    horn = np.array([np.roll(signs, shift) for shift in range(5)], float)
    for off, yes, no in ((0.0, False, False), (1e-6, True, False), (-1e-6, False, True)):
        found = on_orthant(horn + off * np.eye(5))
        assert (found.yes, found.no) == (yes, no)


def hadeler(matrix):
    """A number that is above 0 for the strictly copositive 3 x 3 matrices of diagonal above 0.

    Hadeler (1983), On copositive matrices, Linear Algebra and its Applications 49.
    """
    root = np.sqrt(np.diag(matrix))
    unit = matrix / np.outer(root, root)
    pairs = np.array([unit[0, 1], unit[0, 2], unit[1, 2]])
    if pairs.min() <= -1:
        return pairs.min() + 1
    return 1 + pairs.sum() + np.sqrt(2 * np.prod(1 + pairs))


@hyp.given(
    pairs=hnp.arrays(np.float64, 3, elements=st.floats(-1.25, 1.25, width=32)),
    scales=hnp.arrays(np.float64, 3, elements=st.floats(0.125, 8, width=32)),
)
@hyp.settings(max_examples=300)
def test_three_weak_entries_against_the_closed_form(pairs, scales):
    """Never wrong, and told wherever the closed form is 1e-6 away from 0."""
    unit = np.eye(3)
    unit[np.triu_indices(3, 1)] = pairs
    unit = unit + unit.T - np.eye(3)
    matrix = unit * np.outer(scales, scales)
    found, number = on_orthant(matrix), hadeler(matrix)
    assert not (found.yes and number < -1e-12)
    assert not (found.no and number > 1e-12)
    if abs(number) > 1e-6:
        assert (found.yes, found.no) == (number > 0, number < 0)
    # The proof itself, where no descent has refuted the matrix before.
    proved, _ = _copositive(matrix)
    assert not (proved and number < -1e-12)
    assert proved or number < 1e-3


def least_by_hand(matrix, free, normals, weak):
    """The least curvature on the cone: eigenvectors in it, of every set of weak entries held."""
    sided = np.flatnonzero(weak * free)
    least = np.inf
    for size in range(len(sided) + 1):
        for held in itertools.combinations(sided, size):
            inside = free.copy()
            inside[list(held)] = 0
            basis = face_basis(inside, normals)
            if basis.shape[1] == 0:
                continue
            values, vectors = np.linalg.eigh(basis.T @ matrix @ basis)
            for value, vector in zip(values, (basis @ vectors).T, strict=True):
                if min(max((weak * vector).min(), (-weak * vector).min()), 0) > -1e-12:
                    least = min(least, value)
    return least


def random_cone(rng, n, on_simplex):
    free = (rng.uniform(size=n) < 0.8).astype(float)
    free[0] = 1
    weak = rng.choice([0, 1] if on_simplex else [-1, 0, 1], n)
    weak[0] = 0
    normals = np.zeros((0, n))
    if on_simplex:
        normals = (free / np.sqrt(free.sum()))[None]
    return free, normals, weak * (free > 0)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("on_simplex", [False, True])
def test_random_cones_against_all_supports(seed, on_simplex):
    """Boxes and simplices: the least curvature lies between the bound and what was found."""
    rng = np.random.default_rng([seed, 19])
    n = int(rng.integers(2, 7))
    free, normals, weak = random_cone(rng, n, on_simplex)
    matrix = rng.normal(size=(n, n))
    matrix = matrix + matrix.T + rng.uniform(-1, 6) * np.eye(n)
    mu = float(rng.choice([0.0, 0.7]))
    nobody = np.zeros(n, bool)
    found = curvature_on_cone(matrix, 1e-9, free, normals, mu, weak, nobody)
    least = least_by_hand(matrix, free, normals, weak) + mu
    if np.isinf(least):
        assert found.value == found.lower == np.inf
        assert found.yes
        return
    assert found.lower <= least <= found.value + 1e-12
    # Where the whole face is positive its smallest eigenvalue is the bound.
    basis = face_basis(free, normals)
    if least > 0 and np.linalg.eigvalsh(basis.T @ matrix @ basis)[0] + mu < 0:
        assert found.value - found.lower <= 2e-3 * least + 1e-8
    assert (found.yes, found.no) == (least > 0, least < 0)
    vector = found.vector
    np.testing.assert_allclose(np.linalg.norm(vector), 1)
    np.testing.assert_allclose(vector @ matrix @ vector + mu, found.value, atol=1e-12)
    np.testing.assert_allclose(vector * (1 - free), 0)
    np.testing.assert_allclose(normals @ vector, 0, atol=1e-12)
    assert (weak * vector).min() >= -1e-12


@pytest.mark.parametrize("seed", range(40))
def test_proofs_hold_at_the_edge_of_the_noise(seed):
    """Verdicts are those of the worst matrices within the noise, Q - noise I and Q + noise I."""
    rng = np.random.default_rng([seed, 7])
    n = int(rng.integers(2, 6))
    free, normals, weak = random_cone(rng, n, bool(seed % 2))
    base = rng.normal(size=(n, n))
    base = base + base.T
    least = least_by_hand(base, free, normals, weak)
    base = base - least * np.eye(n) if np.isfinite(least) else base
    judge = lambda shift: curvature_on_cone(
        base + shift * np.eye(n), 0.1, free, normals, 0.0, weak, np.zeros(n, bool)
    )
    # The least curvature is `shift`.
    for shift in (-0.101, -0.099, 0.0, 0.099, 0.101):
        found = judge(shift)
        expected = (shift > 0.1, shift < -0.1) if np.isfinite(least) else (True, False)
        assert (found.yes, found.no) == expected


def test_uncertain_entries_are_free_for_yes_and_held_for_no():
    """diag(1, -1): positive if the second entry is held, and negative if it is free."""
    matrix, free, normals = np.diag([1.0, -1.0]), np.ones(2), np.zeros((0, 2))
    for uncertain, yes, no in (([False, False], False, True), ([False, True], False, False)):
        zero = np.zeros(2, int)
        found = curvature_on_cone(matrix, 0.0, free, normals, 0.0, zero, np.array(uncertain))
        assert (found.yes, found.no) == (yes, no)
    both = np.array([True, True])
    found = curvature_on_cone(np.eye(2), 0.0, free, normals, 0.0, np.zeros(2, int), both)
    assert (found.yes, found.no) == (True, False)
    # Two that are weak too are on their sides for yes: x1 x2 is copositive.
    saddle = np.array([[0.2, 1.0], [1.0, 0.2]])
    found = curvature_on_cone(saddle, 0.0, free, normals, 0.0, np.ones(2, int), both)
    assert found.yes
    found = curvature_on_cone(-saddle, 0.0, free, normals, 0.0, np.ones(2, int), both)
    assert not found.yes
    assert not found.no


def test_one_weak_entry_is_the_whole_space():
    """A quadratic form is even; the direction is turned to the feasible side."""
    saddle = np.array([[0.2, 1.0], [1.0, 0.2]])
    nobody = np.zeros(2, bool)
    for side in (-1, 1):
        weak = np.array([0, side])
        found = curvature_on_cone(saddle, 0.0, np.ones(2), np.zeros((0, 2)), 0.0, weak, nobody)
        np.testing.assert_allclose(found.value, -0.8)
        assert found.no
        assert side * found.vector[1] > 0


def test_weak_entries_that_only_a_normal_couples():
    """Sum 0 of entries of at least 0 is 0 alone: proved if the span is positive, else open."""
    n, normal = 3, np.full((1, 3), 3**-0.5)
    judge = lambda matrix: curvature_on_cone(
        matrix, 0.0, np.ones(n), normal, 0.0, np.ones(n, int), np.zeros(n, bool)
    )
    assert judge(np.eye(n)).yes
    found = judge(np.diag([1.0, 1.0, -3.0]))
    assert not found.yes
    assert not found.no


def test_bases_of_faces():
    """Orthonormal, on the free entries, normal to the normals; no column for a single point."""
    free, normals = np.array([1.0, 0, 1, 1]), np.array([[1.0, 5, 1, 0], [0, 0, 0, 0]])
    basis = face_basis(free, normals)
    assert basis.shape == (4, 2)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-15)
    np.testing.assert_allclose(basis[1], 0)
    np.testing.assert_allclose(basis[0] + basis[2], 0, atol=1e-15)
    assert face_basis(np.zeros(3), np.zeros((0, 3))).shape == (3, 0)
    assert face_basis(np.array([0.0, 1]), np.array([[0.6, 0.8]])).shape == (2, 0)
    nobody, zero = np.zeros(2, bool), np.zeros(2, int)
    point = curvature_on_cone(-np.eye(2), 1.0, np.zeros(2), np.zeros((0, 2)), 0.0, zero, nobody)
    assert point.yes
    assert not point.no
    assert point.value == point.lower == np.inf


def test_numbers_that_are_not_finite_prove_nothing():
    """NaN in the matrix or the noise."""
    for matrix, noise in ((np.full((2, 2), np.nan), 0.0), (np.eye(2), np.nan)):
        found = on_orthant(matrix, noise)
        assert not found.yes
        assert not found.no
