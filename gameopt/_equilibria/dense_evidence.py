"""Evidence from dense linear algebra: small Jacobians in float64, on the host."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from gameopt._arithmetic import single_at_least
from gameopt._equilibria.evidence import VERDICT, Curvature, Facts, Leftmost, verdict
from gameopt._equilibria.operators import played_sizes
from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import field, jacobian
from gameopt._linalg.dense import conditioned_eigenvalues, contraction, sides
from gameopt._linalg.host import on_host
from gameopt._linalg.krylov import ROUNDING
from gameopt._linalg.timescales import timescale_threshold
from gameopt._trees import ravel
from gameopt._types import Key, Players, Scalar, Strategy


def dense_facts(
    game: AbstractGame,
    players: Players,
    key: Key,
    rates: Players[Scalar, Scalar] | None,
    drifts: Any,
    vectors: bool,
) -> Facts:
    """The evidence of dense matrices.

    **Arguments:** `drifts`: whether to speak of the critical point next to it, traced.
    """
    matrix = jacobian(game, players, key)
    n, (size_x, size_y) = len(matrix), played_sizes(players)
    drift = jnp.where(drifts, _drift(game, players, key, matrix), 0)
    pair = jnp.zeros(2) if rates is None else jnp.stack([rates.x, rates.y])
    eps = float(jnp.finfo(matrix.dtype).eps)
    function = functools.partial(_numbers, size_x, game.is_zero_sum, eps)
    shapes = _shapes(size_x, size_y, game.is_zero_sum)
    found: _Numbers = on_host(function, shapes, matrix, drift, pair)

    def curvature(row: _Extreme | None, own: Strategy) -> Curvature | None:
        if row is None:
            return None
        vector = ravel(own)[1](row.vector.astype(matrix.dtype)) if vectors else None
        positive = verdict(row.positive.yes, row.positive.no)
        return Curvature(row.value, row.lower, jnp.zeros_like(row.value), positive, vector)

    def judged(proof: _Proof | None) -> VERDICT | None:
        return None if proof is None or rates is None else verdict(proof.yes, proof.no)

    left = found.leftmost
    hessian_x = curvature(found.hessian_x, players.x)
    assert hessian_x is not None
    return Facts(
        hessian_x=hessian_x,
        hessian_y=curvature(found.hessian_y, players.y),
        schur_x=curvature(found.schur_x, players.x),
        schur_y=curvature(found.schur_y, players.y),
        leftmost=Leftmost(
            value=left.value,
            lower=left.lower,
            condition=left.condition,
            error=left.error,
            positive=verdict(left.positive.yes, left.positive.no),
        ),
        mixed=verdict(found.mixed.yes, found.mixed.no),
        singular=verdict(found.singular.yes, found.singular.no),
        simultaneous=judged(found.simultaneous),
        alternating=judged(found.alternating),
        tau_star=found.tau_star,
        max_step=found.max_step,
        noise=found.noise,
        finite=jnp.all(jnp.isfinite(matrix)) & (n > 0),
    )


def _drift(game, players, key, matrix) -> Scalar:
    """A bound on the Jacobian's change up to the critical point nearby, by Newton's step to it."""
    vector, unravel = ravel(players)
    wide = single_at_least(matrix.dtype)
    residual = -ravel(field(game, players, key))[0]
    step = jnp.linalg.lstsq(matrix.astype(wide), residual.astype(wide))[0].astype(matrix.dtype)
    there = jacobian(game, unravel(vector + step), key)
    return 2 * jnp.linalg.norm(there - matrix)


Rates = Float[np.ndarray, "2"]
"""Step sizes, x's first."""


class _Proof(NamedTuple):
    """Flags: proved, refuted. Neither is inconclusive."""

    yes: Any
    no: Any


class _Extreme(NamedTuple):
    """The smallest eigenvalue of a symmetric matrix, a lower bound, its eigenvector."""

    value: Any
    lower: Any
    positive: _Proof
    vector: Any


