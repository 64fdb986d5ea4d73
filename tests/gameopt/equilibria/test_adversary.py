"""`classify` against exact arithmetic on adversarial games; the exact arithmetic against theory."""

import hypothesis as hyp
import hypothesis.strategies as st
import numpy as np
import pytest

from tests.gameopt.equilibria.adversary import FIELDS, Said, classify_all, wrong
from tests.gameopt.equilibria.data_games import KINDS, classify_data, solved_data
from tests.gameopt.equilibria.draws import Shape, clear_case, draw, solved
from tests.gameopt.equilibria.exact import Case, Set, Terms, critical_points, truth_of

BATCH = 16

# A smaller seed is no simpler case.
SETTINGS = hyp.settings(phases=(hyp.Phase.explicit, hyp.Phase.generate))

JUDGED = [
    (Shape((3, 2), True, "float64"), "dense"),
    pytest.param(Shape((1, 1), True, "float32"), "dense", marks=pytest.mark.slow),
    pytest.param(Shape((2, 1), False, "float64"), "dense", marks=pytest.mark.slow),
    (Shape((2, 2), True, "float64", ("box", "box")), "dense"),
    pytest.param(Shape((3, 2), True, "float64"), "krylov", marks=pytest.mark.slow),
]
"""Those that are not slow are enough to see a fault; the benchmark has them all."""


def faults_of(reports, truths, seed):
    """Wrong verdicts by seed."""
    pairs = enumerate(zip(reports, truths, strict=True))
    return {seed + i: found for i, (said, truth) in pairs if (found := wrong(said, truth))}


@pytest.mark.parametrize(("shape", "method"), JUDGED)
@hyp.settings(SETTINGS, max_examples=2)
@hyp.given(seed=st.integers(0, 10**6))
def test_no_confident_verdict_is_wrong(shape, method, seed):
    """Games at all scales, nearly degenerate, with cancellation, or with no critical point."""
    truths = [solved(shape, seed + i) for i in range(BATCH)]
    reports = classify_all([truth.case for truth in truths], method)
    assert not faults_of(reports, truths, seed)


@pytest.mark.parametrize("kind", KINDS)
@hyp.settings(SETTINGS, max_examples=2)
@hyp.given(seed=st.integers(0, 10**6))
def test_no_verdict_about_data_is_wrong(kind, seed):
    """A GAN of a permutation, where large means cancel; a Hessian of the seed of the start."""
    method = "dense" if kind == "permuted" else "krylov"
    truths = [solved_data(kind, "float32", seed + i) for i in range(BATCH)]
    reports = classify_data([truth.case for truth in truths], "float32", method)
    assert not faults_of(reports, truths, seed)


def quadratic(matrix, point, sets=(None, None), linear=None, size_x=None, shift=0.0) -> Case:
    """A zero-sum case of ½ z'Az + b'z."""
    n = len(matrix)
    size_x = n // 2 if size_x is None else size_x
    linear = np.zeros(n) if linear is None else np.asarray(linear, float)
    terms = Terms(np.asarray(matrix, float), linear, np.zeros((3, n)), np.zeros(3), np.zeros(3))
    point = np.asarray(point, float) + shift
    return Case((terms,), (size_x, n - size_x), sets, point, np.full(2, 0.125), 1.0, 1.0)


def test_exact_properties_of_a_saddle_of_the_flow_and_of_a_minimax_that_is_not_nash():
    """-x²/2 + 2xy - y²/2: H_xx = -1, Schur complement 3; trace of J is 0, determinant 3."""
    (found,) = critical_points(quadratic([[-1, 2], [2, -1]], [0.3, -0.2]))
    assert found.distance == pytest.approx(np.hypot(0.3, 0.2), rel=1e-15)
    expected = {"dne": False, "minimax": True, "maximin": False, "attractor": False}
    assert {name: found.holds[name] for name in expected} == expected
    assert found.holds["saddle"] is False
    (found,) = critical_points(quadratic([[-1, 2], [2, -1 - 2**-50]], [0, 0]))
    assert found.holds["attractor"] is True
    assert found.holds["spurious"] is True


def test_thresholds_of_rounds_are_exact():
    """x²/2 - y²/2 with cross term c: simultaneous play contracts up to c² = (1 - (1-h)²)/h²."""
    h = 0.125
    limit = np.sqrt((1 - (1 - h) ** 2) / h**2)
    for c, expected in ((limit * (1 - 1e-15), True), (limit * (1 + 1e-15), False)):
        (found,) = critical_points(quadratic([[1, c], [c, -1]], [0, 0]))
        assert found.holds["attractor_simultaneous"] is expected
        assert found.holds["attractor"] is True


