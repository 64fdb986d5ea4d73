"""KL, JS and W1 and their gradients for two parallel lines and a moving Gaussian.

    python -m recipes.divergences                      # half a minute
    python -m recipes.divergences --std 0.7 --reach 2
    python -m recipes.divergences --steps 3000 --batch-size 4096

Two parallel lines at the distance theta never meet, and so KL is infinite, JS is log 2 wherever
the second line stands, and only W1 = |theta| says how far it is. Laws that overlap, N(theta, std^2)
and N(0, 1), have all three with gradients, but JS's vanishes as they part. Beside the exact curves
stand points learned by critics: f-GAN critics, whose bounds are from below, and 1-Lipschitz ones.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from recipes._divergences.curves import (
    NAMES,
    Curves,
    DivergenceTraining,
    LawFamily,
    exact_curves,
    learnable,
    learned_curves,
    moving_gaussian,
    parallel_lines,
)
from recipes._divergences.pictures import draw_divergences
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1, Positive
from recipes._runtime.progress import says
from recipes._runtime.run import FolderArgs, RunFolder, open_run, write_json
from recipes._runtime.seeds import key_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(FolderArgs):
    """Draw three distances and their gradients, exact and learned, for two families of laws."""

    std: float = 1.0
    """Deviation of the moving Gaussian."""
    reach: float = 3.0
    """Theta goes from -reach to reach for the Gaussian; from -1 to 1 for the lines."""
    thetas: AtLeast1 = 13
    """At how many thetas critics are trained, for each family."""
    steps: AtLeast1 = 800
    """Steps of every critic."""
    batch_size: AtLeast1 = 512
    """Points of either law that a step sees."""
    width: AtLeast1 = 32
    """Units in either hidden layer of a critic."""
    learning_rate: Positive = 1e-2
    """Step size that every critic begins with."""


@dataclasses.dataclass(frozen=True)
class DivergencesResult:
    """Exact and learned curves by family, the run's folder, and the numbers of the last line."""

    curves: dict[str, tuple[Curves, Curves]]
    folder: Path
    summary: dict[str, Any]


def check(args: Args) -> None:
    """Raise a `UserError` for a flag that cannot work."""
    for name, low, high in (("std", 0.1, 10.0), ("reach", 0.1, 8.0)):
        if not low <= getattr(args, name) <= high:
            raise UserError(
                f"--{name} must be from {low:g} to {high:g}, got {getattr(args, name)}."
            )


def run(args: Args) -> DivergencesResult:
    """Computes, trains, draws, and returns the curves and the summary.

    **Raises:** `UserError` for flags that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    check(args)
    folder = open_run("divergences", args, None)
    print(f"writing to {folder.path}", flush=True)
    folder.write_config("divergences", args, {"families": ["lines", "gaussian"]})
    training = DivergenceTraining(args.steps, args.batch_size, args.width, args.learning_rate)
    with says("quadrature"):
        families = {
            "lines": (parallel_lines(), 1.0),
            "gaussian": (moving_gaussian(args.std, args.reach), args.reach),
        }
    curves, errors = {}, {}
    for index, (name, (family, reach)) in enumerate(families.items()):
        key = jax.random.fold_in(key_of(args.seed), index)
        with says(f"{name}: training {args.thetas} critics of each distance"):
            curves[name] = curves_of(args, family, reach, training, key)
            errors[name] = largest_errors(family, curves[name][1], training)
        write_metrics(folder, name, curves[name])
        print(f"{name}: " + ", ".join(f"{n} off by {e:.3g}" for n, e in errors[name].items()))
    titles = {
        "Two parallel lines": curves["lines"],
        rf"$N(\theta, {args.std:g}^2)$ and $N(0, 1)$": curves["gaussian"],
    }
    with says("drawing"):
        draw_divergences(titles, folder.path / "divergences.png")
    summary = {"recipe": "divergences", "largest_errors": errors}
    summary |= {"seconds": round(time.perf_counter() - begin, 1), "folder": str(folder.path)}
    write_json(folder.path / "summary.json", summary)
    print(f"picture: {folder.path / 'divergences.png'}")
    return DivergencesResult(curves, folder.path, summary)


def curves_of(
    args: Args, family: LawFamily, reach: float, training: DivergenceTraining, key: jax.Array
) -> tuple[Curves, Curves]:
    """Exact curves, fine enough to draw, and learned ones at the thetas of the flags."""
    # An even number, so that the one theta at which the lines meet is not among them.
    fine = np.linspace(-reach, reach, 200, dtype=np.float32)
    coarse = np.linspace(-reach, reach, args.thetas, dtype=np.float32)
    return exact_curves(family, fine), learned_curves(family, coarse, training, key)


def largest_errors(
    family: LawFamily, learned: Curves, training: DivergenceTraining
) -> dict[str, float]:
    """Largest |learned - exact| by name, where a critic can learn the exact value."""
    exact = exact_curves(family, learned.thetas)
    errors = {}
    for name in NAMES:
        where = learnable(family, name, learned.thetas, training)
        if where.any():
            gap = np.abs(learned.values[name] - exact.values[name])[where]
            if not np.isfinite(gap).all():
                raise UserError(
                    f"critics of {name} became inf or nan; lower --learning-rate, now "
                    f"{training.learning_rate:g}."
                )
            errors[name] = float(gap.max())
    return errors


def write_metrics(folder: RunFolder, family: str, curves: tuple[Curves, Curves]) -> None:
    """One line for each theta, exact or learned; what is infinite or undefined becomes null."""
    lines = []
    for kind, found in zip(("exact", "learned"), curves, strict=True):
        for index, theta in enumerate(found.thetas):
            numbers = {name: float(found.values[name][index]) for name in NAMES}
            numbers |= {f"{n}_gradient": float(found.gradients[n][index]) for n in NAMES}
            lines.append({"kind": kind, "family": family, "theta": float(theta)} | numbers)
    folder.append_metrics(lines)


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
