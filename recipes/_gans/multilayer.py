"""GANs of multilayer perceptrons on data sets: networks, sizes that depend on the data, samples."""

import dataclasses
from collections.abc import Callable
from typing import Literal, TypeVar

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from models import mlp_critic, mlp_generator
from recipes._data.training import TrainingData, check_varies
from recipes._gans.args import GANArgs, check_penalties_fit
from recipes._gans.critics import generated
from recipes._gans.penalties import weights_of
from recipes._runtime.fields import AtLeast1

ActivationName = Literal["relu", "silu", "softplus", "tanh"]
ACTIVATIONS: dict[ActivationName, Callable] = {
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "tanh": jax.nn.tanh,
}
A = TypeVar("A", bound="MultilayerGANArgs")
PLANE_GP = 0.1
"""Weight of gp and lp for points in the plane, as in the authors' code (Gulrajani et al. 2017)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultilayerGANArgs(GANArgs):
    """The flags of a GAN of multilayer perceptrons."""

    latent_size: AtLeast1 | None = None
    """Size of the generator's Gaussian input. Default 32; 2 for points in the plane."""
    depth: AtLeast1 = 2
    """Hidden layers of each network."""
    activation: ActivationName = "relu"
    """After every hidden layer of either network. All but relu are smooth, and so are then the
    losses, which second-order certificates ask for."""

    @classmethod
    def filled_in(cls) -> dict[str, tuple[str, ...]]:
        """Sizes and weights that depend on the data."""
        return {"data": ("latent_size", "penalty_weights")}


def resolve_sizes(args: A, data: TrainingData) -> A:
    """The flags with what depends on the data filled in.

    **Raises:** `UserError` for data that are one point, or do not fit the penalties.
    """
    check_varies(data.loaded.points, f"--data {args.data}")
    check_penalties_fit(args, data.scaled.kind)
    gp = PLANE_GP if data.is_plane else None
    return dataclasses.replace(
        args,
        latent_size=args.latent_size or (2 if data.is_plane else 32),
        eval_size=min(args.eval_size, len(data.loaded.points) // 2),
        penalty_weights=weights_of(args.penalties, args.penalty_weights, gp),
    )


def latent_size_of(args: MultilayerGANArgs) -> int:
    """The latent size of resolved flags."""
    assert args.latent_size is not None
    return args.latent_size


def networks(
    data: TrainingData,
    latent_size: int,
    widths: go.Players[int, int],
    depth: int,
    activation: ActivationName,
    key: PRNGKeyArray,
) -> go.Players:
    """Fresh networks; a generator of images ends in tanh, because images are in [-1, 1]."""
    key_x, key_y = jax.random.split(key)
    shape, bounded = data.scaled.points.shape[1:], data.scaled.kind == "image"
    hidden = ACTIVATIONS[activation]
    generator = mlp_generator(
        latent_size, shape, width=widths.x, depth=depth, bounded=bounded, activation=hidden,
        key=key_x,
    )  # fmt: skip
    critic = mlp_critic(shape, width=widths.y, depth=depth, activation=hidden, key=key_y)
    return go.Players(generator, critic)


def draw_samples(
    args: MultilayerGANArgs, data: TrainingData, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` samples of the generator, shape `(n, *shape)`, in the units of the data as they came."""
    latents = jax.random.normal(key, (n, latent_size_of(args)))
    return data.unscaled(generated(players.x, latents))
