"""The tournament on a small GAN: eight Gaussians on a ring, and the same gradients for all."""

import dataclasses
import functools
import math
import time
from collections.abc import Sequence
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
import theory
from models import MLP
from recipes._report.tables import means_with_errors
from recipes._runtime.errors import check_increasing
from recipes._runtime.fields import AtLeast1, Typed, at_least
from recipes._runtime.files import load_array
from recipes._runtime.progress import says
from recipes._runtime.run import RunFolder
from recipes._runtime.seeds import key_of
from recipes._runtime.solvers import FIRST_ORDER, SECOND_ORDER, SOLVERS, Make
from recipes._tournament.games import Contest, Measure
from recipes._tournament.pictures import draw_gan_curves, draw_samples
from recipes._tournament.play import Plays, play
from recipes._tournament.tables import PlayLine, write_gan_table

SAMPLES = 2500
"""Number of samples scored."""
MOMENTS = 20
SCORES = ("overlap", "modes", "high_quality", "reverse_kl")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GanArgs(metaclass=Typed):
    """The tournament on a GAN."""

    budget: Annotated[int, at_least(MOMENTS)] = 6000
    """Gradients of a minibatch that each solver may take."""
    seeds: Annotated[int, at_least(3)] = 4
    """Networks and minibatches that each solver is tried on; at least 3."""
    step_sizes: AtLeast1 = 6
    """Step sizes tried for each solver, at equal ratios."""
    smallest_step: float = 1e-3
    """The first of them."""
    largest_step: float = 1.0
    """The last of them."""
    batch_size: AtLeast1 = 64
    """Points a gradient sees."""
    width: AtLeast1 = 32
    """Units in each of two hidden layers of either network."""


def check_gan(args: GanArgs) -> None:
    """Raise a `UserError` for a flag that cannot work."""
    check_increasing(args, "smallest_step", "largest_step", group="gan.")


class Scores(Measure):
    """Scores of samples `(n, 2)` against a mixture of equally likely Gaussians.

    `modes`, `high_quality` and `reverse_kl` are those of `theory.mode_coverage`, the last log K,
    the worst, if no sample is of high quality. `overlap` is the sum over modes of min(share of all
    samples that are of high quality and nearest to it, 1/K): nearly 1 for data, less for each mode
    that is missed and each sample that is of no mode.
    """

    means: jax.Array
    std: jax.Array
    latents: jax.Array

    def of(self, points: jax.Array) -> dict[str, jax.Array]:
        modes, coverage = len(self.means), theory.mode_coverage(points, self.means, self.std)
        share = coverage.counts.astype(points.dtype) / len(points)
        return {
            "overlap": jnp.sum(jnp.minimum(share, 1 / modes)),
            "modes": coverage.captured.astype(points.dtype),
            "high_quality": coverage.high_quality,
            "reverse_kl": jnp.nan_to_num(coverage.reverse_kl, nan=math.log(modes)),
        }

    def __call__(self, players: go.Players) -> jax.Array:
        return self.of(jax.vmap(players.x)(self.latents))["overlap"]


def ring() -> theory.GaussianMixture:
    """The data: eight bumps of deviation 0.1 on a circle of radius 2."""
    return theory.ring(radius=2.0, std=0.1)


def make_scores(law: theory.GaussianMixture, key: jax.Array) -> Scores:
    """The scores on latents of their own."""
    latents = jax.random.normal(key, (SAMPLES, 2))
    return Scores(law.means, law.scale_trils[0, 0, 0], latents)


def make_gan_contest(args: GanArgs, seed: int) -> Contest:
    """The GAN, with networks and keys for each seed."""
    law = ring()
    keys = jax.random.split(jax.random.fold_in(key_of(seed), 8), 3)
    network = functools.partial(MLP, width=args.width, depth=2)

    @eqx.filter_vmap
    def starts(key: jax.Array) -> go.Players:
        key_x, key_y = jax.random.split(key)
        return go.Players(network((2,), (2,), key=key_x), network((2,), (), key=key_y))

    game = go.NonSaturatingGAN(law.sample, go.NormalLatent((2,)), args.batch_size)
    return Contest(
        game,
        make_scores(law, keys[2]),
        starts(jax.random.split(keys[0], args.seeds)),
        jax.random.split(keys[1], args.seeds),
        jnp.asarray(jnp.inf),
    )


