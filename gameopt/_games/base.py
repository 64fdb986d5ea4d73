"""Games: the protocol, zero-sum games, games from functions, games on sets; critical points."""

import abc
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from gameopt._checks import check_callable
from gameopt._keys import again, require_key
from gameopt._types import Key, Players, Projection, Scalar


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
    """

    @abc.abstractmethod
    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        """The two losses, each of shape `()`."""

    def losses_and_field(
        self, players: Players, key: Key = None
    ) -> tuple[Players[Scalar, Scalar], Players]:
        """The losses, and each player's gradient of its own loss, both of the same sample."""
        loss_x, grad_x = player_loss_and_gradient(self, players, "x", key)
        loss_y, grad_y = player_loss_and_gradient(self, players, "y", again(key))
        return Players(loss_x, loss_y), Players(grad_x, grad_y)

    def project(self, players: Players) -> Players:
        """The nearest joint strategy of the game's sets: the identity unless there are sets."""
        return players

    def metrics(self, players: Players, key: Key = None) -> dict[str, Array]:
        """What is worth recording beside the losses. Called only when something is recorded."""
        del players, key
        return {}

    def best_answer_gains(self, players: Players) -> Players[Scalar, Scalar] | None:
        """What each player would gain by its best answer to the other; `None` if not in closed
        form. Never below zero in the game's sets, and infinite where the own loss is unbounded.
        """
        del players
        return None

    def equilibria(self) -> tuple[Players, ...]:
        """The known equilibria, for toy games; empty where none is known in closed form."""
        return ()

    @property
    def is_zero_sum(self) -> bool:
        """Whether $L_x = -L_y$ everywhere, so that a solver may use the symmetry of one Hessian."""
        return False

    def critical_points(self) -> tuple[CriticalPoint, ...]:
        """The known critical points with their verdicts, for toy games; empty where none is known.

        They are those of the game without sets.
        """
        return ()


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

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        value = self.value(players, key)
        return Players(value, -value)

    def losses_and_field(
        self, players: Players, key: Key = None
    ) -> tuple[Players[Scalar, Scalar], Players]:
        return zero_sum_losses_and_field(lambda p: self.value(p, key), players)


def zero_sum_losses_and_field(
    value: Callable[[Players], Scalar], players: Players
) -> tuple[Players[Scalar, Scalar], Players]:
    """Losses $(V, -V)$ and field $(\\nabla_x V, -\\nabla_y V)$ by one backward pass."""
    checked = lambda players: _checked(value(players), "the value")
    v, gradient = eqx.filter_value_and_grad(checked)(players)
    negated = jax.tree.map(jnp.negative, gradient.y)
    return Players(v, -v), Players(gradient.x, negated)


def player_loss_and_gradient(
    game: AbstractGame, players: Players, player: Literal["x", "y"], key: Key = None
) -> tuple[Scalar, Any]:
    """One player's loss, and the gradient of it with respect to that player's own strategy."""
    losses, gradient = losses_and_own_gradient(game, players, player, key)
    return getattr(losses, player), gradient


def losses_and_own_gradient(
    game: AbstractGame, players: Players, player: Literal["x", "y"], key: Key = None
) -> tuple[Players[Scalar, Scalar], Any]:
    """Both losses, and the gradient of one player's with respect to that player's own strategy."""

    def loss(strategy):
        losses = game.losses(replace(players, player, strategy), key)
        return _checked(getattr(losses, player), f"losses.{player}"), losses

    (own, losses), gradient = eqx.filter_value_and_grad(loss, has_aux=True)(
        getattr(players, player)
    )
    return replace(losses, player, own), gradient


def replace(players: Players, player: Literal["x", "y"], entry: Any) -> Players:
    """The pair with one entry exchanged."""
    return Players(entry, players.y) if player == "x" else Players(players.x, entry)


