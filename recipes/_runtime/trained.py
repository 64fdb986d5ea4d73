"""A run read back: its flags, data, game and players, and samples of what was trained."""

import dataclasses
import functools
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._runtime import checkpoint
from recipes._runtime.cli import args_from_json
from recipes._runtime.config import read_run_config
from recipes._runtime.errors import UserError
from recipes._runtime.renamed import with_present_names
from recipes._runtime.seeds import key_of


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A run as its checkpoint has it.

    - `folder`, `recipe`, `module`: where it is, and the recipe that wrote it.
    - `args`, `data`: its resolved flags, and what it was trained on.
    - `game`, `solver`: those of the training.
    - `players`, `state`: of the checkpoint of `round`. `first`: the players of round 0.
    - `skipped`: a line for each newer checkpoint that was not sound.
    """

    folder: Path
    recipe: str
    module: ModuleType
    args: Any
    data: Any
    game: go.AbstractGame
    solver: go.AbstractSolver
    players: go.Players
    state: Any
    first: go.Players
    round: int
    skipped: list[str]

    @functools.cached_property
    def evaluated(self) -> go.Players:
        """The players as the recipe judges them: their moving averages, where it keeps some."""
        return self.solver.evaluate(self.players, self.state)

    def sample(self, key: PRNGKeyArray, n: int) -> Any:
        """`n` samples of the trained model, in the units of the data as they came.

        **Raises:** `UserError` if the recipe trains nothing that has samples.
        """
        if not hasattr(self.module, "sample"):
            raise UserError(f"recipes.{self.recipe} trains nothing that samples are drawn from.")
        return self.module.sample(self.args, self.data, self.evaluated, key, n)


def load_run(
    folder: str | Path, round: int | None = None, module: ModuleType | None = None, **changes: Any
) -> TrainedRun:
    """See `recipes.load_run`."""
    folder = Path(folder)
    run, part = _run_of(folder)
    config = read_run_config(run)
    module = _module(config["recipe"], run) if module is None else module
    fields = [field.name for field in dataclasses.fields(module.Args)]
    saved = with_present_names(config["args"], fields)
    args = args_from_json(module.Args, saved, str(run / "config.json"))
    if hasattr(module, "part_of"):
        parts = sorted(path.parent.name for path in run.glob("*/checkpoints"))
        if part not in parts:
            named = ", ".join(str(run / name) for name in parts) or "none yet"
            raise UserError(f"{run} has a folder for each game that it trained; give one: {named}.")
        args = module.part_of(args, part)
    args, data = module.resolve(dataclasses.replace(args, **changes))
    _check_data(run, config, data.describe())
    if not (folder / "checkpoints").is_dir():
        raise UserError(f"{folder} has no checkpoints yet, so no players to load.")
    game, first = module.set_up(args, data)
    solver = module.make_solver(args)
    state = solver.init(game, first, key_of(args.seed))
    (players, state), at, skipped = checkpoint.load(folder / "checkpoints", (first, state), round)
    return TrainedRun(
        folder,
        config["recipe"],
        module,
        args,
        data,
        game,
        solver,
        players,
        state,
        first,
        at,
        skipped,
    )


def _run_of(folder: Path) -> tuple[Path, str | None]:
    """The folder of the run, and the name of the part, where the folder is one."""
    if (folder / "checkpoints").is_dir() and not (folder / "config.json").is_file():
        return folder.parent, folder.name
    return folder, None


def _module(recipe: str, run: Path) -> ModuleType:
    root = Path(__file__).parent.parent
    if not (recipe.isidentifier() and (root / f"{recipe}.py").is_file()):
        raise UserError(f"{run} is a run of recipes.{recipe}, which there is not here.")
    module = importlib.import_module(f"recipes.{recipe}")
    if not hasattr(module, "set_up"):
        parts = sorted(path.parent.name for path in run.glob("*/config.json"))
        hint = f"; give the folder of one of its runs: {', '.join(parts)}" if parts else ""
        raise UserError(f"{run} is a run of recipes.{recipe}, which leaves no players{hint}.")
    return module


def _check_data(run: Path, config: dict[str, Any], now: dict[str, Any]) -> None:
    """Exact densities have no checksum: there the name is all."""
    before = config["data"].get("sha256")
    if before != now.get("sha256"):
        raise UserError(
            f"{run} was trained on other data: {now['name']} has the checksum "
            f"{now.get('sha256')} now, and {before} in its config.json."
        )
