"""Critics trained to convergence against a fixed generator, compared with theory.

    python -m recipes.critic                           # a ring and the ring with noise; a minute
    python -m recipes.critic --data swiss_roll --noise 0.3
    python -m recipes.critic --data two_normals --shift 1 --noise 0.5
    python -m recipes.critic --deep-clips 1 0.3 0.1 0.03 0.01 --deep-depth 20

The generator is the data, shifted and with noise, as in figure 1 of the WGAN-GP paper. Wasserstein
critics are held back by clipping, a two-sided or a one-sided gradient penalty, or spectral
normalisation, and compared with the exact W1 and the exact critic on the same points. Slopes on the
lines of the optimal coupling are 1 at the optimum. Clipping pushes weights to its bounds, and in
deep critics gradients vanish or explode with it. Where both densities are known, a discriminator is
compared with D* and its value with -log 4 + 2 JS.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from recipes._critic.laws import FixedLaws
from recipes._critic.pictures import draw_critics, draw_depths, draw_discriminator, draw_histograms
from recipes._critic.studies import (
    WAYS,
    CriticTraining,
    Depths,
    Discriminator,
    Exact,
    TrainedCritic,
    exact_dual,
    measure_depths,
    numbers_of,
    train_discriminator,
    train_way,
)
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1, Positive
from recipes._runtime.progress import says
from recipes._runtime.run import FolderArgs, RunFolder, open_run, write_json
from recipes._runtime.seeds import key_of

MOST_POINTS = 300


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(FolderArgs):
    """Train critics against a generator that stands still, and measure them by theory."""

    data: str = "ring"
    """Exact densities: normal, two_normals, three_normals on the line, ring, grid in the plane. Or
    points in the plane: swiss_roll, or a .npy, .npz or .csv file."""
    noise: float = 1.0
    """Deviation of the noise that makes the generator's points of the data's."""
    shift: float = 0.0
    """Shift of the generator's points along the first axis."""
    constraints: tuple[Literal["clip", "gp", "lp", "sn"], ...] = ("clip", "gp", "lp", "sn")
    """Lipschitz constraints of the Wasserstein critics, one critic each: weight clipping, two-sided
    or one-sided gradient penalty, spectral normalisation."""
    points: int = 200
    """Points of either law that the critics are trained and judged on, 2 to 300."""
    steps: AtLeast1 = 1500
    """Steps of every critic."""
    batch_size: AtLeast1 = 128
    """Points of either law that a step sees."""
    width: AtLeast1 = 64
    """Units in a hidden layer."""
    depth: AtLeast1 = 3
    """Hidden layers of the Wasserstein critics."""
    learning_rate: Positive = 3e-3
    """Step size that every critic begins with; it falls to 0."""
    clip: Positive = 0.1
    """Bound of the clipped critic's weights."""
    penalty_weights: tuple[Positive, Positive] = (10.0, 10.0)
    """Weights of the two-sided and of the one-sided penalty."""
    deep_depth: AtLeast1 = 12
    """Hidden layers of the critics whose gradients are followed from layer to layer."""
    deep_width: AtLeast1 = 32
    """Units in each of them."""
    deep_steps: AtLeast1 = 300
    """Steps of each of them."""
    deep_clips: tuple[Positive, ...] = (1.0, 0.2, 0.05, 0.01)
    """Bounds of the deep clipped critics, all trained in one compiled call; none for no deep
    critics."""


@dataclasses.dataclass(frozen=True)
class CriticResult:
    """Trained critics, the exact dual, the run's folder, and the summary."""

    critics: dict[str, TrainedCritic]
    exact: Exact
    depths: Depths | None
    discriminator: Discriminator | None
    folder: Path
    summary: dict[str, Any]


def check(args: Args) -> None:
    """Raise a `UserError` for a flag that cannot work."""
    if not 2 <= args.points <= MOST_POINTS:
        raise UserError(f"--points must be from 2 to {MOST_POINTS}, got {args.points}.")
    if not 0 <= args.noise < 100 or not abs(args.shift) < 100:
        raise UserError("--noise must be from 0 to 100 and --shift from -100 to 100.")
    if args.noise == 0 and args.shift == 0:
        raise UserError("--noise 0 and --shift 0 leave nothing to tell apart; set one of them.")
    if not args.constraints or len(set(args.constraints)) < len(args.constraints):
        raise UserError(f"--constraints must be different ones of {', '.join(WAYS)}, at least one.")


