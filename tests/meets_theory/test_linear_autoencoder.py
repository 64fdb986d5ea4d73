"""A linear autoencoder of one number is a game without spurious minima (Baldi & Hornik 1989).

Centred data of covariance C, decoder x and encoder y: L = E|z - x (y . z)|^2. Its critical points
are pairs of an eigenvector, and 0; all but the first eigenvector's are strict saddles.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go

VALUES = np.array([3.0, 2.0, 0.5])
GAME = go.identical_interest_game(
    lambda x, y: jnp.sum(jnp.asarray(VALUES)[None] * (jnp.eye(3) - jnp.outer(x, y)) ** 2)
)


def hessian(players):
    """The Hessian of the loss by both players, shape `(6, 6)`."""
    whole = lambda z: GAME.losses(go.Players(z[:3], z[3:])).x
    return jax.hessian(whole)(jnp.concatenate([players.x, players.y]))


def pair(index):
    """Both players at an axis, which are the eigenvectors."""
    return go.Players(jnp.eye(3)[index], jnp.eye(3)[index])


@pytest.mark.parametrize("index", [0, 1, 2])
def test_eigenvalues_at_the_critical_points(index):
    """Along another eigenvector j: a + b -+ sqrt((a - b)^2 + 4 b^2), a and b the values of i and j.

    Below 0 if and only if b > a. Along i itself 4a, and 0 for the scale that x and y can exchange.
    """
    assert go.tree_norm(go.field(GAME, pair(index))) < 1e-14
    a = VALUES[index]
    expected = [0.0, 4 * a]
    for b in np.delete(VALUES, index):
        root = np.sqrt((a - b) ** 2 + 4 * b**2)
        expected += [a + b - root, a + b + root]
    found = np.linalg.eigvalsh(hessian(pair(index)))
    np.testing.assert_allclose(found, np.sort(expected), atol=1e-12)
    assert (found[0] < -0.1) == (index > 0)


def test_zero_is_a_strict_saddle_too():
    """The Hessian is [[0, -2C], [-2C, 0]], with eigenvalues -+ 2 of C's."""
    at_zero = go.Players(jnp.zeros(3), jnp.zeros(3))
    assert go.tree_norm(go.field(GAME, at_zero)) == 0
    expected = np.sort(np.concatenate([-2 * VALUES, 2 * VALUES]))
    np.testing.assert_allclose(np.linalg.eigvalsh(hessian(at_zero)), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["alternating", "simultaneous"])
def test_every_start_reaches_pca(name):
    """20 random starts come to the error of PCA, the sum of the other eigenvalues."""
    kind = {"alternating": go.Alternating, "simultaneous": go.Simultaneous}[name]
    solver = kind(go.Players(optax.sgd(0.03), optax.sgd(0.03)))
    starts = jax.random.normal(jax.random.key(0), (20, 2, 3))

    def end(start):
        start = go.Players(start[0], start[1])
        return GAME.losses(go.rollout(GAME, solver, start, 6000, every=6000).players).x

    np.testing.assert_allclose(jax.vmap(end)(starts), VALUES[1:].sum(), rtol=1e-9)


def test_best_answers_in_turn_are_power_iteration():
    """y = x / |x|^2 and x = C y / (y . C y) have gradient 0 in turn, and x turns by C a round.

    So the tangent of its angle to the first eigenvector shrinks by the ratio of the eigenvalues.
    """
    encode = lambda game, players, key: players.x / jnp.sum(players.x**2)
    decode = lambda game, players, key: VALUES * players.y / jnp.sum(VALUES * players.y**2)
    solver = go.BestAnswers(go.Players(decode, encode))
    players = go.Players(jnp.array([1.0, 2.0, 0.0]), jnp.zeros(3))
    for _ in range(5):
        before = players.x[1] / players.x[0]
        answered = go.Players(players.x, encode(GAME, players, None))
        np.testing.assert_allclose(go.field(GAME, answered).y, 0, atol=1e-12)
        players, *_ = solver.step(GAME, players, None)
        np.testing.assert_allclose(go.field(GAME, players).x, 0, atol=1e-12)
        np.testing.assert_allclose(players.x[1] / players.x[0], VALUES[1] / VALUES[0] * before)
