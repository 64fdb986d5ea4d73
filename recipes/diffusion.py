"""Diffusion models: noise to data step by step, by a denoiser that is one player.

    python -m recipes.diffusion                               # real 8x8 digits, a minute
    python -m recipes.diffusion --condition class --prompt "three seven"
    python -m recipes.diffusion --objective flow --sampler heun
    python -m recipes.diffusion --data ring --objective edm   # against the exact score
    python -m recipes.diffusion --preset mnist --data-dir DIR # 40 minutes on two cores
    python -m recipes.diffusion --run RUN --task inpaint      # with what was trained
    python -m recipes.diffusion --data PICTURES --image-size 32 --multipliers 1 2 2

The run folder gets samples over time; the forward and the reverse chain; the loss by noise level
beside bounds that are known; bits per dimension; nearest neighbours; metrics.md of samples. In the
plane also the density and the score of the model beside the exact ones. --run does a task with a
trained model, in a folder of its own.
"""

import contextlib
import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
from recipes._data.training import check_varies, most_judged
from recipes._diffusion import model, tasks
from recipes._diffusion.args import DiffusionArgs, check_flags
from recipes._diffusion.model import (
    DiffusionData,
    diffusion_keys,
    make_solver as make_solver,
    set_up as set_up,
)
from recipes._diffusion.report import report
from recipes._diffusion.sampling import draw, make_rule
from recipes._report.judge import SampleJudge
from recipes._runtime import cli
from recipes._runtime.errors import FEWEST, UserError
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.progress import says
from recipes._runtime.run import Result, RunFolder

SHOWN = {"w1_exact": "W1"}
QUICK = 10
"""The most sampling steps of an evaluation while training."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(DiffusionArgs):
    """Train a diffusion model and sample it, or do a task with a trained one."""


def resolve(args: Args) -> tuple[Args, DiffusionData]:
    """The data, and the flags with what depends on them.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    check_flags(args)
    data = DiffusionData(args)
    check_varies(data.scaled.points, f"--data {args.data}")
    args = model.resolved(args, data)
    size = min(args.eval_size, len(data.scaled.points) // 2)
    if data.labels is not None:  # both batches of data have the samples' labels
        size = min(size, most_judged(data.labels))
    if size < FEWEST:
        raise UserError(
            f"--data {args.data} leaves {size} points of the same labels on each side to compare "
            f"samples with; {FEWEST} are needed."
        )
    return dataclasses.replace(args, eval_size=size), data


def sample(
    args: Args, data: DiffusionData, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` samples in the units of the data; of a conditional model, of all classes in turn, or of
    those of the prompt.
    """
    labels = data.asked(args, n)
    each = None if labels is None else jnp.asarray(labels)
    return data.unscaled(draw(make_rule(args, data, players.x), data.shape, key, n, each).x)


def run(args: Args) -> Result:
    """Trains, or does the task of a trained run; writes the run folder.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    if args.run is not None:
        return tasks.run_task(args)
    args, data = resolve(args)
    return run_experiment("diffusion", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: DiffusionData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder.

    While it trains it is judged by few steps, and at the end by as many as the flags say.
    """
    game, players = set_up(args, data)
    quick = dataclasses.replace(args, sampling_steps=min(QUICK, args.sampling_steps or QUICK))

    def judge_of(args: Args) -> SampleJudge:
        def sampled(players: go.Players, labels: Any) -> Array:
            rule = make_rule(args, data, players.x)
            key = diffusion_keys(args).samples
            return jnp.asarray(draw(rule, data.shape, key, args.eval_size, labels).x)

        return SampleJudge(folder, data, args.eval_size, args.seed, sampled, conditions=data.labels)

    quick_judge = judge_of(quick)

    def evaluate(players: go.Players, round: int) -> dict[str, Any]:
        due = round % args.eval_every == 0 or round == args.steps
        # Only what is due is spoken of by the training loop.
        with contextlib.nullcontext() if due else says("drawing samples"):
            return quick_judge(players, round)

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        head = {"data": args.data, "objective": args.objective, "sampler": args.sampler}
        head |= {"sampling_steps": args.sampling_steps}
        with says("samples of all steps"):
            judge = judge_of(args)
            measured = judge(players, args.steps)
            head["w1_of_all_steps"] = measured["w1_exact"]
        head |= judge.write_generated(players, args.metrics)
        return players, head | report(folder, args, data, players.x)

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=diffusion_keys(args).play,
        evaluate=evaluate, shown=SHOWN, finish=finish,
    )  # fmt: skip


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
