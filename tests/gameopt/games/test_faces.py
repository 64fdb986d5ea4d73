"""Active constraints of sets: planted multipliers, derivatives of projections, curved faces."""

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from gameopt._games.faces import Face, face_of, faces
from gameopt._linalg.cones import ConeCurvature, curvature_on_cone
from tests.solvers import point

NEAR = 1e-6


def face_at(projection, strategy, gradient, near=NEAR, slack=0.0) -> Face:
    """The face, compiled, as `classify` finds it."""
    compiled = jax.jit(
        lambda z, g: face_of(projection, z, g, jnp.asarray(near), jnp.asarray(slack))
    )
    return compiled(strategy, gradient)


def judged(hessian, face, noise=1e-12) -> ConeCurvature:
    """The curvature on a face's cone."""
    assert bool(face.is_known)
    parts = face.free, face.normals, face.curvature, face.weak, face.uncertain
    free, normals, mu, weak, uncertain = map(np.asarray, parts)
    return curvature_on_cone(np.asarray(hessian), noise, free, normals, float(mu), weak, uncertain)


def minimum(projection, loss, x, slack=0.0) -> tuple[bool, bool]:
    """Proofs that a point is a strict minimum of a loss on a set, and that it is none."""
    x = jnp.asarray(x)
    found = judged(jax.hessian(loss)(x), face_at(projection, x, jax.grad(loss)(x), slack=slack))
    return found.yes, found.no


@pytest.mark.parametrize(("bowl", "expected"), [(0.1, (True, False)), (-0.1, (False, True))])
def test_copositive_at_a_corner(bowl, expected):
    """x1 x2 + c x.x at the corner 0 of the quadrant: a strict minimum for c > 0, not for c < 0."""
    quadrant, loss = go.Box(0.0, jnp.inf), lambda x: x[0] * x[1] + bowl * jnp.sum(x**2)
    assert minimum(quadrant, loss, [0.0, 0.0]) == expected
    # Inside it is the saddle, and -x1 x2 falls inwards.
    assert minimum(go.Box(-1.0, 1.0), loss, [0.0, 0.0]) == (False, True)
    assert minimum(quadrant, lambda x: -x[0] * x[1] + 0.1 * jnp.sum(x**2), [0.0, 0.0])[1]


def test_a_multiplier_within_the_slack_refutes_nothing():
    """-x^2 at the bound 0 with a multiplier of 1e-9 is a strict minimum, for the next 1e-9."""
    half, loss = go.Box(0.0, jnp.inf), lambda x: jnp.sum(1e-9 * x - x**2)
    assert minimum(half, loss, [0.0]) == (True, False)
    assert minimum(half, loss, [0.0], slack=1e-8) == (False, False)
    assert minimum(half, lambda x: jnp.sum(1e-9 * x + x**2), [0.0], slack=1e-8) == (True, False)


def test_a_box_of_one_point():
    """-x^2 / 2 on [0, 0]: the only strategy, whatever the slack; on [0, 1] no minimum."""
    hill = lambda x: -jnp.sum(x**2) / 2
    assert minimum(go.Box(0.0, 0.0), hill, [0.0], slack=1e-3) == (True, False)
    assert minimum(go.Box(0.0, 1.0), hill, [0.0]) == (False, True)


@pytest.mark.parametrize("sign", [1, -1])
def test_rock_paper_scissors_with_curvature(sign):
    """-(sum x - 1)^2 curves off the simplex only: a strict Nash equilibrium at the centre."""
    game = go.rock_paper_scissors()

    def value(x, y):
        own = lambda z: 0.3 * jnp.sum((z - 1 / 3) ** 2)
        rest = game.losses(go.Players(x, y)).x - (jnp.sum(x) - 1) ** 2
        return rest + sign * own(x) - own(y)

    on_simplices = go.constrained(go.zero_sum_game(value), x=go.Simplex(), y=go.Simplex())
    centre = point([1 / 3] * 3, [1 / 3] * 3)
    field = go.field(on_simplices, centre)
    found = faces(on_simplices, centre, field, jnp.asarray(NEAR), jnp.asarray(1e-12))
    for hessian, face, yes in (
        (go.hessian_x(on_simplices, centre), found.x, sign > 0),
        (go.hessian_y(on_simplices, centre), found.y, True),
    ):
        assert bool(face.is_clear)
        assert not bool(face.is_whole)
        verdict = judged(hessian, face)
        assert (verdict.yes, verdict.no) == (yes, not yes)