def run(args: Args) -> CriticResult:
    """Trains, measures, draws, and returns all of it with the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    check(args)
    laws = FixedLaws(args.data, args.noise, args.shift, args.points, args.seed)
    folder = open_run("critic", args, None)
    print(f"writing to {folder.path}", flush=True)
    folder.write_config("critic", args, laws.describe())
    key_clouds, key_critics, key_deep, key_d = jax.random.split(key_of(args.seed), 4)
    with says("drawing points and solving the exact dual"):
        clouds = laws.clouds(key_clouds)
        exact = exact_dual(clouds)
    print(f"exact W1 = {exact.w1:.4f}, by the dual programme {exact.critic.value:.4f}", flush=True)
    critics = {}
    for way in args.constraints:
        # The same start and the same batches for every way.
        with says(f"training a critic with {WAYS[way]}"):
            critics[way] = train_way(way, clouds, exact, training_of(args), key_critics)
        say(way, critics[way].numbers)
        if not np.isfinite(critics[way].numbers["estimate"]):
            raise UserError(
                f"--constraints {way}: its critic became inf or nan; lower --learning-rate, --clip "
                "or --penalty-weight."
            )
    depths = None
    if args.deep_clips:
        with says("training deep critics"):
            depths = measure_depths(clouds, deep_training_of(args), args.deep_clips, key_deep)
        draw_depths(depths, folder.path / "gradients.png")
    found = None
    if laws.exact:
        with says("training a discriminator"):
            found = train_discriminator(laws, training_of(args), key_d)
        print("discriminator: " + ", ".join(f"{k} {v:.4f}" for k, v in found.numbers.items()))
        draw_discriminator(found, np.asarray(clouds.fake), folder.path / "discriminator.png")
    with says("drawing"):
        draw_critics(critics, exact, clouds, folder.path / "critics.png")
        draw_histograms(critics, args.clip, folder.path / "histograms.png")
    summary = summarise(args, critics, exact, depths, found)
    summary |= {"seconds": round(time.perf_counter() - begin, 1), "folder": str(folder.path)}
    write_metrics(folder, summary)
    write_json(folder.path / "summary.json", summary)
    print(f"pictures: {folder.path}/*.png")
    return CriticResult(critics, exact, depths, found, folder.path, summary)


def training_of(args: Args) -> CriticTraining:
    """Training of the critics of usual depth."""
    return CriticTraining(
        args.steps, args.batch_size, args.width, args.depth, args.learning_rate, args.clip,
        args.penalty_weights,
    )  # fmt: skip


def deep_training_of(args: Args) -> CriticTraining:
    """Training of the deep critics; a smaller step, because depth multiplies steps."""
    return training_of(args)._replace(
        rounds=args.deep_steps,
        width=args.deep_width,
        depth=args.deep_depth,
        learning_rate=args.learning_rate / 3,
    )


def say(way: str, numbers: dict[str, float]) -> None:
    """Prints one critic's numbers."""
    print(f"{WAYS[way]}: " + ", ".join(f"{k} {v:.4g}" for k, v in numbers.items()), flush=True)


def summarise(
    args: Args,
    critics: dict[str, TrainedCritic],
    exact: Exact,
    depths: Depths | None,
    found: Discriminator | None,
) -> dict[str, Any]:
    """The numbers of the last line.

    `gradient_spread`: the largest norm over layers by the smallest, for each deep critic; null
    where it passes every number.
    """
    labels, norms = ([], np.ones((0, 1))) if depths is None else depths
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = norms.max(axis=1) / norms.min(axis=1)
    return {
        "recipe": "critic",
        "data": args.data,
        "w1": exact.w1,
        "w1_dual": exact.critic.value,
        "critics": numbers_of(critics, exact),
        "gradient_norms": dict(zip(labels, norms.tolist(), strict=True)),
        "gradient_spread": dict(zip(labels, spread.tolist(), strict=True)),
        "discriminator": None if found is None else found.numbers,
    }


def write_metrics(folder: RunFolder, summary: dict[str, Any]) -> None:
    """One line for each critic, each deep critic, and the discriminator."""
    lines = [{"kind": "critic", "way": way} | n for way, n in summary["critics"].items()]
    lines += [
        {"kind": "deep_critic", "label": label, "gradient_norms": norms}
        for label, norms in summary["gradient_norms"].items()
    ]
    if summary["discriminator"] is not None:
        lines.append({"kind": "discriminator"} | summary["discriminator"])
    folder.append_metrics(lines)


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
