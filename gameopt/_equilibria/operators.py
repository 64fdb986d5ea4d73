"""Second-order operators of a game on vectors: linearised once, applied many times."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, Float

from gameopt._arithmetic import divisor, length
from gameopt._checks import check_choice
from gameopt._games.base import (
    AbstractGame,
    check_absent,
    check_game,
    player_loss_and_gradient,
    replace,
)
from gameopt._games.derivatives import other
from gameopt._keys import again
from gameopt._linalg.linear_solves import solve_linear
from gameopt._trees import check_playable, playable, ravel, tree_size
from gameopt._types import Key, Player, Players, Scalar

Which = Literal[
    "jacobian", "symmetric", "antisymmetric", "hessian_x", "hessian_y", "schur_x", "schur_y"
]
WHICH: tuple[Which, ...] = get_args(Which)
SYMMETRIC: tuple[Which, ...] = ("symmetric", "hessian_x", "hessian_y", "schur_x", "schur_y")
"""Those whose eigenvalues are real, the Schur complements in zero-sum games only."""

_OWN: dict[str, tuple[Player, ...]] = {"hessian_x": ("x",), "hessian_y": ("y",)}
"""Operators on one player's entries that hold the other's fixed."""

CG_STEPS = 500
"""The most steps of a solve inside a Schur complement."""

Vector = Float[Array, " n"]
Matvec = Callable[[Vector], tuple[Vector, Scalar]]


class Operator(NamedTuple):
    r"""A linear map on the entries of both players, or of one.

    - `matvec`: $v \mapsto (Av, r)$, with the residual $r$ of what was solved inside.
    - `transpose`: the same for $A^\top$; `None` where $A$ is symmetric.
    - `like`: a vector of its size and dtype. `unravel`: from a vector to the strategies.
    """

    matvec: Matvec
    transpose: Matvec | None
    like: Vector
    unravel: Callable[[Vector], Any]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of entries of the played arrays that a vector is made of."""
        shapes = jax.eval_shape(lambda v: playable(self.unravel(v)), self.like)
        return tuple(leaf.size for leaf in jax.tree.leaves(shapes))


def check_which(game: AbstractGame, players: Players, which: Which) -> None:
    """Raise unless the game has the operator of that name at these players.

    Only the players that it acts on need have numbers: a Hessian asks its own.
    """
    check_choice("which", which, WHICH)
    check_game(game)
    check_absent(game, players)
    if which.startswith("schur") and not game.is_zero_sum:
        raise ValueError(
            f"{which} is the curvature along the opponent's best answer in zero-sum games only, "
            f"and {type(game).__name__} is not declared zero-sum (is_zero_sum)."
        )
    acts_on = _OWN.get(which, game.player_names)
    if not set(acts_on) <= set(game.player_names):
        raise ValueError(f"{which} is of the second player, and {type(game).__name__} has one.")
    check_playable(players, acts_on)


def operator(game: AbstractGame, players: Players, key: Key, which: Which) -> Operator:
    """The operator of that name at a point. To be traced: it holds what the linearisation needs.

    A product costs one forward pass over the linearised gradient, `symmetric` and `antisymmetric`
    a backward pass too, a Schur complement three products and a solve by conjugate gradients.
    """
    if which in ("hessian_x", "hessian_y"):
        return own_hessian_operator(game, players, key, "x" if which == "hessian_x" else "y")
    if which in ("schur_x", "schur_y"):
        return schur_operator(game, players, key, "x" if which == "schur_x" else "y")
    vector, unravel = ravel(players)
    function = _field_of(game, unravel, key)
    _, forward = jax.linearize(function, vector)
    if which == "jacobian":
        return Operator(_exact(forward), _backward(function, vector), vector, unravel)
    sign = 1.0 if which == "symmetric" else -1.0
    _, pull = jax.vjp(function, vector)
    half = lambda v: 0.5 * (forward(v) + sign * pull(v)[0])
    # Minus itself is as good as its own transpose: the eigenvectors are the same.
    return Operator(_exact(half), None, vector, unravel)


