"""The path-angle of quadratic games in closed form: switch, bump, and neither."""

import equinox as eqx
import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from tests.gameopt.games.test_derivatives import GAMES, random_quadratic
from tests.solvers import point

seeds = st.integers(0, 2**31 - 1)

ORIGIN = point(jnp.zeros(3), jnp.zeros(2))


def planar(a, b):
    """J = [[a, b], [-b, a]]: attraction a, rotation b, equilibrium 0."""
    eye = np.eye(1)
    return go.ZeroSumQuadratic(a * eye, b * eye, -a * eye)


def passing(game, distance, **options):
    """From (1, d) to (0, d): the line passes the equilibrium by d, and is nearest to it at 1."""
    return go.path_angle(game, point([1.0], [distance]), point([0.0], [distance]), **options)


@hyp.given(seed=seeds)
@hyp.settings(max_examples=20)
def test_on_quadratic_games_it_is_the_formula(seed):
    """c = <J (z - z*), d> / (|J (z - z*)| |d|), whose numerator is a line in alpha."""
    game, start = random_quadratic(seed)
    rng = np.random.default_rng(seed)
    end = point(rng.normal(size=3), rng.normal(size=2))
    found = go.path_angle(game, start, end)
    flat = lambda players: np.concatenate([players.x, players.y])
    jacobian, constant = np.asarray(go.jacobian(game, start)), flat(go.field(game, ORIGIN))
    z0, line = flat(start), flat(end) - flat(start)
    fields = (z0 + np.asarray(found.alphas)[:, None] * line) @ jacobian.T + constant
    norms = np.linalg.norm(fields, axis=1)
    cosine = fields @ line / (norms * np.linalg.norm(line))
    np.testing.assert_allclose(found.field_norm, norms, rtol=1e-9)
    np.testing.assert_allclose(found.cosine, cosine, atol=1e-9)
    own = np.linalg.norm(fields[:, :3], axis=1)
    np.testing.assert_allclose(found.own_field_norm.x, own, rtol=1e-8)
    cosine_y = fields[:, 3:] @ line[3:] / np.linalg.norm(fields[:, 3:], axis=1)
    np.testing.assert_allclose(found.own_cosine.y, cosine_y / np.linalg.norm(line[3:]), atol=1e-8)
    slope = line @ jacobian @ line
    switch = -(line @ (jacobian @ z0 + constant)) / slope
    inside = -0.25 < switch < 1.25 and slope > 0
    np.testing.assert_allclose(found.switch, switch if inside else np.inf, rtol=1e-7)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("b", [0.3, -1.0, 4.0])
def test_attraction_switches_rotation_bumps_and_both_do_both(b, side):
    """At a passing distance well below the window: 1 - cos psi with psi = arg(a + ib), upward or
    downward as the rotation goes and on which side the line passes."""
    distance, alphas = side * 1e-3, jnp.linspace(0.5, 1.5, 4001)
    options = {"alphas": alphas, "window": 0.4}
    attraction = passing(planar(1.0, 0.0), distance, **options)
    assert abs(attraction.switch - 1) < 1e-12
    assert attraction.bump == 0
    rotation = passing(planar(0.0, b), distance, **options)
    assert rotation.switch == jnp.inf
    np.testing.assert_allclose(rotation.bump, -side * np.sign(b), atol=0.01)
    both = passing(planar(1.0, b), distance, **options)
    # <J z, d> = 0 at x = -b y / a.
    np.testing.assert_allclose(both.switch, 1 + b * distance, atol=1e-12)
    psi = np.arctan2(abs(b), 1.0)
    np.testing.assert_allclose(both.bump, -side * np.sign(b) * (1 - np.cos(psi)), atol=0.01)


def test_the_bump_is_as_wide_as_the_passing_distance():
    """Pure rotation, J z = (b d, -b x): |c| = d / sqrt(x^2 + d^2), one half at x = sqrt(3) d."""
    found = passing(planar(0.0, 2.0), 0.05)
    x = 1 - np.asarray(found.alphas)
    np.testing.assert_allclose(found.cosine, -0.05 / np.hypot(x, 0.05), rtol=1e-12)


