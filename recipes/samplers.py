"""Samplers of diffusion models: quality against cost, with the exact score and a trained network.

    python -m recipes.samplers                                # eight Gaussians, about a minute
    python -m recipes.samplers --data grid --objective flow
    python -m recipes.samplers --data swiss_roll --evaluations 8 16 32 64
    python -m recipes.samplers --samplers ddim heun --points 10000

The data's law is a mixture of Gaussians, whose score is known at every noise level. With it, a
sampler's error is all there is; with a network that is trained here, its error comes on top. The
run folder gets curves.png, samples.png and samplers.md.
"""

import dataclasses
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
import models
from recipes._diffusion import model
from recipes._diffusion.args import DiffusionArgs, Objective, SamplerName, check_flags
from recipes._diffusion.exact import ExactLaw, exact_law
from recipes._diffusion.model import DiffusionData
from recipes._diffusion.processes import make_process
from recipes._diffusion.sampling import SAMPLERS, draw, make_rule
from recipes._report.judge import SampleJudge
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.fields import AtLeast1, AtLeast2, Judged
from recipes._runtime.progress import says
from recipes._runtime.run import Result, RunFolder, TrainArgs
from recipes._runtime.seeds import keys_of
from recipes._samplers.report import draw_curves, draw_samples, write_table
from recipes._samplers.study import ExactDenoiser, Judge, studied

SHOWN = {"w1_exact": "W1"}
FEWEST_EVALUATIONS = 3
"""Two steps of Heun's method, of which the last costs one evaluation."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(TrainArgs):
    """Compare samplers by the number of denoiser evaluations."""

    steps: AtLeast1 = 6000
    """Rounds of the network's training."""
    eval_every: AtLeast1 = 2000
    """Rounds between two evaluations: exact numbers, pictures, a checkpoint."""
    data: Literal["ring", "grid", "swiss_roll"] = "ring"
    """A mixture of Gaussians in the plane."""
    objective: Objective = "velocity"
    """Prediction of the network, and the noise levels that all samplers go through: see
    recipes.diffusion."""
    samplers: tuple[SamplerName, ...] = ("ddim", "ancestral", "dpm_solver", "heun")
    """Samplers that are compared."""
    evaluations: tuple[AtLeast2, ...] = (5, 9, 17, 33, 65, 129)
    """Numbers of denoiser evaluations for a sample; Heun's method takes two a step."""
    points: Judged = 4096
    """Samples of each."""
    width: AtLeast1 = 128
    """Units of a hidden layer."""
    depth: AtLeast1 = 3
    """Residual layers of the network."""
    batch_size: AtLeast1 = 256
    """Points a step sees."""


def of_diffusion(args: Args) -> DiffusionArgs:
    """The flags of the network's training, as recipes.diffusion has them."""
    return DiffusionArgs(
        data=args.data, objective=args.objective, width=args.width, depth=args.depth,
        batch_size=args.batch_size, steps=args.steps, eval_every=args.eval_every, seed=args.seed,
    )  # fmt: skip


def resolve(args: Args) -> tuple[Args, DiffusionData]:
    """The data of the flags.

    **Raises:** `UserError` for flags that cannot work.
    """
    if not args.samplers or len(set(args.samplers)) < len(args.samplers):
        raise UserError("--samplers must name at least one sampler, and none twice.")
    few = [count for count in args.evaluations if count < FEWEST_EVALUATIONS]
    if few or not args.evaluations or len(set(args.evaluations)) < len(args.evaluations):
        raise UserError(
            f"--evaluations must be numbers from {FEWEST_EVALUATIONS} on, at least one, and none "
            f"twice, got {' '.join(map(str, args.evaluations)) or 'none'}."
        )
    inner = of_diffusion(args)
    check_flags(inner)
    data = DiffusionData(inner)
    model.resolved(inner, data)
    return args, data


def _inner(args: Args, data: DiffusionData) -> Any:
    return model.resolved(of_diffusion(args), data)


def set_up(args: Args, data: DiffusionData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh network of resolved flags."""
    return model.set_up(_inner(args, data), data)


def make_solver(args: Args) -> go.AbstractSolver:
    """Descent, judged by an average of its weights."""
    return model.make_solver(of_diffusion(args))


def sample(
    args: Args, data: DiffusionData, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` samples of the trained network, by the objective's own sampler."""
    rule = make_rule(_inner(args, data), data, players.x)
    return data.unscaled(draw(rule, data.shape, key, n).x)


def run(args: Args) -> Result:
    """Trains, compares, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("samplers", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: DiffusionData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)
    keys = keys_of(args.seed, "players", "play", "samples", "study")
    law = exact_law(args.data)
    assert law is not None
    size = min(1000, args.points, len(data.scaled.points) // 2)

    def sampled(players: go.Players, labels: Any) -> Array:
        del labels
        rule = make_rule(_inner(args, data), data, players.x)
        return jnp.asarray(draw(rule, data.shape, keys.samples, size).x)

    judge = SampleJudge(folder, data, size, args.seed, sampled)

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        return players, {"data": args.data} | compare(
            args, data, law, players.x, folder, keys.study
        )

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=keys.play, evaluate=judge,
        shown=SHOWN, finish=finish,
    )  # fmt: skip


def compare(
    args: Args, data: DiffusionData, law: ExactLaw, trained: models.Denoiser, folder: RunFolder,
    key: PRNGKeyArray,
) -> dict[str, Any]:  # fmt: skip
    """All samplers by both scores; writes pictures and the table, returns the summary's part."""
    process = make_process(_inner(args, data), data.std)
    denoisers = {"exact": ExactDenoiser(law), "trained": trained}
    samplers = {name: SAMPLERS[name]() for name in args.samplers}
    judge = Judge(law, process, args.points, key)
    study = studied(judge, denoisers, samplers, sorted(args.evaluations), says)
    with says("drawing"):
        draw_curves(study, folder.path / "curves.png")
        draw_samples(study, folder.path / "samples.png")
    write_table(study, folder.path)
    most = max(args.evaluations)
    best = {
        f"w1_{line.sampler}_{line.score}": line.w1
        for line in study.lines
        if line.evaluations == most
    }
    return {"evaluations": most, **best, "w1_floor": study.floor, "off_network": study.network.off}


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
