"""KL, JS and W1 along a family of laws: exact, and as trained critics see them."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go
import theory
from models import MLP
from recipes._gans.critics import train_critic

NAMES = ("kl", "js", "w1")
SLOPE_WEIGHT = 30.0
"""Weight of the one-sided penalty: a critic passes slope 1 by its pull over twice this."""


class Curves(NamedTuple):
    """One family, at every theta: `(k,)` for each name, NaN or inf where it is not defined."""

    thetas: np.ndarray
    values: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]


class DivergenceTraining(NamedTuple):
    """Training of each critic."""

    rounds: int
    batch_size: int
    width: int
    learning_rate: float


class LawFamily(NamedTuple):
    """Laws $P_\\theta$, pushed from latents, beside the data's law $P_0$.

    - `exact`: by name, theta to the distance, differentiable.
    - `chi2`: theta to $\\chi^2(P_0\\|P_\\theta)$.
    - `push`: theta and a latent to a point. `data`, `latent`: what batches are drawn from.
    - `nodes`, `masses`: weighted latents whose push is $P_\\theta$; `data_points` with the same
      masses are $P_0$: expectations by them have no sampling error.
    """

    exact: dict[str, Callable]
    chi2: Callable
    push: Callable
    data: Callable
    latent: Callable
    nodes: Float[Array, " k"]
    masses: Float[Array, " k"]
    data_points: Float[Array, "k *shape"]


def parallel_lines() -> LawFamily:
    """Two lines of length 1 at the distance theta (Arjovsky et al. 2017, example 1)."""
    rule = theory.quadrature(0.0, 1.0, 32)
    exact = {"kl": theory.lines_kl, "js": theory.lines_js, "w1": theory.lines_w1}
    push = lambda theta, height: jnp.stack([theta, height])
    uniform = lambda key, n: jax.random.uniform(key, (n,))
    here = jax.vmap(lambda height: push(jnp.zeros(()), height))(rule.nodes)
    line = theory.ParallelLine(0.0)
    # Disjoint laws: chi^2 is infinite where KL is.
    return LawFamily(
        exact, theory.lines_kl, push, line.sample, uniform, rule.nodes, rule.weights, here
    )


def moving_gaussian(std: float, reach: float) -> LawFamily:
    """N(theta, std^2) beside N(0, 1), for theta up to `reach`: KL is that of the data from it."""
    end = 8 * max(1.0, std) + reach
    space, latents = theory.quadrature(-end, end, 600), theory.quadrature(-8.0, 8.0, 300)
    normal = theory.Normal(0.0, 1.0)

    def js(theta):
        log_q = theory.Normal(theta, std).log_prob(space.nodes)
        return theory.js_density(normal.log_prob(space.nodes), log_q, space.weights)

    exact = {
        "kl": lambda theta: theory.kl_normal(0.0, 1.0, theta, std),
        "js": js,
        "w1": lambda theta: theory.wasserstein1_normal(theta, std, 0.0, 1.0),
    }
    one = lambda number: jnp.asarray(number, jnp.result_type(float)).reshape(1)
    chi2 = lambda theta: theory.chi2_gaussian(
        one(0.0), one(1.0)[:, None], one(theta), one(std**2)[:, None]
    )
    draw = lambda key, n: jax.random.normal(key, (n,))
    masses = latents.weights * jnp.exp(normal.log_prob(latents.nodes))
    push = lambda theta, z: theta + std * z
    return LawFamily(exact, chi2, push, draw, draw, latents.nodes, masses, latents.nodes)


def exact_curves(family: LawFamily, thetas: np.ndarray) -> Curves:
    """Values and their derivatives by `jax.grad`; none of the latter where a value is infinite."""
    at = jnp.asarray(thetas)
    values, gradients = {}, {}
    for name, function in family.exact.items():
        value, gradient = jax.jit(jax.vmap(jax.value_and_grad(function)))(at)
        values[name] = np.asarray(value)
        gradients[name] = np.where(np.isfinite(values[name]), np.asarray(gradient), np.nan)
    return Curves(thetas, values, gradients)


def learned_curves(
    family: LawFamily, thetas: np.ndarray, training: DivergenceTraining, key: PRNGKeyArray
) -> Curves:
    """Values and gradients by trained critics, all thetas in one compiled call."""
    trained = jax.jit(jax.vmap(lambda theta: _learned(family, theta, training, key)))
    found = trained(jnp.asarray(thetas))
    values = {name: np.asarray(pair[0]) for name, pair in found.items()}
    gradients = {name: np.asarray(pair[1]) for name, pair in found.items()}
    return Curves(thetas, values, gradients)


def _learned(
    family: LawFamily, theta: jax.Array, training: DivergenceTraining, key: PRNGKeyArray
) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Values at trained critics and gradients in theta with the critics fixed, by name."""
    generator = jax.tree_util.Partial(family.push, theta)
    laws = family.data, family.latent, training.batch_size
    games = {
        "kl": go.FGAN(*laws, divergence="kl"),
        "js": go.FGAN(*laws, divergence="js"),
        "w1": go.WassersteinGAN(*laws, go.GradientPenalty(SLOPE_WEIGHT, one_sided=True)),
    }
    found = {}
    for index, (name, game) in enumerate(games.items()):
        key_critic, key_play = jax.random.split(jax.random.fold_in(key, index))
        # A kink is what the best 1-Lipschitz critic has; ratios of densities are smooth.
        activation = jax.nn.relu if name == "w1" else jax.nn.tanh
        shape = family.data_points.shape[1:]
        critic = MLP(
            shape, (), width=training.width, depth=2, activation=activation, key=key_critic
        )
        start = go.Players(generator, critic)
        players = train_critic(game, start, training.rounds, training.learning_rate, key_play)
        found[name] = _judged(family, name, theta, players.y)
    return found


