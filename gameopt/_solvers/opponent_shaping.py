"""Solvers that take the opponent's next step into account: LookAhead, LOLA, SOS."""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._checks import check_choice
from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import hessian_product, loss_gradient
from gameopt._solvers.directions import AbstractPlainDirection, Direction
from gameopt._trees import float_array, per_player, tree_axpy, tree_dot
from gameopt._types import Key, Players, Scalar


class LookAhead(AbstractPlainDirection):
    r"""Each player descends its loss at the opponent's imagined next strategy, which it does not
    hope to change: $(I - \alpha J_o)\xi$, $J_o$ the off-diagonal blocks of $J$.

    - `learning_rate`: $\eta$, a number or a `Players`. `opponent_rate`: $\alpha$, the step size
      that the opponent is thought to have.

    Not `Lookahead`, which wraps a solver. Keeps fixed points. Two gradients and two Hessian
    products a round.

    !!! cite "Source"

        Zhang & Lesser (2010); Letcher et al. (2019), arXiv:1811.08469, section 3.1.
    """

    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)
    opponent_rate: Float[Array, ""] = eqx.field(converter=float_array, default=0.1)

    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        losses, field = game.losses_and_field(players, key)
        foreseen = _foreseen(game, players, field, key)
        direction = tree_axpy(-self.opponent_rate, foreseen, field)
        return Direction(direction, losses, 2, 2)


class LOLA(AbstractPlainDirection):
    r"""Learning with opponent-learning awareness: each player also wants to change the opponent's
    next step, which adds $-\alpha\chi$ with $\chi_x = \nabla^2_{xy}L_y\nabla_y L_x$ and
    $\chi_y = \nabla^2_{yx}L_x\nabla_x L_y$.

    - `learning_rate`: $\eta$, a number or a `Players`. `opponent_rate`: $\alpha$.
    - `convention`: `exact` descends $(I - \alpha J_o)\xi - \alpha\chi$, the gradient of
      $L_x(x, y - \alpha\nabla_y L_y)$ to first order in $\alpha$; `foerster` descends
      $\xi - \alpha\chi$, as first published.

    It does *not* keep fixed points: where a player's loss has a slope in the opponent's strategy,
    $\chi \ne 0$ at an equilibrium. Four gradients; two Hessian products (`foerster`) or four.

    !!! cite "Source"

        Foerster et al. (2018), arXiv:1709.04326, equation 4.1; Letcher et al. (2019),
        arXiv:1811.08469, proposition 1.
    """

    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)
    opponent_rate: Float[Array, ""] = eqx.field(converter=float_array, default=0.1)
    convention: Literal["exact", "foerster"] = "exact"

    def __check_init__(self):
        check_choice("convention", self.convention, ("exact", "foerster"))

    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        losses, field = game.losses_and_field(players, key)
        direction, hvps = field, 2
        if self.convention == "exact":
            foreseen = _foreseen(game, players, field, key)
            direction, hvps = tree_axpy(-self.opponent_rate, foreseen, direction), 4
        shaping = _shaping(game, players, key)
        direction = tree_axpy(-self.opponent_rate, shaping, direction)
        return Direction(direction, losses, 4, hvps)


class SOS(AbstractPlainDirection):
    r"""Stable opponent shaping: descends $\xi_0 - p\,\alpha\chi$, $\xi_0 = (I - \alpha J_o)\xi$,
    from LookAhead ($p = 0$) to exact LOLA ($p = 1$).

    $p = \min(p_1, p_2)$, where $p_1$ keeps the direction within reach of $\xi_0$ ($p_1 = 1$ if
    $\langle-\alpha\chi, \xi_0\rangle > 0$, else $\min(1, -a\|\xi_0\|^2/\langle-\alpha\chi,
    \xi_0\rangle)$) and $p_2$ switches shaping off near fixed points ($p_2 = \|\xi\|^2$ if
    $\|\xi\| < b$, else 1).

    - `learning_rate`: $\eta$, a number or a `Players`. `opponent_rate`: $\alpha$.
    - `a`, `b`: between 0 and 1.

    Keeps fixed points. Four gradients and four Hessian products a round.

    !!! cite "Source"

        Letcher et al. (2019), arXiv:1811.08469, algorithm 1.
    """

    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)
    opponent_rate: Float[Array, ""] = eqx.field(converter=float_array, default=0.1)
    a: Float[Array, ""] = eqx.field(converter=float_array, default=0.5)
    b: Float[Array, ""] = eqx.field(converter=float_array, default=0.1)

    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        losses, field = game.losses_and_field(players, key)
        foreseen = _foreseen(game, players, field, key)
        careful = tree_axpy(-self.opponent_rate, foreseen, field)
        shaping = _shaping(game, players, key)
        p = self._share(field, careful, shaping)
        share = p * self.opponent_rate.astype(p.dtype)
        direction = tree_axpy(-share, shaping, careful)
        return Direction(direction, losses, 4, 4)

    def _share(self, field: Players, careful: Players, shaping: Players) -> Scalar:
        """$p$, a number from 0 to 1."""
        inner = tree_dot(shaping, careful)
        dtype = inner.dtype
        inner = -self.opponent_rate.astype(dtype) * inner
        squared = tree_dot(careful, careful)
        # Where the inner product is zero, the ratio is infinite or 0 / 0 and p_1 is 1.
        ratio = -self.a.astype(dtype) * squared / jnp.where(inner < 0, inner, -1)
        p_1 = jnp.where(inner < 0, jnp.minimum(1.0, ratio).astype(dtype), jnp.ones((), dtype))
        norm_squared = tree_dot(field, field)
        near = norm_squared < self.b.astype(dtype) ** 2
        return jnp.minimum(p_1, jnp.where(near, norm_squared, jnp.ones((), dtype)))


def _foreseen(game: AbstractGame, players: Players, field: Players, key: Key) -> Players:
    r"""$J_o\xi$: how each player's gradient changes with the other's step."""
    return Players(
        hessian_product(game, players, "x", "x", "y", field.y, key),
        hessian_product(game, players, "y", "y", "x", field.x, key),
    )


def _shaping(game: AbstractGame, players: Players, key: Key) -> Players:
    r"""$\chi$: what each player gains by changing the other's step."""
    of_x = loss_gradient(game, players, "x", "y", key)
    of_y = loss_gradient(game, players, "y", "x", key)
    return Players(
        hessian_product(game, players, "y", "x", "y", of_x, key),
        hessian_product(game, players, "x", "y", "x", of_y, key),
    )
