"""Linear algebra on lists of 60-digit numbers."""

from typing import Any

import mpmath
import numpy as np

CONTEXT: Any = mpmath.MPContext()
CONTEXT.dps = 60

Vector = list[Any]
Rows = list[list[Any]]

ZERO = CONTEXT.mpf(10) ** -40
"""The size that counts as zero beside the largest entry."""


def read(array: Any) -> Any:
    """Numbers of an array, exactly, as nested lists; of a scalar, one number."""
    array = np.asarray(array, np.float64)
    return CONTEXT.mpf(float(array)) if array.ndim == 0 else [read(row) for row in array]


def norm(vector: Vector) -> Any:
    """The Euclidean norm."""
    return CONTEXT.sqrt(CONTEXT.fdot(vector, vector)) if vector else CONTEXT.zero


def product(left: Rows, right: Rows) -> Rows:
    """The product of two matrices."""
    columns = list(zip(*right, strict=True))
    return [[CONTEXT.fdot(row, column) for column in columns] for row in left]


def transpose(rows: Rows) -> Rows:
    """The transpose."""
    return [list(column) for column in zip(*rows, strict=True)]


def identity(n: int) -> Rows:
    """The identity."""
    return [[CONTEXT.one if i == j else CONTEXT.zero for j in range(n)] for i in range(n)]


def largest(rows: Rows) -> Any:
    """The largest modulus of an entry."""
    return max((abs(a) for row in rows for a in row), default=CONTEXT.zero)


def eliminate(rows: Rows, right: Rows) -> tuple[Rows, bool]:
    """The solution of a linear system by elimination, and whether the matrix is singular.

    Rows and columns are scaled to size 1 first, so that units are no ill-conditioning.
    """
    n = len(rows)
    scales = [max((abs(a) for a in row), default=CONTEXT.one) or CONTEXT.one for row in rows]
    m = [[a / s for a in row + more] for row, more, s in zip(rows, right, scales, strict=True)]
    widths = [max(abs(row[j]) for row in m) or CONTEXT.one for j in range(n)]
    m = [[a / w for a, w in zip(row[:n], widths, strict=True)] + row[n:] for row in m]
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(m[i][k]))
        if abs(m[pivot][k]) <= ZERO:
            return [], True
        m[k], m[pivot] = m[pivot], m[k]
        for i in range(k + 1, n):
            factor = m[i][k] / m[k][k]
            if factor:
                m[i][k:] = [a - factor * b for a, b in zip(m[i][k:], m[k][k:], strict=True)]
    solution: Rows = [[] for _ in range(n)]
    for k in reversed(range(n)):
        below = list(range(k + 1, n))
        for j in range(len(right[0])):
            rest = CONTEXT.fdot([m[k][i] for i in below], [solution[i][j] for i in below])
            solution[k].append((m[k][n + j] - rest) / m[k][k])
    return [[a / w for a in row] for row, w in zip(solution, widths, strict=True)], False


def solve(rows: Rows, right: Vector) -> Vector:
    """The solution of a system; the shortest one, nearly, where the matrix is singular."""
    if not rows:
        return []
    found, singular = eliminate(rows, [[b] for b in right])
    if not singular:
        return [row[0] for row in found]
    size = largest(rows)
    if not size:
        return [CONTEXT.zero] * len(rows)
    scaled = [[a / size for a in row] for row in rows]
    turned = transpose(scaled)
    normal = product(turned, scaled)
    for i in range(len(normal)):
        normal[i][i] += CONTEXT.mpf(10) ** -25
    projected = product(turned, [[b / size] for b in right])
    found, _ = eliminate(normal, projected)
    return [row[0] for row in found]


def is_singular(rows: Rows) -> bool:
    """True if a square matrix is singular, to 40 digits."""
    return bool(rows) and eliminate(rows, [[CONTEXT.zero] for _ in rows])[1]


def is_positive_definite(rows: Rows) -> bool:
    """True if the symmetric part is positive definite, by its pivots."""
    n = len(rows)
    m = [[(rows[i][j] + rows[j][i]) / 2 for j in range(n)] for i in range(n)]
    sizes = [abs(m[i][i]) for i in range(n)]
    for k in range(n):
        if not m[k][k] > ZERO * sizes[k]:
            return False
        for i in range(k + 1, n):
            factor = m[i][k] / m[k][k]
            m[i][k:] = [a - factor * b for a, b in zip(m[i][k:], m[k][k:], strict=True)]
    return True


def eigenvalues(rows: Rows, is_clear: Any) -> list[complex] | list[Any]:
    """Eigenvalues divided by the largest entry, in double precision if they are clear in it.

    **Arguments:** `is_clear`: of the values, their errors and the largest entry, whether double
    precision decides.
    """
    size = largest(rows)
    if not rows or not size:
        return [0j] * len(rows)
    scaled = np.array([[float(a / size) for a in row] for row in rows])
    values, vectors = np.linalg.eig(scaled)
    condition = np.linalg.cond(vectors)
    # Bauer & Fike (1960).
    error = 1e-14 * len(rows) * condition * np.linalg.norm(scaled)
    if np.isfinite(error) and is_clear(values, error, float(size)):
        return list(values)
    exact = CONTEXT.matrix([[a / size for a in row] for row in rows])
    return CONTEXT.eig(exact, left=False, right=False)
