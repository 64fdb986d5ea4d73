"""Autoencoders: images from a few numbers, from noise, around a hole, from few pixels; and masks.

    python -m recipes.autoencoder                                   # digits in 16 numbers
    python -m recipes.autoencoder --kind conv --task denoise
    python -m recipes.autoencoder --task inpaint --hole 4
    python -m recipes.autoencoder --kind conv --task superresolve --skips
    python -m recipes.autoencoder --kind conv --task segment --skips
    python -m recipes.autoencoder --depth 0 --batch-size 1438 --optimizer.learning-rate 0.01   # PCA
    python -m recipes.autoencoder --preset mnist --data mnist --data-dir DIR
    python -m recipes.autoencoder --data PICTURES --image-size 32 --kind conv --task inpaint

The decoder and the encoder minimise one loss: the mean squared error of a pixel, in [-1, 1], or of
segment the cross-entropy of a pixel's mask. Held-out images are restored beside PCA with as many
numbers, and the exact posterior mean of a Gaussian fitted to the data; table.md has the errors.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
from recipes._autoencoder.codes import fitted_law, mapped
from recipes._autoencoder.data import Images
from recipes._autoencoder.game import Autoencoding, cross_entropy, skip_players, squared_error
from recipes._autoencoder.judge import SHOWN_IMAGES, Judge
from recipes._autoencoder.pictures import (
    draw_code_map,
    draw_curves,
    draw_generated,
    draw_held_out,
    draw_interpolations,
)
from recipes._autoencoder.tasks import TaskArgs, check_task, make_corruption, own_defaults
from recipes._data.training import check_varies, with_conditions
from recipes._latent.networks import (
    check_kind,
    make_decoder,
    make_encoder,
    make_solver as make_solver,
)
from recipes._report.judge import SampleJudge
from recipes._report.plots import over_time
from recipes._runtime import cli
from recipes._runtime.errors import FEWEST, UserError
from recipes._runtime.experiment import Experiment, run_experiment
from recipes._runtime.fields import AtLeast1, Judged
from recipes._runtime.progress import says
from recipes._runtime.run import Result, RunFolder
from recipes._runtime.seeds import keys_of

MOST_CHANNELS = 2048
"""The bound of --width for conv, doubled with each halving."""
PRESETS: dict[str, dict[str, Any]] = {
    # For 28x28 in minutes on two cores.
    "mnist": {"width": 512, "latent_size": 32, "batch_size": 128, "steps": 8000, "eval_size": 1000},
}
OF_CONV: dict[str, dict[str, Any]] = {
    "small": {"width": 32},
    "mnist": {"width": 16, "steps": 3000},
}
"""Changes for convolutions, by preset: their width is a number of channels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(TaskArgs):
    """Train an autoencoder and compare it with what is known without one."""

    preset: Literal["small", "mnist"] = "small"
    """The defaults of the other flags: small (8x8 digits in a minute), or mnist (28x28 in minutes).
    --preset NAME --help shows them."""
    data: str = "digits"
    """digits (scikit-learn's 8x8), mnist or fashion_mnist (IDX files in --data-dir), cifar10 (its
    batches in --data-dir), a folder of pictures, or a .npy or .npz file of images."""
    steps: AtLeast1 = 6000
    """Rounds, that is gradient steps."""
    eval_size: Judged = 512
    """Held-out images that errors are means over, and images that are drawn."""
    metrics: bool = True
    """Write metrics.md at the end of reconstruct, of images whose codes are drawn from a Gaussian
    fitted to codes: Fréchet distance, KID, precision, recall, density, coverage."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The preset's, and those of convolutions."""
        name = given.get("preset", "small")
        of_kind = OF_CONV.get(name, {}) if given.get("kind") == "conv" else {}
        return PRESETS.get(name, {}) | of_kind

    @classmethod
    def filled_in(cls) -> dict[str, tuple[str, ...]]:
        """A task's own flags, which depend on it and on the size of the images."""
        own = ("noise", "hole", "factor")
        return {"task": own, "data": own, "image_size": own}


