"""Shares, frequencies and damping against closed forms and dense matrices, under jit and vmap."""

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

numbers = st.floats(-3.0, 3.0)


def damped(mu, s, n=1):
    """V = mu/2 |x|^2 + s xy - mu/2 |y|^2, whose Jacobian is [[mu, s], [-s, mu]] for each entry."""
    eye = np.eye(n)
    return go.ZeroSumQuadratic(mu * eye, s * eye, -mu * eye)


@hyp.given(mu=st.floats(0.1, 3.0), s=numbers, x=st.floats(0.1, 2.0), y=numbers)
def test_damped_rotation_in_closed_form(mu, s, x, y):
    """The shares are mu^2 and s^2 of mu^2 + s^2, and |s| is both frequencies."""
    found = go.rotation(damped(mu, s), point([x], [y]))
    total = mu**2 + s**2
    np.testing.assert_allclose(found.potential, mu**2 / total, atol=1e-13)
    np.testing.assert_allclose(found.rotational, s**2 / total, atol=1e-13)
    np.testing.assert_allclose(found.angular_frequency, abs(s), atol=1e-13)
    np.testing.assert_allclose(found.field_norm, np.sqrt(total) * np.hypot(x, y), rtol=1e-12)
    np.testing.assert_allclose(found.frequency, abs(s), atol=1e-12)
    np.testing.assert_allclose(found.damping, mu, rtol=1e-12)
    assert found.residual == 0
    assert found.method == "dense"