class Circle(go.AbstractSet):
    """The unit circle, which is not convex."""

    convex: ClassVar[bool] = False

    def __call__(self, strategy):
        return strategy / jnp.linalg.norm(strategy)


def test_sets_that_are_not_convex():
    """Refused where they say so; a plain function is not known anywhere on the circle."""
    x = jnp.array([0.0, 1.0])
    loss = lambda x: 0.05 * x[0] ** 2 + 0.1 * x[1] ** 2
    with pytest.raises(ValueError, match="for convex sets, and Circle states convex = False"):
        face_at(Circle(), x, jax.grad(loss)(x))
    plain = face_at(lambda x: x / jnp.linalg.norm(x), x, jax.grad(loss)(x))
    assert not bool(plain.is_known)
    assert not bool(plain.is_whole)


def smooth_set(projection, x, gradient, direction):
    """The derivative of P(x - g) in a direction, with P the projection."""
    return jax.jvp(projection, (x - gradient,), (direction,))[1]


def planted_box(rng, n):
    """Bounds, a point and a gradient with strict multipliers, and which entries are held."""
    low, width = rng.normal(size=n), rng.choice([0.0, 1.0, 2.0], n)
    place, push = rng.choice([0, 1, 2], n), rng.uniform(0.1, 3, n)
    high = low + width
    x = np.choose(place, [low, low + width / 2, high])
    gradient = np.choose(place, [push, np.where(width == 0, push, 0), -push])
    return go.Box(low, high), x, gradient, (place != 1) | (width == 0)


def planted_simplex(rng, n):
    held = rng.uniform(size=n) < 0.4
    held[rng.integers(n)] = False
    x = np.where(held, 0, rng.uniform(0.2, 1, n))
    x = 1.7 * x / x.sum()
    return go.Simplex(1.7), x, rng.normal() + np.where(held, rng.uniform(0.1, 3, n), 0), held


def planted_l1(rng, n):
    held = rng.uniform(size=n) < 0.4
    held[rng.integers(n)] = False
    signs, size = rng.choice([-1, 1], n), rng.uniform(0.5, 2)
    x = np.where(held, 0, signs * rng.uniform(0.2, 1, n))
    inside = rng.uniform(-0.9, 0.9, n) * size
    return go.Ball(np.abs(x).sum(), "l1"), x, np.where(held, inside, -signs * size), held


def planted_l2(rng, n):
    x = rng.normal(size=n)
    radius = np.linalg.norm(x)
    return go.Ball(radius), x, -rng.uniform(0.2, 2) * x / radius, np.zeros(n, bool)


def planted_linf(rng, n):
    held = rng.uniform(size=n) < 0.5
    signs = rng.choice([-1, 1], n)
    x = signs * np.where(held, 1.3, 0.4)
    gradient = np.where(held, -signs * rng.uniform(0.1, 3, n), 0)
    return go.Ball(1.3, "linf"), x, gradient, held


