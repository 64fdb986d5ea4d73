"""Tournament of all solvers on a set of games, each at its best step size, with equal gradients.

    python -m recipes.tournament                                    # all solvers, six toy games
    python -m recipes.tournament --games all                        # twelve, in four programs each
    python -m recipes.tournament --games bilinear quadratic --solvers extragradient cgd lola
    python -m recipes.tournament --games gan                        # a small GAN on eight Gaussians
    python -m recipes.tournament --resume RUN --games forsaken gan  # adds games to a table

A solver is tried with every step size of one grid from every start, all in one compiled call; what
counts is the step size of the smallest median at the end. A Hessian product counts as two
gradients, and a play ends with the round that uses up its budget. Toy games are played in float64.
The default takes a minute on two cores, nearly all of it to compile one program for each solver.
Other kinds of games need other programs: `all` takes three to five minutes, the GAN five more.
"""

import dataclasses
import time
from typing import Annotated, Any

import jax
import jax.numpy as jnp

from recipes._runtime import cli
from recipes._runtime.errors import UserError, check_increasing
from recipes._runtime.fields import AtLeast1, at_least
from recipes._runtime.progress import says
from recipes._runtime.run import FolderArgs, Result, RunFolder, open_run, write_json
from recipes._runtime.seeds import key_of
from recipes._runtime.solvers import (
    FINITE_SUM_SOLVERS,
    FIRST_ORDER,
    SECOND_ORDER,
    SOLVERS,
    check_names,
)
from recipes._tournament.games import ALL_GAMES, DEFAULT_GAMES, GAMES, make_contest, points_of
from recipes._tournament.gan import GanArgs, check_gan, play_gan, players_of_gan
from recipes._tournament.pictures import draw_curves, draw_map
from recipes._tournament.play import Task, line_of, play_all
from recipes._tournament.tables import PlayLine, write_table_csv, write_tables

