"""The run of an experiment, from its folder to its summary, for every recipe that trains."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._runtime.progress import says
from recipes._runtime.run import Result, RunFolder, TrainArgs, open_run, write_summary
from recipes._runtime.training import Evaluate, Probe, no_probe, train

EARLY = (50, 16, 5, 2)
"""Samples are drawn after these parts of the first `--eval-every` rounds too, when they change
most."""
SHOWN = (".png", ".md", ".csv")
"""The files that a person opens."""


@runtime_checkable
class Described(Protocol):
    """Data of an experiment: `str` is a line for a person."""

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment:
    """A game, how it is played, and how its players are judged.

    - `players`, `key`: of round 0, and of the play.
    - `evaluate`: `(players, round) -> numbers`, draws its own pictures. `shown`: which of the
      numbers the progress bar shows, each with its label.
    - `finish`: from the trained players, as the solver evaluates them, to those that are returned
      and the summary's own numbers; writes samples and draws.
    - `probe`: see `train`.
    """

    game: go.AbstractGame
    solver: go.AbstractSolver
    players: go.Players
    key: PRNGKeyArray
    evaluate: Evaluate
    shown: dict[str, str]
    finish: Callable[[go.Players], tuple[go.Players, dict[str, Any]]]
    probe: Probe = no_probe


def run_experiment(
    recipe: str, args: TrainArgs, data: Described, make: Callable[[RunFolder], Experiment]
) -> Result:
    """Opens the run's folder, trains, finishes, and writes the summary.

    **Arguments:**

    - `recipe`: its name. `args`: resolved, as config.json keeps them.
    - `make`: the experiment in its folder.

    **Raises:** `UserError` for a folder that cannot be written or gone on with.
    """
    begin = time.perf_counter()
    folder = open_run(recipe, args)
    folder.check_data(data.describe())
    print(f"{data}\nwriting to {folder.path}", flush=True)
    folder.write_config(recipe, args, data.describe())
    with says("setting up"):
        experiment = make(folder)
    players, rate = train(
        folder,
        experiment.game,
        experiment.solver,
        experiment.players,
        experiment.key,
        experiment.evaluate,
        steps=args.steps,
        eval_every=args.eval_every,
        log_every=args.log_every,
        shown=experiment.shown,
        probe=experiment.probe,
        draw_at=[args.eval_every // part for part in EARLY if args.eval_every >= part],
    )
    players, head = experiment.finish(players)
    summary = write_summary(folder, recipe, head, rate, time.perf_counter() - begin)
    written = sorted(path.name for path in folder.path.iterdir() if path.suffix in SHOWN)
    print(f"in {folder.path}: {', '.join(written)}")
    return Result(players, folder.path, summary)
