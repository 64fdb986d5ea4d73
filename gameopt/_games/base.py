"""The protocol of a game: two losses of one joint strategy; zero-sum games; critical points."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from gameopt._keys import again
from gameopt._trees import check_playable, check_players, split_played
from gameopt._types import Key, Losses, Player, Players, Projection, Scalar


class CriticalPoint(eqx.Module):
    r"""A point with $\xi = 0$, and what it is.

    - `players`: the joint strategy.
    - `nash`: whether it is a differential Nash equilibrium: $H_{xx} \succ 0$, $H_{yy} \succ 0$.
    - `minimax`: whether it is a strict local minimax of the value $V$: $V_{yy} \prec 0$ and
      $V_{xx} - V_{xy} V_{yy}^{-1} V_{yx} \succ 0$; `None` in a general-sum game.
    - `attractor`: whether the flow $\dot z = -\xi(z)$ is drawn to it: every eigenvalue of the
      Jacobian has a positive real part.

    In a zero-sum game a differential Nash equilibrium is both of the others. Nothing else follows.

    !!! cite "Source"

        Ratliff, Burden & Sastry (2016), arXiv:1411.2168 (Nash); Jin, Netrapalli & Jordan (2020),
        arXiv:1902.00618 (minimax); Mazumdar, Jordan & Sastry (2019), arXiv:1901.00838 (attractor).
    """

    players: Players
    nash: bool = eqx.field(static=True)
    minimax: bool | None = eqx.field(static=True)
    attractor: bool = eqx.field(static=True)


class AbstractGame(eqx.Module):
    """Two losses of one joint strategy. Each player minimises its own.

    A subclass writes `losses`, a pure function. The data of a game are its own array leaves, and
    `key` says which sample of them is drawn, so that the same key is the same minibatch; a
    deterministic game ignores the key.

    An optimisation problem is a game whose second player is absent (`one_player_game`): its
    strategy is `None`, and so are its loss and its gradient, here and in everything that reports
    them.
    """

    @abc.abstractmethod
    def losses(self, players: Players, key: Key = None) -> Losses:
        """The two losses, each of shape `()`; `None` for an absent player."""

    def losses_and_field(self, players: Players, key: Key = None) -> tuple[Losses, Players]:
        """The losses, and each player's gradient of its own loss, both of the same sample."""
        if self.player_names == ("x",):
            losses, gradient = losses_and_own_gradient(self, players, "x", key)
            return losses, Players(gradient, None)
        loss_x, grad_x = player_loss_and_gradient(self, players, "x", key)
        loss_y, grad_y = player_loss_and_gradient(self, players, "y", again(key))
        return Players(loss_x, loss_y), Players(grad_x, grad_y)

    def project(self, players: Players) -> Players:
        """The nearest joint strategy of the game's sets: the identity unless there are sets."""
        return players

    def sets(self, players: Players) -> Players[Projection | None, Projection | None]:
        """Each player's set, by its projection, or `None` for the whole space.

        A game that writes its own `project` states here what it projects on (`Box`, `Simplex`,
        `Ball`); otherwise nothing but the projection is known, and there are no second-order
        conditions at the edge. The set of one player may depend on the other's strategy.
        """
        if type(self).project is AbstractGame.project:
            return Players(None, None)
        return _sections(self, players)

    @property
    def player_names(self) -> tuple[Player, ...]:
        """The players that there are: `("x", "y")`, or `("x",)` where y is absent."""
        return ("x", "y")

    def metrics(self, players: Players, key: Key = None) -> dict[str, Array]:
        """Named numbers to record beside the losses; called only when something is recorded."""
        del players, key
        return {}

    def best_answer_gains(self, players: Players) -> Losses | None:
        """Each player's gain by its best answer to the other; `None` if not in closed form.

        Never below zero in the game's sets, and infinite where the own loss is unbounded.
        """
        del players
        return None

    def equilibria(self) -> tuple[Players, ...]:
        """The known equilibria, for toy games; empty where none is known in closed form."""
        return ()

    @property
    def is_zero_sum(self) -> bool:
        """True if $L_x = -L_y$ everywhere; a solver may then use the symmetry of one Hessian."""
        return False

    def critical_points(self) -> tuple[CriticalPoint, ...]:
        """The known critical points with their verdicts, for toy games; empty where none is known.

        They are those of the game without sets.
        """
        return ()


class AbstractGameOf(AbstractGame):
    """A game that is made of another one, with its players, and zero-sum if that is."""

    game: AbstractGame

    @property
    def is_zero_sum(self) -> bool:
        return self.game.is_zero_sum

    @property
    def player_names(self) -> tuple[Player, ...]:
        return self.game.player_names


