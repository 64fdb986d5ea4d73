"""Eigenvalues of a game's second-order operators, with what is known of their errors."""

from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from gameopt._checks import Integer, check_choice, check_count
from gameopt._equilibria.operators import (
    SYMMETRIC,
    Matvec,
    Operator,
    Which,
    check_which,
    operator,
    played_sizes,
)
from gameopt._games.base import AbstractGame
from gameopt._linalg.dense import dense_eigenvalues
from gameopt._linalg.krylov import KrylovSpace, krylov_space, random_start
from gameopt._linalg.ritz_values import Kind, RitzAnalysis, analyse
from gameopt._trees import playable
from gameopt._types import Key, Players, Scalar

DENSE = 256
"""Up to so many entries the matrix is built."""


class Spectrum(eqx.Module):
    r"""Eigenvalues, or Ritz values, by ascending real part.

    - `values`: shape `(k,)`, complex; NaN at the places that a Krylov space on an invariant
      subspace leaves over.
    - `residuals`: $\|Av - \lambda v\|$ of unit vectors, `(k,)`; 0 if dense.
    - `conditions`: of each eigenvalue, $1/|y^\top x|$ of its unit left and right eigenvectors; 1
      for symmetric operators.
    - `errors`: there is an eigenvalue of the operator so near to each value: proved for symmetric
      operators, to first order in the residuals for others.
    - `lower`, `upper`: the real parts of *all* eigenvalues are between them (imaginary parts, if
      antisymmetric). If dense up to `noise` times the condition; if `krylov`, each but for the
      stated failure probability over the random start.
    - `noise`: what rounding does to a product with a unit vector, as far as it is seen.
    - `inner_residual`: the largest residual of the solves inside a Schur complement's products.
    - `vectors`: the eigenvectors if asked for, as complex strategies with a first axis of `k`.
    - `num_matvecs`: products with the operator that were paid for.
    """

    values: Complex[Array, " k"]
    residuals: Float[Array, " k"]
    conditions: Float[Array, " k"]
    errors: Float[Array, " k"]
    lower: Scalar
    upper: Scalar
    noise: Scalar
    inner_residual: Scalar
    vectors: Any
    num_matvecs: Array
    which: str = eqx.field(static=True)
    method: str = eqx.field(static=True)


def spectrum(
    game: AbstractGame,
    players: Players,
    key: Key = None,
    *,
    which: Which = "jacobian",
    k: Integer | None = None,
    method: Literal["auto", "dense", "krylov"] = "auto",
    num_matvecs: Integer = 64,
    restarts: Integer = 0,
    tol: float = 1e-6,
    vectors: bool = False,
    failure_probability: float = 1e-6,
    seed: Integer = 0,
) -> Spectrum:
    r"""Eigenvalues of the game's Jacobian $J$, of a part of it, or of a Schur complement.

    May be called under `jit`, and under `vmap` for small games; compiled once per shape. The small
    eigenproblems are solved by the host.

    **Arguments:**

    - `key`: the sample of a stochastic game. A minibatch game is certified as the mean over stated
      samples: `over(game, keys)`.
    - `which`: `jacobian` $J = D\xi$; `symmetric` $(J + J^\top)/2$; `antisymmetric`
      $(J - J^\top)/2$; `hessian_x`, `hessian_y` the players' own; `schur_x`
      $J_{xx} - J_{xy}J_{yy}^{-1}J_{yx}$ and `schur_y`, for zero-sum games, whose opponent's own
      Hessian is positive definite.
    - `k`: how many from each end, all by default.
    - `method`: `dense` builds the matrix, `krylov` takes `num_matvecs` products (twice as many for
      the Jacobian, whose transpose gives the condition numbers); `auto` is dense up to 256 entries.
    - `restarts`: how often to begin again from the Ritz vectors at both ends, if their residuals
      are not below `tol` times the largest value. The bounds are those of the first, random start.
    - `vectors`: whether to return eigenvectors.
    - `failure_probability`: of each of `lower` and `upper`. `seed`: of the random start.

    **Raises:** `ValueError` for an unknown name, a player that it acts on with nothing to play, a
    Schur complement of a general-sum game, or an operator of an absent player.

    !!! cite "Source"

        Bounds: van Dorsselaer, Hochstenbach & van der Vorst (2000), see docs/derivations.md; errors
        of a non-symmetric operator: Kahan, Parlett & Jiang (1982).
    """
    check_choice("method", method, ("auto", "dense", "krylov"))
    check_which(game, players, which)
    num_matvecs = check_count("num_matvecs", num_matvecs)
    k = None if k is None else check_count("k", k)
    restarts = check_count("restarts", restarts)
    if num_matvecs < 1 or (k is not None and k < 1):
        raise ValueError(f"spectrum needs num_matvecs and k >= 1, got {num_matvecs} and {k}.")
    size = size_of(players, which)
    if method == "auto":
        method = "dense" if size <= DENSE else "krylov"
    start = random_start(size, seed, jnp.result_type(float))  # which checks the seed
    if method == "dense":
        return _dense_spectrum(game, players, key, which, k, vectors)
    search = _Search(num_matvecs, restarts, tol, failure_probability)
    return _krylov_spectrum(game, players, key, start, which, k, search, vectors)


