"""The GANs of recipes.modes by name: game, packing, constraint, optimizers, and who plays them."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import optax

import gameopt as go

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
        solver="five_critic_steps",
    ),
    "wgan_gp": Method(
        go.WassersteinGAN,
        "Gulrajani et al. 2017",
        penalty=TOY_PENALTY,
        optimizer="wgan_gp",
        solver="five_critic_steps",
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