PLANTED = {
    f.__name__: f for f in (planted_box, planted_simplex, planted_l1, planted_l2, planted_linf)
}


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("seed", range(8))
def test_faces_against_the_derivative_of_the_projection(name, seed):
    """At strict multipliers P(z - g + t d) = z + t (tangent part of d) / (1 + curvature) + O(t^2).

    Haraux (1977) for polyhedra; of the sphere by hand.
    """
    rng = np.random.default_rng([seed, 3])
    n = int(rng.integers(1, 6))
    projection, x, gradient, held = PLANTED[name](rng, n)
    x, gradient = jnp.asarray(x), jnp.asarray(gradient)
    np.testing.assert_allclose(projection(x - gradient), x, atol=1e-14)
    face = face_at(projection, x, gradient, slack=1e-9)
    assert bool(face.is_known)
    assert bool(face.is_clear)
    np.testing.assert_array_equal(face.free, 1.0 - held)
    np.testing.assert_allclose(face.offset, 0, atol=1e-14)
    for direction in jnp.asarray(rng.normal(size=(4, n))):
        expected = smooth_set(projection, x, gradient, direction)
        found = face.project(direction) / (1 + face.curvature)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        np.testing.assert_allclose(face.project(found), found, atol=1e-14)


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize("seed", range(6))
def test_near_a_face_its_offset_is_the_way_there(name, seed):
    """A point moved off by less than `near` has the same face; moved further, another."""
    rng = np.random.default_rng([seed, 4])
    projection, x, gradient, held = PLANTED[name](rng, 5)
    on_face = face_at(projection, jnp.asarray(x), jnp.asarray(gradient), slack=1e-9)
    # Inwards, normal to the face.
    off = rng.uniform(0.5, 1, 5)
    off = off - np.asarray(on_face.project(jnp.asarray(off)))
    off = 1e-7 * np.where(np.abs(gradient) > 0, np.abs(off) * np.sign(gradient), 0)
    if name == "planted_simplex":
        off = 1e-7 * np.where(held, rng.uniform(0.5, 1, 5), 0)
        off = off - np.where(held, 0, off.sum() / max((~held).sum(), 1))
    if name == "planted_l1":
        off = -1e-7 * np.where(held, 0, np.sign(x))
    moved = face_at(projection, jnp.asarray(x + off), jnp.asarray(gradient), slack=1e-9)
    np.testing.assert_array_equal(moved.free, on_face.free)
    np.testing.assert_allclose(moved.normals, on_face.normals, atol=1e-6)
    line = np.asarray(on_face.project(jnp.asarray(off)))
    np.testing.assert_allclose(moved.offset, line - off, rtol=1e-5, atol=1e-13)


@pytest.mark.parametrize("x", [[0.6, 0.8], [2.0, -1.0, 0.5]])
def test_curvature_of_the_sphere_is_that_of_its_great_circles(x):
    """The second derivative along z cos(s/r) + r v sin(s/r) is v'(H + mu I)v, at any gradient."""
    x, rng = jnp.asarray(x), np.random.default_rng(5)
    n, radius = x.size, jnp.linalg.norm(x)
    matrix = jnp.asarray(rng.normal(size=(n, n)))
    # Its gradient at x is -x.
    loss = lambda z: jnp.sum(jnp.cos(matrix @ z)) - z @ (jax.grad(cosines)(x) + x)
    cosines = lambda z: jnp.sum(jnp.cos(matrix @ z))
    face = face_at(go.Ball(radius), x, jax.grad(loss)(x), slack=1e-9)
    np.testing.assert_allclose(face.curvature, 1, rtol=1e-12)
    for _ in range(4):
        v = face.project(jnp.asarray(rng.normal(size=n)))
        v = v / jnp.linalg.norm(v)
        on_circle = lambda s, v=v: loss(x * jnp.cos(s / radius) + radius * v * jnp.sin(s / radius))
        second = jax.grad(jax.grad(on_circle))(jnp.asarray(0.0))
        hessian = jax.hessian(loss)(x) + face.curvature * jnp.eye(n)
        np.testing.assert_allclose(v @ hessian @ v, second, atol=1e-12)


def test_entries_at_their_bounds():
    """Strict, weak, of the wrong sign, near and far; the slack decides what is told."""
    x = jnp.array([0.0, 0.0, 0.0, 1e-8, 1e-8, 0.5, 1.0, 1.0])
    gradient = jnp.array([1.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1e-10])
    for slack, told in ((1e-9, False), (0.0, True)):
        face = face_at(go.Box(0.0, 1.0), x, gradient, slack=slack)
        last_held = told
        np.testing.assert_array_equal(face.free, [0, 1, 1, 0, 1, 1, 1, 1 - last_held])
        np.testing.assert_array_equal(face.weak, [0, 1, 0, 0, 0, 0, -1, 0 if last_held else -1])
        expected = [False, not told, True, False, True, False, not told, not told]
        np.testing.assert_array_equal(face.uncertain, expected)
        assert not bool(face.is_clear)
        np.testing.assert_allclose(face.offset, [0, 0, 0, -1e-8, 0, 0, 0, 0])
    # On a box narrower than `near` either bound may be the one.
    narrow = face_at(go.Box(0.0, 1e-9), jnp.zeros(1), jnp.zeros(1), slack=1e-12)
    assert (int(narrow.weak[0]), bool(narrow.uncertain[0])) == (0, True)