@pytest.mark.parametrize("b", [0.0, 0.5, 3.0])
def test_a_line_right_through_the_equilibrium_has_no_bump(b):
    """c = -cos psi before it, cos psi after it, and 0 rather than rounding at it."""
    offset = go.ZeroSumQuadratic(
        np.eye(1), b * np.eye(1), -np.eye(1), linear_x=np.array([0.3]), linear_y=np.array([-0.2])
    )
    (equilibrium,) = offset.equilibria()
    found = go.path_angle(offset, point([1.0], [0.7]), equilibrium)
    sign = np.sign(np.round(np.asarray(found.alphas) - 1, 9))
    np.testing.assert_allclose(found.cosine, sign / np.hypot(1, b), atol=1e-9)
    np.testing.assert_allclose(found.switch, 1, atol=1e-12)
    np.testing.assert_allclose(found.bump, 0, atol=1e-9)


def test_repulsion_switches_the_other_way_and_is_no_switch():
    """From positive to negative: play leaves the end on both sides."""
    found = passing(planar(-1.0, 0.2), 1e-3)
    assert found.cosine[0] > 0 > found.cosine[-1]
    assert found.switch == jnp.inf


def test_of_two_switches_the_one_nearest_to_the_end():
    """L_x' = (x - 1)(x - .5)(x): up through 0, down through .5, up through 1; the line ends at .9,
    which is alpha = 1."""
    slope = lambda x: x**4 / 4 - x**3 / 2 + x**2 / 4
    game = go.game_from_losses(lambda x, y: slope(x) + 0 * y, lambda x, y: y**2 + 0 * x)
    found = go.path_angle(game, point(-0.2, 0.0), point(0.9, 0.0))
    np.testing.assert_allclose(found.switch, 1.2 / 1.1, atol=1e-3)
    assert jnp.sum(jnp.diff(jnp.sign(found.cosine)) > 0) == 2


def test_no_line_has_no_angle():
    """End where it starts: cosines 0, norms as they are, nothing nan."""
    at = point([0.3, -0.7], [1.1, 0.4])
    found = go.path_angle(GAMES["general_sum"], at, at)
    assert not found.cosine.any()
    np.testing.assert_allclose(found.field_norm, go.stationarity(GAMES["general_sum"], at))
    assert found.bump == 0
    assert all(not jnp.isnan(leaf).any() for leaf in jax.tree.leaves(found))


def test_a_player_that_stays_has_cosine_zero():
    """Along y alone, x's own cosine is 0 while its field is not."""
    found = go.path_angle(planar(1.0, 2.0), point([1.0], [1.0]), point([1.0], [0.2]))
    assert not found.own_cosine.x.any()
    assert found.own_field_norm.x.all()
    np.testing.assert_allclose(jnp.abs(found.own_cosine.y), 1)


def test_under_jit_and_vmap():
    """A batch of ends at once."""
    game, start = GAMES["zero_sum"], point([0.3, -0.7], [1.1, 0.4])
    ends = go.Players(jnp.arange(6.0).reshape(3, 2), -jnp.ones((3, 2)))
    one = lambda end: go.path_angle(game, start, end)
    many = eqx.filter_jit(jax.vmap(one))(ends)
    for i in range(3):
        single = one(jax.tree.map(lambda leaf, i=i: leaf[i], ends))
        np.testing.assert_allclose(many.cosine[i], single.cosine, rtol=1e-9)
        np.testing.assert_allclose(many.bump[i], single.bump, atol=1e-12)


def test_alphas_that_are_no_line_are_refused():
    """Too few, and descending."""
    at = point([1.0], [1.0])
    with pytest.raises(ValueError, match=r"shape \(k,\) with k >= 3"):
        go.path_angle(planar(1.0, 1.0), at, at, alphas=jnp.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="alphas must ascend"):
        go.path_angle(planar(1.0, 1.0), at, at, alphas=jnp.array([1.0, 0.5, 0.0]))
