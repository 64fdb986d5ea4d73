"""A data set as a GAN is trained on it, and the judge of its samples: exact W1 and pictures."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
import theory
from models import mlp_critic, mlp_generator
from recipes._certify.certificates import ProbeArgs
from recipes._data import NAMES, Dataset, Scaling, load, standardized
from recipes._gans.critics import generated
from recipes._report.sample_metrics import features_of, headline, sample_report, write_report
from recipes._report.samples import Pictures, Score
from recipes._runtime.errors import FEWEST, UserError
from recipes._runtime.run import GENERATED, RunFolder

MOST_REST = 10_000
"""So many other training points are searched for nearest neighbours."""
Numbers = Callable[[go.Players, Any, Any], dict[str, Any]]
"""`(players, real, fake) -> numbers`, on batches of shape `(n, *shape)`, or `Conditioned` ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataArgs(ProbeArgs):
    """The flags of every GAN that is trained on a data set."""

    data: str = "digits"
    """digits (scikit-learn's 8x8), mnist, fashion_mnist or cifar10 (files in --data-dir), ring,
    grid, swiss_roll, a .npy or .npz file, or a folder of images."""
    data_dir: Path | None = None
    """Folder with the four IDX files of mnist or fashion_mnist, gzipped or not; or with the batches
    of cifar10, binary or for Python."""
    standardize: bool = True
    """For vectors and points in the plane from a file: train on columns of mean 0 and deviation 1.
    Distances are then in deviations; generated.npy is in the file's units."""
    batch_size: int = 64
    """Points a step sees."""
    latent_size: int | None = None
    """Size of the generator's Gaussian input. Default 32; 2 for points in the plane."""
    image_size: int | None = None
    """Height and width to which the pictures of a folder are resized and cropped."""
    eval_size: int = 512
    """Points on which the samples are compared with the data."""
    metrics: bool = True
    """Write metrics.md at the end: Fréchet distance, KID, precision, recall, density, coverage."""


class TrainingData:
    """The data set that the flags name.

    - `loaded`: as it came. `scaled`: as it is trained on. `scaling`: from the first to the second.

    **Raises:** `UserError` if it is not there, not sound, or smaller than a batch.
    """

    def __init__(self, args: DataArgs):
        size = args.image_size
        self.loaded: Dataset = load(args.data, args.data_dir, args.seed, image_size=size)
        if args.batch_size > len(self.loaded.points):
            raise UserError(
                f"--batch-size {args.batch_size} is larger than the data: {args.data} has "
                f"{len(self.loaded.points)} points; choose a smaller batch."
            )
        self.scaled, self.scaling = self.loaded, None
        if args.standardize and args.data not in NAMES:
            self.scaled, self.scaling = standardized(self.loaded)
        self.name: str = self.loaded.name

    @property
    def is_plane(self) -> bool:
        """Whether the points are in the plane."""
        return self.loaded.kind == "plane"

    def describe(self) -> dict[str, Any]:
        """What config.json says of it."""
        return self.loaded.describe()

    def __str__(self) -> str:
        points = self.loaded.points
        return (
            f"{self.name}: {len(points)} points of shape {points.shape[1:]}, {self.loaded.source}"
        )

    def sampler(self, conditions: np.ndarray | None = None) -> go.Samples:
        """Draws batches of it, with the condition of each point where there are `conditions`."""
        return go.Samples(with_conditions(self.scaled.points, conditions))

    def networks(
        self, latent_size: int, widths: go.Players[int, int], depth: int, key: PRNGKeyArray
    ) -> go.Players:
        """Fresh networks; a generator of images ends in tanh, because images are in [-1, 1]."""
        key_x, key_y = jax.random.split(key)
        shape, bounded = self.scaled.points.shape[1:], self.scaled.kind == "image"
        generator = mlp_generator(
            latent_size, shape, width=widths.x, depth=depth, bounded=bounded, key=key_x
        )
        return go.Players(generator, mlp_critic(shape, width=widths.y, depth=depth, key=key_y))


def with_conditions(points: np.ndarray, conditions: np.ndarray | None) -> go.Points:
    """Points on the device, `Conditioned` where there are as many conditions."""
    on_device = jnp.asarray(points)
    return on_device if conditions is None else go.Conditioned(on_device, jnp.asarray(conditions))


def check_varies(points: np.ndarray, what: str) -> None:
    """Raises a `UserError` if all points are the same; `what`: how the user named them."""
    if np.array_equal(points[0], points[-1]) and (points == points[0]).all():
        raise UserError(
            f"{what}: all {len(points)} points are the same, which leaves nothing to learn; give "
            "other data."
        )