def test_exact_properties_on_the_edges_of_boxes_by_the_critical_cone():
    """x₁x₂ + 0.1 x·x on the quadrant is minimal at 0, and no minimum of the plane."""
    box = Set("box", np.zeros(2), np.full(2, np.inf), 0.0)
    one = Set("box", np.full(1, -np.inf), np.full(1, np.inf), 0.0)
    matrix = np.array([[0.2, 1, 0], [1, 0.2, 0], [0, 0, -1]])
    on_set = critical_points(quadratic(matrix, np.zeros(3), (box, one), size_x=2))[0]
    assert on_set.holds["dne"] is True
    assert critical_points(quadratic(matrix, np.zeros(3), size_x=2))[0].holds["dne"] is False
    # Not copositive: -x₁x₂ falls along the diagonal.
    matrix[0, 1] = matrix[1, 0] = -1
    on_set = critical_points(quadratic(matrix, np.zeros(3), (box, one), size_x=2))[0]
    assert on_set.holds["dne"] is False


def test_exact_properties_on_a_sphere_have_the_multipliers_curvature():
    """a x₁²/2 + b x₁ on a disc at (1, 0): tangent curvature is the multiplier -(a + b)."""
    ball, free = Set("ball", 0.0, 0.0, 1.0), None
    for b, expected in ((-3.0, True), (-2.0, True)):
        matrix = np.diag([1.0, -0.5, -1.0])
        case = quadratic(matrix, [1.0, 0, 0], (ball, free), [b, 0, 0], 2)
        found = critical_points(case)[0]
        assert found.distance == 0
        assert found.holds["dne"] is expected
    case = quadratic(np.diag([1.0, -0.5, -1.0]), [1.0, 0, 0], (ball, free), [-1.25, 0, 0], 2)
    assert critical_points(case)[0].holds["dne"] is False


def test_rock_paper_scissors_on_simplices():
    """-(Σx - 1)² + .3 |x - ⅓|² has a strict Nash equilibrium at the centre: Σx = 1 on the set."""
    cycle = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0.0]])
    own = 0.6 * np.eye(3) - 2 * np.ones((3, 3))
    matrix = np.block([[own, cycle], [cycle.T, -0.6 * np.eye(3)]])
    simplex = Set("simplex", 0.0, 0.0, 1.0)
    case = quadratic(matrix, np.full(6, 1 / 3), (simplex, simplex), size_x=3)
    found = critical_points(case)[0]
    assert found.holds["dne"] is True
    assert found.holds["attractor"] is True
    assert found.distance < 1e-15


def test_no_critical_point_is_found_where_there_is_none():
    """-x g - (g²/4π²) cos(2πx/g): the derivative is -g + (g/2π) sin, never 0."""
    g = 1e-8
    directions, weights = np.zeros((3, 2)), np.zeros(3)
    directions[0, 0], weights[0] = 2 * np.pi / g, -(g**2) / (4 * np.pi**2)
    matrix, linear = np.diag([0.0, -1.0]), np.array([-g, 0])
    terms = Terms(matrix, linear, directions, np.zeros(3), weights)
    case = Case((terms,), (1, 1), (None, None), np.zeros(2), np.ones(2), g, g)
    truth = truth_of(case)
    assert truth.criticals == []
    all_yes = Said(dict.fromkeys(FIELDS, "yes"), 1e-6)
    assert set(wrong(all_yes, truth)) == {*FIELDS, "radius"} - {"degenerate"}


@pytest.mark.parametrize("seed", range(4))
def test_a_liar_is_caught_and_the_truth_and_silence_are_not(seed):
    """Words turned round are wrong where the property is judged."""
    shape = Shape((2, 2), True, "float64")
    truth = truth_of(clear_case(shape, seed, 0.0))
    holds = truth.criticals[0].holds | {"degenerate": False}
    honest = {name: "yes" if holds[name] else "no" for name in FIELDS}
    assert wrong(Said(honest, 1e-9), truth) == []
    turned = {name: "no" if word == "yes" else "yes" for name, word in honest.items()}
    turned["stationary"] = "yes"
    caught = set(wrong(Said(turned, 1e-9), truth))
    assert caught == set(FIELDS) - {"stationary"}
    turned["stationary"] = "no"
    # Away from a stationary point nothing is near but the point itself.
    assert "stationary" in wrong(Said(turned, 1e-9), truth)
    assert wrong(Said(dict.fromkeys(FIELDS, "inconclusive"), 1e-9), truth) == []


def test_draws_are_of_one_seed_and_of_the_dtype():
    """The same case for the same seed, another for another."""
    for dtype in ("float32", "float64"):
        shape = Shape((2, 1), False, dtype)
        first, again, other = draw(shape, 3), draw(shape, 3), draw(shape, 4)
        assert first.point.dtype == first.terms[0].matrix.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(first.point, again.point)
        np.testing.assert_array_equal(first.terms[1].matrix, again.terms[1].matrix)
        assert not np.array_equal(first.terms[0].matrix, other.terms[0].matrix)
