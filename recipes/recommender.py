"""Recommenders: Mult-VAE and Mult-DAE against factorisation, popularity, and the Bayes optimum.

    python -m recipes.recommender                          # generated users, about a minute
    python -m recipes.recommender --models vae --beta 0.5 --latent-size 4
    python -m recipes.recommender --data movielens --data-dir ml-100k
    python -m recipes.recommender --preset ml-20m --data-dir ml-20m    # as published; for a GPU
    python -m recipes.recommender --resume runs/recommender/20261121-120000 --steps 3000

The decoder x and the encoder y of each model minimise one loss, the multinomial likelihood of a
user's items. Held-out users are known by four fifths of their items, and the rest is to be found.
Generated users are of a low-rank law, whose optimal ranking is known and cannot be beaten but by
chance. MovieLens' file of ratings (u.data, ratings.dat, ratings.csv) is found in --data-dir; liked
are the ratings above --liked-above.

The run folder gets table.md, recommendations.csv, and pictures: validation over training, recall
by k, who is served and which items are shown, the latents of users.
"""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._data.movielens import shape_of
from recipes._latent.elbo import timed
from recipes._recommender.baselines import baselines
from recipes._recommender.best import BestRounds
from recipes._recommender.data import RecommenderData, UsersArgs, load
from recipes._recommender.game import (
    ModelName,
    MultinomialGame,
    SparseRows,
    make_players,
)
from recipes._recommender.judge import TABLE, Judge
from recipes._recommender.report import report
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.fields import AtLeast0, AtLeast1, Decay, NotNegative, Positive
from recipes._runtime.run import Result, RunFolder, TrainArgs
from recipes._runtime.seeds import keys_of

