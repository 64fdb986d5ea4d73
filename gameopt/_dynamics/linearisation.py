"""Linearisations of one round of a solver, strategies and state together."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gameopt._games.base import AbstractGame
from gameopt._keys import again
from gameopt._linalg.krylov import ROUNDING, KrylovSpace, krylov_space
from gameopt._solvers.base import AbstractSolver
from gameopt._trees import playable, ravel, strong, tree_norm, tree_subtract
from gameopt._types import Key, Players, Scalar


class Point(NamedTuple):
    """A round, and where it is linearised."""

    game: AbstractGame
    solver: AbstractSolver
    players: Players
    state: Any
    key: Key


def groups_of(players: Players, state: Any) -> np.ndarray:
    """The unit of each entry of the vector of strategies and state: one a leaf of the state.

    Strategies have one unit, since their entries may be mixed by a turn.
    """
    own = sum(leaf.size for leaf in jax.tree.leaves(playable(players)))
    sizes = [own, *(leaf.size for leaf in jax.tree.leaves(playable(state)))]
    return np.repeat(np.arange(len(sizes)), sizes)


def coarsest_eps(tree: Any) -> float:
    """Machine epsilon of the coarsest dtype among the played leaves."""
    leaves = jax.tree.leaves(playable(tree))
    return max((float(jnp.finfo(leaf.dtype).eps) for leaf in leaves), default=0.0)


def rounding_of(matrix: np.ndarray, eps: float) -> float:
    """The spectral norm of what rounding may have done to the entries of a matrix."""
    if not np.isfinite(matrix).all():
        return np.inf
    return ROUNDING * eps * float(np.linalg.norm(matrix, 2))


def on_this_side(array: Array) -> np.ndarray:
    """The array on the host, in float64, so that arithmetic there adds no rounding to its own."""
    return np.asarray(jax.device_get(array), np.float64)


strongly = eqx.filter_jit(strong)
"""The tree without weak types, so that a second call compiles nothing new."""


def two_rounds(game: AbstractGame, solver: AbstractSolver, players: Players, key: Key) -> Any:
    """The state after two rounds that begin at the same point."""
    state = solver.init(game, players, key)
    for _ in range(2):
        _, state, _ = solver.step(game, players, state, again(key))
    return state


remembered = eqx.filter_jit(two_rounds)
"""`two_rounds`, compiled."""


def a_thousand_rounds_on(point: Point) -> Point:
    """The same point, with the counters in the state advanced."""
    return point._replace(state=_advanced(point.state, 1000))


@eqx.filter_jit
def _advanced(state: Any, rounds: int) -> Any:
    is_counter = lambda leaf: eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.integer)
    later = lambda leaf: leaf + jnp.asarray(rounds, leaf.dtype) if is_counter(leaf) else leaf
    return jax.tree.map(later, state)


def round_map(game, solver, players, state, key):
    """$F$ on vectors, and the vector of the given point."""
    vector, unravel = ravel((players, state))

    def play(v):
        players, state = unravel(v)
        players, state, _ = solver.step(game, players, state, again(key))
        return ravel((players, state))[0]

    return play, vector


@eqx.filter_jit
def displacement(game, solver, players, state, key) -> Scalar:
    """The distance that one round moves the players."""
    moved, _, _ = solver.step(game, players, state, again(key))
    return tree_norm(tree_subtract(moved, players))


@eqx.filter_jit
def round_jacobian(game, solver, players, state, key) -> Float[Array, "n n"]:
    """$DF$ at a point."""
    play, vector = round_map(game, solver, players, state, key)
    return jax.jacfwd(play)(vector)


@eqx.filter_jit
def round_jvp(tangent, point: Point) -> Float[Array, " n"]:
    """$DF$ times a vector."""
    play, vector = round_map(*point)
    return jax.jvp(play, (vector,), (tangent,))[1]


@eqx.filter_jit
def _space(start, num_matvecs: int, point: Point, transposed: bool) -> KrylovSpace:
    play, vector = round_map(*point)
    forwards = lambda v: jax.jvp(play, (vector,), (v,))[1]
    backwards = lambda v: jax.vjp(play, vector)[1](v)[0]
    zero = jnp.zeros((), start.dtype)
    product = backwards if transposed else forwards
    return krylov_space(lambda v: (product(v), zero), start, num_matvecs)


def spaces(
    start: Float[Array, " n"], num_matvecs: int, point: Point
) -> tuple[KrylovSpace, KrylovSpace | None]:
    """Krylov spaces of the round's linearisation and of its transpose.

    The latter is `None` where the round has no reverse mode, as with loops of unknown length.
    """
    right = _space(start, num_matvecs, point, False)
    try:
        return right, _space(start, num_matvecs, point, True)
    except ValueError as error:
        if "Reverse-mode" not in str(error):
            raise
        return right, None


@eqx.filter_jit
def many_jacobians(game, make, parameters, players, key) -> Float[Array, "batch n n"]:
    """$DF$ at one point, of solvers made of each of the `parameters`."""

    def one(*values):
        solver = make(*values)
        state = two_rounds(game, solver, players, key)
        steady_players, steady_state = strong((players, state))
        play, vector = round_map(game, solver, steady_players, steady_state, key)
        return jax.jacfwd(play)(vector)

    return jax.vmap(one)(*parameters)
