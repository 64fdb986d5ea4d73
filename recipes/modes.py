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
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from recipes._data import Dataset, load_labelled
from recipes._modes.data import DATA, LAWS, ModeData, mixture, stacked
from recipes._modes.methods import METHODS, MODE_SOLVERS
from recipes._modes.pictures import draw_images, draw_occupancy, draw_samples, draw_scores
from recipes._modes.play import (
    SHOWN,
    SIMULTANEOUS,
    ModeSetting,
    Networks,
    Play,
    history_of,
    kept_samples,
    play_setting,
)
from recipes._modes.tables import REAL_DATA, ScoreLine, line_of, write_table_csv, write_tables
from recipes._report.classifier import CACHE, trained_classifier
from recipes._runtime import cli
from recipes._runtime.errors import UserError, check_above_zero, check_least
from recipes._runtime.fields import Typed
from recipes._runtime.progress import says
from recipes._runtime.run import FolderArgs, Result, RunFolder, open_run, write_json
from recipes._runtime.seeds import key_of
from recipes._runtime.solvers import check_names

MAY_CHANGE_ON_RESUME = ("data", "methods", "solvers", "varied")


class ModePreset(NamedTuple):
    """Defaults of the flags.

    `more_steps`: rounds on data that take more of them than `play` has.
    """

    data: tuple[str, ...]
    methods: tuple[str, ...]
    solvers: tuple[str, ...]
    play: Play
    more_steps: dict[str, int] = {}  # noqa: RUF012 - never changed


PAPER = Play(
    steps=400_000,
    seeds=10,
    learning_rate=1e-4,
    decay=False,
    batch_size=100,
    clip=0.01,
    unroll_rate=0.1,
    moments=100,
    networks=Networks(400, 4, 200, 3, pieces=5),
)
CPU = PAPER._replace(
    steps=12_000,
    seeds=4,
    learning_rate=1e-3,
    decay=True,
    clip=0.05,
    moments=25,
    networks=Networks(128, 3, 64, 2, pieces=5),
)
SMOKE = CPU._replace(steps=4000, seeds=3, moments=20, networks=Networks(64, 3, 32, 2, pieces=5))
SOLVERS_LEFT_OUT = (
    "past_extragradient", "optimistic", "lookahead_simultaneous", "consensus", "sga", "unrolled",
)  # fmt: skip
METHODS_LEFT_OUT = ("minimax", "least_squares", "hinge", "unrolled")
# Packs of points on 25 modes are not learned in less than 36 000 rounds.
WITHIN_AN_HOUR = (
    tuple(name for name in METHODS if name not in METHODS_LEFT_OUT),
    tuple(name for name in MODE_SOLVERS if name not in SOLVERS_LEFT_OUT),
)

