r"""On which side of a line, or of a circle, the eigenvalues of a matrix are: proved, with rounding.

If $K^\top P + P K \succ 0$ for a symmetric $P$, then $K$ has as many eigenvalues with a positive
(negative) real part as $P$ has positive (negative) eigenvalues, and none on the axis. It stays true
for every $K + E$ with $2 \|P\| \|E\| < \lambda_{\min}(K^\top P + P K)$, whatever the condition of
the eigenvalues. The same with $P - G^\top P G$ counts those inside and outside of the unit circle.

Host code in float64.

!!! cite "Source"

    Ostrowski & Schneider (1962), "Some theorems on the inertia of general matrices"; Taussky (1964)
    and Hill (1969) for the circle.
"""

import warnings
from collections.abc import Callable

import numpy as np
import scipy.linalg
from jaxtyping import Float

Matrix = Float[np.ndarray, "n n"]

_FRACTIONS = (0.5, 0.37, 0.71, 0.13, 0.93)
"""Where between 0 and an eigenvalue a line is tried; the theorem has no proof for a few of them."""


def count_left(matrix: Matrix, line: float, noise: float) -> int | None:
    """How many eigenvalues of every matrix within `noise` have a real part below `line`.

    `None` if there is no proof.
    """
    shifted = matrix - line * np.eye(len(matrix))
    solve = lambda: scipy.linalg.solve_continuous_lyapunov(shifted.T, np.eye(len(matrix)))
    form = lambda p: shifted.T @ p + p @ shifted
    reach = lambda p: 2 * p * noise
    return _negative(solve, form, reach, 2 * float(np.linalg.norm(shifted, 2)), len(matrix))


def count_outside(matrix: Matrix, radius: float, noise: float) -> int | None:
    """How many eigenvalues of every matrix within `noise` have a modulus above `radius`.

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
    """What is proved of the real parts: all positive, one negative, one positive, all negative."""
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
    """What is proved of the moduli: all below 1, one above 1."""
    radius = float(np.abs(np.linalg.eigvals(matrix)).max())
    if radius == 0:
        return _proved(lambda f: count_outside(matrix, f, noise)) == 0, False
    outside = _proved(lambda f: count_outside(matrix, radius**f, noise))
    return radius < 1 and outside == 0, radius > 1 and outside is not None and outside > 0


def _proved(count: Callable[[float], int | None]) -> int | None:
    return next((number for f in _FRACTIONS if (number := count(f)) is not None), None)