class _Left(NamedTuple):
    """The fields of `Leftmost`, as NumPy has them."""

    value: Any
    lower: Any
    condition: Any
    error: Any
    positive: _Proof


class _Numbers(NamedTuple):
    """Results of the host, a tree of arrays; `None` for what an absent player would have, and for
    Schur complements of general-sum games."""

    hessian_x: _Extreme
    hessian_y: _Extreme | None
    schur_x: _Extreme | None
    schur_y: _Extreme | None
    leftmost: _Left
    mixed: _Proof
    singular: _Proof
    simultaneous: _Proof
    alternating: _Proof | None
    tau_star: Any
    max_step: Any
    noise: Any


def _shapes(size_x: int, size_y: int, zero_sum: bool) -> _Numbers:
    one = jax.ShapeDtypeStruct((), jnp.result_type(float))
    flag = jax.ShapeDtypeStruct((), jnp.bool_)
    proof = _Proof(flag, flag)
    vector = lambda n: jax.ShapeDtypeStruct((n,), one.dtype)
    extreme = lambda n: _Extreme(one, one, proof, vector(n))
    two = size_y > 0
    return _Numbers(
        hessian_x=extreme(size_x),
        hessian_y=extreme(size_y) if two else None,
        schur_x=extreme(size_x) if two and zero_sum else None,
        schur_y=extreme(size_y) if two and zero_sum else None,
        leftmost=_Left(
            value=jax.ShapeDtypeStruct((), jnp.result_type(complex)),
            lower=one,
            condition=one,
            error=one,
            positive=proof,
        ),
        mixed=proof,
        singular=proof,
        simultaneous=proof,
        alternating=proof if two else None,
        tau_star=one if two else None,
        max_step=one,
        noise=one,
    )


def _numbers(size_x: int, zero_sum: bool, eps: float, matrix, drift, rates) -> _Numbers:
    matrix, n = np.asarray(matrix, np.float64), len(matrix)
    size_y = n - size_x
    two = size_y > 0
    if not (np.isfinite(matrix).all() and np.isfinite(drift)):
        blank = lambda s: np.zeros(s.shape, bool) if s.dtype == bool else np.full(s.shape, np.nan)
        return jax.tree.map(blank, _shapes(size_x, size_y, zero_sum))
    noise = _noise(matrix, size_x, zero_sum, eps) + float(drift)
    hessian_x = _smallest(matrix[:size_x, :size_x], noise)
    hessian_y = _smallest(matrix[size_x:, size_x:], noise) if two else None
    schur_x = schur_y = None
    if hessian_y is not None and zero_sum:
        turned = np.roll(np.roll(matrix, -size_x, axis=0), -size_x, axis=1)
        schur_x = _schur(matrix, size_x, noise, hessian_y)
        schur_y = _schur(turned, size_y, noise, hessian_x)
    smallest = float(np.linalg.svd(matrix, compute_uv=False)[-1])
    all_right, one_left, one_right, all_left = sides(matrix, noise)
    speeds = np.asarray(rates, np.float64)
    return _Numbers(
        hessian_x=hessian_x,
        hessian_y=hessian_y,
        schur_x=schur_x,
        schur_y=schur_y,
        leftmost=_leftmost(matrix, noise, _Proof(all_right, one_left)),
        mixed=_Proof(one_left and one_right, all_right or all_left),
        singular=_Proof(smallest <= noise, smallest > noise),
        simultaneous=_simultaneous(matrix, size_x, noise, speeds),
        alternating=_alternating(matrix, size_x, noise, speeds) if two else None,
        tau_star=timescale_threshold(matrix, size_x, noise).upper if two else None,
        # A real part that may be rounding decides nothing.
        max_step=_max_step(np.linalg.eigvals(matrix)) if all_right else 0.0,
        noise=noise,
    )


