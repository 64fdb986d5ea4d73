"""Both players move at once."""

import equinox as eqx

from gameopt._games.base import AbstractGame
from gameopt._solvers.base import Optimizers, as_optimizers, count_moving
from gameopt._solvers.directions import AbstractOptimizedDirection, Direction
from gameopt._types import Key, Players


class Simultaneous(AbstractOptimizedDirection):
    r"""$z^+ = z - \eta\,\xi(z)$: both gradients at the old joint strategy, of one sample.

    - `optimizers`: one `optax` optimizer per player; `None` freezes a player.

    Two gradients a round. On a bilinear game it never converges: per singular value $s$, the
    distance from equilibrium in the norm $\sqrt{|x|^2/\eta_x + |y|^2/\eta_y}$, for equal steps the
    Euclidean one, grows by $\sqrt{1 + \eta_x\eta_y s^2}$ a round.
    """

    optimizers: Optimizers = eqx.field(converter=as_optimizers)

    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        losses, field = game.losses_and_field(players, key)
        return Direction(field, losses, count_moving(self.optimizers), is_field=True)
