"""Metrics of samples beside those of real data, in feature spaces."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import theory
from models import MLP
from recipes._data import Dataset, check_labelled_images, hold_out
from recipes._report.classifier import CACHE, trained_classifier
from recipes._report.tables import markdown
from recipes._runtime.errors import UserError

Features = Callable[[Float[Array, "n *shape"]], Float[Array, "n d"]]
RANDOM_WIDTH = 128


def raw(points: Float[Array, "n *shape"]) -> Float[Array, "n d"]:
    """The points, flattened."""
    return points.reshape(len(points), -1)


def random_network(shape: tuple[int, ...]) -> Features:
    """A ReLU network of one hidden layer with fixed random weights: the same for every run.

    Such features tell laws apart without having learned what matters to a person.
    """
    network = MLP(shape, (RANDOM_WIDTH,), width=RANDOM_WIDTH, depth=1, key=jax.random.key(0))
    return jax.jit(jax.vmap(network))


def features_of(data: Dataset, cache: Path = CACHE) -> dict[str, Features]:
    """Every feature map that fits the data, by name.

    - `raw` for all; `random` for images and vectors; `classifier` for images with labels: the last
      hidden layer of one trained here on four fifths of the data.

    """
    maps: dict[str, Features] = {"raw": raw}
    if data.kind == "plane":
        return maps
    maps["random network"] = random_network(data.points.shape[1:])
    train, held_out = hold_out(data)
    try:
        classes = check_labelled_images(train, held_out)
    except UserError:  # of vectors, or without labels: there is nothing to classify
        return maps
    classifier = trained_classifier(train, held_out, classes, cache=cache).classifier
    maps["classifier"] = jax.jit(jax.vmap(classifier.features))
    return maps


NEIGHBOURS = 5
DIRECTIONS = 128
Numbers = dict[str, float]


class SampleReport(NamedTuple):
    """The metrics of generated points, and of as many other real points, against real ones.

    - `generated`, `real`: by name. `size`: points on each side.
    """

    generated: Numbers
    real: Numbers
    size: int


def sample_report(
    real: Float[Array, "n *shape"],
    other: Float[Array, "n *shape"],
    generated: Float[Array, "n *shape"],
    rest: Float[Array, "m *shape"],
    features: Mapping[str, Features],
) -> SampleReport:
    """Compares `generated` with `real`, and `other`, of the same law, with `real`.

    **Arguments:**

    - `real`, `other`: disjoint batches of data. `rest`: data outside of both, for memorisation.
    - `features`: maps by name; every metric is taken in the space of each.
    """

    numbers_of = lambda points: sample_numbers(real, points, rest, features)
    return SampleReport(numbers_of(generated), numbers_of(other), len(real))


def sample_numbers(
    real: Float[Array, "n *shape"],
    points: Float[Array, "n *shape"],
    rest: Float[Array, "m *shape"],
    features: Mapping[str, Features],
) -> Numbers:
    """The metrics of `points` against `real` ones, by name; the arguments of `sample_report`."""
    found: Numbers = {}
    for name, to in features.items():
        metrics = _compare(to(real), to(points))
        found |= {f"{metric}, {name}": value for metric, value in metrics.items()}
    if len(rest) > 1:
        flat = points.reshape(len(points), -1)
        ratios = theory.nearest_neighbour_ratios(flat, rest.reshape(len(rest), -1))
        found["nearest-neighbour ratio"] = float(jnp.mean(ratios))
    return found


def _compare(real: Float[Array, "n d"], points: Float[Array, "n d"]) -> Numbers:
    kid = theory.mmd2_unbiased(real, points)
    along = theory.slice_directions(jax.random.key(0), DIRECTIONS, real.shape[1])
    overlap = theory.prdc(real, points, min(NEIGHBOURS, len(real) - 1))
    return {
        "Fréchet distance": float(theory.frechet_distance(real, points).distance),
        "KID (unbiased)": float(kid.value),
        "sliced W2": float(theory.sliced_wasserstein(real, points, along).value),
        **{name: float(value) for name, value in overlap._asdict().items()},
    }


def write_report(report: SampleReport, path: Path) -> None:
    """A Markdown table: a row for each metric, generated points beside real ones."""
    rows = ([name, value, report.real[name]] for name, value in report.generated.items())
    table = markdown(["metric", "generated", "real"], rows)
    path.write_text(
        f"Generated points, and other real points, against {report.size} real ones. A ratio near 0 "
        f"is a copy of a training point; density is 1 for equal laws. The column real is what a "
        "perfect generator measures with so few points; it bounds nothing, and blurred or shrunk "
        f"samples can have smaller distances.\n\n{table}",
        encoding="utf-8",
    )


def headline(report: SampleReport) -> dict[str, Any]:
    """The Fréchet distances of the last features, for a summary."""
    name = [name for name in report.generated if name.startswith("Fréchet")][-1]
    key = "frechet_" + name.split(", ")[1].replace(" ", "_")
    return {key: report.generated[name], f"{key}_of_real": report.real[name]}