def _checked(loss: Any, name: str) -> Scalar:
    out = jnp.asarray(loss)
    if out.shape != () or not jnp.issubdtype(out.dtype, jnp.floating):
        raise ValueError(
            f"{name} must be one real number, and is of shape {out.shape} and dtype "
            f"{out.dtype}. Take the mean or the sum of a batch."
        )
    return out


def check_game(game: Any) -> None:
    """Raises a `TypeError` unless this is a game."""
    if not isinstance(game, AbstractGame):
        raise TypeError(
            f"game must be a go.AbstractGame, got {type(game).__name__}: go.zero_sum_game and "
            "go.game_from_losses make one of functions."
        )


class _LossesGame(AbstractGame):
    loss_x: Callable
    loss_y: Callable
    stochastic: bool = eqx.field(static=True)

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        x, y = players.x, players.y
        if not self.stochastic:
            return Players(self.loss_x(x, y), self.loss_y(x, y))
        key = require_key(key, self)
        return Players(self.loss_x(x, y, key), self.loss_y(x, y, again(key)))


class _ValueGame(ZeroSumGame):
    function: Callable
    stochastic: bool = eqx.field(static=True)

    def value(self, players: Players, key: Key = None) -> Scalar:
        rest = (require_key(key, self),) if self.stochastic else ()
        return self.function(players.x, players.y, *rest)


def game_from_losses(
    loss_x: Callable, loss_y: Callable, *, stochastic: bool = False
) -> AbstractGame:
    """A general-sum game from two plain functions.

    **Arguments:**

    - `loss_x`, `loss_y`: `(x, y) -> scalar`, or `(x, y, key) -> scalar` if `stochastic`. Data that
      a function needs go in by `jax.tree_util.Partial(function, data)` with the data first: what
      a closure captures is a constant of the compiled program.
    - `stochastic`: whether the functions take a key.

    **Raises:** `TypeError` for what cannot be called.
    """
    check_callable("loss_x", loss_x)
    check_callable("loss_y", loss_y)
    return _LossesGame(loss_x, loss_y, stochastic)


def zero_sum_game(value: Callable, *, stochastic: bool = False) -> ZeroSumGame:
    """A zero-sum game from its value `(x, y) -> scalar`: x minimises it, y maximises it.

    The arguments are those of `game_from_losses`.
    """
    check_callable("value", value)
    return _ValueGame(value, stochastic)


class _Constrained(AbstractGame):
    game: AbstractGame
    projections: Players[Projection | None, Projection | None]

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        return self.game.losses(players, key)

    def losses_and_field(
        self, players: Players, key: Key = None
    ) -> tuple[Players[Scalar, Scalar], Players]:
        return self.game.losses_and_field(players, key)

    def project(self, players: Players) -> Players:
        players = self.game.project(players)
        project_x, project_y = self.projections.x, self.projections.y
        # optax's projections mix integers with floats, which strict promotion forbids.
        with jax.numpy_dtype_promotion("standard"):
            x = players.x if project_x is None else project_x(players.x)
            y = players.y if project_y is None else project_y(players.y)
        return Players(x, y)

    def metrics(self, players: Players, key: Key = None) -> dict[str, Array]:
        return self.game.metrics(players, key)

    @property
    def is_zero_sum(self) -> bool:
        return self.game.is_zero_sum


def constrained(
    game: AbstractGame, *, x: Projection | None = None, y: Projection | None = None
) -> AbstractGame:
    """The same game, played on sets.

    Every solver applies the projections to the new strategy at the end of every move, and
    stationarity is measured against them.

    **Arguments:**

    - `x`, `y`: maps a player's strategy to the nearest one of its set, or `None` for no set. For
      instance `Box(-0.01, 0.01)` (weight clipping), or a projection of `optax.projections`.

    **Raises:** `TypeError` for what is no game, or cannot be called.
    """
    check_game(game)
    for name, projection in (("x", x), ("y", y)):
        if projection is not None:
            check_callable(name, projection)
    return _Constrained(game, Players(x, y))
