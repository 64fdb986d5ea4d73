"""Timescale ratios from which on a point attracts, with proofs on either side."""

import bisect
import itertools
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float

from gameopt._linalg.dense import Matrix, sides, symmetric_solution

LARGEST = 40
"""Up to so many entries; the eigenproblem has n (n - 1) / 2 of them."""

_MOST_FORMS = 200
"""Lyapunov functions with which ratios are covered, at most."""

_EPS = float(np.finfo(np.float64).eps)


class TimescaleThreshold(NamedTuple):
    r"""$\tau^\star$, and an interval with that of every Jacobian within the noise.

    - `value`: an estimate; NaN where the upper end is not known, and all three above 40 entries.
    - `lower`: here it is proved that the point does not attract, or 0.
    - `upper`: it is proved that the point attracts at every ratio beyond; infinite without a proof.

    (0, 0, 0): every ratio attracts. (inf, inf, inf): none does from some ratio on.
    """

    value: float
    lower: float
    upper: float


def timescale_threshold(
    jacobian: Float[np.ndarray, "n n"], size_x: int, noise: float = 0.0
) -> TimescaleThreshold:
    r"""$\tau^\star$: the point attracts under $\dot x = -\xi_x$, $\dot y = -\tau\xi_y$ beyond it.

    With $J_\tau = \mathrm{diag}(I, \tau I) J$ an eigenvalue pair meets the axis exactly where
    $J_\tau$'s sum map on antisymmetric matrices, $X \mapsto J_\tau X + X J_\tau^\top$, is singular.
    It is linear in $\tau$, so that all such $\tau$ are generalised eigenvalues: the estimate. The
    proof is a chain of Lyapunov functions, the first for all large ratios, each for an interval.

    **Arguments:** `noise`: what rounding may have done to the entries, in the spectral norm.

    !!! cite "Source"

        Fiez & Ratliff (2021), arXiv:2009.14820, theorem 1, with their guard map. The first Lyapunov
        function: Kokotovic, Khalil & O'Reilly (1986), "Singular perturbation methods in control".
    """
    n = len(jacobian)
    if n > LARGEST or not np.isfinite(jacobian).all():
        return TimescaleThreshold(np.nan, np.nan, np.nan)
    noise = max(noise, _EPS * float(np.linalg.norm(jacobian, 2)))
    if _repels_in_the_end(jacobian, size_x, noise):
        return TimescaleThreshold(np.inf, np.inf, np.inf)
    begin = _attracts_beyond(jacobian, size_x, noise)
    if not np.isfinite(begin):
        return TimescaleThreshold(np.nan, 0.0, np.inf)
    upper = _descend(jacobian, size_x, noise, begin)
    turned = np.roll(np.roll(jacobian, -size_x, axis=0), -size_x, axis=1)
    # Exchanged players, tau for 1 / tau: a proof for all small ratios.
    if upper * _attracts_beyond(turned, n - size_x, noise) <= 1:
        return TimescaleThreshold(0.0, 0.0, 0.0)
    lower = _failure_below(jacobian, size_x, noise, upper)
    if upper - lower <= 1e-9 * upper:
        return TimescaleThreshold((lower + upper) / 2, lower, upper)
    value = min(max(_estimate(jacobian, size_x, noise), lower), upper)
    return TimescaleThreshold(value, lower, upper)


def _rows(size_x: int, n: int, tau: float) -> np.ndarray:
    return np.concatenate([np.ones(size_x), np.full(n - size_x, tau)])


def _estimate(jacobian: Matrix, size_x: int, noise: float) -> float:
    """The largest generalised eigenvalue below or at which the point does not attract."""
    n = len(jacobian)
    lowest = lambda tau: np.linalg.eigvals(_rows(size_x, n, tau)[:, None] * jacobian).real.min()
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


def _repels_in_the_end(jacobian: Matrix, size_x: int, noise: float) -> bool:
    """Prove that J_yy, or the Schur complement, has an eigenvalue of negative real part.

    For large tau the eigenvalues are tau times those of the first, and those of the second.
    """
    d = jacobian[size_x:, size_x:]
    if sides(d, noise)[1]:
        return True
    parts = _schur(jacobian, size_x, noise)
    return parts is not None and sides(parts.complement, parts.moved)[1]


