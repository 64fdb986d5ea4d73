"""Both players move at once."""

from typing import Any

from gameopt._games.base import AbstractGame
from gameopt._solvers.base import (
    AbstractSolver,
    Optimizers,
    RoundInfo,
    descend,
    first_order_info,
    init_optimizers,
)
from gameopt._types import Key, Players


class Simultaneous(AbstractSolver[Players[Any, Any]]):
    r"""$z^+ = z - \eta\,\xi(z)$: both gradients at the old joint strategy, of one sample.

    - `optimizers`: one `optax` optimizer per player; `None` freezes a player.

    Two gradients a round. On a bilinear game it never converges: the distance grows by
    $\sqrt{1 + \eta_x\eta_y s^2}$ a round.
    """

    optimizers: Optimizers

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> Players[Any, Any]:
        del game, key
        return init_optimizers(self.optimizers, players)

    def step(
        self, game: AbstractGame, players: Players, state: Players[Any, Any], key: Key = None
    ) -> tuple[Players, Players[Any, Any], RoundInfo]:
        losses, field = game.losses_and_field(players, key)
        x, y, state_x, state_y = players.x, players.y, state.x, state.y
        moved = 0
        if self.optimizers.x is not None:
            x, state_x = descend(self.optimizers.x, field.x, state.x, players.x)
            moved += 1
        if self.optimizers.y is not None:
            y, state_y = descend(self.optimizers.y, field.y, state.y, players.y)
            moved += 1
        new_players = game.project(Players(x, y))
        return new_players, Players(state_x, state_y), first_order_info(losses, moved)
