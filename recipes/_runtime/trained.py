"""A trained GAN from its run folder: the game, the players, and what they began as."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import gameopt as go
from recipes import gan, wgan
from recipes._runtime import checkpoint, cli
from recipes._runtime.config import read_run_config
from recipes._runtime.errors import UserError
from recipes._runtime.seeds import key_of

RECIPES: dict[str, Any] = {"wgan": wgan, "gan": gan}


class Trained(NamedTuple):
    """A GAN as a run left it.

    - `game`: the minibatch game, with batches of the size that was asked for.
    - `players`, `first`: those of the checkpoint of `round`, and those of round 0.
    - `skipped`: a line for each newer checkpoint that was not sound.
    """

    recipe: str
    data: str
    game: go.AbstractGame
    players: go.Players
    first: go.Players
    round: int
    skipped: list[str]


def load_trained(run: Path, round: int | None, batch_size: int) -> Trained:
    """The newest sound checkpoint of a run, or that of `round`, and its game.

    **Raises:** `UserError` if the folder is no run of a GAN, if its data are not there or have
    changed, or if there is no sound checkpoint.
    """
    config = _read_config(run)
    recipe, where = config["recipe"], str(run / "config.json")
    module = RECIPES[recipe]
    args = cli.args_from_json(module.Args, config["args"], where)
    args, data = module.resolve(dataclasses.replace(args, batch_size=batch_size))
    _check_data(run, config, data.describe())
    if not (run / "checkpoints").is_dir():
        raise UserError(f"{run} has no checkpoints yet, so no players to certify.")
    game, first = module.set_up(args, data)
    state = module.make_solver(args).init(game, first, key_of(args.seed))
    (players, _), at, skipped = checkpoint.load(run / "checkpoints", (first, state), round)
    return Trained(recipe, args.data, game, players, first, at, skipped)


def _read_config(run: Path) -> dict[str, Any]:
    config = read_run_config(run)
    if config["recipe"] not in RECIPES:
        known = " and ".join(f"recipes.{name}" for name in RECIPES)
        raise UserError(
            f"{run} is a run of recipes.{config['recipe']}; only those of {known} can be certified."
        )
    return config


def _check_data(run: Path, config: dict[str, Any], now: dict[str, Any]) -> None:
    """Exact densities have no checksum: there the name is all."""
    before = config["data"].get("sha256")
    if before != now.get("sha256"):
        raise UserError(
            f"{run} was trained on other data: {now['name']} has the checksum "
            f"{now.get('sha256')} now, and {before} in its config.json."
        )
