"""A conditional Wasserstein GAN on a real table, and a report on what its rows are worth.

    python -m recipes.tabular                          # tumours, half a minute
    python -m recipes.tabular --data wine              # or diabetes, which has a categorical column
    python -m recipes.tabular --csv people.csv --label income --drop id
    python -m recipes.tabular --csv FILE --label COLUMN --categorical a b --continuous c
    python -m recipes.tabular --resume runs/tabular/20261121-120000 --steps 2000

A fifth of the rows is held out, and training never sees it. The report beside each number has what
real rows would get: marginals, correlations, classifiers trained on generated rows and tested on
real ones, how the rows overlap, and whether they are copies. A --csv file has a header; integer
columns of at most 10 values and text are categorical, other numbers continuous.

With the defaults classifiers reach 0.965 and 0.972 on the held-out tumours when they learn from
generated rows, and 0.982 and 0.981 from real ones; four times the rounds, and the report says that
the rows lean on the training rows.

The run folder gets report.md, generated.csv (in the table's units, its label last), pictures of
rows, marginals, correlations and curves, metrics.jsonl, config.json, and checkpoints.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any, Literal

import jax
from jaxtyping import PRNGKeyArray

import gameopt as go
from models import ConditionalLatent
from recipes._data import Roles, Table, load_csv, load_table, write_csv
from recipes._gans.critics import critic_numbers, estimate_numbers
from recipes._gans.judge import check_varies
from recipes._report.plots import over_time
from recipes._runtime import cli
from recipes._runtime.errors import FEWEST, UserError, check_least, check_not_negative
from recipes._runtime.optimizers import OptimizerArgs, make_optimizer
from recipes._runtime.run import (
    CommonArgs,
    Result,
    RunFolder,
    check_positive,
    open_run,
    write_summary,
)
from recipes._runtime.seeds import key_of
from recipes._runtime.training import train
from recipes._tabular.gan import TableJudge, TrainingTable
from recipes._tabular.pictures import draw_correlations, draw_curves, draw_marginals
from recipes._tabular.reports import Report, make_report, markdown, tables

MAY_CHANGE_ON_RESUME = ("steps",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(CommonArgs):
    """Train a conditional Wasserstein GAN on a table, and hold its rows against real ones."""

    data: Literal["wine", "breast_cancer", "diabetes"] = "breast_cancer"
    """One of scikit-learn's real tables, unless there is a --csv. The label of diabetes is a
    number, and is cut into classes."""
    csv: Path | None = None
    """A file with a header, and a --label in it."""
    label: str | None = None
    """The column of --csv that rows are generated for."""
    categorical: tuple[str, ...] = ()
    """Columns of --csv that are categorical, whatever they look like."""
    continuous: tuple[str, ...] = ()
    """Columns of --csv that are continuous, whatever they look like."""
    drop: tuple[str, ...] = ()
    """Columns of --csv to leave out."""
    label_bins: int = 3
    """Classes into which a continuous label is cut, at its quantiles."""
    scale: Literal["normal_scores", "standard"] = "normal_scores"
    """How continuous columns are trained on: by their ranks, as normal scores; or shifted and
    scaled to mean 0 and deviation 1. The first keeps what is generated within the values seen, so
    that no area is below 0; by the report's numbers neither is clearly better."""
    label_weight: float = 3.0
    """What the label's one-hot is multiplied by in what the critic sees. A larger one makes it
    dearer to pass one class's rows off as another's."""
    steps: int = 1000
    """Rounds, that is generator steps. More of them and the critic learns small tables by heart:
    curves.png shows it, and the report's share of rows near training rows."""
    eval_every: int = 200
    """Rounds between two evaluations: exact numbers, pictures, a checkpoint."""
    batch_size: int = 64
    """Rows a step sees."""
    n_critic: int = 5
    """Critic steps to one generator step, each on a fresh batch."""
    penalty_weight: float = 10.0
    """Weight of the gradient penalty."""
    latent_size: int = 32
    """Size of the generator's Gaussian input."""
    generator_width: int = 128
    """Units in a hidden layer of the generator."""
    critic_width: int = 128
    """Units in a hidden layer of the critic."""
    depth: int = 2
    """Hidden layers of each network."""
    generator_optimizer: OptimizerArgs = OptimizerArgs()
    """The generator's optimizer."""
    critic_optimizer: OptimizerArgs = OptimizerArgs()
    """The critic's optimizer."""
    eval_size: int = 512
    """Held-out rows, at most, with which an evaluation compares."""
    draws: int = 5
    """Generated tables over which the report takes means and standard errors."""


