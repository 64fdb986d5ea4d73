"""Eigenvalues of large operators by Arnoldi's method, with their residuals."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float
from matfree import decomp


class RitzPairs(NamedTuple):
    """Estimates of eigenvalues, of largest modulus first.

    - `values`: shape `(k,)`, complex. `residuals`: $\\|Av - \\lambda v\\|$ of unit vectors, `(k,)`.
      A small residual says that there is an eigenvalue nearby only as far as the operator is
      normal, and never that no larger one was missed.
    """

    values: Complex[np.ndarray, " k"]
    residuals: Float[np.ndarray, " k"]


def arnoldi(
    matvec: Callable[[Float[Array, " n"]], Float[Array, " n"]],
    start: Float[Array, " n"],
    num_matvecs: int,
) -> RitzPairs:
    """Ritz pairs of a square operator from `num_matvecs` products, fully reorthogonalised.

    Where the start spans an invariant subspace, the Krylov space is cut to it. The small matrix is
    decomposed on the host: accelerators have no non-symmetric eigenvalues.

    **Arguments:**

    - `matvec`: traceable; arrays that it needs are better arguments of a jitted caller.
    - `start`: not zero.
    """
    size = min(num_matvecs, start.size)
    small, last = jax.jit(lambda v: factorise(matvec, v, size))(start)
    return ritz_pairs(np.asarray(small), float(last))


def factorise(
    matvec: Callable[[Float[Array, " n"]], Float[Array, " n"]], start: Float[Array, " n"], size: int
) -> tuple[Float[Array, "m m"], Float[Array, ""]]:
    """The Hessenberg matrix of `size` products, and the norm of the vector that follows it.

    Traceable: what `ritz_pairs` takes on the host.
    """
    # matfree mixes integers with floats, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        result = decomp.hessenberg(size, reortho="full", custom_vjp=False)(matvec, start)
    return jnp.asarray(result.J_small), jnp.asarray(jnp.linalg.norm(result.residual))


def ritz_pairs(small: Float[np.ndarray, "m m"], last: float) -> RitzPairs:
    """The Ritz pairs of a Hessenberg matrix and the norm of the vector that follows it."""
    size = small.shape[0]
    below = np.append(np.diagonal(small, -1), last)
    finite = np.abs(small[np.isfinite(small)])
    scale = finite.max() if finite.size else 0.0
    tiny = size * np.finfo(small.dtype).eps * scale
    # What follows an invariant subspace is rounding, or 0 / 0.
    ended = ~np.isfinite(below) | (np.abs(below) <= tiny)
    if ended.any():
        size = int(np.argmax(ended)) + 1
        last = 0.0
    values, vectors = np.linalg.eig(small[:size, :size].astype(np.float64))
    residuals = last * np.abs(vectors[-1])
    order = np.argsort(-np.abs(values), kind="stable")
    return RitzPairs(values[order].astype(complex), residuals[order])
