"""Sets that strategies are kept in, and games on them."""

import abc
from collections.abc import Callable
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
import optax.projections
from jax.core import Tracer
from jaxtyping import Array, Float

from gameopt._checks import check_callable, check_choice
from gameopt._games.active_sets import (
    Face,
    box_face,
    cross_polytope_face,
    probed_face,
    simplex_face,
    sphere_face,
)
from gameopt._games.base import AbstractGame, AbstractGameOf, check_game, sets_of
from gameopt._trees import float_array, ravel, split_played, tree_size
from gameopt._types import Key, Losses, Players, Projection, Real, Scalar, Strategy


class AbstractSet(eqx.Module):
    """A set of strategies that knows its faces: a projection, callable on a strategy.

    - `convex`: whether the set is convex; second-order conditions refuse a set that is not. A
      subclass states it.

    The second-order conditions of `Box`, `Simplex` and `Ball` are exact. A subclass that writes
    only the projection is judged like any function: at interior points.
    """

    convex: ClassVar[bool]

    @abc.abstractmethod
    def __call__(self, strategy: Strategy) -> Strategy:
        """The nearest strategy of the set."""

    def face(
        self,
        strategy: Strategy,
        gradient: Strategy,
        near: Scalar,
        slack: Float[Array, "..."],
    ) -> Face:
        """The active constraints at a strategy of the set, and the directions they leave.

        **Arguments:**

        - `gradient`: of the player's own loss.
        - `near`: bounds within this distance may be active at the critical point nearby.
        - `slack`: error of the gradient there, which a multiplier has to exceed to be positive.
        """
        del gradient, slack
        return probed_face(self, strategy, near)


class Box(AbstractSet):
    """Projection on the box $[l, u]$, entry by entry, of every played leaf.

    - `lower`, `upper`: a number, or an array that broadcasts against every leaf.

    `Box(-c, c)` on a critic is weight clipping (Arjovsky, Chintala & Bottou 2017, Algorithm 1).
    """

    convex: ClassVar[bool] = True
    lower: Float[Array, "..."] = eqx.field(converter=float_array)
    upper: Float[Array, "..."] = eqx.field(converter=float_array)

    def __check_init__(self):
        bounds = (self.lower, self.upper)
        if all(eqx.is_array(b) and not isinstance(b, Tracer) for b in bounds) and bool(
            jnp.any(self.lower > self.upper)
        ):
            raise ValueError(f"Box needs lower <= upper, got [{self.lower}, {self.upper}].")

    def __call__(self, strategy: Strategy) -> Strategy:
        played, rest = split_played(strategy)
        bounds = lambda leaf: (self.lower.astype(leaf.dtype), self.upper.astype(leaf.dtype))
        clipped = jax.tree.map(lambda leaf: jnp.clip(leaf, *bounds(leaf)), played)
        return eqx.combine(clipped, rest)

    def face(
        self,
        strategy: Strategy,
        gradient: Strategy,
        near: Scalar,
        slack: Float[Array, "..."],
    ) -> Face:
        played = split_played(strategy)[0]

        def everywhere(bound: Array) -> Float[Array, " n"]:
            spread = lambda leaf: jnp.broadcast_to(bound.astype(leaf.dtype), leaf.shape)
            return ravel(jax.tree.map(spread, played))[0]

        bounds = everywhere(self.lower), everywhere(self.upper)
        return box_face(ravel(strategy)[0], *bounds, ravel(gradient)[0], near, slack)


class Simplex(AbstractSet):
    """Projection on the simplex: entries of at least 0 that sum to `scale`, over all played leaves.

    Mixed strategies, as vectors. By `optax.projections`.

    **Raises:** `ValueError` for a strategy without an entry: no sum is `scale`.
    """

    convex: ClassVar[bool] = True
    scale: Float[Array, ""] = eqx.field(converter=float_array, default=1.0)

    def __call__(self, strategy: Strategy) -> Strategy:
        if not tree_size(strategy):
            raise ValueError("Simplex needs a strategy with an entry: a sum of none is not scale.")
        return _by_optax(optax.projections.projection_simplex, self.scale, strategy)

    def face(
        self,
        strategy: Strategy,
        gradient: Strategy,
        near: Scalar,
        slack: Float[Array, "..."],
    ) -> Face:
        return simplex_face(ravel(strategy)[0], self.scale, ravel(gradient)[0], near, slack)


class Ball(AbstractSet):
    """Projection on a ball around 0, over all played leaves together.

    - `radius`: not negative. `norm`: `l1`, `l2` or `linf`.

    By `optax.projections`.
    """

    convex: ClassVar[bool] = True
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
        # A point is its own projection; optax's on the l1 ball looks for its largest entry.
        return _by_optax(project, self.radius, strategy) if tree_size(strategy) else strategy

    def face(
        self,
        strategy: Strategy,
        gradient: Strategy,
        near: Scalar,
        slack: Float[Array, "..."],
    ) -> Face:
        if self.norm == "linf":
            return Box(-self.radius, self.radius).face(strategy, gradient, near, slack)
        face = sphere_face if self.norm == "l2" else cross_polytope_face
        return face(ravel(strategy)[0], self.radius, ravel(gradient)[0], near, slack)


def _by_optax(project: Callable, size: Float[Array, ""], strategy: Strategy) -> Strategy:
    """One of optax's projections on the played leaves; the others are carried along."""
    played, rest = split_played(strategy)
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


class _Constrained(AbstractGameOf):
    projections: Players[Projection | None, Projection | None]

    def losses(self, players: Players, key: Key = None) -> Losses:
        return self.game.losses(players, key)

    def losses_and_field(self, players: Players, key: Key = None) -> tuple[Losses, Players]:
        return self.game.losses_and_field(players, key)

    def project(self, players: Players) -> Players:
        players = self.game.project(players)
        project_x, project_y = self.projections.x, self.projections.y
        # optax's projections mix integers with floats, which strict promotion forbids.
        with jax.numpy_dtype_promotion("standard"):
            x = players.x if project_x is None else project_x(players.x)
            y = players.y if project_y is None else project_y(players.y)
        return Players(x, y)

    def sets(self, players: Players) -> Players[Projection | None, Projection | None]:
        inner, outer = sets_of(self.game, players), self.projections
        return Players(_both(inner.x, outer.x), _both(inner.y, outer.y))

    def metrics(self, players: Players, key: Key = None) -> dict[str, Array]:
        return self.game.metrics(players, key)


def _both(inner: Projection | None, outer: Projection | None) -> Projection | None:
    """The inner projection and then the outer one, as `project` does."""
    if inner is None or outer is None:
        return inner if outer is None else outer
    return lambda strategy: outer(inner(strategy))


def constrained(
    game: AbstractGame, *, x: Projection | None = None, y: Projection | None = None
) -> AbstractGame:
    """The same game, played on sets.

    Every solver applies the projections to the new strategy at the end of every move, and
    stationarity is measured against them.

    **Arguments:**

    - `x`, `y`: maps a player's strategy to the nearest one of its set, or `None` for no set. For
      instance `Box(-0.01, 0.01)` (weight clipping), or a projection of `optax.projections`. At the
      edge of a set only an `AbstractSet` has second-order conditions.

    **Raises:** `TypeError` for what is no game, or cannot be called; `ValueError` for the set of an
    absent player.
    """
    check_game(game)
    for name, projection in (("x", x), ("y", y)):
        if projection is None:
            continue
        check_callable(name, projection)
        if name not in game.player_names:
            raise ValueError(f"constrained has no player {name} to project: the game has none.")
    return _Constrained(game, Players(x, y))