@pytest.mark.parametrize("name", sorted(GAMES))
def test_shares_are_those_of_the_dense_jacobian(name):
    """|S xi|^2 and |A xi|^2 over their sum, which add up to 1, and |A xi| / |xi|."""
    players = point([0.3, -0.7], [1.1, 0.4])
    found = go.rotation(GAMES[name], players)
    jacobian = np.asarray(go.jacobian(GAMES[name], players))
    xi = np.concatenate(jax.tree.leaves(go.field(GAMES[name], players)))
    symmetric, antisymmetric = (jacobian + jacobian.T) / 2 @ xi, (jacobian - jacobian.T) / 2 @ xi
    total = symmetric @ symmetric + antisymmetric @ antisymmetric
    np.testing.assert_allclose(found.potential, symmetric @ symmetric / total, rtol=1e-12)
    np.testing.assert_allclose(found.rotational, antisymmetric @ antisymmetric / total, rtol=1e-12)
    np.testing.assert_allclose(found.potential + found.rotational, 1, rtol=1e-14)
    turning = np.linalg.norm(antisymmetric) / np.linalg.norm(xi)
    np.testing.assert_allclose(found.angular_frequency, turning, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_shares_do_not_know_the_unit_of_the_losses(scale):
    """Squares of the field would vanish or overflow."""
    game = go.ZeroSumQuadratic(scale * np.eye(1), scale * np.eye(1), -scale * np.eye(1))
    found = go.rotation(game, point([1.0], [2.0]))
    np.testing.assert_allclose([found.potential, found.rotational], 0.5, rtol=1e-12)


def test_where_the_field_is_zero_only_the_spectrum_speaks():
    """At the equilibrium the shares are 0, as is what they are taken of; nothing is nan."""
    found = go.rotation(damped(0.5, 2.0), point([0.0], [0.0]))
    assert (found.potential, found.rotational) == (0, 0)
    assert (found.angular_frequency, found.field_norm) == (0, 0)
    np.testing.assert_allclose([found.frequency, found.damping], [2.0, 0.5], rtol=1e-12)


def test_a_constant_field_has_neither_part():
    """J = 0: both shares are 0 although the field is not."""
    game = go.zero_sum_game(lambda x, y: x - 2 * y)
    found = go.rotation(game, point(1.0, 1.0))
    assert (found.potential, found.rotational, found.frequency) == (0, 0, 0)
    np.testing.assert_allclose(found.field_norm, np.sqrt(5), rtol=1e-14)


def test_the_fastest_eigenvalue_and_of_equally_fast_ones_the_least_damped():
    """Rotations at 1 and 3, damped by 0.2 and 5; then at 2 and 2."""
    game = lambda mu, s: go.ZeroSumQuadratic(np.diag(mu), np.diag(s), -np.diag(mu))
    at = point([1.0, 1.0], [1.0, 1.0])
    found = go.rotation(game([0.2, 5.0], [1.0, 3.0]), at)
    np.testing.assert_allclose([found.frequency, found.damping], [3.0, 5.0], rtol=1e-12)
    found = go.rotation(game([0.7, 0.3], [2.0, 2.0]), at)
    np.testing.assert_allclose([found.frequency, found.damping], [2.0, 0.3], rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_arnoldi_with_all_products_is_dense(seed):
    """As many products as entries leave no residual."""
    game, players = random_quadratic(seed)
    dense = go.rotation(game, players)
    krylov = go.rotation(game, players, method="krylov", num_matvecs=5)
    np.testing.assert_allclose(krylov.frequency, dense.frequency, atol=1e-9)
    np.testing.assert_allclose(krylov.damping, dense.damping, atol=1e-9)
    assert krylov.residual < 1e-9
    assert krylov.method == "krylov"


def test_large_games_go_by_arnoldi_and_few_products_find_the_fastest():
    """800 entries: frequencies from 0 to 1, and one of 4 far outside."""
    speeds = np.append(np.linspace(0, 1, 399), 4.0)
    game = go.ZeroSumQuadratic(0.1 * np.eye(400), np.diag(speeds), -0.1 * np.eye(400))
    found = go.rotation(game, point(jnp.ones(400), jnp.ones(400)), num_matvecs=30)
    assert found.method == "krylov"
    np.testing.assert_allclose([found.frequency, found.damping], [4.0, 0.1], atol=1e-7)
    assert found.residual < 1e-6
    few = go.rotation(game, point(jnp.ones(400), jnp.ones(400)), num_matvecs=4)
    assert few.residual > 1e-4  # and it says when it is not there yet


@pytest.mark.parametrize("method", ["dense", "krylov"])
def test_under_jit_and_vmap(method):
    """The host is called once for each entry of a batch."""
    game = GAMES["general_sum"]
    # Not at x = 0, where the eigenvalue 2 is defective and known to the root of the precision only.
    batch = go.Players(jnp.ones((3, 2)) * (0.3 + jnp.arange(3.0))[:, None], jnp.ones((3, 2)))
    one = lambda players: go.rotation(game, players, method=method, num_matvecs=4)
    many = eqx.filter_jit(jax.vmap(one))(batch)
    for i in range(3):
        single = one(jax.tree.map(lambda leaf, i=i: leaf[i], batch))
        for batched, leaf in zip(jax.tree.leaves(many), jax.tree.leaves(single), strict=True):
            np.testing.assert_allclose(batched[i], leaf, atol=1e-9)


@pytest.mark.parametrize("method", ["dense", "krylov"])
def test_a_jacobian_that_is_not_finite_turns_infinitely_fast(method):
    """And nothing is raised."""
    game = go.zero_sum_game(lambda x, y: jnp.sqrt(x) * y)
    assert go.rotation(game, point(0.0, 1.0), method=method).frequency == jnp.inf


def test_single_precision_is_kept(float32):
    """Everything in the dtype of the strategies."""
    found = go.rotation(damped(0.5, 2.0), point([1.0], [0.0]))
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype("float32")}
    np.testing.assert_allclose([found.frequency, found.damping], [2.0, 0.5], rtol=1e-6)


def test_no_products_are_refused():
    """And said."""
    with pytest.raises(ValueError, match="num_matvecs must be >= 1"):
        go.rotation(damped(1.0, 1.0), point([1.0], [1.0]), num_matvecs=0)
