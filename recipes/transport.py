"""Optimal transport: piles of dirt move by move, plans between clouds, duals, entropic bias.

    python -m recipes.transport                                # the lecture notes' piles; two toys
    python -m recipes.transport --piles 5 0 1 --holes 1 2 3
    python -m recipes.transport --cloud ring --other swiss_roll --p 2
    python -m recipes.transport --cloud mine.npy --other theirs.csv --points 400

Work is mass times distance. The plan between clouds comes with dual potentials that prove it
optimal: no gap, no constraint violated, mass only where the constraint is tight. Beside it stand
the sliced distance and what entropic regularisation makes of the cost. Files hold one point a row;
more than two dimensions are drawn in their two principal axes.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from recipes._data.clouds import check_same_dimension, load_cloud
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.progress import says
from recipes._runtime.run import FolderArgs, RunFolder, open_run, write_json
from recipes._runtime.seeds import key_of
from recipes._transport.numbers import (
    CloudTransport,
    PileTransport,
    clouds_summary,
    piles_summary,
    solve_clouds,
    solve_piles,
)
from recipes._transport.pictures import draw_clouds, draw_entropic, draw_piles

MOST_POINTS = 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(FolderArgs):
    """Solve two transport problems, one on the line and one between clouds, and draw them."""

    piles: tuple[float, ...] = (3.0, 2.0, 1.0, 4.0)
    """Heights of the piles at 0, 1, 2, ..."""
    holes: tuple[float, ...] = (1.0, 2.0, 4.0, 3.0)
    """Heights that are wanted there; as many, and of the same total."""
    cloud: str = "normal"
    """Cloud that the mass is moved from: normal, ring, grid, swiss_roll, or a .npy, .npz or .csv
    file."""
    other: str = "ring"
    """Cloud that it is moved to; named as --cloud is."""
    points: int = 200
    """Points of each cloud at most, 2 to 500; the dual's linear programme has their product of
    constraints."""
    p: Literal[1, 2] = 1
    """The cost of a move is the distance to this power."""
    regularisations: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    """Strengths of entropy, as shares of the mean cost between the clouds."""


@dataclasses.dataclass(frozen=True)
class TransportResult:
    """Both problems solved, the run's folder, and the numbers of the last line."""

    piles: PileTransport
    clouds: CloudTransport
    folder: Path
    summary: dict[str, Any]


def check(args: Args) -> None:
    """Raise a `UserError` for a flag that cannot work."""
    _check_piles(args)
    if not 2 <= args.points <= MOST_POINTS:
        raise UserError(f"--points must be from 2 to {MOST_POINTS}, got {args.points}.")
    shares = args.regularisations
    if not shares or not all(1e-4 <= share <= 100 for share in shares):
        raise UserError("--regularisations must be numbers from 0.0001 to 100, at least one.")


def _check_piles(args: Args) -> None:
    if not args.piles or len(args.piles) != len(args.holes):
        raise UserError(
            f"--piles has {len(args.piles)} heights and --holes {len(args.holes)}: give as many of "
            "each, 0 where there is nothing."
        )
    for flag, heights in (("--piles", args.piles), ("--holes", args.holes)):
        wrong = [height for height in heights if not 0 <= height < float("inf")]
        if wrong:
            raise UserError(f"{flag} must be finite and 0 or more, got {wrong[0]}.")
    have, wanted = sum(args.piles), sum(args.holes)
    if have == 0 and wanted == 0:
        raise UserError("--piles and --holes are all 0: there is nothing to move.")
    if abs(have - wanted) > 1e-12 * max(have, wanted):
        raise UserError(
            f"--piles hold {have:g} and --holes {wanted:g}: mass is moved and not made, so the "
            "totals must be equal."
        )


def load_clouds(args: Args) -> tuple[np.ndarray, np.ndarray]:
    """Both clouds, each with a seed of its own: the same name twice is two draws."""
    x = load_cloud(args.cloud, "--cloud", args.points, 2 * args.seed)
    y = load_cloud(args.other, "--other", args.points, 2 * args.seed + 1)
    check_same_dimension(x, y, (args.cloud, args.other))
    if (x == x[0]).all() and (y == x[0]).all():
        raise UserError(
            f"--cloud {args.cloud} and --other {args.other} are one point, repeated: there is "
            "nothing to move."
        )
    return x, y


def run(args: Args) -> TransportResult:
    """Solves, proves, draws, and returns both problems and the summary.

    **Raises:** `UserError` for flags or files that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    check(args)
    x, y = load_clouds(args)
    folder = open_run("transport", args, None)
    print(f"writing to {folder.path}", flush=True)
    sizes = {"cloud": list(x.shape), "other": list(y.shape)}
    folder.write_config("transport", args, sizes)
    # Potentials of weak regularisation differ by more than float32 resolves.
    with jax.enable_x64(True):
        piles = solve_piles(args.piles, args.holes)
        say_moves(piles)
        key = key_of(args.seed)
        with says("solving the plan, its dual and entropic plans"):
            clouds = solve_clouds(x, y, args.p, args.regularisations, key)
        say_clouds(clouds)
        with says("drawing"):
            draw_clouds(clouds, (args.cloud, args.other), folder.path / "clouds.png")
    draw_piles(piles, folder.path / "piles.png")
    draw_entropic(clouds, folder.path / "entropic.png")
    write_metrics(folder, piles, clouds)
    summary = {"recipe": "transport", "piles": piles_summary(piles)}
    summary |= {"clouds": {"cloud": args.cloud, "other": args.other} | clouds_summary(clouds)}
    summary |= {"seconds": round(time.perf_counter() - begin, 1), "folder": str(folder.path)}
    write_json(folder.path / "summary.json", summary)
    print(
        "pictures: " + ", ".join(f"{folder.path / n}.png" for n in ("piles", "clouds", "entropic"))
    )
    return TransportResult(piles, clouds, folder.path, summary)


def say_moves(found: PileTransport) -> None:
    """Prints the moves and their work."""
    for move in found.moves:
        where = (
            f"stays at {move.source}"
            if move.source == move.target
            else f"goes from {move.source} to {move.target}: work {move.mass * move.distance:g}"
        )
        print(f"mass {move.mass:g} {where}")
    print(
        f"work in all {found.work:g}, W1 of the normalised piles {found.work / found.total:.6g} "
        f"(by quantile functions {found.w1:.6g})"
    )


def say_clouds(found: CloudTransport) -> None:
    """Prints the distances, the proof of optimality, and the bias of entropy."""
    duality, sliced = found.duality, found.sliced
    print(
        f"clouds: W_{found.p} = {found.plan.distance:.6g}; sliced {float(sliced.value):.4g} "
        f"+- {float(sliced.standard_error):.1g}\n"
        f"proof: gap {duality.gap:.1e}, infeasibility {duality.infeasibility:.1e}, "
        f"slackness {duality.slackness:.1e}"
    )
    for level in found.entropic:
        late = "" if level.converged else " (Sinkhorn did not converge)"
        print(
            f"entropy {level.epsilon:.3g}: cost {level.cost:.5g}, bias {level.bias:.3g}, "
            f"Sinkhorn divergence {level.divergence:.5g}{late}"
        )


def write_metrics(folder: RunFolder, piles: PileTransport, clouds: CloudTransport) -> None:
    """One line for each move and each strength of entropy."""
    lines = [{"kind": "move"} | move._asdict() for move in piles.moves]
    lines += [{"kind": "entropic"} | level._asdict() for level in clouds.entropic]
    folder.append_metrics(lines)


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
