"""The timescale threshold: its value, and the proofs on either side of it."""

import hypothesis as hyp
import hypothesis.strategies as st
import numpy as np
import pytest

from gameopt._linalg.timescales import timescale_threshold


def lowest(matrix, size_x, tau):
    rows = np.append(np.ones(size_x), np.full(len(matrix) - size_x, tau))[:, None]
    return np.linalg.eigvals(rows * matrix).real.min()


@hyp.given(a=st.floats(-3, 3), b=st.floats(0.1, 3), c=st.floats(-3, 3), d=st.floats(-3, 3))
def test_threshold_of_a_planar_game(a, b, c, d):
    """tr J_tau = a + tau b and det = tau (ab - cd): tau* = max(0, -a / b) if ab - cd > 0."""
    hyp.assume(abs(a * b - c * d) > 1e-3 and abs(a) > 1e-3)
    found = timescale_threshold(np.array([[a, c], [d, b]]), 1)
    expected = max(0.0, -a / b) if a * b - c * d > 0 else np.inf
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.lower <= expected <= found.upper


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
    found = timescale_threshold(matrix, p)
    tau = found.upper
    assert np.isfinite(tau)
    assert found.lower <= found.value <= tau
    np.testing.assert_allclose(found, tau, rtol=1e-6)
    grid = np.geomspace(max(tau, 1e-3) * (1 + 1e-6), 1e6, 200)
    assert all(lowest(matrix, p, t) > 0 for t in grid)
    if tau > 0:
        assert lowest(matrix, p, tau * (1 - 1e-4)) < 0


def test_no_threshold_without_a_stackelberg_point():
    """With a repelling follower, or a repelling leader along its best answer, none is enough."""
    assert timescale_threshold(np.array([[1.0, 0.0], [0.0, -1.0]]), 1) == (np.inf,) * 3
    assert timescale_threshold(np.array([[-1.0, 0.1], [-0.1, 1.0]]), 1) == (np.inf,) * 3
    assert timescale_threshold(np.diag([1.0, 2.0, 3.0]), 1) == (0, 0, 0)
    assert np.isnan(timescale_threshold(np.full((2, 2), np.nan), 1)).all()
    assert np.isnan(timescale_threshold(np.eye(60), 30)).all()


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
    found = timescale_threshold(turned, 2, 32 * eps * float(np.linalg.norm(turned, 2)))
    assert np.isnan(found.value)
    assert found[1:] == (0, np.inf)
    # And what does have one keeps it.
    spiral = np.array([[-1.0, 2.0], [-2.0, 0.1]])
    np.testing.assert_allclose(timescale_threshold(spiral, 1, 32 * eps).value, 10.0, rtol=1e-9)