def check(args: Args) -> None:
    """Raises a `UserError` for a flag that no data could make right."""
    sizes = ("batch_size", "n_critic", "latent_size", "generator_width", "critic_width", "depth")
    check_positive(args, *sizes)
    check_least(args, FEWEST, "eval_size")
    check_least(args, 2, "label_bins", "draws")
    check_not_negative(args, "penalty_weight", "label_weight")
    if args.csv is None:
        for name in ("label", "categorical", "continuous", "drop"):
            if getattr(args, name):
                raise UserError(f"--{name} is about a --csv file: add one, or leave it out.")
    make_solver(args)


def load(args: Args) -> Table:
    """The table of the flags.

    **Raises:** `UserError` if it is not there or not sound.
    """
    if args.csv is None:
        return load_table(args.data, args.label_bins)
    if args.label is None:
        raise UserError(f"--csv {args.csv} needs --label, the column to generate rows for.")
    roles = Roles(args.label, args.categorical, args.continuous, args.drop, args.label_bins)
    return load_csv(args.csv, roles)


def set_up(
    args: Args, data: TrainingTable
) -> tuple[go.AbstractGame, go.Players, ConditionalLatent]:
    """The game, the fresh players, and the latents that the generator takes."""
    latent = data.latent(args.latent_size)
    penalty = go.GradientPenalty(args.penalty_weight)
    game = go.WassersteinGAN(data.sampler(), latent, args.batch_size, penalty)
    widths = go.Players(args.generator_width, args.critic_width)
    key_players, *_ = _keys(args)
    return game, data.networks(args.latent_size, widths, args.depth, key_players), latent


def _keys(args: Args) -> jax.Array:
    """For the players, the play, the draws of an evaluation, and the rows of the report."""
    return jax.random.split(key_of(args.seed), 4)


def make_solver(args: Args) -> go.AbstractSolver:
    """The critic moves --n-critic times, each on a fresh batch, and then the generator."""
    optimizers = go.Players(
        make_optimizer(args.generator_optimizer, "generator-optimizer"),
        make_optimizer(args.critic_optimizer, "critic-optimizer"),
    )
    return go.Alternating(optimizers, order=("y", "x"), inner_steps=go.Players(1, args.n_critic))


def run(args: Args) -> Result:
    """Trains, reports, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    check(args)
    table = load(args)
    data = TrainingTable(table, args.seed, args.scale, args.label_weight)
    rows = f"--csv {args.csv}" if args.csv is not None else f"--data {args.data}"
    check_varies(data.encoding.encode(data.train), f"{rows}, without its label")
    folder = open_run("tabular", args, MAY_CHANGE_ON_RESUME)
    folder.check_data(table.describe())
    print(f"{table}\nwriting to {folder.path}", flush=True)
    folder.write_config("tabular", args, table.describe())
    _, key_play, key_lines, key_report = _keys(args)
    game, players, latent = set_up(args, data)

    def numbers(players: go.Players, real: jax.Array, fake: jax.Array) -> dict[str, Any]:
        found = estimate_numbers(players, real, fake, key_lines)
        return found | critic_numbers(game, players, key_lines)

    judge = TableJudge(folder, data, latent, args.eval_size, args.seed, numbers)
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
        shown={"wasserstein_estimate": "critic", "w1_exact": "W1", "w1_floor": "W1 of data"},
    )
    report = write_report(args, folder, data, latent, players, key_report)
    head: dict[str, Any] = {"data": table.name, **report.numbers()}
    summary = write_summary(folder, "tabular", head, rate, time.perf_counter() - begin)
    return Result(players, folder.path, summary)


def write_report(
    args: Args,
    folder: RunFolder,
    data: TrainingTable,
    latent: ConditionalLatent,
    players: go.Players,
    key: PRNGKeyArray,
) -> Report:
    """Generates rows, holds them against real ones, and writes and prints what comes of it."""
    labels = data.train.labels
    keys = jax.random.split(key, args.draws)
    drawn = [data.generate(players.x, latent, labels, key) for key in keys]
    report = make_report(data.train, data.held_out, drawn, args.seed)
    write_csv(drawn[0], folder.path / "generated.csv")
    (folder.path / "report.md").write_text(markdown(report, str(data.table)), encoding="utf-8")
    draw_marginals(report, folder.path / "marginals.png")
    draw_correlations(report, folder.path / "correlations.png")
    draw_curves(folder.read_metrics(), folder.path / "curves.png")
    over_time(folder.path / "samples", folder.path / "over_time.png")
    print(f"\n{tables(report)}\n\neach column: {folder.path / 'report.md'}")
    names = ("marginals", "correlations", "over_time", "curves")
    print("pictures: " + ", ".join(str(folder.path / f"{name}.png") for name in names))
    return report


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
