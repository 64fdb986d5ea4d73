"""What generated rows are worth to a classifier: trained on them, tested on real ones."""

import numpy as np

from recipes._data import Encoding, Table
from recipes._seeds import random_state

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