def _field_of(game: AbstractGame, unravel: Callable[[Vector], Any], key: Key):
    """The field, from vectors to vectors."""
    return lambda v: ravel(game.losses_and_field(unravel(v), again(key))[1])[0]


def _exact(matvec: Callable[[Vector], Vector]) -> Matvec:
    def product(vector):
        out = matvec(vector)
        return out, jnp.zeros((), out.dtype)

    return product


def _backward(function: Callable[[Vector], Vector], vector: Vector) -> Matvec:
    _, pull = jax.vjp(function, vector)
    return _exact(lambda v: pull(v)[0])


def round_operator(
    game: AbstractGame,
    players: Players,
    key: Key,
    rates: Players[Scalar, Scalar],
    alternating: bool,
) -> Operator:
    r"""The Jacobian of a round of gradient play, simultaneous or alternating.

    That of alternating play is x first; the eigenvalues are those of y first, as those of $AB$ are
    those of $BA$.
    """
    vector, unravel = ravel(players)

    def moved(players, player, seen):
        own, put_back = ravel(getattr(players, player))
        _, gradient = player_loss_and_gradient(game, seen, player, again(key))
        step = getattr(rates, player).astype(own.dtype)
        return replace(players, player, put_back(own - step * ravel(gradient)[0]))

    def play(v):
        before = unravel(v)
        after = moved(before, "x", before)
        return ravel(moved(after, "y", after if alternating else before))[0]

    _, forward = jax.linearize(play, vector)
    return Operator(_exact(forward), _backward(play, vector), vector, unravel)


def own_hessian_operator(
    game: AbstractGame, players: Players, key: Key, player: Player
) -> Operator:
    """$H_{xx}$ or $H_{yy}$."""
    own, unravel = ravel(getattr(players, player))

    def gradient(v):
        joint = replace(players, player, unravel(v))
        return ravel(player_loss_and_gradient(game, joint, player, again(key))[1])[0]

    _, forward = jax.linearize(gradient, own)
    return Operator(_exact(forward), None, own, unravel)


def schur_operator(
    game: AbstractGame, players: Players, key: Key, player: Player, max_steps: int | None = None
) -> Operator:
    r"""$J_{xx} - J_{xy} J_{yy}^{-1} J_{yx}$, or with the players exchanged.

    The opponent's own Hessian must be positive definite: it is solved with by conjugate gradients,
    of at most `max_steps`.
    Of a value it is $V_{xx} - V_{xy} V_{yy}^{-1} V_{yx}$, the curvature along the best answer.
    """
    vector, unravel = ravel(players)
    own, unravel_own = ravel(getattr(players, player))
    size_x = ravel(players.x)[0].size
    split = lambda v: (v[:size_x], v[size_x:]) if player == "x" else (v[size_x:], v[:size_x])
    join = lambda a, b: jnp.concatenate([a, b] if player == "x" else [b, a])
    _, forward = jax.linearize(_field_of(game, unravel, key), vector)
    inner = own_hessian_operator(game, players, key, other(player))
    double = vector.dtype == jnp.float64
    # Not zero, so that a right-hand side of zero is solved at once.
    solver = lx.CG(1e-12 if double else 1e-6, 1e-30, max_steps=max_steps or CG_STEPS)
    nothing = jnp.zeros_like(inner.like, vector.dtype)
    # Conjugate gradients take curvatures far below 1 for 0.
    one = jnp.ones_like(nothing)
    unit = divisor(length(inner.matvec(one)[0]) / length(one))

    def product(v):
        _, right = split(forward(join(v.astype(vector.dtype), nothing)))
        answer = solve_linear(
            lambda w: inner.matvec(w)[0] / unit, right, positive_definite=True, linear_solver=solver
        ).value
        answer = answer / unit
        # What is left in the opponent's rows is the residual of the solve.
        out, residual = split(forward(join(v.astype(vector.dtype), -answer)))
        return out.astype(v.dtype), length(residual).astype(v.dtype)

    return Operator(product, None, own, unravel_own)


def played_sizes(players: Players) -> tuple[int, int]:
    """Numbers of played entries of each player; 0 for an absent one."""
    return tree_size(players.x), tree_size(players.y)
