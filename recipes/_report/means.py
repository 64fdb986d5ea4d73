"""Means of scores over seeds, and how far they may be off."""

import math
from collections.abc import Mapping

import numpy as np


def means_with_errors(scores: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """The mean of each score as `NAME`, and its standard error as `NAME_error`.

    **Arguments:** `scores`: of shape `(seeds,)`. A single seed has no error: it is `None`.
    """
    numbers: dict[str, float | None] = {}
    for name, values in scores.items():
        count = len(values)
        numbers[name] = float(np.mean(values))
        spread = np.std(values, ddof=1) / math.sqrt(count) if count > 1 else None
        numbers[f"{name}_error"] = None if spread is None else float(spread)
    return numbers
