"""Faces of the sets of a game, on which second-order conditions are asked."""

from jaxtyping import Array, Float

from gameopt._games.active_sets import Face as Face
from gameopt._games.base import AbstractGame
from gameopt._types import Players, Projection, Scalar, Strategy


def face_of(
    projection: Projection | None,
    strategy: Strategy,
    gradient: Strategy,
    near: Scalar,
    slack: Float[Array, "..."],
) -> Face:
    """The face of one player's set at a point; the whole space if there is no set."""
    raise NotImplementedError


def faces(
    game: AbstractGame,
    players: Players,
    gradient: Players,
    near: Scalar,
    slack: Float[Array, "..."],
) -> Players:
    """The face of each player's set, a pair of `Face`; `None` for an absent player."""
    raise NotImplementedError
