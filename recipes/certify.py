"""Certify whether trained players are at an equilibrium, of which kind, and whether it attracts.

    python -m recipes.certify runs/gan/20261121-120000              # a run's newest checkpoint
    python -m recipes.certify RUN --round 2000 --samples 1797       # an earlier one, more points
    python -m recipes.certify --game forsaken                       # a toy, against what is known

A run of recipes.wgan, gan, dcgan, cgan or tabular is loaded by its config.json, and its data's
checksum must match. Certified is the deterministic game of --samples points, the mean over
minibatches that --seed draws once; every verdict speaks of that game, and is yes or no only where
an error argument says so. RUN/certificate/ gets report.txt, certificate.json and pictures.
A toy's known critical points stand beside those that Newton's method finds from many starts.
"""

import dataclasses
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import tyro

import gameopt as go
from recipes._certify.certificates import FROM_START, certify, line_of, stated_game
from recipes._certify.pictures import draw_densities, draw_path_angles, draw_spectra
from recipes._certify.toys import certify_toy, draw_toy, toy_table
from recipes._planar.games import PLANAR_GAMES
from recipes._runtime import cli
from recipes._runtime.config import read_run_config
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast0, AtLeast1, Positive
from recipes._runtime.progress import says
from recipes._runtime.run import FolderArgs, Result, RunFolder, open_run, write_json
from recipes._runtime.seeds import key_of
from recipes._runtime.solvers import check_names
from recipes._runtime.trained import TrainedRun, load_run

CERTIFIED = ("wgan", "gan", "dcgan", "cgan", "tabular")
"""Recipes that train a GAN by minibatches."""
LONG = ("eigenvalues", "paths")
"""What a certificate lists at length, and the summary leaves to certificate.json."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(FolderArgs):
    """Certify a trained GAN, or the critical points of a game on the plane."""

    run: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = None
    """Folder of a run of recipes.wgan, gan, dcgan, cgan or tabular; or leave it out for --game."""
    game: str | None = None
    """A game on the plane: a name of gameopt.TOY_GAMES, or another of recipes.phase_portrait."""
    round: AtLeast0 | None = None
    """Which checkpoint of RUN; the newest sound one if left out."""
    samples: AtLeast1 = 1024
    """Points of the finite-sample game that is certified."""
    batch_size: AtLeast1 = 256
    """Points that are in memory at once; the game is the mean over minibatches of so many."""
    matvecs: AtLeast1 = 48
    """Products that each Krylov space takes; more see the spectrum's ends sharper."""
    density: bool = False
    """Also the density of all eigenvalues of either own Hessian; doubles the time."""
    precision: Literal["float32", "float64"] = "float32"
    """Of a run's certificate; float64 sees smaller eigenvalues, and takes two to three times as
    long. Toys are certified in float64."""
    learning_rate: Positive | None = None
    """Step size at which rounds of gradient play are judged. Default 0.01 for a game; a run is not
    judged so, because its optimizer's rounds are others."""
    starts: AtLeast1 = 2000
    """For a game: from how many random points of its window critical points are sought."""


def check(args: Args) -> None:
    """Raise a `UserError` for a flag that cannot work."""
    if (args.run is None) == (args.game is None):
        raise UserError("give either the folder of a run or --game and a name, and not both.")
    if args.game is not None:
        check_names("--game", (args.game,), tuple(PLANAR_GAMES))
    if args.run is not None and args.out is not None:
        run = args.run.resolve()
        if args.out.resolve() in (run, *run.parents):
            raise UserError(f"--out {args.out} holds the run itself; choose another folder.")
    if args.game is not None and args.round is not None:
        raise UserError("--round is a checkpoint of a run; leave it out with --game.")


def run(args: Args) -> Result:
    """Certifies, draws, and returns the report, or the reports of a toy's points.

    **Raises:** `UserError` for flags or a run that cannot work, before anything is compiled.
    """
    check(args)
    return _certify_game(args) if args.run is None else _certify_run(args, args.run)