@eqx.filter_jit
def _judge(players: go.Players, scores: Scores) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Samples and scores of networks with a first axis of seeds."""
    points = eqx.filter_vmap(lambda p: jax.vmap(p.x)(scores.latents))(players)
    return points, jax.vmap(scores.of)(points)


def gan_line(make: Make, contest: Contest, args: GanArgs) -> tuple[dict[str, Any], np.ndarray]:
    """A solver's line, at the step size of the largest mean overlap, and its samples."""
    rates = jnp.geomspace(args.smallest_step, args.largest_step, args.step_sizes)
    budgets = jnp.round(jnp.linspace(0, args.budget, MOMENTS + 1)).astype(jnp.int32)
    begin = time.perf_counter()
    plays: Plays = play(make, contest, rates, budgets)
    curve = np.asarray(jax.block_until_ready(plays.curve))
    seconds = time.perf_counter() - begin
    # What is not a number scores nothing.
    curve = np.where(np.isfinite(curve), curve, 0)
    best = int(np.argmax(curve[..., -1].mean(axis=1)))
    arrays, static = eqx.partition(plays.players, eqx.is_array)
    players = eqx.combine(jax.tree.map(lambda leaf: leaf[best], arrays), static)
    assert isinstance(contest.measure, Scores)
    points, scores = _judge(players, contest.measure)
    return {
        "step_size": float(rates[best]),
        "grid_end": best in (0, len(rates) - 1),
        **means_with_errors({name: np.asarray(scores[name]) for name in SCORES}),
        "rounds": int(np.max(np.asarray(plays.rounds)[best])),
        "seconds_with_compilation": seconds,
        "curve": curve[best].mean(axis=0).tolist(),
    }, np.asarray(points)


def data_line(contest: Contest, args: GanArgs, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """The scores of as many real points: what a perfect generator has, but for chance."""
    assert isinstance(contest.measure, Scores)
    law, scores = ring(), contest.measure
    keys = jax.random.split(jax.random.fold_in(key_of(seed), 9), args.seeds)
    points = jax.vmap(lambda key: law.sample(key, SAMPLES))(keys)
    values = jax.vmap(scores.of)(points)
    line = means_with_errors({name: np.asarray(values[name]) for name in SCORES})
    return line, np.asarray(points)


def players_of_gan(names: Sequence[str]) -> dict[str, Make]:
    """Select the named solvers without linear systems, or all if only others are named."""
    affordable = {**FIRST_ORDER, **SECOND_ORDER}
    chosen = [name for name in names if name in affordable] or [n for n in names if n in SOLVERS]
    return {name: SOLVERS[name] for name in chosen}


def play_gan(
    args: GanArgs, names: Sequence[str], seed: int, folder: RunFolder
) -> dict[str, PlayLine]:
    """Play what is not in the folder's metrics yet: lines by solver, with `real data` first."""
    contest = make_gan_contest(args, seed)
    done = {line["solver"]: line for line in folder.read_metrics() if line["kind"] == "gan"}
    samples: dict[str, np.ndarray] = {}
    real, samples["real data"] = data_line(contest, args, seed)
    lines: dict[str, PlayLine] = {"real data": real}
    playing = players_of_gan(names)
    missing = [name for name in names if name not in playing]
    if missing:
        print(f"gan: {', '.join(missing)} solve a linear system a round, or need a finite sum")
    for name, make in playing.items():
        path = folder.path / "samples" / f"gan_{name}.npy"
        points = load_array(path) if name in done and path.is_file() else None
        if points is None:
            with says(f"gan: {name}"):
                numbers, points = gan_line(make, contest, args)
            np.save(path, points)
            done[name] = {"kind": "gan", "solver": name, **numbers}
            folder.append_metrics([done[name]])
            shown = (f"{score} {numbers[score]:.3f}" for score in SCORES)
            print(f"gan {name}: {', '.join(shown)}", flush=True)
        lines[name], samples[name] = done[name], points
    write_gan_table(lines, args.budget, args.seeds, folder.path / "gan_table.md")
    draw_samples(lines, samples, folder.path / "gan_samples.png")
    draw_gan_curves(lines, args.budget, folder.path / "gan_curves.png")
    print("gan_table.md, gan_samples.png and gan_curves.png")
    return lines
