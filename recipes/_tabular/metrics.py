"""Metrics of generated tables: columns, classifiers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import spatial

import theory
from recipes._data import Encoding, Table
from recipes._runtime.seeds import random_state

CLASSIFIERS = ("logistic regression", "random forest")


def held_out_accuracy(
    features: Encoding, classifier: str, learned_from: Table, held_out: Table, seed: int
) -> float:
    """The share of held-out rows whose label is found, by one of `CLASSIFIERS` of scikit-learn.

    - `features`: standard ones, of the training rows. `seed`: of the forest.
    """
    from sklearn.ensemble import RandomForestClassifier  # here: it takes a second to import
    from sklearn.linear_model import LogisticRegression

    if classifier == "random forest":
        model = RandomForestClassifier(100, random_state=random_state(seed))
    else:
        model = LogisticRegression(max_iter=2000)
    model.fit(features.encode(learned_from), learned_from.labels)
    return float(np.mean(model.predict(features.encode(held_out)) == held_out.labels))


def majority_accuracy(train: Table, held_out: Table) -> float:
    """The share that always naming the training rows' most frequent class would find."""
    return float(np.mean(held_out.labels == train.counts().argmax()))


NEIGHBOUR = 5
"""Neighbour that sets the radii of precision and recall."""


class Memorisation(NamedTuple):
    """Memorisation: nearness to training rows against other rows of the same law.

    - `share`: of rows that are nearer to a training row than to every held-out one. `null`: its
      mean and deviation over all ways to choose, class by class, which rows are the training rows:
      what rows have that took no more from the training rows than their law.
    - `ratio`: mean distance to the nearest training row over that to the second nearest.
      `ratio_null`: the same of held-out rows. The errors take training rows as fixed.
    """

    share: float
    null: theory.Estimate
    ratio: theory.Estimate
    ratio_null: theory.Estimate

    @property
    def deviations(self) -> float:
        """Excess of the share over the null's mean, in its deviations."""
        return (self.share - float(self.null.value)) / float(self.null.standard_error)


_column_w1 = jax.jit(jax.vmap(theory.wasserstein_1d, in_axes=1))


def marginal_distances(features: Encoding, real: Table, fake: Table) -> np.ndarray:
    """Distance of each column's marginals, shape `(len(columns),)`.

    W1 on the line in the units of `features`, deviations if it is standard; and total variation of
    a categorical column, which is its W1 if two categories are always 1 apart.
    """
    found = np.zeros(len(real.columns))
    count = len(features.scales)
    vectors = [jnp.asarray(features.encode(table)[:, :count]) for table in (real, fake)]
    if count:
        found[real.continuous] = np.asarray(_column_w1(*vectors))
    for place, size in zip(real.categorical, features.categories, strict=True):
        shares = [_shares(table.values[:, place], size) for table in (real, fake)]
        found[place] = float(theory.tv_discrete(*shares))
    return found


def _shares(codes: np.ndarray, size: int) -> jax.Array:
    counts = np.bincount(codes.astype(int), minlength=size)
    return jnp.asarray(counts / len(codes), jnp.float32)


def with_labels(features: Encoding, table: Table) -> np.ndarray:
    """Rows and one-hot labels, shape `(n, width + classes)`."""
    return np.concatenate([features.encode(table), np.eye(table.classes)[table.labels]], axis=1)


def correlations(features: Encoding, table: Table) -> np.ndarray:
    """Pearson's, of all coordinates and the label's; 0 where one of the two never varies."""
    vectors = with_labels(features, table).astype(np.float64)
    centred = vectors - vectors.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    # What never varies has a norm of rounding errors, which would correlate with each other.
    varies = norms > 1e-6 * np.sqrt(len(vectors))
    unit = np.where(varies, centred / np.where(varies, norms, 1.0), 0.0)
    return unit.T @ unit


def correlation_gap(features: Encoding, left: np.ndarray, right: np.ndarray) -> float:
    """Mean absolute difference, over the pairs of coordinates that are of two columns."""
    sizes = [1] * len(features.scales) + list(features.categories)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    owners = np.concatenate([owners, np.full(len(left) - len(owners), len(sizes))])
    return float(np.abs(left - right)[owners[:, None] != owners[None, :]].mean())


def overlap(features: Encoding, real: Table, fake: Table) -> theory.PRDC:
    """Precision, recall, density and coverage of rows in the units of `features`."""
    clouds = [jnp.asarray(features.encode(table)) for table in (real, fake)]
    return theory.prdc(*clouds, k=neighbour(real))


def neighbour(real: Table) -> int:
    """Index of the neighbour taken, smaller for tables of few rows."""
    return min(NEIGHBOUR, len(real.labels) - 1)


def memorisation(
    features: Encoding, train: Table, held_out: Table, generated: Table
) -> Memorisation:
    """Test generated rows for copies of training rows, in the units of `features`."""
    made, learned, other = (
        jnp.asarray(features.encode(table)) for table in (generated, train, held_out)
    )
    share = float(theory.memorised_share(made, learned, other).value)
    null = _null_share(made, learned, other, train.labels, held_out.labels)
    ratio = lambda cloud: _mean(theory.nearest_neighbour_ratios(cloud, learned))
    return Memorisation(share, null, ratio(made), ratio(other))


def _null_share(
    generated: jax.Array,
    train: jax.Array,
    held_out: jax.Array,
    train_labels: np.ndarray,
    held_out_labels: np.ndarray,
) -> theory.Estimate:
    """The mean and the deviation of the share over all stratified choices of the training rows.

    Of the pool of all real rows, row i is the nearest of a share $w_i$ of the generated ones. The
    share is then the sum of the $w_i$ of a sample without replacement, whose variance in a stratum
    of $N$ rows of which $n$ are chosen is $n(1 - n/N)$ times the sample variance of its $w_i$
    (Cochran 1977, Sampling Techniques, theorem 2.2).
    """
    pool = np.concatenate([np.asarray(train), np.asarray(held_out)])
    labels = np.concatenate([train_labels, held_out_labels])
    _, nearest = spatial.KDTree(pool).query(np.asarray(generated))
    weights = np.bincount(nearest, minlength=len(pool)) / len(generated)
    mean, variance = 0.0, 0.0
    for label in np.unique(labels):
        stratum, chosen = weights[labels == label], int(np.sum(train_labels == label))
        mean += chosen * float(stratum.mean())
        variance += chosen * (1 - chosen / len(stratum)) * float(stratum.var(ddof=1))
    return theory.Estimate(jnp.asarray(mean), jnp.asarray(np.sqrt(max(variance, 1e-12))))


def _mean(values: jax.Array) -> theory.Estimate:
    error = jnp.std(values, ddof=1) / np.sqrt(len(values))
    return theory.Estimate(jnp.mean(values), error)
