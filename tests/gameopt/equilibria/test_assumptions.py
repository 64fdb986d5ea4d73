"""Assumptions of a certificate's arguments: broken where they fail, and kept where they hold.

Each case stands beside an honest one, whose answer must stay yes or no.
"""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from tests.gameopt.equilibria.test_classify import EITHER, METHODS, word
from tests.solvers import point

both = pytest.mark.parametrize("method", METHODS)
either = pytest.mark.parametrize("method", EITHER)
zero_sum = go.zero_sum_game


class PermutedGAN(go.AbstractGame):
    """A critic on data and a permutation of them: its curvature is the ridge, the rest cancels."""

    real: jax.Array
    fake: jax.Array
    ridge: jax.Array

    def losses(self, players, key=None):
        x, y = players.x, players.y
        gap = jnp.mean(0.5 * (y * self.real) ** 2) - jnp.mean(0.5 * (y * self.fake) ** 2)
        return go.Players(0.5 * x**2, gap + 0.5 * self.ridge * y**2)


def permuted_gan(seed, ridge, scale):
    rng = np.random.default_rng(seed)
    real = (scale * rng.normal(size=4096)).astype(np.float32)
    return PermutedGAN(*map(jnp.asarray, (real, rng.permutation(real), np.float32(ridge))))


@both
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("sign", [1, -1])
def test_terms_that_cancel_are_noise(method, seed, sign):
    """In float32 the sums are off by more than the ridge of 1e-3; with data of size 0.1 they are
    not, and the sign of the ridge is told."""
    at = go.Players(jnp.float32(0.0), jnp.float32(0.0))
    lost = go.classify(permuted_gan(seed, sign * 1e-3, 100.0), at, method=method)
    assert word(lost.dne) == word(lost.attractor) == "inconclusive"
    found = go.classify(permuted_gan(seed, sign * 1e-3, 0.1), at, method=method)
    assert word(found.dne) == ("yes" if sign > 0 else "no")


PERIOD = 1e-8


@both
@pytest.mark.parametrize(
    ("value", "at", "tol"),
    [
        (lambda x, y: 1e-9 * (x**2 - y**2), (1.0, 1.0), None),
        (
            lambda x, y: (
                -PERIOD * x
                - (PERIOD / (2 * np.pi)) ** 2 * jnp.cos(2 * np.pi * x / PERIOD)
                - y**2 / 2
            ),
            (0.0, 0.0),
            None,
        ),
        (lambda x, y: x**3 - y**2 / 2, (1e-3, 0.0), 1e-5),
        (lambda x, y: x**4 - 1e-9 * x**2 - y**2 / 2, (3e-5, 0.0), None),
    ],
    ids=["flat", "no critical point", "degenerate", "another nearby"],
)
def test_a_small_field_is_no_critical_point(method, value, at, tol):
    """None is near in the first, there is none at all in the second, and in the others Newton's map
    is no contraction. A tolerance drops no check."""
    report = go.classify(zero_sum(value), point(*at), tol=tol, method=method)
    assert word(report.stationary) != "yes"
    for name in ("dne", "minimax", "attractor", "saddle"):
        assert word(getattr(report, name)) != "yes"


@both
def test_what_has_underflowed_is_not_zero(method):
    """x^4 at 1e-110: the field is computed as 0, and the curvature is none of the minimum's."""
    game = go.one_player_game(lambda x: jnp.sum(x**4))
    report = go.classify(game, go.Players(jnp.array([1e-110]), None), method=method)
    assert word(report.stationary) == word(report.dne) == "inconclusive"


