"""Convolutional GANs of images: any loss, any constraint, judged beside real data.

    python -m recipes.dcgan                              # real 8x8 digits, about a minute
    python -m recipes.dcgan --loss hinge --discriminator-weights spectral --penalties
    python -m recipes.dcgan --preset mnist --data mnist --data-dir DIR   # half an hour on two cores
    python -m recipes.dcgan --preset wgan_gp --data cifar10 --data-dir DIR   # for a GPU
    python -m recipes.dcgan --data PICTURES --image-size 32 --augment color translation cutout
    python -m recipes.dcgan --resume runs/dcgan/20261121-120000 --steps 6000

The run folder gets pictures of samples over time, of interpolations, of data and the generator's
nearest images, of samples and their nearest data; metrics.md beside real data; curves.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from models import (
    Packed,
    dcgan_critic,
    dcgan_generator,
    in_half_precision,
    sngan_critic,
    sngan_generator,
    with_standing_statistics,
)
from recipes._data.training import TrainingData, check_varies
from recipes._gans.args import make_solver as make_solver
from recipes._gans.critics import generated
from recipes._gans.image_report import report
from recipes._gans.image_runs import STANDING, image_experiment, image_keys
from recipes._gans.images import ImageGANArgs, images, make_game, with_weights
from recipes._report.judge import SampleJudge
from recipes._report.plots import image_grid
from recipes._runtime import cli
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.progress import says
from recipes._runtime.run import Result, RunFolder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(ImageGANArgs):
    """Train a convolutional GAN and look at what it learned."""


def resolve(args: Args) -> tuple[Args, TrainingData]:
    """The data, and the flags with the defaults filled in that depend on them.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    args = with_weights(args)
    data = images(args)
    check_varies(data.loaded.points, f"--data {args.data}")
    size = min(args.eval_size, len(data.loaded.points) // 2)
    return dataclasses.replace(args, eval_size=size), data


def networks(args: Args, shape: tuple[int, ...], key: jax.Array) -> go.Players:
    """Fresh networks of resolved flags, for images of `shape`."""
    key_x, key_y = jax.random.split(key)
    residual, packs = args.architecture == "sngan", args.packing
    seen = shape if packs == 1 else (*shape[:2], packs * (shape[2] if len(shape) == 3 else 1))
    make_x = sngan_generator if residual else dcgan_generator
    norm, width = args.generator_norm, args.width
    x = make_x(args.latent_size, shape, width=width, norm=norm, key=key_x)
    make_y: Callable[..., Any] = sngan_critic if residual else dcgan_critic
    own = {} if residual else {"norm": args.discriminator_norm}
    spectral = args.discriminator_weights == "spectral"
    y = make_y(seen, width=width, key=key_y, spectral=spectral, **own)
    y = Packed(y) if packs > 1 else y
    if args.precision == "bfloat16":
        return go.Players(in_half_precision(x), in_half_precision(y))
    return go.Players(x, y)


def set_up(args: Args, data: TrainingData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    shape = data.scaled.points.shape[1:]
    return make_game(args, data.sampler()), networks(args, shape, image_keys(args).players)


def standing(args: Args, players: go.Players) -> go.Players:
    """Players whose generator's batch normalisation has standing statistics, of one latent."""
    many = jax.random.normal(image_keys(args).standing, (STANDING, args.latent_size))
    return go.Players(with_standing_statistics(players.x, many), players.y)


def sample(
    args: Args, data: TrainingData, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` images of resolved flags' generator, in the units of the data."""
    latents = jax.random.normal(key, (n, args.latent_size))
    return data.unscaled(generated(standing(args, players).x, latents))


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("dcgan", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: TrainingData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)

    def finish(judge: SampleJudge, players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        with says("standing statistics"):
            players = standing(args, players)
        latents = jax.random.normal(image_keys(args).standing, (STANDING, args.latent_size))
        drawn = np.asarray(generated(players.x, latents[:100]))
        image_grid(drawn, folder.path / "samples.png")
        head = judge.write_generated(players, args.metrics)
        size, key = args.latent_size, image_keys(args).report
        with says("interpolations, inversions and the classifier"):
            return players, head | report(folder, data.scaled, players.x, size, key)

    return image_experiment(args, data, game, players, folder, finish)


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
