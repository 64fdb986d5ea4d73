"""Counting eigenvalues by Lyapunov's and Stein's equations."""

import hypothesis as hyp
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest

from gameopt._linalg.dense import contraction, count_left, count_outside, sides

matrices = st.integers(1, 6).flatmap(
    lambda n: hnp.arrays(np.float64, (n, n), elements=st.floats(-3, 3, width=32))
)
NOISE = 1e-12


@hyp.given(matrix=matrices, line=st.floats(-2, 2, width=16))
def test_counts_are_those_of_the_eigenvalues(matrix, line):
    """Where there is a proof. Eigenvalues within 1e-5 of the line could be off by rounding."""
    values = np.linalg.eigvals(matrix)
    count = count_left(matrix, line, NOISE)
    if count is not None and np.abs(values.real - line).min() > 1e-5:
        assert count == np.sum(values.real < line)
    outside = count_outside(matrix, 1.0, NOISE)
    if outside is not None and np.abs(np.abs(values) - 1).min() > 1e-5:
        assert outside == np.sum(np.abs(values) > 1)


@hyp.given(matrix=matrices)
def test_sides_and_contractions_are_never_wrong(matrix):
    """Every proof is true of the matrix, and of one at the distance that it allows for."""
    noise = 1e-6
    rng = np.random.default_rng(0)
    off = rng.normal(size=matrix.shape)
    for other in (matrix, matrix + noise * off / max(np.linalg.norm(off, 2), 1e-30)):
        values = np.linalg.eigvals(other)
        all_positive, one_negative, one_positive, all_negative = sides(matrix, noise)
        assert not all_positive or values.real.min() > 0
        assert not one_negative or values.real.min() < 0
        assert not one_positive or values.real.max() > 0
        assert not all_negative or values.real.max() < 0
        inside, outside = contraction(matrix, noise)
        assert not inside or np.abs(values).max() < 1
        assert not outside or np.abs(values).max() > 1


@pytest.mark.parametrize("value", [1.0, -0.5])
def test_defective_eigenvalues_are_counted(value):
    """A Jordan block has no finite condition number, and a Lyapunov equation all the same."""
    block = value * np.eye(4) + np.diag(np.ones(3), 1)
    all_positive, one_negative, _, all_negative = sides(block, NOISE)
    assert (all_positive, one_negative, all_negative) == (value > 0, value < 0, value < 0)


def test_what_lies_on_the_line_is_not_decided():
    """Centres, zeros and rotations: neither yes nor no."""
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert sides(turn, NOISE) == (False, False, False, False)
    assert sides(np.zeros((3, 3)), NOISE) == (False, False, False, False)
    assert contraction(turn, NOISE) == (False, False)
    # One on the line and one beside it: what can be said is said.
    assert sides(np.diag([0.0, -1.0]), NOISE) == (False, True, False, False)


def test_a_saddle_with_opposite_eigenvalues():
    """Lyapunov's equation of diag(1, -1) itself has no solution; that of a shift has."""
    assert sides(np.diag([1.0, -1.0]), NOISE) == (False, True, True, False)


def test_noise_takes_back_a_proof():
    """An eigenvalue of 1e-3 is positive, unless products are only known to 1e-2."""
    matrix = np.array([[1e-3, 1.0], [0.0, 2.0]])
    assert sides(matrix, 1e-9)[0]
    assert not sides(matrix, 1e-2)[0]
