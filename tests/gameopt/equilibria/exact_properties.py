"""Definitions of the verdicts at an exact critical point, on the face of the sets it lies on."""

import itertools
from typing import Any, NamedTuple

import numpy as np

from tests.gameopt.equilibria.exact_algebra import (
    CONTEXT,
    ZERO,
    Rows,
    Vector,
    eigenvalues,
    eliminate,
    identity,
    is_positive_definite,
    is_singular,
    largest,
    norm,
    product,
    transpose,
)

NEAR_ZERO = CONTEXT.mpf(10) ** -24
"""Real parts of eigenvalues below this, beside the largest entry, are zero."""


class Face(NamedTuple):
    """Derivatives at a critical point, and the face of the sets that it is in.

    - `field`: with the multipliers' part, zero at entries that are free. `jacobian`: of the game.
      `curvature`: what a sphere's multiplier adds to each diagonal entry.
    - `free`: entries that no bound holds. `normals`: the kind, and the normal by entry, of each
      simplex or sphere. `length`: of the strategies.
    """

    field: Vector
    jacobian: Rows
    curvature: Vector
    free: list[int]
    normals: list[tuple[str, dict[int, Any]]]
    length: Any


def _tangents(face: Face, own: range, weak: tuple[int, ...] = ()) -> list[dict[int, Any]]:
    """A basis of one player's tangent space: unit vectors, less their part along a normal.

    **Arguments:** `weak`: entries that may move too, though at a bound.
    """
    free = [i for i in own if i in face.free or i in weak]
    for _, normal in face.normals:
        if free and free[0] in normal:
            pivot = max(free, key=lambda i: (i not in weak, abs(normal[i])))
            others = [i for i in free if i != pivot]
            return [{i: CONTEXT.one, pivot: -normal[i] / normal[pivot]} for i in others]
    return [{i: CONTEXT.one} for i in free]


def _compressed(face: Face, basis: list[dict[int, Any]]) -> tuple[Rows, Rows]:
    """The form of the Jacobian with the multipliers' curvature on a basis, and the Gram matrix."""
    n = len(face.jacobian)
    full = [[vector.get(i, CONTEXT.zero) for i in range(n)] for vector in basis]
    bent = [list(row) for row in face.jacobian]
    for i in range(n):
        bent[i][i] += face.curvature[i]
    if not basis:
        return [], []
    turned = transpose(full)
    return product(product(full, bent), turned), product(full, turned)


def _block(rows: Rows, i: range, j: range) -> Rows:
    return [[rows[a][b] for b in j] for a in i]


def _schur(rows: Rows, lead: range, answer: range) -> Rows:
    a, b = _block(rows, lead, lead), _block(rows, lead, answer)
    if not len(answer) or not len(lead):
        return a
    solved, _ = eliminate(_block(rows, answer, answer), _block(rows, answer, lead))
    moved = product(b, solved)
    return [[p - q for p, q in zip(r, s, strict=True)] for r, s in zip(a, moved, strict=True)]


def _sides(rows: Rows) -> tuple[bool, bool, bool]:
    """Three flags: all eigenvalues are right of the axis, one is left, one is right."""
    clear = lambda values, error, size: np.abs(values.real).min() > 100 * error
    real = [v.real for v in eigenvalues(rows, clear)]
    left, right = (any(s * r > NEAR_ZERO for r in real) for s in (-1, 1))
    return all(r > NEAR_ZERO for r in real), left, right


def _contracts(rows: Rows) -> bool | None:
    """True if all eigenvalues have a modulus below 1; `None` if one is too near 1."""
    gaps = lambda values, size: [abs(v) * size - 1 for v in values]
    clear = lambda values, error, size: np.abs(gaps(values, size)).min() > 100 * error * size
    size = largest(rows)
    far = gaps(eigenvalues(rows, clear), size)
    if not far:
        return True
    return None if any(abs(g) <= NEAR_ZERO * max(1, size) for g in far) else max(far) < 0


