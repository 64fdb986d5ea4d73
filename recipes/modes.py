"""Mode collapse of GANs: published methods and solvers on data with known modes.

    python -m recipes.modes                                # a minute: half of 25 modes are lost
    python -m recipes.modes --preset cpu                   # an hour on two cores: PacGAN's table
    python -m recipes.modes --preset paper                 # its exact protocol, for a GPU
    python -m recipes.modes --data grid --methods non_saturating pacgan2 --solvers
    python -m recipes.modes --data stacked                 # three real digits: 1000 modes
    python -m recipes.modes --resume RUN --data ring grid  # goes on, or adds to a table

Each of --methods is played by the solver that it was published with; each of --solvers plays each
of --varied. Every play has the same number of gradients, and all its seeds are one compiled
program. Networks and optimizers are PacGAN's; what a preset reduces is in config.json.
"""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._data import Dataset, load_labelled
from recipes._modes.data import DATA, LAWS, ModeData, mixture, stacked
from recipes._modes.methods import METHODS, MODE_SOLVERS
from recipes._modes.pictures import draw_images, draw_occupancy, draw_samples, draw_scores
from recipes._modes.play import (
    SHOWN,
    SIMULTANEOUS,
    ModePlay,
    ModeSetting,
    NetworkArgs,
    history_of,
    kept_samples,
    make_solver as solver_of,
    play_setting,
    set_up as set_up_setting,
)
from recipes._modes.tables import REAL_DATA, ScoreLine, line_of, write_table_csv, write_tables
from recipes._report.classifier import CACHE, trained_classifier
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1, Positive
from recipes._runtime.progress import says
from recipes._runtime.run import FolderArgs, Result, RunFolder, open_run, write_json
from recipes._runtime.seeds import key_of
from recipes._runtime.solvers import check_names

MAY_CHANGE_ON_RESUME = ("data", "methods", "solvers", "varied")


SOLVERS_LEFT_OUT = (
    "past_extragradient", "optimistic", "lookahead_simultaneous", "consensus", "sga", "unrolled",
)  # fmt: skip
METHODS_LEFT_OUT = ("minimax", "least_squares", "hinge", "unrolled")
# Packs of points on 25 modes are not learned in less than 36 000 rounds.
WITHIN_AN_HOUR = (
    tuple(name for name in METHODS if name not in METHODS_LEFT_OUT),
    tuple(name for name in MODE_SOLVERS if name not in SOLVERS_LEFT_OUT),
)

