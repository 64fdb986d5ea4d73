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
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from models import (
    conditional_dcgan_critic,
    in_half_precision,
    labelled_dcgan_generator,
    patch_critic,
    unet_generator,
    with_standing_statistics,
)
from recipes._gans.condition_reports import report_classes, report_images
from recipes._gans.conditions import ConditionedData
from recipes._gans.image_runs import STANDING, keys_of, run_game
from recipes._gans.images import ImageGANArgs, Norm, filled_in, make_game
from recipes._gans.judge import Judge, check_varies, most_judged
from recipes._runtime import cli
from recipes._runtime.errors import UserError, check_least
from recipes._runtime.run import Result, RunFolder

FROM_IMAGES: Norm = "instance"
"""The generator's normalisation from images, as in pix2pix, if none is asked for."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(ImageGANArgs):
    """Train a conditional GAN and see whether it does what it is asked for."""

    condition: Literal["label", "left-half", "edges", "low-res"] = "label"
    """What the generator is given beside its latent: the class, or an image made of the image."""
    label_by: Literal["projection", "concatenation", "auxiliary"] = "projection"
    """How the discriminator uses a label: an inner product with its features, a further channel, or
    a classifier of its own whose cross-entropy both players minimise."""
    auxiliary_weight: float = 1.0
    """Weight of that cross-entropy."""
    reconstruction_weight: float = 10.0
    """From images: weight of the mean absolute error of a pixel in the generator's loss."""


def resolve(args: Args) -> tuple[Args, ConditionedData]:
    """The data, and the flags with the preset's in place of those left out.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    if args.condition != "label" and args.generator_norm is None:
        args = dataclasses.replace(args, generator_norm=FROM_IMAGES)
    args = filled_in(args)
    check_least(args, 0, "auxiliary_weight", "reconstruction_weight")
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
    assert args.latent_size is not None
    assert args.width is not None
    assert args.generator_norm is not None
    assert args.discriminator_norm is not None
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
    return game, networks(args, data, keys_of(args).players)


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    keys, conditions = keys_of(args), data.conditions
    assert args.latent_size is not None
    size: int = args.latent_size

    def finish(
        folder: RunFolder, judge: Judge, players: go.Players
    ) -> tuple[go.Players, dict[str, Any]]:
        rows = np.random.default_rng(args.seed).integers(len(conditions), size=STANDING)
        many = jax.random.normal(keys.standing, (STANDING, size))
        given = go.Conditioned(many, jnp.asarray(conditions[rows]))
        players = go.Players(with_standing_statistics(players.x, given), players.y)
        head = {"condition": args.condition, **judge.write_generated(players, args.metrics)}
        make = report_classes if args.condition == "label" else report_images
        return players, head | make(folder, data, players.x, size, keys.report)

    return run_game("cgan", args, data, lambda: set_up(args, data), finish, conditions)


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
