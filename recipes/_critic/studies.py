"""Critics trained to the end between two fixed laws, and what theory says of each."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go
import theory
from models import MLP, Linear, SpectralLinear, mlp_critic
from recipes._critic.laws import FixedLaws, LawSamples, pooled
from recipes._gans.critics import share_at_limit, train_critic
from recipes._gans.density import against_optimum
from recipes._gans.density_grid import GridCells, cells_around, data_log_masses

WAYS = {
    "clip": "weight clipping",
    "gp": "two-sided penalty",
    "lp": "one-sided penalty",
    "sn": "spectral normalisation",
}
STEPS_ON_LINES = 9
"""At how many points of each coupling line slopes are taken."""


class CriticTraining(NamedTuple):
    """Training of the critics, and their constraints; `penalty_weights` of gp and lp."""

    rounds: int
    batch_size: int
    width: int
    depth: int
    learning_rate: float
    clip: float
    penalty_weights: tuple[float, float]


class Exact(NamedTuple):
    """The exact dual between the clouds.

    - `w1`: by the network simplex. `critic`: an optimal critic at the points, by a linear
      programme of its own. `lines`: points on the coupling's lines, shape `(k, d)`.
    """

    w1: float
    critic: theory.Critic
    lines: np.ndarray


class TrainedCritic(NamedTuple):
    """One way's critic, the slopes on the coupling lines `(k,)`, and its numbers."""

    critic: MLP
    slopes: np.ndarray
    numbers: dict[str, float]


class Depths(NamedTuple):
    """Gradients of deep critics' scores in what each layer puts out, the input's layer first.

    - `labels`: one for each critic. `norms`: root mean squares over the points, shape
      `(critics, layers)`; the last layer puts out the score itself, and so has 1.
    """

    labels: list[str]
    norms: np.ndarray


class Discriminator(NamedTuple):
    """D beside D*, on cells: see `recipes._gans.density.against_optimum`."""

    cells: GridCells
    log_p_data: jax.Array
    log_p_gen: jax.Array
    logits: jax.Array
    best: jax.Array
    populated: np.ndarray
    numbers: dict[str, float]


def exact_dual(clouds: LawSamples) -> Exact:
    """W1, its critic and its lines, on the host."""
    real, fake = map(np.asarray, clouds)
    plan = theory.optimal_transport(real, fake)
    sources, targets = np.nonzero(plan.plan)
    shares = (np.arange(STEPS_ON_LINES) + 0.5)[:, None, None] / STEPS_ON_LINES
    lines = (1 - shares) * real[sources] + shares * fake[targets]
    critic = theory.kantorovich_rubinstein(real, fake)
    return Exact(plan.distance, critic, lines.reshape(-1, real.shape[1]).astype(np.float32))


def _start(critic: MLP) -> go.Players:
    """The generator is the identity: its latents are drawn from its law."""
    return go.Players(lambda point: point, critic)


def wasserstein_game(
    way: str,
    clouds: LawSamples,
    training: CriticTraining,
    clip: float | Float[Array, ""] | None = None,
) -> go.AbstractGame:
    """The critic's game between two clouds, held back in one of `WAYS`."""
    penalty = None
    if way in ("gp", "lp"):
        weight = training.penalty_weights[("gp", "lp").index(way)]
        penalty = go.GradientPenalty(weight, one_sided=way == "lp")
    draws = go.Samples(clouds.real), go.Samples(clouds.fake)
    game = go.WassersteinGAN(*draws, training.batch_size, penalty)
    if way != "clip":
        return game
    return go.constrained(game, y=go.clip_weights(training.clip if clip is None else clip))


def train_way(
    way: str, clouds: LawSamples, exact: Exact, training: CriticTraining, key: PRNGKeyArray
) -> TrainedCritic:
    """Trains one critic on the clouds and holds it against the exact dual on the same points.

    Its numbers: `estimate`, `slope_mean` and `slope_max` on the coupling lines,
    `estimate_per_slope` (comparable with W1, and never above it but for slopes between the points
    looked at), `lipschitz_bound` by its weights, and `share_at_limit` for clipping.
    """
    critic, estimate, slopes, bound = _train_and_look(
        way, clouds, jnp.asarray(exact.lines), training, key
    )
    steepest = float(slopes.max())
    numbers = {
        "estimate": float(estimate),
        "estimate_per_slope": float(estimate) / max(steepest, 1e-30),
        "slope_mean": float(slopes.mean()),
        "slope_max": steepest,
        "lipschitz_bound": float(bound),
    }
    if way == "clip":
        numbers["share_at_limit"] = share_at_limit(critic, training.clip)
    return TrainedCritic(critic, np.asarray(slopes), numbers)


@eqx.filter_jit
def _train_and_look(
    way: str, clouds: LawSamples, lines: Array, training: CriticTraining, key: PRNGKeyArray
) -> tuple[MLP, Array, Array, Array]:
    """The critic, its estimate `()`, its slopes on the lines `(k,)`, its Lipschitz bound `()`."""
    key_critic, key_play = jax.random.split(key)
    layer = SpectralLinear if way == "sn" else Linear
    width, depth, shape = training.width, training.depth, clouds.real.shape[1:]
    critic = mlp_critic(shape, width=width, depth=depth, key=key_critic, layer=layer)
    game = wasserstein_game(way, clouds, training)
    rounds, rate = training.rounds, training.learning_rate
    critic = train_critic(game, _start(critic), rounds, rate, key_play, 0.5, 0.9).y
    real, fake = (go.critic_scores(critic, points) for points in clouds)
    slopes, bound = go.gradient_norms(critic, lines), go.lipschitz_upper_bound(critic)
    return critic, go.wasserstein_value(real, fake), slopes, bound


