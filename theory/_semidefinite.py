"""Solutions of semidefinite systems and log determinants, differentiable at equal eigenvalues."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from theory._numeric import Scalar


class Spectrum(NamedTuple):
    """Eigenvalues and eigenvectors as constants, and which eigenvalues are 0 but for rounding."""

    values: Float[Array, " k"]
    vectors: Float[Array, "k k"]
    empty: Bool[Array, " k"]


def spectrum(matrix: Float[Array, "k k"], least: Array) -> Spectrum:
    """The spectrum of a semidefinite matrix.

    `least`: no eigenvalue is less, so that with a positive one none is empty.
    """
    values, vectors = jnp.linalg.eigh(jax.lax.stop_gradient(matrix))
    least = jax.lax.stop_gradient(least)
    values = jnp.maximum(values, least)
    return Spectrum(values, vectors, _are_zero(values) & (least == 0))


def noised(
    cov: Float[Array, "d d"], alpha: Array, noise: Array
) -> tuple[Float[Array, "d d"], Spectrum]:
    """`alpha**2 * cov + noise * I` and its spectrum, from that of `cov`.

    Mapped over levels, or in a loop over them, the covariance is decomposed once.
    """
    values, vectors, empty = spectrum(cov, jnp.zeros_like(noise))
    constant_alpha, constant_noise = jax.lax.stop_gradient((alpha, noise))
    total = constant_alpha**2 * values + constant_noise
    nothing = (empty | (constant_alpha == 0)) & (constant_noise == 0)
    matrix = alpha**2 * cov + noise * jnp.eye(len(cov), dtype=cov.dtype)
    return matrix, Spectrum(total, vectors, nothing)


def pseudo_solver(matrix: Float[Array, "k k"], of: Spectrum) -> Callable[[Array], Array]:
    """Multiplication of `(k,)` or `(k, m)` by the pseudo-inverse of a semidefinite matrix.

    Its derivative is that of an inverse, $-S^+\\,dS\\,S^+$, which holds as long as the range stays,
    and is finite where eigenvalues coincide.
    """
    inverse_root = jnp.where(of.empty, 0, jax.lax.rsqrt(jnp.where(of.empty, 1, of.values)))
    root = of.vectors * inverse_root[None]
    multiply = lambda times: matrix @ times
    apply = lambda _, right: root @ (root.T @ right)
    return lambda right: jax.lax.custom_linear_solve(multiply, right, apply, symmetric=True)


@jax.custom_jvp
def log_det(matrix: Float[Array, "k k"], of: Spectrum) -> Scalar:
    """The log determinant of a semidefinite matrix, -inf if it is singular."""
    del matrix  # for its derivative
    return jnp.sum(jnp.where(of.empty, -jnp.inf, jnp.log(jnp.where(of.empty, 1, of.values))))


@log_det.defjvp
def _log_det_jvp(primals: tuple[Array, Spectrum], tangents: tuple[Array, Spectrum]):
    matrix, of = primals
    return log_det(matrix, of), jnp.trace(pseudo_solver(matrix, of)(tangents[0]))


def _are_zero(values: Float[Array, " k"]) -> Bool[Array, " k"]:
    return values <= values.size * jnp.finfo(values.dtype).eps * jnp.max(values)
