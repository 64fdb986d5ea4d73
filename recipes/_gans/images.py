"""A GAN of images by flags: presets, losses, constraints, solvers. What dcgan and cgan share."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import optax

import gameopt as go
from models import DiffAugment, flip_and_shift, refreshed
from recipes._certify.certificates import check_probe
from recipes._gans.judge import DataArgs, TrainingData
from recipes._runtime.errors import FEWEST, UserError, check_above_zero, check_least
from recipes._runtime.run import check_positive

Norm = Literal["none", "batch", "layer", "instance"]
Loss = Literal[
    "minimax", "non_saturating", "least_squares", "hinge", "wasserstein",
    "relativistic", "relativistic_average",
]  # fmt: skip
PenaltyName = Literal["gp", "lp", "r1", "r2", "dragan", "bcr", "lecam", "orthogonal"]
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


class Made(NamedTuple):
    """A penalty.

    - `make`: from its weight and the packing. `weight`: its paper's. `of_gradients`: at each point.
    """

    make: Callable[..., Any]
    weight: float
    of_gradients: bool = False


PENALTIES: dict[str, Made] = {
    "gp": Made(lambda w, packing: go.GradientPenalty(w), 10.0, of_gradients=True),
    "lp": Made(lambda w, packing: go.GradientPenalty(w, one_sided=True), 10.0, of_gradients=True),
    "r1": Made(
        lambda w, packing: go.GradientPenalty(w / 2, 0, where="real"), 1.0, of_gradients=True
    ),
    "r2": Made(
        lambda w, packing: go.GradientPenalty(w / 2, 0, where="fake"), 1.0, of_gradients=True
    ),
    "dragan": Made(
        lambda w, packing: go.GradientPenalty(w, where="around"), 10.0, of_gradients=True
    ),
    "bcr": Made(
        lambda w, packing: go.ConsistencyPenalty(_of_each(flip_and_shift(1), packing), w, w), 10.0
    ),
    "lecam": Made(lambda w, packing: go.LeCamPenalty(w), 0.3),
    "orthogonal": Made(lambda w, packing: go.OrthogonalPenalty(w), 1e-4),
}


class Preset(NamedTuple):
    """What the flags are if they are not given."""

    loss: Loss
    penalties: tuple[PenaltyName, ...] = ()
    penalty_weights: tuple[float, ...] | None = None
    discriminator_weights: Literal["plain", "spectral"] = "plain"
    generator_norm: Norm = "batch"
    discriminator_norm: Norm = "none"
    width: int = 64
    latent_size: int = 128
    batch_size: int = 64
    k: int = 1
    generator_rate: float = 2e-4
    discriminator_rate: float = 2e-4
    beta1: float = 0.0
    beta2: float = 0.9
    ema: float = 0.999
    steps: int = 20_000


PRESETS: dict[str, Preset] = {
    # For 8x8 digits in a minute. R1 lets the rates be five times those of the papers, a tenth of
    # its usual weight is enough for images of 64 pixels, and so are 32 channels; the average
    # forgets within 200 rounds because there are only 3000.
    "small": Preset(
        "non_saturating", ("r1",), (0.1,), width=32, latent_size=32, generator_rate=1e-3,
        discriminator_rate=1e-3, beta2=0.99, ema=0.995, steps=3000,
    ),
    # For 28x28 in less than half an hour on two cores: half of the published channels, one
    # discriminator step, and R1, which costs less than five steps with a gradient penalty.
    "mnist": Preset(
        "non_saturating", ("r1",), (0.5,), width=32, latent_size=64, generator_rate=5e-4,
        discriminator_rate=5e-4, beta2=0.99, ema=0.999, steps=12_000,
    ),
    # Radford et al. 2016, section 4: batch normalisation in both, Adam 2e-4 with beta1 0.5, because
    # 0.9 oscillated, no constraint.
    "dcgan": Preset(
        "non_saturating", discriminator_norm="batch", width=128, latent_size=100, batch_size=128,
        beta1=0.5, beta2=0.999, ema=0.0, steps=50_000,
    ),
    # Gulrajani et al. 2017, algorithm 1: lambda 10, five critic steps, no momentum, and a critic
    # without batch normalisation, which the penalty forbids.
    "wgan_gp": Preset(
        "wasserstein", ("gp",), k=5, generator_rate=1e-4, discriminator_rate=1e-4, ema=0.0,
        steps=100_000,
    ),
    # Miyato et al. 2018, table 1 setting C and section 4: the hinge loss and spectral
    # normalisation of every layer in place of a penalty.
    "sngan": Preset(
        "hinge", discriminator_weights="spectral", beta1=0.5, beta2=0.999, ema=0.0, steps=100_000,
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageGANArgs(DataArgs):
    """The flags of every convolutional GAN; what is left out is the preset's."""

    preset: Literal["small", "mnist", "dcgan", "wgan_gp", "sngan"] = "small"
    """What flags with default None are: small (8x8 digits in a minute), mnist (28x28 in half an
    hour on two cores), or a paper's: dcgan, wgan_gp, sngan, meant for a GPU. config.json says what
    they came to."""
    data: str = "digits"
    """digits (scikit-learn's 8x8), mnist or fashion_mnist (IDX files in --data-dir), cifar10 (its
    batches in --data-dir), a folder of pictures, or a .npy or .npz file of images."""
    steps: int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    """Rounds, that is generator steps."""
    batch_size: int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    """Images a step sees."""
    latent_size: int | None = None
    """Size of the generator's Gaussian input."""
    eval_size: int = 512
    """Images on which the samples are compared with the data."""
    loss: Loss | None = None
    """What is played. relativistic judges pairs, relativistic_average against the other mean."""
    penalties: tuple[PenaltyName, ...] | None = None
    """Added to the discriminator's loss: gradient penalties gp, lp (one-sided), r1, r2, dragan;
    bcr (consistent under flips and shifts), lecam, orthogonal."""
    penalty_weights: tuple[float, ...] | None = None
    """One weight for each of --penalties. Default, if these are given: gp, lp, dragan and bcr 10,
    r1 and r2 1, lecam 0.3, orthogonal 1e-4."""
    discriminator_weights: Literal["plain", "spectral"] | None = None
    """As they are, or every layer normalised by the norm of its operator."""
    clip: float | None = None
    """Keep every weight of the discriminator in [-clip, clip]."""
    augment: tuple[Policy, ...] = ()
    """Differentiable augmentation of data and samples alike (Zhao et al. 2020)."""
    architecture: Literal["dcgan", "sngan"] = "dcgan"
    """Strided convolutions, or residual blocks."""
    generator_norm: Norm | None = None
    """Normalisation in the generator. From images (recipes.cgan) instance, if left out."""
    discriminator_norm: Norm | None = None
    """Normalisation in the discriminator; batch allows no gradient penalty."""
    width: int | None = None
    """Channels of the hidden images next to the image; they double with each halving."""
    packing: int = 1
    """Images that the discriminator judges at once, as channels side by side."""
    solver: Literal["alternating", "simultaneous", "extragradient", "lookahead"] = "alternating"
    """The discriminator moves --k times and then the generator; both at once; with a look ahead;
    or alternating, drawn back half way every five rounds."""
    k: int | None = None
    """Discriminator steps to one generator step, each on a fresh batch."""
    generator_rate: float | None = None
    """Step size of the generator's Adam."""
    discriminator_rate: float | None = None
    """Step size of the discriminator's Adam."""
    beta1: float | None = None
    """Adam's decay of the mean gradient, of both players."""
    beta2: float | None = None
    """Adam's decay of the mean squared gradient, of both players."""
    ema: float | None = None
    """Decay of the generator's moving average, which is what is judged; 0 for none."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the networks compute in; weights and losses are float32."""


