"""Tasks of a trained diffusion model, each in a folder of its own."""

import dataclasses
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from recipes._diffusion.args import DiffusionArgs, Task, check_flags, check_task
from recipes._diffusion.interpolations import interpolate
from recipes._diffusion.likelihoods import likelihood
from recipes._diffusion.model import DiffusionData
from recipes._diffusion.report import sample_report
from recipes._diffusion.restorations import inpaint, superresolve
from recipes._diffusion.sampling import draw, make_rule
from recipes._runtime.config import read_run_config
from recipes._runtime.errors import UserError
from recipes._runtime.experiment import SHOWN
from recipes._runtime.progress import says
from recipes._runtime.run import GENERATED, Result, RunFolder, open_run, write_json
from recipes._runtime.seeds import key_of
from recipes._runtime.trained import TrainedRun, load_run


def sample(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, denoiser: Any, key: PRNGKeyArray
) -> dict[str, Any]:
    """generated.npy, of all classes in turn or of the prompt's, and the pictures of samples."""
    key_points, key_report = jax.random.split(key)
    labels = data.asked(args, args.eval_size)
    each = None if labels is None else jnp.asarray(labels)
    rule = make_rule(args, data, denoiser)
    points = draw(rule, data.shape, key_points, args.eval_size, each, bar=True).x
    np.save(folder.path / GENERATED, data.unscaled(points))
    return sample_report(folder, args, data, denoiser, key_report)


TASKS: dict[Task, Callable[..., dict[str, Any]]] = {
    "sample": sample,
    "inpaint": inpaint,
    "superresolve": superresolve,
    "interpolate": interpolate,
    "likelihood": likelihood,
}
"""`(folder, args, data, denoiser, key) -> numbers`; each draws its pictures."""
OF_IMAGES = ("inpaint", "superresolve", "interpolate")
TAKEN = ("task", "run", "prompt", "factor", "seed", "overwrite", "compile_cache")
"""Flags of the task, which are not the run's."""


def run_task(args: DiffusionArgs) -> Result:
    """Do the task with the players of a run, and write its folder.

    **Raises:** `UserError` for flags or a run that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    trained = _load(args)
    args = _merged(args, trained)
    data: DiffusionData = trained.data
    _check(args, data)
    folder = open_run("diffusion", args, None)
    folder.write_config("diffusion", args, data.describe())
    print(f"{args.run}, round {trained.round}: {data}\nwriting to {folder.path}", flush=True)
    denoiser = trained.evaluated.x
    numbers = TASKS[args.task](folder, args, data, denoiser, key_of(args.seed))
    summary = {
        "recipe": "diffusion", "run": str(args.run), "round": trained.round, "task": args.task,
        "data": args.data, "sampler": args.sampler, "sampling_steps": args.sampling_steps,
        **numbers, "seconds": round(time.perf_counter() - begin, 1), "folder": str(folder.path),
    }  # fmt: skip
    write_json(folder.path / "summary.json", summary)
    written = sorted(path.name for path in folder.path.iterdir() if path.suffix in SHOWN)
    print(f"in {folder.path}: {', '.join(written)}")
    return Result(trained.evaluated, folder.path, summary)


def _load(args: DiffusionArgs) -> TrainedRun:
    assert args.run is not None
    config = read_run_config(args.run)
    check_task(args, config["args"])
    recipe = config["recipe"]
    if recipe != "diffusion":
        raise UserError(f"--run {args.run} is a run of recipes.{recipe}, and not of diffusion.")
    with says("loading the run"):
        if args.data_dir is None:
            trained = load_run(args.run)
        else:  # the files may have moved since
            trained = load_run(args.run, data_dir=args.data_dir)
    for line in trained.skipped:
        print(line, file=sys.stderr)
    return trained


def _merged(args: DiffusionArgs, trained: TrainedRun) -> Any:
    """The run's flags with those of the task."""
    changes = {name: getattr(args, name) for name in TAKEN}
    given = ("sampler", "sampling_steps", "guidance_scale")
    changes |= {name: value for name in given if (value := getattr(args, name)) is not None}
    assert args.run is not None
    out = _free(args.run, args.task) if args.out is None else args.out
    return dataclasses.replace(trained.args, **changes, out=out, resume=args.resume)


def _free(run: Path, task: str) -> Path:
    """A folder in the run's that is not there yet."""
    names = itertools.chain([task], (f"{task}-{number}" for number in itertools.count(2)))
    return next(path for name in names if not (path := run / name).exists())


def _check(args: DiffusionArgs, data: DiffusionData) -> None:
    check_flags(args)
    data.asked(args, 1)
    if args.task in OF_IMAGES and data.scaled.kind != "image":
        raise UserError(
            f"--task {args.task} is of images, and the data of {args.run} are of kind "
            f"{data.scaled.kind}."
        )
    if args.task == "interpolate" and len(data.held_out.points) < 2:
        raise UserError(f"--task interpolate needs two held-out images, and {args.run} has one.")
    if args.task == "superresolve" and any(size % args.factor for size in data.shape[:2]):
        raise UserError(
            f"--factor {args.factor} must divide both sides of images of {data.shape[0]}x"
            f"{data.shape[1]}."
        )
