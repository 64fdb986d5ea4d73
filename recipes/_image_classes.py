"""What a classifier trained here on the data says of generated images."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

import theory
from recipes._classifier import CACHE, trained_classifier
from recipes._data import Dataset, check_labelled_images
from recipes._errors import UserError

CONFIDENT = 0.9


class Judging(NamedTuple):
    """A classifier of the data's labels.

    - `accuracy`, `confident`: on held-out images, the shares that it is right about and sure of.
    - `classes`: how many there are.
    """

    classifier: Callable[[Any], Array]
    accuracy: float
    confident: float
    classes: int


def judging(train: Dataset, held_out: Dataset) -> Judging | None:
    """Trained on `train`, or taken from the cache; `None` without labels."""
    try:
        classes = check_labelled_images(train, held_out)
    except UserError:
        return None
    found = trained_classifier(train, held_out, classes, cache=CACHE)
    sure = _confident_share(_probabilities(found.classifier, jnp.asarray(held_out.points)))
    return Judging(found.classifier, found.accuracy, sure, classes)


@eqx.filter_jit
def _probabilities(classifier: Callable[[Any], Array], images: Array) -> Float[Array, "n classes"]:
    return jax.nn.softmax(jax.vmap(classifier)(images))


def _confident_share(probabilities: Any) -> float:
    return float(np.mean(np.asarray(probabilities).max(axis=1) >= CONFIDENT))


def class_numbers(
    judge: Judging, images: Float[Array, "n *shape"], labels: Int[Array, " n"] | None = None
) -> dict[str, Any]:
    """What the classifier says, in numbers.

    - `classifier_accuracy`: on held-out real images.
    - `confident_share`: of the images, those with a class of at least 0.9;
      `confident_share_of_real`: of held-out real ones.
    - `class_entropy_share`: the entropy of the classes' frequencies over that of equal ones.
    - `label_accuracy`: with `labels`, the share of images that get the label asked for, and
      `label_accuracy_by_class`.
    """
    probabilities = np.asarray(_probabilities(judge.classifier, images))
    found = probabilities.argmax(axis=1)
    shares = np.bincount(found, minlength=judge.classes) / len(found)
    entropy = -np.sum(shares[shares > 0] * np.log(shares[shares > 0]))
    numbers = {
        "classifier_accuracy": judge.accuracy,
        "confident_share": _confident_share(probabilities),
        "confident_share_of_real": judge.confident,
        "class_entropy_share": float(entropy / np.log(judge.classes)),
    }
    if labels is None:
        return numbers
    right = found == np.asarray(labels)
    each = [right[np.asarray(labels) == c] for c in range(judge.classes)]
    by_class = [float(np.mean(rows)) if len(rows) else float("nan") for rows in each]
    return {**numbers, "label_accuracy": float(np.mean(right)), "label_accuracy_by_class": by_class}


def nearest(images: Float[Array, "n *shape"], data: Float[Array, "m *shape"]) -> Int[Array, " n"]:
    """The row of the nearest point of the data, in pixels, for each image."""
    flat = lambda points: jnp.asarray(points).reshape(len(points), -1)
    return theory.nearest_neighbours(flat(images), flat(data)).indices[:, 0]
