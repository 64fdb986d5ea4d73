"""Families of generative models on the same data: their samples and metrics on one panel.

    python -m recipes.compare                    # digits: GAN, VAE, VQ-VAE, diffusion; minutes
    python -m recipes.compare --families gan dcgan wgan-gp sngan --steps 3000
    python -m recipes.compare --data mnist --data-dir DIR --families dcgan wgan-gp
    python -m recipes.compare --resume RUN --families vqvae cgan   # adds to a panel

Each family is trained by its own recipe in a folder of the run that is a complete run itself:
`python -m recipes.dcgan --resume RUN/dcgan --steps 6000` goes on with it, and --resume RUN then
judges it anew. All are judged alike: compare.md and compare.csv have a column for real images and
one for each family, compare.png shows samples beside the main numbers.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

from recipes._compare.comparison import (
    REAL_DATA,
    W1,
    Comparison,
    compare,
    training_curve,
    training_numbers,
    write_csv,
    write_markdown,
)
from recipes._compare.families import (
    FAMILIES,
    SHARED,
    FamilyName,
    FamilyPlan,
    Setting,
    along_path,
    is_done,
    planned,
    samples_of,
    train_family,
)
from recipes._compare.pictures import draw_comparison, draw_training
from recipes._data import Dataset, load
from recipes._data.training import check_varies
from recipes._report.rows import Row, draw_rows
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1, Judged
from recipes._runtime.progress import says
from recipes._runtime.run import FolderArgs, Result, RunFolder, open_run, write_json
from recipes._runtime.seeds import key_of

MAY_CHANGE_ON_RESUME = ("families",)
IN_A_ROW = 10
"""Images of a path between two latents."""
FEWEST_IMAGES = 16
"""A fifth of so many can be judged."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(FolderArgs):
    """Train several families on the same images and judge them alike."""

    data: str = "digits"
    """digits (scikit-learn's 8x8), mnist or fashion_mnist (IDX files in --data-dir), cifar10 (its
    batches in --data-dir), a folder of pictures, or a .npy or .npz file of images."""
    data_dir: Path | None = None
    """Folder with the four IDX files of mnist or fashion_mnist, gzipped or not; or with the batches
    of cifar10, binary or for Python."""
    image_size: int | None = None
    """Height and width to which the pictures of a folder are resized and cropped."""
    families: tuple[FamilyName, ...] = ("dcgan", "vae-conv", "vqvae", "diffusion")
    """Which families: gan, wgan and vae of multilayer perceptrons; dcgan, wgan-gp, sngan and
    vae-conv of convolutions; cgan, which is told the class; vqvae, with a learned prior over its
    codes; diffusion. A resumed run keeps those that it has."""
    steps: AtLeast1 | None = None
    """Rounds of every family. Default: each family's own number."""
    eval_size: Judged = 512
    """Samples of each family that are judged; fewer if the data are few. cgan has at most as many
    as a fifth of the data, and then all families are judged by so many."""


def resolve(args: Args) -> tuple[Dataset, Setting]:
    """The data, and what all families have in common.

    **Raises:** `UserError` for flags that cannot work, and for data that are no images.
    """
    names = args.families
    if not names:
        raise UserError("--families is empty; name at least one.")
    if len(set(names)) < len(names):
        raise UserError(f"--families {' '.join(names)}: give each of them once.")
    data = load(args.data, args.data_dir, args.seed, image_size=args.image_size)
    if data.kind != "image":
        raise UserError(
            f"--data {args.data} is of kind {data.kind}, and families are compared on images; "
            "take recipes.gan or recipes.wgan for one of them."
        )
    count = len(data.points)
    if count < FEWEST_IMAGES:
        raise UserError(
            f"--data {args.data} has {count} images; a comparison needs {FEWEST_IMAGES}."
        )
    check_varies(data.points, f"--data {args.data}")
    shared = {name: getattr(args, name) for name in SHARED}
    return data, Setting(shared, args.steps, count, max(data.points.shape[1:3]))


def plans_of(args: Args, data: Dataset, setting: Setting) -> dict[str, FamilyPlan]:
    """The plan of each family: those of the resumed run that are done, and those named.

    **Raises:** `UserError` for a family that the data do not fit.
    """
    done: list[str] = []
    if args.resume is not None:
        done = [name for name in FAMILIES if is_done(args.resume / name)]
    names: list[str] = list(dict.fromkeys([*done, *args.families]))
    for name in names:
        if FAMILIES[name].labelled and data.labels is None:
            raise UserError(
                f"--families {name} needs labels, and --data {args.data} has none; leave it out."
            )
    return {name: planned(name, setting) for name in names}


def run(args: Args) -> Result:
    """Trains the families that the folder does not have yet, judges all, and writes the panel.

    **Returns:** the `Comparison` as `players`, and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    data, setting = resolve(args)
    plans = plans_of(args, data, setting)
    args = dataclasses.replace(args, families=tuple(plans))
    folder = open_run("compare", args, MAY_CHANGE_ON_RESUME)
    folder.check_data(data.describe())
    folder.write_config("compare", args, data.describe())
    print(f"writing to {folder.path}", flush=True)
    for index, (name, plan) in enumerate(plans.items()):
        done = is_done(folder.path / name)
        state = "done already" if done else FAMILIES[name].says
        print(f"{index + 1} of {len(plans)}: {name}, {state}", flush=True)
        if not done:
            train_family(name, plan.args, folder)
    with says("judging all families alike"):
        comparison = judged(data, plans, folder, args.seed)
    write_panel(comparison, plans, folder, args.seed)
    summary: dict[str, Any] = {
        "recipe": "compare",
        "data": args.data,
        "size": comparison.size,
        "features": comparison.space,
        "table": comparison.numbers,
        "seconds": round(time.perf_counter() - begin, 1),
        "folder": str(folder.path),
    }
    write_json(folder.path / "summary.json", summary)
    return Result(comparison, folder.path, summary)


def judged(data: Dataset, plans: dict[str, FamilyPlan], folder: RunFolder, seed: int) -> Comparison:
    """The families' samples judged alike, and what their training took."""
    paths = {name: folder.path / name for name in plans}
    comparison = compare(data, {name: samples_of(path) for name, path in paths.items()}, seed)
    for name, path in paths.items():
        comparison.numbers[name].update(training_numbers(path, plans[name].parameters))
    return comparison


def write_panel(
    comparison: Comparison, plans: dict[str, FamilyPlan], folder: RunFolder, seed: int
) -> None:
    """compare.md, which is printed too, compare.csv, and the pictures."""
    texts = {name: FAMILIES[name].says for name in plans}
    write_markdown(comparison, texts, folder.path / "compare.md")
    write_csv(comparison, folder.path / "compare.csv")
    draw_comparison(comparison, folder.path / "compare.png")
    curves = {name: training_curve(folder.path / name) for name in plans}
    floor = float(comparison.numbers[REAL_DATA][W1])
    draw_training(curves, floor, folder.path / "training.png")
    with says("paths between latents"):
        key = key_of(seed)
        paths = {name: along_path(name, folder.path / name, key, IN_A_ROW) for name in plans}
    rows = [Row(name, images) for name, images in paths.items() if images is not None]
    if rows:
        title = "from one latent to another"
        draw_rows(rows, folder.path / "interpolations.png", title)
    print((folder.path / "compare.md").read_text(encoding="utf-8"))
    print(f"panel: {folder.path / 'compare.png'}")


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
