"""Both players move at once."""

from typing import Any

from gameopt._games.base import AbstractGame
from gameopt._solvers.base import (
    AbstractSolver,
    Optimizers,
    RoundInfo,
    count_moving,
    descend_both,
    init_optimizers,
    round_info,
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
        players, state = descend_both(game, self.optimizers, field, state, players)
        return players, state, round_info(losses, count_moving(self.optimizers))
