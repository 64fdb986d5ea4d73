"""The players move in turn, each answering the other's newest strategy."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp

from gameopt._games.base import AbstractGame, player_loss_and_gradient, replace
from gameopt._keys import fold_in, split_key
from gameopt._solvers.base import (
    AbstractSolver,
    Optimizers,
    RoundInfo,
    descend,
    init_optimizers,
    round_info,
)
from gameopt._types import Key, Players, Scalar

Player = Literal["x", "y"]


class Alternating(AbstractSolver[Players[Any, Any]]):
    r"""With x first: $x^+ = x - \eta_x\nabla_x L_x(x, y)$, $n_x$ times, and then
    $y^+ = y - \eta_y\nabla_y L_y(x^+, y)$, $n_y$ times.

    - `optimizers`: one `optax` optimizer per player; `None` freezes a player.
    - `order`: who moves first; the other answers the *new* strategy.
    - `inner_steps`: how often each player moves in a round. Each inner step draws a fresh sample.

    $n_x + n_y$ gradients a round. With `order=("y", "x")` and `inner_steps=Players(1, k)` it is
    Goodfellow's algorithm with k discriminator steps, and WGAN's with `n_critic = k`.

    !!! cite "Source"

        Goodfellow et al. (2014), arXiv:1406.2661, algorithm 1; Arjovsky et al. (2017),
        arXiv:1701.07875, algorithm 1.
    """

    optimizers: Optimizers
    order: tuple[Player, Player] = ("x", "y")
    inner_steps: Players[int, int] = Players(1, 1)

    def __check_init__(self):
        if sorted(self.order) != ["x", "y"]:
            raise ValueError(f"order must be ('x', 'y') or ('y', 'x'), got {self.order}.")
        for name, steps in (("x", self.inner_steps.x), ("y", self.inner_steps.y)):
            if steps < 1:
                raise ValueError(
                    f"inner_steps.{name} must be at least 1, got {steps}. To freeze a player, give "
                    f"it None as its optimizer."
                )

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> Players[Any, Any]:
        del game, key
        return init_optimizers(self.optimizers, players)

    def step(
        self, game: AbstractGame, players: Players, state: Players[Any, Any], key: Key = None
    ) -> tuple[Players, Players[Any, Any], RoundInfo]:
        losses: dict[str, Scalar] = {}
        keys = dict(zip(("x", "y"), split_key(key, 2), strict=True))
        moves = 0
        for player in self.order:
            if getattr(self.optimizers, player) is None:
                continue
            players, state, losses[player] = self._turn(game, players, state, player, keys[player])
            moves += getattr(self.inner_steps, player)
        nan = jnp.full_like(next(iter(losses.values()), jnp.zeros(())), jnp.nan)
        info = round_info(Players(losses.get("x", nan), losses.get("y", nan)), moves)
        return players, state, info

    def _turn(self, game: AbstractGame, players: Players, state: Players, player: Player, key: Key):
        """All inner steps of one player."""
        optimizer = getattr(self.optimizers, player)
        steps = getattr(self.inner_steps, player)

        def move(players: Players, own_state: Any, key: Key):
            loss, gradient = player_loss_and_gradient(game, players, player, key)
            own, own_state = descend(optimizer, gradient, own_state, getattr(players, player))
            return game.project(replace(players, player, own)), own_state, loss

        own_state = getattr(state, player)
        if steps == 1:
            players, own_state, loss = move(players, own_state, fold_in(key, 0))
            return players, replace(state, player, own_state), loss

        played, rest = eqx.partition(players, eqx.is_array)

        def body(carry, i):
            played, own_state = carry
            new_players, own_state, loss = move(
                eqx.combine(played, rest), own_state, fold_in(key, i)
            )
            return (eqx.filter(new_players, eqx.is_array), own_state), loss

        (played, own_state), losses = jax.lax.scan(body, (played, own_state), jnp.arange(steps))
        return eqx.combine(played, rest), replace(state, player, own_state), losses[-1]
