"""Exact critical points and their properties: smooth games on sets, in 60-digit arithmetic.

The arrays of a game are read as the exact numbers that their dtype holds. A critical point is a
Karush-Kuhn-Tucker point of both players, found by Newton's method on every active set that is
possible near the given point; verdicts there are those of the definitions, on the face.
"""

import itertools
from typing import Any, NamedTuple

import numpy as np

from tests.gameopt.equilibria.exact_algebra import CONTEXT, Rows, Vector, norm, read, solve
from tests.gameopt.equilibria.exact_properties import Face, properties


class Terms(NamedTuple):
    r"""A loss $\frac12 z^\top A z + b^\top z + c_1\cos t_1 + c_2\tanh t_2 + c_3 t_3^4$, $t=Wz+s$.

    - `matrix`: $A$, symmetric, `(n, n)`; `linear`: $b$, `(n,)`; `directions`: $W$, `(3, n)`;
      `shifts`: $s$, and `weights`: $c$, `(3,)`.
    """

    matrix: Any
    linear: Any
    directions: Any
    shifts: Any
    weights: Any


class Set(NamedTuple):
    """A player's set: a `box` from `lower` to `upper`, or a `simplex` or a `ball` of `size`."""

    kind: str
    lower: Any
    upper: Any
    size: Any


class Case(NamedTuple):
    """A game, a point, the step sizes of rounds.

    - `terms`: one of a zero-sum game (x's loss), or each player's. `sets`: `None` where there is
      none. `point`: `(n,)`, x's entries first. `rates`: `(2,)`.
    - `length`: of the strategies; `finest`: over which the derivatives change, if less.
    """

    terms: tuple[Terms, ...]
    sizes: tuple[int, int]
    sets: tuple[Set | None, Set | None]
    point: np.ndarray
    rates: np.ndarray
    length: float
    finest: float


class Critical(NamedTuple):
    """A critical point: its distance from the given point; for each verdict whether it holds.

    `None` where it is not judged. `singular` and `regular` are both sides of `degenerate`.
    """

    distance: float
    holds: dict[str, bool | None]


class Truth(NamedTuple):
    """Critical points of a case, the nearest first; below `near` a distance is none."""

    case: Any
    criticals: list[Critical]
    near: float


class ExactGame:
    """Field, Jacobian and the sum of the sizes of its terms."""

    def __init__(self, terms: tuple[Terms, ...], sizes: tuple[int, int]):
        self.terms = [Terms(*map(read, t)) for t in terms]
        self.size_x, self.size = sizes[0], sum(sizes)

    def derivatives(self, z: Vector) -> tuple[Vector, Rows]:
        """The field and the Jacobian."""
        field, rows = [], []
        for player, own in enumerate((range(self.size_x), range(self.size_x, self.size))):
            terms = self.terms[min(player, len(self.terms) - 1)]
            sign = -1 if player and len(self.terms) == 1 else 1
            gradient, hessian = _derivatives(terms, z, own)
            field += [sign * g for g in gradient]
            rows += [[sign * h for h in row] for row in hessian]
        return field, rows

    def magnitude(self, z: Vector) -> float:
        """The largest sum of the moduli of the terms that an entry of the Jacobian is made of."""
        total = 0
        for t in self.terms:
            curved = [abs(s) for s in _slopes(t, z)[1]]
            lengths = [max(abs(w) for w in row) ** 2 for row in t.directions]
            quadratic = max(abs(a) for row in t.matrix for a in row)
            total = max(total, quadratic + CONTEXT.fdot(curved, lengths))
        return float(total)


def _slopes(t: Terms, z: Vector) -> tuple[Vector, Vector]:
    """First and second derivatives of the three nonlinear terms."""
    a, b, c = (CONTEXT.fdot(w, z) + s for w, s in zip(t.directions, t.shifts, strict=True))
    tanh = CONTEXT.tanh(b)
    first = [-CONTEXT.sin(a), 1 - tanh**2, 4 * c**3]
    second = [-CONTEXT.cos(a), -2 * tanh * (1 - tanh**2), 12 * c**2]
    by_weight = lambda row: [w * v for w, v in zip(t.weights, row, strict=True)]
    return by_weight(first), by_weight(second)


def _derivatives(t: Terms, z: Vector, own: range) -> tuple[Vector, Rows]:
    first, second = _slopes(t, z)
    columns = list(zip(*t.directions, strict=True))
    gradient, hessian = [], []
    for i in own:
        gradient.append(
            CONTEXT.fdot(t.matrix[i], z) + t.linear[i] + CONTEXT.fdot(first, columns[i])
        )
        bent = [s * w for s, w in zip(second, columns[i], strict=True)]
        rows = zip(t.matrix[i], columns, strict=True)
        hessian.append([a + CONTEXT.fdot(bent, column) for a, column in rows])
    return gradient, hessian


