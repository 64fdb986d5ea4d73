"""Least squares and the hinge at their best discriminators, on laws of a few points."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import gameopt as go
import theory

COUNTS = [([5, 3, 2, 0], [1, 3, 2, 4]), ([1, 1, 4, 4], [1, 1, 4, 4]), ([10, 0, 0, 0], [0, 1, 1, 8])]
each_pair = pytest.mark.parametrize("counts", COUNTS, ids=["overlap", "equal", "apart"])


class Table(eqx.Module):
    """A discriminator that is any function of the points 0, 1, 2, ..."""

    values: Float[Array, " k"]

    def __call__(self, point: Float[Array, "1"]) -> Float[Array, ""]:
        return self.values[point[0].astype(int)]


def whole(counts):
    """A sampler that gives every point as often as it counts: expectations, and not estimates."""
    points = jnp.repeat(jnp.arange(float(len(counts))), np.asarray(counts), total_repeat_length=10)
    return lambda key, n: points[:, None]


def play(make, counts, values, **fields):
    """The losses and the discriminator's gradient by its values."""
    real, fake = counts
    game = make(whole(real), whole(fake), 10, **fields)
    players = go.Players(lambda z: z, Table(values))
    losses, field = game.losses_and_field(players, jax.random.key(0))
    return losses, field.y.values


@each_pair
@pytest.mark.parametrize("targets", [(1.0, 0.0, 1.0), (1.0, -1.0, 0.0), (0.7, -0.2, 0.4)])
def test_least_squares_at_its_optimum(counts, targets):
    """D* = (b p_d + a p_g)/(p_d + p_g) is stationary; the criterion is chi^2 for (1, -1, 0)."""
    p_data, p_gen = (jnp.asarray(c) / 10 for c in counts)
    b, a, c = targets
    both = jnp.where(p_data + p_gen > 0, p_data + p_gen, 1)
    best = (b * p_data + a * p_gen) / both
    fields = {"real_target": b, "fake_target": a, "generator_target": c}
    losses, gradient = play(go.LeastSquaresGAN, counts, best, **fields)
    np.testing.assert_allclose(gradient, 0, atol=1e-15)
    expected = jnp.sum(p_data * p_gen / both) * (b - a) ** 2 / 2
    np.testing.assert_allclose(losses.y, expected, atol=1e-15)
    if targets == (1.0, -1.0, 0.0):
        criterion = losses.x + jnp.sum(p_data * (best - c) ** 2) / 2
        # 2 chi^2(p_g | m) with m the mean of both, written out from the paper's coding
        pearson = theory.F_DIVERGENCES["pearson"]
        chi2 = theory.f_divergence_discrete(pearson, p_gen, (p_data + p_gen) / 2)
        np.testing.assert_allclose(criterion, chi2, rtol=1e-13, atol=1e-15)


@each_pair
def test_the_hinge_at_its_optimum_is_total_variation(counts):
    """sign(p_d - p_g) has the value -2 (1 - TV), and no other table has more."""
    p_data, p_gen = (jnp.asarray(c) / 10 for c in counts)
    losses, _ = play(go.HingeGAN, counts, jnp.sign(p_data - p_gen))
    bound = 2 * (1 - theory.tv_discrete(p_data, p_gen))
    np.testing.assert_allclose(losses.y, bound, atol=1e-15)
    np.testing.assert_allclose(losses.x, -jnp.sum(p_gen * jnp.sign(p_data - p_gen)), atol=1e-15)
    for key in jax.random.split(jax.random.key(0), 20):
        other, _ = play(go.HingeGAN, counts, 2 * jax.random.normal(key, (4,)))
        assert other.y >= bound - 1e-15


@each_pair
@pytest.mark.parametrize("packing", [2, 3])
def test_a_packed_optimum_is_the_optimum_of_product_laws(counts, packing):
    """PacGAN: D* on packs of m has the value -log 4 + 2 JS(p_d^m, p_g^m), which grows with m.

    The packs are all m-tuples of the points, so that the empirical law of packs is the product.
    """
    tuples = lambda c: np.stack(
        np.meshgrid(*[np.repeat(np.arange(4.0), c)] * packing, indexing="ij"), axis=-1
    ).reshape(-1, 1)
    sampler = lambda c: lambda key, n: jnp.asarray(tuples(np.asarray(c)))
    game = go.MinimaxGAN(sampler(counts[0]), sampler(counts[1]), 10**packing, packing=packing)
    p, q = (np.asarray(c) / 10 for c in counts)
    products = []
    for law in (p, q):
        joint = law
        for _ in range(packing - 1):
            joint = np.multiply.outer(joint, law)
        products.append(jnp.asarray(joint))
    logit = jnp.log(products[0]) - jnp.log(products[1])
    logit = jnp.clip(jnp.nan_to_num(logit, nan=0.0), -60, 60)
    critic = lambda pack: logit[tuple(pack[:, 0].astype(int))]
    value = game.losses(go.Players(lambda z: z, critic), jax.random.key(0)).x
    js = theory.js_discrete(products[0].ravel(), products[1].ravel())
    np.testing.assert_allclose(value, theory.value_from_js(js), atol=1e-12)
    assert js >= theory.js_discrete(jnp.asarray(p), jnp.asarray(q)) - 1e-15


def test_a_pack_is_of_one_kind_and_made_of_single_points():
    """Shapes, and that the generator sees a batch of latents and not of packs."""
    data = jnp.arange(12.0).reshape(6, 2)
    game = go.NonSaturatingGAN(go.Samples(data), go.NormalLatent((3,)), 5, packing=2)
    batch = game.draw(jax.random.key(0))
    assert batch.real.shape == (5, 2, 2)
    assert batch.latents.shape == (5, 2, 3)
    weight = jax.random.normal(jax.random.key(1), (3, 2))
    fake = game.generate(go.Players(lambda z: z @ weight, None), batch.latents)
    np.testing.assert_allclose(fake, batch.latents @ weight, rtol=1e-13)
    with pytest.raises(ValueError, match="packing must be at least 1"):
        go.NonSaturatingGAN(go.Samples(data), go.NormalLatent((3,)), 5, packing=0)
