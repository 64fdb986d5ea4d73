"""The proximal point method: a step by the gradient at where it leads."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from gameopt._arithmetic import divisor
from gameopt._checks import count_field
from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import jvp
from gameopt._keys import again
from gameopt._linalg.linear_solves import LinearSolver, solve_linear
from gameopt._solvers.base import AbstractMemorylessSolver, RoundInfo, round_info
from gameopt._trees import (
    per_player,
    playable,
    split_played,
    strong,
    tree_axpy,
    tree_norm,
    tree_scale,
    tree_subtract,
)
from gameopt._types import Key, Players, Scalar


class ProximalPoint(AbstractMemorylessSolver):
    r"""$z^+ = z - \eta\,\xi(z^+)$: implicit Euler, by Newton's method from $z$.

    - `learning_rate`: $\eta$, a number or a `Players`.
    - `newton_steps`: each solves $(I + \eta J(u))\,\delta = z - u - \eta\,\xi(u)$ and goes to
      $u + \delta$. One is exact on affine games.
    - `linear_solver`: see `solve_linear`; conjugate gradients on the squared system by default.

    `info.residual` is that of the *equation*, $\|z^+ - z + \eta\,\xi(z^+)\|/\|\eta\,\xi(z)\|$,
    before the game's sets are applied. $2(n + 1)$ gradients for n Newton steps, n solves, and four
    Hessian products for every step of a solve. On a bilinear game the rate is
    $1/\sqrt{1 + \eta^2 s^2}$ for every step size.

    !!! cite "Source"

        Rockafellar (1976); Martinet (1970).
    """

    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)
    newton_steps: int = count_field("newton_steps", default=4)
    linear_solver: LinearSolver = None

    def step(
        self, game: AbstractGame, players: Players, state: None, key: Key = None
    ) -> tuple[Players, None, RoundInfo]:
        scaled = lambda tree: Players(
            tree_scale(self.learning_rate.x, tree.x), tree_scale(self.learning_rate.y, tree.y)
        )
        start, rest = split_played(strong(players))
        losses, first = game.losses_and_field(players, key)

        def missing(u: Players, field: Players) -> Any:
            return tree_subtract(tree_subtract(start, u), scaled(field))

        def newton(carry, _):
            u, field = carry
            point = eqx.combine(u, rest)
            matvec = lambda v: jax.tree.map(jnp.add, v, scaled(jvp(game, point, v, key)))
            solution = solve_linear(
                matvec,
                missing(u, field),
                positive_definite=False,
                linear_solver=self.linear_solver,
            )
            u = tree_axpy(1.0, solution.value, u)
            field = playable(game.losses_and_field(eqx.combine(u, rest), again(key))[1])
            return (u, field), solution.matvecs

        carry = (start, playable(first))
        (u, field), matvecs = jax.lax.scan(newton, carry, length=self.newton_steps)
        scale = tree_norm(scaled(first))
        off = tree_norm(missing(u, field))
        residual = off / divisor(scale)
        n = self.newton_steps
        hvps = 2 * jnp.sum(matvecs, dtype=jnp.int32)
        info = round_info(losses, 2 * (n + 1), hvps, n, residual)
        return game.project(eqx.combine(u, rest)), state, info