@both
@pytest.mark.parametrize(("slope", "exact"), [(2.0**-34, True), (1e-10, False)])
def test_a_field_that_rounds_to_zero_is_not_zero(method, slope, exact):
    """x2's curvature is lost in rounding beside x1's. Where a x2 = b is only so in float32, the
    critical point is 0.1 and more away, and not within the rounding of x1; where no digit was lost
    it is here, on a line or not."""
    at = 3 * 2.0**22 + 3
    slope, place = np.float32(slope), np.float32(at)
    shift = slope * place
    away = abs(float(shift) / float(slope) - at)
    assert (away == 0) if exact else (away > 0.1)

    def value(x, y):
        own = jnp.float32(0.5) * (x[0] - 1) ** 2 + jnp.float32(0.5) * slope * x[1] ** 2
        return own - shift * x[1] - jnp.float32(0.5) * y**2

    players = go.Players(jnp.array([1.0, place], jnp.float32), jnp.float32(0.0))
    report = go.classify(zero_sum(value), players, method=method)
    assert not jnp.any(go.losses_and_field(zero_sum(value), players)[1].x)
    assert word(report.stationary) == ("yes" if exact else "inconclusive")
    assert word(report.dne) == "inconclusive"


class Slanted(go.AbstractGame):
    """x (a y - b) for x, and x y for y."""

    numbers: jax.Array

    def losses(self, players, key=None):
        slope, shift = self.numbers
        return go.Players(players.x * (slope * players.y - shift), players.x * players.y)


@both
def test_the_radius_reaches_the_critical_point_where_the_jacobian_is_far_from_normal(method):
    """J = (0 e; 1 0) has eigenvalues of 1e-4 and a singular value of 1e-8. The field is off by the
    rounding of one product alone, and 0 as computed; beside rational numbers, at ten places."""
    slope = 1e-8
    for at in np.random.default_rng(6).uniform(1, 100, 10):
        shift = slope * at
        report = go.classify(Slanted(jnp.asarray([slope, shift])), point(0.0, at), method=method)
        assert word(report.stationary) == "yes"
        assert float(report.radius) >= abs(Fraction(shift) / Fraction(slope) - Fraction(at))


@both
@pytest.mark.parametrize("unit", [1e-21, 1.0, 1e21])
@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_verdicts_do_not_depend_on_the_unit_of_the_losses(method, dtype, unit):
    """A minimax point that is no Nash equilibrium; in float32 squares of its curvatures would
    under- or overflow. A Krylov space of two directions proves no Schur complement there."""
    single = lambda rows: jnp.asarray(unit * np.array(rows), dtype)
    a = single([[-0.5, 0.2, 0.0], [0.2, 1.0, 0.3], [0.0, 0.3, 2.0]])
    b = single([[2.0, 0.0], [0.0, 1.0], [1.0, -1.0]])
    c = single([[1.0, 0.2], [0.2, 1.5]])
    at = point(jnp.zeros(3, dtype), jnp.zeros(2, dtype))
    report = go.classify(go.ZeroSumQuadratic(a, b, -c), at, method=method)
    found = report.stationary, report.dne, report.hessian_y.positive
    assert [word(v) for v in found] == ["yes", "no", "yes"]
    proved = method == "dense" or dtype == jnp.float64
    assert word(report.minimax) == ("yes" if proved else "inconclusive")
    exact = np.linalg.eigvalsh(np.array(a + b @ jnp.linalg.solve(c, b.T), np.float64) / unit)[0]
    assert report.schur_x is not None
    np.testing.assert_allclose(report.schur_x.value / unit, exact, rtol=1e-5)


@either
@pytest.mark.parametrize("away", [0.0, 1e-12, 1e-9])
def test_a_critical_point_nearby_is_found_and_the_radius_reaches_it(method, away):
    """The minimum of cosh x - y^2; beyond the reach a tolerance asks for the same point."""
    game = zero_sum(lambda x, y: jnp.cosh(x) - y**2)
    report = go.classify(game, point(away, 0.0), method=method)
    assert word(report.stationary) == word(report.dne) == "yes"
    assert away <= float(report.radius) <= 2.1 * away + 1e-12
    far = point(1e-3, 0.0)
    assert word(go.classify(game, far, method=method).dne) == "no"
    asked = go.classify(game, far, tol=0.1, method=method)
    assert word(asked.dne) == "yes"
    assert 1e-3 <= float(asked.radius) <= 2e-3


