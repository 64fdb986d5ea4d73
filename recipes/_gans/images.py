"""A GAN of images by flags: presets, losses, constraints. What dcgan and cgan share."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

import gameopt as go
from models import DiffAugment, refreshed
from recipes._data.training import TrainingData
from recipes._gans.args import GANArgs, check_gan, clipped
from recipes._gans.penalties import PENALTIES, PenaltyName, make_penalty, weights_of
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1, Decay, NotNegative
from recipes._runtime.optimizers import OptimizerArgs

A = TypeVar("A", bound="ImageGANArgs")
Norm = Literal["none", "batch", "layer", "instance"]
Loss = Literal[
    "minimax", "non_saturating", "least_squares", "hinge", "wasserstein",
    "relativistic", "relativistic_average",
]  # fmt: skip
Policy = Literal["color", "translation", "cutout"]
MOST_CHANNELS = 2048
"""The bound of --width: channels of the hidden images next to the image, doubled with each
halving."""

LOSSES: dict[str, Callable[..., go.AbstractGAN]] = {
    "minimax": go.MinimaxGAN,
    "non_saturating": go.NonSaturatingGAN,
    "least_squares": go.LeastSquaresGAN,
    "hinge": go.HingeGAN,
    "wasserstein": go.WassersteinGAN,
    "relativistic": go.RelativisticGAN,
    "relativistic_average": go.RelativisticAverageGAN,
}


def _adam(learning_rate: float, beta1: float, beta2: float) -> dict[str, OptimizerArgs]:
    """Both players' Adam."""
    both = OptimizerArgs(learning_rate=learning_rate, beta1=beta1, beta2=beta2)
    return {"generator_optimizer": both, "discriminator_optimizer": both}


