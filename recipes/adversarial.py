"""Adversarial training as a zero-sum game: a classifier against perturbations of its images.

    python -m recipes.adversarial                          # real 8x8 digits, four ways to train
    python -m recipes.adversarial --solver inner_steps --inner-steps 7 --restart
    python -m recipes.adversarial --norm l2 --l2-radius 0.8
    python -m recipes.adversarial --data mnist --data-dir DIR --width 512

x is the classifier, and y holds one perturbation for every training image, in a ball around it
and in the range of the pixels. Each has a term of its own in the value, so that the best y is the
worst case, and x minimises the robust risk. y is kept from round to round, a persistent adversary
as in Shafahi et al. (2019), arXiv:1904.12843, and not begun anew for each batch as in Mądry et al.
(2018), arXiv:1706.06083: what is thrown away is no strategy, and players who move at once would
train on noise. With --restart inner_steps plays Mądry's way. A round is a solver's round on a
window of images, the same for all its steps: the game on these alone, other leaves of one program.

Every solver may take the same number of gradients. Plain training, `none`, is the game with the
adversary frozen at 0. Held out are the test files of mnist and fashion_mnist, and a fifth of other
data. An accuracy under attack is an upper bound: a stronger attack may find more.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from models import MLP
from recipes._adversarial.attacks import Norm, PerturbationBall
from recipes._adversarial.game import PLANS, AdversarialGame, WindowPlan, Windows, steepest_steps
from recipes._adversarial.pictures import draw_examples, draw_robustness, draw_training
from recipes._adversarial.robustness import Judge, numbers_of
from recipes._data import Dataset, load_labelled
from recipes._data.training import check_varies
from recipes._runtime import cli
from recipes._runtime.checkpoint import newest_round
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1, Judged, Positive
from recipes._runtime.optimizers import OptimizerArgs, make_optimizer
from recipes._runtime.progress import says
from recipes._runtime.run import (
    Result,
    RunFolder,
    TrainArgs,
    check_not_trained_further,
    open_run,
    write_json,
)
from recipes._runtime.seeds import key_of, keys_of
from recipes._runtime.training import train


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(TrainArgs):
    """Train classifiers against perturbations and attack them on held-out images."""

    data: str = "digits"
    """digits (scikit-learn's 8x8), mnist, fashion_mnist or cifar10 (files in --data-dir), a .npz
    file with images and labels, or a folder of images whose subfolders are the classes."""
    data_dir: Path | None = None
    """Folder with the eight IDX files of mnist or fashion_mnist, gzipped or not; or with all six
    batches of cifar10."""
    solver: Literal["all", "none", "simultaneous", "alternating", "inner_steps"] = "all"
    """How the game is played: both at once; the adversary first and then the classifier; the
    adversary --inner-steps times; or not at all (none), plain training. Default: all of them."""
    norm: Literal["linf", "l2"] = "linf"
    """The norm of the balls that the training perturbations are kept in."""
    linf_radius: Positive = 0.15
    """Radius in the largest change of a pixel, pixels in [0, 1]; attacks use both radii."""
    l2_radius: Positive = 0.6
    """Radius in the Euclidean norm of an image, pixels in [0, 1]; attacks use both radii."""
    inner_steps: AtLeast1 = 4
    """Adversary steps to one classifier step with the solver inner_steps, on the same images."""
    restart: bool = False
    """The solver inner_steps begins each round at random places of the balls."""
    adversary_step: Positive = 0.5
    """Length of an adversary's step, as a share of the radius."""
    batch_size: AtLeast1 = 128
    """Images a round sees."""
    steps: AtLeast1 = 16_000
    """Gradients of one player that each solver may take: a round of simultaneous or alternating
    takes 2, of inner_steps --inner-steps and 1, of none 1."""
    eval_every: AtLeast1 = 1600
    """Gradients between two evaluations, each with a checkpoint."""
    log_every: AtLeast1 = 160
    """Gradients between two lines of metrics.jsonl."""
    width: AtLeast1 = 128
    """Units in a hidden layer of the classifier."""
    depth: AtLeast1 = 2
    """Hidden layers of the classifier."""
    classifier_optimizer: OptimizerArgs = OptimizerArgs(learning_rate=1e-3, beta1=0.9, beta2=0.999)
    """The classifier's optimizer."""
    attack_steps: AtLeast1 = 40
    """Steps of PGD, when a classifier is judged."""
    attack_restarts: AtLeast1 = 3
    """Starts of PGD: the image itself, and the others at random."""
    eval_size: Judged = 1000
    """Held-out images that are attacked, at most as many as there are."""


def radii_of(args: Args) -> dict[Norm, float]:
    """The radius of each norm."""
    return {"linf": args.linf_radius, "l2": args.l2_radius}


def check(args: Args) -> None:
    """Raise a `UserError` for flags that do not go together."""
    if args.restart and args.solver not in ("all", "inner_steps"):
        raise UserError(f"--restart is for --solver inner_steps, and not for {args.solver}.")


def make_plan(args: Args, name: str) -> WindowPlan:
    """The plan by which the solver `name` plays a window."""
    step = args.adversary_step * radii_of(args)[args.norm]
    x = make_optimizer(args.classifier_optimizer)
    optimizers = go.Players(x, steepest_steps(args.norm, step))
    return PLANS[name](optimizers, args.inner_steps, args.restart)


def solvers_of(args: Args) -> tuple[str, ...]:
    """The names of the solvers that the flag asks for."""
    return tuple(PLANS) if args.solver == "all" else (args.solver,)


def pixels(data: Dataset) -> np.ndarray:
    """The images in [0, 1], in which radii are given."""
    return (data.points + 1) / 2


class Images(NamedTuple):
    """Labelled images to learn from, others held out, and the number of classes."""

    train: Dataset
    held_out: Dataset
    classes: int

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        held_out = self.held_out
        described = {"held_out": len(held_out.points), "held_out_sha256": held_out.checksum()}
        return self.train.describe() | described

    def __str__(self) -> str:
        train, held_out = len(self.train.points), len(self.held_out.points)
        return f"{self.train.name}: {train} images to learn from, {held_out} held out"


def resolve(args: Args) -> tuple[Args, Images]:
    """The images, and the flags with the number of held-out images that are attacked.

    **Raises:** `UserError` for flags that cannot work, and for images that do not fit them.
    """
    check(args)
    data = Images(*load_labelled(args.data, args.data_dir))
    if args.batch_size > len(data.train.points):
        raise UserError(
            f"--batch-size {args.batch_size} is larger than the {len(data.train.points)} training "
            "images."
        )
    check_varies(data.train.points, f"--data {args.data}")
    size = min(args.eval_size, len(data.held_out.points))
    return dataclasses.replace(args, eval_size=size), data


def part_of(args: Args, solver: str) -> Args:
    """The flags of one of the solvers' trainings, whose folder has its name."""
    return dataclasses.replace(args, solver=solver)


def make_game(args: Args, data: Dataset) -> AdversarialGame:
    """The game on all training images."""
    ball = PerturbationBall(jnp.float32(radii_of(args)[args.norm]), args.norm)
    return AdversarialGame(jnp.asarray(pixels(data)), jnp.asarray(data.labels), ball)


def set_up(args: Args, data: Images) -> tuple[AdversarialGame, go.Players]:
    """The game and the fresh players of the flags of one solver."""
    game, keys = make_game(args, data.train), _keys(args)
    shape = game.points.shape[1:]
    x = MLP(shape, (data.classes,), width=args.width, depth=args.depth, key=keys.classifier)
    none = args.solver == "none"
    y = jnp.zeros_like(game.points) if none else game.ball.sample(keys.adversary, game.points)
    return game, go.Players(x, y)


def make_solver(args: Args) -> go.AbstractSolver:
    """The solver of the flags of one solver, on windows."""
    plan = make_plan(args, args.solver)
    return Windows(plan.solver, args.batch_size, plan.restart)


def _keys(args: Args) -> Any:
    return keys_of(args.seed, "classifier", "adversary", "play")


def play(
    args: Args, folder: RunFolder, data: Images, judge: Judge
) -> tuple[go.Players, dict[str, Any], dict[str, Any]]:
    """Trains with one solver: the players, the numbers of its line, and curves over radii."""
    begin = time.perf_counter()
    game, players = set_up(args, data)
    plan = make_plan(args, args.solver)
    rounds = lambda gradients: max(1, gradients // plan.gradients)
    players, rate = train(
        folder,
        game,
        make_solver(args),
        players,
        _keys(args).play,
        lambda p, t: {"gradients": t * plan.gradients} | judge.at(p.x, args.norm),
        steps=rounds(args.steps),
        eval_every=rounds(args.eval_every),
        log_every=rounds(args.log_every),
        shown={"clean_accuracy": "clean", "fgsm_accuracy": "FGSM", "pgd_accuracy": "PGD"},
    )
    trained = time.perf_counter() - begin
    with says(f"attacks on the classifier of {args.solver}"):
        curves = judge.curves(players.x)
    radius = radii_of(args)[args.norm]
    title = f"trained with {args.solver}; PGD within {radius:g}, wrong answers in red"
    path = folder.path.parent / "samples" / f"{args.solver}.png"
    draw_examples(players.x, judge, args.norm, title, path)
    last = next(line for line in reversed(folder.read_metrics()) if line["kind"] == "eval")
    numbers = {
        **{key: round(value, 4) for key, value in numbers_of(curves).items()},
        "rounds": last["round"],
        "gradients": last["gradients"],
        "rounds_per_second": round(rate, 1),
        "seconds": round(trained, 1),
    }
    return players, numbers, curves


def run(args: Args) -> Result:
    """Trains with each solver, attacks, draws, and returns the players by solver and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    args, data = resolve(args)
    check_not_trained_further(args, gradients_done(args))
    folder = open_run("adversarial", args, in_parts=True)
    folder.check_data(data.describe())
    print(f"{data}\nwriting to {folder.path}", flush=True)
    folder.write_config("adversarial", args, data.describe())
    held_out = data.held_out
    assert held_out.labels is not None
    judge = Judge(
        pixels(held_out)[: args.eval_size],
        held_out.labels[: args.eval_size],
        radii_of(args),
        jax.random.fold_in(key_of(args.seed), 1),
        steps=args.attack_steps,
        restarts=args.attack_restarts,
    )
    players, table, curves = {}, {}, {}
    for name in solvers_of(args):
        print(f"training with {name}", flush=True)
        part = folder.part(name)
        players[name], table[name], curves[name] = play(part_of(args, name), part, data, judge)
    summary = finish(args, folder, table, curves, time.perf_counter() - begin)
    return Result(players, folder.path, summary)


def gradients_done(args: Args) -> int | None:
    """Gradients of the solver that has come furthest in the run that goes on; `None` for none."""
    if args.resume is None:
        return None
    rounds = {name: newest_round(args.resume / name / "checkpoints") for name in solvers_of(args)}
    done = [
        number * make_plan(args, name).gradients
        for name, number in rounds.items()
        if number is not None
    ]
    return max(done, default=None)


def finish(
    args: Args, folder: RunFolder, table: dict[str, Any], curves: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """Compares: the table, the pictures, comparison.json and the summary, which is returned."""
    radii = radii_of(args)
    metrics = {name: RunFolder(folder.path / name, True).read_metrics() for name in table}
    draw_training(metrics, args.norm, radii[args.norm], folder.path / "curves.png")
    draw_robustness(curves, radii, folder.path / "robustness.png")
    columns = ("clean", "fgsm_linf", "pgd_linf", "fgsm_l2", "pgd_l2", "rounds", "seconds")
    print("".join(f"{word:>13}" for word in ("solver", *columns)))
    for name, numbers in table.items():
        print("".join(f"{word!s:>13}" for word in (name, *(numbers[c] for c in columns))))
    write_json(folder.path / "comparison.json", {"table": table, "curves": curves})
    summary = {
        "recipe": "adversarial",
        "data": args.data,
        "norm": args.norm,
        "linf_radius": args.linf_radius,
        "l2_radius": args.l2_radius,
        "solvers": table,
        "seconds": round(seconds, 1),
        "folder": str(folder.path),
    }
    write_json(folder.path / "summary.json", summary)
    print(f"pictures: curves.png, robustness.png and samples/ in {folder.path}")
    return summary


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
