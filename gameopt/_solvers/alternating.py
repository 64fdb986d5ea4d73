"""The players move in turn, each answering the other's newest strategy."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from gameopt._checks import check_count
from gameopt._games.base import AbstractGame, losses_and_own_gradient, replace
from gameopt._games.derivatives import other
from gameopt._keys import again, fold_in, split_key
from gameopt._solvers.base import (
    AbstractSolver,
    Known,
    Optimizers,
    RoundInfo,
    as_optimizers,
    descend,
    init_optimizers,
    round_info,
)
from gameopt._trees import check_players
from gameopt._types import Key, Player, Players, Scalar


def check_inner_steps(value: Any) -> Players[int, int]:
    """A pair of integers of at least 1 as Python's."""
    check_players(value, "inner_steps")
    count = lambda name: check_count(
        f"inner_steps.{name}", getattr(value, name), 1, at_least="at least"
    )
    return Players(count("x"), count("y"))


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

    optimizers: Optimizers = eqx.field(converter=as_optimizers)
    order: tuple[Player, Player] = ("x", "y")
    inner_steps: Players[int, int] = eqx.field(converter=check_inner_steps, default=Players(1, 1))

    def __check_init__(self):
        if sorted(map(str, self.order)) != ["x", "y"]:
            raise ValueError(f"order must be ('x', 'y') or ('y', 'x'), got {self.order}.")

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
            players, state, found = self._turn(game, players, state, player, keys[player])
            losses |= found
            moves += getattr(self.inner_steps, player)
        if not losses:
            return players, state, round_info(game.losses(players, key), 0)
        return players, state, round_info(Players(losses["x"], losses["y"]), moves)

    def _turn(self, game: AbstractGame, players: Players, state: Players, player: Player, key: Key):
        """All inner steps of one player, and the losses just before the last: its own, and a
        frozen opponent's."""
        optimizer = getattr(self.optimizers, player)
        frozen = getattr(self.optimizers, other(player)) is None
        named = ("x", "y") if frozen else (player,)
        steps = getattr(self.inner_steps, player)

        def move(players: Players, own_state: Any, key: Key):
            losses, gradient = losses_and_own_gradient(game, players, player, key)
            loss_at = lambda own: getattr(
                game.losses(replace(players, player, own), again(key)), player
            )
            known = Known(getattr(losses, player), loss_at)
            own = getattr(players, player)
            own, own_state = descend(optimizer, gradient, own_state, own, known)
            found = {name: getattr(losses, name) for name in named}
            return game.project(replace(players, player, own)), own_state, found

        own_state = getattr(state, player)
        if steps == 1:
            players, own_state, losses = move(players, own_state, fold_in(key, 0))
            return players, replace(state, player, own_state), losses

        played, rest = eqx.partition(players, eqx.is_array)

        def body(carry, i):
            played, own_state = carry
            new_players, own_state, losses = move(
                eqx.combine(played, rest), own_state, fold_in(key, i)
            )
            return (eqx.filter(new_players, eqx.is_array), own_state), losses

        (played, own_state), losses = jax.lax.scan(body, (played, own_state), jnp.arange(steps))
        last = {name: along[-1] for name, along in losses.items()}
        return eqx.combine(played, rest), replace(state, player, own_state), last
