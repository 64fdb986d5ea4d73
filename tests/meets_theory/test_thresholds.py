"""Rates and step sizes at their thresholds, in either precision, against exact rational arithmetic.

Where a radius is 1 exactly, or a few units in the last place off, no verdict contradicts the exact
one; a thousandth away it is given.
"""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.solvers import both

DTYPES = [jnp.float32, jnp.float64]
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
SCALES = [1.0, *(pytest.param(scale, marks=pytest.mark.slow) for scale in (1e-8, 1e8))]

# Of the module, so that what is compiled for one step size serves for all tests.
STEPS = {
    make: lambda eta, make=make: make(both(optax.sgd, eta))
    for make in (go.Simultaneous, go.Alternating, go.Optimistic)
}


def planar(matrix, dtype):
    """The general-sum game with this Jacobian, and its equilibrium."""
    entries = [jnp.asarray([[entry]], dtype) for row in matrix for entry in row]
    zero = jnp.zeros(1, dtype)
    return go.Quadratic(*entries), go.Players(zero, zero)


def solver_of(make, eta, dtype):
    return make(both(optax.sgd, jnp.asarray(eta, dtype)))


def exact(number, dtype):
    """The rational number that is computed with."""
    return Fraction(float(np.asarray(number, dtype)))


def contracts_exactly(make, matrix, eta, dtype):
    """1 if the round's matrix has a radius above 1, -1 if below, 0 on the circle; by Jury's test of
    a matrix of rational numbers."""
    (a, b), (c, d) = [[exact(entry, dtype) for entry in row] for row in matrix]
    eta = exact(eta, dtype)
    m = [[1 - eta * a, -eta * b], [-eta * c, 1 - eta * d]]
    if make is go.Alternating:  # y sees x's move
        first = m[0]
        m = [first, [-eta * c * first[0], -eta * c * first[1] + 1 - eta * d]]
    trace, det = m[0][0] + m[1][1], m[0][0] * m[1][1] - m[0][1] * m[1][0]
    outside = max(abs(det) - 1, abs(trace) - 1 - det)
    return (outside > 0) - (outside < 0)


def offsets(dtype):
    """Relative distances from a threshold, and whether it is surely told apart there."""
    eps = float(jnp.finfo(dtype).eps)
    return [(0.0, False), (10 * eps, False), (-10 * eps, False), (1e-3, True), (-1e-3, True)]


KINDS = {
    # Each: the Jacobian with a parameter whose threshold is 1, for eta = 1/4; its units are of J.
    "flip": lambda t: [[8 * t, 0.0], [0.0, 1.0]],
    "zero": lambda t: [[t - 1, 0.0], [0.0, 1.0]],
    "turn": lambda t: [[t, 2.6457513110645907], [-2.6457513110645907, t]],
    "rotation": lambda t: [[t - 1, 1.0], [-1.0, t - 1]],
    "skewed": lambda t: [[t - 1, 30.0], [0.0, 2.0]],
}


QUICK = ("flip", "rotation", "turn")
"""One real threshold, one complex, one at which a pair turns; the others with the slow tests."""


@each_dtype
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[pytest.mark.slow] * (k not in QUICK)) for k in sorted(KINDS)]
)
@pytest.mark.parametrize("scale", SCALES)
def test_no_verdict_on_a_round_contradicts_the_exact_one(kind, dtype, scale):
    """Simultaneous and alternating play; the radius is within its error of the exact one's side."""
    for make in (go.Simultaneous, go.Alternating):
        for offset, told in offsets(dtype):
            matrix = (np.array(KINDS[kind](1 + offset)) * scale).tolist()
            eta = 0.25 / scale
            game, origin = planar(matrix, dtype)
            rate = go.local_rate(game, solver_of(make, eta, dtype), origin)
            side, found = contracts_exactly(make, matrix, eta, dtype), str(rate.attracts)
            assert found in ("inconclusive", {1: "no", 0: "", -1: "yes"}[side])
            radius, error = float(rate.spectral_radius), float(rate.error)
            assert side <= 0 or radius + error > 1
            assert side >= 0 or radius - error < 1
            if told and kind not in ("turn", "rotation", "skewed"):
                assert found != "inconclusive"
            if told and dtype == jnp.float64:
                assert found != "inconclusive" or (kind, make) == ("rotation", go.Alternating)