def _certify_run(args: Args, path: Path) -> Result:
    begin = time.perf_counter()
    with says("loading the run"):
        trained = _load_gan(path, args)
    for line in trained.skipped:
        print(line, file=sys.stderr)
    args = args if args.out is not None else dataclasses.replace(args, out=path / "certificate")
    folder = open_run("certify", args, None)
    folder.write_config("certify", args, {"name": trained.args.data})
    print(f"recipes.{trained.recipe} on {trained.args.data}, round {trained.round}")
    print(f"writing to {folder.path}", flush=True)
    with jax.enable_x64(args.precision == "float64"):
        cast = lambda tree: _cast(tree, args.precision)
        players, first = cast(trained.players), cast(trained.first)
        key = key_of(args.seed)
        game = stated_game(cast(trained.game), args.samples, args.batch_size, key)
        with says("the certificate"):
            certificate = certify(
                game,
                players,
                {FROM_START: first},
                num_matvecs=args.matvecs,
                learning_rate=args.learning_rate,
                alphas=151,
            )
        line = {"round": trained.round, **line_of(certificate)}
        if args.density:
            with says("densities of eigenvalues"):
                draw_densities(_densities(game, players, args), folder.path / "density.png")
    draw_spectra([line], folder.path / "spectrum.png")
    draw_path_angles([line], folder.path / "path_angle.png")
    seconds = round(time.perf_counter() - begin, 1)
    report = f"{_heading(args, trained, game)}\n\n{certificate.report}\n"
    head = {"run": str(path), "round": trained.round, "data": trained.args.data}
    short = {name: value for name, value in line.items() if name not in LONG}
    summary = {"recipe": "certify", **head, **short, "seconds": seconds}
    summary["folder"] = str(folder.path)
    return _finish(folder, report, line, summary, certificate.report)


def _load_gan(path: Path, args: Args) -> TrainedRun:
    """The run with minibatches of the certificate's size."""
    recipe = read_run_config(path)["recipe"]
    if recipe not in CERTIFIED:
        known = ", ".join(f"recipes.{name}" for name in CERTIFIED)
        raise UserError(f"{path} is a run of recipes.{recipe}; those of {known} can be certified.")
    return load_run(path, args.round, batch_size=args.batch_size)


def _cast(tree: Any, precision: str) -> Any:
    dtype = jnp.dtype(precision)
    return jax.tree.map(lambda a: a.astype(dtype) if eqx.is_inexact_array(a) else a, tree)


def _densities(
    game: go.AbstractGame, players: go.Players, args: Args
) -> dict[str, go.SpectralDensity]:
    one = lambda which: go.spectral_density(
        game, players, which=which, num_probes=2, num_matvecs=args.matvecs, seed=args.seed
    )
    return {
        "the generator's own Hessian": one("hessian_x"),
        "the discriminator's or critic's own Hessian": one("hessian_y"),
    }


def _heading(args: Args, trained: TrainedRun, game: go.AbstractGame) -> str:
    batches = -(-args.samples // args.batch_size)
    return (
        f"{args.run}: recipes.{trained.recipe} on {trained.args.data}, round {trained.round}.\n"
        f"The game certified is the mean over {batches} minibatches of {args.batch_size} points, "
        f"drawn once (seed {args.seed}), in {args.precision}."
    )


def _certify_game(args: Args) -> Result:
    begin = time.perf_counter()
    assert args.game is not None
    folder = open_run("certify", args, None)
    folder.write_config("certify", args, {"name": args.game})
    print(f"writing to {folder.path}", flush=True)
    rate = 0.01 if args.learning_rate is None else args.learning_rate
    with jax.enable_x64(True):
        planar = PLANAR_GAMES[args.game]
        with says("critical points and their certificates"):
            lines, reports, count = certify_toy(planar, args.starts, rate, args.seed)
        draw_toy(planar, lines, f"{args.game}: critical points", folder.path / "points.png")
        tables = [f"point {i + 1}\n{report}" for i, report in enumerate(reports)]
    head = f"{args.game}: {count} points from {args.starts} starts; each verdict published / found"
    report = "\n\n".join([f"{head}\n\n{toy_table(lines)}", *tables]) + "\n"
    told = [line["agrees"] for line in lines if line["agrees"] is not None]
    missed = sum(line["starts_that_ended_here"] == 0 for line in lines)
    summary = {
        "recipe": "certify",
        "game": args.game,
        "points_found": count,
        "known_points": len(told),
        "known_points_that_no_start_found": missed,
        "verdicts_agree": all(told),
        "seconds": round(time.perf_counter() - begin, 1),
        "folder": str(folder.path),
    }
    return _finish(folder, report, {"game": args.game, "points": lines}, summary, reports)


def _finish(
    folder: RunFolder, report: str, line: Any, summary: dict[str, Any], what: Any
) -> Result:
    (folder.path / "report.txt").write_text(report, encoding="utf-8")
    write_json(folder.path / "certificate.json", line)
    write_json(folder.path / "summary.json", summary)
    print(f"\n{report}\npictures: {', '.join(str(p) for p in sorted(folder.path.glob('*.png')))}")
    return Result(what, folder.path, summary)


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
