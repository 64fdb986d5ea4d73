"""Krylov spaces of large operators: an orthonormal basis, and the operator compressed to it."""

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from gameopt._arithmetic import length as length_of
from gameopt._checks import Integer, check_count

BLOCK = 8
"""How many vectors of the basis are read together when a new one is made orthogonal to them."""

_STREAM = "gameopt: start of a Krylov space, seed"

ROUNDING = 32.0
"""Products are trusted to this many units in the last place of the operator's norm."""


class KrylovSpace(NamedTuple):
    r"""$AQ = QH + \beta\,q\,e_m^\top$, the columns of $Q$ orthonormal.

    - `basis`: $Q^\top$, shape `(m, n)`; `small`: $H$, upper Hessenberg, `(m, m)`; `last`: $\beta$.
      Where the start spans an invariant subspace, what follows it is zero in all three.
    - `noise`: what rounding may do to a product with a unit vector, in units of $A$.
    - `inner_residual`: the largest that `matvec` reported.
    """

    basis: Float[Array, "m n"]
    small: Float[Array, "m m"]
    last: Float[Array, ""]
    noise: Float[Array, ""]
    inner_residual: Float[Array, ""]


class _Carry(NamedTuple):
    blocks: Float[Array, "b block n"]
    small: Float[Array, "rows m"]
    product: tuple[Float[Array, " k"], ...]
    scale: Float[Array, ""]
    inner_residual: Float[Array, ""]


