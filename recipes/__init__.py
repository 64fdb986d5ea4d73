"""Experiments, one a file: `python -m recipes` lists them. `load_run` reads a run back.

run = recipes.load_run("runs/dcgan/20261121-120000")
images = run.sample(jax.random.key(0), 64)
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes._runtime.signals import quiet_while_importing
from recipes._runtime.start import check_start

if TYPE_CHECKING:
    from types import ModuleType

    from recipes._runtime.trained import TrainedRun

quiet_while_importing()
check_start()


def load_run(
    folder: str | Path,
    round: int | None = None,
    module: "ModuleType | None" = None,
    **changes: Any,
) -> "TrainedRun":
    """A run of any recipe that trains, from its folder: its flags, data, game, players, samples.

    **Arguments:**

    - `folder`: of the run; of one part of it, where a recipe trains several games.
    - `round`: of the checkpoint; the newest sound one by default.
    - `module`: the recipe, where it is a file of your own.
    - `changes`: flags in place of the run's, such as `batch_size`, that leave the players' shapes.

    **Raises:** `UserError` if the folder is no run of a recipe that trains, if its data are not
    there or have changed, or if there is no sound checkpoint.
    """
    # Imported here, because every start of a recipe imports this package first.
    from recipes._runtime.trained import load_run

    return load_run(folder, round, module, **changes)
