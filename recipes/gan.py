"""GANs with a discriminator: on an exact density against theory, or on data such as digits.

    python -m recipes.gan                              # two bumps on the line, half a minute
    python -m recipes.gan --loss minimax --k 1         # Goodfellow's algorithm as printed
    python -m recipes.gan --data ring --steps 6000     # eight bumps in the plane
    python -m recipes.gan --data digits                # real 8x8 digits with an R1 penalty
    python -m recipes.gan --data mnist --data-dir DIR --steps 20000

On an exact density the generator's law is known as well: a fine grid of latents is pushed through
it. So the optimal discriminator, the value that it would reach and the divergence are exact up to
the grid's cells. On data the samples are judged by pictures and by exact optimal transport.
"""

import dataclasses
import time
from typing import Any, Literal

import jax

import gameopt as go
from recipes._certify.certificates import Probe, check_probe
from recipes._gans.critics import discriminator_numbers
from recipes._gans.density import DensityJudge, TrainingDensity
from recipes._gans.density_grid import DENSITIES
from recipes._gans.judge import DataArgs, Judge, TrainingData, resolve_sizes
from recipes._gans.pictures import MINUS_LOG_4, draw_curves, draw_data_curves
from recipes._gans.saturation import draw_saturation, measure_saturation
from recipes._report.plots import over_time
from recipes._runtime import cli
from recipes._runtime.errors import FEWEST, UserError, check_least, check_not_negative
from recipes._runtime.optimizers import OptimizerArgs, make_optimizer
from recipes._runtime.run import Result, RunFolder, check_positive, open_run, write_summary
from recipes._runtime.seeds import key_of
from recipes._runtime.training import train

