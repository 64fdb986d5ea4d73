"""Facts about a small game's Jacobian from dense linear algebra in float64, by the host."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from gameopt._arithmetic import single_at_least
from gameopt._equilibria.evidence import Curvature, Facts, Leftmost, verdict
from gameopt._equilibria.operators import played_sizes
from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import field, jacobian
from gameopt._linalg.dense import conditioned_eigenvalues, contraction, sides, timescale_threshold
from gameopt._linalg.host import on_host
from gameopt._linalg.krylov import ROUNDING
from gameopt._trees import ravel
from gameopt._types import Key, Players, Scalar


def dense_facts(
    game: AbstractGame,
    players: Players,
    key: Key,
    rates: Players[Scalar, Scalar] | None,
    drifts: Any,
    vectors: bool,
) -> Facts:
    """**Arguments:** `drifts`: whether to speak of the critical point next to it, traced."""
    matrix = jacobian(game, players, key)
    n, (size_x, size_y) = len(matrix), played_sizes(players)
    drift = jnp.where(drifts, _drift(game, players, key, matrix), 0)
    pair = jnp.zeros(2) if rates is None else jnp.stack([rates.x, rates.y])
    eps = float(jnp.finfo(matrix.dtype).eps)
    function = functools.partial(_numbers, size_x, game.is_zero_sum, eps)
    found = _Numbers(*on_host(function, _shapes(size_x, size_y), matrix, drift, pair))
    _, unravel_x = ravel(players.x)
    _, unravel_y = ravel(players.y)

    def curvature(row: _Extreme, unravel) -> Curvature:
        vector = unravel(row.vector.astype(matrix.dtype)) if vectors else None
        residual = jnp.zeros_like(row.value)
        return Curvature(row.value, row.lower, residual, verdict(row.yes, row.no), vector)

    zero_sum, played = game.is_zero_sum, rates is not None
    return Facts(
        hessian_x=curvature(found.hessian_x, unravel_x),
        hessian_y=curvature(found.hessian_y, unravel_y),
        schur_x=curvature(found.schur_x, unravel_x) if zero_sum else None,
        schur_y=curvature(found.schur_y, unravel_y) if zero_sum else None,
        leftmost=Leftmost(
            found.leftmost,
            found.lower,
            found.condition,
            found.error,
            verdict(found.sides[0], found.sides[1]),
        ),
        mixed=verdict(found.sides[1] & found.sides[2], found.sides[0] | found.sides[3]),
        singular=verdict(found.singular[0], found.singular[1]),
        simultaneous=verdict(*found.simultaneous) if played else None,
        alternating=verdict(*found.alternating) if played else None,
        tau_star=found.tau_star,
        max_step=found.max_step,
        noise=found.noise,
        finite=jnp.all(jnp.isfinite(matrix)) & (n > 0),
    )


def _drift(game, players, key, matrix) -> Scalar:
    """How much the Jacobian may differ at the critical point nearby, from Newton's step to it."""
    vector, unravel = ravel(players)
    wide = single_at_least(matrix.dtype)
    residual = -ravel(field(game, players, key))[0]
    step = jnp.linalg.lstsq(matrix.astype(wide), residual.astype(wide))[0].astype(matrix.dtype)
    there = jacobian(game, unravel(vector + step), key)
    return 2 * jnp.linalg.norm(there - matrix)


class _Extreme(NamedTuple):
    value: Any
    lower: Any
    yes: Any
    no: Any
    vector: Any


class _Numbers(NamedTuple):
    hessian_x: _Extreme
    hessian_y: _Extreme
    schur_x: _Extreme
    schur_y: _Extreme
    leftmost: Any
    lower: Any
    condition: Any
    error: Any
    sides: Any
    singular: Any
    simultaneous: Any
    alternating: Any
    tau_star: Any
    max_step: Any
    noise: Any


def _shapes(size_x: int, size_y: int) -> _Numbers:
    real, number = jnp.result_type(float), jnp.result_type(complex)
    one = jax.ShapeDtypeStruct((), real)
    flags = lambda *shape: jax.ShapeDtypeStruct(shape, jnp.bool_)
    extreme = lambda n: _Extreme(one, one, flags(), flags(), jax.ShapeDtypeStruct((n,), real))
    return _Numbers(
        *(extreme(size_x), extreme(size_y), extreme(size_x), extreme(size_y)),
        *(jax.ShapeDtypeStruct((), number), one, one, one),
        *(flags(4), flags(2), flags(2), flags(2)),
        *(one, one, one),
    )