def _judged(
    family: LawFamily, name: str, theta: jax.Array, critic: MLP
) -> tuple[jax.Array, jax.Array]:
    """Value and gradient by quadrature; a Wasserstein critic is divided by its slope above 1."""
    if name == "w1":
        on_data = on_generated = lambda score: score
    else:
        on_data, on_generated = go.FGAN_DUALS[name]

    def value(theta):
        points = jax.vmap(lambda latent: family.push(theta, latent))(family.nodes)
        real = on_data(go.critic_scores(critic, family.data_points))
        fake = on_generated(go.critic_scores(critic, points))
        return family.masses @ real - family.masses @ fake

    reached, gradient = jax.value_and_grad(value)(theta)
    if name != "w1":
        return reached, gradient
    shares = jnp.linspace(0.0, 1.0, 9)
    ends = family.data_points, jax.vmap(lambda z: family.push(theta, z))(family.nodes)
    between = jax.vmap(lambda s: (1 - s) * ends[0] + s * ends[1])(shares)
    points = between.reshape(-1, *family.data_points.shape[1:])
    steepest = jnp.maximum(jnp.max(go.gradient_norms(critic, points)), 1.0)
    return reached / steepest, gradient / steepest


def learnable(
    family: LawFamily, name: str, thetas: np.ndarray, training: DivergenceTraining
) -> np.ndarray:
    r"""Mask of the thetas whose exact value a critic can learn from samples, shape `(k,)`.

    JS and W1 are learnt wherever they are finite. The bound of KL averages $p/q$ under q at its
    best critic: a variance of $\chi^2$, and where that is above the batch size no batch shows it.
    """
    at = jnp.asarray(thetas)
    finite = np.isfinite(np.asarray(jax.vmap(family.exact[name])(at)))
    if name != "kl":
        return finite
    return finite & (np.asarray(jax.vmap(family.chi2)(at)) < training.batch_size)
