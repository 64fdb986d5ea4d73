"""A Wasserstein critic trained by gameopt, against theory's exact distances."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
import theory
from models import MLP

N = 300


def clouds(name):
    """Two point clouds (n, d), fixed: the distance between them is known exactly."""
    x, y = jax.random.normal(jax.random.key(0), (2, N, 2))
    if name == "line_shift":
        return x[:, :1], y[:, :1] + 2.0
    if name == "line_scale":
        return x[:, :1], 3.0 * y[:, :1] + 1.0
    if name == "plane_shift":
        return x, y + jnp.array([[1.5, -1.0]])
    if name == "plane_ring":
        return theory.ring(std=0.05).sample(jax.random.key(1), N), 0.3 * y
    heights = jax.random.uniform(jax.random.key(2), (N, 1))
    zeros = jnp.zeros((N, 1))
    return jnp.concatenate([zeros, heights], 1), jnp.concatenate([zeros + 0.8, heights], 1)


_LONG = [pytest.param(name, marks=pytest.mark.slow) for name in ("line_scale", "plane_shift")]
CASES = ("line_shift", "plane_ring", "parallel_lines", *_LONG)


def trained(real, fake, penalty, rounds, learning_rate, constrain=None):
    """A critic trained on two fixed clouds, the generator frozen as the identity."""
    critic = MLP(real.shape[1:], (), width=64, depth=2, key=jax.random.key(3))
    game = go.WassersteinGAN(lambda key, n: real, lambda key, n: fake, N, penalty)
    game = game if constrain is None else go.constrained(game, y=constrain)
    schedule = optax.cosine_decay_schedule(learning_rate, rounds)
    solver = go.Simultaneous(go.Players(None, optax.adam(schedule, b1=0.5, b2=0.9)))
    players = go.Players(lambda z: z, critic)
    return go.rollout(game, solver, players, rounds, key=jax.random.key(4)).players.y


def estimate(critic, real, fake):
    return go.wasserstein_value(go.critic_scores(critic, real), go.critic_scores(critic, fake))


@pytest.mark.parametrize("name", CASES)
def test_a_penalized_critic_reaches_the_exact_distance(name):
    """At least 0.9 of exact W1 on the same points, after division by the steepest slope met.

    And at most W1: f / Lip(f) is 1-Lipschitz. The slope is taken on the segments of the optimal
    plan, 20 points each, which bounds f's increments along that plan.
    """
    real, fake = clouds(name)
    plan = theory.optimal_transport(real, fake)
    penalty = go.GradientPenalty(30.0, one_sided=True)
    critic = trained(real, fake, penalty, 1500, 3e-3)
    value = estimate(critic, real, fake)
    sources, targets = np.nonzero(plan.plan)
    steps = jnp.linspace(0, 1, 20)[:, None, None]
    segments = (1 - steps) * real[sources][None] + steps * fake[targets][None]
    slope = go.lipschitz_lower_bound(critic, segments.reshape(-1, real.shape[1]))
    # A penalty of weight 30 lets an optimal critic pass slope 1 by 1 / 60 of its pull.
    assert value / jnp.maximum(slope, 1) <= plan.distance * (1 + 1e-6)
    assert value >= 0.9 * plan.distance
    assert value / slope >= 0.75 * plan.distance


@pytest.mark.parametrize("name", CASES)
def test_a_clipped_critic_never_passes_the_exact_distance(name):
    """E f(real) - E f(fake) <= Lip(f) W1 on the same points: no sampling error is left.

    Lip(f) by the product of spectral norms; the critic did learn: it is above 0.
    """
    real, fake = clouds(name)
    critic = trained(real, fake, None, 500, 1e-3, go.clip_weights(0.05))
    for leaf in jax.tree.leaves(go.playable(critic)):
        assert jnp.max(jnp.abs(leaf)) <= 0.05
    value = estimate(critic, real, fake)
    exact = theory.optimal_transport(real, fake).distance
    assert 0 < value <= go.lipschitz_upper_bound(critic) * exact


def test_a_clipped_linear_critic_is_solved_in_closed_form():
    """w* = c sign(mean difference), every weight at +-c; value c |mean difference|_1."""
    real, fake = clouds("plane_shift")
    critic = MLP((2,), (), width=1, depth=0, key=jax.random.key(0))
    game = go.constrained(
        go.WassersteinGAN(lambda key, n: real, lambda key, n: fake, N), y=go.clip_weights(0.1)
    )
    solver = go.Simultaneous(go.Players(None, optax.sgd(0.1)))
    players = go.rollout(game, solver, go.Players(lambda z: z, critic), 50, key=jax.random.key(0))
    difference = jnp.mean(real, axis=0) - jnp.mean(fake, axis=0)
    weight = players.players.y.layers[0].weight[:, 0]
    np.testing.assert_array_equal(weight, 0.1 * jnp.sign(difference))
    value = estimate(players.players.y, real, fake)
    np.testing.assert_allclose(value, 0.1 * jnp.sum(jnp.abs(difference)), rtol=1e-12)


@pytest.mark.parametrize("weight", [0.5, 10.0])
def test_a_penalized_linear_critic_is_solved_in_closed_form(weight):
    """|w*| = 1 + |mean difference| / (2 lambda), along the mean difference."""
    real, fake = clouds("plane_shift")
    critic = MLP((2,), (), width=1, depth=0, key=jax.random.key(0))
    penalty = go.GradientPenalty(weight)
    game = go.WassersteinGAN(lambda key, n: real, lambda key, n: fake, N, penalty)
    solver = go.Simultaneous(go.Players(None, optax.sgd(0.2 / weight)))
    last = go.rollout(game, solver, go.Players(lambda z: z, critic), 3000, key=jax.random.key(0))
    difference = jnp.mean(real, axis=0) - jnp.mean(fake, axis=0)
    norm = jnp.linalg.norm(difference)
    expected = (1 + norm / (2 * weight)) * difference / norm
    np.testing.assert_allclose(last.players.y.layers[0].weight[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("theta", np.linspace(-1, 1, 9))
def test_a_critic_between_parallel_lines_measures_theta(theta):
    """W1 = |theta| for every theta: the best linear 1-Lipschitz critic is +-x_1, and is exact."""
    key = jax.random.key(0)
    here, there = (theory.ParallelLine(t).sample(key, 100) for t in (0.0, theta))
    critic = lambda point: -jnp.sign(theta) * point[0]
    value = estimate(critic, here, there)
    np.testing.assert_allclose(value, theory.lines_w1(jnp.asarray(theta)), atol=1e-15)
    if theta:
        np.testing.assert_allclose(go.gradient_norms(critic, here), 1.0)