@each_dtype
def test_a_defective_radius_has_an_error_of_its_root(dtype):
    """A Jordan block of 1 - eta: rounding moves its double eigenvalue by the root of it."""
    game, origin = planar([[1.0, 1.0], [0.0, 1.0]], dtype)
    eps = float(jnp.finfo(dtype).eps)
    for eta, attracts in ((0.5, "yes"), (2.5, "no"), (2.0, "inconclusive")):
        rate = go.local_rate(game, solver_of(go.Simultaneous, eta, dtype), origin)
        assert str(rate.attracts) == attracts
        assert np.sqrt(eps) / 4 < float(rate.error) < 0.2


@pytest.mark.parametrize("dtype", [pytest.param(jnp.float32, marks=pytest.mark.slow), jnp.float64])
def test_the_edge_of_bilinear_play_is_not_decided(dtype):
    """Alternating play on a rotation circles; dense and Krylov. Steps off it are told."""
    game, origin = planar([[0.0, 1.0], [-1.0, 0.0]], dtype)
    expected = {go.Alternating: "inconclusive", go.Simultaneous: "no", go.Extragradient: "yes"}
    for make, attracts in expected.items():
        solver = solver_of(make, 0.3, dtype)
        dense = go.local_rate(game, solver, origin, method="dense")
        krylov = go.local_rate(game, solver, origin, method="krylov")
        assert str(dense.attracts) == attracts
        # A Krylov space that has ended in single precision is followed by more noise.
        single = dtype == jnp.float32 and attracts == "yes"
        assert str(krylov.attracts) == ("inconclusive" if single else attracts)


@each_dtype
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "matrix", [[[0.5, 1.0], [-1.0, 0.5]], [[1.0, 1.0], [0.0, 1.0]], [[2.0, 0.0], [0.0, 0.5]]]
)
def test_the_largest_safe_step_is_on_the_safe_side(matrix, scale, dtype):
    """Exactly stable there, exactly unstable at the other end of its error; both are near."""
    matrix = (np.array(matrix) * scale).tolist()
    game, origin = planar(matrix, dtype)
    safe = go.safe_step(game, STEPS[go.Simultaneous], origin)
    assert str(safe.stable) == "yes"
    largest, end = float(safe.largest), float(safe.largest) + 1.0001 * float(safe.error)
    assert contracts_exactly(go.Simultaneous, matrix, largest, dtype) < 0
    assert contracts_exactly(go.Simultaneous, matrix, end, dtype) > 0
    defective = matrix[1][0] == 0 and matrix[0][1] != 0
    # In double precision the search's own resolution, 256 steps in 5.6 % and four times over.
    near = {(False, jnp.float64): 3e-11, (False, jnp.float32): 1e-3, (True, jnp.float64): 1e-3}
    assert safe.error <= near.get((defective, dtype), 0.2) * largest
    assert safe.best_rate + safe.rate_error < 1


@each_dtype
@pytest.mark.parametrize("make", [go.Simultaneous, go.Alternating])
def test_on_the_edge_no_step_is_said_to_be_safe_or_unsafe(make, dtype):
    """Alternating play circles up to eta = 2 and leaves beyond: the threshold is in [0, 2].
    Simultaneous play leaves at every step, which small ones do not show in single precision."""
    game, origin = planar([[0.0, 1.0], [-1.0, 0.0]], dtype)
    safe = go.safe_step(game, STEPS[make], origin)
    leaves = make is go.Simultaneous and dtype == jnp.float64
    assert str(safe.stable) == ("no" if leaves else "inconclusive")
    assert safe.largest == safe.smallest == safe.best == 0
    assert safe.best_rate == 1
    if make is go.Alternating:
        np.testing.assert_allclose(safe.error, 2.0, rtol=1e-2)
        assert safe.error >= 2.0
    else:
        assert safe.error <= 0.01


