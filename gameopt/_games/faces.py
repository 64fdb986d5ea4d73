"""Faces of the sets of a game, on which second-order conditions are asked."""

from jaxtyping import Array, Float

from gameopt._games.active_sets import Face as Face, probed_face, whole_space
from gameopt._games.base import AbstractGame, sets_of
from gameopt._games.sets import AbstractSet
from gameopt._trees import ravel
from gameopt._types import Player, Players, Projection, Scalar, Strategy


def face_of(
    projection: Projection | None,
    strategy: Strategy,
    gradient: Strategy,
    near: Scalar,
    slack: Float[Array, "..."],
) -> Face:
    """The face of one player's set at a point; the whole space if there is no set.

    **Arguments:**

    - `gradient`: of the player's own loss at the point.
    - `near`: bounds within this distance may be active at the critical point nearby.
    - `slack`: error of the gradient there, which a multiplier has to exceed to be positive: a bound
      on its norm, shape `()`, or on each entry, shape `(n,)`. Only where it is 0 is a multiplier
      known to be 0, and curvature against a weakly active constraint a refutation.

    **Raises:** `ValueError` for a set that states that it is not convex.
    """
    if projection is None:
        return whole_space(ravel(strategy)[0])
    if getattr(projection, "convex", None) is False:
        raise ValueError(
            f"second-order conditions here are for convex sets, and {type(projection).__name__} "
            "states convex = False. Parametrise the set instead, so that there is none: an angle "
            "for a circle."
        )
    if isinstance(projection, AbstractSet):
        return projection.face(strategy, gradient, near, slack)
    return probed_face(projection, strategy, near)


def faces(
    game: AbstractGame,
    players: Players,
    gradient: Players,
    near: Players | Scalar,
    slack: Players | Float[Array, "..."],
) -> Players:
    """The face of each player's set at a point, a pair of `Face`; `None` for an absent player.

    **Arguments:** as of `face_of`; `near` and `slack` for both players, or a `Players` of them.

    **Raises:** `ValueError` for a set that states that it is not convex.
    """
    sets = sets_of(game, players)

    def of(name: Player) -> Face | None:
        if name not in game.player_names:
            return None
        own = lambda value: getattr(value, name) if isinstance(value, Players) else value
        return face_of(*map(own, (sets, players, gradient, near, slack)))

    return Players(of("x"), of("y"))
