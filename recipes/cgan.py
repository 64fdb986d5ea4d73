"""Conditional GANs: images of a class, or images from images (inpainting, edges, few pixels).

    python -m recipes.cgan                                # digits of a class, about a minute
    python -m recipes.cgan --condition left-half          # the right half from the left
    python -m recipes.cgan --condition edges              # images from their edges
    python -m recipes.cgan --condition low-res            # from means over squares of pixels
    python -m recipes.cgan --preset mnist --data mnist --data-dir DIR

A fifth of the data is held out. With labels a classifier trained on the rest says how many of the
images have the label asked for; from images the generator is judged on held-out ones.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from models import (
    conditional_dcgan_critic,
    in_half_precision,
    labelled_dcgan_generator,
    patch_critic,
    unet_generator,
    with_standing_statistics,
)
from recipes._data.training import check_varies, most_judged
from recipes._gans.args import make_solver as make_solver
from recipes._gans.condition_reports import report_classes, report_images
from recipes._gans.conditions import ConditionedData
from recipes._gans.critics import generated
from recipes._gans.image_runs import STANDING, image_experiment, image_keys
from recipes._gans.images import ImageGANArgs, Norm, make_game, with_weights
from recipes._report.judge import SampleJudge
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.fields import NotNegative
from recipes._runtime.progress import says
from recipes._runtime.run import Result, RunFolder

FROM_IMAGES: Norm = "instance"
"""The generator's normalisation from images, as in pix2pix, if no other is asked for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(ImageGANArgs):
    """Train a conditional GAN and see whether it does what it is asked for."""

    condition: Literal["label", "left-half", "edges", "low-res"] = "label"
    """What the generator is given beside its latent: the class, or an image made of the image."""
    label_by: Literal["projection", "concatenation", "auxiliary"] = "projection"
    """How the discriminator uses a label: an inner product with its features, a further channel, or
    a classifier of its own whose cross-entropy both players minimise."""
    auxiliary_weight: NotNegative = 1.0
    """Weight of that cross-entropy."""
    reconstruction_weight: NotNegative = 10.0
    """From images: weight of the mean absolute error of a pixel in the generator's loss."""
    generator_norm: Norm = "batch"
    """Normalisation in the generator. Default from images: instance."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The preset's, with instance normalisation from images."""
        from_images = given.get("condition", "label") != "label"
        return super().defaults(given) | ({"generator_norm": FROM_IMAGES} if from_images else {})


def resolve(args: Args) -> tuple[Args, ConditionedData]:
    """The data, and the flags with the defaults filled in that depend on them.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    args = with_weights(args)
    if args.condition != "label" and args.label_by != "projection":
        raise UserError(
            f"--label-by is for --condition label, and not for {args.condition}; leave it out."
        )
    if args.packing > 1:
        raise UserError("--packing: packs have no one condition; leave it out.")
    if args.architecture != "dcgan":
        raise UserError("--architecture: conditions are laid into dcgan's networks; leave it out.")
    data = ConditionedData(args, args.condition)
    check_varies(data.loaded.points, f"--data {args.data}")
    size = min(args.eval_size, len(data.scaled.points) // 2, len(data.held_out.points))
    if args.condition == "label":
        size = min(size, most_judged(data.conditions))
    return dataclasses.replace(args, eval_size=size), data


def networks(args: Args, data: ConditionedData, key: jax.Array) -> go.Players:
    """Fresh networks of resolved flags."""
    key_x, key_y = jax.random.split(key)
    shape = data.scaled.points.shape[1:]
    spectral = args.discriminator_weights == "spectral"
    if args.condition == "label":
        x = labelled_dcgan_generator(
            args.latent_size, shape, data.classes,
            width=args.width, norm=args.generator_norm, key=key_x,
        )  # fmt: skip
        y = conditional_dcgan_critic(
            shape, data.classes, kind=args.label_by, spectral=spectral,
            width=args.width, norm=args.discriminator_norm, key=key_y,
        )  # fmt: skip
    else:
        seen = data.conditions.shape[1:]
        x = unet_generator(
            args.latent_size, seen, shape,
            width=args.width, norm=args.generator_norm, key=key_x,
        )  # fmt: skip
        y = patch_critic(
            shape, seen, spectral=spectral,
            width=args.width, norm=args.discriminator_norm, key=key_y,
        )  # fmt: skip
    if args.precision == "bfloat16":
        return go.Players(in_half_precision(x), in_half_precision(y))
    return go.Players(x, y)


def set_up(args: Args, data: ConditionedData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    terms: dict[str, Any] = {}
    if args.condition != "label":
        terms["reconstruction_weight"] = args.reconstruction_weight
    elif args.label_by == "auxiliary":
        terms["auxiliary_weight"] = args.auxiliary_weight
    game = make_game(args, data.sampler(data.conditions), **terms)
    return game, networks(args, data, image_keys(args).players)


def standing(args: Args, data: ConditionedData, players: go.Players) -> go.Players:
    """Players whose generator's batch normalisation has standing statistics, of one latent."""
    rows = np.random.default_rng(args.seed).integers(len(data.conditions), size=STANDING)
    many = jax.random.normal(image_keys(args).standing, (STANDING, args.latent_size))
    given = go.Conditioned(many, jnp.asarray(data.conditions[rows]))
    return go.Players(with_standing_statistics(players.x, given), players.y)


def sample(
    args: Args, data: ConditionedData, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` images of resolved flags' generator, in the units of the data, each of the condition of a
    training image drawn at random.
    """
    key_rows, key_latents = jax.random.split(key)
    rows = jax.random.randint(key_rows, (n,), 0, len(data.conditions))
    latents = jax.random.normal(key_latents, (n, args.latent_size))
    given = go.Conditioned(latents, jnp.asarray(data.conditions)[rows])
    return data.unscaled(go.value_of(generated(standing(args, data, players).x, given)))


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("cgan", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: ConditionedData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)

    def finish(judge: SampleJudge, players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        with says("standing statistics"):
            players = standing(args, data, players)
        head = {"condition": args.condition, **judge.write_generated(players, args.metrics)}
        make = report_classes if args.condition == "label" else report_images
        with says("pictures and numbers of the conditions"):
            report = make(folder, data, players.x, args.latent_size, image_keys(args).report)
        return players, head | report

    return image_experiment(args, data, game, players, folder, finish, data.conditions)


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
