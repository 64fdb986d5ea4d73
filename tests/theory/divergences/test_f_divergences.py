"""f-divergences and their duals: sums, searches, autodiff and closed forms."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

import theory
from theory import F_DIVERGENCES

seeds = st.integers(0, 2**31 - 1)
LOG2 = np.log(2)
each = pytest.mark.parametrize("name", sorted(F_DIVERGENCES))

# The integrands as they are usually written, with no common factor and no limit taken.
DEFINITIONS = {
    "kl": lambda p, q: p * np.log(p / q),
    "reverse_kl": lambda p, q: q * np.log(q / p),
    "js": lambda p, q: 0.5 * (p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))),
    "gan": lambda p, q: p * np.log(p / (p + q)) + q * np.log(q / (p + q)),
    "tv": lambda p, q: 0.5 * np.abs(p - q),
    "squared_hellinger": lambda p, q: 0.5 * (np.sqrt(p) - np.sqrt(q)) ** 2,
    "pearson": lambda p, q: (p - q) ** 2 / q,
    "neyman": lambda p, q: (p - q) ** 2 / p,
}
GENERATORS = {name: lambda u, d=d: d(u, 1.0) for name, d in DEFINITIONS.items()}  # f(u) = d(u, 1)
DISJOINT = {"kl": np.inf, "reverse_kl": np.inf, "js": LOG2, "gan": 0.0, "tv": 1.0}
DISJOINT |= {"squared_hellinger": 1.0, "pearson": np.inf, "neyman": np.inf}


def probabilities(seed, k=6):
    p, q = np.random.default_rng(seed).dirichlet(np.ones(k), size=2)
    return jnp.asarray(p), jnp.asarray(q)


@each
@hyp.given(seed=seeds)
def test_sums_are_their_definitions(name, seed):
    """Term by term in NumPy."""
    p, q = probabilities(seed)
    expected = np.sum(DEFINITIONS[name](np.asarray(p), np.asarray(q)))
    ours = theory.f_divergence_discrete(F_DIVERGENCES[name], p, q)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-14)


@hyp.given(seed=seeds)
def test_the_table_agrees_with_the_functions_of_their_own(seed):
    """kl, js and tv of `divergences`; `gan` is 2 JS - log 4."""
    p, q = probabilities(seed)
    ours = {name: theory.f_divergence_discrete(f, p, q) for name, f in F_DIVERGENCES.items()}
    np.testing.assert_allclose(ours["kl"], theory.kl_discrete(p, q), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(ours["reverse_kl"], theory.kl_discrete(q, p), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(ours["js"], theory.js_discrete(p, q), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(ours["tv"], theory.tv_discrete(p, q), rtol=1e-12)
    np.testing.assert_allclose(ours["gan"], theory.value_from_js(ours["js"]), rtol=1e-12)


@each
def test_disjoint_supports_equal_laws_and_empty_cells(name):
    """The definition's limits; 0 for equal laws (-log 4 for `gan`); cells without mass count 0."""
    divergence = F_DIVERGENCES[name]
    p, q = jnp.array([0.5, 0.5, 0.0, 0.0]), jnp.array([0.0, 0.0, 1.0, 0.0])
    value = theory.f_divergence_discrete(divergence, p, q)
    np.testing.assert_allclose(value, DISJOINT[name], rtol=1e-14, atol=1e-14)
    same = theory.f_divergence_discrete(divergence, p, p)
    np.testing.assert_allclose(same, -np.log(4) if name == "gan" else 0.0, atol=1e-15)


