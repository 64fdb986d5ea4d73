"""A game on the faces of its sets that a point is on."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from gameopt._arithmetic import divisor, length
from gameopt._games.base import AbstractGame, AbstractGameOf, replace, sets_of
from gameopt._games.faces import Face
from gameopt._trees import ravel
from gameopt._types import Key, Losses, Players, Scalar


class OnFaces(AbstractGameOf):
    r"""The Lagrangian game along the tangent spaces of faces.

    Each strategy is moved back to the face through its point. A curved face adds $\mu/2$ times the
    square of the distance from the point, and takes off the opponent's, so that zero-sum games stay
    such. Derivatives at the point are those on the faces, and 0 across them.
    """

    point: Players
    faces: Players

    def losses(self, players: Players, key: Key = None) -> Losses:
        moved, bends = players, []
        for name in self.player_names:
            here, unravel = ravel(getattr(self.point, name))
            face: Face = getattr(self.faces, name)
            away = face.project(ravel(getattr(players, name))[0] - here)
            moved = replace(moved, name, unravel(here + away))
            bends.append(0.5 * face.curvature * jnp.sum(away**2))
        losses = self.game.losses(moved, key)
        if len(bends) == 1:
            return Players(losses.x + bends[0], None)
        return Players(losses.x + bends[0] - bends[1], losses.y + bends[1] - bends[0])


def has_sets(game: AbstractGame, players: Players) -> bool:
    """True if a player is kept in a set."""
    sets = sets_of(game, players)
    return sets.x is not None or sets.y is not None


def along(faces: Players, size_x: int, vector: Float[Array, " n"]) -> Float[Array, " n"]:
    """The part of a vector of both players' entries along the faces."""
    if faces.y is None:
        return faces.x.project(vector)
    return jnp.concatenate([faces.x.project(vector[:size_x]), faces.y.project(vector[size_x:])])


def curvatures(faces: Players, size_x: int, like: Float[Array, " n"]) -> Float[Array, " n"]:
    """The curvature of the face of each entry's player."""
    is_x = jnp.arange(like.size) < size_x
    of_y = faces.x.curvature if faces.y is None else faces.y.curvature
    return jnp.where(is_x, faces.x.curvature, of_y).astype(like.dtype)


def dimension(face: Face) -> Int[Array, ""]:
    """The number of independent directions of a face."""
    lengths = jnp.sum(face.normals**2, axis=1)
    return jnp.round(jnp.sum(face.free) - jnp.sum(lengths)).astype(jnp.int32)


def present(faces: Players) -> list[Face]:
    """The faces of the players that there are."""
    return [face for face in (faces.x, faces.y) if face is not None]


def is_curved(faces: Players) -> Bool[Array, ""]:
    """True where a projection on one of the faces is no linear map."""
    return jnp.any(jnp.stack([face.curvature for face in present(faces)]) > 0)


def is_known(faces: Players) -> Bool[Array, ""]:
    """True where the sets are understood."""
    return jnp.all(jnp.stack([face.is_known for face in present(faces)]))


def turn(faces: Players, players: Players) -> Scalar:
    """The angle by which tangent space and normal of a sphere turn over a small distance, per
    length; 0 on flat faces."""
    names = [name for name in ("x", "y") if getattr(faces, name) is not None]
    radii = divisor(jnp.stack([length(ravel(getattr(players, name))[0]) for name in names]))
    curved = jnp.stack([getattr(faces, name).curvature > 0 for name in names])
    return jnp.max(jnp.where(curved, 1 / radii, 0))


def is_clear(faces: Players) -> Bool[Array, ""]:
    """True where the game next to the point is a game on the faces."""
    return jnp.all(jnp.stack([face.is_known & face.is_clear for face in present(faces)]))


def is_whole(faces: Players) -> Bool[Array, ""]:
    """True where no constraint is active."""
    return jnp.all(jnp.stack([face.is_known & face.is_whole for face in present(faces)]))


def rounding(faces: Players, vector: Float[Array, " n"]) -> Scalar:
    """The rounding of a projection of a vector on the faces; 0 on whole spaces."""
    size = 8 * float(jnp.finfo(vector.dtype).eps) * length(vector)
    return jnp.where(is_whole(faces), 0, size).astype(vector.dtype)


def offset(faces: Players) -> Float[Array, " n"]:
    """The way from the point to the faces of both players together."""
    return jnp.concatenate([face.offset for face in present(faces)])


def gap(faces: Players, point: Float[Array, " n"]) -> Scalar:
    """The distance to the faces and as much again, with its rounding.

    What the Jacobian changes on the way to the face moves a critical point there by no more than
    the way, as a contraction on the face halves errors.
    """
    return 2 * length(offset(faces)) + rounding(faces, point)