def resolve_sizes(args: Any, data: TrainingData) -> Any:
    """The flags with the sizes that depend on the data filled in.

    **Raises:** `UserError` for data that are one point.
    """
    check_varies(data.loaded.points, f"--data {args.data}")
    return dataclasses.replace(
        args,
        latent_size=args.latent_size or (2 if data.is_plane else 32),
        eval_size=min(args.eval_size, len(data.loaded.points) // 2),
    )


class JudgedRows(NamedTuple):
    """Rows of data that samples are compared with, of as many others, and of some of the rest."""

    real: np.ndarray
    other: np.ndarray
    rest: np.ndarray


def judged_rows(count: int, size: int, seed: int, labels: np.ndarray | None = None) -> JudgedRows:
    """Disjoint rows of `count` points: twice `size`, which is at most half of them; the rest.

    - `labels`: of the points, shape `(count,)`, if the other rows must have the labels of the real
      ones, place by place; `size` is then at most `most_judged(labels)`.
    """
    order = np.random.default_rng(seed).permutation(count)
    if labels is None:
        return JudgedRows(order[:size], order[size : 2 * size], order[2 * size :][:MOST_REST])
    _, classes, sizes = np.unique(labels[order], return_inverse=True, return_counts=True)
    # No more of a class than leave as many for the others.
    real = order[_place_in_class(classes) < sizes[classes] // 2][:size]
    left = order[~np.isin(order, real)]
    other = np.empty_like(real)
    for label in np.unique(labels[real]):
        wanted = labels[real] == label
        other[wanted] = left[labels[left] == label][: wanted.sum()]
    rest = left[~np.isin(left, other)]
    return JudgedRows(real, other, rest[:MOST_REST])


def _place_in_class(labels: np.ndarray) -> np.ndarray:
    """The number of earlier entries with the same label, shape `(n,)`."""
    by_class = np.argsort(labels, kind="stable")
    sorted_labels = labels[by_class]
    begins = np.searchsorted(sorted_labels, sorted_labels, side="left")
    place = np.empty(len(labels), int)
    place[by_class] = np.arange(len(labels)) - begins
    return place


def most_judged(labels: np.ndarray) -> int:
    """So many rows have others of the same labels beside them."""
    return int((np.unique(labels, return_counts=True)[1] // 2).sum())


class Judge:
    """Compares samples from fixed latents with fixed data, and draws them.

    Beside it stands the exact W1 between two disjoint batches of data, `w1_floor`: what a perfect
    generator measures with so few points. It bounds nothing: blurred or shrunk samples can measure
    less. Where points have labels, both batches have the labels of the samples.

    - `latents`: shape `(n, latent_size)`: as many points are compared.
    - `conditions`: of every point of the data; those of the points compared are the latents' too.
    - `numbers`: what the players themselves say of the same points.
    - `score`, `score_label`: what the plane is coloured by.
    """

    def __init__(
        self,
        folder: RunFolder,
        data: TrainingData,
        latents: Array,
        seed: int,
        numbers: Numbers,
        score: Score = go.critic_scores,
        score_label: str = "critic f(x)",
        conditions: np.ndarray | None = None,
    ):
        points, n = data.scaled.points, len(latents)
        has_labels = conditions is not None and conditions.ndim == 1
        rows = judged_rows(len(points), n, seed, conditions if has_labels else None)
        real, other, rest = (points[part] for part in rows)
        self.other, self.rest = jnp.asarray(other), jnp.asarray(rest)
        self.folder, self.data, self.numbers = folder, data, numbers
        given = None if conditions is None else conditions[rows.real]
        self.judged = with_conditions(real, given)
        self.latents = latents if given is None else go.Conditioned(latents, jnp.asarray(given))
        self.real, self._flat = jnp.asarray(real), real.reshape(n, -1)
        self.w1_floor = exact_w1(self._flat, other.reshape(n, -1))
        self.pictures = Pictures(folder, data.scaled, real, score, score_label)

    def __call__(self, players: go.Players, round: int) -> dict[str, Any]:
        """The players' own numbers, and in the data's units:

        - `w1_exact`, `w1_floor`: of the samples and of other data, by optimal transport.
        """
        fake = generated(players.x, self.latents)
        numbers = self.numbers(players, self.judged, fake)
        points = np.asarray(go.value_of(fake))
        finite = bool(np.isfinite(points).all())
        w1 = exact_w1(self._flat, points.reshape(len(points), -1)) if finite else float("nan")
        numbers |= {"w1_exact": w1, "w1_floor": self.w1_floor}
        self.pictures.samples(points, players.y, round, numbers)
        return numbers

    def write_generated(self, players: go.Players, metrics: bool) -> dict[str, float]:
        """Writes generated.npy, in the units of the data as they came, and metrics.md if asked to.

        **Returns:** the Fréchet distance in the last of the features, and that of real points;
        nothing, and no metrics.md, for too few points.
        """
        points = go.value_of(generated(players.x, self.latents))
        scaling: Scaling | None = self.data.scaling
        raw = np.asarray(points)
        np.save(self.folder.path / GENERATED, scaling.undo(raw) if scaling else raw)
        if not metrics or len(raw) < FEWEST:
            return {}
        maps = features_of(self.data.scaled)
        report = sample_report(self.real, self.other, points, self.rest, maps)
        write_report(report, self.folder.path / "metrics.md")
        return headline(report)


def exact_w1(left: np.ndarray, right: np.ndarray) -> float:
    """W1 between two batches of as many points each, shape `(n, d)`, in the data's units."""
    return float(theory.optimal_transport(left, right, p=1.0).distance)
