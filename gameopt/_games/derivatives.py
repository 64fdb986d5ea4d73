"""First and second derivatives of a game: field, Jacobian, stationarity, Hessian blocks."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._games.base import AbstractGame, check_game, player_loss_and_gradient, replace
from gameopt._keys import again
from gameopt._trees import check_numbers, playable, ravel, split_played, tree_norm, tree_subtract
from gameopt._types import Key, Player, Players, Scalar, Strategy


def field(game: AbstractGame, players: Players, key: Key = None) -> Players:
    r"""$\xi(z) = (\nabla_x L_x, \nabla_y L_y)$: a vector field, in general no gradient of anything.

    **Returns:** the structure of `players`, with `None` in place of leaves that are not played.

    **Raises:** `ValueError` for a player with nothing to play, here and in all functions of fields
    and derivatives.
    """
    return losses_and_field(game, players, key)[1]


def losses_and_field(
    game: AbstractGame, players: Players, key: Key = None
) -> tuple[Players[Scalar, Scalar], Players]:
    """Both losses and the field of the same sample; a zero-sum game pays one backward pass."""
    check_game(game)
    check_numbers(players)
    return game.losses_and_field(players, again(key))


def _field_of_played(game: AbstractGame, players: Players, key: Key):
    played, rest = split_played(players)
    return (lambda p: game.losses_and_field(eqx.combine(p, rest), again(key))[1]), played


def jvp(game: AbstractGame, players: Players, tangents: Players, key: Key = None) -> Players:
    """$J v$ with $J = D\\xi(z)$, without building $J$.

    **Arguments:**

    - `tangents`: $v$, the structure of `players`; leaves that are not played are ignored.
    """
    check_game(game)
    check_numbers(players)
    return jvp_of_played(game, players, tangents, key)


def jvp_of_played(
    game: AbstractGame, players: Players, tangents: Players, key: Key = None
) -> Players:
    """`jvp`, also where a frozen player has nothing to play."""
    function, played = _field_of_played(game, players, key)
    return jax.jvp(function, (played,), (playable(tangents),))[1]


def vjp(game: AbstractGame, players: Players, cotangents: Players, key: Key = None) -> Players:
    """$J^\\top w$ with $J = D\\xi(z)$, without building $J$. The arguments are those of `jvp`."""
    check_game(game)
    check_numbers(players)
    return vjp_of_played(game, players, cotangents, key)


def vjp_of_played(
    game: AbstractGame, players: Players, cotangents: Players, key: Key = None
) -> Players:
    """`vjp`, also where a frozen player has nothing to play."""
    function, played = _field_of_played(game, players, key)
    return jax.vjp(function, played)[1](playable(cotangents))[0]


def jacobian(game: AbstractGame, players: Players, key: Key = None) -> Float[Array, "n n"]:
    """$J = D\\xi(z)$ as a matrix, for small games: rows and columns are x's entries, then y's.

    **Returns:** shape `(n, n)`, `n` the number of played entries, leaf by leaf in tree order.
    """
    check_game(game)
    check_numbers(players)
    vector, unravel = ravel(players)
    return jax.jacfwd(lambda v: ravel(field(game, unravel(v), key))[0])(vector)


def _own_hessian(game: AbstractGame, players: Players, player: Player, key: Key):
    check_game(game)
    check_numbers(players)
    vector, unravel = ravel(getattr(players, player))

    def gradient(v):
        joint = replace(players, player, unravel(v))
        return ravel(player_loss_and_gradient(game, joint, player, again(key))[1])[0]

    return jax.jacfwd(gradient)(vector)


def hessian_x(game: AbstractGame, players: Players, key: Key = None) -> Float[Array, "n n"]:
    """$H_{xx} = \\nabla^2_{xx} L_x$, the first player's own Hessian, for small games."""
    return _own_hessian(game, players, "x", key)


def hessian_y(game: AbstractGame, players: Players, key: Key = None) -> Float[Array, "n n"]:
    """$H_{yy} = \\nabla^2_{yy} L_y$, the second player's own Hessian, for small games."""
    return _own_hessian(game, players, "y", key)


def stationarity(game: AbstractGame, players: Players, key: Key = None) -> Scalar:
    r"""$\|z - \mathrm{project}(z - \xi(z))\|$: the norm of the field, where the game has no sets.

    Zero exactly at the points that no player can leave to first order without leaving its set.
    """
    check_game(game)
    check_numbers(players)
    return stationarity_of_played(game, players, key)


def stationarity_of_played(game: AbstractGame, players: Players, key: Key = None) -> Scalar:
    """`stationarity`, also where a frozen player has nothing to play."""
    gradient = game.losses_and_field(players, again(key))[1]
    step = eqx.apply_updates(players, jax.tree.map(jnp.negative, gradient))
    return tree_norm(tree_subtract(players, game.project(step)))


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
    played, rest = split_played(getattr(players, by))

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
    played, rest = split_played(getattr(players, columns))

    def gradient(strategy):
        joint = replace(players, columns, eqx.combine(strategy, rest))
        return loss_gradient(game, joint, loss, rows, key)

    return jax.jvp(gradient, (played,), (playable(vector),))[1]
