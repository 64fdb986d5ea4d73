"""Conditional GANs: closed forms of linear players, and what a condition must not change."""

from collections.abc import Callable

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

import gameopt as go
from tests.gameopt.solvers.test_solvers_on_gans import NAMES
from tests.solvers import ALL_SOLVERS

LABELS = jnp.array([0, 0, 0, 1, 1, 2], jnp.int32)
KEYS = jax.random.split(jax.random.key(3), 6)
COVARIATES = jax.random.normal(KEYS[0], (6, 3))
VALUES = jax.random.normal(KEYS[1], (6, 2))
LATENTS = jax.random.normal(KEYS[2], (6, 2))


class ByLabel(eqx.Module):
    """The critic <w_c, x>."""

    weights: Array

    def __call__(self, x, label):
        return self.weights[label] @ x


class ShiftedByLabel(eqx.Module):
    """The generator z + theta_c."""

    shifts: Array

    def __call__(self, z, label):
        return z + self.shifts[label]


def whole(points):
    """A sampler that gives every point once: expectations over it, and not estimates."""
    return lambda key, n: points


def label_game(game=go.WassersteinGAN, **fields):
    """Three classes, of frequencies 1/2, 1/3 and 1/6."""
    return game(whole(go.Conditioned(VALUES, LABELS)), whole(LATENTS), 6, **fields)


def label_players():
    return go.Players(
        ShiftedByLabel(jax.random.normal(KEYS[3], (3, 2))),
        ByLabel(jax.random.normal(KEYS[4], (3, 2))),
    )


