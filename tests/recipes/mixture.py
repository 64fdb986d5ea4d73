"""A mixture of Gaussians fitted by maximum likelihood: a recipe of another family, in one file.

    python -m tests.recipes.mixture --data ring --components 8
    python -m tests.recipes.mixture --data points.csv --components 3

One player: the loss is the negative log-likelihood of a minibatch, in nats. An evaluation has that
of all data, samples beside them, and the exact W1 between the two.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go
from recipes._data.training import DataArgs, TrainingData, check_varies
from recipes._report.judge import SampleArgs, SampleJudge
from recipes._report.plots import over_time
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.fields import AtLeast1
from recipes._runtime.optimizers import OptimizerArgs, make_optimizer
from recipes._runtime.run import Result, RunFolder, TrainArgs
from recipes._runtime.seeds import keys_of

MOST_JUDGED = 10_000
"""The most points that an evaluation's likelihood is of."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(SampleArgs, DataArgs, TrainArgs):
    """Fit a mixture of spherical Gaussians."""

    data: str = "ring"
    """ring, grid, swiss_roll, or a .npy, .npz or .csv file of points."""
    components: AtLeast1 = 8
    """Gaussians of the mixture."""
    optimizer: OptimizerArgs = OptimizerArgs(learning_rate=0.02, beta1=0.9, beta2=0.999)
    """The optimizer."""
    steps: AtLeast1 = 1000
    """Rounds, that is gradient steps."""


class Mixture(eqx.Module):
    """Logits of the weights `(k,)`, means `(k, d)`, and logarithms of the deviations `(k,)`."""

    logits: Float[Array, " k"]
    means: Float[Array, "k d"]
    log_deviations: Float[Array, " k"]

    def log_prob(self, point: Float[Array, " d"]) -> Float[Array, ""]:
        """The log-density, in nats."""
        squares = jnp.sum((point[None] - self.means) ** 2, axis=1)
        precisions = jnp.exp(-2 * self.log_deviations)
        norm = self.means.shape[1] * (self.log_deviations + 0.5 * jnp.log(2 * jnp.pi))
        return jax.nn.logsumexp(jax.nn.log_softmax(self.logits) - norm - 0.5 * squares * precisions)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n d"]:
        """`n` samples."""
        key_part, key_noise = jax.random.split(key)
        part = jax.random.categorical(key_part, self.logits, shape=(n,))
        noise = jax.random.normal(key_noise, (n, self.means.shape[1]))
        return self.means[part] + jnp.exp(self.log_deviations)[part, None] * noise


class Likelihood(go.OnePlayerGame):
    """The mean negative log-likelihood of a minibatch, in nats."""

    sampler: go.Samples
    batch_size: int = eqx.field(static=True)

    def loss(self, x: Any, key: go.Key = None) -> Float[Array, ""]:
        assert key is not None
        return -jnp.mean(jax.vmap(x.log_prob)(self.sampler(key, self.batch_size)))


def resolve(args: Args) -> tuple[Args, TrainingData]:
    """The data, and the flags with what depends on them."""
    data = TrainingData(args)
    if data.scaled.points.ndim != 2:
        raise UserError(f"--data {args.data} is of kind {data.scaled.kind}; points are needed.")
    check_varies(data.scaled.points, f"--data {args.data}")
    size = min(args.eval_size, len(data.scaled.points) // 2)
    return dataclasses.replace(args, eval_size=size), data


def set_up(args: Args, data: TrainingData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the first mixture: means at random points, wide deviations."""
    points = jnp.asarray(data.scaled.points)
    rows = jax.random.randint(_keys(args).players, (args.components,), 0, len(points))
    zeros = jnp.zeros(args.components, points.dtype)
    mixture = Mixture(zeros, points[rows], zeros + jnp.log(jnp.std(points)))
    return Likelihood(data.sampler(), args.batch_size), go.Players(mixture, None)


def make_solver(args: Args) -> go.AbstractSolver:
    """Gradient descent by the flags' optimizer."""
    return go.descent(make_optimizer(args.optimizer))


def _keys(args: Args) -> Any:
    return keys_of(args.seed, "players", "play", "samples")


def sample(
    args: Args, data: TrainingData, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` samples in the units of the data."""
    return data.unscaled(players.x.sample(key, n))


def run(args: Args) -> Result:
    """Fits, writes the run folder, and returns the mixture and the summary."""
    args, data = resolve(args)
    return run_experiment("mixture", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: TrainingData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)
    all_points = jnp.asarray(data.scaled.points[:MOST_JUDGED])
    likelihood = eqx.filter_jit(lambda x: jnp.mean(jax.vmap(x.log_prob)(all_points)))
    judge = SampleJudge(
        folder, data, args.eval_size, args.seed,
        lambda players, _: players.x.sample(_keys(args).samples, args.eval_size),
        numbers=lambda players, *_: {"log_likelihood": float(likelihood(players.x))},
        score=lambda players, points: jax.vmap(players.x.log_prob)(points),
        score_label="log-density, nats",
    )  # fmt: skip

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        over_time(folder.path / "samples", folder.path / "over_time.png")
        return players, {"data": args.data, **judge.write_generated(players, args.metrics)}

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=_keys(args).play,
        evaluate=judge, shown={"log_likelihood": "nats", "w1_exact": "W1"}, finish=finish,
    )  # fmt: skip


if __name__ == "__main__":
    cli.main(Args, run)
