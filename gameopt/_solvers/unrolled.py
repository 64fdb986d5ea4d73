"""Unrolled play: x differentiates through the next steps of y."""

from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float

from gameopt._checks import count_field
from gameopt._games.base import AbstractGame, player_loss_and_gradient, value_and_gradient
from gameopt._keys import again
from gameopt._solvers.base import (
    AbstractSolver,
    Optimizers,
    RoundInfo,
    as_optimizers,
    descend_both,
    init_optimizers,
    round_info,
)
from gameopt._trees import float_array, playable, split_played, tree_axpy
from gameopt._types import Key, Players


class Unrolled(AbstractSolver[Players[Any, Any]]):
    r"""x descends $\frac{d}{dx} L_x(x, y_K(x))$, where $y_{k+1} = y_k - \eta_u\nabla_y L_y(x, y_k)$
    starts from $y_0 = y$; y descends $\nabla_y L_y(x, y)$. Both move at once.

    - `optimizers`: one per player. `steps`: $K$; 0 is simultaneous play.
    - `unroll_rate`: $\eta_u$ of the imagined steps, which see the round's sample.

    $2 + K$ gradients and $2K$ Hessian products a round (the backward pass through each imagined
    step).

    !!! cite "Source"

        Metz et al. (2017), arXiv:1611.02163, equations 7-9.
    """

    optimizers: Optimizers = eqx.field(converter=as_optimizers)
    steps: int = count_field("steps", 0, default=5)
    unroll_rate: Float[Array, ""] = eqx.field(converter=float_array, default=0.1)

    def __check_init__(self):
        if self.optimizers.x is None or self.optimizers.y is None:
            raise ValueError("Unrolled needs both optimizers: x looks at what y will do.")

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> Players[Any, Any]:
        del game, key
        return init_optimizers(self.optimizers, players)

    def step(
        self, game: AbstractGame, players: Players, state: Players[Any, Any], key: Key = None
    ) -> tuple[Players, Players[Any, Any], RoundInfo]:
        def after_answers(x):
            played, rest = split_played(players.y)

            def answer(y, _):
                joint = Players(x, eqx.combine(y, rest))
                gradient = player_loss_and_gradient(game, joint, "y", again(key))[1]
                # The optimizer's own set is not in the imagined steps, but the game's is.
                moved = tree_axpy(-self.unroll_rate, gradient, joint.y)
                moved = game.project(Players(x, moved)).y
                return playable(moved), None

            y, _ = jax.lax.scan(answer, played, length=self.steps)
            return game.losses(Players(x, eqx.combine(y, rest)), again(key)).x

        # The backward pass goes through the sets, and optax's projections mix dtypes.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            loss_x, grad_x = value_and_gradient(after_answers, players.x, "losses.x")
        loss_y, grad_y = player_loss_and_gradient(game, players, "y", key)
        direction = Players(grad_x, grad_y)
        losses = Players(loss_x, loss_y)
        players, state = descend_both(game, self.optimizers, direction, state, players, losses)
        info = round_info(losses, 2 + self.steps, 2 * self.steps)
        return players, state, info
