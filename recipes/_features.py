"""What samples are compared by: the points themselves, a random network, a classifier's layer."""

from collections.abc import Callable
from pathlib import Path

import jax
from jaxtyping import Array, Float

from models import MLP
from recipes._classifier import CACHE, trained_classifier
from recipes._data import Dataset, check_labelled_images, hold_out
from recipes._errors import UserError

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