def filled_in(args: Any) -> Any:
    """The flags with the preset's where they were left out.

    **Raises:** `UserError` for a flag that no data could make right.
    """
    preset = PRESETS[args.preset]._asdict()
    missing = {name: value for name, value in preset.items() if getattr(args, name) is None}
    if args.penalties is not None:  # the preset's weights are of its own penalties
        missing.pop("penalty_weights", None)
    args = dataclasses.replace(args, **missing)
    if args.penalty_weights is None:
        weights = tuple(PENALTIES[name].weight for name in args.penalties)
        args = dataclasses.replace(args, penalty_weights=weights)
    _check(args)
    return args


def _check(args: Any) -> None:
    check_positive(args, "batch_size", "latent_size", "width", "k", "packing")
    check_least(args, FEWEST, "eval_size")
    if args.width > MOST_CHANNELS:
        raise UserError(f"--width must be at most {MOST_CHANNELS}, got {args.width}.")
    check_above_zero(args, "generator_rate", "discriminator_rate", "clip")
    check_probe(args)
    for name in ("beta1", "beta2", "ema"):
        if not 0 <= getattr(args, name) < 1:
            raise UserError(f"--{name} must be in [0, 1), got {getattr(args, name)}.")
    names, weights = args.penalties, args.penalty_weights
    if len(set(names)) < len(names):
        raise UserError(f"--penalties {' '.join(names)}: give each of them once.")
    if len(weights) != len(names):
        raise UserError(
            f"--penalty-weights has {len(weights)} numbers for {len(names)} penalties "
            f"({' '.join(names) or 'none'}); give one for each."
        )
    if any(not 0 <= weight < float("inf") for weight in weights):
        raise UserError(f"--penalty-weights must be 0 or more, got {' '.join(map(str, weights))}.")
    steep = [name for name in names if PENALTIES[name].of_gradients]
    if steep and args.discriminator_norm == "batch":
        raise UserError(
            f"--penalties {steep[0]} needs a gradient at each image, which --discriminator-norm "
            "batch does not have: take layer or instance, or leave the penalty out."
        )
    if args.discriminator_weights == "spectral" and args.discriminator_norm != "none":
        raise UserError("--discriminator-weights spectral goes with --discriminator-norm none.")
    if args.solver != "alternating" and args.k != 1:
        raise UserError(f"--solver {args.solver} moves both players once: add --k 1.")
    if len(set(args.augment)) < len(args.augment):
        raise UserError(f"--augment {' '.join(args.augment)}: give each of them once.")


