"""Solutions of semidefinite systems and log determinants, differentiable at equal eigenvalues."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from theory._numeric import Scalar


def pseudo_solver(matrix: Float[Array, "k k"], least: Array) -> Callable[[Array], Array]:
    """Multiplication of `(k,)` or `(k, m)` by the pseudo-inverse of a semidefinite matrix.

    `least`: no eigenvalue is less, so that with a positive one none is empty.

    Its derivative is that of an inverse, $-S^+\\,dS\\,S^+$, which holds as long as the range stays,
    and is finite where eigenvalues coincide.
    """
    values, vectors, empty = _spectrum(matrix, least)
    root = vectors * jnp.where(empty, 0, jax.lax.rsqrt(jnp.where(empty, 1, values)))[None]
    multiply = lambda times: matrix @ times
    apply = lambda _, right: root @ (root.T @ right)
    return lambda right: jax.lax.custom_linear_solve(multiply, right, apply, symmetric=True)


@jax.custom_jvp
def log_det(matrix: Float[Array, "k k"], least: Array) -> Scalar:
    """The log determinant of a semidefinite matrix, -inf if it is singular; `least` as above."""
    values, _, empty = _spectrum(matrix, least)
    return jnp.sum(jnp.where(empty, -jnp.inf, jnp.log(jnp.where(empty, 1, values))))


@log_det.defjvp
def _log_det_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]):
    matrix, least = primals
    slope = jnp.trace(pseudo_solver(matrix, least)(tangents[0]))
    return log_det(matrix, least), slope


def _spectrum(matrix: Array, least: Array) -> tuple[Array, Array, Bool[Array, " k"]]:
    """Eigenvalues, eigenvectors, and which eigenvalues are 0 but for rounding."""
    values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(matrix))
    least = jax.lax.stop_gradient(least)
    values = jnp.maximum(values, least)
    empty = (values <= values.size * jnp.finfo(values.dtype).eps * jnp.max(values)) & (least == 0)
    return values, vectors, empty
