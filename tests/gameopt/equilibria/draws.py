"""Adversarial cases for `classify`, from one seed each: NumPy arrays and exact critical points.

A Jacobian is planted at a point: eigenvalues of a Hessian, of the Jacobian, of a Schur complement
or of a round are 0 or nearly so; it is the difference of large terms; it changes within a tiny
distance; there is no critical point at all. Value and length scales are 1e-8 to 1e8.
"""

from typing import NamedTuple

import numpy as np

from tests.gameopt.equilibria.exact import Case, ExactGame, Set, Terms, Truth, truth_of
from tests.gameopt.equilibria.exact_algebra import read


class Shape(NamedTuple):
    """Cases that share a compiled program."""

    sizes: tuple[int, int]
    zero_sum: bool
    dtype: str
    sets: tuple[str | None, str | None] = (None, None)


KINDS = (
    "plain", "own", "leftmost", "schur", "round", "scaled", "cancelling", "exact", "far", "fine",
    "nowhere", "quartic",
)  # fmt: skip
"""See `_planted` and `_nonlinear`."""

OFFSETS = (0.0, 0.0, 0.0, 0.0, 1.0, 8.0, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
"""Distances of points from critical ones, relative; from 1 on in units in the last place."""


def _small(rng, eps: float) -> float:
    """An eigenvalue that is nearly 0, in units of the others."""
    sizes = (0.0, 10 * eps, 100 * eps, 1e-9, 1e-6, 1e-3)
    return float(rng.choice(sizes) * rng.choice((-1, 1)))


def _symmetric(rng, n: int, smallest: float | None) -> np.ndarray:
    values = rng.uniform(0.2, 2, n) * (1 if smallest is not None or rng.random() < 0.6 else -1)
    if smallest is not None and n:
        values[0] = smallest
    turned = np.linalg.qr(rng.normal(size=(n, n)))[0] if n else np.zeros((0, 0))
    made = turned @ np.diag(values) @ turned.T
    return (made + made.T) / 2


def _planted(rng, shape: Shape, kind: str, eps: float) -> np.ndarray:
    """The Jacobian at the planted point, in units of 1, with what is nearly 0 there."""
    p, q = shape.sizes
    small, n = _small(rng, eps), p + q
    own = kind in ("own", "quartic")
    first = _symmetric(rng, p, small if own else None)
    second = _symmetric(rng, q, small if own and rng.random() < 0.3 else None)
    across = rng.normal(size=(p, q)) * rng.choice((0.0, 0.3, 1.0, 3.0))
    back = -across.T if shape.zero_sum else rng.normal(size=(q, p))
    if kind == "schur" and q:
        second = _symmetric(rng, q, 0.5)
        first = _symmetric(rng, p, small) + across @ np.linalg.solve(second, back)
    jacobian = np.block([[first, across], [back, second]])
    if kind == "leftmost":
        # Shifts of both diagonal blocks keep a zero-sum game one.
        jacobian += (small - np.linalg.eigvals(jacobian).real.min()) * np.eye(n)
    if kind == "exact":
        jacobian = np.round(4 * jacobian) / 4
        jacobian[0, 0] = rng.choice((0.0, jacobian[0, 0]))
        jacobian[:p, :p] = np.triu(jacobian[:p, :p]) + np.triu(jacobian[:p, :p], 1).T
        jacobian[p:, p:] = np.triu(jacobian[p:, p:]) + np.triu(jacobian[p:, p:], 1).T
        jacobian[p:, :p] = -jacobian[:p, p:].T if shape.zero_sum else jacobian[p:, :p]
    return jacobian


def _hessians(rng, shape: Shape, jacobian: np.ndarray) -> list[np.ndarray]:
    """Hessians of the losses that make the Jacobian."""
    p = shape.sizes[0]
    first, second = jacobian.copy(), jacobian.copy()
    first[p:, :p] = jacobian[:p, p:].T
    if shape.zero_sum:
        first[p:, p:] = -jacobian[p:, p:]
        return [first]
    first[p:, p:] = _symmetric(rng, shape.sizes[1], None)
    second[:p, p:] = jacobian[p:, :p].T
    second[:p, :p] = _symmetric(rng, p, None)
    return [first, second]


def _nonlinear(rng, kind: str, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Directions, shifts at the planted point, and weights of cos, tanh and the fourth power."""
    directions = rng.normal(size=(3, n)) / np.sqrt(n)
    shifts = rng.normal(size=3)
    weights = rng.normal(size=3) * rng.choice((0.0, 0.1, 1.0), 3)
    if kind == "cancelling":
        weights = weights * 10.0 ** rng.uniform(1, 7)
    if kind == "fine":
        finer = 10.0 ** rng.uniform(1, 7)
        directions[0] *= finer
        weights[0] *= rng.choice((1e-3, 1.0)) / finer ** rng.choice((1, 2))
    if kind == "quartic":
        weights[:2], weights[2], shifts[2] = 0, abs(rng.normal()), 0
    if kind == "exact":
        weights[:] = 0
    return directions, shifts, weights


def _terms(hessian, point, scale, value, nonlinear, dtype) -> Terms:
    """A loss with that Hessian at the point, in the units of the case."""
    directions, shifts, weights = nonlinear
    cos, tanh = np.cos(shifts[0]), np.tanh(shifts[1])
    bent = weights * np.array([-cos, -2 * tanh * (1 - tanh**2), 12 * shifts[2] ** 2])
    matrix = hessian - (directions.T * bent) @ directions
    matrix = value * matrix / scale[:, None] / scale
    directions = (directions / scale).astype(dtype)
    # Cancels the point in the argument, whose rounding is that of a point far from 0.
    offset = shifts - directions.astype(float) @ point
    return Terms(
        ((matrix + matrix.T) / 2).astype(dtype),
        np.zeros(len(point), dtype),
        directions,
        offset.astype(dtype),
        (value * weights).astype(dtype),
    )


def _balanced(terms: tuple[Terms, ...], shape: Shape, point, wanted) -> tuple[Terms, ...]:
    """The same losses with linear terms for which the field at the point is what is wanted."""
    p = shape.sizes[0]
    field = [float(g) for g in ExactGame(terms, shape.sizes).derivatives(read(point))[0]]
    linear = (wanted - np.array(field)).astype(shape.dtype)
    if shape.zero_sum:
        return (terms[0]._replace(linear=np.append(linear[:p], -linear[p:])),)
    zero = np.zeros_like(linear)
    only_x, only_y = zero.copy(), zero.copy()
    only_x[:p], only_y[p:] = linear[:p], linear[p:]
    return (terms[0]._replace(linear=only_x), terms[1]._replace(linear=only_y))


def _rates(rng, jacobian, scale, value, kind: str, dtype) -> np.ndarray:
    """Step sizes of rounds, near where a round of simultaneous play ceases to contract."""
    real = value * jacobian / scale[:, None] / scale
    values = np.linalg.eigvals(real)
    right = values[values.real > 1e-6 * np.abs(values).max()]
    with np.errstate(divide="ignore"):
        limit = (
            np.min(2 * right.real / np.abs(right) ** 2) if len(right) else 1 / np.abs(values).max()
        )
    near = 1 + _small(rng, float(np.finfo(dtype).eps)) if kind == "round" else rng.uniform(0.1, 1.5)
    pair = limit * near * np.array([1.0, 1.0 if rng.random() < 0.5 else rng.uniform(0.3, 1)])
    return np.nan_to_num(pair, posinf=1.0).astype(dtype)


def draw(shape: Shape, seed: int) -> Case:
    """A case of the shape; see the module."""
    rng = np.random.default_rng([seed, *shape.sizes, len(shape.dtype), shape.zero_sum])
    dtype, n, p = np.dtype(shape.dtype), sum(shape.sizes), shape.sizes[0]
    eps = float(np.finfo(dtype).eps)
    kind = KINDS[rng.integers(len(KINDS))]
    if kind in ("far", "scaled") and any(shape.sets):
        kind = "plain"
    value, length = 10.0 ** rng.uniform(-8, 8, 2) if rng.random() < 0.7 else np.ones(2)
    if kind == "exact":
        value, length = 2.0 ** np.round(np.log2([value, length]))
    scale = np.full(n, length)
    if kind == "scaled":
        scale = scale * 10.0 ** rng.uniform(-2, 2, n)
    place = rng.normal(size=n) * (10.0 ** rng.uniform(1, 6) if kind == "far" else 1)
    if kind == "exact" or rng.random() < 0.3:
        place = np.round(place) * (rng.random() < 0.5)
    sets, place, wanted = _sets(rng, shape, place)
    point = (scale * place).astype(dtype)
    jacobian = _planted(rng, shape, kind, eps)
    terms = []
    for hessian in _hessians(rng, shape, jacobian):
        nonlinear = _nonlinear(rng, kind, n)
        terms.append(_terms(hessian, point.astype(float), scale, value, nonlinear, dtype))
    rates = _rates(rng, jacobian, scale, value, kind, dtype)
    balanced = _balanced(tuple(terms), shape, point, wanted * value / scale)
    if kind == "nowhere":
        balanced = tuple(_without_critical_point(t, rng, p) for t in balanced)
    finest = max(float(np.abs(t.directions).max()) for t in balanced)
    curved = any(t.weights.any() for t in balanced)
    lengths = float(scale.min()), float(min(scale.min(), 1 / finest if curved else np.inf))
    scaled = _scaled(sets[0], length, dtype), _scaled(sets[1], length, dtype)
    case = Case(balanced, shape.sizes, scaled, point, rates, *lengths)
    return case._replace(point=_moved(rng, case, scale, kind))


def _without_critical_point(terms: Terms, rng, p: int) -> Terms:
    """Row 0 of the field is g (sin t - 1 - margin): nearly 0 at places, and never 0."""
    matrix, linear = terms.matrix.copy(), terms.linear.copy()
    matrix[0], matrix[:, 0] = 0, 0
    directions, weights = np.zeros_like(terms.directions), np.zeros_like(terms.weights)
    frequency = abs(float(terms.directions[0, 0])) + 1e-30
    gradient = max(float(np.abs(linear).max()), 1e-30) * 10.0 ** rng.uniform(-8, 0)
    directions[0, 0], weights[0] = frequency, gradient / frequency
    margin = 10.0 ** rng.uniform(-6, 0)
    # The derivative of c cos t is -c w sin t.
    linear[0] = gradient * (1 + margin)
    return Terms(matrix, linear, directions, terms.shifts, weights)


def _sets(rng, shape: Shape, place, multipliers=(0.0, 1e-6, 1.0)):
    """Sets of length 1, a point in them, and the field wanted there: multipliers where active."""
    sets, wanted, begin = [], np.zeros(len(place)), 0
    for size, kind in zip(shape.sizes, shape.sets, strict=True):
        own = slice(begin, begin + size)
        begin += size
        multiplier = rng.choice(multipliers) * rng.uniform(0.5, 2, size)
        if kind is None:
            sets.append(None)
        elif kind == "box":
            side = rng.integers(-1, 2, size)
            place[own] = np.clip(np.round(8 * place[own]) / 32, -0.9, 0.9)
            place[own] = np.where(side == 0, place[own], side)
            wanted[own] = -side * multiplier
            sets.append(Set("box", -np.ones(size), np.ones(size), 0.0))
        elif kind == "simplex":
            held = (np.arange(size) > 0) & (rng.random(size) < 0.4)
            weights = np.where(held, 0, rng.integers(1, 4, size))
            place[own] = weights / weights.sum()
            wanted[own] = np.where(held, multiplier, 0) + rng.normal()
            sets.append(Set("simplex", 0.0, 0.0, 1.0))
        else:
            on_edge = rng.random() < 0.6
            place[own] /= max(float(np.linalg.norm(place[own])), 1e-3) * (1 if on_edge else 2)
            wanted[own] = -multiplier[0] * place[own] if on_edge else 0
            sets.append(Set("ball", 0.0, 0.0, 1.0))
    return sets, place, wanted


def _scaled(own: Set | None, length: float, dtype) -> Set | None:
    if own is None:
        return None
    longer = lambda a: (np.asarray(a) * length).astype(dtype)
    return own._replace(lower=longer(own.lower), upper=longer(own.upper), size=longer(own.size))


def _moved(rng, case: Case, scale, kind: str) -> np.ndarray:
    """The critical point rounded, or off by some amount."""
    dtype, point = case.point.dtype, case.point.astype(float)
    offset = rng.choice(OFFSETS)
    if offset >= 1:
        offset = offset * float(np.finfo(dtype).eps)
    if kind == "quartic" and rng.random() < 0.5:
        offset = 10.0 ** rng.uniform(-6, -3)
    direction = rng.normal(size=len(point))
    direction[: rng.integers(len(point))] = 0
    moved = (point + offset * scale * direction / np.linalg.norm(direction)).astype(dtype)
    split = case.sizes[0]
    parts = zip(case.sets, np.split(moved, [split]), strict=True)
    return np.concatenate([_inside(own, part) for own, part in parts])


def _inside(own: Set | None, vector: np.ndarray) -> np.ndarray:
    if own is None:
        return vector
    if own.kind == "box":
        return np.clip(vector, own.lower, own.upper)
    if own.kind == "simplex":
        vector = np.maximum(vector, 0)
        return vector / vector.sum() * own.size
    return vector * min(vector.dtype.type(1), own.size / max(np.linalg.norm(vector), own.size))


def clear_case(shape: Shape, seed: int, offset: float) -> Case:
    """A well-conditioned case of unit scales whose multipliers are 0 or of size 1.

    **Arguments:** `offset`: distance of the point from the critical one.
    """
    rng = np.random.default_rng([seed, *shape.sizes])
    n = sum(shape.sizes)
    sets, place, wanted = _sets(rng, shape, rng.normal(size=n), (1.0,))
    point, dtype, scale = place.astype(shape.dtype), np.dtype(shape.dtype), np.ones(n)
    jacobian = _planted(rng, shape, "plain", 0.0)
    terms = []
    for hessian in _hessians(rng, shape, jacobian):
        nonlinear = rng.normal(size=(3, n)) / np.sqrt(n), rng.normal(size=3), 0.1 * np.ones(3)
        terms.append(_terms(hessian, point.astype(float), scale, 1.0, nonlinear, dtype))
    balanced = _balanced(tuple(terms), shape, point, wanted)
    scaled = _scaled(sets[0], 1.0, dtype), _scaled(sets[1], 1.0, dtype)
    rates = np.full(2, 0.125, dtype)
    direction = rng.normal(size=n)
    moved = (point + offset * direction / np.linalg.norm(direction)).astype(dtype)
    return Case(balanced, shape.sizes, scaled, moved, rates, 1.0, 0.1)


def solved(shape: Shape, seed: int) -> Truth:
    """A case and its critical points, for processes of their own."""
    return truth_of(draw(shape, seed))