@either
@pytest.mark.parametrize(
    ("value", "smooth"),
    [
        (lambda x, y: -jax.nn.relu(x) + x**2 / 2 - y**2 / 2, False),
        (lambda x, y: jnp.maximum(x, -x) - x**2 - y**2 / 2, False),
        (lambda x, y: jnp.where(x > 0, x, 2 * x) + x**2 - y**2, False),
        (lambda x, y: jnp.sum(jnp.sort(jnp.stack([x, -x])) * jnp.arange(2.0)) - y**2, False),
        (lambda x, y: jnp.clip(x, 0, 1) - x / 2 + x**2 - y**2, False),
        (lambda x, y: jax.nn.relu(1 + x - 1) + x**2 - y**2, False),
        (lambda x, y: jax.nn.softplus(x) - x / 2 - y**2, True),
        (lambda x, y: jax.nn.logsumexp(jnp.stack([x, -x])) - y**2, True),
        (lambda x, y: jax.nn.relu(1 + x) - x + x**2 - y**2, True),
        (lambda x, y: jnp.abs(x - 1) + x + x**2 - y**2, True),
    ],
    ids=["relu", "max", "where", "sort", "clip", "shifted", "softplus", "logsumexp", "off", "abs"],
)
def test_a_kink_within_rounding_is_inconclusive(method, value, smooth):
    """And functions that are smooth there, though they are made of such pieces, are not."""
    report = go.classify(zero_sum(value), point(0.0, 0.0), method=method)
    assert bool(report.smooth) is smooth
    assert word(report.dne) == ("yes" if smooth else "inconclusive")
    assert word(report.saddle) == ("no" if smooth else "inconclusive")


ROCK_PAPER_SCISSORS = jnp.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])


def rock_paper_scissors(bend):
    """Strictly convex along the simplex, concave across it."""

    def value(x, y):
        third = 1 / 3
        own = bend * (jnp.sum((x - third) ** 2) - jnp.sum((y - third) ** 2))
        return x @ ROCK_PAPER_SCISSORS @ y - (jnp.sum(x) - 1) ** 2 + own

    return go.constrained(zero_sum(value), x=go.Simplex(), y=go.Simplex())


@either
def test_second_order_conditions_on_the_critical_cone(method):
    """A strict minimum at a corner that is none of the whole space; the only strategy; a strict
    Nash equilibrium of the simplex; and the same with curvature of the other sign."""
    corner = lambda sign: go.constrained(
        zero_sum(lambda x, y: x[0] * x[1] + sign * 0.1 * x @ x - 0.5 * y @ y),
        x=go.Box(0.0, jnp.inf),
    )
    at = point(jnp.zeros(2), jnp.zeros(1))
    held = go.classify(corner(1.0), at, method=method)
    assert word(held.dne) == ("yes" if method == "dense" else "inconclusive")
    assert word(held.saddle) == "inconclusive"
    assert word(go.classify(corner(-1.0), at, method=method).dne) != "yes"
    single = go.constrained(zero_sum(lambda x, y: -(x**2) / 2 - y**2 / 2), x=go.Box(0.0, 0.0))
    assert word(go.classify(single, point(0.0, 0.0), method=method).dne) == "yes"
    third = jnp.full(3, 1 / 3)
    for bend, expected in ((0.3, "yes"), (-0.3, "no")):
        report = go.classify(rock_paper_scissors(bend), point(third, third), method=method)
        assert word(report.stationary) == "yes"
        assert word(report.dne) == word(report.attractor) == expected


