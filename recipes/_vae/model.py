"""A variational autoencoder by flags: its data in the units of its likelihood, its players."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from models import (
    AbstractLikelihood,
    BernoulliLikelihood,
    CategoricalLikelihood,
    DiscretizedLogisticLikelihood,
    GaussianEncoder,
    GaussianLikelihood,
    LabelledEncoder,
    LabelledGenerator,
    LatentModel,
    LearnedGaussianLikelihood,
    MixturePrior,
    OneHot,
    StandardNormalPrior,
    VampPrior,
    labelled_shape,
)
from recipes._data.training import HeldOutData, with_conditions
from recipes._latent.elbo import TimedModel, VariationalGame
from recipes._latent.networks import make_decoder, make_encoder
from recipes._runtime.seeds import keys_of
from recipes._vae.args import VAEArgs, check_vae

STATIC_SEED = 20_161_231
"""Seed of the bits that are drawn once: they are part of the data, whatever --seed is."""


class VAEData:
    """Points in the units of the likelihood, and back.

    - `data`: as it was loaded. `classes`: of a conditional model, else 0.
    - `points`, `held_out`: float32 of shape `(n, *shape)`. `labels`, `held_out_labels`: or `None`.
    """

    def __init__(self, args: VAEArgs):
        self.data = HeldOutData(args)
        self.classes = check_vae(args, self.data)
        self.bits = args.likelihood == "bernoulli"
        rngs = np.random.default_rng(STATIC_SEED).spawn(2)
        cut, static = args.binarize == "threshold", args.binarize != "dynamic"
        self.points = self._of(self.data.scaled.points, rngs[0] if static else None, cut)
        self.held_out = self._of(self.data.held_out.points, rngs[1], cut)
        labelled = self.classes > 0
        self.labels = self.data.loaded.labels if labelled else None
        self.held_out_labels = self.data.held_out.labels if labelled else None

    def _of(self, points: np.ndarray, rng: np.random.Generator | None, cut: bool) -> np.ndarray:
        """Points in these units: chances or bits, or as they are."""
        if not self.bits:
            return points
        chances = np.clip((points + 1) / 2, 0, 1)
        if cut:
            return (chances >= 0.5).astype(np.float32)
        if rng is None:
            return chances
        return (rng.random(chances.shape, np.float32) < chances).astype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one point."""
        return self.points.shape[1:]

    def as_loaded(self, points: Any) -> Any:
        """Points of these units in those that the data are trained on, images in [-1, 1]."""
        return points * 2 - 1 if self.bits else points

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return self.data.describe()

    def __str__(self) -> str:
        return str(self.data)


def vae_keys(args: VAEArgs) -> Any:
    """The keys of a run, by name."""
    return keys_of(args.seed, "players", "play", "samples", "evaluation", "report")


def make_likelihood(args: VAEArgs) -> AbstractLikelihood:
    """The law of a point given its code."""
    log_deviation = jnp.log(jnp.float32(args.deviation))
    made = {
        "bernoulli": BernoulliLikelihood,
        "gaussian_fixed": lambda: GaussianLikelihood(go.Fixed(log_deviation)),
        "gaussian_shared": lambda: GaussianLikelihood(log_deviation),
        "gaussian_learned": LearnedGaussianLikelihood,
        "categorical": lambda: CategoricalLikelihood(args.levels),
        "logistic": lambda: DiscretizedLogisticLikelihood(levels=args.levels),
    }
    return made[args.likelihood]()


def make_prior(args: VAEArgs, data: VAEData, key: PRNGKeyArray) -> Any:
    """The law of codes; a VampPrior begins at points of the data."""
    if args.prior == "normal":
        return StandardNormalPrior(args.latent_size)
    if args.prior == "mixture":
        return MixturePrior(args.latent_size, args.components, key)
    rows = jax.random.choice(key, len(data.points), (args.components,), replace=False)
    chosen = data.points[np.asarray(rows)]
    low, high = float(data.points.min()), float(data.points.max())
    return VampPrior(jnp.asarray(chosen), low, high)


def set_up(args: VAEArgs, data: VAEData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    key_x, key_y, key_prior = jax.random.split(vae_keys(args).players, 3)
    likelihood, classes = make_likelihood(args), data.classes
    numbers = likelihood.parameters_shape(data.shape)
    size = args.latent_size
    seen = labelled_shape(data.shape, classes) if classes else data.shape
    encoder: Any = make_encoder(args, seen, 2 * size, key_y)
    decoder: Any = make_decoder(args, size + classes, numbers, key_x)
    if classes:
        encoder = LabelledEncoder(encoder, classes)
        decoder = LabelledGenerator(decoder, OneHot(classes))
    model = LatentModel(make_prior(args, data, key_prior), decoder, likelihood)
    sampler = go.Samples(with_conditions(data.points, data.labels))
    dynamic = data.bits and args.binarize == "dynamic"
    game = VariationalGame(
        sampler, args.batch_size, args.samples, args.objective, dynamic,
        jnp.float32(args.beta), jnp.int32(args.anneal_steps), jnp.float32(args.free_bits),
    )  # fmt: skip
    return game, go.Players(TimedModel(model), GaussianEncoder(encoder))