def measure_depths(
    clouds: LawSamples, training: CriticTraining, clips: tuple[float, ...], key: PRNGKeyArray
) -> Depths:
    """Deep critics: clipped ones with each bound in one compiled call, and a penalised one."""
    key_critic, key_play = jax.random.split(key)
    shape = clouds.real.shape[1:]
    critic = mlp_critic(shape, width=training.width, depth=training.depth, key=key_critic)
    start = _start(critic)

    def norms(way: str, clip: Float[Array, ""] | None = None) -> Float[Array, " layers"]:
        game = wasserstein_game(way, clouds, training, clip)
        rounds, rate = training.rounds, training.learning_rate
        players = train_critic(game, start, rounds, rate, key_play, 0.5, 0.9)
        return score_gradient_norms(players.y, jnp.concatenate(clouds))

    clipped = jax.jit(jax.vmap(functools.partial(norms, "clip")))(jnp.asarray(clips))
    penalised = jax.jit(functools.partial(norms, "gp"))()
    labels = [f"clipped to {clip:g}" for clip in clips]
    labels.append(f"two-sided penalty, weight {training.penalty_weights[0]:g}")
    return Depths(labels, np.concatenate([np.asarray(clipped), np.asarray(penalised)[None]]))


def score_gradient_norms(critic: MLP, points: Float[Array, "n d"]) -> Float[Array, " layers"]:
    r"""$(\tfrac1n\sum_i\|\partial f(x_i)/\partial a_l\|^2)^{1/2}$ for what each layer puts out.

    The gradient in $a_l = h_{l-1}W_l + b_l$ is the one in $b_l$, point by point. Gulrajani et al.
    (2017), arXiv:1704.00028, figure 1b, up to a factor that all layers share.
    """
    score = lambda network, point: network(point)
    gradients = jax.vmap(eqx.filter_grad(score), (None, 0))(critic, points)
    return jnp.stack([_root_mean_square(layer.bias) for layer in gradients.layers])


def _root_mean_square(rows: Float[Array, "n m"]) -> Float[Array, ""]:
    # What vanishes is squared here, far below the smallest number of single precision.
    largest = jnp.max(jnp.abs(rows))
    scale = jnp.where(largest > 0, largest, 1)
    return scale * jnp.sqrt(jnp.mean(jnp.sum((rows / scale) ** 2, axis=1)))


def train_discriminator(
    laws: FixedLaws, training: CriticTraining, key: PRNGKeyArray
) -> Discriminator:
    """A discriminator between the exact laws, and its distance from D* on cells around both."""
    cells = cells_around(pooled(laws))
    masses = jax.jit(lambda law: data_log_masses(law, cells))
    log_p_data, log_p_gen = masses(laws.data), masses(laws.generated)
    at = jnp.asarray(cells.centres)
    scores = _discriminator_scores(laws.data, laws.generated, at, training, key)
    logits = jnp.append(scores, 0.0)  # outside there is no mass
    numbers, best, populated = against_optimum(log_p_data, log_p_gen, logits)
    return Discriminator(cells, log_p_data, log_p_gen, logits, best, populated, numbers)


@eqx.filter_jit
def _discriminator_scores(
    data: theory.GaussianMixture,
    generated: theory.GaussianMixture,
    at: Array,
    training: CriticTraining,
    key: PRNGKeyArray,
) -> Float[Array, " k"]:
    """The logits of a trained discriminator at points `(k, d)`."""
    key_network, key_play = jax.random.split(key)
    # Smooth, because the densities are.
    network = MLP(
        at.shape[1:], (), width=training.width, depth=3, activation=jax.nn.tanh, key=key_network
    )
    # Not the clouds but the laws: every batch is fresh, and large to leave little noise.
    game = go.MinimaxGAN(data.sample, generated.sample, 4 * training.batch_size)
    rounds, rate = training.rounds, training.learning_rate
    network = train_critic(game, _start(network), rounds, rate, key_play).y
    return go.critic_scores(network, at)


def weights_of(critic: MLP) -> np.ndarray:
    """All entries of the weight matrices as they act, in one row."""
    act = lambda layer: (
        layer.normalised_weight if isinstance(layer, SpectralLinear) else layer.weight
    )
    return np.concatenate([np.asarray(act(layer)).ravel() for layer in critic.layers])


def exact_surface(exact: Exact, clouds: LawSamples, at: np.ndarray) -> np.ndarray:
    """The optimal critic carried from the clouds' points to others `(k, d)`: shape `(k,)`."""
    values = jnp.asarray(np.concatenate([exact.critic.on_x, exact.critic.on_y]), at.dtype)
    points = jnp.concatenate([clouds.real, clouds.fake])
    return np.asarray(theory.lipschitz_extension(values, points, jnp.asarray(at)))


def numbers_of(found: dict[str, TrainedCritic], exact: Exact) -> dict[str, Any]:
    """Each way's numbers, and its estimate over the exact distance."""
    return {
        way: trained.numbers | {"estimate_over_w1": trained.numbers["estimate"] / exact.w1}
        for way, trained in found.items()
    }