@pytest.mark.parametrize("scale", SCALES)
def test_a_state_in_other_units_hides_nothing(scale):
    """Optimistic play remembers a gradient, of any size beside the strategies: 1 / (sqrt(3) s)."""
    game, origin = planar([[0.0, scale], [-scale, 0.0]], jnp.float64)
    safe = go.safe_step(game, STEPS[go.Optimistic], origin)
    np.testing.assert_allclose(safe.largest, 1 / (np.sqrt(3) * scale), rtol=1e-7)
    assert safe.largest <= 1 / (np.sqrt(3) * scale) <= safe.largest + safe.error


@each_dtype
def test_no_lookahead_saves_a_mode_of_one(dtype):
    """An eigenvalue 0 of J stays 1 at every k and alpha, whatever rounding makes of it."""
    for tiny in (0.0, 1e-18, -1e-18):
        game, origin = planar([[tiny, 0.0], [0.0, 1.0]], dtype)
        with pytest.raises(ValueError, match="more than rounding"):
            go.modal_lookahead(game, solver_of(go.Simultaneous, 0.3, dtype), origin, max_steps=3)
    game, origin = planar([[0.0, 1.0], [-1.0, 0.0]], dtype)
    chosen = go.modal_lookahead(game, solver_of(go.Simultaneous, 0.3, dtype), origin, max_steps=8)
    assert str(go.local_rate(game, chosen, origin).attracts) == "yes"


@each_dtype
@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_a_measured_rate_near_one_is_not_decided(angle, dtype):
    """Records of (1 + offset)^t, around a point far off: its rounding counts."""
    t = np.arange(2000)
    for offset, told in offsets(dtype):
        path = (1 + offset) ** t[:, None] * np.stack([np.cos(angle * t), np.sin(angle * t)], 1)
        x, y = np.split(path + 3.0, 2, axis=1)
        record = go.Players(jnp.asarray(x, dtype), jnp.asarray(y, dtype))
        target = go.Players(*[jnp.full(1, 3.0, dtype)] * 2)
        found = go.measured_rate(record, target)
        right = {True: "no", False: "yes"}[offset > 0] if offset else ""
        assert str(found.nears) in ("inconclusive", right)
        assert not told or str(found.nears) == right
        assert abs(found.rate - (1 + offset)) <= found.error


def test_a_wobble_is_no_rate():
    """Alternating play runs on an ellipse, whose distances rise and fall, any number of turns."""
    game, origin = planar([[0.0, 1.0], [-1.0, 0.0]], jnp.float64)
    start = go.Players(jnp.ones(1), jnp.full(1, 0.3))
    for eta in (0.1, 0.5, 1.3):
        solver = solver_of(go.Alternating, eta, jnp.float64)
        path = go.rollout(game, solver, start, 700, record=go.record_players).records
        for rounds in range(60, 700, 71):
            piece = go.Players(path.x[:rounds], path.y[:rounds])
            for angle in (None, 2 * np.arcsin(eta / 2)):
                found = go.measured_rate(piece, origin, angle=angle)
                assert str(found.nears) == "inconclusive"
                assert found.error < 0.1


@each_dtype
def test_an_orbit_of_rounding_is_no_cycle(dtype):
    """An orbit about (9, 9), of a hundred units in the last place and of many."""
    t, eps = np.arange(1000), float(jnp.finfo(dtype).eps)
    circle = np.stack([np.cos(2 * np.pi * t / 50), np.sin(2 * np.pi * t / 50)], axis=1)
    motion = lambda radius: str(go.limit_cycle(jnp.asarray(9 + radius * circle, dtype)).motion)
    for units in (1, 10, 100, 1000):
        assert motion(9 * units * eps) in ("settled", "undecided")
    assert motion(1e5 * 9 * eps) == "cycle"
    found = go.limit_cycle(jnp.asarray(9 + circle, dtype))
    assert str(found.motion) == "cycle"
    assert abs(found.drift) <= found.drift_error < 1e-3
