"""Latent-variable models by four bounds, beside the exact likelihood: Jensen's trap, and out of it.

    python -m recipes.latent                                 # real 8x8 digits, about a minute
    python -m recipes.latent --data ring --likelihood gaussian_learned   # densities in the plane
    python -m recipes.latent --data mnist --data-dir DIR --width 256 --methods prior_samples iwae
    python -m recipes.latent --resume runs/latent/20261121-120000    # goes on where it was cut off

p(x) is the integral of N(x; mu(z), Sigma(z)) p(z) over one or two latents, so that quadrature gives
it exactly. Trained side by side from the same decoder: by the mean log-likelihood under the prior,
whose best decoder is constant; by the logarithm of the mean likelihood; by the ELBO and by IWAE,
with an encoder. The run folder gets table.md, of bounds and exact likelihoods; conditional.md, of
P(x|x*) by importance sampling from prior and encoder against exact values; pictures of both.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._latent_bounds import model, pictures, report
from recipes._latent_bounds.game import METHODS, NAMES, model_of, names_of
from recipes._latent_bounds.judge import LatentJudge, drawn
from recipes._latent_bounds.model import (
    LatentArgs,
    LatentData,
    latent_keys,
    make_solver as make_solver,
    set_up as set_up,
)
from recipes._report.plots import over_time
from recipes._runtime import cli
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.optimizers import check_decay
from recipes._runtime.progress import says
from recipes._runtime.run import GENERATED, Result, RunFolder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(LatentArgs):
    """Train a latent-variable model by several bounds, beside the exact likelihood."""


def resolve(args: Args) -> tuple[Args, LatentData]:
    """The data, and the flags with what depends on them.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    check_decay(args.optimizer, args.steps)
    data = model.load_data(args)
    size = min(args.eval_size, len(data.points) // 2)
    return dataclasses.replace(args, eval_size=size), data


def sample(args: Args, data: LatentData, players: go.Players, key: PRNGKeyArray, n: int) -> Any:
    """`n` samples of every method, shape `(methods, n, *shape)`, in the units of the data.

    Means of images, and draws of other points.
    """
    each = [drawn(model_of(players, name), key, n, data.is_image) for name in names_of(players)]
    return np.stack([data.data.unscaled(points) for points in each])


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("latent", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: LatentData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)
    keys = latent_keys(args)
    judge = LatentJudge(folder, args, data)

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        over_time(folder.path / "samples", folder.path / "over_time.png")
        generated = sample(args, data, players, keys.samples, args.eval_size)
        np.save(folder.path / GENERATED, generated)
        head = {"data": args.data, "likelihood": args.likelihood}
        return players, head | write_report(folder, args, data, players, judge)

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=keys.play, evaluate=judge,
        shown={f"exact_{name}": name for name in METHODS if name in players.x}, finish=finish,
    )  # fmt: skip


def write_report(
    folder: RunFolder, args: Args, data: LatentData, players: go.Players, judge: LatentJudge
) -> dict[str, Any]:
    """Writes the tables and pictures; returns the summary's numbers."""
    keys = jax.random.split(latent_keys(args).report, 4)
    with says("exact likelihoods"):
        reference = report.references(args, data)
        rows = report.bounds_table(folder, args, data, players, reference, judge, keys[0])
    with says("conditional densities"):
        conditionals = report.conditional_table(
            folder, args, data, players, reference.ppca, keys[1]
        )
    with says("pictures"):
        pictures.draw_curves(folder, rows)
        if data.is_image:
            pictures.draw_samples(folder, players, judge)
        pictures.draw_estimates(folder, args, data, players, reference.ppca, keys[2])
        pictures.draw_conditionals(folder, args, data, players, reference.ppca, keys[3])
    print((folder.path / "table.md").read_text(encoding="utf-8"))
    labels = {NAMES[name]: name for name in names_of(players)}
    worst = max(row[5] for row in conditionals)
    return {
        "bounds": {labels[row[0]]: row[1] for row in rows if row[0] in labels},
        "exact": {labels[row[0]]: row[3] for row in rows if row[0] in labels},
        "largest_conditional_error": worst,
    }


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