def _rounds(face: Face, basis: list, p: int, split: int, rates: Vector) -> tuple[Rows, Rows]:
    """Derivatives of rounds of simultaneous and alternating projected play on a basis."""
    n, size = len(face.jacobian), len(basis)
    flat = face._replace(curvature=[CONTEXT.zero] * n)
    form, gram = _compressed(flat, basis)
    rows = eliminate(gram, form)[0] if basis else []
    # The projection on a sphere shrinks what lies along it.
    entries = [next(iter(vector)) for vector in basis]
    rate = [rates[0] if i < p else rates[1] for i in entries]
    shrink = [1 / (1 + r * face.curvature[i]) for r, i in zip(rate, entries, strict=True)]
    one = identity(size)
    moved = [
        [shrink[i] * (one[i][j] - rate[i] * rows[i][j]) for j in range(size)] for i in range(size)
    ]
    first = moved[:split] + one[split:]
    second = one[:split] + moved[split:]
    return moved, product(second, first) if size else []


def _copositive(rows: Rows, signed: list[int]) -> bool:
    """True if a form is positive on vectors whose `signed` entries are not negative."""
    n = len(rows)
    free = [i for i in range(n) if i not in signed]
    pick = lambda i, j: [[rows[a][b] for b in j] for a in i]
    if not is_positive_definite(pick(free, free)):
        return False
    order = free + signed
    turned = pick(order, order)
    rest = _schur(turned, range(len(free), n), range(len(free))) if signed else []
    for k in range(1, len(signed) + 1):
        for own in itertools.combinations(range(len(signed)), k):
            part = [[(rest[a][b] + rest[b][a]) / 2 for b in own] for a in own]
            if k == 1 and not part[0][0] > 0:
                return False
            found, singular = eliminate(part, [[CONTEXT.one]] * k)
            weights = [row[0] for row in found]
            # The least value on the simplex inside this support.
            if not singular and all(w < 0 for w in weights):
                return False
    return True


def _weak(face: Face, own: range) -> list[int]:
    """Entries at a bound whose multiplier is zero: a strategy may leave them, at no cost so far."""
    # Multipliers are compared with what a move by the whole length of a strategy would make.
    scale = ZERO * max(norm(face.field), largest(face.jacobian) * face.length)
    return [i for i in own if i not in face.free and abs(face.field[i]) <= scale]


def _is_minimum(face: Face, own: range) -> bool | None:
    """True if the own loss has a strict local minimum by the second-order condition."""
    weak = _weak(face, own)
    if any(kind == "ball" for kind, _ in face.normals) and weak:
        return None
    basis = _tangents(face, own, tuple(weak))
    form, _ = _compressed(face, basis)
    entries = [next(iter(vector)) for vector in basis]
    return _copositive(form, [k for k, i in enumerate(entries) if i in weak])


def properties(
    face: Face, sizes: tuple[int, int], zero_sum: bool, rates: Vector
) -> dict[str, bool | None]:
    """Each verdict's definition; `None` for what is not judged where a multiplier is zero."""
    p, n = sizes[0], sum(sizes)
    minima = [_is_minimum(face, own) for own in (range(p), range(p, n)) if len(own)]
    nash = None if None in minima else all(minima)
    holds: dict[str, bool | None] = {"stationary": True, "dne": nash, "singular": None}
    free = ("minimax", "maximin", "attractor", "attractor_simultaneous", "attractor_alternating")
    unknown = dict.fromkeys((*free, "spurious", "saddle"))
    touching = any(
        kind == "ball" and all(abs(face.curvature[i]) <= ZERO for i in normal)
        for kind, normal in face.normals
    )
    if _weak(face, range(n)) or touching:
        return holds | unknown
    own_x = _tangents(face, range(p))
    basis = own_x + _tangents(face, range(p, n))
    form, gram = _compressed(face, basis)
    flow = eliminate(gram, form)[0] if basis else []
    x, y = range(len(own_x)), range(len(own_x), len(basis))
    all_right, left, right = _sides(flow)
    simultaneous, alternating = _rounds(face, basis, p, len(own_x), rates)
    positive = lambda rows: is_positive_definite(rows)
    follows = lambda lead, answer: (
        positive(_block(form, answer, answer)) and positive(_schur(form, lead, answer))
    )
    return holds | {
        "minimax": follows(x, y) if zero_sum else None,
        "maximin": follows(y, x) if zero_sum else None,
        "attractor": all_right,
        "attractor_simultaneous": _contracts(simultaneous),
        "attractor_alternating": _contracts(alternating) if n > p else None,
        "spurious": None if nash is None else all_right and not nash,
        "saddle": left and right,
        "singular": is_singular(form),
    }