# Liang et al. 2018, section 4: batches of 500, 200 epochs, a KL that grows to weight 0.2 as if it
# were to reach 1 after 200 000 rounds.
PRESETS: dict[str, dict[str, Any]] = {
    "ml-20m": {
        "data": "movielens",
        "latent_size": 200,
        "width": 600,
        "depth": 1,
        "batch_size": 500,
        "dropout": 0.5,
        "beta": 0.2,
        "anneal_steps": 40_000,
        "steps": 46_800,
        "eval_every": 2340,
        "learning_rate": 1e-3,
        "weight_decay": 0.01,
        "als_factors": (100,),
        "als_confidences": (10.0,),
    },
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(UsersArgs, TrainArgs):
    """Train recommenders of implicit feedback and hold them against what is known."""

    preset: Literal["small", "ml-20m"] = "small"
    """The defaults of the other flags: small, or those published for ML-20M."""
    models: tuple[ModelName, ...] = ("vae", "dae")
    """Mult-VAE, Mult-DAE, or both, which then see the same batches."""
    latent_size: AtLeast1 = 16
    """Entries of a user's latent."""
    width: AtLeast1 = 128
    """Units of a hidden layer of Mult-VAE; Mult-DAE has none but its latent."""
    depth: AtLeast0 = 1
    """Hidden layers of Mult-VAE's encoder, and of its decoder."""
    dropout: Decay = 0.5
    """The share of the encoders' input that is set to 0 in training."""
    beta: NotNegative = 0.5
    """The weight of Mult-VAE's KL."""
    anneal_steps: AtLeast0 = 500
    """Rounds in which the weight of the KL grows from 0 to --beta."""
    weight_decay: NotNegative = 0.01
    """Factor of Mult-DAE's squared weights, divided by --batch-size, in its loss."""
    batch_size: AtLeast1 = 200
    """Users a step sees."""
    learning_rate: Positive = 1e-3
    """Step size of Adam, which all networks have."""
    steps: AtLeast1 = 2000
    """Rounds, that is gradient steps."""
    eval_every: AtLeast1 = 100
    """Rounds between two evaluations on the validation users, the best of which is chosen."""
    als_factors: tuple[AtLeast1, ...] = (2, 4, 8, 16)
    """Factors of the matrix factorisation: the best for the validation users is taken."""
    als_confidences: tuple[Positive, ...] = (4.0, 16.0)
    """Weights of a liked item in it, one of any other being 1; chosen likewise."""
    als_regularization: NotNegative = 1.0
    """The weight of its squared factors."""

    @classmethod
    def defaults(cls, given: Any) -> dict[str, Any]:
        """The preset's."""
        return PRESETS.get(given.get("preset", "small"), {})


def resolve(args: Args) -> tuple[Args, RecommenderData]:
    """The data of the flags.

    **Raises:** `UserError` for flags that cannot work, and data that are not there or not sound.
    """
    for name in ("models", "als_factors", "als_confidences"):
        values = getattr(args, name)
        if not values or len(set(values)) < len(values):
            flag = f"--{name.replace('_', '-')}"
            raise UserError(f"{flag} needs one or more values, each once, got {list(values)}.")
    return args, load(args)


def set_up(args: Args, data: RecommenderData) -> tuple[go.AbstractGame, go.Players]:
    """The game, and fresh networks."""
    game = MultinomialGame(
        SparseRows.of(data.train), args.batch_size, args.dropout, args.beta, args.anneal_steps,
        args.weight_decay,
    )  # fmt: skip
    sizes = (shape_of(data.train)[1], args.latent_size, args.width, args.depth)
    return game, make_players(args.models, *sizes, _keys(args).players)


def make_solver(args: Args) -> go.AbstractSolver:
    """Both players at once by Adam, and a count of the rounds, on which the KL's weight depends."""
    adam = optax.adam(args.learning_rate)
    return timed(go.Simultaneous(go.Players(adam, adam)))


def _keys(args: Args) -> Any:
    return keys_of(args.seed, "players", "play")


def sample(
    args: Args, data: RecommenderData, players: go.Players, key: PRNGKeyArray, n: int
) -> list[np.ndarray]:
    """The items of `n` users that Mult-VAE makes up, by the data's names.

    A latent of its prior is decoded, and as many distinct items are drawn as some training user
    has, one after the other with the decoder's probabilities.

    **Raises:** `UserError` for a run without Mult-VAE: Mult-DAE has no prior.
    """
    if "vae" not in players.y:
        raise UserError("Mult-DAE has no prior to draw users from; train --models vae.")
    key_latent, key_size, key_items = jax.random.split(key, 3)
    latents = jax.random.normal(key_latent, (n, args.latent_size))
    logits = jax.vmap(players.x.networks["vae"])(latents)
    # The largest of logits with Gumbel noise are draws without replacement.
    order = np.asarray(jnp.argsort(-logits - jax.random.gumbel(key_items, logits.shape), axis=1))
    sizes = np.diff(data.train.indptr)
    rows = np.asarray(jax.random.randint(key_size, (n,), 0, len(sizes)))
    return [data.items[row[:size]] for row, size in zip(order, sizes[rows], strict=True)]


def run(args: Args) -> Result:
    """Trains, compares, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("recommender", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: RecommenderData, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)
    judge, best = Judge(data.validation), BestRounds(folder, players)

    def evaluate(players: go.Players, round: int) -> dict[str, Any]:
        found = {}
        for name, encoder in players.y.items():
            measured = judge.of_model(players.x.networks[name], encoder)
            means = measured.means()
            if round % args.eval_every == 0 or round == args.steps:
                best.see(name, players, round, float(measured.ndcg.mean()))
            found |= {f"{name}_validation_{metric}": means[metric] for metric in TABLE}
        return found

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        chosen = best.players(players)
        found = report(folder, data, chosen, best.rounds, baselines(args, data, judge), judge)
        return chosen, {"data": args.data, "best_rounds": best.rounds, **found.numbers()}

    return Experiment(
        game=game, solver=make_solver(args), players=players, key=_keys(args).play,
        evaluate=evaluate, finish=finish,
        shown={f"{name}_validation_ndcg_100": f"NDCG@100 of {name}" for name in args.models},
    )  # fmt: skip


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
