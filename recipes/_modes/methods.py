"""Methods against mode collapse: solvers and games."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import gameopt as go


class ModeSolver(NamedTuple):
    """A solver's factory, and the cost of a round.

    - `make`: `(optimizers, unroll_rate) -> solver`.
    - `gradients`: of one player's loss in a round, a Hessian product being two.
    - `updates`: how often a round calls each optimizer, which is what a schedule counts.
    """

    make: Callable[[go.Players, float], go.AbstractSolver]
    gradients: int
    updates: go.Players = go.Players(1, 1)


INNER_STEPS = 5
LOOKAHEAD_STEPS = 5
UNROLLED_STEPS = 5


def _alternating(optimizers: go.Players, inner_steps: int = 1) -> go.AbstractSolver:
    steps = go.Players(1, inner_steps)
    return go.Alternating(optimizers, order=("y", "x"), inner_steps=steps)


def _lookahead(solver: go.AbstractSolver) -> go.AbstractSolver:
    return go.Lookahead(solver, steps=LOOKAHEAD_STEPS)


FIVE = go.Players(LOOKAHEAD_STEPS, LOOKAHEAD_STEPS)

MODE_SOLVERS: dict[str, ModeSolver] = {
    "simultaneous": ModeSolver(lambda o, _: go.Simultaneous(o), 2),
    "alternating": ModeSolver(lambda o, _: _alternating(o), 2),
    "five_inner_steps": ModeSolver(
        lambda o, _: _alternating(o, INNER_STEPS), 1 + INNER_STEPS, go.Players(1, INNER_STEPS)
    ),
    "extragradient": ModeSolver(lambda o, _: go.Extragradient(o), 4, go.Players(2, 2)),
    "past_extragradient": ModeSolver(lambda o, _: go.PastExtragradient(o), 2),
    "optimistic": ModeSolver(lambda o, _: go.Optimistic(o), 2),
    "lookahead_simultaneous": ModeSolver(
        lambda o, _: _lookahead(go.Simultaneous(o)), 2 * LOOKAHEAD_STEPS, FIVE
    ),
    "lookahead_alternating": ModeSolver(
        lambda o, _: _lookahead(_alternating(o)), 2 * LOOKAHEAD_STEPS, FIVE
    ),
    "ema_simultaneous": ModeSolver(lambda o, _: go.Averaged(go.Simultaneous(o), decay=0.999), 2),
    "consensus": ModeSolver(lambda o, _: go.Consensus(o, strength=0.1), 6),
    "sga": ModeSolver(lambda o, _: go.SGA(o), 10),
    "unrolled": ModeSolver(
        lambda o, rate: go.Unrolled(o, steps=UNROLLED_STEPS, unroll_rate=rate),
        2 + UNROLLED_STEPS + 2 * 2 * UNROLLED_STEPS,
    ),
}


class AcrossSeeds(go.AbstractSolver):
    """A solver that plays one game from many starts at once, each with a key of its own.

    - `solver`: plays each. `seeds`: how many. Players, state and report have a first axis of them;
      the first so many of a larger number are the same plays.
    """

    solver: go.AbstractSolver
    seeds: int = eqx.field(static=True)

    def _map(self, function: Callable, *args):
        axes = tuple(jax.tree.map(eqx.if_array(0), arg) for arg in args)
        return eqx.filter_vmap(function, in_axes=axes, axis_size=self.seeds)(*args)

    def _keys(self, key: go.Key) -> jax.Array:
        assert key is not None
        return jax.vmap(lambda seed: jax.random.fold_in(key, seed))(jnp.arange(self.seeds))

    def init(self, game: go.AbstractGame, players: go.Players, key: go.Key = None):
        start = lambda players, key: self.solver.init(game, players, key)
        return self._map(start, players, self._keys(key))

    def step(self, game: go.AbstractGame, players: go.Players, state, key: go.Key = None):
        play = lambda *args: self.solver.step(game, *args)
        return self._map(play, players, state, self._keys(key))

    def evaluate(self, players: go.Players, state) -> go.Players:
        return self._map(self.solver.evaluate, players, state)


Rate = float | optax.Schedule


@dataclasses.dataclass(frozen=True)
class Method:
    """A GAN.

    - `game`: its class. `source`: where it was published.
    - `packing`: how many points the critic judges at once.
    - `penalty`: makes the critic's; it holds arrays, and importing a module makes none.
    - `clip`: whether its weights are clipped.
    - `optimizer`: of both players. `solver`: the one it was published with, of `MODE_SOLVERS`.
    """

    game: Callable[..., go.AbstractGAN]
    source: str
    packing: int = 1
    penalty: Callable[[], go.GradientPenalty] | None = None
    clip: bool = False
    optimizer: Literal["pacgan", "wgan_gp", "rmsprop"] = "pacgan"
    solver: str = "simultaneous"


# The weight is the one of the authors' toys, which are of size 1; 10 is for images.
TOY_PENALTY = functools.partial(go.GradientPenalty, 0.1)
# Half of gamma = 0.1: a gamma of 1 leaves D too flat to tell modes of deviation 0.01 apart.
R1_PENALTY = functools.partial(go.GradientPenalty, 0.05, target=0, where="real")

METHODS: dict[str, Method] = {
    "minimax": Method(go.MinimaxGAN, "Goodfellow et al. 2014, equation 1"),
    "non_saturating": Method(go.NonSaturatingGAN, "Goodfellow et al. 2014, section 3"),
    "least_squares": Method(go.LeastSquaresGAN, "Mao et al. 2017"),
    "hinge": Method(go.HingeGAN, "Lim & Ye 2017"),
    "wgan_clip": Method(
        go.WassersteinGAN,
        "Arjovsky et al. 2017",
        clip=True,
        optimizer="rmsprop",
        solver="five_inner_steps",
    ),
    "wgan_gp": Method(
        go.WassersteinGAN,
        "Gulrajani et al. 2017",
        penalty=TOY_PENALTY,
        optimizer="wgan_gp",
        solver="five_inner_steps",
    ),
    "r1": Method(go.NonSaturatingGAN, "Mescheder et al. 2018", penalty=R1_PENALTY),
    "pacgan2": Method(go.NonSaturatingGAN, "Lin et al. 2018", packing=2),
    "pacgan3": Method(go.NonSaturatingGAN, "Lin et al. 2018", packing=3),
    "pacgan4": Method(go.NonSaturatingGAN, "Lin et al. 2018", packing=4),
    "unrolled": Method(go.NonSaturatingGAN, "Metz et al. 2017", solver="unrolled"),
}


def make_optimizer(method: Method, rate: Rate) -> optax.GradientTransformation:
    """The method's optimizer with its published betas.

    RMSprop's step is half of `rate`, as 5e-5 and Adam's 1e-4 are in the papers.
    """
    if method.optimizer == "rmsprop":
        return optax.chain(optax.rmsprop(rate, decay=0.9), optax.scale(0.5))
    beta1, beta2 = (0.8, 0.999) if method.optimizer == "pacgan" else (0.5, 0.9)
    return optax.adam(rate, b1=beta1, b2=beta2)


def make_game(
    method: Method, data: Any, latent_size: int, batch_size: int, clip: float
) -> go.AbstractGame:
    """The game on data drawn by `data`; `clip` bounds the critic's weights if they are clipped."""
    latent = go.NormalLatent((latent_size,))
    penalty = None if method.penalty is None else method.penalty()
    game = method.game(data, latent, batch_size, penalty, method.packing)
    return go.constrained(game, y=go.clip_weights(clip)) if method.clip else game
