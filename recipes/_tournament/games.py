"""The games of the tournament, each with random starts and the points where play could end."""

import abc
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go


class Measure(eqx.Module):
    """A number of a joint strategy, drawn over a play."""

    @abc.abstractmethod
    def __call__(self, players: go.Players) -> jax.Array: ...


class Stationarity(Measure):
    """The norm of a game's field: 0 at stationary points."""

    game: go.AbstractGame

    def __call__(self, players: go.Players) -> jax.Array:
        return go.stationarity(self.game, players)


class Contest(NamedTuple):
    """A game to be played from several starts, as arrays and modules alone.

    - `game`: as it is played. `measure`: what the curves show, of a joint strategy.
    - `starts`: joint strategies with a first axis. `keys`: one for each start, or `None`.
    - `reach`: a joint strategy of a larger norm has diverged.
    """

    game: go.AbstractGame
    measure: Measure
    starts: go.Players
    keys: Any
    reach: jax.Array


class ZeroSumOneOf(go.ZeroSumGame):
    """The game that `chosen` is 1 for and 0 for the others: many games, one compiled program.

    A weighted sum, and no branch, because compilers and derivatives make much of a branch.
    """

    games: tuple[go.AbstractGame, ...]
    chosen: jax.Array

    def value(self, players: go.Players, key: Any = None) -> jax.Array:
        return self.chosen @ jnp.stack([game.losses(players, key).x for game in self.games])


class OneOf(go.AbstractGame):
    """A general-sum `ZeroSumOneOf`."""

    games: tuple[go.AbstractGame, ...]
    chosen: jax.Array

    def losses(self, players: go.Players, key: Any = None) -> go.Players:
        losses = [game.losses(players, key) for game in self.games]
        of = lambda values: self.chosen @ jnp.stack(list(values))
        return go.Players(of(loss.x for loss in losses), of(loss.y for loss in losses))


def _normal(game: go.AbstractGame, scale: float = 1.0):
    """Normal starts of the shapes of the game's equilibrium, around 0."""

    def make(key: jax.Array, count: int) -> go.Players:
        key_x, key_y = jax.random.split(key)
        like = points_of(game)[0].players
        draw = lambda key, leaf: scale * jax.random.normal(key, (count, *leaf.shape))
        return go.Players(draw(key_x, like.x), draw(key_y, like.y))

    return make


def _box(half_width: float):
    """Uniform starts on a square around 0."""

    def make(key: jax.Array, count: int) -> go.Players:
        low, high = -half_width, half_width
        xs, ys = jax.random.uniform(key, (2, count), minval=low, maxval=high)
        return go.Players(xs, ys)

    return make


def _simplices(key: jax.Array, count: int) -> go.Players:
    """Uniform starts on two simplices of three actions."""
    ps, qs = jax.random.dirichlet(key, jnp.ones(3), (2, count))
    return go.Players(ps, qs)


def _conditioned(rng: np.random.Generator, low: float, high: float, n: int = 10) -> np.ndarray:
    """A random matrix with singular values from `low` to `high`."""
    left, right = (np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(2))
    return left @ np.diag(np.geomspace(low, high, n)) @ right


def _bilinear_10() -> go.AbstractGame:
    """A quadratic without curvature, so that it is one program with the next."""
    zero = np.zeros((10, 10))
    return go.ZeroSumQuadratic(zero, _conditioned(np.random.default_rng(0), 0.3, 1.0), zero)


def _rotating_quadratic() -> go.AbstractGame:
    """Curvatures from 0.1 to 1 under a rotation of 3."""
    rng = np.random.default_rng(1)
    curvature = lambda: (lambda q: q @ np.diag(np.geomspace(0.1, 1.0, 10)) @ q.T)(
        np.linalg.qr(rng.normal(size=(10, 10)))[0]
    )
    return go.ZeroSumQuadratic(curvature(), _conditioned(rng, 1.0, 3.0), -curvature())


def _stochastic_bilinear() -> go.AbstractGame:
    """20 terms that disagree, two at a time: noise in the matrices and in the offsets."""
    rng = np.random.default_rng(2)
    matrices = _conditioned(rng, 0.7, 1.0, 3) + 0.3 * rng.normal(size=(20, 3, 3))
    offsets = 0.3 * rng.normal(size=(2, 20, 3))
    return go.StochasticBilinear(
        matrices=matrices, offsets_x=offsets[0], offsets_y=offsets[1], batch_size=2
    )


class Entry(NamedTuple):
    """A game of the tournament: its factory, its starts, and its point in a few words.

    A game with noise takes longer to tell: `patience` multiplies its budget. A play has diverged
    `reach` times as far out as the farthest start or point.
    """

    make: Callable[[], go.AbstractGame]
    starts: Callable[[go.AbstractGame], Callable[[jax.Array, int], go.Players]]
    about: str
    patience: int = 1
    reach: float = 3.0