@each
def test_generator_conjugate_and_critic_belong_together(name):
    """f at u by its formula; w f(1/w); f' by autodiff; f* by a search over u; Fenchel's equality.

    Left out: the conjugate of TV in the direction of its corner, where it is tested by the search.
    """
    divergence, f = F_DIVERGENCES[name], GENERATORS[name]
    for log_u in (-3.0, -0.7, 0.4, 2.5):
        u, s = np.exp(log_u), jnp.asarray(log_u)
        np.testing.assert_allclose(divergence.generator(s), f(u), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(divergence.adjoint(s), u * f(1 / u), rtol=1e-12, atol=1e-14)
        slope = jax.grad(divergence.generator)(s) / u  # d f / d u
        np.testing.assert_allclose(divergence.critic(s), slope, rtol=1e-10)
        t = float(slope)
        search = lambda log_v, t=t: f(np.exp(log_v)) - t * np.exp(log_v)
        grid = np.linspace(-12, 12, 4001)
        best = grid[np.argmin(search(grid))]
        found = scipy.optimize.minimize_scalar(search, bounds=(best - 0.01, best + 0.01))
        supremum = -min(found.fun, search(-60.0)) if name == "tv" else -found.fun
        np.testing.assert_allclose(divergence.conjugate(slope), supremum, atol=2e-6)
        fenchel = t * u - f(u)
        np.testing.assert_allclose(divergence.conjugate(slope), fenchel, rtol=1e-9, atol=1e-12)


@each
def test_activations_increase_into_the_domain_of_the_conjugate(name):
    """From -30 to 30: increasing, f* finite, and reaching critics on either side of p = q."""
    divergence = F_DIVERGENCES[name]
    v = jnp.linspace(-6, 6, 101)
    outputs = divergence.activation(v)
    assert bool(jnp.all(jnp.diff(outputs) > 0))
    assert bool(jnp.all(jnp.isfinite(divergence.conjugate(outputs))))
    middle = divergence.critic(jnp.zeros(()))
    assert outputs[0] < middle < outputs[-1]
    assert bool(jnp.all(jnp.isfinite(jax.vmap(jax.grad(divergence.activation))(v))))


def test_conjugates_are_infinite_outside_their_domains():
    """And constant, -f(0), where the supremum is at u = 0; with finite gradients inside."""
    beyond = {"reverse_kl": 0.5, "js": 0.4, "gan": 0.1, "tv": 0.6, "neyman": 1.5}
    beyond["squared_hellinger"] = 0.7
    for name, t in beyond.items():
        assert F_DIVERGENCES[name].conjugate(jnp.asarray(t)) == jnp.inf, name
    assert F_DIVERGENCES["tv"].conjugate(jnp.asarray(-3.0)) == -0.5
    assert F_DIVERGENCES["pearson"].conjugate(jnp.asarray(-3.0)) == -1.0


@each
@hyp.settings(max_examples=25)
@hyp.given(seed=seeds, size=st.floats(0.0, 2.0))
def test_the_dual_is_reached_at_the_optimal_critic_and_never_passed(name, seed, size):
    """E_p T - E_q f*(T) at f'(p / q) is D_f; at any activation of noise it is at most D_f."""
    divergence, (p, q) = F_DIVERGENCES[name], probabilities(seed)
    log_p, log_q, ones = jnp.log(p), jnp.log(q), jnp.ones_like(p)
    primal = theory.f_divergence_density(divergence, log_p, log_q, ones)
    critic = theory.optimal_critic(divergence, log_p, log_q)
    best = theory.dual_value(divergence, critic, log_p, log_q, ones)
    np.testing.assert_allclose(best, primal, rtol=1e-8, atol=1e-12)
    noise = size * np.random.default_rng(seed).normal(size=p.size)
    other = divergence.activation(jnp.asarray(noise))
    assert theory.dual_value(divergence, other, log_p, log_q, ones) <= primal + 1e-10 * abs(primal)


def test_the_gan_dual_is_goodfellows_value():
    """T = log D and f*(T) = -log(1 - D): V(D, G), and T* = log D*."""
    p, q = probabilities(3)
    log_p, log_q, ones = jnp.log(p), jnp.log(q), jnp.ones_like(p)
    logits = jnp.linspace(-2.0, 3.0, p.size)
    gan = F_DIVERGENCES["gan"]
    ours = theory.dual_value(gan, gan.activation(logits), log_p, log_q, ones)
    np.testing.assert_allclose(ours, theory.discriminator_value(log_p, log_q, logits, ones))
    np.testing.assert_allclose(
        theory.optimal_critic(gan, log_p, log_q),
        jnp.log(theory.optimal_discriminator(log_p, log_q)),
    )


@each
def test_samples_agree_with_quadrature(name):
    """40 000 samples of two normals: within 5 standard errors (6e-7 each), the dual as well."""
    divergence = F_DIVERGENCES[name]
    p, q = theory.Normal(0.0, 1.0), theory.Normal(0.4, 1.1)
    rule = theory.quadrature(-12, 12, 400)
    log_p, log_q = p.log_prob(rule.nodes), q.log_prob(rule.nodes)
    exact = theory.f_divergence_density(divergence, log_p, log_q, rule.weights)
    x, y = p.sample(jax.random.key(0), 40_000), q.sample(jax.random.key(1), 40_000)
    logs = [law.log_prob(points) for points in (x, y) for law in (p, q)]
    sampled = theory.f_divergence_samples(divergence, *logs)
    assert abs(sampled.value - exact) < 5 * sampled.standard_error
    critics = [theory.optimal_critic(divergence, *pair) for pair in (logs[:2], logs[2:])]
    dual = theory.dual_value_samples(divergence, *critics)
    assert abs(dual.value - exact) < 5 * dual.standard_error
    one = theory.f_divergence_samples(divergence, *(values[:1] for values in logs))
    assert jnp.isnan(one.standard_error)


@each
def test_far_log_ratios_and_gradients_are_safe(name):
    """Ratios of e^+-600 make no nan; gradients are finite where both laws have mass or neither."""
    divergence = F_DIVERGENCES[name]
    log_p, log_q, ones = jnp.array([0.0, -600.0]), jnp.array([-600.0, 0.0]), jnp.ones(2)
    value = theory.f_divergence_density(divergence, log_p, log_q, ones)
    known = {"kl": 600.0, "reverse_kl": 600.0, "pearson": np.exp(600.0), "neyman": np.exp(600.0)}
    np.testing.assert_allclose(value, known.get(name, DISJOINT[name]), rtol=1e-12, atol=1e-100)
    log_p, log_q = jnp.array([-0.5, -1.0, -jnp.inf]), jnp.array([-1.0, -0.5, -jnp.inf])
    gradient = jax.grad(theory.f_divergence_density, argnums=1)(
        divergence, log_p, log_q, jnp.ones(3)
    )
    assert bool(jnp.all(jnp.isfinite(gradient)))
    if np.isfinite(DISJOINT[name]):  # so is the gradient where only one of them has mass
        log_p, log_q = jnp.array([-0.5, -jnp.inf, 0.0]), jnp.array([-1.0, -0.5, -jnp.inf])
        for argument in (1, 2):
            gradient = jax.grad(theory.f_divergence_density, argnums=argument)(
                divergence, log_p, log_q, jnp.ones(3)
            )
            assert bool(jnp.all(jnp.isfinite(gradient)))
    batched = jax.jit(jax.vmap(lambda a, b: theory.f_divergence_discrete(divergence, a, b)))
    p = jnp.array([[0.2, 0.8], [0.5, 0.5]])
    loop = [
        theory.f_divergence_discrete(divergence, *pair) for pair in zip(p, p[::-1], strict=True)
    ]
    np.testing.assert_allclose(batched(p, p[::-1]), jnp.stack(loop), rtol=1e-12)
