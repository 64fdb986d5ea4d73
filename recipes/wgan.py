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
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from models import mlp_critic, mlp_generator
from recipes import _cli
from recipes._critics import Measurement, critic_numbers, share_at_limit
from recipes._data import NAMES, Dataset, load, standardized
from recipes._errors import UserError
from recipes._optimizers import OptimizerArgs, make_optimizer
from recipes._plots import over_time
from recipes._run import CommonArgs, Result, RunFolder, check_positive, open_run, write_json
from recipes._training import train
from recipes._wgan_pictures import Pictures, draw_curves

MAY_CHANGE_ON_RESUME = ("steps",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(CommonArgs):
    """Train a Wasserstein GAN and measure it against exact optimal transport."""

    data: str = "digits"
    """digits (scikit-learn's 8x8), mnist or fashion_mnist (IDX files in --data-dir), ring, grid,
    swiss_roll, or a .npy or .npz file."""
    data_dir: Path | None = None
    """Folder with the four IDX files of mnist or fashion_mnist, gzipped or not."""
    standardize: bool = True
    """For vectors and points in the plane from a file: train on columns of mean 0 and deviation 1.
    Distances are then in deviations; generated.npy is in the file's units."""
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
    batch_size: int = 64
    """Points a step sees."""
    latent_size: int | None = None
    """Size of the generator's Gaussian input. Default 32; 2 for points in the plane."""
    generator_width: int = 256
    """Units in a hidden layer of the generator."""
    critic_width: int = 256
    """Units in a hidden layer of the critic."""
    depth: int = 2
    """Hidden layers of each network."""
    generator_optimizer: OptimizerArgs = OptimizerArgs()
    """The generator's optimizer."""
    critic_optimizer: OptimizerArgs = OptimizerArgs()
    """The critic's optimizer."""
    eval_size: int = 512
    """Points on which the critic's estimate and the exact distance are compared."""


def check(args: Args) -> None:
    """Raises a `UserError` for a flag that no data could make right."""
    check_positive(
        args,
        "n_critic",
        "batch_size",
        "generator_width",
        "critic_width",
        "depth",
        "eval_size",
    )
    if args.latent_size is not None and args.latent_size < 1:
        raise UserError(f"--latent-size must be at least 1, got {args.latent_size}.")
    if not 0 < args.clip < float("inf"):
        raise UserError(f"--clip must be positive, got {args.clip}.")
    if args.penalty_weight is not None and not 0 <= args.penalty_weight < float("inf"):
        raise UserError(f"--penalty-weight must be 0 or more, got {args.penalty_weight}.")
    if args.solver == "simultaneous" and args.n_critic != 1:
        raise UserError("--solver simultaneous moves both players once: add --n-critic 1.")
    make_optimizer(args.generator_optimizer, "generator-optimizer")
    make_optimizer(args.critic_optimizer, "critic-optimizer")


def resolve(args: Args, data: Dataset) -> Args:
    """Fills in the defaults that depend on the data, and checks what only the data can tell."""
    if args.batch_size > len(data.points):
        raise UserError(
            f"--batch-size {args.batch_size} is larger than the data: {args.data} has "
            f"{len(data.points)} points; choose a smaller batch."
        )
    plane = data.kind == "plane"
    weight = args.penalty_weight if args.penalty_weight is not None else (0.1 if plane else 10.0)
    latent_size = args.latent_size or (2 if plane else 32)
    return dataclasses.replace(
        args,
        penalty_weight=weight,
        latent_size=latent_size,
        eval_size=min(args.eval_size, len(data.points) // 2),
    )


def make_game(args: Args, points: jax.Array) -> go.AbstractGame:
    """The game of resolved flags on data of shape `(n, *shape)`."""
    assert args.latent_size is not None
    assert args.penalty_weight is not None
    penalty = None
    if args.lipschitz in ("gp", "lp"):
        penalty = go.GradientPenalty(args.penalty_weight, one_sided=args.lipschitz == "lp")
    game = go.WassersteinGAN(
        go.Samples(points), go.NormalLatent((args.latent_size,)), args.batch_size, penalty
    )
    return go.constrained(game, y=go.clip_weights(args.clip)) if args.lipschitz == "clip" else game


def make_players(args: Args, data: Dataset, key: jax.Array) -> go.Players:
    """Fresh networks; a generator of images ends in tanh, because images are in [-1, 1]."""
    assert args.latent_size is not None
    key_x, key_y = jax.random.split(key)
    shape = data.points.shape[1:]
    generator = mlp_generator(
        args.latent_size,
        shape,
        width=args.generator_width,
        depth=args.depth,
        bounded=data.kind == "image",
        key=key_x,
    )
    critic = mlp_critic(shape, width=args.critic_width, depth=args.depth, key=key_y)
    return go.Players(generator, critic)


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
    check(args)
    data = load(args.data, args.data_dir, args.seed)
    args = resolve(args, data)
    scaled, scaling = data, None
    if args.standardize and args.data not in NAMES:
        scaled, scaling = standardized(data)
    folder = open_run("wgan", args, MAY_CHANGE_ON_RESUME)
    print(f"{data.name}: {len(data.points)} points of shape {data.points.shape[1:]}, {data.source}")
    print(f"writing to {folder.path}", flush=True)
    folder.write_config("wgan", args, data.describe())

    keys = jax.random.split(jax.random.key(args.seed), 4)
    key_players, key_play, key_latents, key_lines = keys
    game, solver = make_game(args, jnp.asarray(scaled.points)), make_solver(args)
    players = make_players(args, scaled, key_players)
    order = np.random.default_rng(args.seed).permutation(len(scaled.points))
    real, other = (scaled.points[order[i * args.eval_size :][: args.eval_size]] for i in (0, 1))
    latents = fixed_latents(args, key_latents)
    measure = Measurement(real, other, latents, key_lines)
    pictures = Pictures(folder, scaled, real)

    def evaluate(players: go.Players, round: int) -> dict[str, Any]:
        numbers, fake = measure(players)
        numbers |= critic_numbers(game, players, key_lines)
        if args.lipschitz == "clip":
            numbers["share_at_limit"] = share_at_limit(players.y, args.clip)
        pictures.samples(fake, players.y, round, numbers)
        return numbers

    players, rate = train(
        folder,
        game,
        solver,
        players,
        key_play,
        evaluate,
        steps=args.steps,
        eval_every=args.eval_every,
        log_every=args.log_every,
        shown={
            "wasserstein_estimate": "critic",
            "penalty": "penalty",
            "w1_exact": "W1",
            "w1_floor": "floor",
        },
    )
    generated = np.asarray(jax.vmap(players.x)(latents))
    np.save(folder.path / "generated.npy", scaling.undo(generated) if scaling else generated)
    return finish(args, folder, players, rate, time.perf_counter() - begin)


def fixed_latents(args: Args, key: jax.Array) -> jax.Array:
    """The fixed latents that every evaluation generates from, shape `(eval_size, latent_size)`."""
    assert args.latent_size is not None
    return jax.random.normal(key, (args.eval_size, args.latent_size))


def finish(
    args: Args, folder: RunFolder, players: go.Players, rate: float, seconds: float
) -> Result:
    """Draws the curves and writes the summary."""
    lines = folder.read_metrics()
    draw_curves(lines, args.lipschitz, args.clip, folder.path)
    over_time(folder.path / "samples", folder.path / "over_time.png")
    last = next(line for line in reversed(lines) if line["kind"] == "eval")
    summary = {
        "recipe": "wgan",
        "data": args.data,
        "lipschitz": args.lipschitz,
        "rounds": last["round"],
        **{k: v for k, v in last.items() if isinstance(v, float)},
        "rounds_per_second": round(rate, 2),
        "seconds": round(seconds, 1),
        "folder": str(folder.path),
    }
    write_json(folder.path / "summary.json", summary)
    print(f"pictures: {folder.path / 'over_time.png'} and {folder.path / 'curves.png'}")
    return Result(players, folder.path, summary)


def main() -> None:
    """Parses the flags and runs."""
    _cli.main(Args, run)


if __name__ == "__main__":
    main()
