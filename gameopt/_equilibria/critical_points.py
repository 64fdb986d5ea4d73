"""Critical points of small games, by Newton's method from many starts at once."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from gameopt._arithmetic import single_at_least
from gameopt._checks import Integer, check_count
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._keys import again
from gameopt._trees import float_array, playable, ravel
from gameopt._types import Key, Players, Real


class FoundPoints(eqx.Module):
    r"""Distinct points with $\xi = 0$, those that most starts came to first.

    - `players`: with a first axis of `k`. `residuals`: $\|\xi\|$, shape `(k,)`.
    - `counts`: how many starts came to each, `(k,)`.
    """

    players: Players
    residuals: Float[Array, " k"]
    counts: Int[Array, " k"]


def find_critical_points(
    game: AbstractGame,
    starts: Players,
    key: Key = None,
    *,
    max_rounds: Integer = 100,
    max_move: Real = 0.5,
    tol: Real | None = None,
    apart: Real = 1e-5,
    reach: Real = jnp.inf,
) -> FoundPoints:
    r"""The critical points that Newton's method on $\xi = 0$ comes to, for small games.

    A round is $z^+ = z - \min(1, m / \|d\|)\, d$ with $d = J^+ \xi$ and $m$ = `max_move`, $J^+$
    being the pseudo-inverse, so that a line of critical points is reached by the shortest way. It
    is drawn to critical points of every kind alike. None that no start came to is found: nothing
    here proves that there are no others.

    **Arguments:**

    - `starts`: a joint strategy whose leaves have a first axis: one start for each entry.
    - `key`: the sample of a stochastic game, held fixed.
    - `max_rounds`: rounds from each start, in one compiled call.
    - `tol`: the largest $\|\xi\|$ of a critical point, in units of the field; by default, the
      machine precision to the power 2/3 (4e-11 in float64).
    - `apart`: points nearer than this, times $1 + \|z\|$, are one.
    - `reach`: points with an entry beyond are left out.

    **Raises:** `ValueError` for players with nothing to play.
    """
    check_strategies(game, starts)
    max_rounds = check_count("max_rounds", max_rounds)
    ends, residuals = _newton(game, starts, key, float_array(max_move), max_rounds)
    precision = float(jnp.finfo(ends.dtype).eps) ** (2 / 3)
    limit = precision if tol is None else float(tol)
    points, norms = (np.asarray(jax.device_get(a), np.float64) for a in (ends, residuals))
    near = np.abs(points).max(axis=1) <= reach
    kept, counts = _distinct(points, (norms <= limit) & near, norms, float(apart))
    players, residuals = _chosen(
        eqx.filter(starts, _is_number), ends, residuals, jax.device_put(kept)
    )
    return FoundPoints(players, residuals, jax.device_put(counts.astype(np.int32)))


def _is_number(leaf: Any) -> bool:
    """True for arrays but those of random keys, which a copy for every point would use again."""
    return eqx.is_array(leaf) and not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _one(starts: Players) -> Players:
    return jax.tree.map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, starts)


@eqx.filter_jit
def _chosen(starts: Players, ends: Array, residuals: Array, kept: Int[Array, " k"]):
    unravel = ravel(_one(starts))[1]
    # With the numbers that the first start carries, so that a point can be played.
    players = jax.vmap(lambda v: eqx.filter(unravel(v), _is_number))(ends[kept])
    return players, residuals[kept]


@eqx.filter_jit
def _newton(
    game: AbstractGame, starts: Players, key: Key, max_move: Float[Array, ""], max_rounds: int
) -> tuple[Float[Array, "s n"], Float[Array, " s"]]:
    played = playable(starts)
    vectors = jax.vmap(lambda players: ravel(players)[0])(played)
    _, unravel = ravel(_one(starts))
    xi = lambda v: ravel(game.losses_and_field(unravel(v), again(key))[1])[0]
    longest = max_move.astype(vectors.dtype)

    def one_round(_, v):
        move = _shortest_solution(jax.jacfwd(xi)(v), xi(v))
        length = jnp.linalg.norm(move)
        # So that no start leaves at once for where the Jacobian was nearly singular.
        moved = v - move * jnp.minimum(1, longest / jnp.where(length > 0, length, 1))
        return jnp.where(jnp.isfinite(moved), moved, v)

    ends = jax.vmap(lambda v: jax.lax.fori_loop(0, max_rounds, one_round, v))(vectors)
    return ends, jax.vmap(lambda v: jnp.linalg.norm(xi(v)))(ends)


def _shortest_solution(matrix: Float[Array, "n n"], right: Float[Array, " n"]) -> Array:
    """The pseudo-inverse times a vector; what is rounding beside the norm counts as singular."""
    dtype, wide = matrix.dtype, single_at_least(matrix.dtype)
    matrix, right = matrix.astype(wide), right.astype(wide)
    finite = jnp.isfinite(matrix).all() & jnp.isfinite(right).all()
    rounding = 100 * float(jnp.finfo(dtype).eps)
    inverse = jnp.linalg.pinv(jnp.where(finite, matrix, 0), rtol=rounding)
    return (inverse @ jnp.where(finite, right, 0)).astype(dtype)


def _distinct(
    points: np.ndarray, critical: Bool[np.ndarray, " s"], norms: np.ndarray, apart: float
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Indices of distinct points, the most stationary of each, and the number of ends there."""
    left = np.flatnonzero(critical)
    left = left[np.argsort(norms[left], kind="stable")]
    kept, counts = [], []
    while left.size:
        here = points[left[0]]
        gaps = np.linalg.norm(points[left] - here, axis=1)
        same = gaps <= apart * (1 + np.linalg.norm(here))
        kept.append(left[0])
        counts.append(int(same.sum()))
        left = left[~same]
    order = np.argsort(-np.asarray(counts, int), kind="stable")
    return np.asarray(kept, int)[order], np.asarray(counts, int)[order]
