"""The density of a symmetric operator's eigenvalues, by stochastic Lanczos quadrature."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._checks import Integer, check_choice, check_count
from gameopt._equilibria.operators import SYMMETRIC, Which, check_which, operator
from gameopt._equilibria.spectrum import size_of
from gameopt._games.base import AbstractGame
from gameopt._linalg.krylov import krylov_space, random_start
from gameopt._linalg.ritz_values import analyse
from gameopt._trees import float_array
from gameopt._types import Key, Players, Scalar


class SpectralDensity(eqx.Module):
    r"""The density of the eigenvalues, smoothed by a normal density of standard deviation `width`.

    - `grid`, `density`, `standard_error`: shape `(points,)`. The density's integral is 1; its error
      is over the random probes.
    - `nodes`, `weights`: of the quadrature, `(num_probes, m)`; each row of weights adds up to 1.
      Places after an invariant subspace have weight 0.
    """

    grid: Float[Array, " points"]
    density: Float[Array, " points"]
    standard_error: Float[Array, " points"]
    nodes: Float[Array, "probes m"]
    weights: Float[Array, "probes m"]
    width: Scalar


def spectral_density(
    game: AbstractGame,
    players: Players,
    key: Key = None,
    *,
    which: Which = "hessian_x",
    num_probes: Integer = 8,
    num_matvecs: Integer = 64,
    points: Integer = 512,
    width: float | None = None,
    seed: Integer = 0,
) -> SpectralDensity:
    r"""The density of the eigenvalues of a symmetric operator of the game.

    With a unit vector $v$ of random direction, $v^\top g(A) v$ has the mean $\mathrm{tr}\,g(A)/n$,
    and Gauss quadrature from a Lanczos run gives it exactly for polynomials of degree $2m - 1$.

    **Arguments:**

    - `which`: `symmetric`, `hessian_x`, `hessian_y`, `schur_x` or `schur_y`, as in `spectrum`.
    - `num_probes`, at least 2: random vectors, one after the other, each of `num_matvecs` products.
    - `width`: of the smoothing, in the units of the eigenvalues; their range over `num_matvecs` by
      default, which is what the quadrature resolves.

    **Raises:** `ValueError` for another operator, or fewer than two probes.

    !!! cite "Source"

        Golub & Welsch (1969); Lin, Saad & Yang (2016), arXiv:1308.5467; of networks, Ghorbani,
        Krishnan & Xiao (2019), arXiv:1901.10159.
    """
    check_choice("which", which, SYMMETRIC)
    check_which(game, players, which)
    num_probes, points = check_count("num_probes", num_probes), check_count("points", points, 2)
    num_matvecs = check_count("num_matvecs", num_matvecs, 1)
    if num_probes < 2:
        raise ValueError(f"spectral_density needs num_probes >= 2 for its error, got {num_probes}.")
    size = num_probes * size_of(players, which)
    starts = random_start(size, seed, jnp.result_type(float))
    smoothing = None if width is None else float_array(width)
    return _density(game, players, key, starts, which, num_probes, num_matvecs, points, smoothing)


@eqx.filter_jit
def _density(
    game, players, key, starts, which, num_probes, num_matvecs, points, width
) -> SpectralDensity:
    starts = starts.reshape(num_probes, -1)
    linear = operator(game, players, key, which)

    def quadrature(start):
        start = start.astype(linear.like.dtype)
        space = krylov_space(linear.matvec, start, num_matvecs, True, linear.sizes)
        ritz = analyse("symmetric", space, None, start.size, 0.5)
        # No value at all is an operator that is not finite: its density is NaN.
        there = ~jnp.isnan(ritz.values.real) | jnp.all(jnp.isnan(ritz.values.real))
        # The first basis vector is the start: what an eigenvector has of it is its weight.
        weights = jnp.square(ritz.coefficients[:, 0].real) + 0 * ritz.noise
        return jnp.where(there, ritz.values.real, 0), jnp.where(there, weights, 0)

    nodes, weights = jax.lax.map(quadrature, starts)
    counted = ~(weights <= 0)
    low = jnp.min(jnp.where(counted, nodes, jnp.inf))
    high = jnp.max(jnp.where(counted, nodes, -jnp.inf))
    # A multiple of the identity has no range of its own.
    span = jnp.where(high > low, high - low, jnp.maximum(jnp.abs(high), 1))
    sigma = span / num_matvecs if width is None else width.astype(span.dtype)
    grid = jnp.linspace(low - 4 * sigma, high + 4 * sigma, points)
    bumps = lambda t: jnp.exp(-0.5 * jnp.square((t - nodes) / sigma))
    each = jax.vmap(lambda t: jnp.sum(weights * bumps(t), axis=1))(grid)
    each = each / (sigma * jnp.sqrt(2 * jnp.pi).astype(each.dtype))
    error = jnp.std(each, axis=1, ddof=1) / jnp.sqrt(1.0 * len(starts)).astype(each.dtype)
    return SpectralDensity(grid, jnp.mean(each, axis=1), error, nodes, weights, sigma)