PRESETS: dict[str, ModePreset] = {
    "smoke": ModePreset(
        ("grid",),
        ("non_saturating", "pacgan2", "wgan_gp"),
        ("simultaneous", "alternating", "extragradient"),
        SMOKE,
    ),
    "cpu": ModePreset(("ring", "grid"), *WITHIN_AN_HOUR, CPU, {"grid": 36_000}),
    "paper": ModePreset(("ring", "grid"), tuple(METHODS), tuple(MODE_SOLVERS), PAPER),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkArgs(metaclass=Typed):
    """The networks, which all methods share; what is left out is the preset's."""

    generator_width: int | None = None
    """Units of a hidden layer of the generator, batch-normalised. smoke 64, cpu 128, paper 400."""
    generator_depth: int | None = None
    """Hidden layers of the generator. smoke and cpu 3, paper 4."""
    discriminator_width: int | None = None
    """Maxout units of a hidden layer of the discriminator. smoke 32, cpu 64, paper 200."""
    discriminator_depth: int | None = None
    """Hidden layers of the discriminator. smoke and cpu 2, paper 3."""
    pieces: int | None = None
    """Pieces of a maxout unit. 5."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(FolderArgs):
    """Reproduce and measure the loss of modes."""

    preset: Literal["smoke", "cpu", "paper"] = "smoke"
    """Defaults of the other flags: a minute, an hour on two cores, or the
    published protocol, which is for a GPU."""
    data: tuple[str, ...] | None = None
    """ring (8 Gaussians), grid (25), stacked (three real digits as channels: 1000 modes)."""
    methods: tuple[str, ...] | None = None
    """GANs, of: minimax non_saturating least_squares hinge wgan_clip wgan_gp r1 pacgan2
    pacgan3 pacgan4 unrolled. Each is played by the solver that it was published with."""
    solvers: tuple[str, ...] | None = None
    """Solvers that play --varied, of: simultaneous alternating five_inner_steps extragradient
    past_extragradient optimistic lookahead_simultaneous lookahead_alternating ema_simultaneous
    consensus sga unrolled; none if no name follows."""
    varied: tuple[str, ...] = ("non_saturating",)
    """The methods that each of --solvers plays."""
    digits: Literal["digits", "mnist"] = "digits"
    """Digits of stacked images: scikit-learn's 8x8, or MNIST's files in --data-dir."""
    data_dir: Path | None = None
    """Folder with the four IDX files of mnist, gzipped or not."""
    steps: int | None = None
    """Rounds of simultaneous play; every other solver may take as many gradients. smoke 4000, cpu
    12 000 and on the grid 36 000, paper 400 000."""
    seeds: int | None = None
    """Networks and minibatches that each setting is tried on, at once. smoke 3, cpu 4, paper 10."""
    learning_rate: float | None = None
    """Adam's step size at the beginning; RMSprop has half of it. smoke and cpu 1e-3, paper 1e-4."""
    decay: bool | None = None
    """Let step sizes fall to 0 along a line. smoke and cpu do, paper does not."""
    batch_size: int | None = None
    """Points, or packs of them, that a step sees. 100."""
    clip: float | None = None
    """Bound of a clipped critic's weights. smoke and cpu 0.05, paper 0.01."""
    unroll_rate: float | None = None
    """Step size of the five imagined steps of unrolled play, which are plain. 0.1."""
    moments: int | None = None
    """Evaluations of the samples. smoke 20, cpu 25, paper 100."""
    network: NetworkArgs = NetworkArgs()
    """The networks' sizes."""


PLAYED = tuple(name for name in Play._fields if name not in ("networks", "steps"))


def resolve(args: Args) -> Args:
    """The flags with those of the preset filled in.

    **Raises:** `UserError` for flags that cannot work.
    """
    preset = PRESETS[args.preset]
    names = ("data", "methods", "solvers")
    network = _filled(args.network, preset.play.networks, Networks._fields)
    args = dataclasses.replace(args, network=network)
    args = _filled(_filled(args, preset, names), preset.play, PLAYED)
    check(args)
    return args


def _filled(args: Any, defaults: Any, names: tuple[str, ...]) -> Any:
    missing = {name: getattr(defaults, name) for name in names if getattr(args, name) is None}
    return dataclasses.replace(args, **missing)


def check(args: Args) -> None:
    """Raises a `UserError` for a flag that cannot work."""
    assert args.data is not None
    assert args.methods is not None
    assert args.solvers is not None
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
    check_least(args, 1, "steps", "seeds", "batch_size", "moments")
    check_above_zero(args, "learning_rate", "clip", "unroll_rate")
    check_least(args.network, 1, *Networks._fields, group="network.")


def play_of(args: Args, data: str) -> Play:
    """Play of the settings on some data, from resolved flags."""
    preset = PRESETS[args.preset]
    steps = args.steps or preset.more_steps.get(data, preset.play.steps)
    networks = Networks(**dataclasses.asdict(args.network))
    return Play(steps, **{name: getattr(args, name) for name in PLAYED}, networks=networks)


def settings_of(args: Args) -> tuple[list[ModeSetting], list[ModeSetting]]:
    """The settings of the methods' table, and those of the solvers' tables."""
    data, solvers = args.data or (), args.solvers or ()
    methods = [ModeSetting(d, m, METHODS[m].solver) for d in data for m in args.methods or ()]
    varied = [ModeSetting(d, m, s) for d in data for m in args.varied for s in solvers]
    return list(dict.fromkeys(methods)), list(dict.fromkeys(varied))


def digits_of(args: Args) -> tuple[Dataset, Dataset, int]:
    """The images that stacked ones are made of, as `load_labelled` gives them."""
    return load_labelled(args.digits, args.data_dir, flag="--digits")


def load_data(args: Args, cache: Path = CACHE) -> dict[str, ModeData]:
    """The data that the flags name; a classifier is trained if the modes are digits.

    **Raises:** `UserError` if files are not there or not sound.
    """
    found: dict[str, ModeData] = {}
    images = digits_of(args) if "stacked" in (args.data or ()) else None
    for name in args.data or ():
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
    """Plays all settings that the folder does not have yet, writes tables and pictures.

    **Returns:** the lines of the tables as `players`, and the summary.

    **Raises:** `UserError` for flags that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    args = resolve(args)
    if "stacked" in (args.data or ()):
        digits_of(args)  # its faults come before the folder
    folder = open_run("modes", args, MAY_CHANGE_ON_RESUME)
    print(f"writing to {folder.path}", flush=True)
    folder.write_config("modes", args, {"names": list(args.data or ())})
    data = load_data(args)
    methods, varied = settings_of(args)
    plays = {name: play_of(args, name) for name in data}
    every = list(dict.fromkeys([*methods, *varied]))
    key_play, key_real = jax.random.split(key_of(args.seed))
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
    """Draws samples, occupancy and scores of the settings of one kind on each data set."""
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
