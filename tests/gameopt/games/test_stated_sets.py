"""Sets that games state, and probes of projections of which nothing is stated."""

import jax
import jax.numpy as jnp
import optax.projections
import pytest

import gameopt as go
from gameopt._games.faces import face_of, faces
from tests.solvers import EqualTerms, point

NEAR = 1e-6


@pytest.mark.parametrize(
    "clip", [lambda x: jnp.clip(x, 0.0, 1.0), optax.projections.projection_non_negative]
)
def test_unknown_projections_are_known_in_the_interior(clip):
    """Four random pairs see any supporting hyperplane, corners and single active bounds too."""
    near = jnp.asarray(NEAR)
    seen = lambda x: face_of(clip, jnp.asarray(x), jnp.zeros(len(x)), near, jnp.asarray(0.0))
    assert bool(seen([0.5, 0.5, 0.2]).is_whole)
    for edge in ([0.0, 0.5, 0.5], [0.0, 0.0, 0.5]):
        face = seen(edge)
        assert not bool(face.is_known | face.is_whole | face.is_clear)
    many = jnp.full(10_000, 0.5).at[7].set(0.0)
    assert not bool(seen(many).is_known)


class Counting(go.ZeroSumGame):
    """A game whose `project` counts moves in what is carried, and clips x without stating it."""

    clips: bool

    def value(self, players, key=None):
        x, y = players.x["w"], players.y
        return x @ x - y @ y

    def project(self, players):
        x = players.x
        w = jnp.clip(x["w"], 0.0, 1.0) if self.clips else x["w"]
        return go.Players({"w": w, "n": go.Fixed(x["n"].value + 1)}, players.y)


@pytest.mark.parametrize(("clips", "place", "known"), [(1, 0.5, 1), (1, 0.0, 0), (0, 0.0, 1)])
def test_games_that_do_not_state_their_sets(clips, place, known):
    """Their own projection is probed; one that moves nothing that is played is no set."""
    players = go.Players({"w": jnp.full(2, place), "n": go.Fixed(jnp.zeros(()))}, jnp.ones(2))
    game = Counting(bool(clips))
    for wrapped in (game, EqualTerms(game), go.over(EqualTerms(game), "all"), go.constrained(game)):
        found = faces(
            wrapped, players, go.field(game, players), jnp.asarray(NEAR), jnp.asarray(0.0)
        )
        assert bool(found.x.is_known) == bool(known)
        assert bool(found.y.is_whole)


class Moved(go.MatrixGame):
    """A subclass with another projection than the sets of its parent."""

    def project(self, players):
        return jax.tree.map(lambda p: jnp.clip(p, 0.0, 1.0), players)


def test_sets_of_games():
    """Stated by the games that have some, passed on by wrappers, not those of a parent class."""
    mixed = point([0.5, 0.5], [0.0, 1.0])
    of = lambda game, players: faces(
        game, players, go.field(game, players), jnp.asarray(NEAR), jnp.asarray(1e-12)
    )
    pennies = go.matching_pennies()
    assert of(pennies, mixed).x.normals.shape == (1, 2)
    assert of(go.constrained(pennies, x=None), mixed).x.normals.shape == (1, 2)
    assert bool(of(go.matching_pennies("softmax"), mixed).y.is_whole)
    moved = Moved(pennies.loss_x)
    assert not bool(of(moved, mixed).y.is_known)
    assert bool(of(moved, mixed).x.is_whole)
    clipped = of(go.DiracGAN("wasserstein", clip=1.0), point(1.0, 1.0))
    assert not bool(clipped.y.is_whole)
    assert bool(clipped.x.is_whole)
    # Two sets one after the other are no set that we know.
    twice = go.constrained(pennies, y=go.Box(0.0, 1.0))
    assert not bool(of(twice, mixed).y.is_known)
    alone = go.constrained(go.one_player_game(lambda x: x @ x), x=go.Ball(1.0))
    found = of(alone, go.Players(jnp.zeros(2), None))
    assert bool(found.x.is_whole)
    assert found.y is None