MAY_CHANGE_ON_RESUME = ("games", "solvers")
MOMENTS = 100
"""Points of a curve after its first."""
EVERY_SOLVER = {**SOLVERS, **FINITE_SUM_SOLVERS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(FolderArgs):
    """Hold solvers against each other on games."""

    games: tuple[str, ...] = DEFAULT_GAMES
    """Games, of: bilinear bilinear_10 quadratic dirac_gan dirac_gan_r1 balduzzi_stable
    balduzzi_unstable forsaken adolphs mazumdar_fiez wang_g1 rock_paper_scissors stochastic_bilinear
    and gan; or all, which is every one but dirac_gan_r1 and gan."""
    solvers: tuple[str, ...] = tuple(EVERY_SOLVER)
    """Solvers; svre plays stochastic_bilinear alone, and
    those that solve linear systems do not play it. On gan, those that solve a linear system
    a round take part only if they are named with no others."""
    budget: Annotated[int, at_least(MOMENTS)] = 1000
    """Gradients that each solver may take on a toy game."""
    step_sizes: AtLeast1 = 16
    """Step sizes tried for each solver, at equal ratios."""
    smallest_step: float = 1e-3
    """The first of them."""
    largest_step: float = 10.0
    """The last of them."""
    starts: AtLeast1 = 16
    """Random starts of a toy game."""
    gan: GanArgs = GanArgs()
    """The GAN's own flags."""


def games_of(args: Args) -> tuple[str, ...]:
    """The games that the flag names, `all` written out."""
    return tuple(game for name in args.games for game in (ALL_GAMES if name == "all" else (name,)))


def check(args: Args) -> None:
    """Raise a `UserError` for a flag that cannot work."""
    check_names("--games", args.games, (*GAMES, "gan", "all"))
    check_names("--solvers", args.solvers, tuple(EVERY_SOLVER))
    check_increasing(args, "smallest_step", "largest_step")
    if not pairs(args) and "gan" not in games_of(args):
        raise UserError(
            "none of --solvers plays any of --games: svre plays stochastic_bilinear alone, which "
            "those that solve linear systems do not."
        )
    if "gan" in games_of(args) and not players_of_gan(args.solvers):
        raise UserError("none of --solvers plays gan: svre plays stochastic_bilinear alone.")
    check_gan(args.gan)


def pairs(args: Args) -> list[tuple[str, str]]:
    """Every game with every solver that can play it."""
    return [
        (game, solver)
        for game in dict.fromkeys(games_of(args))
        for solver in dict.fromkeys(args.solvers)
        if game in GAMES and solver in _players_of(game)
    ]


def _players_of(game: str) -> dict[str, Any]:
    """Who can play: a linear system of a minibatch says little, and a finite sum is SVRE's."""
    if game == "stochastic_bilinear":
        return {**FIRST_ORDER, **SECOND_ORDER, **FINITE_SUM_SOLVERS}
    return SOLVERS


def play_toys(args: Args, folder: RunFolder) -> list[PlayLine]:
    """Play what is not in the folder's metrics yet, and return all lines of the folder."""
    kept = [line for line in folder.read_metrics() if line["kind"] == "play"]
    done = {(line["game"], line["solver"]): line for line in kept}
    rates = jnp.geomspace(args.smallest_step, args.largest_step, args.step_sizes)
    for game in dict.fromkeys(game for game, _ in pairs(args)):
        entry = GAMES[game]
        solvers = [s for g, s in pairs(args) if g == game and (g, s) not in done]
        if not solvers:
            continue
        print(f"{game}: {entry.about}", flush=True)
        key = jax.random.fold_in(key_of(args.seed), list(GAMES).index(game))
        contest = make_contest(game, games_of(args), key, args.starts)
        budgets = jnp.linspace(0, args.budget * entry.patience, MOMENTS + 1)
        budgets = jnp.round(budgets).astype(jnp.int32)
        tasks = [Task(EVERY_SOLVER[solver], contest, rates, budgets) for solver in solvers]
        points = points_of(entry.make())
        with says(f"{game}: {len(tasks)} solvers"):
            found = play_all(tasks)
        with says(f"{game}: verdicts and timing"):
            for solver, task, plays in zip(solvers, tasks, found, strict=True):
                line = {"kind": "play", "game": game, "solver": solver}
                line |= line_of(task, plays, points)
                folder.append_metrics([line])
                done[game, solver] = line
    return [done[g, s] for g in GAMES for s in EVERY_SOLVER if (g, s) in done]


def finish_toys(folder: RunFolder, lines: list[PlayLine]) -> None:
    """The tables and pictures of the toy games."""
    write_table_csv(lines, folder.path / "table.csv")
    write_tables(lines, folder.path / "table.md")
    draw_map(lines, folder.path / "tournament.png")
    for over in ("gradients", "seconds"):
        draw_curves(lines, over, folder.path / f"curves_{over}.png")
    print("table.md, table.csv, tournament.png, curves_gradients.png and curves_seconds.png")


def run(args: Args) -> Result:
    """Play all, write tables and pictures, and return the lines and the summary.

    **Raises:** `UserError` for flags that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    check(args)
    folder = open_run("tournament", args, MAY_CHANGE_ON_RESUME)
    print(f"writing to {folder.path}", flush=True)
    folder.write_config("tournament", args, {"name": "toy games"})
    lines: list[PlayLine] = []
    if pairs(args):
        # Rates differ over more orders of magnitude than float32 has.
        with jax.enable_x64(True):
            lines = play_toys(args, folder)
        with says("tables and pictures"):
            finish_toys(folder, lines)
    gan = play_gan(args.gan, args.solvers, args.seed, folder) if "gan" in games_of(args) else {}
    summary = {
        "recipe": "tournament",
        "budget": args.budget,
        "best": _best(lines),
        "gan": gan,
        "seconds": round(time.perf_counter() - begin, 1),
        "folder": str(folder.path),
    }
    write_json(folder.path / "summary.json", summary)
    return Result(lines, folder.path, summary)


def _best(lines: list[PlayLine]) -> dict[str, str]:
    """On each game the solver whose gradients shrink the field fastest, of those that ended still.

    Where it ended is another question, which the tables answer.
    """
    best: dict[str, PlayLine] = {}
    for line in lines:
        ended = line["verdict"] in ("nash", "minimax", "critical", "stationary")
        if not ended or line["factor_per_gradient"] is None:
            continue
        known = best.get(line["game"])
        if known is None or line["factor_per_gradient"] < known["factor_per_gradient"]:
            best[line["game"]] = line
    return {game: line["solver"] for game, line in best.items()}


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
