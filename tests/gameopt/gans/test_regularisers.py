"""Penalties that are no norms of gradients, sums of penalties, and points around the data."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go

KEYS = jax.random.split(jax.random.key(5), 4)
REAL, FAKE = jax.random.normal(KEYS[0], (6, 3)), 1 + jax.random.normal(KEYS[1], (6, 3))
SLOPE = jnp.array([1.0, -2.0, 0.5])
linear = lambda x: SLOPE @ x
half_square = lambda x: 0.5 * jnp.sum(x**2)


def test_points_around_the_data_are_on_lines_to_uniform_noise():
    """x + eps c s u: eps of a row is one number, u of an entry uniform, s of the whole batch.

    20 000 rows of 3 entries: the largest offset is c s eps u, of mean c s / 4, variance
    c^2 s^2 (1/9 - 1/16); six standard errors of the mean over rows, with entries of one row
    correlated, allow 0.01: false alarms below 1e-8.
    """
    points = 2 + 3 * jax.random.normal(KEYS[2], (20_000, 3))
    around = go.surroundings(points, 0.5, KEYS[3])
    offsets = np.asarray(around - points) / (0.5 * float(np.std(np.asarray(points))))
    assert offsets.min() >= 0
    assert offsets.max() <= 1 + 1e-12
    np.testing.assert_allclose(offsets.mean(), 1 / 4, atol=0.01)
    np.testing.assert_allclose((offsets[:, 0] * offsets[:, 1]).mean(), 1 / 12, atol=0.01)


def test_a_penalty_around_the_data_is_one_at_those_points():
    """|x|^2/2 has slope |x|; and a batch of equal points has no spread to go around in."""
    penalty = go.GradientPenalty(2.0, target=0, where="around", spread=0.7)
    expected = 2 * np.mean(np.sum(np.asarray(go.surroundings(REAL, 0.7, KEYS[2])) ** 2, axis=1))
    np.testing.assert_allclose(penalty(half_square, REAL, FAKE, KEYS[2]), expected, rtol=1e-13)
    equal = jnp.full((4, 3), 2.0)
    np.testing.assert_allclose(go.surroundings(equal, 0.7, KEYS[2]), equal, rtol=1e-15)
    labels = jnp.arange(6)
    moved = go.surroundings(go.Conditioned(REAL, labels), 0.7, KEYS[2])
    np.testing.assert_array_equal(moved.condition, labels)


def test_penalties_are_added():
    """R1 + R2 of |x|^2/2: the mean squares of data and of generated points."""
    r1 = go.GradientPenalty(1.5, target=0, where="real")
    parts = [r1, go.GradientPenalty(2.5, target=0, where="fake")]
    expected = 1.5 * np.mean(np.sum(REAL**2, axis=1)) + 2.5 * np.mean(np.sum(FAKE**2, axis=1))
    total = go.Penalties(parts)(half_square, REAL, FAKE, KEYS[2])
    np.testing.assert_allclose(total, expected, rtol=1e-13)
    with pytest.raises(ValueError, match="at least one part"):
        go.Penalties([])


def test_parts_draw_by_keys_of_their_own():
    """Twice the same part is not twice the same points: the mean over two draws."""
    part = go.GradientPenalty(1.0, target=0)
    total = go.Penalties((part, part))(half_square, REAL, FAKE, KEYS[2])
    draws = [part(half_square, REAL, FAKE, key) for key in jax.random.split(KEYS[2], 2)]
    assert draws[0] != draws[1]
    np.testing.assert_allclose(total, draws[0] + draws[1], rtol=1e-14)


def test_consistency_of_a_linear_critic():
    """The augmentation x + d changes <w, x> by <w, d> at every point: (w_r + w_f) <w, d>^2.

    With noise d drawn for each sample, the mean is over the samples' own noises.
    """
    shift = jnp.array([0.3, 0.1, 0.2])
    change = float(SLOPE @ shift) ** 2
    moved = lambda key, x: x + shift
    penalty = go.ConsistencyPenalty(moved, 2.0, 3.0)
    np.testing.assert_allclose(penalty(linear, REAL, FAKE, KEYS[2]), 5 * change, rtol=1e-12)
    for none in (None, 0.0):
        only = go.ConsistencyPenalty(moved, 2.0, none)
        np.testing.assert_allclose(only(linear, REAL, FAKE, KEYS[2]), 2 * change, rtol=1e-12)
    noisy = lambda key, x: x + jax.random.normal(key, x.shape)
    keys = jax.random.split(jax.random.split(KEYS[2], 2)[0], 6)
    noises = np.stack([jax.random.normal(key, (3,)) for key in keys])
    expected = 2 * np.mean((noises @ np.asarray(SLOPE)) ** 2)
    only = go.ConsistencyPenalty(noisy, 2.0, None)
    points = go.Conditioned(REAL, jnp.arange(6))
    critic = lambda x, label: linear(x) + label.astype(x.dtype)
    np.testing.assert_allclose(only(critic, points, points, KEYS[2]), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="needs a weight"):
        go.ConsistencyPenalty(noisy, None, None)


class Table(eqx.Module):
    """A critic that is any function of the points 0, 1, 2, ..."""

    values: jax.Array

    def __call__(self, point):
        return self.values[point[0].astype(int)]


def test_the_best_critic_under_le_cams_penalty_gives_le_cams_divergence():
    """D* = (1/(2 lambda) - alpha) (p - q)/(p + q) is stationary, and the estimate is that factor
    times the integral of (p - q)^2/(p + q): derived by completing the square, point by point."""
    counts = np.array([[5, 3, 2, 0], [1, 3, 2, 4]])
    p, q = counts / 10
    samples = [jnp.asarray(np.repeat(np.arange(4.0), c))[:, None] for c in counts]
    weight, alpha = 0.4, 0.3
    factor = 1 / (2 * weight) - alpha
    penalty = go.LeCamPenalty(weight, (alpha, -alpha))
    game = go.WassersteinGAN(lambda k, n: samples[0], lambda k, n: samples[1], 10, penalty)
    best = Table(jnp.asarray(factor * (p - q) / (p + q)))
    losses, field = game.losses_and_field(go.Players(lambda z: z, best), KEYS[0])
    divergence = np.sum((p - q) ** 2 / (p + q))
    np.testing.assert_allclose(field.y.values, 0, atol=1e-15)
    np.testing.assert_allclose(losses.x, factor * divergence, rtol=1e-13)
    value = (1 - 2 * weight * alpha) ** 2 / (4 * weight) * divergence - 2 * weight * alpha**2
    np.testing.assert_allclose(losses.y, -value, rtol=1e-13)


def test_orthogonal_columns_cost_nothing_whatever_their_length():
    """2 sum_{i<j} <w_i, w_j>^2 over columns, and nothing of biases; kernels (..., in, out)."""
    w, kernel = jax.random.normal(KEYS[0], (4, 3)), jax.random.normal(KEYS[1], (3, 3, 2, 5))
    tree = {"weight": w, "bias": jnp.ones(3), "kernel": kernel, "label": jnp.ones((2, 2), int)}
    expected = 0.0
    for matrix in (np.asarray(w), np.asarray(kernel).reshape(-1, 5)):
        for i in range(matrix.shape[1]):
            for j in range(i):
                expected += 2 * (matrix[:, i] @ matrix[:, j]) ** 2
    penalty = go.OrthogonalPenalty(0.1)
    np.testing.assert_allclose(penalty(tree), 0.1 * expected, rtol=1e-12)
    np.testing.assert_allclose(penalty(tree, REAL, FAKE, KEYS[0]), penalty(tree), rtol=0)
    columns = jnp.linalg.qr(jax.random.normal(KEYS[2], (5, 3)))[0] * jnp.array([[1.0, 2.0, 30.0]])
    np.testing.assert_allclose(penalty(columns), 0, atol=1e-24)
    with pytest.raises(ValueError, match="no array of two or more axes"):
        penalty(jnp.ones(3))


class Layer(eqx.Module):
    """tanh(W x), summed for a critic."""

    weight: jax.Array
    summed: bool = eqx.field(static=True, default=False)

    def __call__(self, x):
        y = jnp.tanh(self.weight @ x)
        return jnp.sum(y) if self.summed else y


def network_game(penalty, dtype=jnp.float64):
    weights = (jax.random.normal(key, (3, n), dtype) for key, n in zip(KEYS, (2, 3), strict=False))
    players = go.Players(Layer(next(weights)), Layer(next(weights), summed=True))
    return go.HingeGAN(go.Samples(REAL.astype(dtype)), go.NormalLatent((2,)), 5, penalty), players


PENALTIES = {
    "around": go.GradientPenalty(1.0, where="around"),
    "both": go.Penalties((go.GradientPenalty(1.0, where="real"), go.OrthogonalPenalty(1e-2))),
    "consistency": go.ConsistencyPenalty(lambda key, x: -x, 1.0, 1.0),
    "lecam": go.LeCamPenalty(1.0, (0.5, -0.5)),
    "orthogonal": go.OrthogonalPenalty(1e-2),
    "function": lambda critic, real, fake, key: jnp.square(critic(real[0])),
}


@pytest.mark.parametrize("name", PENALTIES)
def test_any_penalty_is_the_critics_alone_and_apart_in_the_metrics(name):
    """The critic's loss is the penalty minus the value, and the generator's is as without."""
    game, players = network_game(PENALTIES[name])
    plain, _ = network_game(None)
    latent = go.NormalLatent((1,))
    assert go.WassersteinGAN(latent, latent, 4).is_zero_sum
    assert not go.WassersteinGAN(latent, latent, 4, PENALTIES[name]).is_zero_sum
    losses, without = (g.losses(players, KEYS[3]) for g in (game, plain))
    metrics = game.metrics(players, KEYS[3])
    assert metrics["penalty"] > 0
    np.testing.assert_allclose(losses.y, without.y + metrics["penalty"], rtol=1e-12)
    np.testing.assert_allclose(metrics["value"], -without.y, rtol=1e-12)
    assert losses.x == without.x


@pytest.mark.parametrize("name", PENALTIES)
def test_every_penalty_keeps_the_precision_of_the_networks(name):
    """Under strict promotion: bfloat16 stays bfloat16."""
    game, players = network_game(PENALTIES[name], jnp.bfloat16)
    losses = game.losses(players, KEYS[3])
    assert losses.x.dtype == losses.y.dtype == jnp.bfloat16
