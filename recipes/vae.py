"""Variational autoencoders: any likelihood, prior and bound, judged by held-out nats.

    python -m recipes.vae                                   # real 8x8 digits, about a minute
    python -m recipes.vae --latent-size 2 --beta 4 --anneal-steps 2000
    python -m recipes.vae --objective iwae --samples 20
    python -m recipes.vae --likelihood gaussian_learned      # beside probabilistic PCA
    python -m recipes.vae --data sprites --latent-size 6 --beta 4   # known factors: disentanglement
    python -m recipes.vae --preset mnist --data-dir DIR      # the published 784-400-40
    python -m recipes.vae --preset conv --data PICTURES --image-size 32 --likelihood logistic
    python -m recipes.vae --resume runs/vae/20261121-120000  # goes on where it was cut off

The model p(x, z) and the encoder q(z|x) are two players with one interest. The run folder gets
samples over time, reconstructions, interpolations, traversals of every unit, a map of the two
strongest, their correlations; curves of bound, rate and distortion; likelihood.md with
importance-sampled log-likelihoods; metrics.md of samples.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
from recipes._data.training import check_varies, most_judged
from recipes._latent import networks
from recipes._latent.elbo import TimedModel, timed
from recipes._report.judge import SampleJudge
from recipes._report.plots import image_grid, over_time
from recipes._report.rows import draw_neighbours
from recipes._runtime import cli
from recipes._runtime.errors import FEWEST, UserError
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.run import Result, RunFolder
from recipes._vae.args import VAEArgs
from recipes._vae.held_out import held_out_numbers
from recipes._vae.model import VAEData, set_up as set_up, vae_keys
from recipes._vae.pictures import draw_curves
from recipes._vae.report import held_out_points, numbers_of, report

MOST_EVALUATED = 2000
"""The most held-out points that are looked at while training."""
SHOWN = {"elbo": "ELBO", "rate": "rate", "active_units": "active units"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(VAEArgs):
    """Train a variational autoencoder and look at its codes and samples."""


def resolve(args: Args) -> tuple[Args, VAEData]:
    """The data, and the flags with what depends on them.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    data = VAEData(args)
    check_varies(data.data.scaled.points, f"--data {args.data}")
    size = min(args.eval_size, len(data.points) // 2)
    if data.labels is not None:  # both batches of data have the samples' labels
        size = min(size, most_judged(data.labels))
    if size < FEWEST:
        raise UserError(
            f"--data {args.data} leaves {size} points of the same labels on each side to compare "
            f"samples with; {FEWEST} are needed."
        )
    return dataclasses.replace(args, eval_size=size), data


def make_solver(args: Args) -> go.AbstractSolver:
    """Both players at once or in turn, with the rounds counted."""
    return timed(networks.make_solver(args))


@eqx.filter_jit
def drawn(
    x: TimedModel, encoder: Any, key: PRNGKeyArray, n: int, labels: Array | None, means: bool
) -> Array:
    """`n` points from codes of the prior: draws from their laws, or `means` of them."""
    prior = x.model.prior.law(encoder)

    def one(key: PRNGKeyArray, label: Any) -> Array:
        key_code, key_point = jax.random.split(key)
        z, label = prior.sample(key_code), () if label is None else (label,)
        return x.model.mean(z, *label) if means else x.model.draw(z, key_point, *label)

    return jax.vmap(one)(jax.random.split(key, n), labels)


def sample(args: Args, data: VAEData, players: go.Players, key: PRNGKeyArray, n: int) -> np.ndarray:
    """`n` samples in the units of the data: means of images, and draws of other points.

    A conditional model is asked for all classes in turn.
    """
    labels = jnp.arange(n) % data.classes if data.classes else None
    means = data.data.scaled.kind == "image"
    points = drawn(players.x, players.y, key, n, labels, means)
    return data.data.unscaled(data.as_loaded(points))


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("vae", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: VAEData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)
    keys, image = vae_keys(args), data.data.scaled.kind == "image"
    points = held_out_points(data, MOST_EVALUATED)

    def sampled(players: go.Players, labels: Any) -> Array:
        found = drawn(players.x, players.y, keys.samples, args.eval_size, labels, image)
        return data.as_loaded(found)

    def numbers(players: go.Players, *_: Any) -> dict[str, Any]:
        return numbers_of(held_out_numbers(players.x, players.y, points, keys.evaluation))

    judge = SampleJudge(
        folder, data.data, args.eval_size, args.seed, sampled, numbers=numbers,
        conditions=data.labels,
    )  # fmt: skip

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        over_time(folder.path / "samples", folder.path / "over_time.png")
        draw_curves(folder, args.eval_size, args.objective)
        head = {"data": args.data, "likelihood": args.likelihood, "prior": args.prior}
        head |= {"objective": args.objective, "beta": args.beta}
        if image:
            images = np.asarray(sampled(players, judge.conditions))
            image_grid(images[:100], folder.path / "samples.png")
            draw_neighbours(folder, data.data.scaled, images[:10])
        head |= judge.write_generated(players, args.metrics)
        return players, head | report(folder, args, data, players)

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=keys.play, evaluate=judge,
        shown=SHOWN, finish=finish,
    )  # fmt: skip


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
