"""gameopt's f-GANs against theory's f-divergences: two derivations of every dual."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
import theory
from models import MLP

RULE = theory.quadrature(-9.0, 9.0, 400)
DATA, GENERATED = theory.Normal(0.3, 0.9), theory.Normal(0.0, 1.0)
LOG_P, LOG_Q = DATA.log_prob(RULE.nodes), GENERATED.log_prob(RULE.nodes)

OPTIMAL_OUTPUTS = {
    "kl": lambda s: 1 + s,
    "reverse_kl": lambda s: s,
    "js": lambda s: s,
    "gan": lambda s: s,
    "squared_hellinger": lambda s: s / 2,
    "pearson": lambda s: 2 * jnp.expm1(s),
    "neyman": lambda s: 2 * s,
    "tv": lambda s: 50 * jnp.sign(s),
}
"""The output v with g_f(v) = f'(u), of s = log u: by hand, from f."""


def value(name, outputs):
    """The bound by quadrature, from gameopt's two sides."""
    dual = go.FGAN_DUALS[name]
    p, q = jnp.exp(LOG_P), jnp.exp(LOG_Q)
    return RULE.weights @ (p * dual.on_data(outputs) - q * dual.on_generated(outputs))


def test_the_same_divergences_have_a_dual_in_both():
    """Names mean the same."""
    assert set(go.FGAN_DUALS) == set(theory.F_DIVERGENCES) == set(OPTIMAL_OUTPUTS)


@pytest.mark.parametrize("name", go.FGAN_DUALS)
def test_the_bound_is_the_divergence_at_the_optimal_critic_only(name):
    """D_f by theory's generator, no dual in it, is reached to rounding; elsewhere less is.

    400 nodes integrate these smooth densities to rounding; total variation has corners.
    """
    exact = theory.f_divergence_density(theory.F_DIVERGENCES[name], LOG_P, LOG_Q, RULE.weights)
    best = OPTIMAL_OUTPUTS[name](LOG_P - LOG_Q)
    np.testing.assert_allclose(value(name, best), exact, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        go.FGAN_DUALS[name].on_data(best),
        theory.optimal_critic(theory.F_DIVERGENCES[name], LOG_P, LOG_Q),
        rtol=1e-9,
        atol=1e-14,
    )
    for seed in range(3):
        off = 0.3 * jax.random.normal(jax.random.key(seed), best.shape)
        assert value(name, jnp.sign(best) * 0.2 + off) < exact


@pytest.mark.parametrize("name", go.FGAN_DUALS)
def test_the_conjugate_is_theorys(name):
    """f*(g_f(v)) is theory's f* at g_f(v), on both sides of 0; both increase.

    Pearson's f* is compared above -2 only, where the parabola is the conjugate.
    """
    low = -2.0 if name == "pearson" else -4.0
    outputs = jnp.linspace(low, 4.0, 41)
    dual, divergence = go.FGAN_DUALS[name], theory.F_DIVERGENCES[name]
    t = dual.on_data(outputs)
    np.testing.assert_allclose(
        dual.on_generated(outputs), divergence.conjugate(t), rtol=1e-10, atol=1e-12
    )
    assert (jnp.diff(t) > 0).all()
    assert (jnp.diff(dual.on_generated(outputs)) > 0).all()


@pytest.mark.parametrize("name", go.FGAN_DUALS)
def test_values_and_gradients_are_finite_for_large_outputs(name, float32):
    """In float32 between -50 and 50, each side alone and both at their worst."""
    outputs = jnp.asarray([-50.0, -20.0, 0.0, 20.0, 50.0], jnp.float32)
    loss = lambda real, fake: go.f_gan_value(name, real, fake)
    number, gradients = jax.value_and_grad(loss, argnums=(0, 1))(outputs, outputs)
    assert number.dtype == jnp.float32
    for array in (number, *gradients):
        assert jnp.isfinite(array).all()


def test_the_gan_of_an_f_gan_is_the_minimax_game():
    """Divergence `gan`: the same losses and the same field as `MinimaxGAN`, bit for bit or nearly.

    And `js` is half of it plus log 2.
    """
    normal = lambda key, n: jax.random.normal(key, (n, 2))
    players = go.Players(
        MLP((2,), (2,), width=8, depth=1, key=jax.random.key(0)),
        MLP((2,), (), width=8, depth=1, key=jax.random.key(1)),
    )
    key = jax.random.key(2)
    ours = go.FGAN(normal, normal, 16, divergence="gan")
    assert ours.is_zero_sum
    minimax = go.MinimaxGAN(normal, normal, 16)
    for mine, theirs in zip(
        jax.tree.leaves(ours.losses_and_field(players, key)),
        jax.tree.leaves(minimax.losses_and_field(players, key)),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-15)
    js = go.FGAN(normal, normal, 16, divergence="js").losses(players, key).x
    np.testing.assert_allclose(js, 0.5 * minimax.losses(players, key).x + np.log(2), rtol=1e-12)


@pytest.mark.parametrize("name", ["kl", "pearson"])
def test_a_trained_critic_reaches_the_divergence(name):
    """Within 5 % plus 2e-3 of D_f by quadrature, and never above by more than rounding.

    The bound holds for every critic, so that what is measured by quadrature cannot pass it.
    """
    critic = MLP((), (), width=32, depth=2, activation=jnp.tanh, key=jax.random.key(0))
    game = go.FGAN(DATA.sample, GENERATED.sample, 1024, divergence=name)
    solver = go.Simultaneous(go.Players(None, optax.adam(optax.cosine_decay_schedule(5e-3, 800))))
    last = go.rollout(game, solver, go.Players(lambda z: z, critic), 800, key=jax.random.key(1))
    reached = value(name, go.critic_scores(last.players.y, RULE.nodes))
    exact = theory.f_divergence_density(theory.F_DIVERGENCES[name], LOG_P, LOG_Q, RULE.weights)
    assert 0.95 * exact - 2e-3 <= reached <= exact + 1e-12


def test_an_unknown_divergence_is_named():
    """With the ones that there are."""
    with pytest.raises(ValueError, match="no f-GAN is known for 'chi'; one of kl, reverse_kl"):
        go.FGAN(DATA.sample, GENERATED.sample, 4, divergence="chi")
