"""Critics trained by gameopt on fixed batches, against theory's closed forms and exact dual."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
import theory
from models import MLP, Linear

DELTAS = jax.random.normal(jax.random.key(0), (6, 2)) * jnp.array([[1.0, 3.0]])


def clouds(delta, n=8):
    """Two fixed clouds whose means differ by `delta` exactly, and else by nothing."""
    points = jax.random.normal(jax.random.key(1), (n, delta.size))
    return points + delta[None, :], points


def played(delta, rounds, rate, penalty=None, clip=None, start=0.01):
    """The weight of a linear critic after gradient ascent on the two clouds, from start * delta."""
    real, fake = clouds(delta)
    game = go.WassersteinGAN(lambda key, n: real, lambda key, n: fake, len(real), penalty)
    game = game if clip is None else go.constrained(game, y=go.clip_weights(clip))
    critic = Linear(delta.size, 1, jax.nn.initializers.zeros, jax.random.key(2))
    tilt = jnp.ones_like(delta).at[0].set(1.5)  # in the plane not along delta itself
    critic = eqx.tree_at(lambda c: c.weight, critic, (start * tilt * delta)[:, None])
    players = go.Players(lambda point: point, critic)
    solver = go.Simultaneous(go.Players(None, optax.sgd(rate)))
    last = go.rollout(game, solver, players, rounds, key=jax.random.key(3))
    return last.players.y.weight[:, 0]


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("clip", [0.01, 0.5])
def test_clipped_linear_critics_end_at_the_corners(size, clip):
    """w* = c sign(delta), to the last bit: 200 ascents of any delta drawn here pass the bound."""
    deltas = DELTAS[:, :size]
    weights = jax.jit(jax.vmap(lambda d: played(d, 200, 0.1, clip=clip)))(deltas)
    exact = jax.vmap(lambda d: theory.clipped_linear_critic(d, clip))(deltas)
    np.testing.assert_array_equal(weights, exact.weights)
    np.testing.assert_allclose(jnp.sum(weights * deltas, axis=1), exact.estimate, rtol=1e-15)


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("size", [1, 2])
def test_penalised_linear_critics_pass_slope_one_by_their_pull(size, one_sided):
    """|w*| = 1 + |delta| / (2 lambda) along delta, for 6 deltas and 3 lambdas, to 1e-9.

    The penalty of a linear critic is the same at every point, so that the interpolates drawn do
    not matter. Along w the ascent contracts by 1 - 2 lambda * rate = 0.8 a round; across it by
    1 - rate * |delta| / |w*|, which is slowest for lambda = 10 and the smallest delta drawn.
    """
    deltas, lambdas = DELTAS[:, :size], jnp.array([0.5, 2.0, 10.0])

    def weight(delta, lam):
        penalty = go.GradientPenalty(lam, one_sided=one_sided)
        return played(delta, 10_000, 0.1 / lam, penalty)

    over_both = lambda f: jax.vmap(jax.vmap(f, (None, 0)), (0, None))
    weights = jax.jit(over_both(weight))(deltas, lambdas)
    exact = over_both(theory.penalised_linear_critic)(deltas, lambdas)
    np.testing.assert_allclose(weights, exact.weights, rtol=1e-9, atol=1e-9)
    estimates = jnp.sum(weights * deltas[:, None, :], axis=2)
    np.testing.assert_allclose(estimates, exact.estimate, rtol=1e-9)
    # For a cloud and its shift W1 is |delta|, and the estimate passes it by |delta|^2 / 2 lambda.
    distances = jnp.linalg.norm(deltas, axis=1)[:, None]
    np.testing.assert_allclose(
        estimates - distances, distances**2 / (2 * lambdas)[None, :], rtol=1e-7, atol=1e-9
    )


def test_a_two_sided_penalty_traps_critics_on_the_line():
    """From the wrong side of 0: w = -(1 - |delta| / (2 lambda)) sign(delta), a local maximum.

    For |delta| < 2 lambda, where the penalty lifts slopes below 1 with more than the pull. The
    one-sided penalty lets them fall through 0, to the one maximum that theory has.
    """
    lam, deltas = 5.0, DELTAS[:, :1]
    assert (jnp.abs(deltas) < 2 * lam).all()

    def weight(delta, one_sided):
        penalty = go.GradientPenalty(lam, one_sided=one_sided)
        return played(delta, 5000, 0.1 / lam, penalty, start=-0.01)

    trapped = jax.jit(jax.vmap(lambda d: weight(d, False)))(deltas)
    expected = -jnp.sign(deltas) * (1 - jnp.abs(deltas) / (2 * lam))
    np.testing.assert_allclose(trapped, expected, rtol=1e-9)
    free = jax.jit(jax.vmap(lambda d: weight(d, True)))(deltas)
    exact = jax.vmap(lambda d: theory.penalised_linear_critic(d, lam))(deltas)
    np.testing.assert_allclose(free, exact.weights, rtol=1e-9)


@pytest.mark.parametrize("size", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_kantorovich_rubinstein_by_a_trained_critic(size):
    """A network with a one-sided penalty: within 5 % of the exact W1, and never above by its slope.

    Per slope on the lines of the coupling, 30 points each, it is at most W1 (what lies between
    those points is passed over: 1e-3); the same W1 comes from the network simplex and from the
    dual programme. Five pairs of Gaussians at once.
    """
    keys = jax.random.split(jax.random.key(4), 2)
    shifts = jnp.linspace(1.5, 4.0, 5)
    base = jax.random.normal(keys[0], (5, 2, 60, size))
    real, fake = base[:, 0], 1.3 * base[:, 1]
    fake = fake.at[:, :, 0].add(shifts[:, None])

    def trained(real, fake):
        critic = MLP((size,), (), width=48, depth=2, key=keys[1])
        penalty = go.GradientPenalty(50.0, one_sided=True)
        game = go.WassersteinGAN(go.Samples(real), go.Samples(fake), 60, penalty)
        schedule = optax.cosine_decay_schedule(3e-3, 1500)
        solver = go.Simultaneous(go.Players(None, optax.adam(schedule, b1=0.5, b2=0.9)))
        players = go.Players(lambda point: point, critic)
        return go.rollout(game, solver, players, 1500, key=keys[1]).players.y

    critics = jax.jit(jax.vmap(lambda x, y: jax.tree.leaves(trained(x, y))))(real, fake)
    shape = jax.tree.structure(MLP((size,), (), width=48, depth=2, key=keys[1]))
    for index in range(len(shifts)):
        critic = jax.tree.unflatten(shape, [leaf[index] for leaf in critics])
        x, y = real[index], fake[index]
        plan = theory.optimal_transport(x, y)
        dual = theory.kantorovich_rubinstein(x, y).value
        np.testing.assert_allclose(dual, plan.distance, rtol=1e-7)
        value = go.wasserstein_value(go.critic_scores(critic, x), go.critic_scores(critic, y))
        sources, targets = np.nonzero(plan.plan)
        steps = jnp.linspace(0.0, 1.0, 30)[:, None, None]
        lines = ((1 - steps) * x[sources][None] + steps * y[targets][None]).reshape(-1, size)
        slope = jnp.max(go.gradient_norms(critic, lines))
        assert value <= slope * plan.distance * (1 + 1e-3)
        np.testing.assert_allclose(value, plan.distance, rtol=0.05)
