"""Running averages of a recorded path."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from gameopt._checks import Integer, check_count
from gameopt._trees import float_array, playable


def ergodic_averages(
    path: Any, weights: Float[Array, " t"] | None = None, burn_in: Integer = 0
) -> Any:
    r"""$\bar z_t = \sum_{b < i \le t} w_i z_i \,/ \sum_{b < i \le t} w_i$, for every $t > b$.

    Each average is moved toward the newest entry by its share of the weight, $\bar z \mathrel{+}=
    \frac{w_t}{W_t} (z_t - \bar z)$: no sum grows with the path. With equal weights these are the
    averages of `Averaged`. They tend to the equilibria as $1/t$: those of extragradient on smooth
    convex-concave games, with steps below $1/R$ of the field's Lipschitz constant $R$, and those of
    alternating play on bilinear games, with $\sqrt{\eta_x\eta_y}\,s < 2$.

    **Arguments:**

    - `path`: a trajectory with a first axis of rounds, as `rollout(...,
      record=record_players).records`; any pytree of arrays.
    - `weights`: $w$, shape `(t,)`, not negative, such as step sizes; equal ones by default.
    - `burn_in`: $b$, how many entries at the beginning are left out.

    **Returns:** the structure of `path`, with a first axis of `t - burn_in`; `None` in place of
    leaves that are not floating-point. Before the first positive weight, the first entry.

    **Raises:** `ValueError` if nothing is left to average, if the weights are of another length, or
    if one of them is negative or not finite.
    """
    path = playable(path)
    leaves = jax.tree.leaves(path)
    if not leaves or any(leaf.ndim < 1 or len(leaf) != len(leaves[0]) for leaf in leaves):
        raise ValueError("ergodic_averages needs a path: arrays with one first axis of rounds.")
    rounds = len(leaves[0])
    burn_in = check_count("burn_in", burn_in, least=-rounds)
    if not 0 <= burn_in < rounds:
        raise ValueError(f"burn_in must be >= 0 and below the path's {rounds}, got {burn_in}.")
    given = float_array(np.ones(rounds, leaves[0].dtype) if weights is None else weights)
    _check_weights(given, rounds)
    return _averages(path, given, burn_in)


def _check_weights(weights: Array, rounds: int) -> None:
    if weights.shape != (rounds,):
        raise ValueError(f"weights must be of shape ({rounds},), got {weights.shape}.")
    if isinstance(weights, Tracer):
        return
    given = np.asarray(jax.device_get(weights), np.float64)
    if not (np.isfinite(given) & (given >= 0)).all():
        raise ValueError("weights must be finite, and not negative.")


@eqx.filter_jit
def _averages(path: Any, weights: Float[Array, " t"], burn_in: int) -> Any:
    path, weights = jax.tree.map(lambda leaf: leaf[burn_in:], (path, weights))

    def add(carry, entry):
        average, total = carry
        now, weight = entry
        total = total + weight
        share = weight / jnp.where(total > 0, total, 1)
        move = lambda old, new: old + share.astype(old.dtype) * (new - old)
        average = jax.tree.map(move, average, now)
        return (average, total), average

    first = jax.tree.map(lambda leaf: leaf[0], path)
    start = (first, jnp.zeros((), weights.dtype))
    return jax.lax.scan(add, start, (path, weights))[1]
