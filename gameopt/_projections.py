"""Sets that strategies are kept in."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer
from jaxtyping import Array, Float

from gameopt._trees import float_array
from gameopt._types import Real, Strategy


class Box(eqx.Module):
    """Projection on the box $[l, u]$, entry by entry, of every played leaf.

    - `lower`, `upper`: a number, or an array that broadcasts against every leaf.

    `Box(-c, c)` on a critic is weight clipping (Arjovsky, Chintala & Bottou 2017, Algorithm 1).
    """

    lower: Float[Array, "..."] = eqx.field(converter=float_array)
    upper: Float[Array, "..."] = eqx.field(converter=float_array)

    def __check_init__(self):
        bounds = (self.lower, self.upper)
        if all(eqx.is_array(b) and not isinstance(b, Tracer) for b in bounds) and bool(
            jnp.any(self.lower > self.upper)
        ):
            raise ValueError(f"Box needs lower <= upper, got [{self.lower}, {self.upper}].")

    def __call__(self, strategy: Strategy) -> Strategy:
        def clip(leaf):
            if not eqx.is_inexact_array(leaf):
                return leaf
            return jnp.clip(leaf, self.lower.astype(leaf.dtype), self.upper.astype(leaf.dtype))

        return jax.tree.map(clip, strategy)


def clip_weights(limit: Real) -> Box:
    """Weight clipping: the set of strategies with every weight in $[-c, c]$.

    **Raises:** `ValueError` if `limit` is negative.
    """
    return Box(-limit, limit)


def projected(
    optimizer: optax.GradientTransformation, projection: Callable[[Strategy], Strategy]
) -> optax.GradientTransformation:
    """`optimizer`, followed by a projection of what its update leads to.

    For loops that are not ours; our solvers apply `game.project` themselves. The update that comes
    out is `projection(p + u) - p`, so that adding it to `p` lands on the set up to one rounding.

    **Raises:** `ValueError` at the update if the parameters are not given to it.
    """
    optimizer = optax.with_extra_args_support(optimizer)

    def update(updates, state, params=None, **extra):
        if params is None:
            raise ValueError("projected(...) needs the parameters: optimizer.update(g, state, p).")
        updates, state = optimizer.update(updates, state, params, **extra)
        moved = projection(eqx.apply_updates(params, updates))
        return jax.tree.map(jnp.subtract, moved, params), state

    return optax.GradientTransformationExtraArgs(optimizer.init, update)
