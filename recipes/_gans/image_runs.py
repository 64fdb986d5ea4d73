"""The experiment of a GAN of images: what dcgan and cgan share."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import gameopt as go
from recipes._certify.certificates import Probe
from recipes._data.training import TrainingData
from recipes._gans.args import make_solver
from recipes._gans.critics import from_latents, score_numbers
from recipes._gans.image_pictures import draw_image_curves
from recipes._gans.images import ImageGANArgs
from recipes._report.judge import SampleJudge
from recipes._report.plots import over_time
from recipes._runtime.experiment import Experiment
from recipes._runtime.run import RunFolder
from recipes._runtime.seeds import keys_of

STANDING = 2048
"""Latents from which batch normalisation takes its statistics at the end."""
SHOWN = {"score_real": "D(data)", "score_fake": "D(G)", "w1_exact": "W1", "w1_floor": "W1 of data"}

Finish = Callable[[SampleJudge, go.Players], tuple[go.Players, dict[str, Any]]]
"""From the trained players to those that are returned, and the summary's own numbers; draws."""


def image_keys(args: ImageGANArgs) -> Any:
    """The keys of a run, by name."""
    return keys_of(args.seed, "players", "play", "latents", "standing", "report")


def image_experiment(
    args: ImageGANArgs,
    data: TrainingData,
    game: go.AbstractGame,
    players: go.Players,
    folder: RunFolder,
    finish: Finish,
    conditions: np.ndarray | None = None,
) -> Experiment:
    """The experiment of resolved flags in its folder.

    - `finish`: what is done before the curves are drawn.
    - `conditions`: of the data's points, for conditional players.
    """
    keys = image_keys(args)
    latents = jax.random.normal(keys.latents, (args.eval_size, args.latent_size))
    judge = SampleJudge(
        folder, data, args.eval_size, args.seed, from_latents(latents),
        numbers=score_numbers(args.packing), conditions=conditions,
    )  # fmt: skip

    def finish_and_draw(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        players, head = finish(judge, players)
        draw_image_curves(folder.read_metrics(), args.eval_size, folder.path / "curves.png")
        over_time(folder.path / "samples", folder.path / "over_time.png")
        of_all = {"data": args.data, "loss": args.loss, "penalties": list(args.penalties)}
        return players, of_all | head

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=keys.play, evaluate=judge,
        shown=SHOWN, finish=finish_and_draw,
        probe=Probe(folder, game, players, args, args.batch_size),
    )  # fmt: skip