def size_of(players: Players, which: Which) -> int:
    """The size of the operator of that name."""
    x, y = played_sizes(players)
    return {"hessian_x": x, "schur_x": x, "hessian_y": y, "schur_y": y}.get(which, x + y)


def kind_of(which: Which) -> Kind:
    """The kind of the operator of that name."""
    if which in SYMMETRIC:
        return "symmetric"
    return "antisymmetric" if which == "antisymmetric" else "general"


class _Search(NamedTuple):
    """Settings of a Krylov search, all static; see `spectrum`."""

    num_matvecs: int
    restarts: int
    tol: float
    probability: float


@eqx.filter_jit
def _krylov_spectrum(
    game, players, key, start, which: Which, k: int | None, search: _Search, vectors: bool
) -> Spectrum:
    kind = kind_of(which)
    linear = operator(game, players, key, which)
    start = start.astype(linear.like.dtype)
    space, first, rounds = _restarted(linear.matvec, start, linear.sizes, kind, k, search)
    left = None
    if kind == "general":
        assert linear.transpose is not None
        left, _, more = _restarted(linear.transpose, start, linear.sizes, kind, k, search)
        rounds = rounds + more
    result = analyse(kind, space, left, start.size, search.probability)
    return Spectrum(
        **_chosen(linear, space, result, k, vectors),
        lower=first.lower,
        upper=first.upper,
        noise=first.noise,
        inner_residual=space.inner_residual,
        num_matvecs=rounds * len(result.values),
        which=which,
        method="krylov",
    )


def _chosen(
    linear: Operator, space: KrylovSpace, result: RitzAnalysis, k: int | None, vectors: bool
) -> dict[str, Any]:
    """The fields of a `Spectrum` that are of each value, at both ends."""
    chosen = _ends(result.values, k)
    return {
        "values": result.values[chosen],
        "residuals": result.residuals[chosen],
        "conditions": result.conditions[chosen],
        "errors": result.errors[chosen],
        "vectors": _strategies(linear, space, result.coefficients[chosen]) if vectors else None,
    }


def _restarted(
    matvec: Matvec, start, sizes: tuple[int, ...], kind: Kind, k: int | None, search: _Search
) -> tuple[KrylovSpace, RitzAnalysis, Array]:
    """The last space, the analysis of the first, and the number of spaces."""
    symmetric = kind != "general"
    analysed = lambda space: analyse(kind, space, None, start.size, search.probability)
    space_from = lambda v: krylov_space(matvec, v, search.num_matvecs, symmetric, sizes)
    space = space_from(start)
    first = analysed(space)
    if search.restarts == 0:
        return space, first, jnp.ones((), jnp.int32)

    def goes_on(carry):
        _, result, count = carry
        wanted = result.residuals[_ends(result.values, k or 1)]
        largest = jnp.max(jnp.nan_to_num(jnp.abs(result.values)))
        off = jnp.max(jnp.nan_to_num(wanted))
        return (count <= search.restarts) & (off > search.tol * largest)

    def again(carry):
        space, result, count = carry
        chosen = _ends(result.values, k or 1)
        rows, weights = result.coefficients[chosen], jnp.nan_to_num(result.residuals)[chosen]
        mixed = (weights @ (rows.real + rows.imag)).astype(start.dtype)
        space = space_from(mixed @ space.basis)
        return space, analysed(space), count + 1

    space, _, count = jax.lax.while_loop(goes_on, again, (space, first, jnp.ones((), jnp.int32)))
    return space, first, count


def _ends(values: Complex[Array, " m"], k: int | None) -> Array:
    """Indices of the first and the last `k` that are there, of all if that is no fewer."""
    m = values.shape[0]
    if k is None or 2 * k >= m:
        return jnp.arange(m)
    there = jnp.sum(~jnp.isnan(values.real), dtype=jnp.int32)
    first = jnp.arange(k, dtype=jnp.int32)
    return jnp.concatenate([first, jnp.maximum(there, 2 * k) - k + first])


def _strategies(linear: Operator, space: KrylovSpace, rows: Complex[Array, "k m"]) -> Any:
    """Ritz vectors as strategies, complex, `None` in place of leaves that are not played."""
    played = lambda vector: playable(linear.unravel(vector))
    part = lambda numbers: jax.vmap(played)(numbers.astype(space.basis.dtype) @ space.basis)
    return jax.tree.map(jax.lax.complex, part(rows.real), part(rows.imag))


@eqx.filter_jit
def _dense_spectrum(game, players, key, which: Which, k: int | None, vectors: bool) -> Spectrum:
    linear = operator(game, players, key, which)
    matrix, inner = jax.vmap(linear.matvec, out_axes=(1, 0))(
        jnp.eye(linear.like.size, dtype=linear.like.dtype)
    )
    result = dense_eigenvalues(kind_of(which), matrix, linear.like.dtype)
    zero = jnp.zeros((), matrix.dtype)
    everything = KrylovSpace(jnp.eye(len(matrix), dtype=matrix.dtype), matrix, zero, zero, zero)
    return Spectrum(
        **_chosen(linear, everything, result, k, vectors),
        lower=result.lower,
        upper=result.upper,
        noise=result.noise,
        inner_residual=jnp.max(inner),
        num_matvecs=jnp.asarray(len(matrix), jnp.int32),
        which=which,
        method="dense",
    )
