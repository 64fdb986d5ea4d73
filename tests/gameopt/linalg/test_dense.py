"""Counting eigenvalues by Lyapunov's and Stein's equations, and the timescale threshold."""

import hypothesis as hyp
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest

from gameopt._linalg.dense import contraction, count_left, count_outside, sides, timescale_threshold

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


def lowest(matrix, size_x, tau):
    rows = np.append(np.ones(size_x), np.full(len(matrix) - size_x, tau))[:, None]
    return np.linalg.eigvals(rows * matrix).real.min()


@hyp.given(a=st.floats(-3, 3), b=st.floats(0.1, 3), c=st.floats(-3, 3), d=st.floats(-3, 3))
def test_threshold_of_a_planar_game(a, b, c, d):
    """tr J_tau = a + tau b and det = tau (ab - cd): tau* = max(0, -a / b) if ab - cd > 0."""
    hyp.assume(abs(a * b - c * d) > 1e-3 and abs(a) > 1e-3)
    threshold = timescale_threshold(np.array([[a, c], [d, b]]), 1)
    expected = max(0.0, -a / b) if a * b - c * d > 0 else np.inf
    np.testing.assert_allclose(threshold, expected, rtol=1e-6)


@pytest.mark.parametrize(("p", "q"), [(1, 3), (3, 1), (2, 2), (2, 4)])
@pytest.mark.parametrize("seed", range(6))
def test_threshold_with_unequal_dimensions(p, q, seed):
    """Just beyond it the point attracts, just below not, and far beyond it attracts: with n_x and
    n_y exchanged, as in published code, none of this holds."""
    rng = np.random.default_rng(seed)
    matrix = 2 * rng.normal(size=(p + q, p + q))
    b = matrix[p:, p:] = np.eye(q) + 0.3 * rng.normal(size=(q, q))
    # A strict Stackelberg point by construction: b and the Schur complement are stable.
    c, d = matrix[:p, p:], matrix[p:, :p]
    matrix[:p, :p] = c @ np.linalg.solve(b, d) + np.eye(p)
    tau = timescale_threshold(matrix, p)
    assert np.isfinite(tau)
    grid = np.geomspace(max(tau, 1e-3) * (1 + 1e-6), 1e6, 200)
    assert all(lowest(matrix, p, t) > 0 for t in grid)
    if tau > 0:
        assert lowest(matrix, p, tau * (1 - 1e-4)) < 0


def test_no_threshold_without_a_stackelberg_point():
    """With a repelling follower, or a repelling leader along its best answer, none is enough."""
    assert timescale_threshold(np.array([[1.0, 0.0], [0.0, -1.0]]), 1) == np.inf
    assert timescale_threshold(np.array([[-1.0, 0.1], [-0.1, 1.0]]), 1) == np.inf
    assert timescale_threshold(np.diag([1.0, 2.0, 3.0]), 1) == 0
    assert np.isnan(timescale_threshold(np.full((2, 2), np.nan), 1))
    assert np.isnan(timescale_threshold(np.eye(60), 30))


@hyp.given(seed=st.integers(0, 2**31 - 1), single=st.booleans())
def test_a_block_that_only_rotates_has_no_threshold_however_it_is_turned(seed, single):
    """A bilinear block beside a monotone one, rotated within each player: 0 in J_yy becomes a
    rounding error, whose sign decides nothing; in single precision an error of that size."""
    rng = np.random.default_rng(seed)
    turn = np.zeros((4, 4))
    for block in (slice(0, 2), slice(2, 4)):
        turn[block, block] = np.linalg.qr(rng.normal(size=(2, 2)))[0]
    matrix = np.diag([0.0, rng.uniform(0.5, 2), 0.0, rng.uniform(0.5, 2)])
    matrix[0, 2], matrix[2, 0] = 1.0, -1.0
    turned = turn @ matrix @ turn.T
    if single:
        turned = np.asarray(turned.astype(np.float32), np.float64)
    eps = float(np.finfo(np.float32 if single else np.float64).eps)
    assert timescale_threshold(turned, 2, 32 * eps * float(np.linalg.norm(turned, 2))) == np.inf
    # And what does have one keeps it.
    spiral = np.array([[-1.0, 2.0], [-2.0, 0.1]])
    np.testing.assert_allclose(timescale_threshold(spiral, 1, 32 * eps), 10.0, rtol=1e-9)
