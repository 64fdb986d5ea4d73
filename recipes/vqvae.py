"""VQ-VAEs: data as grids of codes from a learned codebook, sampled through a learned prior.

    python -m recipes.vqvae                                      # real 8x8 digits, about a minute
    python -m recipes.vqvae --codebook gradient
    python -m recipes.vqvae --preset mnist --data mnist --data-dir DIR   # half an hour, two cores
    python -m recipes.vqvae --data PICTURES --image-size 32 --halvings 2 --codes 256
    python -m recipes.vqvae --data ring --kind dense --groups 2

The decoder, with codebook and prior, and the encoder play a game with one loss; the prior learns
the codes as they are at each round. The codebook's use is measured over all held-out data. The run
folder gets held-out images beside their codes and what these decode to; samples through the prior
beside samples of independent codes; the codebook; metrics.md beside real data; curves.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._data.training import HeldOutData, check_varies
from recipes._report.classifier import class_numbers, judging
from recipes._report.judge import SampleJudge
from recipes._report.plots import image_grid, over_time
from recipes._report.rows import draw_neighbours
from recipes._runtime import cli
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.progress import says
from recipes._runtime.run import Result, RunFolder
from recipes._runtime.seeds import keys_of
from recipes._vqvae.args import (
    VQVAEArgs,
    check_networks,
    make_game,
    make_players,
    make_solver as make_solver,
)
from recipes._vqvae.codes import code_numbers, coded, independent_samples, place_counts
from recipes._vqvae.pictures import (
    draw_codebook,
    draw_curves,
    draw_priors,
    draw_reconstructions,
)

SHOWN = {
    "reconstruction_error": "error",
    "perplexity": "perplexity",
    "prior_nats": "nats",
    "independent_nats": "independent",
}
DRAWN = 100
"""Samples that are drawn."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(VQVAEArgs):
    """Train a VQ-VAE and the law of its codes, and look at both."""


def resolve(args: Args) -> tuple[Args, HeldOutData]:
    """The data, of which a part is held out, and the flags with what depends on them.

    **Raises:** `UserError` for data that are not there or vary nowhere, and flags that do not fit.
    """
    data = HeldOutData(args)
    check_varies(data.scaled.points, f"--data {args.data}")
    check_networks(args, data.scaled.points.shape[1:])
    size = min(args.eval_size, len(data.scaled.points) // 2)
    return dataclasses.replace(args, eval_size=size), data


def _keys(args: Args) -> Any:
    return keys_of(args.seed, "players", "play", "samples", "report")


def set_up(args: Args, data: HeldOutData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    sampler = data.sampler()
    return make_game(args, sampler), make_players(args, sampler.points, _keys(args).players)


@eqx.filter_jit
def generated(decoder: Any, key: PRNGKeyArray, n: int) -> jax.Array:
    """`n` points: codes from the learned prior, decoded."""
    return jax.vmap(decoder.sample)(jax.random.split(key, n))


def sample(
    args: Args, data: HeldOutData, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` samples through the learned prior, in the units of the data."""
    del args
    return data.unscaled(generated(players.x, key, n))


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("vqvae", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: HeldOutData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)
    held_out = jnp.asarray(data.held_out.points)
    key = _keys(args).samples
    judge = SampleJudge(
        folder, data, args.eval_size, args.seed,
        lambda players, _: generated(players.x, key, args.eval_size),
        numbers=lambda players, *_: code_numbers(coded(players, held_out), args.codes),
    )  # fmt: skip

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        head = judge.write_generated(players, args.metrics)
        with says("pictures of codes and samples"):
            head |= report(args, data, players, folder)
        lines = folder.read_metrics()
        draw_curves(lines, args.codes, args.eval_size, folder.path / "curves.png")
        over_time(folder.path / "samples", folder.path / "over_time.png")
        return players, {"data": args.data, "codebook": args.codebook, "codes": args.codes} | head

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=_keys(args).play,
        evaluate=judge, shown=SHOWN, finish=finish,
    )  # fmt: skip


def report(args: Args, data: HeldOutData, players: go.Players, folder: RunFolder) -> dict[str, Any]:
    """Draw the codebook, and of images reconstructions and samples through both priors.

    **Returns:** what a classifier says of the samples, where the data are images with labels.
    """
    held_out, decoder = data.held_out, players.x
    found = coded(players, jnp.asarray(held_out.points))
    counts = place_counts(np.asarray(found.indices), args.codes)
    is_image = held_out.kind == "image"
    draw_codebook(decoder, counts.sum(axis=0), is_image, folder.path / "codebook.png")
    if not is_image:
        return {}
    draw_reconstructions(decoder, held_out.points, found, folder.path / "reconstructions.png")
    key_learned, key_independent = jax.random.split(_keys(args).report)
    count = max(args.eval_size, DRAWN)
    learned = generated(decoder, key_learned, count)
    # As many training points as are held out: the same compiled program.
    some = coded(players, jnp.asarray(data.scaled.points[: len(held_out.points)]))
    uses = jnp.asarray(place_counts(np.asarray(some.indices), args.codes), jnp.float32)
    frequencies = uses / len(some.errors)
    independent = independent_samples(decoder, frequencies, key_independent, count)
    drawn, numbers = np.asarray(learned[:DRAWN]), code_numbers(found, args.codes)
    draw_priors(drawn, np.asarray(independent[:DRAWN]), numbers, folder.path / "priors.png")
    image_grid(drawn, folder.path / "samples.png")
    draw_neighbours(folder, data.scaled, drawn[:10])
    judge = judging(data.scaled, held_out)
    if judge is None:
        return {}
    alone = class_numbers(judge, independent)["confident_share"]
    return class_numbers(judge, learned) | {"confident_share_independent": alone}


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
