"""The data, the flags and the players of recipes.latent."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
import theory
from models import (
    GaussianEncoder,
    GaussianLikelihood,
    LatentModel,
    LearnedGaussianLikelihood,
    StandardNormalPrior,
)
from recipes._data.training import HeldOutData, check_varies
from recipes._latent import networks
from recipes._latent.elbo import TimedModel, VariationalGame
from recipes._latent.networks import AutoencoderArgs, check_kind, make_decoder, make_encoder
from recipes._latent_bounds.game import (
    METHODS,
    WITH_ENCODER,
    ModelsAlone,
    PriorSampleGame,
    SideBySide,
)
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1, AtLeast2, Judged, Positive
from recipes._runtime.optimizers import (
    OptimizerArgs,
    adam,
    decaying,
    make_optimizer,
)
from recipes._runtime.seeds import keys_of
from recipes._runtime.solvers import check_names


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatentArgs(AutoencoderArgs):
    """The flags of a model that several bounds train."""

    methods: tuple[str, ...] = METHODS
    """Bounds, of: jensen (the mean log-likelihood under the prior), prior_samples (the logarithm of
    the mean likelihood under it), elbo, iwae. All are trained side by side."""
    steps: AtLeast1 = 2000
    """Rounds."""
    eval_every: AtLeast1 = 500
    """Rounds between two evaluations: exact likelihoods, pictures, a checkpoint."""
    batch_size: AtLeast1 = 64
    """Points a step sees."""
    eval_size: Judged = 256
    """Points on which the samples are compared with the data."""
    latent_size: AtLeast1 = 2
    """Numbers in a code: 1 or 2, over which quadrature is exact."""
    likelihood: Literal["gaussian_shared", "gaussian_learned"] = "gaussian_shared"
    """The law of a point given its code: a Gaussian with one learned deviation, or with one that
    the decoder gives for each number of the point."""
    deviation: Positive = 0.3
    """For gaussian_shared: the first value of the deviation."""
    samples: AtLeast1 = 8
    """Codes that elbo and iwae draw for each point of a batch. The other two draw as many for the
    batch, and every point sees them all."""
    width: AtLeast1 = 128
    """Units of a hidden layer; of conv, channels of the hidden images next to the image."""
    condition_samples: AtLeast2 = 1000
    """Codes that a conditional density is estimated with."""
    optimizer: OptimizerArgs = adam(5e-3, decay_steps=2000)
    """The optimizer of both players. By default the step size falls for as long as --steps."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """A step size that falls for as long as the run trains."""
        return decaying(given, adam(5e-3), 2000)


class LatentData:
    """Points to train on and held out, flat moments, and which entries are observed of a part.

    - `data`: as it was loaded. `points`, `held_out`: float32 of shape `(n, *shape)`.
    - `moments`: mean and covariance of the flat training points, in float64.
    - `observed`: booleans of shape `(d,)`: the left half of an image, the first half of a vector.
    """

    def __init__(self, args: LatentArgs):
        self.data = HeldOutData(args)
        self.points = self.data.scaled.points
        self.held_out = self.data.held_out.points
        self.shape = self.points.shape[1:]
        mask = np.zeros(self.shape, bool)
        if self.is_image:
            mask[:, : self.shape[1] // 2] = True
        else:
            mask[: self.shape[0] // 2] = True
        self.observed = mask.ravel()
        flat = self.points.reshape(len(self.points), -1).astype(np.float64)
        with jax.enable_x64(True):
            self.moments: theory.Moments = theory.moments(flat)

    @property
    def is_image(self) -> bool:
        """True for images."""
        return self.data.scaled.kind == "image"

    @property
    def variance(self) -> float:
        """The variance of the points, summed over their entries."""
        return float(np.trace(np.asarray(self.moments.covariance)))

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return self.data.describe()

    def __str__(self) -> str:
        return str(self.data)


def latent_keys(args: LatentArgs) -> Any:
    """The keys of a run, by name."""
    return keys_of(args.seed, "players", "play", "samples", "report")


def load_data(args: LatentArgs) -> LatentData:
    """The data of checked flags.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    if not args.methods:
        raise UserError(f"--methods is empty; name at least one of {', '.join(METHODS)}.")
    check_names("--methods", args.methods, METHODS)
    if args.latent_size > 2:
        raise UserError(
            f"--latent-size {args.latent_size}: the exact likelihood is an integral over the code, "
            "which has 1 or 2 numbers here; recipes.vae has any number."
        )
    data = LatentData(args)
    check_kind(args, data.shape)
    if data.observed.size < 2:
        raise UserError(f"--data {args.data} has points of 1 number; 2 or more are needed.")
    check_varies(data.points, f"--data {args.data}")
    return data


def set_up(args: LatentArgs, data: LatentData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players: the same decoder for every method, one encoder for two."""
    key_x, key_y = jax.random.split(latent_keys(args).players)
    size = args.latent_size
    if args.likelihood == "gaussian_shared":
        likelihood: Any = GaussianLikelihood(jnp.log(jnp.float32(args.deviation)))
    else:
        likelihood = LearnedGaussianLikelihood()
    numbers = likelihood.parameters_shape(data.shape)
    decoder = make_decoder(args, size, numbers, key_x)
    encoder = GaussianEncoder(make_encoder(args, data.shape, 2 * size, key_y))
    model = LatentModel(StandardNormalPrior(size), decoder, likelihood)
    sampler = go.Samples(jnp.asarray(data.points))

    def game_of(method: str) -> go.AbstractGame:
        if method not in WITH_ENCODER:
            count = args.samples * args.batch_size
            return PriorSampleGame(sampler, args.batch_size, count, method == "jensen")
        return VariationalGame(
            sampler, args.batch_size, args.samples, "iwae" if method == "iwae" else "elbo", False,
            jnp.ones(()), jnp.zeros((), jnp.int32), jnp.zeros(()),
        )  # fmt: skip

    names = tuple(dict.fromkeys(args.methods))
    encoders = {name: encoder for name in names if name in WITH_ENCODER}
    game = SideBySide({name: game_of(name) for name in names})
    players = go.Players({name: TimedModel(model) for name in names}, encoders or None)
    return game if encoders else ModelsAlone(game), players


def make_solver(args: LatentArgs) -> go.AbstractSolver:
    """Both players at once, or encoder steps between the decoder's; without encoders, descent."""
    if not set(args.methods) & set(WITH_ENCODER):
        return go.descent(make_optimizer(args.optimizer))
    return networks.make_solver(args)
