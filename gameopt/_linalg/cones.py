r"""Positivity of a quadratic form on a cone of directions; host code in float64.

A second-order condition on a convex set asks for $d^\top Q d > 0$ on a cone
$\{N d = 0,\ d_i = 0 \text{ for held } i,\ w_i d_i \ge 0 \text{ for weak } i\}$. With $\epsilon$ the
noise, every symmetric $Q + E$ with $\|E\|_2 \le \epsilon$ is positive on it if, and only if,
$Q - \epsilon I$ is. With at most one weak entry the cone is a space or a half-space, and a
quadratic form is even: eigenvalues decide. Else the form's minimum over the free directions is a
Schur complement $S$, and $u^\top S u > 0$ for all $u \ge 0$, $u \ne 0$ (strict copositivity) is
proved by subdividing the simplex of $u$.

!!! cite "Source"

    Bundfuss & Dür (2008), "Algorithmic copositivity detection by simplicial partition", Linear
    Algebra and its Applications 428.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float, Int

Matrix = Float[np.ndarray, "n n"]
Vector = Float[np.ndarray, " n"]
Columns = Float[np.ndarray, "n k"]

_SUBDIVISIONS = 512
"""Simplices that are looked at before a proof is given up, of up to 64 weak entries."""

_LEVELS = (0.5, 0.1, 0.01)
"""Fractions of the smallest curvature found, lower bounds to try where it itself has no proof."""

_CLOSE = 1e-3
"""Relative gap from the smallest curvature found to the first lower bound that is tried."""

_DESCENTS = 20
"""Searches for smaller curvature than the smallest found so far; one or two are common."""


class ConeCurvature(NamedTuple):
    """Least curvature on a cone of directions, a quotient $d^\\top Q d / d^\\top d$.

    - `value`: the smallest that was found, and `vector` its unit direction, shape `(n,)`; infinity
      and zeros where the cone is 0. `lower`: none is below this, noise taken off.
    - `yes`, `no`: proofs that all are positive, that one is negative; noise counted in both.
    """

    value: float
    lower: float
    yes: bool
    no: bool
    vector: Vector


class _Cone(NamedTuple):
    """Directions `lines @ f + rays @ u` with u >= 0, in the span of both.

    - `lines`: shape `(n, k)`, `span`: orthonormal columns. `rays`: shape `(n, q)`, none where the
      cone is as good as a space. `sides`: shape `(q, n)`, and `sides @ d` is u. `is_exact`: False
      if u is constrained further.
    """

    lines: Columns
    rays: Columns
    sides: Float[np.ndarray, "q n"]
    span: Columns
    is_exact: bool


class _Found(NamedTuple):
    """The smallest curvature found in a cone, its direction, and a lower bound, rounding apart."""

    value: float
    vector: Vector
    lower: float


def face_basis(free: Vector, normals: Float[np.ndarray, "m n"]) -> Columns:
    """Orthonormal columns, shape `(n, k)`: a basis of the vectors on `free` normal to `normals`."""
    inside = np.flatnonzero(np.asarray(free) > 0)
    units = np.eye(len(free))[:, inside]
    rows = _unit_rows(np.asarray(normals, np.float64)[:, inside])
    return units @ scipy.linalg.null_space(rows) if len(rows) else units


def curvature_on_cone(
    hessian: Matrix,
    noise: float,
    free: Vector,
    normals: Float[np.ndarray, "m n"],
    mu: float,
    weak: Int[np.ndarray, " n"],
    uncertain: Bool[np.ndarray, " n"],
) -> ConeCurvature:
    r"""Curvature on a critical cone, proved for all symmetric matrices within `noise` of $H$.

    The quadratic form is that of $H + \mu I$, and the cone that of a `Face`.

    **Arguments:**

    - `hessian`: $H$, of which the symmetric part counts. `noise`: in the spectral norm.
    - `free`: above 0 where the direction may be nonzero. `normals`: rows to which it is normal.
    - `weak`: -1, 0 or 1; `weak * d >= 0`.
    - `uncertain`: entries that may be free or held: yes needs the widest cone, no the narrowest.
    """
    matrix = np.asarray(hessian, np.float64)
    matrix = (matrix + matrix.T) / 2 + float(mu) * np.eye(len(matrix))
    if not (np.isfinite(matrix).all() and np.isfinite(noise)):
        return ConeCurvature(np.nan, np.nan, False, False, np.zeros(len(matrix)))
    free, weak, uncertain = np.asarray(free, np.float64), np.asarray(weak), np.asarray(uncertain)
    # Eigenvalues and Cholesky factors are backward stable: their rounding is some more noise.
    noise = float(noise) + _rounding(matrix)
    kept = np.where(uncertain, 0, 1)
    found = wide = _least(matrix, noise, _cone(free, normals, weak))
    if uncertain.any():
        found = _least(matrix, noise, _cone(kept * free, normals, kept * weak))
    # Along one weak entry alone the eigenvector has either sign.
    vector = -found.vector if (kept * weak) @ found.vector < 0 else found.vector
    lower = wide.lower - noise
    return ConeCurvature(found.value, lower, lower > 0, found.value < -noise, vector)


def _cone(free: Vector, normals: Float[np.ndarray, "m n"], weak: np.ndarray) -> _Cone:
    rows = _unit_rows(np.asarray(normals, np.float64) * (free > 0))
    span = face_basis(free, rows)
    sided = np.flatnonzero((weak != 0) & (free > 0))
    if len(sided) < 2:
        none = np.zeros((0, len(free)))
        return _Cone(span, none.T, none, span, True)
    others = np.where(weak == 0, free, 0) > 0
    units = np.eye(len(free))[:, sided] * weak[sided]
    rays, is_exact = units, True
    if len(rows):
        # A ray leaves the planes of the normals, and the entries without a side bring it back.
        back, _, rank, _ = np.linalg.lstsq(rows * others, rows @ units, rcond=1e-10)
        rays, is_exact = units - back, bool(rank == len(rows))
    return _Cone(face_basis(others.astype(float), rows), rays, units.T, span, is_exact)


def _least(matrix: Matrix, noise: float, cone: _Cone) -> _Found:
    """Search a cone for the smallest curvature, and bound it from below.

    Any direction found becomes the new level, below which the next is searched for, as in
    Dinkelbach's method for quotients.
    """
    value, vector = _eigenpair(matrix, cone.lines)
    if cone.rays.shape[1] == 0:
        return _Found(value, vector, value)
    floor = _eigenpair(matrix, cone.span)[0]
    if not cone.is_exact:
        return _Found(value, vector, floor)
    direction = min(cone.rays.T, key=lambda ray: _quotient(matrix, ray)[0])
    value, vector = min((value, vector), _descended(matrix, cone, direction), key=_first)
    if floor > noise or value < -noise:
        # The verdict is known.
        return _Found(value, vector, floor)
    for _ in range(_DESCENTS):
        level = value - _CLOSE * abs(value) - _rounding(matrix)
        proved, direction = _above(matrix, level, cone)
        if proved:
            return _Found(value, vector, max(floor, level))
        smaller, direction = _descended(matrix, cone, direction)
        if not smaller < level:
            break
        value, vector = smaller, direction
    rise = lambda fraction: noise + fraction * (value - noise)
    if value <= noise or not _above(matrix, rise(0.0), cone)[0]:
        return _Found(value, vector, floor)
    proofs = (rise(part) for part in _LEVELS if _above(matrix, rise(part), cone)[0])
    return _Found(value, vector, max(floor, next(proofs, rise(0.0))))


def _descended(matrix: Matrix, cone: _Cone, direction: Vector) -> tuple[float, Vector]:
    """A smaller curvature than along a direction: move to the least eigenvector of its face.

    The curvature falls all the way there. A weak entry that comes to 0 on the way is held from then
    on.
    """
    held = cone.sides @ direction <= 0
    for _ in range(len(held)):
        columns = np.hstack([cone.lines, cone.rays[:, ~held]])
        target = _eigenpair(matrix, np.linalg.qr(columns)[0])[1]
        target = -target if target @ direction < 0 else target
        here, there = cone.sides @ direction, cone.sides @ target
        crossing = ~held & (there < 0)
        if not crossing.any():
            return _quotient(matrix, target)
        shares = np.where(crossing, here / np.where(crossing, here - there, 1), np.inf)
        first = int(shares.argmin())
        direction = direction + shares[first] * (target - direction)
        direction = direction - cone.rays[:, first] * (cone.sides[first] @ direction)
        held[first] = True
    return _quotient(matrix, direction)


def _above(matrix: Matrix, level: float, cone: _Cone) -> tuple[bool, Vector]:
    """Prove that all curvature is above `level`; if not, a direction that may be below it."""
    lines, rays = cone.lines, cone.rays
    shifted = matrix - level * np.eye(len(matrix))
    image, form = shifted @ rays, rays.T @ shifted @ rays
    try:
        factor = np.linalg.cholesky(lines.T @ shifted @ lines)
    except np.linalg.LinAlgError:
        return False, np.zeros(len(matrix))
    solve = lambda right, turned: (
        scipy.linalg.solve_triangular(factor, right, lower=True, trans=int(turned))
        if lines.shape[1]
        else right
    )
    half = solve(lines.T @ image, False)
    # Rounding may have raised an entry by this; u >= 0 allows to subtract it.
    lengths = np.sqrt(_norm(shifted)) * np.linalg.norm(rays, axis=0)
    lengths = lengths + np.linalg.norm(half, axis=0)
    schur = form - half.T @ half - 8 * len(matrix) * _EPS * np.outer(lengths, lengths)
    proved, weights = _copositive(schur)
    return proved, rays @ weights - lines @ solve(half @ weights, True)


def _copositive(matrix: Matrix) -> tuple[bool, Vector]:
    """Prove $u^\\top M u > 0$ for all $u \\ge 0$, $u \\ne 0$; if not, a u where it may fail.

    On a simplex with vertices V it holds if $V^\\top M V$ is positive definite once its positive
    entries off the diagonal, which only add, are dropped.
    """
    n, diagonal = len(matrix), np.diag(matrix)
    if diagonal.min() <= 0:
        return False, np.eye(n)[int(diagonal.argmin())]
    scale = 1 / np.sqrt(diagonal)
    unit = matrix * np.outer(scale, scale)
    margin = 16 * n * _EPS * float(np.abs(unit).max())
    waiting, lowest = [(np.eye(n), unit)], (np.inf, np.eye(n)[0])
    for _ in range(min(_SUBDIVISIONS, 16 + _SUBDIVISIONS * 64**2 // n**2)):
        if not waiting:
            return True, np.zeros(n)
        vertices, form = waiting.pop()
        at = int(np.diag(form).argmin())
        lowest = min(lowest, (form[at, at], vertices[:, at]), key=_first)
        if form[at, at] <= 0:
            break
        if not _dominates(form, margin):
            waiting += _halves(vertices, form)
    return False, scale * lowest[1]


def _dominates(form: Matrix, margin: float) -> bool:
    """True if the matrix without its positive entries off the diagonal is positive definite."""
    kept = np.minimum(form, 0)
    np.fill_diagonal(kept, np.diag(form) - margin)
    try:
        np.linalg.cholesky(kept)
    except np.linalg.LinAlgError:
        return False
    return True


def _halves(vertices: Matrix, form: Matrix) -> list[tuple[Matrix, Matrix]]:
    """The two halves of a simplex, cut at the middle of the edge with the most negative entry."""
    edges = form.copy()
    np.fill_diagonal(edges, np.inf)
    pair = list(np.unravel_index(int(edges.argmin()), form.shape))
    made = []
    for old in pair:
        inner, cut = form.copy(), vertices.copy()
        cut[:, old] = vertices[:, pair].mean(axis=1)
        inner[:, old] = inner[:, pair].mean(axis=1)
        inner[old] = inner[pair].mean(axis=0)
        made.append((cut, inner))
    return made


def _eigenpair(matrix: Matrix, basis: Columns) -> tuple[float, Vector]:
    """The smallest eigenvalue on a space, and its vector; infinity and zeros if the space is 0."""
    if basis.shape[1] == 0:
        return np.inf, np.zeros(len(matrix))
    values, vectors = np.linalg.eigh(basis.T @ matrix @ basis)
    return float(values[0]), basis @ vectors[:, 0]


def _quotient(matrix: Matrix, direction: Vector) -> tuple[float, Vector]:
    """The curvature along a direction, and that direction with length 1."""
    length = float(np.linalg.norm(direction))
    if length == 0:
        return np.inf, direction
    unit = direction / length
    return float(unit @ matrix @ unit), unit


def _first(pair: tuple[float, Vector]) -> float:
    return pair[0]


def _unit_rows(rows: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "k n"]:
    """The rows with length 1, without those that are zero."""
    lengths = np.linalg.norm(rows, axis=1)
    return rows[lengths > 0] / lengths[lengths > 0][:, None]


_EPS = float(np.finfo(np.float64).eps)


def _norm(matrix: Matrix) -> float:
    return float(np.linalg.norm(matrix, 2)) if matrix.size else 0.0


def _rounding(matrix: Matrix) -> float:
    return 8 * len(matrix) * _EPS * _norm(matrix)
