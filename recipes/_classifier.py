"""A small classifier trained here, on the images that samples are compared with."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from models import MLP
from recipes import _checkpoint
from recipes._data import Dataset
from recipes._errors import UserError
from recipes._seeds import key_of

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


class Trained(NamedTuple):
    """A classifier, and the share of held-out images that it is right about."""

    classifier: Classifier
    accuracy: float


def trained_classifier(
    train: Dataset, held_out: Dataset, classes: int, cache: Path = CACHE, seed: int = 0
) -> Trained:
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
    return Trained(found, float(np.mean(np.asarray(predicted) == held_out.labels)))


def _rounds(n: int) -> int:
    return min(max(1, n // BATCH) * EPOCHS, MOST_ROUNDS)


def _cached(folder: Path, like: Classifier) -> Classifier | None:
    try:
        return _checkpoint.load(folder, like)[0]
    except UserError:
        return None


def _keep(folder: Path, rounds: int, classifier: Classifier) -> None:
    """Under a name of its own first: two runs may train the same one at the same time."""
    mine = folder.with_name(f".{folder.name}-{os.getpid()}")
    _checkpoint.save(mine, rounds, classifier)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        mine.rename(folder)
    except OSError:  # the other one was faster
        shutil.rmtree(mine)


@eqx.filter_jit
def _train(
    classifier: Classifier,
    points: Float[Array, "n *shape"],
    labels: Int[Array, " n"],
    key: PRNGKeyArray,
    rounds: int,
) -> Classifier:
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, rounds))
    arrays, static = eqx.partition(classifier, eqx.is_inexact_array)

    def loss(arrays, key):
        key_rows, key_noise = jax.random.split(key)
        rows = jax.random.randint(key_rows, (BATCH,), 0, len(points))
        images = points[rows]
        images += NOISE * jax.random.normal(key_noise, images.shape, images.dtype)
        logits = jax.vmap(eqx.combine(arrays, static))(images)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels[rows]))

    def step(carry, t):
        arrays, state = carry
        gradient = jax.grad(loss)(arrays, jax.random.fold_in(key, t))
        updates, state = optimizer.update(gradient, state)
        return (eqx.apply_updates(arrays, updates), state), None

    carry, _ = jax.lax.scan(step, (arrays, optimizer.init(arrays)), jnp.arange(rounds))
    return eqx.combine(carry[0], static)
