"""Bounds on the spectral radius of every matrix within the noise of a computed one."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from gameopt._linalg.dense import Matrix, contraction, count_outside
from gameopt._linalg.krylov import KrylovSpace, ritz_pairs
from gameopt._linalg.ritz_bounds import disc_bound, smallest_projection
from gameopt._linalg.ritz_values import conditions_of

_ALWAYS = 32
"""Up to so many entries both bounds are made tight, whatever they are for."""

SAFETY = 100.0
"""A modulus above 1 is concluded from errors of first order if so many of them fit between."""

FAILURE_PROBABILITY = 1e-6
"""With which the bound of a Krylov space may fail."""


class RadiusBounds(NamedTuple):
    """The spectral radius of a matrix, and an interval with that of every matrix within its noise.

    Numbers, or arrays of shape `(batch,)`; infinite, with the interval [0, inf], of matrices that
    are not finite.
    """

    value: Any
    lower: Any
    upper: Any


def radius_bounds(matrix: Matrix, noise: float) -> RadiusBounds:
    """Proved bounds, tight also where eigenvalues are defective.

    Those of Bauer and Fike first. They grow with the condition number of the eigenvectors, and
    where they say nothing about 1 inertia does: the number of eigenvalues outside of a circle.
    """
    value, lower, upper = (float(b[0]) for b in many_radius_bounds(matrix[None], [noise]))
    if not np.isfinite(value) or (len(matrix) > _ALWAYS and not lower <= 1 <= upper):
        return RadiusBounds(value, lower, upper)
    inside = lambda gap: count_outside(matrix, value + gap, noise) == 0
    upper = value + _smallest_gap(inside, noise, upper - value)
    outside = lambda gap: gap < value and (count_outside(matrix, value - gap, noise) or 0) > 0
    lower = value - _smallest_gap(outside, noise, value - lower)
    return RadiusBounds(value, lower, upper)


def _smallest_gap(is_proved: Callable[[float], bool], noise: float, known: float) -> float:
    """The smallest gap with a proof among noise, 2 noise, 4 noise, ..., and `known`."""
    if not noise > 0 or not known > noise:
        return known
    low, high = -1, int(np.ceil(np.log2(min(known / noise, 1e30))))
    best = known
    while high - low > 1:
        middle = (low + high) // 2
        gap = noise * 2.0**middle
        if is_proved(gap):
            high, best = middle, min(gap, known)
        else:
            low = middle
    return best


def many_radius_bounds(matrices: Float[np.ndarray, "b n n"], noises: Any) -> RadiusBounds:
    r"""Bounds of a batch, by the condition number of the eigenvectors.

    With $MV = V\Lambda + R$, an eigenvalue of $M + E$ is within $\delta = (|V| |E| + |R|) |V^{-1}|$
    of one of $\Lambda$, and every cluster of discs of that radius keeps the number that it has.

    !!! cite "Source"

        Bauer & Fike (1960), "Norms and exclusion theorems".
    """
    number, n = len(matrices), matrices.shape[-1]
    value, lower, upper = np.full(number, np.inf), np.zeros(number), np.full(number, np.inf)
    finite = np.isfinite(matrices).all(axis=(1, 2))
    if not finite.any():
        return RadiusBounds(value, lower, upper)
    given, noise = matrices[finite], np.broadcast_to(np.asarray(noises, float), number)[finite]
    values, vectors = np.linalg.eig(given)
    spread = np.linalg.svd(vectors, compute_uv=False)
    norms = np.linalg.norm(given, 2, axis=(1, 2))
    rounding = 4 * n * np.finfo(np.float64).eps
    off = np.linalg.norm(given @ vectors - vectors * values[:, None, :], axis=(1, 2))
    off = off + (noise + rounding * norms) * spread[:, 0]
    least = spread[:, -1] - rounding * spread[:, 0]
    gap = np.where(least > 0, off / np.where(least > 0, least, 1), np.inf)
    moduli = -np.sort(-np.abs(values), axis=1)
    # Discs that hang together with the outermost one hold some of the eigenvalues, and not each.
    with np.errstate(invalid="ignore"):
        ends = moduli[:, :-1] - moduli[:, 1:] > 2 * gap[:, None]
    last = np.argmax(np.concatenate([ends, np.ones((len(given), 1), bool)], axis=1), axis=1)
    cluster = np.take_along_axis(moduli, last[:, None], axis=1)[:, 0]
    value[finite] = moduli[:, 0]
    lower[finite] = np.maximum(cluster - gap, 0)
    # The norm is a bound too, and the better one where eigenvectors are ill-conditioned.
    upper[finite] = np.minimum(moduli[:, 0] + gap, norms * (1 + rounding) + noise)
    return RadiusBounds(value, lower, upper)


def contracts(matrix: Matrix, noise: float, bounds: RadiusBounds) -> tuple[bool, bool]:
    """Proofs that the radius is below 1, and above 1, of every matrix within the noise.

    **Arguments:** `bounds`: what is known of it; inertia is asked only if that leaves it open.
    """
    if bounds.upper < 1 or bounds.lower > 1:
        return bool(bounds.upper < 1), bool(bounds.lower > 1)
    if not np.isfinite(bounds.value) or abs(bounds.value - 1) <= noise:
        return False, False
    return contraction(matrix, noise)


class KrylovRadius(NamedTuple):
    """The largest Ritz value's modulus, as far as a Krylov space knows it.

    - `values`, `residuals`: the Ritz pairs, of largest modulus first.
    - `error`: of the first, to first order: its condition number times residual and noise;
      infinite without a space of the transpose.
    - `upper`: on all eigenvalues, but for the probability with which the start hides one, and to
      first order in the noise. `lower`: on the radius, with a factor of safety before the error.
    """

    values: np.ndarray
    residuals: np.ndarray
    error: float
    lower: float
    upper: float


def krylov_radius(space: KrylovSpace, left: KrylovSpace | None, n: int) -> KrylovRadius:
    """Bounds from a Krylov space of a random start, and one of the transpose; arrays of NumPy."""
    parts = ()
    if left is not None:
        gram = np.asarray(left.basis, np.float64) @ np.asarray(space.basis, np.float64).T
        parts = left.small, left.last, gram
    return radius_from(n, FAILURE_PROBABILITY, space.small, space.last, space.noise, *parts)


def radius_from(n, probability, small, last, noise, *left) -> KrylovRadius:
    """Bounds from the small matrices of both spaces, and the inner products of their bases.

    **Arguments:** `n`, `probability`: as for `analyse`. `left`: see `conditions_of`; none without a
    space of the transpose.
    """
    small, noise = np.asarray(small), float(noise)
    values, residuals, vectors, lengths = ritz_pairs(small, float(last))
    order = np.argsort(-np.abs(values), kind="stable")
    if not np.isfinite(values).all():
        return KrylovRadius(values[order], residuals[order], np.inf, 0.0, np.inf)
    conditions = distances = np.full(len(values), np.inf)
    if left:
        conditions, distances = conditions_of(values, residuals, vectors, *left)
    moduli, errors = np.abs(values), conditions * (distances + noise)
    condition = float(conditions[order[0]])
    moved = noise * condition if np.isfinite(condition) else np.inf
    delta = smallest_projection(int(n), float(probability), real=False)
    upper = max(disc_bound(values, lengths, delta, noise), float(moduli.max())) + moved
    lower = max(float(np.max(moduli - SAFETY * errors)), 0.0)
    return KrylovRadius(values[order], residuals[order], float(errors[order[0]]), lower, upper)