def test_linear_players_of_labels_in_closed_form():
    """V = sum_c p_c <w_c, mu_c - nu_c - theta_c>; mu_c, nu_c: a class's means of data and latents.

    So dV/dw_c = p_c (mu_c - nu_c - theta_c), dV/dtheta_c = -p_c w_c, and the mixed block of the
    Jacobian takes a direction d of w to -p_c d_c. Sums of six terms: 1e-13.
    """
    game, players, key = label_game(), label_players(), jax.random.key(0)
    frequencies = np.array([3, 2, 1])[:, None] / 6
    means = [np.asarray([x[c == LABELS].mean(axis=0) for c in range(3)]) for x in (VALUES, LATENTS)]
    w, theta = np.asarray(players.y.weights), np.asarray(players.x.shifts)
    gaps = frequencies * (means[0] - means[1] - theta)
    losses, field = game.losses_and_field(players, key)
    np.testing.assert_allclose(losses.x, np.sum(w * gaps), rtol=1e-13)
    np.testing.assert_allclose(field.y.weights, -gaps, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(field.x.shifts, -frequencies * w, rtol=1e-13)
    direction = go.Players(ShiftedByLabel(jnp.zeros((3, 2))), ByLabel(jnp.ones((3, 2))))
    moved = go.jvp(game, players, direction, key)
    expected = np.broadcast_to(-frequencies, (3, 2))
    np.testing.assert_allclose(moved.x.shifts, expected, rtol=1e-13)


def test_a_linear_gaussian_model_of_any_condition_in_closed_form():
    """Data A u + e, generator B u + z, critic <W u, x>: V = tr(W^T (A - B) E u u^T) + noise's part.

    The condition is a dictionary with the covariate u and a label that nobody uses. The noise's
    part is E <W u, e - z>, over the very points of the sample.
    """
    a, b, w = (jax.random.normal(key, (2, 3)) for key in jax.random.split(KEYS[5], 3))
    condition = {"covariate": COVARIATES, "label": LABELS}
    data = whole(go.Conditioned(COVARIATES @ a.T + VALUES, condition))
    game = go.WassersteinGAN(data, whole(LATENTS), 6)
    generator = jax.tree_util.Partial(lambda b, z, c: b @ c["covariate"] + z, b)
    critic = jax.tree_util.Partial(lambda w, x, c: (w @ c["covariate"]) @ x, w)
    losses, field = game.losses_and_field(go.Players(generator, critic), jax.random.key(0))
    second = COVARIATES.T @ COVARIATES / 6
    noise = (VALUES - LATENTS).T @ COVARIATES / 6
    np.testing.assert_allclose(losses.x, jnp.sum(w * ((a - b) @ second + noise)), rtol=1e-12)
    np.testing.assert_allclose(field.x.args[0], -w @ second, rtol=1e-12)
    np.testing.assert_allclose(field.y.args[0], -((a - b) @ second + noise), rtol=1e-12)


@pytest.mark.parametrize("where", ["interpolates", "real", "fake"])
def test_penalty_of_a_conditional_linear_critic(where):
    """E_c (|w_c| - 1)^2, over the labels of the batch and wherever it is taken."""
    critic = label_players().y
    norms = np.linalg.norm(np.asarray(critic.weights), axis=1)
    expected = np.mean((norms[np.asarray(LABELS)] - 1) ** 2)
    points, fakes = go.Conditioned(VALUES, LABELS), go.Conditioned(LATENTS, LABELS)
    np.testing.assert_allclose(go.gradient_norms(critic, points), norms[LABELS], rtol=1e-14)
    np.testing.assert_allclose(go.gradient_penalty(critic, points), expected, rtol=1e-13)
    penalty = go.GradientPenalty(3.0, where=where)
    np.testing.assert_allclose(
        penalty(critic, points, fakes, jax.random.key(0)), 3 * expected, rtol=1e-13
    )


def test_gradients_are_by_the_value_only():
    """The critic |u|^2 <u, x> has slope |u|^3, however steep it is in its condition u."""
    points = go.Conditioned(VALUES, VALUES)
    critic = lambda x, u: jnp.sum(u**2) * u @ x
    norms = np.linalg.norm(np.asarray(VALUES), axis=1)
    np.testing.assert_allclose(go.gradient_norms(critic, points), norms**3, rtol=1e-13)


def test_interpolates_keep_the_real_points_condition():
    """And their values are those of points without conditions, by the same key."""
    real, fake = go.Conditioned(VALUES, LABELS), go.Conditioned(LATENTS, LABELS[::-1])
    points = go.interpolates(real, fake, KEYS[0])
    np.testing.assert_array_equal(points.condition, LABELS)
    np.testing.assert_array_equal(points.value, go.interpolates(VALUES, LATENTS, KEYS[0]))


@pytest.mark.parametrize("packing", [1, 3])
def test_latents_are_given_the_conditions_of_the_data(packing):
    """Row by row, and packed alongside; of samples, the same rows of every leaf are drawn.

    Values are ten times their label, so that a row out of place is seen.
    """
    points = go.Conditioned(10 * LABELS[:, None].astype(float), {"label": LABELS})
    game = go.NonSaturatingGAN(go.Samples(points), go.NormalLatent((1,)), 7, packing=packing)
    batch = game.draw(jax.random.key(0))
    pack = () if packing == 1 else (packing,)
    assert isinstance(batch.latents, go.Conditioned)
    assert batch.real.value.shape == batch.latents.value.shape == (7, *pack, 1)
    assert batch.real.condition["label"].shape == (7, *pack)
    labels = np.asarray(batch.real.condition["label"])[..., None]
    np.testing.assert_array_equal(batch.real.value, 10 * labels)
    chex.assert_trees_all_equal(batch.latents.condition, batch.real.condition)
    generator = lambda z, condition: z + 100 * condition["label"].astype(z.dtype)
    fake = game.generate(go.Players(generator, None), batch.latents)
    np.testing.assert_allclose(fake.value, np.asarray(batch.latents.value) + 100 * labels)
    chex.assert_trees_all_equal(fake.condition, batch.real.condition)
    critic = lambda x, condition: jnp.sum(x * condition["label"][..., None].astype(x.dtype))
    assert go.critic_scores(critic, fake).shape == (7,)


class Ignoring(eqx.Module):
    """A network that is given a condition, and does not look at it."""

    network: Callable

    def __call__(self, point, condition):
        del condition
        return self.network(point)


class Affine(eqx.Module):
    """tanh(W x) + b, summed for a critic."""

    weight: Array
    bias: Array
    summed: bool = eqx.field(static=True, default=False)

    def __call__(self, x):
        y = jnp.tanh(self.weight @ x) + self.bias
        return jnp.sum(y**2) if self.summed else y


def pair_of_games(packing=1):
    """A game, and the same one of points with labels that both players ignore."""
    shape = (2, 2) if packing == 1 else (2, 2 * packing)
    flat = lambda critic: lambda x: critic(jnp.ravel(x))
    critic = Affine(jax.random.normal(KEYS[4], shape), jnp.ones(2), True)
    players = go.Players(Affine(jax.random.normal(KEYS[3], (2, 2)), jnp.zeros(2)), critic)
    if packing > 1:
        players = go.Players(players.x, flat(critic))
    make = lambda points: go.WassersteinGAN(
        go.Samples(points), go.NormalLatent((2,)), 8, go.GradientPenalty(1.0), packing
    )
    conditional = go.Players(Ignoring(players.x), Ignoring(players.y))
    return (make(VALUES), players), (make(go.Conditioned(VALUES, LABELS)), conditional)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n == "consensus" else pytest.mark.slow) for n in NAMES],
)
def test_a_condition_that_is_ignored_changes_no_bit(name):
    """Three rounds of every solver, second-order ones with their products and solves too."""
    ends = [
        go.rollout(game, ALL_SOLVERS[name](1e-2), players, 3, key=KEYS[0])
        for game, players in pair_of_games()
    ]
    left, right = (jax.tree.leaves(go.playable((end.players, end.records))) for end in ends)
    for mine, theirs in zip(left, right, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_losses_and_metrics_of_ignored_conditions_are_the_same_bits_in_packs():
    """Eagerly; the solvers see single points."""
    outs = [
        (game.losses(players, KEYS[0]), game.metrics(players, KEYS[0]))
        for game, players in pair_of_games(packing=2)
    ]
    chex.assert_trees_all_equal(*outs)


def test_conditions_have_to_be_as_many_as_points():
    """Refused with the lengths."""
    with pytest.raises(ValueError, match=r"as many conditions as points.*\[6, 3\]"):
        go.Samples(go.Conditioned(VALUES, LABELS[:3]))
