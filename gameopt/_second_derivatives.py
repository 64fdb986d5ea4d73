"""Gradients and products with second derivatives of *one* player's loss.

The blocks of the game's Jacobian, and those that are in no Jacobian ($\\nabla_y L_x$ and its kin),
which opponent-aware solvers need. Nothing here builds a matrix.
"""

from typing import Literal

import equinox as eqx
import jax

from gameopt._games.base import AbstractGame, check_game, replace
from gameopt._keys import again
from gameopt._trees import check_numbers, playable
from gameopt._types import Key, Players, Strategy

Player = Literal["x", "y"]


def other(player: Player) -> Player:
    """The opponent."""
    return "y" if player == "x" else "x"


def loss_gradient(
    game: AbstractGame, players: Players, loss: Player, by: Player, key: Key = None
) -> Strategy:
    r"""$\nabla_{by} L_{loss}$: any player's loss by any player's strategy.

    **Returns:** the structure of that strategy, `None` in place of leaves that are not played.
    """
    check_game(game)
    check_numbers(players)
    played, rest = eqx.partition(getattr(players, by), eqx.is_inexact_array)

    def value(strategy):
        joint = replace(players, by, eqx.combine(strategy, rest))
        return getattr(game.losses(joint, again(key)), loss)

    return jax.grad(value)(played)


def hessian_product(
    game: AbstractGame,
    players: Players,
    loss: Player,
    rows: Player,
    columns: Player,
    vector: Strategy,
    key: Key = None,
) -> Strategy:
    r"""$\nabla^2_{rows, columns} L_{loss}\, v$, by one forward pass over one gradient.

    The transpose of a block is the block with rows and columns exchanged.

    **Arguments:**

    - `vector`: $v$, the structure of the strategy of `columns`.

    **Returns:** the structure of the strategy of `rows`.
    """
    check_game(game)
    check_numbers(players)
    played, rest = eqx.partition(getattr(players, columns), eqx.is_inexact_array)

    def gradient(strategy):
        joint = replace(players, columns, eqx.combine(strategy, rest))
        return loss_gradient(game, joint, loss, rows, key)

    return jax.jvp(gradient, (played,), (playable(vector),))[1]
