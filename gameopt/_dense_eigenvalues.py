"""All eigenvalues of a small matrix, with what rounding in its entries may do to them."""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from gameopt._host import on_host
from gameopt._krylov import ROUNDING
from gameopt._ritz_analysis import (
    Kind,
    RitzAnalysis,
    analysis_shapes,
    no_analysis,
)


def dense_eigenvalues(kind: Kind, matrix: Float[Array, "n n"], dtype: Any) -> RitzAnalysis:
    """Of a matrix whose entries were computed in `dtype`, by the host in float64.

    The bounds hold to first order in the noise, which is a few units in the last place of the
    norm, and what should be symmetric and is not.
    """
    eps = float(jnp.finfo(dtype).eps)
    function = functools.partial(_eigenvalues, kind, eps)
    return on_host(function, analysis_shapes(len(matrix)), matrix)


def _eigenvalues(kind: Kind, eps: float, matrix: np.ndarray) -> RitzAnalysis:
    matrix, n = np.asarray(matrix, np.float64), len(matrix)
    if not np.isfinite(matrix).all():
        return no_analysis(n)
    noise = ROUNDING * eps * float(np.linalg.norm(matrix, 2))
    if kind == "general":
        values, conditions, right = conditioned_eigenvalues(matrix)
        numbers = np.real(values)
    else:
        sign = 1.0 if kind == "symmetric" else -1.0
        noise = max(noise, float(np.linalg.norm(matrix - sign * matrix.T, 2)))
        hermitian = (matrix + sign * matrix.T) / 2
        numbers, right = np.linalg.eigh(hermitian if sign > 0 else -1j * hermitian)
        values, conditions = (numbers if sign > 0 else 1j * numbers), np.ones(n)
    errors = conditions * noise
    lower, upper = np.min(numbers - errors), np.max(numbers + errors)
    rows = values, np.zeros(n), conditions, errors, right.T
    return RitzAnalysis(*rows, lower, upper, noise)


def conditioned_eigenvalues(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues by ascending real part, their condition numbers, right eigenvectors as columns.

    The condition number of a defective eigenvalue is infinite.
    """
    parts = scipy.linalg.eig(matrix, left=True, right=True)
    values, left, right = (np.asarray(part) for part in parts)
    order = np.lexsort((np.imag(values), np.real(values)))
    with np.errstate(divide="ignore"):
        conditions = 1 / np.abs(np.sum(left.conj() * right, axis=0))
    return values[order], conditions[order], right[:, order]
