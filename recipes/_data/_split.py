"""Labelled images to learn from, and others to be judged on."""

import dataclasses

import numpy as np

from recipes._data._dataset import Dataset
from recipes._errors import UserError

HELD_OUT = 0.2
MOST_CLASSES = 1000


def hold_out(data: Dataset) -> tuple[Dataset, Dataset]:
    """Four fifths to learn from and one fifth held out, in one fixed order that no seed changes."""
    order = np.random.default_rng(0).permutation(len(data.points))
    held_out = round(HELD_OUT * len(order))

    def rows(chosen: np.ndarray) -> Dataset:
        labels = None if data.labels is None else data.labels[chosen]
        return dataclasses.replace(data, points=data.points[chosen], labels=labels)

    return rows(order[held_out:]), rows(order[:held_out])


def check_labelled_images(train: Dataset, held_out: Dataset, flag: str = "--data") -> int:
    """The number of classes, 0 to the largest label; a `UserError` if there is nothing to classify.

    Both parts must be images of one shape, with labels. `flag`: what the user named them by.
    """
    if train.kind != "image":
        raise UserError(f"{flag} {train.name} is of kind {train.kind}; images are needed.")
    if train.points.shape[1:] != held_out.points.shape[1:]:
        raise UserError(
            f"{flag} {train.name} has training images of shape {train.points.shape[1:]} and "
            f"held-out ones of {held_out.points.shape[1:]}."
        )
    if train.labels is None or held_out.labels is None:
        raise UserError(f"{flag} {train.name} has no labels, and a classifier needs them.")
    if len(held_out.points) < 1 or len(np.unique(train.labels)) < 2:
        raise UserError(f"{flag} {train.name} has fewer than two classes, or too few images.")
    labels = np.concatenate([train.labels, held_out.labels])
    if labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise UserError(
            f"{flag} {train.name} has labels from {labels.min()} to {labels.max()}; expected "
            f"classes from 0 to at most {MOST_CLASSES - 1}."
        )
    return int(labels.max()) + 1