MAY_CHANGE_ON_RESUME = ("steps",)
WHERE: dict[str, Literal["interpolates", "real", "fake"]] = {
    "r1": "real",
    "r2": "fake",
    "gp": "interpolates",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(DataArgs):
    """Train a GAN and hold it against closed forms, or against exact transport to real data."""

    data: str = "two_normals"
    """An exact density: normal, two_normals, three_normals on the line, ring or grid in the plane.
    Or data: digits (scikit-learn's 8x8), mnist, fashion_mnist or cifar10 (files in --data-dir),
    swiss_roll, a .npy or .npz file, or a folder of images."""
    loss: Literal["minimax", "non_saturating"] = "non_saturating"
    """What the generator minimises: E log(1 - D), which saturates, or -E log D."""
    penalty: Literal["none", "r1", "r2", "gp"] | None = None
    """Penalty on the squared gradient of the discriminator's logit: at the data (r1), at generated
    points (r2), or between them (gp). Default r1 on data, none on an exact density."""
    penalty_weight: float = 1.0
    """Gamma: half of it times the mean squared gradient norm is added to the discriminator's
    loss."""
    solver: Literal["alternating", "simultaneous"] = "alternating"
    """The discriminator moves --k times and then the generator; or both at once."""
    k: int | None = None
    """Discriminator steps to one generator step, each on a fresh batch. Default 4 on an exact
    density, 1 on data."""
    batch_size: int = 256
    """Points a step sees."""
    steps: int = 3000
    """Rounds, that is generator steps."""
    width: int | None = None
    """Units in a hidden layer of either network. Default 64 on an exact density, 256 on data."""
    depth: int = 2
    """Hidden layers of each network."""
    generator_optimizer: OptimizerArgs = OptimizerArgs(learning_rate=3e-4, beta2=0.99)
    """The generator's optimizer."""
    discriminator_optimizer: OptimizerArgs = OptimizerArgs(learning_rate=2e-3, beta2=0.99)
    """The discriminator's optimizer."""


def check(args: Args) -> None:
    """Raises a `UserError` for a flag that no data could make right."""
    check_positive(args, "k", "latent_size", "batch_size", "width", "depth")
    check_least(args, FEWEST, "eval_size")
    if args.solver == "simultaneous" and args.k not in (None, 1):
        raise UserError("--solver simultaneous moves both players once: add --k 1.")
    check_not_negative(args, "penalty_weight")
    if args.data in DENSITIES and args.latent_size is not None:
        raise UserError(
            f"--latent-size: {args.data} is an exact density, and its generator's latents have "
            "the density's own dimension; leave it out."
        )
    check_probe(args)
    make_solver(args)


def resolve(args: Args) -> tuple[Args, TrainingData | TrainingDensity]:
    """What is trained on, and the flags with the defaults filled in that depend on it.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    check(args)
    exact = args.data in DENSITIES
    args = dataclasses.replace(
        args,
        k=args.k or (4 if exact and args.solver == "alternating" else 1),
        width=args.width or (64 if exact else 256),
        penalty=args.penalty or ("none" if exact else "r1"),
    )
    if exact:
        return args, TrainingDensity(args.data)
    data = TrainingData(args)
    return resolve_sizes(args, data), data


def set_up(args: Args, data: TrainingData | TrainingDensity) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    assert args.width is not None
    key_players, *_ = _keys(args)
    if isinstance(data, TrainingDensity):
        sampler, latent_size = data.law.sample, data.d
        players = data.networks(args.width, args.depth, key_players)
    else:
        assert args.latent_size is not None
        sampler, latent_size = data.sampler(), args.latent_size
        widths = go.Players(args.width, args.width)
        players = data.networks(latent_size, widths, args.depth, key_players)
    penalty = None
    if args.penalty in WHERE:
        where = WHERE[args.penalty]
        penalty = go.GradientPenalty(args.penalty_weight / 2, target=0, where=where)
    make = go.MinimaxGAN if args.loss == "minimax" else go.NonSaturatingGAN
    return make(sampler, go.NormalLatent((latent_size,)), args.batch_size, penalty), players


def _keys(args: Args) -> jax.Array:
    """For the players, the play, and what is drawn once: the saturation's, or fixed latents."""
    return jax.random.split(key_of(args.seed), 3)


def make_solver(args: Args) -> go.AbstractSolver:
    """Goodfellow's algorithm 1 with k discriminator steps, or both players at once."""
    optimizers = go.Players(
        make_optimizer(args.generator_optimizer, "generator-optimizer"),
        make_optimizer(args.discriminator_optimizer, "discriminator-optimizer"),
    )
    if args.solver == "simultaneous":
        return go.Simultaneous(optimizers)
    inner_steps = go.Players(1, args.k or 1)
    return go.Alternating(optimizers, order=("y", "x"), inner_steps=inner_steps)


def make_judge(
    args: Args, folder: RunFolder, data: TrainingData | TrainingDensity
) -> DensityJudge | Judge:
    """What looks at the players at an evaluation."""
    if isinstance(data, TrainingDensity):
        return DensityJudge(folder, data)
    *_, key_latents = _keys(args)
    assert args.latent_size is not None
    latents = jax.random.normal(key_latents, (args.eval_size, args.latent_size))
    probability = lambda d, points: jax.nn.sigmoid(go.critic_scores(d, points))
    label = "D(x), probability of being data"
    return Judge(folder, data, latents, args.seed, discriminator_numbers, probability, label)


def run(args: Args) -> Result:
    """Trains, judges, draws, and returns the players and the summary.

    **Raises:** `UserError` for flags that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    args, data = resolve(args)
    folder = open_run("gan", args, MAY_CHANGE_ON_RESUME)
    described = data.describe()
    folder.check_data(described)
    print(f"{data}\nwriting to {folder.path}", flush=True)
    folder.write_config("gan", args, described)
    _, key_play, _ = _keys(args)
    game, players = set_up(args, data)
    judge = make_judge(args, folder, data)
    shown = {"value": "V(D,G)"}
    if isinstance(judge, DensityJudge):
        shown |= {"value_at_optimum": "V(D*,G)", "js": "JS"}
    else:
        shown |= {"w1_exact": "W1", "w1_floor": "W1 of data"}
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
        shown=shown,
        probe=Probe(folder, game, players, args, args.batch_size),
    )
    names = draw(args, folder, judge)
    head: dict[str, Any] = {"data": args.data, "loss": args.loss, "penalty": args.penalty}
    if isinstance(judge, Judge):
        head |= judge.write_generated(players, args.metrics)
    head["minus_log_4"] = MINUS_LOG_4
    summary = write_summary(folder, "gan", head, rate, time.perf_counter() - begin)
    print("pictures: " + ", ".join(str(folder.path / f"{name}.png") for name in names))
    return Result(players, folder.path, summary)


def draw(args: Args, folder: RunFolder, judge: DensityJudge | Judge) -> list[str]:
    """Draws what stands at the end of a run, and returns the pictures' names."""
    lines, curves = folder.read_metrics(), folder.path / "curves.png"
    names = ["over_time", "curves"]
    if isinstance(judge, DensityJudge):
        *_, key_saturation = _keys(args)
        draw_saturation(measure_saturation(key_saturation), folder.path / "saturation.png")
        draw_curves(lines, curves)
        names.append("saturation")
    else:
        draw_data_curves(lines, curves)
    over_time(folder.path / "samples", folder.path / "over_time.png", most=4)
    return names


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
