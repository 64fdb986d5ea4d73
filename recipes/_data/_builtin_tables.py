"""Real tables that need no file, from scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np

from recipes._data._table import Column, Table, quantile_classes


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