def _toy(name: str, half_width: float, about: str, reach: float = 3.0) -> Entry:
    return Entry(go.TOY_GAMES[name], lambda game: _box(half_width), about, reach=reach)


AFFINE = 100.0
"""The reach of games with an affine field, from which all comes back that converges at all."""


GAMES: dict[str, Entry] = {
    "bilinear": Entry(lambda: go.Bilinear(1.0), _normal, "xy: pure rotation", reach=AFFINE),
    "bilinear_10": Entry(_bilinear_10, _normal, "10 + 10 variables, condition 3.3", reach=AFFINE),
    "quadratic": Entry(
        _rotating_quadratic, _normal, "strongly monotone, rotation over curvature", reach=AFFINE
    ),
    "dirac_gan": Entry(go.DIRAC_GAN_VARIANTS["gan"], _normal, "minimax GAN on one point"),
    "dirac_gan_r1": Entry(go.DIRAC_GAN_VARIANTS["r1"], _normal, "the same with the R1 penalty"),
    "balduzzi_stable": _toy("balduzzi_stable", 1.0, "general-sum, rotation over curvature", AFFINE),
    "balduzzi_unstable": _toy(
        "balduzzi_unstable", 1.0, "general-sum: its point is no Nash", AFFINE
    ),
    "forsaken": _toy("forsaken", 1.5, "attracting limit cycle"),
    "adolphs": _toy("adolphs", 3.0, "a spurious attractor beside a Nash equilibrium"),
    "mazumdar_fiez": _toy("mazumdar_fiez", 4.0, "a local minimax beside Nash equilibria"),
    "wang_g1": _toy("wang_g1", 1.0, "a local minimax that repels gradient play", AFFINE),
    "rock_paper_scissors": Entry(
        go.rock_paper_scissors, lambda game: _simplices, "zero-sum on simplices"
    ),
    "stochastic_bilinear": Entry(
        _stochastic_bilinear, _normal, "minibatches of a finite sum; 4 budgets", 4, AFFINE
    ),
}
"""Every game that can be chosen."""

ALL_GAMES = tuple(name for name in GAMES if name != "dirac_gan_r1")
"""Games of `--games all`; excludes those that need their own compilation."""

DEFAULT_GAMES = ("bilinear", "dirac_gan", "forsaken", "adolphs", "mazumdar_fiez", "wang_g1")
"""Zero-sum games on the plane: one program for each solver plays them all."""


def points_of(game: go.AbstractGame) -> tuple[go.CriticalPoint, ...]:
    """The published points, or else the equilibria."""
    nash = (go.CriticalPoint(point, True, None, False) for point in game.equilibria())
    return game.critical_points() or tuple(nash)


SHARING = {
    "bilinear": ZeroSumOneOf,
    "dirac_gan": ZeroSumOneOf,
    "forsaken": ZeroSumOneOf,
    "adolphs": ZeroSumOneOf,
    "mazumdar_fiez": ZeroSumOneOf,
    "wang_g1": ZeroSumOneOf,
    "balduzzi_stable": OneOf,
    "balduzzi_unstable": OneOf,
}
"""Games on the plane and in which program they are: compiling is what a tournament waits for."""


def shared(name: str, chosen: Sequence[str]) -> go.AbstractGame:
    """The game `name`, within the one program of all games that were chosen and can share it."""
    kind = SHARING.get(name)
    together = [other for other in GAMES if other in chosen and SHARING.get(other) is kind]
    if kind is None or len(together) == 1:
        return GAMES[name].make()
    games = tuple(GAMES[other].make() for other in together)
    return kind(games, jnp.asarray([float(other == name) for other in together]))


def make_contest(name: str, chosen: Sequence[str], key: jax.Array, count: int) -> Contest:
    """The game `name` of those that were chosen, with `count` starts."""
    entry = GAMES[name]
    plain, game = entry.make(), shared(name, chosen)
    key_starts, key_play = jax.random.split(key)
    starts = entry.starts(plain)(key_starts, count)
    sizes = [np.linalg.norm(flat(point.players, 0)) for point in points_of(plain)]
    sizes.append(np.linalg.norm(flat(starts), axis=1).max())
    reach = jnp.asarray(entry.reach * max(1.0, *sizes))
    if not isinstance(game, go.AbstractFiniteSumGame):
        return Contest(game, Stationarity(game), starts, None, reach)
    keys = jax.random.split(key_play, count)
    return Contest(game, Stationarity(_mean_of(game)), starts, keys, reach)


def _mean_of(game: Any) -> go.AbstractGame:
    """The whole sum as one bilinear game, which is cheaper than a mean over its terms."""
    means = (jnp.mean(a, axis=0) for a in (game.matrices, game.offsets_x, game.offsets_y))
    return go.Bilinear(*means)


def flat(players: go.Players, batch_axes: int = 1) -> np.ndarray:
    """The played entries in one last axis, after so many axes of a batch."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(go.playable(players))]
    return np.concatenate([a.reshape(*a.shape[:batch_axes], -1) for a in leaves], axis=-1)