def _numbers(size_x: int, zero_sum: bool, eps: float, matrix, drift, rates) -> _Numbers:
    matrix, n = np.asarray(matrix, np.float64), len(matrix)
    shapes = _shapes(size_x, n - size_x)
    if not (np.isfinite(matrix).all() and np.isfinite(drift)):
        blank = lambda s: np.zeros(s.shape, bool) if s.dtype == bool else np.full(s.shape, np.nan)
        return jax.tree.map(blank, shapes)
    noise = _noise(matrix, size_x, zero_sum, eps) + float(drift)
    a, b = matrix[:size_x, :size_x], matrix[size_x:, size_x:]
    hessian_x, hessian_y = _smallest(a, noise), _smallest(b, noise)
    schur_x = _schur(matrix, size_x, noise, hessian_y) if zero_sum else _absent(size_x)
    turned = np.roll(np.roll(matrix, -size_x, axis=0), -size_x, axis=1)
    schur_y = _schur(turned, n - size_x, noise, hessian_x) if zero_sum else _absent(n - size_x)
    singular = float(np.linalg.svd(matrix, compute_uv=False)[-1])
    where = sides(matrix, noise)
    simultaneous, alternating = _rounds(matrix, size_x, noise, np.asarray(rates, np.float64))
    leftmost, lower, condition, error = _leftmost(matrix, noise)
    return _Numbers(
        hessian_x,
        hessian_y,
        schur_x,
        schur_y,
        leftmost,
        lower,
        condition,
        error,
        np.array(where),
        np.array([singular <= noise, singular > noise]),
        np.array(simultaneous),
        np.array(alternating),
        timescale_threshold(matrix, size_x, noise),
        # A real part that may be rounding decides nothing.
        _max_step(np.linalg.eigvals(matrix)) if where[0] else 0.0,
        noise,
    )


def _noise(matrix: np.ndarray, size_x: int, zero_sum: bool, eps: float) -> float:
    """Rounding, as far as what should be symmetric shows it."""
    a, b = matrix[:size_x, :size_x], matrix[size_x:, size_x:]
    off = [a - a.T, b - b.T]
    if zero_sum:
        off.append(matrix[:size_x, size_x:] + matrix[size_x:, :size_x].T)
    seen = max(float(np.linalg.norm(part)) for part in off)
    return max(seen, ROUNDING * eps * float(np.linalg.norm(matrix, 2)))


def _smallest(matrix: np.ndarray, noise: float) -> _Extreme:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    value, lower = values[0], values[0] - noise
    return _Extreme(value, lower, lower > 0, value + noise < 0, vectors[:, 0])


def _absent(n: int) -> _Extreme:
    return _Extreme(np.nan, np.nan, False, False, np.full(n, np.nan))


def _schur(matrix: np.ndarray, size: int, noise: float, inner: _Extreme) -> _Extreme:
    """Of the first `size` rows, if the other block is proved to be positive definite.

    Blocks that are off by `noise` move it by at most noise (1 + |B|) (1 + |C|), to first order, and
    by a second order that the smallest eigenvalue of the inner block bounds.
    """
    if not inner.yes:
        return _absent(size)
    a, b = matrix[:size, :size], matrix[:size, size:]
    c, d = matrix[size:, :size], matrix[size:, size:]
    left, right = np.linalg.solve(d.T, b.T).T, np.linalg.solve(d, c)
    norm = lambda m: 1 + float(np.linalg.norm(m, 2))
    moved = noise * norm(left) * norm(right) * (1 + noise / float(inner.lower))
    return _smallest(a - b @ right, moved)


def _leftmost(matrix: np.ndarray, noise: float) -> tuple[complex, float, float, float]:
    values, conditions, _ = conditioned_eigenvalues(matrix)
    errors = conditions * noise
    lower = float(np.min(np.real(values) - errors))
    return complex(values[0]), lower, float(conditions[0]), float(errors[0])


def _rounds(matrix: np.ndarray, size_x: int, noise: float, rates: Float[np.ndarray, "2"]):
    """Whether rounds of simultaneous and of alternating play contract: proofs of yes and of no."""
    if not (rates > 0).all():
        return (False, False), (False, False)
    n, (rate_x, rate_y) = len(matrix), rates
    steps = np.concatenate([np.full(size_x, rate_x), np.full(n - size_x, rate_y)])[:, None]
    simultaneous = contraction(np.eye(n) - steps * matrix, noise * steps.max())
    first, second = np.eye(n), np.eye(n)
    first[:size_x] -= rate_x * matrix[:size_x]
    second[size_x:] -= rate_y * matrix[size_x:]
    off_x, off_y = rate_x * noise, rate_y * noise
    norms = np.linalg.norm(first, 2), np.linalg.norm(second, 2)
    moved = float(off_y * norms[0] + off_x * norms[1] + off_x * off_y)
    return simultaneous, contraction(second @ first, moved)


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
