"""Units in which parts of a state are of one size, so that one norm can speak of their errors."""

import numpy as np
from jaxtyping import Float, Int

_SWEEPS = 8


def balanced(
    matrices: Float[np.ndarray, "b n n"], groups: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "b n n"]:
    r"""$D^{-1} M D$ with $D$ constant on groups of entries, each a power of 2.

    Eigenvalues stay, and no rounding is made: it is a change of units. A solver's state holds
    gradients beside strategies, and with both in one norm the rounding of the larger would hide
    the smaller.

    **Arguments:** `groups`: the number of the group of each entry, from 0 on.

    !!! cite "Source"

        Osborne (1960), "On pre-conditioning of matrices", with blocks in place of entries.
    """
    number = int(groups.max()) + 1 if len(groups) else 0
    if number < 2:
        return matrices
    return np.stack([_balanced(matrix, groups, number) for matrix in matrices])


def _balanced(matrix: np.ndarray, groups: np.ndarray, number: int) -> np.ndarray:
    if not np.isfinite(matrix).all():
        return matrix
    places = [np.flatnonzero(groups == g) for g in range(number)]
    sizes = np.array([[np.linalg.norm(matrix[np.ix_(r, c)]) for c in places] for r in places])
    own = float(np.diagonal(sizes).max()) or 1.0
    logs = np.zeros(number)
    for _ in range(_SWEEPS):
        for g in range(1, number):
            scaled = sizes * 2.0 ** (logs[None, :] - logs[:, None])
            row, column = np.delete(scaled[g], g).max(), np.delete(scaled[:, g], g).max()
            logs[g] += _power(row, column, own)
    scale = 2.0 ** logs[groups]
    return matrix * scale[None, :] / scale[:, None]


def _power(row: float, column: float, own: float) -> float:
    """The power of 2 nearest to 1 by which a unit grows, so that neither block exceeds `own`.

    If that cannot be, so that both are equal.
    """
    with np.errstate(divide="ignore"):
        least, most = np.log2(row / own), np.log2(own) - np.log2(column)
    if least > most:
        return float(np.round((least + most) / 2))
    return float(np.clip(0.0, np.ceil(least), max(np.floor(most), np.ceil(least))))