# "smoke", the defaults of the class, is a minute.
PRESETS: dict[str, dict[str, Any]] = {
    "cpu": {
        "data": ("ring", "grid"),
        "methods": WITHIN_AN_HOUR[0],
        "solvers": WITHIN_AN_HOUR[1],
        "steps": 12_000,
        "grid_factor": 3,
        "seeds": 4,
        "moments": 25,
        "network": NetworkArgs(
            generator_width=128, generator_depth=3, discriminator_width=64, discriminator_depth=2
        ),
    },
    # Lin et al. 2018, section 4 and appendix.
    "paper": {
        "data": ("ring", "grid"),
        "methods": tuple(METHODS),
        "solvers": tuple(MODE_SOLVERS),
        "steps": 400_000,
        "seeds": 10,
        "learning_rate": 1e-4,
        "decay": False,
        "clip": 0.01,
        "moments": 100,
        "network": NetworkArgs(
            generator_width=400, generator_depth=4, discriminator_width=200, discriminator_depth=3
        ),
    },
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(FolderArgs):
    """Reproduce and measure the loss of modes."""

    preset: Literal["smoke", "cpu", "paper"] = "smoke"
    """Defaults of the other flags: a minute, an hour on two cores, or the
    published protocol, which is for a GPU."""
    data: tuple[str, ...] = ("grid",)
    """ring (8 Gaussians), grid (25), stacked (three real digits as channels: 1000 modes)."""
    methods: tuple[str, ...] = ("non_saturating", "pacgan2", "wgan_gp")
    """GANs, of: minimax non_saturating least_squares hinge wgan_clip wgan_gp r1 pacgan2
    pacgan3 pacgan4 unrolled. Each is played by the solver that it was published with."""
    solvers: tuple[str, ...] = ("simultaneous", "alternating", "extragradient")
    """Solvers that play --varied, of: simultaneous alternating five_inner_steps extragradient
    past_extragradient optimistic lookahead_simultaneous lookahead_alternating ema_simultaneous
    consensus sga unrolled; none if no name follows."""
    varied: tuple[str, ...] = ("non_saturating",)
    """The methods that each of --solvers plays."""
    digits: Literal["digits", "mnist"] = "digits"
    """Digits of stacked images: scikit-learn's 8x8, or MNIST's files in --data-dir."""
    data_dir: Path | None = None
    """Folder with the four IDX files of mnist, gzipped or not."""
    steps: AtLeast1 = 4000
    """Rounds of simultaneous play; every other solver may take as many gradients."""
    grid_factor: AtLeast1 = 1
    """Times --steps on the grid. Default of --preset cpu: 3, unless --steps is given."""
    seeds: AtLeast1 = 3
    """Networks and minibatches that each setting is tried on, at once."""
    learning_rate: Positive = 1e-3
    """Adam's step size at the beginning; RMSprop has half of it."""
    decay: bool = True
    """Let step sizes fall to 0 along a line."""
    batch_size: AtLeast1 = 100
    """Points, or packs of them, that a step sees."""
    clip: Positive = 0.05
    """Bound of a clipped critic's weights."""
    unroll_rate: Positive = 0.1
    """Step size of the five imagined steps of unrolled play, which are plain."""
    moments: AtLeast1 = 20
    """Evaluations of the samples."""
    network: NetworkArgs = NetworkArgs()
    """The networks' sizes."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The preset's; rounds that are given are those of all data."""
        own = PRESETS.get(given.get("preset", "smoke"), {})
        return own | ({"grid_factor": 1} if "steps" in given else {})


PLAYED = tuple(name for name in ModePlay._fields if name != "steps")


def check(args: Args) -> None:
    """Raise a `UserError` for a flag that cannot work."""
    check_names("--data", args.data, DATA)
    if args.methods:
        check_names("--methods", args.methods, tuple(METHODS))
    if args.solvers:
        check_names("--solvers", args.solvers, tuple(MODE_SOLVERS))
        check_names("--varied", args.varied, tuple(METHODS))
    if not args.methods and not args.solvers:
        raise UserError("--methods and --solvers are both empty; name at least one of either.")
    if "stacked" in args.data and args.digits == "mnist" and args.data_dir is None:
        raise UserError("--digits mnist needs --data-dir, the folder of its four IDX files.")


def play_of(args: Args, data: str) -> ModePlay:
    """Play of the settings on some data."""
    steps = args.steps * (args.grid_factor if data == "grid" else 1)
    return ModePlay(steps, **{name: getattr(args, name) for name in PLAYED})


def settings_of(args: Args) -> tuple[list[ModeSetting], list[ModeSetting]]:
    """The settings of the methods' table, and those of the solvers' tables."""
    data, solvers = args.data, args.solvers
    methods = [ModeSetting(d, m, METHODS[m].solver) for d in data for m in args.methods]
    varied = [ModeSetting(d, m, s) for d in data for m in args.varied for s in solvers]
    return list(dict.fromkeys(methods)), list(dict.fromkeys(varied))


@dataclasses.dataclass(frozen=True)
class ModeSets:
    """Data with known modes, by name."""

    sets: dict[str, ModeData]

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return {"names": list(self.sets)}


def part_of(args: Args, folder: str) -> Args:
    """The flags of one setting, from the name of its folder."""
    data, method, solver = folder.split("-")
    changes = {"data": (data,), "varied": (method,), "solvers": (solver,)}
    return dataclasses.replace(args, methods=(), **changes)


def resolve(args: Args) -> tuple[Args, ModeSets]:
    """The flags and their data.

    **Raises:** `UserError` for flags that cannot work, or files that are not there or not sound.
    """
    check(args)
    return args, ModeSets(load_data(args))


def set_up(args: Args, data: ModeSets) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players, with a first axis of seeds, of the flags of one setting."""
    (setting,) = settings_of(args)[1]
    play, key = play_of(args, setting.data), play_key(args)
    return set_up_setting(setting, data.sets[setting.data], play, key)


def make_solver(args: Args) -> go.AbstractSolver:
    """The solver of the flags of one setting."""
    (setting,) = settings_of(args)[1]
    return solver_of(setting, play_of(args, setting.data))


def sample(
    args: Args, data: ModeSets, players: go.Players, key: PRNGKeyArray, n: int
) -> np.ndarray:
    """`n` samples of every seed's generator, shape `(seeds, n, *shape)`."""
    (entry,) = data.sets.values()
    latents = jax.random.normal(key, (n, entry.latent_size))
    axes = jax.tree.map(eqx.if_array(0), players.x)
    of_one = lambda generator: go.generated(generator, latents)
    return np.asarray(eqx.filter_vmap(of_one, in_axes=(axes,))(players.x))


def play_key(args: Args) -> PRNGKeyArray:
    """The key of every setting's play; the other of the two is of real samples."""
    return jax.random.split(key_of(args.seed))[0]


def digits_of(args: Args) -> tuple[Dataset, Dataset, int]:
    """The images that stacked ones are made of, as `load_labelled` gives them."""
    return load_labelled(args.digits, args.data_dir, flag="--digits")


def load_data(args: Args, cache: Path = CACHE) -> dict[str, ModeData]:
    """The data that the flags name; a classifier is trained if the modes are digits.

    **Raises:** `UserError` if files are not there or not sound.
    """
    found: dict[str, ModeData] = {}
    images = digits_of(args) if "stacked" in args.data else None
    for name in args.data:
        if name in LAWS:
            key = jax.random.fold_in(key_of(args.seed), DATA.index(name))
            found[name] = mixture(name, key)
        elif images is not None:
            train, held_out, classes = images
            classifier, accuracy = trained_classifier(train, held_out, classes, cache=cache)
            print(f"stacked {args.digits}: classifier right about {100 * accuracy:.1f} % held out")
            found[name] = stacked(train, classifier, held_out)
    return found


def real_line(data: ModeData, key: jax.Array, seeds: int) -> ScoreLine:
    """The scores of as many fresh real points: what a perfect generator has, but for chance."""
    keys = jax.random.split(key, max(seeds, 3))
    coverage = jax.lax.map(lambda key: data.judge(data.fresh(key, data.samples)), keys)
    last = {name: np.asarray(value) for name, value in coverage._asdict().items()}
    setting = {"data": data.name, "method": REAL_DATA, "solver": REAL_DATA}
    return line_of(setting, [last], data.modes)


def run(args: Args) -> Result:
    """Play all settings that the folder does not have yet, write tables and pictures.

    **Returns:** the lines of the tables as `players`, and the summary.

    **Raises:** `UserError` for flags that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    check(args)
    if "stacked" in args.data:
        digits_of(args)  # its faults come before the folder
    folder = open_run("modes", args, MAY_CHANGE_ON_RESUME)
    print(f"writing to {folder.path}", flush=True)
    folder.write_config("modes", args, {"names": list(args.data)})
    data = load_data(args)
    methods, varied = settings_of(args)
    plays = {name: play_of(args, name) for name in data}
    every = list(dict.fromkeys([*methods, *varied]))
    key_play, key_real = play_key(args), jax.random.split(key_of(args.seed))[1]
    lines: dict[ModeSetting, ScoreLine] = {}
    for index, setting in enumerate(every):
        print(f"{index + 1} of {len(every)}: {setting}", flush=True)
        play = plays[setting.data]
        history = play_setting(setting, data[setting.data], play, key_play, folder)
        lines[setting] = line_of(setting._asdict(), history, data[setting.data].modes)
    with says("judging real data"):
        real = [real_line(entry, key_real, plays[name].seeds) for name, entry in data.items()]
    of = lambda settings: [lines[setting] for setting in settings]
    budgets = {name: play.steps * SIMULTANEOUS for name, play in plays.items()}
    write_tables(of(methods), of(varied), real, data, budgets, folder.path / "table.md")
    write_table_csv([*real, *lines.values()], folder.path / "table.csv")
    for kind, settings in (("methods", methods), ("solvers", varied)):
        with says(f"drawing {kind}"):
            draw(folder, kind, settings, data, budgets, key_real)
    print((folder.path / "table.md").read_text(encoding="utf-8"))
    summary: dict[str, Any] = {
        "recipe": "modes",
        "preset": args.preset,
        "settings": len(every),
        "gradients": budgets,
        "modes": {str(setting): line["captured"] for setting, line in lines.items()},
        "seconds": round(time.perf_counter() - begin, 1),
        "folder": str(folder.path),
    }
    write_json(folder.path / "summary.json", summary)
    return Result(list(lines.values()), folder.path, summary)


def draw(
    folder: RunFolder,
    kind: str,
    settings: list[ModeSetting],
    data: dict[str, ModeData],
    budgets: dict[str, int],
    key: jax.Array,
) -> None:
    """Draw samples, occupancy and scores of the settings of one kind on each data set."""
    for name, entry in data.items():
        mine = [setting for setting in settings if setting.data == name]
        if not mine:
            continue
        path_of = lambda what, name=name: folder.path / f"{what}_{name}_{kind}.png"
        parts = {setting: folder.path / setting.folder for setting in mine}
        kept = {setting: kept_samples(path) for setting, path in parts.items()}
        histories = {setting: history_of(path) for setting, path in parts.items()}
        real = np.asarray(entry.fresh(key, SHOWN))
        if entry.is_plane:
            draw_samples(kept, real, path_of("samples"))
            draw_occupancy(histories, entry.modes, path_of("occupancy"))
        else:
            draw_images(kept, real, path_of("samples"))
        draw_scores(histories, entry, budgets[name], path_of("scores"))


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
