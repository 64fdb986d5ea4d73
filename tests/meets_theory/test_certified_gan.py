"""A small GAN, trained on real digits: Krylov certificates against dense linear algebra."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

import gameopt as go
from models import mlp_critic, mlp_generator


@functools.cache
def trained():
    """464 parameters after 300 rounds, and the game over 4 stated minibatches of 64."""
    images: Any = load_digits(return_X_y=True)[0]
    points = jnp.asarray(images / 8 - 1).reshape(-1, 8, 8)
    keys = jax.random.split(jax.random.key(0), 4)
    players = go.Players(
        mlp_generator(2, (8, 8), width=3, depth=1, key=keys[0], activation=jnp.tanh),
        mlp_critic((8, 8), width=3, depth=1, key=keys[1], activation=jnp.tanh),
    )
    game = go.WassersteinGAN(go.Samples(points), go.NormalLatent((2,)), 64, go.GradientPenalty(1.0))
    adam = optax.adam(2e-3, b1=0.0, b2=0.9)
    solver = go.Alternating(go.Players(adam, adam), order=("y", "x"), inner_steps=go.Players(1, 3))
    end = go.rollout(game, solver, players, 300, key=keys[2]).players
    return go.over(game, jax.random.split(keys[3], 4)), end


@pytest.mark.parametrize(
    "which",
    ["hessian_x", "hessian_y", "jacobian", pytest.param("symmetric", marks=pytest.mark.slow)],
)
@pytest.mark.slow
def test_krylov_finds_the_extreme_eigenvalues(which):
    """Within 1e-5 of themselves, and bounds that hold and are near."""
    game, players = trained()
    dense = go.spectrum(game, players, which=which, method="dense", k=1)
    krylov = go.spectrum(game, players, which=which, method="krylov", k=1, num_matvecs=150)
    exact, found = np.real(np.asarray(dense.values)), np.real(np.asarray(krylov.values))
    np.testing.assert_allclose(found, exact, rtol=1e-5)
    assert krylov.lower <= exact[0]
    assert krylov.upper >= exact[1]
    np.testing.assert_allclose([krylov.lower, krylov.upper], exact, atol=1e-3 * np.ptp(exact))
    few = go.spectrum(game, players, which=which, method="krylov", k=1, num_matvecs=20)
    assert few.lower <= exact[0]
    assert few.upper >= exact[1]


@pytest.mark.slow
def test_krylov_verdicts_are_never_against_dense_ones():
    """Of the curvatures and of the Jacobian; inconclusive is allowed."""
    game, players = trained()
    dense = go.classify(game, players, method="dense", learning_rate=None)
    krylov = go.classify(game, players, method="krylov", learning_rate=None, num_matvecs=100)
    pairs = [
        (dense.hessian_x.positive, krylov.hessian_x.positive),
        (dense.hessian_y.positive, krylov.hessian_y.positive),
        (dense.leftmost.positive, krylov.leftmost.positive),
    ]
    for exact, found in pairs:
        assert found == exact or found == go.VERDICT.inconclusive
    assert dense.hessian_y.positive == krylov.hessian_y.positive == go.VERDICT.no
    assert dense.dne == krylov.dne == go.VERDICT.no