class Active(NamedTuple):
    """Entries held at a bound, by index; whether each player's ball is active, or its simplex."""

    held: dict[int, Any]
    balls: tuple[bool, bool]


def _bounds(case: Case) -> list[tuple[Any, Any]]:
    """Lower and upper bounds of every entry, `None` where there is none."""
    bounds = []
    for size, own in zip(case.sizes, case.sets, strict=True):
        if own is not None and own.kind == "box":
            ends = zip(read(own.lower), read(own.upper), strict=True)
            finite = lambda b: b if CONTEXT.isfinite(b) else None
            bounds += [(finite(low), finite(high)) for low, high in ends]
        else:
            simplex = own is not None and own.kind == "simplex"
            bounds += [(CONTEXT.zero if simplex else None, None)] * size
    return bounds


def active_sets(case: Case, point: Vector) -> list[Active]:
    """Every combination of bounds that the point is nearly at."""
    near = read(case.length) / 50
    choices = []
    for i, (low, high) in enumerate(_bounds(case)):
        ends = {b for b in (low, high) if b is not None and abs(point[i] - b) <= near}
        # Held before free, so that an entry at its bound with no multiplier is known to be there.
        choices.append([*((i, b) for b in ends), (i, None)])
    balls = []
    for own, part in zip(case.sets, _parts(case, point), strict=True):
        on_edge = False
        if own is not None and own.kind == "ball":
            on_edge = abs(norm(part) - read(own.size)) <= near
        balls.append((True, False) if on_edge else (False,))
    held = [{i: b for i, b in pick if b is not None} for pick in itertools.product(*choices)]
    return [Active(h, pair) for h in held for pair in itertools.product(*balls)]


def _parts(case: Case, z: Vector) -> tuple[Vector, Vector]:
    return z[: case.sizes[0]], z[case.sizes[0] :]


class _System(NamedTuple):
    """Equations on a face: free entries, then multipliers of a sphere or of a sum."""

    game: ExactGame
    case: Case
    active: Active

    def free(self) -> list[int]:
        return [i for i in range(self.game.size) if i not in self.active.held]

    def constraints(self) -> list[tuple[str, list[int], Any]]:
        """Each curved or summed constraint: its kind, its entries, its size."""
        found, begin = [], 0
        for player, (size, own) in enumerate(zip(self.case.sizes, self.case.sets, strict=True)):
            entries = list(range(begin, begin + size))
            begin += size
            if own is not None and own.kind == "simplex":
                found.append(("simplex", entries, read(own.size)))
            if self.active.balls[player] and own is not None:
                found.append(("ball", entries, read(own.size)))
        return found

    def newton(self, z: Vector, multipliers: Vector) -> tuple[Vector, Vector, Face]:
        """The step of Newton's method, for `z` and for the multipliers, and the face."""
        field, rows = self.game.derivatives(z)
        free, constraints = self.free(), self.constraints()
        normals, values, curvature = [], [], [CONTEXT.zero] * self.game.size
        for (kind, entries, size), multiplier in zip(constraints, multipliers, strict=True):
            own = [z[i] for i in entries]
            slope = own if kind == "ball" else [CONTEXT.one] * len(own)
            gap = (CONTEXT.fdot(own, own) - size**2) / 2 if kind == "ball" else sum(own) - size
            normal = dict(zip(entries, slope, strict=True))
            values.append(gap)
            normals.append(normal)
            for i in entries:
                field[i] += multiplier * normal[i]
                curvature[i] += multiplier if kind == "ball" else 0
        bent = [[rows[i][j] + (curvature[i] if i == j else 0) for j in free] for i in free]
        across = [[normal.get(i, CONTEXT.zero) for normal in normals] for i in free]
        top = [row + more for row, more in zip(bent, across, strict=True)]
        zeros = [CONTEXT.zero] * len(normals)
        bottom = [[normal.get(i, CONTEXT.zero) for i in free] + zeros for normal in normals]
        step = solve(top + bottom, [-field[i] for i in free] + [-v for v in values])
        kinds = [(c[0], n) for c, n in zip(constraints, normals, strict=True)]
        face = Face(field, rows, curvature, free, kinds, read(self.case.length))
        return step[: len(free)], step[len(free) :], face

    def multipliers(self, z: Vector) -> Vector:
        """Multipliers that make the field on the free entries as small as they can."""
        field, free, found = self.game.derivatives(z)[0], self.free(), []
        for kind, entries, _ in self.constraints():
            own = [i for i in entries if i in free]
            normal = [z[i] if kind == "ball" else CONTEXT.one for i in own]
            along = CONTEXT.fdot([field[i] for i in own], normal)
            found.append(-along / (CONTEXT.fdot(normal, normal) or CONTEXT.one))
        return found


