"""Linear VAEs against their exact optimum, which is probabilistic PCA.

    python -m recipes.linear_vae                             # real 8x8 digits, about a minute
    python -m recipes.linear_vae --latent-size 20 --gradients sampled
    python -m recipes.linear_vae --data mnist --data-dir DIR --latent-sizes 2 10 50
    python -m recipes.linear_vae --resume runs/linear_vae/20261121-120000   # goes on where it ended

Decoder x and encoder y, both affine, raise the evidence lower bound, whose maximum is known. The
run folder gets the bound beside it; studies.md: trained bounds for several latent sizes, active
units for fixed variances (posterior collapse) as predicted, rates and distortions for several
beta; rates.md: the local rates of expectation maximisation and of gradient play, as measured and in
closed form; pictures of each.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
import theory
from recipes._data.training import DataArgs, TrainingData, check_varies
from recipes._linear_vae import pictures, studies
from recipes._linear_vae.game import SampledLinearVAE, fresh_players
from recipes._linear_vae.rates import measured_rates
from recipes._linear_vae.studies import Spectrum, exact_game, spectrum_of
from recipes._report import tables
from recipes._report.judge import SampleArgs, SampleJudge
from recipes._report.plots import over_time
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.fields import AtLeast1, Positive
from recipes._runtime.optimizers import (
    OptimizerArgs,
    adam,
    check_decay,
    decaying,
    make_optimizer,
)
from recipes._runtime.progress import says
from recipes._runtime.run import Result, RunFolder, TrainArgs
from recipes._runtime.seeds import keys_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(SampleArgs, DataArgs, TrainArgs):
    """Train a linear VAE and hold it against probabilistic PCA."""

    steps: AtLeast1 = 4000
    """Rounds."""
    eval_every: AtLeast1 = 250
    """Rounds between two evaluations: the exact bound, pictures, a checkpoint."""
    latent_size: AtLeast1 = 8
    """Numbers in a code."""
    gradients: Literal["exact", "sampled"] = "exact"
    """Gradients of the exact expectation over all data, or of minibatches with a code a point."""
    optimizer: OptimizerArgs = adam(1e-2, decay_steps=4000)
    """The optimizer of both players. By default the step size falls for as long as --steps."""
    latent_sizes: tuple[AtLeast1, ...] = (2, 5, 10, 20)
    """Latent sizes of a study: each is trained and held against its optimum."""
    betas: tuple[Positive, ...] = (0.3, 1.0, 3.0, 10.0)
    """Weights of the rate in another; the decoder's variance is fixed there."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """A step size that falls for as long as the run trains."""
        return decaying(given, adam(1e-2), 4000)


class LinearData:
    """The data as flat points, and their moments.

    - `data`: as they were loaded. `points`: shape `(n, d)`. `spectrum`: moments in float64.
    """

    def __init__(self, args: Args):
        self.data = TrainingData(args)
        check_varies(self.data.scaled.points, f"--data {args.data}")
        self.points = self.data.scaled.points.reshape(len(self.data.scaled.points), -1)
        self.spectrum: Spectrum = spectrum_of(self.points)

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return self.data.describe()

    def __str__(self) -> str:
        return str(self.data)