class _Schur(NamedTuple):
    r"""The Schur complement of J_yy, and $J_{yy}^{-1} J_{yx}$; how far noise moves both."""

    complement: Matrix
    answer: np.ndarray
    moved: float
    answer_moved: float


def _schur(jacobian: Matrix, size_x: int, noise: float) -> _Schur | None:
    """`None` where J_yy may be singular."""
    a, b = jacobian[:size_x, :size_x], jacobian[:size_x, size_x:]
    c, d = jacobian[size_x:, :size_x], jacobian[size_x:, size_x:]
    smallest = float(np.linalg.svd(d, compute_uv=False)[-1]) - noise
    if smallest <= 0:
        return None
    left, right = np.linalg.solve(d.T, b.T).T, np.linalg.solve(d, c)
    norm = lambda m: 1 + float(np.linalg.norm(m, 2))
    moved = noise * norm(left) * norm(right) * (1 + noise / smallest)
    return _Schur(a - b @ right, right, moved, noise * norm(right) / smallest)


def _attracts_beyond(jacobian: Matrix, size_x: int, noise: float) -> float:
    r"""A ratio beyond which a Lyapunov function proves that the point attracts; infinite if none.

    In $z = y + Lx$, $L = J_{yy}^{-1}J_{yx}$, the flow is $\dot x = -(Sx + bz)$, $\dot z = -\tau dz
    - L(Sx + bz)$. With $P$ and $Q$ of Lyapunov's equations of $S$ and $d$, $x^\top Px + z^\top Qz$
    falls if $\tau > 2|QLb| + |Pb + S^\top L^\top Q|^2$; all with what the noise does to it.
    """
    parts = _schur(jacobian, size_x, noise)
    if parts is None:
        return np.inf
    b, d = jacobian[:size_x, size_x:], jacobian[size_x:, size_x:]
    s, answer = parts.complement, parts.answer
    p, q = _lyapunov(s), _lyapunov(d)
    if p is None or q is None:
        return np.inf
    norm = lambda m: float(np.linalg.norm(m, 2))
    slack_x = _slack(p, s, parts.moved)
    slack_z = _slack(q, d, noise)
    if not (slack_x > 0 and slack_z > 0):
        return np.inf
    coupling = norm(p @ b + s.T @ answer.T @ q) + norm(p) * noise
    off = norm(answer) * parts.moved + parts.answer_moved * (norm(s) + parts.moved)
    coupling += norm(q) * off
    own = norm(q @ answer @ b) + norm(q) * (
        norm(answer) * noise + parts.answer_moved * (norm(b) + noise)
    )
    return float((2 * own + coupling**2 / slack_x) / slack_z)


def _lyapunov(matrix: Matrix) -> Matrix | None:
    """P > 0 with M' P + P M = I; `None` if it is not found, or not surely positive definite."""
    if not np.linalg.eigvals(matrix).real.min() > 0:
        return None
    equation = scipy.linalg.solve_continuous_lyapunov
    found = symmetric_solution(lambda: equation(matrix.T, np.eye(len(matrix))))
    if found is None:
        return None
    values = np.linalg.eigvalsh(found)
    return found if values[0] > 4 * len(matrix) * _EPS * values[-1] else None


def _slack(form: Matrix, matrix: Matrix, noise: float) -> float:
    """The least of M' P + P M over all matrices within the noise."""
    made = matrix.T @ form + form @ matrix
    norm = float(np.linalg.norm(form, 2))
    rounding = 8 * len(matrix) * _EPS * norm * float(np.linalg.norm(matrix, 2))
    return float(np.linalg.eigvalsh((made + made.T) / 2)[0]) - 2 * norm * noise - rounding


def _descend(jacobian: Matrix, size_x: int, noise: float, begin: float) -> float:
    r"""The least ratio down to which a chain of Lyapunov functions proves attraction.

    A function of one ratio serves for an interval, since its change is linear in the ratio.
    """
    edge = begin
    for _ in range(_MOST_FORMS):
        reached = _reached(jacobian, size_x, noise, edge)
        if not reached < edge * (1 - 1e-12):
            break
        edge = reached
        if edge < 1e-150:
            break
    return edge


