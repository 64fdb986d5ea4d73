"""Updates of what strategies carry and nobody plays: moving averages, codebooks."""

from collections.abc import Callable
from typing import Any

import equinox as eqx

from gameopt._checks import check_callable
from gameopt._games.base import AbstractGame
from gameopt._keys import again
from gameopt._solvers.base import AbstractSolver, RoundInfo
from gameopt._trees import playable
from gameopt._types import Key, Players

Update = Callable[[AbstractGame, Players, Key], Players]


class Carrying(AbstractSolver[Any]):
    r"""Play as `solver` does, and update the carried leaves once after every round.

    - `solver`: any solver of the joint strategy.
    - `update`: `(game, players, key) -> players`, pure, called with the round's new players. What
      it returns for the leaves that are not played (those in `Fixed`, integers) is taken; what it
      returns for the others is ignored. `key` is the round's own: the gradients' very sample with
      `Simultaneous` and `descent`, and one of its own with solvers that split it.

    For an exponential moving average of codes, batch statistics, or the weights of a network. An
    update that needs no sample and may run after every single move, such as a power iteration, can
    be the game's `project` instead. `local_rate` holds carried leaves fixed.

    !!! cite "Source"

        van den Oord, Vinyals & Kavukcuoglu (2017), arXiv:1711.00937, appendix A.1: a codebook by
        moving averages.
    """

    solver: AbstractSolver
    update: Update = eqx.field(converter=lambda value: check_callable("update", value))

    @property
    def no_single_rate(self) -> str:
        return self.solver.no_single_rate

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> Any:
        return self.solver.init(game, players, key)

    def step(
        self, game: AbstractGame, players: Players, state: Any, key: Key = None
    ) -> tuple[Players, Any, RoundInfo]:
        players, state, info = self.solver.step(game, players, state, key)
        updated = self.update(game, players, again(key))
        return eqx.combine(playable(players), updated), state, info

    def evaluate(self, players: Players, state: Any) -> Players:
        return self.solver.evaluate(players, state)