def resolve(args: Args) -> tuple[Args, LinearData]:
    """The data, and the flags with what depends on them.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    check_decay(args.optimizer, args.steps)
    data = LinearData(args)
    values = data.spectrum.eigenvalues
    most = int(np.sum(values > 1e-9 * values[0])) - 1
    for flag, size in (("latent-size", args.latent_size),
                       *(("latent-sizes", size) for size in args.latent_sizes)):  # fmt: skip
        if size > most:
            raise UserError(
                f"--{flag} {size}: --data {args.data} varies in {most + 1} directions, and a model "
                f"with noise has at most {most} latents; take fewer."
            )
    size = min(args.eval_size, len(data.points) // 2)
    return dataclasses.replace(args, eval_size=size), data


def _keys(args: Args) -> Any:
    return keys_of(args.seed, "players", "play", "samples", "studies", "rates")


def set_up(args: Args, data: LinearData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    game = exact_game(data.spectrum)
    players = fresh_players(args.latent_size, game.mean, _keys(args).players, jnp.zeros(()))
    if args.gradients == "sampled":
        return SampledLinearVAE(
            go.Samples(jnp.asarray(data.points)), args.batch_size, game.beta
        ), players
    return game, players


def make_solver(args: Args) -> go.AbstractSolver:
    """Descent of both players at once."""
    optimizer = make_optimizer(args.optimizer)
    return go.Simultaneous(go.Players(optimizer, optimizer))


def sample(
    args: Args, data: LinearData, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` draws of the model, noise included, in the units of the data."""
    x = players.x
    model = theory.LinearGaussian(x.weights, x.mean, x.variance())
    points = model.sample(key, n)
    return data.data.unscaled(points.reshape(n, *data.data.scaled.points.shape[1:]))


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("linear_vae", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: LinearData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)
    exact, keys = exact_game(data.spectrum), _keys(args)
    shape = data.data.scaled.points.shape[1:]
    with jax.enable_x64(True):
        best = float(theory.pca_log_likelihood(data.spectrum.eigenvalues, args.latent_size))
        variance = float(theory.best_variance(data.spectrum.eigenvalues, args.latent_size))

    def numbers(players: go.Players, *_: Any) -> dict[str, Any]:
        elbo = -float(exact.loss(players))
        found = {"elbo": elbo, "optimum": best, "gap": best - elbo}
        found["active_units"] = studies.active_units(players.y, data.spectrum)
        return found | {"variance": float(players.x.variance())}

    def sampled(players: go.Players, _: Any) -> Any:
        means = jax.random.normal(keys.samples, (args.eval_size, args.latent_size))
        points = means @ players.x.weights.T + players.x.mean[None]
        return points.reshape(-1, *shape)

    judge = SampleJudge(folder, data.data, args.eval_size, args.seed, sampled, numbers=numbers)

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        over_time(folder.path / "samples", folder.path / "over_time.png")
        pictures.draw_curves(folder, best, variance)
        if data.data.scaled.kind == "image":
            _draw_directions(folder, data, players.x, shape)
        head = {"data": args.data, **judge.write_generated(players, args.metrics)}
        return players, head | write_studies(folder, args, data.spectrum)

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=keys.play, evaluate=judge,
        shown={"elbo": "ELBO", "optimum": "optimum", "active_units": "active units"},
        finish=finish,
    )  # fmt: skip


def _draw_directions(folder: RunFolder, data: LinearData, x: Any, shape: tuple[int, ...]) -> None:
    weights = np.asarray(x.weights).T
    lengths = np.linalg.norm(weights, axis=1)
    order = np.argsort(-lengths)[:8]
    units = weights[order] / np.maximum(lengths[order], 1e-12)[:, None]
    axes = np.linalg.eigh(data.spectrum.covariance)[1].T[::-1][: len(order)]
    pictures.draw_directions(folder, units, axes, shape)


def write_studies(folder: RunFolder, args: Args, data: Spectrum) -> dict[str, Any]:
    """Writes studies.md and rates.md with their pictures; returns the summary's numbers."""
    keys, size = _keys(args), args.latent_size
    with says("latent sizes"):
        sizes = studies.sizes_table(data, args.latent_sizes, keys.studies)
    with says("posterior collapse"):
        collapse = studies.collapse_table(data, size, keys.studies)
    with says("rate and distortion"):
        curve = studies.rate_distortion(data, size, args.betas, keys.studies)
    with says("local rates"):
        rates = measured_rates(data, size, keys.rates)
    heads = ["latents", "trained ELBO", "optimum", "gap, nats", "variance", "optimal variance"]
    text = "## Trained bound and probabilistic PCA\n\n" + tables.markdown(heads, sizes)
    heads = ["fixed variance", "active units, predicted", "trained"]
    text += "\n## Posterior collapse\n\n" + tables.markdown(heads, collapse)
    heads = ["beta", "rate, nats", "exact", "distortion, nats", "exact"]
    text += "\n## Rate and distortion\n\n" + tables.markdown(heads, curve.rows())
    (folder.path / "studies.md").write_text(text, encoding="utf-8")
    heads = ["solver", "exact rate", "measured", "standard error", "rounds"]
    lines = [
        [m.name, f"{m.exact:.6f}", f"{m.measured:.6f}", f"{m.error:.1e}", int(m.rounds[-1])]
        for m in rates
    ]
    (folder.path / "rates.md").write_text(tables.markdown(heads, lines), encoding="utf-8")
    pictures.draw_studies(folder, data, collapse, size, curve)
    pictures.draw_rates(folder, rates)
    em = rates[0]
    return {
        "largest_gap": max(row[3] for row in sizes),
        "collapse_as_predicted": all(row[1] == row[2] for row in collapse),
        "em_rate": em.exact, "em_rate_measured": em.measured,
    }  # fmt: skip


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
