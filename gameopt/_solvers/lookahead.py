"""Lookahead: go k rounds ahead with any solver, and come part of the way back."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._checks import check_choice, count_field
from gameopt._games.base import AbstractGame
from gameopt._keys import fold_in
from gameopt._solvers.base import AbstractSolver, RoundInfo
from gameopt._trees import float_array, strong, tree_axpy, tree_subtract
from gameopt._types import Key, Players


class Lookahead(AbstractSolver[Any]):
    r"""$z^+ = z + \alpha(\tilde z_k - z)$, where $\tilde z_k$ is k rounds of a solver from $z$.

    - `solver`: any solver of the joint strategy, a `Lookahead` too.
    - `steps`: $k$, rounds of it in one round of this. `alpha`: $\alpha$; 1 is the solver itself.
    - `memory`: whether what the solver remembers is kept over the way back (`keep`), or begun anew
      (`reset`).

    k times the cost of the solver's round. Over a mode $T$ of the solver (an eigenvalue of its
    round), this has the rate $|1 - \alpha + \alpha T^k|$, stable iff
    $\alpha < 2(1 - \mathrm{Re}\,T^k)/|1 - T^k|^2$.

    !!! cite "Source"

        Zhang et al. (2019), arXiv:1907.08610; Chavdarova et al. (2021), arXiv:2006.14567,
        algorithm 1 (joint, and nested).
    """

    solver: AbstractSolver
    steps: int = count_field("steps", default=5)
    alpha: Float[Array, ""] = eqx.field(converter=float_array, default=0.5)
    memory: Literal["keep", "reset"] = "keep"

    def __check_init__(self):
        check_choice("memory", self.memory, ("keep", "reset"))

    @property
    def no_single_rate(self) -> str:
        return self.solver.no_single_rate

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> Any:
        return self.solver.init(game, players, key)

    def step(
        self, game: AbstractGame, players: Players, state: Any, key: Key = None
    ) -> tuple[Players, Any, RoundInfo]:
        carried, rest = eqx.partition(strong((players, state)), eqx.is_array)

        def one_round(carried, i):
            fast, state = eqx.combine(carried, rest)
            fast, state, info = self.solver.step(game, fast, state, fold_in(key, i))
            return eqx.filter((fast, state), eqx.is_array), info

        carried, infos = jax.lax.scan(one_round, carried, jnp.arange(self.steps))
        fast, state = eqx.combine(carried, rest)
        new = game.project(tree_axpy(self.alpha, tree_subtract(fast, players), players))
        if self.memory == "reset":
            state = self.solver.init(game, new, key)
        return new, state, _sum_up(infos)

    def evaluate(self, players: Players, state: Any) -> Players:
        return self.solver.evaluate(players, state)


def _sum_up(infos: RoundInfo) -> RoundInfo:
    """Counts are added up; losses and the residual are those of the last inner round."""
    total = lambda counts: jnp.sum(counts, dtype=counts.dtype)
    last = jax.tree.map(lambda leaf: leaf[-1], infos)
    return RoundInfo(
        last.losses,
        total(infos.gradients),
        total(infos.hvps),
        total(infos.solves),
        last.residual,
    )
