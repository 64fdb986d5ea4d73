"""Averages of another solver's iterates."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from gameopt._games.base import AbstractGame
from gameopt._solvers.base import AbstractSolver, RoundInfo
from gameopt._trees import per_player, playable, tree_axpy
from gameopt._types import Key, Player, Players, Real, Scalar, Strategy


class AveragedState(eqx.Module):
    """The solver's own state, the average of the played leaves, and how many rounds are in it."""

    solver_state: Any
    average: Players
    count: Int[Array, ""]


def _optional_per_player(value: Players | Real | None) -> Players | None:
    return None if value is None else per_player(value)


class Averaged(AbstractSolver[AveragedState]):
    r"""Play as `solver` does, and be judged by the average of its iterates.

    - `solver`: any solver of the joint strategy.
    - `decay`: $\beta$ of the exponential moving average $\bar z^+ = \beta\bar z + (1-\beta)z^+$,
      which begins at the start (or at the point of the game's sets next to it, so that an average
      stays in convex sets); a number or a `Players`. By default, the average is uniform over
      all iterates after the first round: $\bar z_t = \frac1t\sum_{i\le t} z_i$.

    The average never enters the play; `evaluate` gives it, so that `solve` and records see it.
    Played leaves are averaged; what is carried (`Fixed`) is the newest.
    The solver's cost. The uniform average of alternating play on a bilinear game tends to the
    equilibrium as $1/t$ if $\sqrt{\eta_x\eta_y}\,s < 2$ for the largest singular value $s$; at 2
    and beyond play leaves.

    !!! cite "Source"

        Nemirovski & Yudin (1978) (uniform); Yazıcı et al. (2019), arXiv:1806.04498 (EMA of GANs).
    """

    solver: AbstractSolver
    decay: Players[Scalar, Scalar] | None = eqx.field(converter=_optional_per_player, default=None)

    @property
    def no_single_rate(self) -> str:
        if self.decay is None:
            return "a uniform average weighs its newest iterate by 1/t, which changes every round"
        return self.solver.no_single_rate

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> AveragedState:
        state = self.solver.init(game, players, key)
        return AveragedState(state, playable(game.project(players)), jnp.zeros((), jnp.int32))

    def step(
        self, game: AbstractGame, players: Players, state: AveragedState, key: Key = None
    ) -> tuple[Players, AveragedState, RoundInfo]:
        players, inner, info = self.solver.step(game, players, state.solver_state, key)
        count = state.count + 1
        now = playable(self.solver.evaluate(players, inner))
        average = Players(
            _toward(self._weight("x", count), state.average.x, now.x),
            _toward(self._weight("y", count), state.average.y, now.y),
        )
        return players, AveragedState(inner, average, count), info

    def _weight(self, player: Player, count: Int[Array, ""]) -> Scalar:
        """The weight of the newest iterate."""
        if self.decay is None:
            return 1 / count.astype(jnp.result_type(float))
        return 1 - getattr(self.decay, player)

    def evaluate(self, players: Players, state: AveragedState) -> Players:
        return eqx.combine(state.average, players)


def _toward(weight: Scalar, old: Strategy, new: Strategy) -> Strategy:
    return tree_axpy(weight, jax.tree.map(jnp.subtract, new, old), old)