@either
@pytest.mark.parametrize("bend", [0.1, 0.3])
def test_the_curvature_of_a_ball_counts(method, bend):
    """c x + b |x|^2 / 2 at (-1, 0) on the unit disc: the multiplier c - b decides, c = 0.5."""
    value = lambda x, y: 0.5 * x[0] - bend * (x[0] ** 2 + x[1] ** 2) / 2 - bend * x[1] ** 2 - y**2
    game = go.constrained(zero_sum(value), x=go.Ball(1.0))
    report = go.classify(game, point(jnp.array([-1.0, 0.0]), jnp.zeros(())), method=method)
    # Along the circle: the gradient is 0.5 + b, the Hessian -3 b.
    assert word(report.dne) == ("yes" if 0.5 + bend > 3 * bend else "no")


@either
@pytest.mark.parametrize("kept", [go.Ball(1.0), go.Box(-1.0, 1.0)], ids=["ball", "box"])
def test_next_to_a_face_the_field_is_another_than_on_it(method, kept):
    """y is 1e-9 inside; x's field is 0 there, and on the face its zero is 5e-9 away."""
    off, slope = 1e-9, 5.0

    def value(x, y):
        return x**2 / 2 + slope * x * (y[0] - 1 + off) + y[0] - y[1] ** 2

    game = go.constrained(zero_sum(value), y=kept)
    report = go.classify(game, point(jnp.zeros(()), jnp.array([1.0 - off, 0.0])), method=method)
    assert word(report.stationary) == word(report.dne) == "yes"
    assert np.hypot(slope * off, off) <= report.radius <= 20 * slope * off


@either
def test_of_an_unknown_set_nothing_is_concluded_and_one_that_is_not_convex_is_refused(method):
    """The maximum on a circle; within, a projection that moves nothing is no set at all."""
    value = lambda x, y: 0.05 * x[0] ** 2 + 0.1 * x[1] ** 2 - y**2 / 2
    on_circle = go.constrained(zero_sum(value), x=lambda x: x / jnp.linalg.norm(x))
    report = go.classify(on_circle, point(jnp.array([0.0, 1.0]), jnp.zeros(())), method=method)
    assert not report.known
    for name in ("dne", "minimax", "attractor", "saddle"):
        assert word(getattr(report, name)) == "inconclusive"
    inside = go.constrained(zero_sum(value), x=lambda x: jnp.clip(x, -1, 1))
    here = go.classify(inside, point(jnp.zeros(2), jnp.zeros(())), method=method)
    assert word(here.dne) == "yes"

    class Circle(go.AbstractSet):
        convex = False

        def __call__(self, strategy):
            return strategy / jnp.linalg.norm(strategy)

    refused = go.constrained(zero_sum(value), x=Circle())
    with pytest.raises(ValueError, match="convex"):
        go.classify(refused, point(jnp.array([0.0, 1.0]), jnp.zeros(())), method=method)


class Noisy(go.ZeroSumGame):
    """x^2 / 2 with a curvature of 1 plus a sample's normal number."""

    def value(self, players, key=None):
        curvature = 1.0 if key is None else 1.0 + 2 * jax.random.normal(key)
        return curvature * players.x**2 / 2 - players.y**2 / 2


@either
def test_a_report_says_of_which_sample_it_speaks(method):
    """One key, stated keys, no key; an array of keys is a report for each, with a count."""
    keys, at = jax.random.split(jax.random.key(0), 12), point(0.0, 0.0)
    one = go.classify(Noisy(), at, keys[0], method=method)
    assert "that of the given key" in one.sample
    assert one.sample in str(one)
    assert "12 stated samples" in go.classify(go.over(Noisy(), keys), at, method=method).sample
    assert "draws none" in go.classify(Noisy(), at, method=method).sample
    many = go.classify(Noisy(), at, keys, method=method)
    yes = sum(float(1 + 2 * jax.random.normal(go_again(key))) > 0 for key in keys)
    assert int(np.sum(many.dne == go.VERDICT.yes)) == yes
    assert 0 < yes < 12
    assert f"yes {yes}" in str(many)
    assert f"no {12 - yes}" in str(many)


def go_again(key):
    """The key once more, as a key of its own."""
    return jax.random.clone(key)
