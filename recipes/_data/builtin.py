"""Data sets that come with the packages."""

from collections.abc import Callable
from typing import Any

import numpy as np

from recipes._data.dataset import Dataset
from recipes._data.table import Column, Table, quantile_classes

TOY_POINTS = 100_000


def digits() -> Dataset:
    """1797 real handwritten digits of 8x8 pixels, from scikit-learn (UCI, Alpaydin & Kaynak)."""
    from sklearn.datasets import load_digits  # here: it takes a second to import

    flat, target = load_digits(return_X_y=True)
    points = (np.asarray(flat).reshape(-1, 8, 8) / 8.0 - 1.0).astype(np.float32)
    labels = np.asarray(target).astype(np.int32)
    return Dataset("digits", points, labels, "image", "scikit-learn's digits")


def _toy(name: str, points: np.ndarray, labels: np.ndarray | None) -> Dataset:
    labels = None if labels is None else labels.astype(np.int32)
    source = "drawn; Gulrajani et al. 2017, authors' code"
    return Dataset(name, points.astype(np.float32), labels, "plane", source)


def ring(seed: int) -> Dataset:
    """Eight Gaussians: radius 2, deviation 0.02, all divided by 1.414."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(8, size=TOY_POINTS)
    angles = 2 * np.pi * labels / 8
    centres = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _toy("ring", (centres + 0.02 * rng.normal(size=centres.shape)) / 1.414, labels)


def grid(seed: int) -> Dataset:
    """25 Gaussians on a square grid of spacing 2, deviation 0.05, all divided by 2.828."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(25, size=TOY_POINTS)
    centres = 2.0 * np.stack(np.divmod(labels, 5), axis=1) - 4
    return _toy("grid", (centres + 0.05 * rng.normal(size=centres.shape)) / 2.828, labels)


def swiss_roll(seed: int) -> Dataset:
    """A spiral: t (cos t, sin t) for t in [1.5 pi, 4.5 pi], noise 0.25, divided by 7.5."""
    rng = np.random.default_rng(seed)
    t = 1.5 * np.pi * (1 + 2 * rng.uniform(size=TOY_POINTS))
    spiral = np.stack([t * np.cos(t), t * np.sin(t)], axis=1)
    return _toy("swiss_roll", (spiral + 0.25 * rng.normal(size=spiral.shape)) / 7.5, None)


def _names(names: Any) -> tuple[str, ...]:
    return tuple(str(name) for name in names)


def _classified(name: str, label: str, loaded: Any) -> Table:
    columns = tuple(map(Column, _names(loaded.feature_names)))
    values = np.asarray(loaded.data, np.float64)
    labels = np.asarray(loaded.target, np.int32)
    target = Column(label, _names(loaded.target_names))
    return Table(name, f"scikit-learn's {name}", columns, values, target, labels)


def wine(bins: int) -> Table:
    """178 wines of three growers, 13 chemical numbers each (UCI, Aeberhard & Forina)."""
    from sklearn.datasets import load_wine  # here: it takes a second to import

    del bins
    return _classified("wine", "grower", load_wine())


def breast_cancer(bins: int) -> Table:
    """569 tumours, benign or malignant, 30 numbers of their cells (UCI, Wolberg et al.)."""
    from sklearn.datasets import load_breast_cancer

    del bins
    return _classified("breast_cancer", "diagnosis", load_breast_cancer())


def diabetes(bins: int) -> Table:
    """442 patients, ten numbers each, one of them the sex; the disease a year later is the label.

    The label is a number, and is cut into `bins` classes at its quantiles
    (Efron, Hastie, Johnstone & Tibshirani 2004, Annals of Statistics 32(2)).
    """
    from sklearn.datasets import load_diabetes

    loaded: Any = load_diabetes(scaled=False)
    names, values = _names(loaded.feature_names), np.asarray(loaded.data, np.float64).copy()
    sex = names.index("sex")
    columns = tuple(Column(name, ("1", "2") if name == "sex" else None) for name in names)
    values[:, sex] -= 1  # written 1 and 2
    label, labels = quantile_classes("progression", np.asarray(loaded.target, np.float64), bins)
    source = f"scikit-learn's diabetes, its target cut into {bins} classes at its quantiles"
    return Table("diabetes", source, columns, values, label, labels)


TABLES: dict[str, Callable[[int], Table]] = {
    "wine": wine,
    "breast_cancer": breast_cancer,
    "diabetes": diabetes,
}
"""By name; each takes the number of classes of a continuous label."""