def _reached(jacobian: Matrix, size_x: int, noise: float, tau: float) -> float:
    """The least ratio with a Lyapunov function of `tau`, which is `tau` without a proof.

    In units in which the function's derivative is of one size, D^(1/2) J_tau D^(-1/2).
    """
    n = len(jacobian)
    root = np.sqrt(_rows(size_x, n, tau))
    scaled = root[:, None] * jacobian * root[None, :]
    part = np.where(np.arange(n) < size_x, 0.0, 1.0)[:, None] * scaled
    size = float(np.linalg.norm(scaled, 2))
    share = 0.0
    # By modes it serves far longer near the axis, by Lyapunov's equation for defective ones too.
    for form in (_modal(scaled), _lyapunov(scaled)):
        if form is None or share > 0.25:
            continue
        # The derivative is made + (ratio / tau - 1) change, and no less than that minus `off`.
        made, change = (m.T @ form + form @ m for m in (scaled, part))
        off = 2 * noise * float(np.linalg.norm(form * root[None, :], 2)) * float(root.max())
        off += 8 * n * _EPS * float(np.linalg.norm(form, 2)) * size
        room = (made + made.T) / 2 - off * np.eye(n)
        if np.linalg.eigvalsh(room)[0] <= off * _EPS:
            continue
        growth = float(scipy.linalg.eigh((change + change.T) / 2, room, eigvals_only=True)[-1])
        share = max(share, 1 / max(growth, 1.0) * (1 - 1e-6))
        if share < 0.25:
            share = max(share, _turned_share(scaled, form, size_x, off))
    return tau * (1 - share)


def _turned_share(scaled: Matrix, form: Matrix, size_x: int, off: float) -> float:
    r"""The share of the ratio that can be taken off if the function's units go along with it.

    With $s^2$ the ratio's remainder, $S = \mathrm{diag}(I, sI)$ and $K$ the `scaled` Jacobian, the
    derivative for $SKS$ over s is $M_{xx}/s + M_{xy} + s M_{yy}$, linear in 1/s and s, so that four
    corners decide. A player who only rotates with the other is followed to small ratios by this.
    """
    is_x = np.arange(len(scaled)) < size_x
    blocks = is_x[:, None] & is_x, is_x[:, None] ^ is_x, ~is_x[:, None] & ~is_x
    xx, xy, yy = (part.T @ form + form @ part for part in (scaled * block for block in blocks))

    def serves(share: float) -> bool:
        s = np.sqrt(1 - share)
        corners = [u * xx + xy + v * yy for u in (1, 1 / s) for v in (s, 1)]
        return all(np.linalg.eigvalsh((c + c.T) / 2)[0] > off / s for c in corners)

    powers = range(1, 40)
    first = bisect.bisect_left(powers, True, key=lambda k: serves(2.0**-k))
    return 2.0 ** -powers[first] if first < len(powers) else 0.0


def _modal(matrix: Matrix) -> Matrix | None:
    """The sum of squares of the coordinates in the eigenvectors; `None` unless it surely falls."""
    values, vectors = map(np.asarray, np.linalg.eig(matrix))
    spread = np.linalg.svd(vectors, compute_uv=False)
    if not (np.real(values).min() > 0 and spread[-1] > 1e-6 * spread[0]):
        return None
    inverse = np.linalg.inv(vectors)
    return np.real(inverse.conj().T @ inverse)


def _failure_below(jacobian: Matrix, size_x: int, noise: float, tau: float) -> float:
    """The largest ratio below `tau`, among some, at which an eigenvalue is proved negative."""
    if not tau > 0:
        return 0.0
    n = len(jacobian)
    for gap in np.concatenate([2.0 ** np.arange(-50, 0), 1 - 2.0 ** -np.arange(2, 12)]):
        ratio = tau * (1 - gap)
        root = np.sqrt(_rows(size_x, n, ratio))
        scaled = root[:, None] * jacobian * root[None, :]
        if sides(scaled, noise * max(1.0, ratio))[1]:
            return float(ratio)
    return 0.0


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