class ZeroSumGame(AbstractGame):
    """A game written by its one value $V$, which x minimises and y maximises.

    $L_x = V$ and $L_y = -V$, so that the field costs one forward and one backward pass.
    """

    @abc.abstractmethod
    def value(self, players: Players, key: Key = None) -> Scalar:
        """The value, of shape `()`."""

    @property
    def is_zero_sum(self) -> bool:
        return True

    def losses(self, players: Players, key: Key = None) -> Losses:
        value = self.value(players, key)
        return Players(value, -value)

    def losses_and_field(self, players: Players, key: Key = None) -> tuple[Losses, Players]:
        return zero_sum_losses_and_field(lambda p: self.value(p, key), players)


def zero_sum_losses_and_field(
    value: Callable[[Players], Scalar], players: Players
) -> tuple[Losses, Players]:
    """Losses $(V, -V)$ and field $(\\nabla_x V, -\\nabla_y V)$ by one backward pass."""
    v, gradient = value_and_gradient(value, players, "the value")
    negated = jax.tree.map(jnp.negative, gradient.y)
    return Players(v, -v), Players(gradient.x, negated)


def value_and_gradient(
    function: Callable[[Any], Scalar], strategy: Any, name: str
) -> tuple[Scalar, Any]:
    """A function's value, shape `()`, and its gradient by the played leaves of its argument."""
    played, rest = split_played(strategy)
    checked = lambda played: _checked(function(eqx.combine(played, rest)), name)
    return eqx.filter_value_and_grad(checked)(played)


def player_loss_and_gradient(
    game: AbstractGame, players: Players, player: Player, key: Key = None
) -> tuple[Scalar, Any]:
    """One player's loss, and the gradient of it with respect to that player's own strategy."""
    losses, gradient = losses_and_own_gradient(game, players, player, key)
    return getattr(losses, player), gradient


def losses_and_own_gradient(
    game: AbstractGame, players: Players, player: Player, key: Key = None
) -> tuple[Losses, Any]:
    """Both losses, and the gradient of one player's with respect to that player's own strategy."""

    played, rest = split_played(getattr(players, player))

    def loss(played):
        losses = game.losses(replace(players, player, eqx.combine(played, rest)), key)
        return _checked(getattr(losses, player), f"losses.{player}"), losses

    (own, losses), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(played)
    return replace(losses, player, own), gradient


def replace(players: Players, player: Player, entry: Any) -> Players:
    """The pair with one entry exchanged."""
    return Players(entry, players.y) if player == "x" else Players(players.x, entry)


def _checked(loss: Any, name: str) -> Scalar:
    if loss is None:
        raise ValueError(f"{name} must be one real number, and is None: return the loss.")
    out = jnp.asarray(loss)
    if out.shape != () or not jnp.issubdtype(out.dtype, jnp.floating):
        raise ValueError(
            f"{name} must be one real number, and is of shape {out.shape} and dtype "
            f"{out.dtype}. Take the mean or the sum of a batch."
        )
    return out


def sets_of(game: AbstractGame, players: Players) -> Players[Projection | None, Projection | None]:
    """`game.sets`, unless a subclass has written another `project` without saying its sets."""
    line = type(game).__mro__
    writer = lambda name: next(i for i, kind in enumerate(line) if name in vars(kind))
    return game.sets(players) if writer("sets") <= writer("project") else _sections(game, players)


def _sections(game: AbstractGame, players: Players) -> Players[Projection, Projection]:
    """The game's own projection, as a map of either player's strategy next to the other's."""
    move = lambda name: lambda own: getattr(game.project(replace(players, name, own)), name)
    return Players(move("x"), move("y"))


def check_game(game: Any) -> None:
    """Raise a `TypeError` unless this is a game."""
    if not isinstance(game, AbstractGame):
        raise TypeError(
            f"game must be a go.AbstractGame, got {type(game).__name__}: go.zero_sum_game and "
            "go.game_from_losses make one of functions."
        )


def check_strategies(game: Any, players: Any) -> None:
    """Raise unless this is a game, and each of its players has a number to play.

    A `TypeError` for what is no game or no pair; a `ValueError` for a player with nothing to play,
    or the strategy of an absent one.
    """
    check_game(game)
    check_absent(game, players)
    check_playable(players, game.player_names)


def check_absent(game: AbstractGame, players: Any) -> None:
    """Raise a `ValueError` for the strategy of an absent player."""
    check_players(players)
    if "y" not in game.player_names and players.y is not None:
        raise ValueError(
            f"{type(game).__name__} has one player, and is given a strategy for a second: give "
            "go.Players(x, None)."
        )
