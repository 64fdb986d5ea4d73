"""GANs with a discriminator: on an exact density against theory, or on data such as digits.

    python -m recipes.gan                              # two bumps on the line, half a minute
    python -m recipes.gan --loss minimax --inner-steps 1         # Goodfellow's algorithm as printed
    python -m recipes.gan --data ring --steps 6000     # eight bumps in the plane
    python -m recipes.gan --data digits                # real 8x8 digits with an R1 penalty
    python -m recipes.gan --data mnist --data-dir DIR --steps 20000

On an exact density the generator's law is known as well: a fine grid of latents is pushed through
it. So the optimal discriminator, the value that it would reach and the divergence are exact up to
the grid's cells. On data the samples are judged by pictures and by exact optimal transport.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._certify.certificates import Probe
from recipes._data.training import TrainingData
from recipes._gans.args import check_gan, check_penalties_fit, clipped, make_solver as make_solver
from recipes._gans.critics import discriminator_numbers, from_latents, generated
from recipes._gans.density import DensityJudge, TrainingDensity
from recipes._gans.density_grid import DENSITIES
from recipes._gans.multilayer import (
    MultilayerGANArgs,
    draw_samples,
    latent_size_of,
    networks,
    resolve_sizes,
)
from recipes._gans.penalties import make_penalty, weights_of
from recipes._gans.pictures import MINUS_LOG_4, draw_curves, draw_data_curves
from recipes._gans.saturation import draw_saturation, measure_saturation
from recipes._report.judge import SampleJudge
from recipes._report.plots import over_time
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.fields import AtLeast1
from recipes._runtime.optimizers import OptimizerArgs
from recipes._runtime.progress import says
from recipes._runtime.run import Result, RunFolder
from recipes._runtime.seeds import keys_of

Training = TrainingData | TrainingDensity


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(MultilayerGANArgs):
    """Train a GAN and hold it against closed forms, or against exact transport to real data."""

    data: str = "two_normals"
    """An exact density: normal, two_normals, three_normals on the line, ring or grid in the plane.
    Or data: digits (scikit-learn's 8x8), mnist, fashion_mnist or cifar10 (files in --data-dir),
    swiss_roll, a .npy or .npz file, or a folder of images. On data the defaults are --penalties r1,
    --inner-steps 1 and --width 256; on densities, which are smooth, --activation tanh."""
    loss: Literal["minimax", "non_saturating"] = "non_saturating"
    """What the generator minimises: E log(1 - D), which saturates, or -E log D."""
    inner_steps: AtLeast1 = 4
    """Discriminator steps to one generator step, each on a fresh batch."""
    batch_size: AtLeast1 = 256
    """Points a step sees."""
    steps: AtLeast1 = 3000
    """Rounds, that is generator steps."""
    width: AtLeast1 = 64
    """Units in a hidden layer of either network."""
    generator_optimizer: OptimizerArgs = OptimizerArgs(learning_rate=3e-4, beta2=0.99)
    """The generator's optimizer."""
    discriminator_optimizer: OptimizerArgs = OptimizerArgs(learning_rate=2e-3, beta2=0.99)
    """The discriminator's optimizer."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The defaults of an exact density, or of data."""
        exact = given.get("data", cls.data) in DENSITIES
        smooth = {"activation": "tanh"}
        of_data = {"penalties": ("r1",), "inner_steps": 1, "width": 256, "activation": "relu"}
        return (smooth if exact else of_data) | super().defaults(given)


def resolve(args: Args) -> tuple[Args, Training]:
    """The data or density, and the flags with the defaults filled in that depend on it.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    check_gan(args)
    if args.data not in DENSITIES:
        data = TrainingData(args)
        return resolve_sizes(args, data), data
    if args.latent_size is not None:
        raise UserError(
            f"--latent-size: {args.data} is an exact density, and its generator's latents have "
            "the density's own dimension; leave it out."
        )
    check_penalties_fit(args, "plane")
    weights = weights_of(args.penalties, args.penalty_weights)
    return dataclasses.replace(args, penalty_weights=weights), TrainingDensity(args.data)


def set_up(args: Args, data: Training) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    key = _keys(args).players
    if isinstance(data, TrainingDensity):
        sampler, latent_size = data.law.sample, data.d
        players = data.networks(args.width, args.depth, args.activation, key)
    else:
        sampler, latent_size = data.sampler(), latent_size_of(args)
        widths = go.Players(args.width, args.width)
        players = networks(data, latent_size, widths, args.depth, args.activation, key)
    penalty = make_penalty(args.penalties, args.penalty_weights)
    make = go.MinimaxGAN if args.loss == "minimax" else go.NonSaturatingGAN
    game = make(sampler, go.NormalLatent((latent_size,)), args.batch_size, penalty)
    return clipped(game, args), players


def _keys(args: Args) -> Any:
    return keys_of(args.seed, "players", "play", "drawn_once")


def sample(
    args: Args, data: Training, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` samples of resolved flags' generator, in the units of the data."""
    if isinstance(data, TrainingDensity):
        return np.asarray(generated(players.x, jax.random.normal(key, (n, data.d))))
    return draw_samples(args, data, players, key, n)


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("gan", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: Training, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)
    judge = make_judge(args, folder, data)
    shown = {"value": "V(D,G)"}
    if isinstance(judge, DensityJudge):
        shown |= {"value_at_optimum": "V(D*,G)", "js": "JS"}
    else:
        shown |= {"w1_exact": "W1", "w1_floor": "W1 of data"}

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        draw(args, folder, judge)
        head = {"data": args.data, "loss": args.loss, "penalties": args.penalties}
        if isinstance(judge, SampleJudge):
            head |= judge.write_generated(players, args.metrics)
        return players, {**head, "minus_log_4": MINUS_LOG_4}

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=_keys(args).play, evaluate=judge,
        shown=shown, finish=finish, probe=Probe(folder, game, players, args, args.batch_size),
    )  # fmt: skip


def make_judge(args: Args, folder: RunFolder, data: Training) -> DensityJudge | SampleJudge:
    """The judge of the players at an evaluation."""
    if isinstance(data, TrainingDensity):
        return DensityJudge(folder, data)
    shape = (args.eval_size, latent_size_of(args))
    latents = jax.random.normal(_keys(args).drawn_once, shape)
    return SampleJudge(
        folder, data, args.eval_size, args.seed, from_latents(latents),
        numbers=discriminator_numbers,
        score=lambda players, points: jax.nn.sigmoid(go.critic_scores(players.y, points)),
        score_label="D(x), probability of being data",
    )  # fmt: skip


def draw(args: Args, folder: RunFolder, judge: DensityJudge | SampleJudge) -> None:
    """Draw the pictures at the end of a run."""
    lines, curves = folder.read_metrics(), folder.path / "curves.png"
    if isinstance(judge, DensityJudge):
        with says("the saturation picture"):
            measured = measure_saturation(_keys(args).drawn_once)
            draw_saturation(measured, folder.path / "saturation.png")
        draw_curves(lines, curves)
    else:
        draw_data_curves(lines, curves)
    over_time(folder.path / "samples", folder.path / "over_time.png", most=4)


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