def test_weak_entries_of_the_simplex():
    """A multiplier of 0 is weak; directions sum to 0; the support's mean is the multiplier."""
    x = jnp.array([0.25, 0.75, 0.0, 0.0, 0.0])
    gradient = jnp.array([0.3, 0.3, 0.3, 0.9, 0.1])
    face = face_at(go.Simplex(), x, gradient)
    np.testing.assert_array_equal(face.free, [1, 1, 1, 0, 1])
    np.testing.assert_array_equal(face.weak, [0, 0, 1, 0, 0])
    # The last is of the wrong sign: no stationary point.
    np.testing.assert_array_equal(face.uncertain, [0, 0, 0, 0, 1])
    np.testing.assert_allclose(face.normals, [[0.5, 0.5, 0.5, 0, 0.5]])
    # On sum 0 with d3 >= 0: d1^2 + d2^2 - c d3^2 is least at d1 = d2 = -d3 / 2.
    judge = lambda c: minimum(
        go.Simplex(), lambda z: jnp.sum((z[:2] - x[:2]) ** 2) - c * z[2] ** 2 + z[3], x[:4]
    )
    assert judge(0.49) == (True, False)
    assert judge(0.51) == (False, True)
    noisy = gradient[:4] + jnp.array([1e-7, -1e-7, 1e-8, 0.0])
    held = face_at(go.Simplex(), x[:4], noisy, slack=1e-6)
    np.testing.assert_array_equal(held.free, [1, 1, 1, 0])
    np.testing.assert_array_equal(held.weak, [0, 0, 1, 0])
    np.testing.assert_array_equal(held.uncertain, [0, 0, 1, 0])


@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
def test_balls_inside_at_a_weak_edge_and_of_radius_zero(norm):
    """Whole inside; at an edge without a multiplier unclear; the ball of one point holds all."""
    x, zero = jnp.array([0.6, 0.8]), jnp.zeros(2)
    size = {"l1": 1.4, "l2": 1.0, "linf": 0.8}[norm]
    inside = face_at(go.Ball(2.0, norm), x, zero)
    assert bool(inside.is_whole)
    assert bool(inside.is_clear)
    for slack in (0.0, 1e-9):
        edge = face_at(go.Ball(size, norm), x, zero, slack=slack)
        assert not bool(edge.is_whole)
        assert not bool(edge.is_clear)
        assert judged(jnp.eye(2), edge).yes
        # Falls along the edge, or inwards: so told only if the multiplier is.
        assert judged(-jnp.eye(2), edge).no == (slack == 0 or norm == "linf")
    point_only = face_at(go.Ball(0.0, norm), zero, zero)
    np.testing.assert_array_equal(point_only.free, [0, 0])
    assert judged(-jnp.eye(2), point_only).yes
    assert judged(-jnp.eye(2), face_at(go.Simplex(0.0), zero, zero)).yes


def test_corners_of_the_l1_ball():
    """Entries at 0 with |g| = m are neither held nor free: not known."""
    ball, x = go.Ball(1.0, "l1"), jnp.array([1.0, 0.0])
    assert bool(face_at(ball, x, jnp.array([-1.0, 0.5])).is_known)
    assert not bool(face_at(ball, x, jnp.array([-1.0, 1.0])).is_known)
    assert not bool(face_at(ball, x, jnp.array([0.0, 0.0])).is_known)


def test_trees_of_several_dtypes():
    """Bounds broadcast leaf by leaf; half precision is compared in single; under vmap."""
    strategy = {"a": jnp.zeros((2, 3), jnp.bfloat16), "b": jnp.ones(2, jnp.bfloat16), "f": abs}
    gradient = {"a": jnp.ones((2, 3), jnp.bfloat16), "b": jnp.zeros(2, jnp.bfloat16), "f": None}
    face = go.Box(0.0, 2.0).face(strategy, gradient, jnp.asarray(1e-3), jnp.asarray(1e-6))
    np.testing.assert_array_equal(face.free.astype(float), [0] * 6 + [1] * 2)
    assert face.free.dtype == jnp.bfloat16
    points = jnp.array([[0.6, 0.8], [0.1, 0.1]], jnp.float32)
    small = jnp.asarray(1e-4)
    each = jax.vmap(lambda x: go.Ball(1.0).face(x, -x, small, small))(points)
    np.testing.assert_array_equal(each.is_whole, [False, True])
    np.testing.assert_allclose(each.curvature, [1, 0], rtol=1e-6)
    assert each.normals.dtype == jnp.float32
