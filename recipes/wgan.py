"""Wasserstein GAN: a critic measures how far the samples are from the data, a generator follows.

    python -m recipes.wgan                # real 8x8 digits, about a minute
    python -m recipes.wgan --data ring    # eight Gaussians in the plane, with critic contours
    python -m recipes.wgan --penalties --clip 0.01 --discriminator-optimizer.name rmsprop
    python -m recipes.wgan --data mnist --data-dir DIR --steps 20000
    python -m recipes.wgan --resume runs/wgan/20261121-120000 --steps 8000

The run folder gets config.json, metrics.jsonl, pictures of samples and curves, and checkpoints.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
from recipes._certify.certificates import Probe
from recipes._data.training import TrainingData
from recipes._gans.args import check_gan, clipped, make_solver as make_solver
from recipes._gans.critics import critic_numbers, estimate_numbers, from_latents, share_at_limit
from recipes._gans.multilayer import (
    MultilayerGANArgs,
    draw_samples,
    latent_size_of,
    networks,
    resolve_sizes,
)
from recipes._gans.penalties import PenaltyName, make_penalty
from recipes._gans.wgan_pictures import draw_curves
from recipes._report.judge import SampleJudge
from recipes._report.plots import over_time
from recipes._runtime import cli
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.fields import AtLeast1
from recipes._runtime.run import Result, RunFolder
from recipes._runtime.seeds import keys_of

SHOWN = {
    "wasserstein_estimate": "critic",
    "penalty": "penalty",
    "w1_exact": "W1",
    "w1_floor": "W1 of data",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(MultilayerGANArgs):
    """Train a Wasserstein GAN and measure it against exact optimal transport."""

    penalties: tuple[PenaltyName, ...] = ("gp",)
    """Added to the critic's loss: gp, lp (one-sided) keep it Lipschitz, as --clip does; also
    dragan, r1, r2, gp0, bcr (images), lecam, orthogonal. None if the flag stands alone."""
    inner_steps: AtLeast1 = 5
    """Critic steps to one generator step, each on a fresh batch."""
    generator_width: AtLeast1 = 256
    """Units in a hidden layer of the generator."""
    discriminator_width: AtLeast1 = 256
    """Units in a hidden layer of the critic."""


def resolve(args: Args) -> tuple[Args, TrainingData]:
    """The data, and the flags with the defaults filled in that depend on them.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    check_gan(args)
    data = TrainingData(args)
    return resolve_sizes(args, data), data


def set_up(args: Args, data: TrainingData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    size = latent_size_of(args)
    penalty = make_penalty(args.penalties, args.penalty_weights)
    game = go.WassersteinGAN(data.sampler(), go.NormalLatent((size,)), args.batch_size, penalty)
    widths = go.Players(args.generator_width, args.discriminator_width)
    key = _keys(args).players
    players = networks(data, size, widths, args.depth, args.activation, key)
    return clipped(game, args), players


def _keys(args: Args) -> Any:
    return keys_of(args.seed, "players", "play", "latents", "evaluation")


def sample(
    args: Args, data: TrainingData, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` samples of resolved flags' generator, in the units of the data."""
    return draw_samples(args, data, players, key, n)


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("wgan", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: TrainingData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    keys, (game, players) = _keys(args), set_up(args, data)

    def numbers(players: go.Players, real: Array, fake: Array) -> dict[str, Any]:
        found = estimate_numbers(players, real, fake, keys.evaluation)
        found |= critic_numbers(game, players, keys.evaluation)
        if args.clip is not None:
            found["share_at_limit"] = share_at_limit(players.y, args.clip)
        return found

    latents = jax.random.normal(keys.latents, (args.eval_size, latent_size_of(args)))
    judge = SampleJudge(
        folder, data, args.eval_size, args.seed, from_latents(latents), numbers=numbers,
        score=lambda players, points: go.critic_scores(players.y, points),
        score_label="critic f(x)",
    )  # fmt: skip

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        distances = judge.write_generated(players, args.metrics)
        constraint = "clip" if args.clip is not None else next(iter(args.penalties), "none")
        draw_curves(folder.read_metrics(), constraint, args.clip or 0.0, folder.path)
        over_time(folder.path / "samples", folder.path / "over_time.png")
        return players, {"data": args.data, "penalties": args.penalties, **distances}

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=keys.play, evaluate=judge,
        shown=SHOWN, finish=finish, probe=Probe(folder, game, players, args, args.batch_size),
    )  # fmt: skip


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