def resolve(args: Args) -> tuple[Args, Images]:
    """The data, and the flags with the defaults filled in that depend on them.

    **Raises:** `UserError` for flags that cannot work, and for data that are not there or do not
    fit them.
    """
    check_task(args)
    if args.kind == "conv" and args.width > MOST_CHANNELS:
        raise UserError(f"--width must be at most {MOST_CHANNELS} for conv, got {args.width}.")
    data = Images(args)
    check_varies(data.loaded.points, f"--data {args.data}")
    points = data.scaled.points
    shape = points.shape[1:]
    check_kind(args, shape)
    most = min(len(points), int(np.prod(shape)))
    if args.latent_size > most:
        raise UserError(
            f"--latent-size must be at most {most}, the fewer of an image's numbers and the images "
            f"to train on, got {args.latent_size}."
        )
    size = min(args.eval_size, len(data.held_out.points), len(points) // 2)
    if size < FEWEST:
        raise UserError(
            f"--data {args.data} has {len(points)} images to train on and "
            f"{len(data.held_out.points)} held out, which is too few to judge by; give more."
        )
    own = own_defaults(args, shape)
    return dataclasses.replace(args, eval_size=size, **own), data


def set_up(args: Args, data: Images) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh players of resolved flags."""
    images, wanted = data.train_pairs
    corruption = make_corruption(args, images.shape[1:])
    sampler = go.Samples(with_conditions(images, None if wanted is images else wanted))
    distance = cross_entropy if args.task == "segment" else squared_error
    game = Autoencoding(sampler, corruption, distance, args.batch_size)
    seen, shape, size = corruption.seen_shape, wanted.shape[1:], args.latent_size
    key_x, key_y = jax.random.split(_keys(args).players)
    if args.skips:
        return game, skip_players(seen, shape, args.width, key_x)
    return game, go.Players(
        make_decoder(args, size, shape, key_x), make_encoder(args, seen, size, key_y)
    )


def _keys(args: Args) -> Any:
    return keys_of(args.seed, "players", "play", "held_out", "codes", "samples")


def sample(args: Args, data: Images, players: go.Players, key: PRNGKeyArray, n: int) -> np.ndarray:
    """`n` images decoded from codes drawn from a Gaussian fitted to the codes of training images,
    in the units of the data; of segment masks of scenes, -1 to 1.

    **Raises:** `UserError` for an autoencoder with skip connections, which has no codes.
    """
    return data.unscaled(_drawn(args, data, players, key, n))


def _drawn(args: Args, data: Images, players: go.Players, key: PRNGKeyArray, n: int) -> np.ndarray:
    if args.skips:
        raise UserError("An autoencoder with --skips has no codes from which images are drawn.")
    images = data.train_pairs.images
    corruption = make_corruption(args, images.shape[1:])
    law = fitted_law(players, corruption, images, _keys(args).codes)
    decoded = np.asarray(mapped(players.x, law.sample(key, n)))
    return np.tanh(decoded / 2) if args.task == "segment" else decoded


def run(args: Args) -> Result:
    """Trains, writes the run folder, and returns the players and the summary.

    **Raises:** `UserError` for flags or data that cannot work, before anything is compiled.
    """
    args, data = resolve(args)
    return run_experiment("autoencoder", args, data, lambda folder: experiment(args, data, folder))


def experiment(args: Args, data: Images, folder: RunFolder) -> Experiment:
    """The experiment of resolved flags in its folder."""
    game, players = set_up(args, data)
    assert isinstance(game, Autoencoding)
    judge = Judge(folder, args, data, game.corruption, _keys(args).held_out)

    def finish(players: go.Players) -> tuple[go.Players, dict[str, Any]]:
        answers = judge.answers(players)
        head = {"data": args.data, "task": args.task, "kind": args.kind}
        head |= judge.write_table(answers)
        with says("pictures"):
            draw_held_out(judge, answers)
            draw_curves(folder.read_metrics(), judge.reference, folder.path / "curves.png")
            over_time(folder.path / "samples", folder.path / "over_time.png")
        return players, head | _of_codes(args, data, folder, judge, players)

    word = "iou" if args.task == "segment" else "error"
    return Experiment(
        game=game, solver=make_solver(args), players=players, key=_keys(args).play,
        evaluate=judge, shown={word: f"held-out {word}", "reference": judge.reference},
        finish=finish,
    )  # fmt: skip


def _of_codes(
    args: Args, data: Images, folder: RunFolder, judge: Judge, players: go.Players
) -> dict[str, Any]:
    """Draw the codes and what is between and around them; of skip connections nothing."""
    if args.skips:
        return {}
    codes = np.asarray(mapped(players.y, jnp.asarray(judge.seen)))
    labels = data.held_out.labels
    labels = None if labels is None else labels[: len(codes)]
    if args.latent_size > 1:
        draw_code_map(codes, labels, folder.path / "codes.png")
    if args.task != "reconstruct":
        return {}
    draw_interpolations(folder, players, judge.wanted, codes, labels)
    generated = _drawn(args, data, players, _keys(args).samples, args.eval_size)
    if len(generated) >= 2 * SHOWN_IMAGES:
        draw_generated(folder, generated, data.scaled.points)
    drawn = jnp.asarray(generated)
    samples = SampleJudge(folder, data, args.eval_size, args.seed, lambda players, _: drawn)
    return samples.write_generated(players, args.metrics)


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
