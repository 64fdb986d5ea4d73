"""Dense eigenvalues with perturbation bounds, and inertia."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from gameopt._linalg.host import on_host
from gameopt._linalg.krylov import ROUNDING
from gameopt._linalg.ritz_values import Kind, RitzAnalysis, analysis_shapes, no_analysis


def dense_eigenvalues(kind: Kind, matrix: Float[Array, "n n"], dtype: Any) -> RitzAnalysis:
    """Eigenvalues of a matrix whose entries were computed in `dtype`, on the host in float64.

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


Matrix = Float[np.ndarray, "n n"]

_FRACTIONS = (0.5, 0.37, 0.71, 0.13, 0.93)
"""Fractions of an eigenvalue at which lines are tried; a few of them have no proof."""


def count_left(matrix: Matrix, line: float, noise: float) -> int | None:
    """The number of eigenvalues left of `line`, the same for every matrix within `noise`.

    `None` if there is no proof.
    """
    shifted = matrix - line * np.eye(len(matrix))
    solve = lambda: scipy.linalg.solve_continuous_lyapunov(shifted.T, np.eye(len(matrix)))
    form = lambda p: shifted.T @ p + p @ shifted
    reach = lambda p: 2 * p * noise
    return _negative(solve, form, reach, 2 * float(np.linalg.norm(shifted, 2)), len(matrix))


def count_outside(matrix: Matrix, radius: float, noise: float) -> int | None:
    """The number of eigenvalues of modulus above `radius`, for every matrix within `noise`.

    `None` if there is no proof.
    """
    scaled, noise = matrix / radius, noise / radius
    norm = float(np.linalg.norm(scaled, 2))
    solve = lambda: scipy.linalg.solve_discrete_lyapunov(scaled.T, np.eye(len(matrix)))
    form = lambda p: p - scaled.T @ p @ scaled
    reach = lambda p: p * (2 * norm * noise + noise**2)
    return _negative(solve, form, reach, 1 + norm**2, len(matrix))


def symmetric_solution(solve: Callable[[], Matrix]) -> Matrix | None:
    """The symmetric part of a matrix equation's solution; `None` if none is found."""
    try:
        with warnings.catch_warnings():
            # Where the equation is nearly singular, the check of the solution says so.
            warnings.simplefilter("ignore")
            solution = solve()
    except (np.linalg.LinAlgError, ValueError):
        return None
    return (solution + solution.T) / 2 if np.isfinite(solution).all() else None


def _negative(
    solve: Callable[[], Matrix],
    form: Callable[[Matrix], Matrix],
    reach: Callable[[float], float],
    growth: float,
    n: int,
) -> int | None:
    """The number of negative eigenvalues of P, if it proves anything."""
    solution = symmetric_solution(solve)
    if solution is None:
        return None
    norm = float(np.linalg.norm(solution, 2))
    rounding = 4 * n * np.finfo(np.float64).eps * norm * growth
    made = form(solution)
    if np.linalg.eigvalsh((made + made.T) / 2)[0] <= reach(norm) + rounding:
        return None
    numbers = np.linalg.eigvalsh(solution)
    if np.abs(numbers).min() <= 4 * n * np.finfo(np.float64).eps * norm:
        return None
    return int(np.sum(numbers < 0))


def sides(matrix: Matrix, noise: float) -> tuple[bool, bool, bool, bool]:
    """Proofs about the real parts: all positive, one negative, one positive, all negative."""
    real = np.linalg.eigvals(matrix).real
    low, high = float(real.min()), float(real.max())
    below = _proved(lambda f: count_left(matrix, f * low, noise))
    above = _proved(lambda f: count_left(matrix, f * high, noise))
    n = len(matrix)
    all_positive = low > 0 and below == 0
    one_negative = low < 0 and below is not None and below > 0
    one_positive = high > 0 and above is not None and above < n
    all_negative = high < 0 and above == n
    return all_positive, one_negative, one_positive, all_negative


def contraction(matrix: Matrix, noise: float) -> tuple[bool, bool]:
    """Proofs about the moduli: all below 1, one above 1."""
    radius = float(np.abs(np.linalg.eigvals(matrix)).max())
    if radius == 0:
        return _proved(lambda f: count_outside(matrix, f, noise)) == 0, False
    outside = _proved(lambda f: count_outside(matrix, radius**f, noise))
    return radius < 1 and outside == 0, radius > 1 and outside is not None and outside > 0


def _proved(count: Callable[[float], int | None]) -> int | None:
    return next((number for f in _FRACTIONS if (number := count(f)) is not None), None)
