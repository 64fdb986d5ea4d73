"""Wasserstein GAN: a critic measures how far the samples are from the data, a generator follows.

    python -m recipes.wgan                # real 8x8 digits, about a minute
    python -m recipes.wgan --data ring    # eight Gaussians in the plane, with critic contours
    python -m recipes.wgan --lipschitz clip --critic-optimizer.name rmsprop
    python -m recipes.wgan --data mnist --data-dir DIR --steps 20000
    python -m recipes.wgan --resume runs/wgan/20261121-120000 --steps 8000

The run folder gets config.json, metrics.jsonl, pictures of samples and curves, and checkpoints.
"""

import dataclasses
import time
from typing import Any, Literal

import jax

import gameopt as go
from recipes._certify.certificates import Probe, check_probe
from recipes._gans.critics import critic_numbers, estimate_numbers, share_at_limit
from recipes._gans.judge import DataArgs, Judge, TrainingData, resolve_sizes
from recipes._gans.wgan_pictures import draw_curves
from recipes._report.plots import over_time
from recipes._runtime import cli
from recipes._runtime.errors import (
    FEWEST,
    UserError,
    check_above_zero,
    check_least,
    check_not_negative,
)
from recipes._runtime.optimizers import OptimizerArgs, make_optimizer
from recipes._runtime.run import Result, check_positive, open_run, write_summary
from recipes._runtime.seeds import key_of
from recipes._runtime.training import train

MAY_CHANGE_ON_RESUME = ("steps",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(DataArgs):
    """Train a Wasserstein GAN and measure it against exact optimal transport."""

    lipschitz: Literal["gp", "clip", "lp", "none"] = "gp"
    """What keeps the critic Lipschitz: gradient penalty, weight clipping, one-sided penalty, or
    nothing."""
    penalty_weight: float | None = None
    """Weight of gp and lp. Default 10; 0.1 for points in the plane, as in the authors' code."""
    clip: float = 0.01
    """With --lipschitz clip, every weight of the critic is kept in [-clip, clip]."""
    solver: Literal["alternating", "simultaneous"] = "alternating"
    """The critic moves --n-critic times and then the generator; or both at once."""
    n_critic: int = 5
    """Critic steps to one generator step, each on a fresh batch."""
    depth: int = 2
    """Hidden layers of each network."""
    generator_width: int = 256
    """Units in a hidden layer of the generator."""
    critic_width: int = 256
    """Units in a hidden layer of the critic."""
    generator_optimizer: OptimizerArgs = OptimizerArgs()
    """The generator's optimizer."""
    critic_optimizer: OptimizerArgs = OptimizerArgs()
    """The critic's optimizer."""


def check(args: Args) -> None:
    """Raises a `UserError` for a flag that no data could make right."""
    check_positive(args, "n_critic", "batch_size", "generator_width", "critic_width", "depth")
    check_positive(args, "latent_size")
    check_least(args, FEWEST, "eval_size")
    check_probe(args)
    check_above_zero(args, "clip")
    check_not_negative(args, "penalty_weight")
    if args.solver == "simultaneous" and args.n_critic != 1:
        raise UserError("--solver simultaneous moves both players once: add --n-critic 1.")
    make_optimizer(args.generator_optimizer, "generator-optimizer")
    make_optimizer(args.critic_optimizer, "critic-optimizer")


def resolve(args: Args) -> tuple[Args, TrainingData]:
    """The data, and the flags with the defaults filled in that depend on them.

    **Raises:** `UserError` for data that are not there or do not fit the flags.
    """
    check(args)
    data = TrainingData(args)
    weight = args.penalty_weight
    if weight is None:
        weight = 0.1 if data.is_plane else 10.0
    return dataclasses.replace(resolve_sizes(args, data), penalty_weight=weight), data


def set_up(args: Args, data: TrainingData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    assert args.latent_size is not None
    assert args.penalty_weight is not None
    penalty = None
    if args.lipschitz in ("gp", "lp"):
        penalty = go.GradientPenalty(args.penalty_weight, one_sided=args.lipschitz == "lp")
    latent = go.NormalLatent((args.latent_size,))
    game = go.WassersteinGAN(data.sampler(), latent, args.batch_size, penalty)
    key_players, *_ = _keys(args)
    widths = go.Players(args.generator_width, args.critic_width)
    players = data.networks(args.latent_size, widths, args.depth, key_players)
    if args.lipschitz == "clip":
        return go.constrained(game, y=go.clip_weights(args.clip)), players
    return game, players


def _keys(args: Args) -> jax.Array:
    """For the players, the play, the fixed latents, and the fixed draws of an evaluation."""
    return jax.random.split(key_of(args.seed), 4)


def make_solver(args: Args) -> go.AbstractSolver:
    """The solver of the flags: the critic moves first, each inner step on a fresh batch."""
    optimizers = go.Players(
        make_optimizer(args.generator_optimizer, "generator-optimizer"),
        make_optimizer(args.critic_optimizer, "critic-optimizer"),
    )
    if args.solver == "simultaneous":
        return go.Simultaneous(optimizers)
    return go.Alternating(optimizers, order=("y", "x"), inner_steps=go.Players(1, args.n_critic))


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    args, data = resolve(args)
    folder = open_run("wgan", args, MAY_CHANGE_ON_RESUME)
    described = data.describe()
    folder.check_data(described)
    print(f"{data}\nwriting to {folder.path}", flush=True)
    folder.write_config("wgan", args, described)

    _, key_play, key_latents, key_lines = _keys(args)
    game, players = set_up(args, data)
    assert args.latent_size is not None

    def numbers(players: go.Players, real: jax.Array, fake: jax.Array) -> dict[str, Any]:
        found = estimate_numbers(players, real, fake, key_lines)
        found |= critic_numbers(game, players, key_lines)
        if args.lipschitz == "clip":
            found["share_at_limit"] = share_at_limit(players.y, args.clip)
        return found

    latents = jax.random.normal(key_latents, (args.eval_size, args.latent_size))
    judge = Judge(folder, data, latents, args.seed, numbers)
    players, rate = train(
        folder,
        game,
        make_solver(args),
        players,
        key_play,
        judge,
        steps=args.steps,
        eval_every=args.eval_every,
        log_every=args.log_every,
        shown={
            "wasserstein_estimate": "critic",
            "penalty": "penalty",
            "w1_exact": "W1",
            "w1_floor": "W1 of data",
        },
        probe=Probe(folder, game, players, args, args.batch_size),
    )
    distances = judge.write_generated(players, args.metrics)
    draw_curves(folder.read_metrics(), args.lipschitz, args.clip, folder.path)
    over_time(folder.path / "samples", folder.path / "over_time.png")
    head = {"data": args.data, "lipschitz": args.lipschitz, **distances}
    summary = write_summary(folder, "wgan", head, rate, time.perf_counter() - begin)
    print(f"pictures: {folder.path / 'over_time.png'} and {folder.path / 'curves.png'}")
    if distances:
        print(f"metrics beside those of real data: {folder.path / 'metrics.md'}")
    return Result(players, folder.path, summary)


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
