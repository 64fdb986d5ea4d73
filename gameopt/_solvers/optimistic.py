"""Optimism: move by a guess of the next gradient, made from the last two."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from gameopt._checks import check_choice
from gameopt._games.base import AbstractGame
from gameopt._keys import again
from gameopt._solvers.base import (
    AbstractSolver,
    Optimizers,
    RoundInfo,
    as_optimizers,
    count_moving,
    descend_both,
    init_optimizers,
    round_info,
    updates_of,
)
from gameopt._trees import float_array, playable, tree_axpy
from gameopt._types import Key, Players


class OptimisticState(eqx.Module):
    """The optimizers' state, what was seen last, and whether anything was."""

    optimizer_state: Players[Any, Any]
    last: Players
    begun: Bool[Array, ""]


def _begin(optimizers: Optimizers, players: Players) -> OptimisticState:
    state = init_optimizers(optimizers, players)
    last = jax.tree.map(jnp.zeros_like, playable(players))
    return OptimisticState(state, last, jnp.zeros((), bool))


class Optimistic(AbstractSolver[OptimisticState]):
    r"""$z^+ = z - \eta\,\bigl(\xi(z) + o\,(\xi(z) - \xi(z^-))\bigr)$; with $o = 1$ this is OGDA.

    - `optimizers`: any of `optax`; `None` freezes a player. SGD is OGDA, Adam Optimistic Adam.
    - `on`: whether the `gradient` that enters the optimizer is corrected, or the `update` that
      leaves it: $z^+ = z + u + o(u - u^-)$, Daskalakis' Optimistic Adam. For SGD it is the same.
    - `first`: what stands for the gradient before the first: the `current` one, so that the first
      round is plain simultaneous play, or `zero`, so that it is a step of $(1 + o)\eta$.
    - `optimism`: $o$.

    Two gradients a round. On a bilinear game, per singular value s and $a = \eta s$, the rates are
    the roots of $\lambda^2 - (1 - 2ia)\lambda - ia$: it converges iff $a < 1/\sqrt 3$.

    !!! cite "Source"

        Popov (1980); Daskalakis et al. (2018), arXiv:1711.00141, equation 7 and algorithm 1.
    """

    optimizers: Optimizers = eqx.field(converter=as_optimizers)
    on: Literal["gradient", "update"] = "gradient"
    first: Literal["current", "zero"] = "current"
    optimism: Float[Array, ""] = eqx.field(converter=float_array, default=1.0)

    def __check_init__(self):
        check_choice("on", self.on, ("gradient", "update"))
        check_choice("first", self.first, ("current", "zero"))

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> OptimisticState:
        del game, key
        return _begin(self.optimizers, players)

    def step(
        self, game: AbstractGame, players: Players, state: OptimisticState, key: Key = None
    ) -> tuple[Players, OptimisticState, RoundInfo]:
        losses, field = game.losses_and_field(players, key)
        if self.on == "gradient":
            direction = self._extrapolate(field, state)
            new, own = descend_both(
                game, self.optimizers, direction, state.optimizer_state, players, losses
            )
            last = field
        else:
            updates, own = updates_of(
                self.optimizers, field, state.optimizer_state, players, losses
            )
            moves = self._extrapolate(updates, state)
            new, last = game.project(eqx.apply_updates(players, moves)), updates
        new_state = OptimisticState(own, last, jnp.ones((), bool))
        return new, new_state, round_info(losses, count_moving(self.optimizers))

    def _extrapolate(self, now: Players, state: OptimisticState) -> Players:
        last = state.last
        if self.first == "current":
            last = jax.tree.map(lambda l, n: jnp.where(state.begun, l, n), last, now)
        change = jax.tree.map(jnp.subtract, now, last)
        return tree_axpy(self.optimism, change, now)


class PastExtragradient(AbstractSolver[OptimisticState]):
    r"""$z^{1/2}_t = z_t - \eta\,\xi(z^{1/2}_{t-1})$, then $z_{t+1} = z_t - \eta\,\xi(z^{1/2}_t)$.

    - `optimizers`: one per player. The look ahead uses their state and leaves it as it was.
    - `first`: what stands for the gradient before the first: that at the start (`current`, two more
      gradients in the first round), or `zero`, so that the first round is plain play.

    Two gradients a round. With plain SGD the half points are the iterates of `Optimistic`.

    !!! cite "Source"

        Popov (1980); Gidel et al. (2019), arXiv:1802.10551, section 3.2, "extrapolation from the
        past".
    """

    optimizers: Optimizers = eqx.field(converter=as_optimizers)
    first: Literal["current", "zero"] = "current"

    def __check_init__(self):
        check_choice("first", self.first, ("current", "zero"))

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> OptimisticState:
        del game, key
        return _begin(self.optimizers, players)

    def step(
        self, game: AbstractGame, players: Players, state: OptimisticState, key: Key = None
    ) -> tuple[Players, OptimisticState, RoundInfo]:
        moving, past = count_moving(self.optimizers), state.last
        gradients = moving
        if self.first == "current":
            seen = lambda: playable(game.losses_and_field(players, again(key))[1])
            past = jax.lax.cond(state.begun, lambda: past, seen)
            gradients = jnp.where(state.begun, moving, 2 * moving)
        own, unknown = state.optimizer_state, Players(None, None)
        ahead, _ = descend_both(game, self.optimizers, past, own, players, unknown)
        losses, field = game.losses_and_field(ahead, key)
        new, own = descend_both(game, self.optimizers, field, own, players, losses)
        new_state = OptimisticState(own, field, jnp.ones((), bool))
        return new, new_state, round_info(losses, gradients)
