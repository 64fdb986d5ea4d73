"""Classifiers of images, and what they say of generated ones."""

import functools
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

import gameopt as go
import theory
from models import MLP
from recipes._data import Dataset, check_labelled_images
from recipes._runtime import checkpoint
from recipes._runtime.errors import UserError
from recipes._runtime.seeds import key_of

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
    """A classifier's numbers on images.

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


WIDTH, DEPTH, BATCH, EPOCHS, RATE = 256, 2, 64, 40, 1e-3
NOISE = 0.3
"""Deviation of the noise that training images get, as generated ones are noisy too."""
MOST_ROUNDS = 6000
CACHE = Path("runs") / "classifiers"


class Classifier(eqx.Module):
    """One image of shape `shape` to logits.

    - `network`: an MLP.
    """

    network: MLP

    def __call__(self, image: Float[Array, "*shape"]) -> Float[Array, " classes"]:
        return self.network(image)

    def features(self, image: Float[Array, "*shape"]) -> Float[Array, " width"]:
        """The last hidden layer, before the activation, which would cut off half of it."""
        x = image.reshape(-1)
        hidden = self.network.layers[:-1]
        for layer in hidden[:-1]:
            x = self.network.activation(layer(x))
        return hidden[-1](x)


class TrainedClassifier(NamedTuple):
    """A classifier, and the share of held-out images that it is right about."""

    classifier: Classifier
    accuracy: float


def trained_classifier(
    train: Dataset, held_out: Dataset, classes: int, cache: Path = CACHE, seed: int = 0
) -> TrainedClassifier:
    """Trains a classifier, or takes the one that was trained on the same images before.

    **Arguments:**

    - `train`, `held_out`, `classes`: as `recipes._data.load_labelled` gives them.
    - `cache`: a folder of classifiers, each named by what decides it; a damaged one is not used.
    """
    assert train.labels is not None
    assert held_out.labels is not None
    key_network, key_train = jax.random.split(key_of(seed))
    shape = train.points.shape[1:]
    network = MLP(shape, (classes,), width=WIDTH, depth=DEPTH, key=key_network)
    classifier, rounds = Classifier(network), _rounds(len(train.points))
    settings = f"{train.checksum()} {classes} {seed} {WIDTH} {DEPTH} {BATCH} {rounds} {NOISE}"
    folder = cache / hashlib.sha256(settings.encode()).hexdigest()[:16]
    found = _cached(folder, classifier)
    if found is None:
        points, labels = jnp.asarray(train.points), jnp.asarray(train.labels)
        found = _train(classifier, points, labels, key_train, rounds)
        _keep(folder, rounds, found)
    predicted = jax.jit(lambda c, x: jnp.argmax(jax.vmap(c)(x), axis=1))(found, held_out.points)
    return TrainedClassifier(found, float(np.mean(np.asarray(predicted) == held_out.labels)))


def _rounds(n: int) -> int:
    return min(max(1, n // BATCH) * EPOCHS, MOST_ROUNDS)


def _cached(folder: Path, like: Classifier) -> Classifier | None:
    try:
        return checkpoint.load(folder, like)[0]
    except UserError:
        return None


def _keep(folder: Path, rounds: int, classifier: Classifier) -> None:
    """Under a name of its own first: two runs may train the same one at the same time."""
    mine = folder.with_name(f".{folder.name}-{os.getpid()}")
    checkpoint.save(mine, rounds, classifier)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        mine.rename(folder)
    except OSError:  # the other one was faster
        shutil.rmtree(mine)


class _Classification(go.OnePlayerGame):
    """Mean cross-entropy of a classifier, on batches of noisy images drawn with replacement."""

    points: Float[Array, "n *shape"]
    labels: Int[Array, " n"]

    def loss(self, x: Classifier, key: go.Key = None) -> Float[Array, ""]:
        assert key is not None
        key_rows, key_noise = jax.random.split(key)
        rows = jax.random.randint(key_rows, (BATCH,), 0, len(self.points))
        images = self.points[rows]
        images += NOISE * jax.random.normal(key_noise, images.shape, images.dtype)
        logits, labels = jax.vmap(x)(images), self.labels[rows]
        return jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels))


@functools.cache
def _solver(rounds: int) -> go.AbstractSolver:
    """The same object for the same rounds, so that a second training compiles nothing."""
    return go.descent(optax.adam(optax.cosine_decay_schedule(RATE, rounds)))


def _train(
    classifier: Classifier,
    points: Float[Array, "n *shape"],
    labels: Int[Array, " n"],
    key: PRNGKeyArray,
    rounds: int,
) -> Classifier:
    game, players = _Classification(points, labels), go.Players(classifier, None)
    return go.rollout(game, _solver(rounds), players, rounds, key=key, every=rounds).players.x