def _newton(system: _System, start: Vector, length: Any) -> tuple[Vector, Face] | None:
    """A critical point of the face near `start`, and its derivatives there; `None` if none."""
    z, free = list(start), system.free()
    for i, bound in system.active.held.items():
        z[i] = bound
    multipliers = system.multipliers(z)
    for attempt in range(120):
        step, more, face = system.newton(z, multipliers)
        size = norm(step)
        # Far from the point there is nothing to find; the sizes of steps halve where J is singular.
        if size <= CONTEXT.mpf(10) ** -42 * length or (attempt == 119 and size < 1e-20 * length):
            return z, face
        shrink = min(CONTEXT.one, length / size)
        for i, s in zip(free, step, strict=True):
            z[i] += shrink * s
        multipliers = [m + shrink * s for m, s in zip(multipliers, more, strict=True)]
        if not norm([a - b for a, b in zip(z, start, strict=True)]) < 10 * length:
            return None
    return None


def _is_allowed(case: Case, z: Vector, face: Face, active: Active) -> bool:
    """True if the point is in the sets, and no multiplier has the wrong sign."""
    slack = CONTEXT.mpf(10) ** -35
    scale = slack * max(norm(face.field), CONTEXT.mpf(10) ** -60)
    for i, (low, high) in enumerate(_bounds(case)):
        if i in active.held:
            inward = face.field[i] >= -scale if active.held[i] == low else False
            outward = face.field[i] <= scale if active.held[i] == high else False
            if not (inward or outward):
                return False
        elif (low is not None and z[i] < low) or (high is not None and z[i] > high):
            return False
    for own, part, on_edge in zip(case.sets, _parts(case, z), active.balls, strict=True):
        if own is not None and own.kind == "ball" and not on_edge and norm(part) > read(own.size):
            return False
    # A sphere's multiplier is what the curvature of its entries is made of.
    return all(c >= 0 for c in face.curvature)


def critical_points(case: Case, starts: list[Vector] | None = None) -> list[Critical]:
    """Critical points that Newton's method finds from the point, or from starts near it."""
    game, point = ExactGame(case.terms, case.sizes), read(case.point)
    length, found, places = CONTEXT.mpf(case.length), [], []
    for start, active in itertools.product(starts or [point], active_sets(case, point)):
        ended = _newton(_System(game, case, active), start, length)
        if ended is None or not _is_allowed(case, ended[0], ended[1], active):
            continue
        z, face = ended
        apart = lambda other, z=z: norm([a - b for a, b in zip(z, other, strict=True)])
        if any(apart(other) <= CONTEXT.mpf(10) ** -18 * length for other in places):
            continue
        places.append(z)
        holds = properties(face, case.sizes, len(case.terms) == 1, read(case.rates))
        distance = float(apart(point))
        _judge_degenerate(game, point, z, face, case, holds)
        found.append(Critical(distance, holds))
    return sorted(found, key=lambda c: c.distance)


def _judge_degenerate(game, point, z, face, case, holds) -> None:
    """The part of the Jacobian that rounding or drift may make counts as 0 for `degenerate`."""
    eps = float(np.finfo(case.point.dtype).eps)
    here = np.array(game.derivatives(point)[1], float)
    there = np.array(face.jacobian, float)
    allowed = 1e4 * eps * game.magnitude(z) + 10 * np.abs(here - there).max()
    smallest = np.linalg.svd(there, compute_uv=False)[-1]
    on_sets = any(own is not None for own in case.sets)
    holds["regular"] = None if on_sets else bool(smallest > allowed)
    holds["singular"] = None if on_sets else holds["singular"]


def truth_of(case: Case) -> Truth:
    """The critical points near the case's point."""
    relative = 1e-10 if case.point.dtype == np.float64 else 1e-5
    return Truth(case, critical_points(case), relative * case.finest)


def search_again(truth: Truth, radius: float) -> list[Critical]:
    """More critical points within a radius, from starts along the axes."""
    case, point = truth.case, read(truth.case.point)
    reach = CONTEXT.mpf(min(radius, 5 * case.length))
    starts = [list(point) for _ in range(4 * len(point))]
    for k, start in enumerate(starts):
        start[k // 4] += reach * (-1, -0.1, 0.1, 1)[k % 4]
    return critical_points(case, starts)
