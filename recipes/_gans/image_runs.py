"""The run of a GAN of images from its folder to its summary: what dcgan and cgan share."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
from recipes._certify.certificates import Probe
from recipes._gans.critics import score_numbers
from recipes._gans.image_pictures import draw_image_curves
from recipes._gans.images import make_solver
from recipes._gans.judge import Judge, TrainingData
from recipes._report.plots import over_time
from recipes._runtime.run import Result, RunFolder, open_run, write_summary
from recipes._runtime.seeds import key_of
from recipes._runtime.training import train

MAY_CHANGE_ON_RESUME = ("steps",)
STANDING = 2048
"""Latents from which batch normalisation takes its statistics at the end."""
SHOWN = {"score_real": "D(data)", "score_fake": "D(G)", "w1_exact": "W1", "w1_floor": "W1 of data"}


class Keys(NamedTuple):
    """For the players, the play, the fixed latents, standing statistics, and the report."""

    players: PRNGKeyArray
    play: PRNGKeyArray
    latents: PRNGKeyArray
    standing: PRNGKeyArray
    report: PRNGKeyArray


def keys_of(args: Any) -> Keys:
    """The keys of a run."""
    return Keys(*jax.random.split(key_of(args.seed), len(Keys._fields)))


Finish = Callable[[RunFolder, Judge, go.Players], tuple[go.Players, dict[str, Any]]]
"""From the trained players to those that are returned, and the summary's own numbers; draws."""


def run_game(
    recipe: str,
    args: Any,
    data: TrainingData,
    set_up: Callable[[], tuple[go.AbstractGame, go.Players]],
    finish: Finish,
    conditions: np.ndarray | None = None,
) -> Result:
    """Opens the folder, plays, finishes, and writes the summary.

    - `args`: resolved. `conditions`: of the data's points, for conditional players.
    """
    begin = time.perf_counter()
    folder = open_run(recipe, args, MAY_CHANGE_ON_RESUME)
    folder.check_data(data.describe())
    print(f"{data}\nwriting to {folder.path}", flush=True)
    folder.write_config(recipe, args, data.describe())
    keys, (game, players) = keys_of(args), set_up()
    latents: Array = jax.random.normal(keys.latents, (args.eval_size, args.latent_size))
    numbers = score_numbers(args.packing)
    judge = Judge(folder, data, latents, args.seed, numbers, conditions=conditions)
    players, rate = train(
        folder,
        game,
        make_solver(args),
        players,
        keys.play,
        judge,
        steps=args.steps,
        eval_every=args.eval_every,
        log_every=args.log_every,
        shown=SHOWN,
        probe=Probe(folder, game, players, args, args.batch_size),
    )
    players, head = finish(folder, judge, players)
    draw_image_curves(folder.read_metrics(), args.eval_size, folder.path / "curves.png")
    over_time(folder.path / "samples", folder.path / "over_time.png")
    head = {"data": args.data, "loss": args.loss, "penalties": list(args.penalties), **head}
    summary = write_summary(folder, recipe, head, rate, time.perf_counter() - begin)
    names = sorted(path.name for path in folder.path.glob("*.png"))
    print(f"pictures in {folder.path}: {', '.join(names)}")
    return Result(players, folder.path, summary)
