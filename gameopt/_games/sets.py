"""Sets that strategies are kept in."""

from collections.abc import Callable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import optax.projections
from jax.core import Tracer
from jaxtyping import Array, Float

from gameopt._checks import check_choice
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


class Simplex(eqx.Module):
    """Projection on the simplex: entries of at least 0 that sum to `scale`, over all played leaves.

    Mixed strategies, as vectors. By `optax.projections`.
    """

    scale: Float[Array, ""] = eqx.field(converter=float_array, default=1.0)

    def __call__(self, strategy: Strategy) -> Strategy:
        return _by_optax(optax.projections.projection_simplex, self.scale, strategy)


class Ball(eqx.Module):
    """Projection on a ball around 0, over all played leaves together.

    - `radius`: not negative. `norm`: `l1`, `l2` or `linf`.

    By `optax.projections`.
    """

    radius: Float[Array, ""] = eqx.field(converter=float_array)
    norm: Literal["l1", "l2", "linf"] = eqx.field(static=True, default="l2")

    def __check_init__(self):
        check_choice("norm", self.norm, ("l1", "l2", "linf"))
        if not isinstance(self.radius, Tracer) and bool(self.radius < 0):
            raise ValueError(f"Ball needs a radius of at least 0, got {self.radius}.")

    def __call__(self, strategy: Strategy) -> Strategy:
        project = {
            "l1": optax.projections.projection_l1_ball,
            "l2": optax.projections.projection_l2_ball,
            "linf": optax.projections.projection_linf_ball,
        }[self.norm]
        return _by_optax(project, self.radius, strategy)


def _by_optax(project: Callable, size: Float[Array, ""], strategy: Strategy) -> Strategy:
    """One of optax's projections on the played leaves; the others are carried along."""
    played, rest = eqx.partition(strategy, eqx.is_inexact_array)
    # They mix integers with floats, and ranks, and the l1 ball is for the default precision alone.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        wide = jnp.result_type(float)
        widened = jax.tree.map(lambda leaf: leaf.astype(wide), played)
        moved = project(widened, size.astype(wide))
    keep = lambda new, old: new.astype(old.dtype)
    return eqx.combine(jax.tree.map(keep, moved, played), rest)


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