def images(args: Any) -> TrainingData:
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


def make_game(args: Any, sampler: go.Samples, **terms: Any) -> go.AbstractGame:
    """The game of resolved flags; `terms`: further terms of its losses, of `go.AbstractGAN`."""
    parts = [
        PENALTIES[name].make(weight, args.packing)
        for name, weight in zip(args.penalties, args.penalty_weights, strict=True)
    ]
    penalty = None if not parts else parts[0] if len(parts) == 1 else go.Penalties(tuple(parts))
    augment = DiffAugment(args.augment) if args.augment else None
    latent = go.NormalLatent((args.latent_size,))
    game = LOSSES[args.loss](
        sampler, latent, args.batch_size, penalty, args.packing, augment=augment, **terms
    )
    kept = []
    if args.clip is not None:
        kept.append(go.clip_weights(args.clip))
    if args.discriminator_weights == "spectral":
        kept.append(refreshed)
    for project in kept:
        game = go.constrained(game, y=project)
    return game


def _of_each(augment: Callable, packing: int) -> Callable:
    """An augmentation of each image of a pack."""
    if packing == 1:
        return augment
    return lambda key, pack: jax.vmap(augment)(jax.random.split(key, packing), pack)


def make_solver(args: Any) -> go.AbstractSolver:
    """The solver of resolved flags, with the anchors and averages that they ask for."""
    adam = lambda rate: optax.adam(rate, b1=args.beta1, b2=args.beta2)
    optimizers = go.Players(adam(args.generator_rate), adam(args.discriminator_rate))
    in_turn = go.Alternating(optimizers, order=("y", "x"), inner_steps=go.Players(1, args.k))
    solvers = {
        "alternating": in_turn,
        "simultaneous": go.Simultaneous(optimizers),
        "extragradient": go.Extragradient(optimizers),
        "lookahead": go.Lookahead(in_turn),
    }
    solver = solvers[args.solver]
    if "lecam" in args.penalties:
        solver = go.Anchored(solver)
    return go.Averaged(solver, decay=go.Players(args.ema, 0.0)) if args.ema else solver
