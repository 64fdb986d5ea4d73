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
@hyp.settings(max_examples=20)
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
@hyp.settings(max_examples=20)
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_the_interval_has_the_threshold_of_every_game_within_the_noise(dtype, scale):
    """Planar games have tau* = max(0, -a / b): a is 0, a few units in the last place, or plain."""
    eps, rng = float(np.finfo(dtype).eps), np.random.default_rng(0)
    for a in (0.0, 10 * eps, -10 * eps, 1e-3, -1e-3, -0.4, -1.0):
        matrix = scale * np.array([[a, 1.0], [-1.0, 0.5]])
        noise = 32 * eps * float(np.linalg.norm(matrix, 2))
        found = timescale_threshold(matrix, 1, noise)
        assert found.lower <= found.value <= found.upper
        for _ in range(20):
            off = rng.normal(size=(2, 2))
            other = matrix + noise * off / np.linalg.norm(off, 2)
            assert found.lower <= max(0.0, -other[0, 0] / other[1, 1]) <= found.upper
        if a <= -0.4 or (a == -1e-3 and dtype == np.float64):
            # The noise is 45 eps here, and the search takes factors of 2.
            np.testing.assert_allclose(found, -a / 0.5, rtol=1e4 * eps, atol=1e3 * eps)
        # Told apart from 0 where it is not 0.
        assert (found.lower > 0) == (a < -20 * eps)


@hyp.given(seed=st.integers(0, 2**31 - 1), single=st.booleans())
@hyp.settings(max_examples=20)
def test_no_ratio_beyond_the_upper_end_repels_whatever_the_noise(seed, single):
    """Matrices at the distance of the noise: attraction at and beyond `upper`, none at `lower`."""
    rng = np.random.default_rng(seed)
    p, q = map(int, rng.integers(1, 4, size=2))
    matrix = 2 * rng.normal(size=(p + q, p + q))
    noise = (1e-6 if single else 1e-13) * float(np.linalg.norm(matrix, 2))
    found = timescale_threshold(matrix, p, noise)
    for _ in range(5):
        off = rng.normal(size=matrix.shape)
        other = matrix + noise * off / np.linalg.norm(off, 2)
        if np.isfinite(found.upper):
            ratios = np.geomspace(max(found.upper * (1 + 1e-9), 1e-3), 1e4, 50)
            assert all(lowest(other, p, ratio) > 0 for ratio in ratios)
            assert found.lower == 0 or lowest(other, p, found.lower) < 0
        elif np.isinf(found.lower):
            assert lowest(other, p, 1e9) < 0
