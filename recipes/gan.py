"""GAN on an exact density: D against D*, V against -log 4 + 2 JS, and the loss that saturates.

    python -m recipes.gan                              # two bumps on the line, half a minute
    python -m recipes.gan --loss minimax --k 1         # Goodfellow's algorithm as printed
    python -m recipes.gan --data ring --steps 6000     # eight bumps in the plane

The generator's law is known as well: a fine grid of latents is pushed through it. So the optimal
discriminator, the value that it would reach and the divergence are exact up to the grid's cells.
"""

import dataclasses
import functools
import time
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
import theory
from models import MLP
from recipes import _cli
from recipes._densities import (
    DENSITIES,
    Cells,
    cells_around,
    data_log_masses,
    generated_log_masses,
    latent_grid,
    push,
)
from recipes._errors import UserError
from recipes._gan_pictures import MINUS_LOG_4, draw_curves, draw_line, draw_plane
from recipes._optimizers import OptimizerArgs, make_optimizer
from recipes._plots import over_time
from recipes._run import CommonArgs, Result, check_positive, open_run, write_json
from recipes._saturation import draw_saturation, measure_saturation
from recipes._training import train

MAY_CHANGE_ON_RESUME = ("steps",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(CommonArgs):
    """Train a GAN on a density and hold it against its closed forms."""

    data: Literal["normal", "two_normals", "three_normals", "ring", "grid"] = "two_normals"
    """The data's law: Gaussian bumps on the line, or (ring, grid) in the plane."""
    loss: Literal["minimax", "non_saturating"] = "non_saturating"
    """What the generator minimises: E log(1 - D), which saturates, or -E log D."""
    solver: Literal["alternating", "simultaneous"] = "alternating"
    """The discriminator moves --k times and then the generator; or both at once."""
    k: int = 4
    """Discriminator steps to one generator step, each on a fresh batch."""
    batch_size: int = 256
    """Points a step sees."""
    steps: int = 3000
    """Rounds, that is generator steps."""
    width: int = 64
    """Units in a hidden layer of either network."""
    depth: int = 2
    """Hidden layers of either network."""
    generator_optimizer: OptimizerArgs = OptimizerArgs(learning_rate=3e-4, beta2=0.99)
    """The generator's optimizer."""
    discriminator_optimizer: OptimizerArgs = OptimizerArgs(learning_rate=2e-3, beta2=0.99)
    """The discriminator's optimizer."""


def check(args: Args) -> None:
    """Raises a `UserError` for a flag that cannot work."""
    check_positive(args, "k", "batch_size", "width", "depth")
    if args.solver == "simultaneous" and args.k != 1:
        raise UserError("--solver simultaneous moves both players once: add --k 1.")


def make_solver(args: Args) -> go.AbstractSolver:
    """Goodfellow's algorithm 1 with k discriminator steps, or both players at once."""
    optimizers = go.Players(
        make_optimizer(args.generator_optimizer, "generator-optimizer"),
        make_optimizer(args.discriminator_optimizer, "discriminator-optimizer"),
    )
    if args.solver == "simultaneous":
        return go.Simultaneous(optimizers)
    return go.Alternating(optimizers, order=("y", "x"), inner_steps=go.Players(1, args.k))


def make_players(args: Args, d: int, key: jax.Array) -> go.Players:
    """A generator from d normal latents to d coordinates, and a smooth discriminator's logit."""
    key_x, key_y = jax.random.split(key)
    # Smooth networks, because the densities are.
    network = functools.partial(MLP, width=args.width, depth=args.depth, activation=jax.nn.tanh)
    return go.Players(network((d,), (d,), key=key_x), network((d,), (), key=key_y))


class Judge:
    """Compares players with the optimum on a grid of cells, and draws what it saw."""

    def __init__(self, law: theory.GaussianMixture, folder: Path):
        self.cells: Cells = cells_around(law)
        self.d = self.cells.centres.shape[1]
        self.log_p_data = data_log_masses(law, self.cells)
        self.latents, self.folder = latent_grid(self.d), folder

    def __call__(self, players: go.Players, round: int) -> dict[str, float]:
        """Exact numbers of these players, in nats.

        - `value`: V(D, G). `value_at_optimum`: V(D*, G) = -log 4 + 2 JS. `js`: the divergence.
        - `d_error_max`, `d_error_mean`: |D - D*| over the cells with at least 1 % of the densest
          cell's mass, and its mean over (p_d + p_g) / 2.
        """
        points = np.asarray(push(players.x, self.latents))
        log_p_gen = generated_log_masses(points, self.cells)
        scores = go.critic_scores(players.y, jnp.asarray(self.cells.centres))
        # Outside of the cells there is no data, and D's answer there is taken from the edge.
        logits = jnp.append(scores, jnp.min(scores))
        ones = jnp.ones_like(logits)
        best = theory.optimal_discriminator(self.log_p_data, log_p_gen)
        mixture = 0.5 * (jnp.exp(self.log_p_data) + jnp.exp(log_p_gen))
        populated = np.asarray(mixture[:-1] >= 0.01 * jnp.max(mixture[:-1]))
        error = np.asarray(jnp.abs(jax.nn.sigmoid(logits) - best))
        value = theory.discriminator_value(self.log_p_data, log_p_gen, logits, ones)
        js = theory.js_density(self.log_p_data, log_p_gen, ones)
        numbers = {
            "value": float(value),
            "value_at_optimum": float(theory.value_from_js(js)),
            "js": float(js),
            "d_error_max": float(error[:-1][populated].max()),
            "d_error_mean": float(np.sum(np.asarray(mixture) * error)),
        }
        path = self.folder / "samples" / f"{round:08d}.png"
        self._draw(points, log_p_gen, logits, best, populated, path, round, numbers)
        return numbers

    def _draw(self, points, log_p_gen, logits, best, populated, path, round, numbers) -> None:
        title = (
            f"round {round:,}: V(D, G) = {numbers['value']:.3f}, "
            f"V(D*, G) = {numbers['value_at_optimum']:.3f}, -log 4 = {MINUS_LOG_4:.3f}"
        )
        density = lambda log_p: np.exp(np.asarray(log_p[:-1])) / self.cells.volume
        d = np.asarray(jax.nn.sigmoid(logits[:-1]))
        optimum, p_data = np.asarray(best[:-1]), density(self.log_p_data)
        if self.d == 1:
            draw_line(self.cells, p_data, density(log_p_gen), d, optimum, path, title)
        else:
            some = np.random.default_rng(0).choice(points, 1500, replace=False)
            draw_plane(self.cells, p_data, some, d, optimum, populated, path, title)


def run(args: Args) -> Result:
    """Trains, judges, draws, and returns the players and the summary.

    **Raises:** `UserError` for flags that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    check(args)
    solver = make_solver(args)
    folder = open_run("gan", args, MAY_CHANGE_ON_RESUME)
    print(f"writing to {folder.path}", flush=True)
    folder.write_config("gan", args, {"name": args.data})
    key_players, key_play, key_saturation = jax.random.split(jax.random.key(args.seed), 3)
    law = DENSITIES[args.data]()
    judge = Judge(law, folder.path)
    make = go.MinimaxGAN if args.loss == "minimax" else go.NonSaturatingGAN
    game = make(law.sample, go.NormalLatent((judge.d,)), args.batch_size)
    players, rate = train(
        folder,
        game,
        solver,
        make_players(args, judge.d, key_players),
        key_play,
        judge,
        steps=args.steps,
        eval_every=args.eval_every,
        log_every=args.log_every,
        shown={"value": "V(D,G)", "value_at_optimum": "V(D*,G)", "js": "JS"},
    )
    draw_saturation(measure_saturation(key_saturation), folder.path / "saturation.png")
    lines = folder.read_metrics()
    draw_curves(lines, folder.path / "curves.png")
    over_time(folder.path / "samples", folder.path / "over_time.png", most=4)
    last = next(line for line in reversed(lines) if line["kind"] == "eval")
    summary = {
        "recipe": "gan",
        "data": args.data,
        "loss": args.loss,
        "rounds": last["round"],
        **{name: value for name, value in last.items() if isinstance(value, float)},
        "minus_log_4": MINUS_LOG_4,
        "rounds_per_second": round(rate, 2),
        "seconds": round(time.perf_counter() - begin, 1),
        "folder": str(folder.path),
    }
    write_json(folder.path / "summary.json", summary)
    names = ("over_time", "curves", "saturation")
    print("pictures: " + ", ".join(str(folder.path / f"{name}.png") for name in names))
    return Result(players, folder.path, summary)


def main() -> None:
    """Parses the flags and runs."""
    _cli.main(Args, run)


if __name__ == "__main__":
    main()
