"""Alex-GDA: alternating play with extrapolated answers."""

import equinox as eqx
from jaxtyping import Array, Float

from gameopt._games.base import AbstractGame, player_loss_and_gradient
from gameopt._keys import split_key
from gameopt._solvers.base import AbstractSolver, RoundInfo, check_two_players, round_info
from gameopt._trees import (
    float_array,
    per_player,
    playable,
    tree_axpy,
    tree_subtract,
)
from gameopt._types import Key, Players, Scalar, Strategy


class AlexGDA(AbstractSolver[Strategy]):
    r"""Each player answers an extrapolation of the other's last move:

    $x^+ = x - \eta_x\nabla_x L_x(x, \tilde y)$, $\tilde x^+ = x + \gamma(x^+ - x)$,
    $y^+ = y - \eta_y\nabla_y L_y(\tilde x^+, y)$, $\tilde y^+ = y + \delta(y^+ - y)$.

    - `learning_rate`: $\eta$, a number or a `Players`. `gamma`, `delta`: the extrapolations; 1 is
      none. $(0, 1)$ is simultaneous play, $(1, 1)$ alternating play with x first.

    Two gradients a round. On bilinear games alternating play circles, and this converges for
    $\gamma + \delta > 2$ and small steps: with $\mu = \lambda - 1$ and $c = \eta_x\eta_y s^2$,
    $\mu^3 + (1 + \gamma\delta c)\mu^2 + (\gamma + \delta)c\mu + c = 0$.

    !!! cite "Source"

        Lee, Cho & Yun (2024), arXiv:2402.10475, algorithm 1.
    """

    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)
    gamma: Float[Array, ""] = eqx.field(converter=float_array, default=1.5)
    delta: Float[Array, ""] = eqx.field(converter=float_array, default=1.5)

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> Strategy:
        del key
        check_two_players(game, players, self)
        return playable(players.y)

    def step(
        self, game: AbstractGame, players: Players, state: Strategy, key: Key = None
    ) -> tuple[Players, Strategy, RoundInfo]:
        key_x, key_y = split_key(key, 2)
        x, y = players.x, players.y
        y_ahead = eqx.combine(state, y)
        loss_x, grad_x = player_loss_and_gradient(game, Players(x, y_ahead), "x", key_x)
        new_x = tree_axpy(-self.learning_rate.x, grad_x, x)
        new_x = game.project(Players(new_x, y)).x
        x_ahead = tree_axpy(self.gamma, tree_subtract(new_x, x), x)
        loss_y, grad_y = player_loss_and_gradient(game, Players(x_ahead, y), "y", key_y)
        new_y = tree_axpy(-self.learning_rate.y, grad_y, y)
        new = game.project(Players(new_x, new_y))
        state = tree_axpy(self.delta, tree_subtract(new.y, y), playable(y))
        return new, state, round_info(Players(loss_x, loss_y), 2)
