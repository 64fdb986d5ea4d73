"""The Dirac-GAN: eigenvalues in closed form, and what each published variant does."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from tests.solvers import both, point

SLOPE, CURVATURE = 0.5, -0.25  # f'(0) and f''(0) of f(t) = -log(1 + exp(-t))
ORIGIN = point(0.0, 0.0)


def flow_eigenvalues(game):
    """Of the flow -xi at (0, 0), sorted by imaginary and then real part."""
    values = np.linalg.eigvals(-np.asarray(go.jacobian(game, ORIGIN)))
    return sorted(values.astype(complex), key=lambda v: (round(v.imag, 9), v.real))


def expected(centre, radicand):
    """centre +- sqrt(radicand), sorted alike."""
    root = np.sqrt(complex(radicand))
    return sorted([centre - root, centre + root], key=lambda v: (round(v.imag, 9), v.real))


# Two eigenvalues that coincide are known to the root of the rounding error only: 1e-7.
close = lambda game, values: np.testing.assert_allclose(
    flow_eigenvalues(game), values, rtol=0, atol=1e-7
)


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_gan_and_nsgan_only_rotate(loss):
    """Eigenvalues +- i f'(0)."""
    close(go.DiracGAN(loss), expected(0, -(SLOPE**2)))


def test_wgan_only_rotates():
    """f(t) = t: eigenvalues +- i."""
    close(go.DiracGAN("wasserstein"), expected(0, -1))


@hyp.given(gamma=st.floats(0.01, 5.0))
def test_zero_centred_penalty_has_its_published_eigenvalues(gamma):
    """R1 and R2: -gamma/2 +- sqrt(gamma^2/4 - f'(0)^2)."""
    close(go.DiracGAN(penalty=gamma), expected(-gamma / 2, gamma**2 / 4 - SLOPE**2))


def test_the_critical_penalty_is_one():
    """At gamma = 2 f'(0) = 1 the two eigenvalues meet on the real axis."""
    left, right = flow_eigenvalues(go.DIRAC_GAN_VARIANTS["r1_critical"]())
    assert abs(left - right) < 1e-7
    assert abs(left + 0.5) < 1e-7


@hyp.given(sigma=st.floats(0.05, 3.0))
def test_instance_noise_has_its_published_eigenvalues(sigma):
    """f''(0) sigma^2 +- sqrt(f''(0)^2 sigma^4 - f'(0)^2)."""
    centre = CURVATURE * sigma**2
    close(go.DiracGAN(noise=sigma), expected(centre, centre**2 - SLOPE**2))


@hyp.given(gamma=st.floats(0.01, 5.0))
def test_consensus_has_its_published_eigenvalues(gamma):
    """-gamma f'(0)^2 +- i f'(0)."""
    close(go.DiracGAN(consensus=gamma), expected(-gamma * SLOPE**2, -(SLOPE**2)))


def test_instance_noise_loss_is_the_expectation():
    """Gauss-Hermite against 400 000 draws: within 5 standard errors, false alarms below 1e-6."""
    game, players, sigma = go.DiracGAN(noise=0.7), point(0.8, -1.3), 0.7
    noise = sigma * jax.random.normal(jax.random.key(0), (2, 400_000))
    terms = jax.nn.log_sigmoid(players.y * (players.x + noise[0]))
    terms = terms + jax.nn.log_sigmoid(-players.y * noise[1])
    error = jnp.std(terms) / np.sqrt(terms.size)
    assert abs(game.losses(players).x - jnp.mean(terms)) < 5 * error


def distances(name, rounds=4000, eta=0.05):
    solver = go.Alternating(both(optax.sgd, eta), order=("y", "x"))
    path = go.rollout(
        go.DIRAC_GAN_VARIANTS[name](), solver, point(0.8, 0.6), rounds, record=go.record_players
    ).records
    return jnp.hypot(path.x, path.y)


@pytest.mark.parametrize("name", ["consensus", "instance_noise", "r1", "r1_critical"])
def test_regularized_variants_converge(name):
    """Distance below 1e-4 of the start's after time 200 (the slowest rate is 0.12 a unit)."""
    assert distances(name)[-1] < 1e-4


@pytest.mark.parametrize("name", ["gan", "nsgan", "wgan", "wgan_clip", "wgan_gp"])
def test_unregularized_clipped_and_penalized_variants_do_not_converge(name):
    """They circle: over the last half the distance stays above 0.1 and below 3."""
    late = distances(name)[2000:]
    assert jnp.min(late) > 0.1
    assert jnp.max(late) < 3


def test_simultaneous_gan_spirals_outward():
    """Near the equilibrium each round multiplies the distance by sqrt(1 + eta^2 f'(0)^2)."""
    eta = 0.2
    path = go.rollout(
        go.DiracGAN(),
        go.Simultaneous(both(optax.sgd, eta)),
        point(1e-5, 0.0),
        30,
        record=go.record_players,
    ).records
    norms = jnp.hypot(path.x, path.y)
    # The next order in the distance, 3e-5, changes the rate by less than its square.
    rate = np.sqrt(1 + eta**2 * SLOPE**2)
    np.testing.assert_allclose(norms[1:] / norms[:-1], rate, rtol=1e-6)


def test_clipping_is_a_set_of_the_game():
    """|psi| <= c after every move, and reached."""
    game = go.DIRAC_GAN_VARIANTS["wgan_clip"]()
    solver = go.Alternating(both(optax.sgd, 0.5))
    path = go.rollout(game, solver, point(3.0, 0.0), 50, record=go.record_players).records
    assert jnp.max(jnp.abs(path.y)) == 1.0


@pytest.mark.parametrize("name", sorted(go.DIRAC_GAN_VARIANTS))
def test_known_equilibria_are_stationary(name):
    """And WGAN-GP has none: the penalty pushes the slope to 1 for ever."""
    equilibria = go.DIRAC_GAN_VARIANTS[name]().equilibria()
    assert len(equilibria) == (0 if name == "wgan_gp" else 1)
    for players in equilibria:
        assert go.stationarity(go.DIRAC_GAN_VARIANTS[name](), players) < 1e-15


def test_only_the_non_saturating_generator_keeps_its_gradient():
    """At psi theta = 50 minimax gives psi sigma(-50), non-saturating psi sigma(50)."""
    players = point(25.0, 2.0)
    minimax = go.field(go.DiracGAN("minimax"), players).x
    non_saturating = go.field(go.DiracGAN("non_saturating"), players).x
    np.testing.assert_allclose(minimax, 2 * np.exp(-50), rtol=1e-12)
    np.testing.assert_allclose(non_saturating, 2.0, rtol=1e-12)
