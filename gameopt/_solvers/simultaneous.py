"""Simultaneous play, and gradient descent by one player."""

import equinox as eqx
import optax

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


def descent(optimizer: optax.GradientTransformation) -> Simultaneous:
    r"""Descent of one loss, $x^+ = x - \eta\nabla L(x)$: the plain solver of `one_player_game`.

    **Arguments:**

    - `optimizer`: any of `optax`, line searches among them.

    One gradient a round, of the round's own key. With `optax.sgd(eta)` on a quadratic loss the rate
    is $\max_i |1 - \eta\lambda_i|$ over the eigenvalues of the Hessian.
    """
    return Simultaneous(Players(optimizer, None))