def krylov_space(
    matvec: Callable[[Float[Array, " n"]], tuple[Float[Array, " n"], Float[Array, ""]]],
    start: Float[Array, " n"],
    num_matvecs: int,
    symmetric: bool = False,
    sizes: tuple[int, ...] = (),
) -> KrylovSpace:
    """Arnoldi's method, each new vector made orthogonal to all before it, twice.

    Of a symmetric operator it is Lanczos' method with full reorthogonalisation.

    **Arguments:**

    - `matvec`: $v \\mapsto (Av, r)$, with the residual $r$ of what it solved inside, 0 if nothing.
    - `start`: not zero. `num_matvecs`: $m$, cut to `n`.
    - `symmetric`: up to a sign, so that the first pass is short.
    - `sizes`: of the arrays that a product is put together from, such as the leaves of a gradient,
      as a hint for speed.

    !!! cite "Source"

        Arnoldi (1951); the second pass: Daniel, Gragg, Kaufman & Stewart (1976).
    """
    n, dtype = start.size, start.dtype
    size = min(num_matvecs, n)
    num_blocks = -(-size // BLOCK)
    # A loop that carries an empty array is one that XLA compiles no singular values beside.
    ends = np.cumsum([piece for piece in sizes if piece] or [n])[:-1].tolist()
    zero = jnp.zeros((), dtype)

    def step(j, carry: _Carry) -> _Carry:
        vector, small, _, scale = _orthogonalised(j, carry, symmetric)
        blocks = carry.blocks.at[j // BLOCK, j % BLOCK].set(vector)
        product, inner = matvec(vector)
        worst = jnp.maximum(carry.inner_residual, inner.astype(dtype))
        # Carried in pieces, and put together in the next round: XLA would do both at once, entry by
        # entry, and read the transposed gradients of matrices against the order of memory.
        return _Carry(blocks, small, tuple(jnp.split(product, ends)), scale, worst)

    carry = _Carry(
        jnp.zeros((num_blocks, BLOCK, n), dtype),
        jnp.zeros((num_blocks * BLOCK + 1, size), dtype),
        tuple(jnp.split(start, ends)),
        zero,
        zero,
    )
    end = jax.lax.fori_loop(0, size, step, carry)
    _, small, last, scale = _orthogonalised(size, end, symmetric)
    noise = (ROUNDING * float(jnp.finfo(dtype).eps) * scale).astype(dtype)
    basis = end.blocks.reshape(-1, n)[:size]
    return KrylovSpace(basis, small[:size], last, noise, end.inner_residual)


def _orthogonalised(
    j: Any, carry: _Carry, symmetric: bool
) -> tuple[Float[Array, " n"], Float[Array, "rows m"], Float[Array, ""], Float[Array, ""]]:
    """Make the newest product orthogonal to the `j` vectors so far; the start itself is the first.

    **Returns:** the next vector of the basis, 0 at the end of an invariant subspace; $H$ with the
    column of the newest; the length of what was left of the product; the longest product.
    """
    product = jnp.concatenate(carry.product)
    scale = jnp.where(j > 0, jnp.maximum(carry.scale, length_of(product)), 0)
    if symmetric:
        # Its product has parts in the two newest vectors only, up to rounding.
        rest, first = _without_newest(carry.blocks, product, j)
    else:
        rest, first = _without(carry.blocks, product, j)
    rest, second = _without(carry.blocks, rest, j)
    length = length_of(rest)
    # An invariant subspace ends here: the rest is rounding, and would be noise as a direction.
    rounding = ROUNDING * float(jnp.finfo(length.dtype).eps) * scale
    goes_on = (j == 0) | (length > rounding)
    vector = jnp.where(goes_on, rest / jnp.where(goes_on, length, 1), 0)
    length = jnp.where(goes_on, length, 0)
    # Nothing precedes the start: that column is the last one, which is written at the end.
    small = carry.small.at[:-1, j - 1].set(first + second).at[j, j - 1].set(length)
    return vector, small, length, scale


def _without(
    blocks: Float[Array, "b block n"], vector: Float[Array, " n"], count: Any
) -> tuple[Float[Array, " n"], Float[Array, " rows"]]:
    """The vector without its part in the first `count` rows, and that part's coefficients."""

    def one(b, carry):
        vector, coefficients = carry
        part = blocks[b] @ vector
        return vector - part @ blocks[b], coefficients.at[b].set(part)

    # Only the blocks that hold something: half of the memory traffic over a whole run.
    none = jnp.zeros(blocks.shape[:2], vector.dtype)
    filled = (count + BLOCK - 1) // BLOCK
    rest, coefficients = jax.lax.fori_loop(0, filled, one, (vector, none))
    return rest, coefficients.reshape(-1)


def _without_newest(
    blocks: Float[Array, "b block n"], vector: Float[Array, " n"], count: Any
) -> tuple[Float[Array, " n"], Float[Array, " rows"]]:
    """`_without`, of the two newest rows only."""
    rows = blocks.reshape(-1, blocks.shape[-1])
    first = jnp.maximum(count - 2, 0)
    two = jax.lax.dynamic_slice_in_dim(rows, first, 2)
    part = two @ vector
    none = jnp.zeros(len(rows), vector.dtype)
    return vector - part @ two, jax.lax.dynamic_update_slice_in_dim(none, part, first, 0)


def random_start(size: int, seed: Integer, dtype: Any) -> Float[Array, " n"]:
    """A vector of normal numbers, hence of uniformly distributed direction.

    Drawn on the host, so that it is a number like any other and not a sample of the game. A start
    that the user's data were drawn from too could be parallel or orthogonal to them, and no bound
    would hold. So the stream is one that nobody has by accident: Philox, its key the hash of a text
    of this library and the seed.

    **Arguments:** `seed`: an integer from 0 to $2^{63}$. `size`: a longer vector begins with
    the same numbers.
    """
    text = f"{_STREAM} {check_count('seed', seed, most=2**63)}"
    hashed = hashlib.sha256(text.encode()).digest()
    stream = np.random.Generator(np.random.Philox(key=int.from_bytes(hashed[:16], "little")))
    return jax.device_put(stream.normal(size=size).astype(dtype))


def ritz_pairs(
    small: Float[np.ndarray, "m m"], last: float
) -> tuple[
    Complex[np.ndarray, " k"],
    Float[np.ndarray, " k"],
    Complex[np.ndarray, "k k"],
    Float[np.ndarray, " k"],
]:
    """The Ritz pairs of a Hessenberg matrix, cut to the invariant subspace if there is one.

    **Returns:** the values; residuals; eigenvectors of the small matrix, of length 1, as columns;
    the lengths $\\beta_1, \\dots, \\beta_k$ below the diagonal; the last follows the space.
    """
    below = np.append(np.diagonal(small, -1), last).astype(np.float64)
    if not (np.isfinite(small).all() and np.isfinite(last)):
        nothing = np.full(len(below), np.nan)
        return nothing.astype(complex), nothing, np.diag(nothing).astype(complex), nothing
    size = int(np.argmax(below == 0)) + 1 if (below == 0).any() else len(below)
    values, vectors = np.linalg.eig(small[:size, :size].astype(np.float64))
    residuals = below[size - 1] * np.abs(vectors[-1])
    return values.astype(complex), residuals, vectors.astype(complex), below[:size]
