"""How much faster y must move than x for a point to attract."""

import itertools

import numpy as np
import scipy.linalg
from jaxtyping import Float

from gameopt._inertia import sides

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
