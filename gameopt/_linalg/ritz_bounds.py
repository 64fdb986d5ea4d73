r"""Bounds on all eigenvalues from a Krylov space of a random start.

Arnoldi's method from a unit vector $v$ ends with a unit vector $q = p(A) v$, where $p$ has the Ritz
values as its roots and $1 / \prod\beta_j$ as its leading coefficient. A left eigenvector $u$ of
$\lambda$, of length 1, gives $u^* q = p(\lambda)\, u^* v$ and so $|p(\lambda)| \le 1 / |u^* v|$. If
the direction of $v$ is uniform and $u$ does not depend on it, $|u^* v|$ is below a known $\delta$
only with the stated probability. So $\lambda$ lies where $|p| \le 1 / \delta$, however far from
normal $A$ is.

Host code in float64: the matrices are small.

!!! cite "Source"

    For symmetric operators van Dorsselaer, Hochstenbach & van der Vorst (2000), "Computing
    probabilistic bounds for extreme eigenvalues of symmetric matrices with the Lanczos method";
    with left eigenvectors: docs/derivations.md.
"""

from collections.abc import Callable

import numpy as np
import scipy.special

Row = np.ndarray
"""Shape `(k,)`: Ritz values, complex or real, or the lengths below the diagonal."""

_HALVINGS = 60

_TINY = 1e-250
"""Far above the numbers that are flushed to 0."""


def smallest_projection(n: int, probability: float, *, real: bool) -> float:
    r"""$\delta$ with $P(|u^* v| < \delta) \le$ `probability`, $v$ uniform on the sphere of $R^n$.

    $(u^\top v)^2$ of a real $u$ is of law Beta(1/2, (n-1)/2); a complex $u$ can be turned so that
    its real part has a length of at least $1/\sqrt 2$.
    """
    if n <= 1:
        return 1.0
    square = scipy.special.betaincinv(0.5, (n - 1) / 2, probability)
    return float(np.sqrt(square if real else square / 2))


def symmetric_bounds(values: Row, lengths: Row, delta: float, noise: float) -> tuple[float, float]:
    r"""An interval that has the smallest and the largest eigenvalue, from all Ritz values.

    Each end fails with the probability that belongs to `delta`.
    """
    level = _level(lengths, delta, noise)
    low, high = float(values.min()), float(values.max())
    reach = _reach(values, level)
    # Gaps rather than places, which rounding would put on a root.
    below = _outermost(lambda gap: bool(np.sum(np.log(values - low + gap)) >= level), reach, values)
    above = _outermost(
        lambda gap: bool(np.sum(np.log(high - values + gap)) >= level), reach, values
    )
    return low - below, high + above


def half_plane_bound(values: Row, lengths: Row, delta: float, noise: float) -> float:
    """A lower bound on the real part of the eigenvalue whose real part is smallest."""
    level, leftmost = _level(lengths, delta, noise), float(np.real(values).min())
    reach = _reach(values, level)
    return leftmost - _outermost(lambda gap: _clear_line(values, gap, level), reach, values)


def disc_bound(values: Row, lengths: Row, delta: float, noise: float) -> float:
    """An upper bound on the modulus of the largest eigenvalue."""
    level, outermost = _level(lengths, delta, noise), float(np.abs(values).max())
    reach = _reach(values, level)
    return outermost + _outermost(lambda gap: _clear_circle(values, gap, level), reach, values)


def _level(lengths: Row, delta: float, noise: float) -> float:
    """log |p| + log prod beta, at which |p| = 1 / delta."""
    # A space that ended is followed by rounding, not by nothing.
    return float(np.sum(np.log(np.maximum(lengths, max(noise, _TINY)))) - np.log(delta))


def _reach(values: Row, level: float) -> float:
    """A distance from all roots at which |p| is surely beyond the level."""
    return float(np.exp(level / len(values))) + float(np.ptp(np.real(values))) + _TINY


def _outermost(is_clear: Callable[[float], bool], reach: float, values: Row) -> float:
    """A gap at which no eigenvalue can be, 1 % larger than the smallest such, or of rounding.

    `is_clear` holds from some gap on.
    """
    rounding = max(np.finfo(np.float64).eps * float(np.abs(values).max()), _TINY)
    if not np.isfinite(reach):
        return np.inf  # which halving would never leave
    high = reach
    while not is_clear(high):
        high *= 2
        if not np.isfinite(high):
            return np.inf
    low = high / 2
    while low > rounding and is_clear(low):
        low, high = low / 2, low
    for _ in range(7):
        middle = (low + high) / 2
        low, high = (low, middle) if is_clear(middle) else (middle, high)
    return high


def _clear_line(values: Row, gap: float, level: float) -> bool:
    r"""True if $\log|p|$, up to its constant, is at least `level` on a line left of all roots.

    With all roots to the right of the line, $1/p$ is analytic to its left and falls off at
    infinity, so that the line decides for the half-plane.
    """
    gaps = np.real(values) - np.real(values).min() + gap
    centres = np.imag(values)

    def least(begin: Row, end: Row) -> Row:
        beyond = np.maximum(np.maximum(begin - centres, centres - end), 0.0)
        return np.sum(np.log(np.hypot(gaps, beyond)), axis=1)

    # Further out every factor alone is large enough.
    width = np.ptp(centres) + gaps.max() + np.exp(level / len(values))
    nodes = np.linspace(centres.min() - width, centres.max() + width, 65)
    return _clear(least, nodes, level)


def _clear_circle(values: Row, gap: float, level: float) -> bool:
    """As `_clear_line`, for the outside of a circle about 0 that has all roots inside."""
    gaps = np.abs(values).max() - np.abs(values) + gap
    radius = np.abs(values).max() + gap

    def least(begin: Row, end: Row) -> Row:
        middle = radius * np.exp(0.5j * (begin + end))
        # An arc is no further from its middle than half its length.
        distance = np.abs(middle - values) - radius * (end - begin) / 2
        return np.sum(np.log(np.maximum(distance, gaps)), axis=1)

    return _clear(least, np.linspace(-np.pi, np.pi, 65), level)


def _clear(least: Callable[[Row, Row], Row], nodes: Row, level: float) -> bool:
    """True if a function is at least `level` between the nodes, by lower bounds on intervals.

    An interval is halved until its bound suffices, or a point of it is below the level.
    """
    begin, end = nodes[:-1, None], nodes[1:, None]
    for _ in range(_HALVINGS):
        open_still = least(begin, end) < level
        if not open_still.any():
            return True
        begin, end = begin[open_still], end[open_still]
        middle = (begin + end) / 2
        if (least(middle, middle) < level).any():
            return False
        begin, end = np.concatenate([begin, middle]), np.concatenate([middle, end])
    return False
