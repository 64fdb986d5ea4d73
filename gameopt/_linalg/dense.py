"""Dense eigenvalues with perturbation bounds, inertia, and timescales of stability."""

import functools
import itertools
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


def _negative(
    solve: Callable[[], Matrix],
    form: Callable[[Matrix], Matrix],
    reach: Callable[[float], float],
    growth: float,
    n: int,
) -> int | None:
    """The number of negative eigenvalues of P, if it proves anything."""
    try:
        with warnings.catch_warnings():
            # Where the equation is nearly singular, the check below says so.
            warnings.simplefilter("ignore")
            solution = solve()
    except (np.linalg.LinAlgError, ValueError):
        return None
    if not np.isfinite(solution).all():
        return None
    solution = (solution + solution.T) / 2
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


LARGEST = 40
"""Up to so many entries; the eigenproblem has n (n - 1) / 2 of them."""


def timescale_threshold(
    jacobian: Float[np.ndarray, "n n"], size_x: int, noise: float = 0.0
) -> float:
    r"""$\tau^\star$: the point attracts under $\dot x = -\xi_x$, $\dot y = -\tau\xi_y$ beyond it.

    With $J_\tau = \mathrm{diag}(I, \tau I) J$ an eigenvalue pair meets the axis exactly where
    $J_\tau$'s sum map on antisymmetric matrices, $X \mapsto J_\tau X + X J_\tau^\top$, is singular.
    It is linear in $\tau$, so that all such $\tau$ are generalised eigenvalues.

    **Arguments:** `noise`: what rounding may have done to the entries, in the spectral norm.

    **Returns:** 0 if every ratio attracts; infinity if none does from some ratio on, which is so
    unless $J_{yy}$ and $J_{xx} - J_{xy}J_{yy}^{-1}J_{yx}$ have positive real parts only, as at a
    strict local minimax; infinity too where rounding leaves that open; NaN above 40 entries or if a
    matrix is not finite.

    !!! cite "Source"

        Fiez & Ratliff (2021), arXiv:2009.14820, theorem 1, with their guard map.
    """
    n = len(jacobian)
    if n > LARGEST or not np.isfinite(jacobian).all():
        return np.nan
    if not _attracts_in_the_end(jacobian, size_x, noise):
        return np.inf
    rows = lambda tau: np.concatenate([np.ones(size_x), np.full(n - size_x, tau)])[:, None]
    lowest = lambda tau: float(np.linalg.eigvals(rows(tau) * jacobian).real.min())
    upper, lower = jacobian.copy(), jacobian.copy()
    upper[size_x:], lower[:size_x] = 0, 0
    candidates = _positive_real(_sum_map(upper), _sum_map(lower))
    # An eigenvalue that touches the axis there is a double root, known to half of the digits only.
    flat = max(1e-9 * float(np.linalg.norm(jacobian, 2)), noise)
    for before, tau in reversed(list(itertools.pairwise([0.0, *candidates]))):
        middle = np.sqrt(before * tau) if before > 0 else tau / 2
        if lowest(middle) <= 0 or lowest(tau) <= flat * min(1, tau):
            return float(tau)
    return 0.0


def _attracts_in_the_end(jacobian: Float[np.ndarray, "n n"], size_x: int, noise: float) -> bool:
    """Prove, noise included, that J_yy and the Schur complement have positive real parts only.

    For large tau the eigenvalues are tau times those of the first, and those of the second.
    """
    noise = max(noise, np.finfo(np.float64).eps * float(np.linalg.norm(jacobian, 2)))
    a, b = jacobian[:size_x, :size_x], jacobian[:size_x, size_x:]
    c, d = jacobian[size_x:, :size_x], jacobian[size_x:, size_x:]
    smallest = float(np.linalg.svd(d, compute_uv=False)[-1]) - noise
    if smallest <= 0 or not sides(d, noise)[0]:
        return False
    left, right = np.linalg.solve(d.T, b.T).T, np.linalg.solve(d, c)
    norm = lambda m: 1 + float(np.linalg.norm(m, 2))
    moved = noise * norm(left) * norm(right) * (1 + noise / smallest)
    return sides(a - b @ right, moved)[0]


def _sum_map(matrix: Float[np.ndarray, "n n"]) -> np.ndarray:
    """X -> M X + X M' on antisymmetric matrices, in the basis of pairs i < j."""
    n = len(matrix)
    pairs = list(itertools.combinations(range(n), 2))
    columns = []
    for i, j in pairs:
        unit = np.zeros((n, n))
        unit[i, j], unit[j, i] = 1, -1
        image = matrix @ unit + unit @ matrix.T
        columns.append([image[a, b] for a, b in pairs])
    return np.array(columns).reshape(len(pairs), len(pairs)).T


def _positive_real(constant: np.ndarray, linear: np.ndarray) -> list[float]:
    """The positive tau with det(constant + tau linear) = 0, ascending."""
    top, bottom = np.asarray(scipy.linalg.eigvals(-constant, linear, homogeneous_eigvals=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = top / bottom
    tau = tau[np.isfinite(tau)]
    # A pair that touches the axis is a double root, which rounding takes off the real line.
    real = np.abs(tau.imag) <= 1e-6 * np.abs(tau)
    return sorted(float(t) for t in tau.real[real] if t > 0)
