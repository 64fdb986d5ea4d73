"""Ritz values, residuals and error bounds; host code in float64, called back from jit."""

import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, Int

from gameopt._linalg.host import on_host
from gameopt._linalg.krylov import KrylovSpace, ritz_pairs
from gameopt._linalg.ritz_bounds import half_plane_bound, smallest_projection, symmetric_bounds

Kind = Literal["symmetric", "antisymmetric", "general"]


class RitzAnalysis(NamedTuple):
    """Ritz values by ascending real part, NaN where an invariant subspace ended the space before.

    - `values`, `residuals`, `conditions`, `errors`: shape `(m,)`. `errors` is how far from each
      there is an eigenvalue: proved for a symmetric operator, to first order for another.
    - `coefficients`: of the Ritz vectors in the basis, one a row, `(m, m)`.
    - `lower`, `upper`: bounds on the real parts of all eigenvalues (the imaginary parts, of an
      antisymmetric operator), each but for the stated probability. `noise`: of the products.
    """

    # Arrays of JAX, of NumPy on the host, or their shapes.
    values: Any
    residuals: Any
    conditions: Any
    errors: Any
    coefficients: Any
    lower: Any
    upper: Any
    noise: Any


def analysis_shapes(m: int) -> RitzAnalysis:
    """The shapes and dtypes of an analysis of a space of `m` vectors."""
    real, number = jnp.result_type(float), jnp.result_type(complex)
    shape = lambda *axes, dtype=real: jax.ShapeDtypeStruct(axes, dtype)
    return RitzAnalysis(
        shape(m, dtype=number),
        shape(m),
        shape(m),
        shape(m),
        shape(m, m, dtype=number),
        shape(),
        shape(),
        shape(),
    )


def analyse(
    kind: Kind,
    space: KrylovSpace,
    left: KrylovSpace | None,
    n: Int[ArrayLike, ""],
    probability: Float[ArrayLike, ""],
) -> RitzAnalysis:
    """Ritz values and bounds of a `symmetric`, `antisymmetric` or `general` operator of size `n`.

    **Arguments:**

    - `left`: a space of the transpose, for the condition numbers of a general operator's
      eigenvalues; without it they are NaN and so are the errors.
    - `n`: the size, or that of the invariant subspace that the start was drawn in.
    - `probability`: with which each bound may fail, the start being random.
    """
    shapes = analysis_shapes(space.small.shape[0])
    parts = (jnp.asarray(n), jnp.asarray(probability), space.small, space.last, space.noise)
    if kind != "general":
        return on_host(functools.partial(_normal, kind == "antisymmetric"), shapes, *parts)
    if left is not None:
        parts += (left.small, left.last, left.basis @ space.basis.T)
    return on_host(_general, shapes, *parts)


def _padded(m: int, *rows: np.ndarray) -> list[np.ndarray]:
    fill = lambda row: np.concatenate([row, np.full(m - len(row), np.nan, row.dtype)])
    return [fill(row) for row in rows]


def _square(vectors: np.ndarray, m: int) -> np.ndarray:
    """Eigenvectors as columns to rows of `m` coefficients, zero where there are none."""
    out = np.zeros((m, m), complex)
    out[: vectors.shape[1], : vectors.shape[0]] = vectors.T
    return out


def no_analysis(m: int) -> RitzAnalysis:
    """The analysis of an operator that is not finite: NaN."""
    row, one = np.full(m, np.nan), np.asarray(np.nan)
    return RitzAnalysis._make(
        (row.astype(complex), row, row, row, np.zeros((m, m), complex), one, one, one)
    )


def _normal(turned: bool, n, probability, small, last, noise) -> RitzAnalysis:
    """Symmetric, or antisymmetric and turned by a quarter into Hermitian."""
    m, small = small.shape[0], np.asarray(small, np.float64)
    values, _, _, lengths = ritz_pairs(small, float(last))
    if not np.isfinite(values).all():
        return no_analysis(m)
    sign, size = (-1.0 if turned else 1.0), len(values)
    square = small[:size, :size]
    # Rounding shows as what is not symmetric; the rest of it is a perturbation of that size.
    noise = max(float(noise), float(np.linalg.norm(square - sign * square.T, 2)))
    hermitian = (square + sign * square.T) / 2
    numbers, vectors = np.linalg.eigh(-1j * hermitian if turned else hermitian)
    residuals = lengths[-1] * np.abs(vectors[-1])
    # The start is real, and an antisymmetric operator's eigenvectors are not.
    delta = smallest_projection(int(n), float(probability), real=not turned)
    lower, upper = symmetric_bounds(numbers, lengths, delta, noise)
    rows = _padded(m, numbers * (1j if turned else 1.0 + 0j), residuals, np.ones(size))
    errors = _padded(m, residuals + noise)
    return RitzAnalysis._make(
        (*rows, *errors, _square(vectors, m), lower - noise, upper + noise, noise)
    )


def _general(n, probability, small, last, noise, *left) -> RitzAnalysis:
    m, noise = small.shape[0], float(noise)
    values, residuals, vectors, lengths = ritz_pairs(np.asarray(small), float(last))
    if not np.isfinite(values).all():
        return no_analysis(m)
    conditions = errors = np.full(len(values), np.nan)
    if left:
        conditions, distance = conditions_of(values, residuals, vectors, *left)
        errors = conditions * (distance + noise)
    delta = smallest_projection(int(n), float(probability), real=False)
    lower = half_plane_bound(values, lengths, delta, noise)
    upper = -half_plane_bound(-values, lengths, delta, noise)
    order = np.lexsort((np.imag(values), np.real(values)))
    rows = _padded(
        m, values[order], residuals[order], np.asarray(conditions)[order], np.asarray(errors)[order]
    )
    coefficients = _square(vectors[:, order], m)
    return RitzAnalysis._make((*rows, coefficients, lower, upper, noise))


def conditions_of(values, residuals, vectors, small, last, gram):
    """Condition numbers, and how far away a matrix with these very eigenvalues is at most.

    A right and a left vector of residuals r and s belong to an eigenvalue of a matrix at a distance
    of max(|r|, |s|) (Kahan, Parlett & Jiang 1982), and it moves by its condition number 1 / |y^T x|
    times that, to first order.
    """
    others, others_residuals, others_vectors, _ = ritz_pairs(np.asarray(small), float(last))
    if not np.isfinite(others).all():
        return np.full(len(values), np.inf), np.full(len(values), np.inf)
    nearest = np.argmin(np.abs(values[:, None] - others), axis=1)
    # Rows of the left basis times columns of the right one: inner products of long vectors.
    gram = np.asarray(gram, np.float64)[: len(others), : len(values)]
    products = np.einsum("ij,ik,kj->j", others_vectors[:, nearest], gram, vectors)
    with np.errstate(divide="ignore"):
        conditions = np.maximum(1 / np.abs(products), 1.0)
    left_residuals = others_residuals[nearest] + np.abs(others[nearest] - values)
    return conditions, np.maximum(residuals, left_residuals)
