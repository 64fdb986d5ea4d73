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
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
from models import ConditionalLatent
from recipes._data import Roles, Table, load_csv, load_table, write_csv
from recipes._data.training import check_varies
from recipes._gans.args import (
    GameArgs,
    check_game,
    check_penalties_fit,
    clipped,
    make_solver as make_solver,
)
from recipes._gans.critics import critic_numbers, estimate_numbers
from recipes._gans.penalties import PenaltyName, make_penalty, weights_of
from recipes._report.plots import over_time
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.fields import AtLeast1, AtLeast2, Judged, NotNegative
from recipes._runtime.progress import says
from recipes._runtime.run import Result, RunFolder, TrainArgs
from recipes._runtime.seeds import keys_of
from recipes._tabular.gan import TableJudge, TrainingTable
from recipes._tabular.pictures import draw_correlations, draw_curves, draw_marginals
from recipes._tabular.reports import Report, make_report, markdown, tables

SHOWN = {"wasserstein_estimate": "critic", "w1_exact": "W1", "w1_floor": "W1 of data"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(GameArgs, TrainArgs):
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
    label_bins: AtLeast2 = 3
    """Classes into which a continuous label is cut, at its quantiles."""
    scale: Literal["normal_scores", "standard"] = "normal_scores"
    """How continuous columns are trained on: by their ranks, as normal scores; or shifted and
    scaled to mean 0 and deviation 1. The first keeps what is generated within the values seen, so
    that no area is below 0; by the report's numbers neither is clearly better."""
    label_weight: NotNegative = 3.0
    """What the label's one-hot is multiplied by in what the critic sees. A larger one makes it
    dearer to pass one class's rows off as another's."""
    steps: AtLeast1 = 1000
    """Rounds, that is generator steps. More of them and the critic learns small tables by heart:
    curves.png shows it, and the report's share of rows near training rows."""
    eval_every: AtLeast1 = 200
    """Rounds between two evaluations: exact numbers, pictures, a checkpoint."""
    batch_size: AtLeast1 = 64
    """Rows a step sees."""
    penalties: tuple[PenaltyName, ...] = ("gp",)
    """Added to the critic's loss: gp, lp (one-sided) keep it Lipschitz, as --clip does; also
    dragan, r1, r2, gp0, lecam, orthogonal. None if the flag stands alone."""
    inner_steps: AtLeast1 = 5
    """Critic steps to one generator step, each on a fresh batch."""
    latent_size: AtLeast1 = 32
    """Size of the generator's Gaussian input."""
    generator_width: AtLeast1 = 128
    """Units in a hidden layer of the generator."""
    discriminator_width: AtLeast1 = 128
    """Units in a hidden layer of the critic."""
    depth: AtLeast1 = 2
    """Hidden layers of each network."""
    eval_size: Judged = 512
    """Held-out rows, at most, with which an evaluation compares."""
    draws: AtLeast2 = 5
    """Generated tables over which the report takes means and standard errors."""


def check(args: Args) -> None:
    """Raise a `UserError` for a flag that no data could make right."""
    check_game(args)
    check_penalties_fit(args, "table")
    if args.csv is None:
        for name in ("label", "categorical", "continuous", "drop"):
            if getattr(args, name):
                raise UserError(f"--{name} is about a --csv file: add one, or leave it out.")


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


def resolve(args: Args) -> tuple[Args, TrainingTable]:
    """The table, and the flags with a weight for each penalty.

    **Raises:** `UserError` for flags that cannot work, and for a table that is not there or does
    not fit them.
    """
    check(args)
    data = TrainingTable(load(args), args.seed, args.scale, args.label_weight)
    rows = f"--csv {args.csv}" if args.csv is not None else f"--data {args.data}"
    check_varies(data.encoding.encode(data.train), f"{rows}, without its label")
    weights = weights_of(args.penalties, args.penalty_weights)
    return dataclasses.replace(args, penalty_weights=weights), data


def set_up(args: Args, data: TrainingTable) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    latent = data.latent(args.latent_size)
    penalty = make_penalty(args.penalties, args.penalty_weights)
    game = go.WassersteinGAN(data.sampler(), latent, args.batch_size, penalty)
    widths = go.Players(args.generator_width, args.discriminator_width)
    players = data.networks(args.latent_size, widths, args.depth, _keys(args).players)
    return clipped(game, args), players


def _keys(args: Args) -> Any:
    return keys_of(args.seed, "players", "play", "evaluation", "report")


def sample(
    args: Args, data: TrainingTable, players: go.Players, key: PRNGKeyArray, n: int
) -> Table:
    """`n` generated rows in the table's units, their labels as frequent as in the training rows."""
    key_labels, key_rows = jax.random.split(key)
    rows = jax.random.randint(key_labels, (n,), 0, len(data.train.labels))
    labels = data.train.labels[np.asarray(rows)]
    return data.generate(players.x, data.latent(args.latent_size), labels, key_rows)


def run(args: Args) -> Result:
    """Trains, reports, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("tabular", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: TrainingTable, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    keys, (game, players) = _keys(args), set_up(args, data)
    latent = data.latent(args.latent_size)

    def numbers(players: go.Players, real: Array, fake: Array) -> dict[str, Any]:
        found = estimate_numbers(players, real, fake, keys.evaluation)
        return found | critic_numbers(game, players, keys.evaluation)

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        with says("the report: classifiers, correlations, overlap"):
            report = make_and_draw(args, folder, data, latent, players, keys.report)
        print(f"\n{tables(report)}\n\neach column: {folder.path / 'report.md'}")
        return players, {"data": data.table.name, **report.numbers()}

    judge = TableJudge(folder, data, latent, args.eval_size, args.seed, numbers)
    return Experiment(
        game=game, solver=make_solver(args), players=players, key=keys.play, evaluate=judge,
        shown=SHOWN, finish=finish,
    )  # fmt: skip


def make_and_draw(
    args: Args,
    folder: RunFolder,
    data: TrainingTable,
    latent: ConditionalLatent,
    players: go.Players,
    key: PRNGKeyArray,
) -> Report:
    """Generates rows, compares them with real ones, writes the report and draws."""
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
    return report


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