# "small", the defaults of the class, is for 8x8 digits in a minute. R1 lets the rates be five times
# those of the papers, a tenth of its usual weight is enough for images of 64 pixels, and so are 32
# channels; the average forgets within 200 rounds because there are only 3000.
PRESETS: dict[str, dict[str, Any]] = {
    # For 28x28 in less than half an hour on two cores: half of the published channels, one
    # discriminator step, and R1, which costs less than five steps with a gradient penalty.
    "mnist": dict(
        penalty_weights=(0.5,), latent_size=64, ema=0.999, steps=12_000, **_adam(5e-4, 0.0, 0.99),
    ),
    # Radford et al. 2016, section 4: batch normalisation in both, Adam 2e-4 with beta1 0.5, because
    # 0.9 oscillated, no constraint.
    "dcgan": dict(
        penalties=(), penalty_weights=(), discriminator_norm="batch", width=128, latent_size=100,
        batch_size=128, ema=0.0, steps=50_000, **_adam(2e-4, 0.5, 0.999),
    ),
    # Gulrajani et al. 2017, algorithm 1: lambda 10, five critic steps, no momentum, and a critic
    # without batch normalisation, which the penalty forbids.
    "wgan_gp": dict(
        loss="wasserstein", penalties=("gp",), penalty_weights=(10.0,), inner_steps=5, width=64,
        latent_size=128, ema=0.0, steps=100_000, **_adam(1e-4, 0.0, 0.9),
    ),
    # Miyato et al. 2018, table 1 setting C and section 4: the hinge loss and spectral
    # normalisation of every layer in place of a penalty.
    "sngan": dict(
        loss="hinge", penalties=(), penalty_weights=(), discriminator_weights="spectral", width=64,
        latent_size=128, ema=0.0, steps=100_000, **_adam(2e-4, 0.5, 0.999),
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageGANArgs(GANArgs):
    """The flags of every convolutional GAN."""

    preset: Literal["small", "mnist", "dcgan", "wgan_gp", "sngan"] = "small"
    """The defaults of the other flags: small (8x8 digits in a minute), mnist (28x28 in half an hour
    on two cores), or a paper's: dcgan, wgan_gp, sngan, meant for a GPU. --preset NAME --help shows
    them."""
    data: str = "digits"
    """digits (scikit-learn's 8x8), mnist or fashion_mnist (IDX files in --data-dir), cifar10 (its
    batches in --data-dir), a folder of pictures, or a .npy or .npz file of images."""
    steps: AtLeast1 = 3000
    """Rounds, that is generator steps."""
    batch_size: AtLeast1 = 64
    """Images a step sees."""
    latent_size: AtLeast1 = 32
    """Size of the generator's Gaussian input."""
    loss: Loss = "non_saturating"
    """The GAN's loss. relativistic judges pairs, relativistic_average against the other mean."""
    penalties: tuple[PenaltyName, ...] = ("r1",)
    """Added to the discriminator's loss: gradient penalties gp, lp (one-sided), dragan, and the
    zero-centred r1 (at data), r2 (at samples), gp0 (between them); bcr (consistent under flips and
    shifts), lecam, orthogonal. None if the flag stands alone."""
    penalty_weights: tuple[NotNegative, ...] = (0.1,)
    """One weight for each of --penalties. Default, if these are given: gp, lp, dragan and bcr 10,
    r1, r2 and gp0 1, lecam 0.3, orthogonal 1e-4."""
    discriminator_weights: Literal["plain", "spectral"] = "plain"
    """As they are, or every layer normalised by the norm of its operator."""
    augment: tuple[Policy, ...] = ()
    """Differentiable augmentation of data and samples alike (Zhao et al. 2020)."""
    architecture: Literal["dcgan", "sngan"] = "dcgan"
    """Strided convolutions, or residual blocks."""
    generator_norm: Norm = "batch"
    """Normalisation in the generator."""
    discriminator_norm: Norm = "none"
    """Normalisation in the discriminator; batch allows no gradient penalty."""
    width: AtLeast1 = 32
    """Channels of the hidden images next to the image; they double with each halving."""
    packing: AtLeast1 = 1
    """Images that the discriminator judges at once, as channels side by side."""
    generator_optimizer: OptimizerArgs = OptimizerArgs(learning_rate=1e-3, beta2=0.99)
    """The generator's optimizer."""
    discriminator_optimizer: OptimizerArgs = OptimizerArgs(learning_rate=1e-3, beta2=0.99)
    """The discriminator's optimizer."""
    ema: Decay = 0.995
    """Decay of the generator's moving average, which is what is judged; 0 for none."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the networks' arithmetic; weights and losses are float32."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The preset's, but for weights of other penalties than its own."""
        return PRESETS.get(given.get("preset", "small"), {}) | super().defaults(given)


def with_weights(args: A) -> A:
    """The flags with a weight for each penalty.

    **Raises:** `UserError` for a flag that no data could make right.
    """
    _check(args)
    weights = weights_of(args.penalties, args.penalty_weights)
    return dataclasses.replace(args, penalty_weights=weights)


def _check(args: ImageGANArgs) -> None:
    check_gan(args)
    if args.width > MOST_CHANNELS:
        raise UserError(f"--width must be at most {MOST_CHANNELS}, got {args.width}.")
    steep = [name for name in args.penalties if PENALTIES[name].of_gradients]
    if steep and args.discriminator_norm == "batch":
        raise UserError(
            f"--penalties {steep[0]} needs a gradient at each image, which --discriminator-norm "
            "batch does not have: take layer or instance, or leave the penalty out."
        )
    if args.discriminator_weights == "spectral" and args.discriminator_norm != "none":
        raise UserError("--discriminator-weights spectral goes with --discriminator-norm none.")
    if len(set(args.augment)) < len(args.augment):
        raise UserError(f"--augment {' '.join(args.augment)}: give each of them once.")


def images(args: ImageGANArgs) -> TrainingData:
    """The data, which must be images.

    **Raises:** `UserError` if they are not there, not sound, no images, or too few.
    """
    data = TrainingData(args)
    if data.scaled.kind != "image":
        raise UserError(
            f"--data {args.data} is of kind {data.scaled.kind}; images are needed: take "
            "recipes.wgan or recipes.gan."
        )
    return data


def make_game(args: ImageGANArgs, sampler: go.Samples, **terms: Any) -> go.AbstractGame:
    """The game of resolved flags; `terms`: further terms of its losses, of `go.AbstractGAN`."""
    penalty = make_penalty(args.penalties, args.penalty_weights, args.packing)
    augment = DiffAugment(args.augment) if args.augment else None
    latent = go.NormalLatent((args.latent_size,))
    game = LOSSES[args.loss](
        sampler, latent, args.batch_size, penalty, args.packing, augment=augment, **terms
    )
    game = clipped(game, args)
    return go.constrained(game, y=refreshed) if args.discriminator_weights == "spectral" else game