def _noise(matrix: np.ndarray, size_x: int, zero_sum: bool, eps: float) -> float:
    """Rounding error, estimated from asymmetry."""
    a, b = matrix[:size_x, :size_x], matrix[size_x:, size_x:]
    off = [a - a.T, b - b.T]
    if zero_sum:
        off.append(matrix[:size_x, size_x:] + matrix[size_x:, :size_x].T)
    seen = max(float(np.linalg.norm(part)) for part in off)
    return max(seen, ROUNDING * eps * float(np.linalg.norm(matrix, 2)))


def _smallest(matrix: np.ndarray, noise: float) -> _Extreme:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    value, lower = values[0], values[0] - noise
    return _Extreme(value, lower, _Proof(lower > 0, value + noise < 0), vectors[:, 0])


def _schur(matrix: np.ndarray, size: int, noise: float, inner: _Extreme) -> _Extreme:
    """The smallest eigenvalue of a Schur complement; NaN unless the other block is positive.

    It is that of the first `size` rows. Blocks that are off by `noise` move it by at most
    noise (1 + |B|) (1 + |C|), to first order, and by a second order that the smallest eigenvalue of
    the inner block bounds.
    """
    if not inner.positive.yes:
        return _Extreme(np.nan, np.nan, _Proof(False, False), np.full(size, np.nan))
    a, b = matrix[:size, :size], matrix[:size, size:]
    c, d = matrix[size:, :size], matrix[size:, size:]
    left, right = np.linalg.solve(d.T, b.T).T, np.linalg.solve(d, c)
    norm = lambda m: 1 + float(np.linalg.norm(m, 2))
    moved = noise * norm(left) * norm(right) * (1 + noise / float(inner.lower))
    return _smallest(a - b @ right, moved)


def _leftmost(matrix: np.ndarray, noise: float, positive: _Proof) -> _Left:
    values, conditions, _ = conditioned_eigenvalues(matrix)
    errors = conditions * noise
    lower = np.min(np.real(values) - errors)
    return _Left(values[0], lower, conditions[0], errors[0], positive)


def _simultaneous(matrix: np.ndarray, size_x: int, noise: float, rates: Rates) -> _Proof:
    """Proofs that a round of simultaneous play contracts, or does not."""
    if not (rates > 0).all():
        return _Proof(False, False)
    n = len(matrix)
    steps = np.where(np.arange(n) < size_x, rates[0], rates[1])[:, None]
    return _Proof(*contraction(np.eye(n) - steps * matrix, noise * steps.max()))


def _alternating(matrix: np.ndarray, size_x: int, noise: float, rates: Rates) -> _Proof:
    """Proofs that a round of alternating play contracts, or does not."""
    if not (rates > 0).all():
        return _Proof(False, False)
    n, (rate_x, rate_y) = len(matrix), rates
    first, second = np.eye(n), np.eye(n)
    first[:size_x] -= rate_x * matrix[:size_x]
    second[size_x:] -= rate_y * matrix[size_x:]
    off_x, off_y = rate_x * noise, rate_y * noise
    norms = np.linalg.norm(first, 2), np.linalg.norm(second, 2)
    moved = float(off_y * norms[0] + off_x * norms[1] + off_x * off_y)
    return _Proof(*contraction(second @ first, moved))


def _max_step(values: np.ndarray) -> float:
    r"""$\min 2\,\mathrm{Re}\lambda / |\lambda|^2$ of eigenvalues on the right of the axis."""
    return float(np.min(2 * np.real(values) / np.abs(values) ** 2))


def max_step(values: Complex[Array, " m"], moved: Float[Array, " m"]) -> Scalar:
    """As `_max_step`, for Ritz values; NaNs, at places that are left over, are ignored.

    **Arguments:** `moved`: what rounding may do to each real part; 0 is the answer where one is no
    larger than that.
    """
    real, there = values.real, ~jnp.isnan(values.real)
    right = jnp.all((real > moved) | ~there)
    squares = jnp.square(jnp.abs(jnp.where(right & there, values, 1)))
    smallest = jnp.min(jnp.where(there, 2 * real / squares, jnp.inf))
    return jnp.where(jnp.any(there), jnp.where(right, smallest, 0), jnp.nan)
