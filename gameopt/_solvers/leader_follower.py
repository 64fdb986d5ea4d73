"""Solvers for games with a leader (x) and a follower (y): Stackelberg and Follow-the-Ridge."""

from typing import Any, ClassVar, Literal

import equinox as eqx
from jaxtyping import Array, Float

from gameopt._checks import check_choice
from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import hessian_product, jvp, loss_gradient
from gameopt._linalg.linear_solves import LinearSolution, LinearSolver, solve_linear
from gameopt._solvers.base import (
    AbstractMemorylessSolver,
    Optimizers,
    RoundInfo,
    as_optimizers,
    check_two_players,
    descend_plainly,
    round_info,
)
from gameopt._solvers.directions import AbstractOptimizedDirection, Direction
from gameopt._trees import float_array, per_player, tree_axpy, tree_scale
from gameopt._types import Key, Player, Players, Scalar, Strategy


class Stackelberg(AbstractOptimizedDirection):
    r"""The leader x descends its *total* derivative, along which y's best answer moves too:

    $$D L_x = \nabla_x L_x - \nabla^2_{xy}L_y\,(\nabla^2_{yy}L_y + \lambda I)^{-1}\nabla_y L_x,$$

    and the follower y descends $\nabla_y L_y$, both at once.

    - `optimizers`: one per player; y's should be the faster.
    - `damping`: $\lambda \ge 0$. `linear_solver`: see `solve_linear`; conjugate gradients on the
      squared system by default, since far from an answer y's Hessian may be indefinite.

    Three gradients, one solve, a Hessian product and two for every step of the solve.

    !!! cite "Source"

        Fiez, Chasnov & Ratliff (2020), arXiv:1906.01217, section 3 (the regularised form of
        section 5).
    """

    optimizers: Optimizers = eqx.field(converter=as_optimizers)
    damping: Float[Array, ""] = eqx.field(converter=float_array, default=0.0)
    linear_solver: LinearSolver = None

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> Players[Any, Any]:
        check_two_players(game, players, self)
        return super().init(game, players, key)

    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        losses, field = game.losses_and_field(players, key)
        slope = loss_gradient(game, players, "x", "y", key)
        solution = _own_solve(game, players, "y", slope, self.damping, self.linear_solver, key)
        through_y = hessian_product(game, players, "y", "x", "y", solution.value, key)
        direction = Players(tree_axpy(-1.0, through_y, field.x), field.y)
        return Direction(direction, losses, 3, 1 + solution.matvecs, 1, solution.residual)


class FollowTheRidge(AbstractMemorylessSolver):
    r"""Gradient play with a correction that keeps the follower on its ridge
    $\nabla_y L_y = 0$ while x moves.

    `single`: $x^+ = x - \eta_x\nabla_x L_x$, $y^+ = y - \eta_y\nabla_y L_y +
    \eta_x(\nabla^2_{yy}L_y)^{-1}\nabla^2_{yx}L_y\nabla_x L_x$. Its Jacobian at a strict local
    minimax has real eigenvalues, those of the Schur complement and of $\nabla^2_{yy}L_y$: no
    rotation, and only such points attract.

    `double`: both players do so at once: $d_x + H_{xx}^{-1}J_{xy}d_y = \xi_x$ and
    $d_y + H_{yy}^{-1}J_{yx}d_x = \xi_y$, that is $J d = (H_{xx}\xi_x, H_{yy}\xi_y)$. At a fixed
    point where $H_{xx}$, $H_{yy}$ and $J$ are regular its Jacobian is similar to
    $\mathrm{diag}(H_{xx}, H_{yy})$, so that of these points only differential Nash equilibria
    attract, in general-sum games too.

    - `learning_rate`: $\eta$, a number or a `Players` (`double` wants equal ones for its theory).
    - `damping`: added to the Hessian that is inverted. `linear_solver`: see `solve_linear`;
      conjugate gradients on the squared system by default.

    Two gradients, one solve; per step of the solve two Hessian products (`single`), or four
    (`double`).

    !!! cite "Source"

        Wang, Zhang & Ba (2020), arXiv:1910.07512, algorithm 1 (`single`); Bao & Zhang (2023),
        "Finding and only finding differential Nash equilibria by both pretending to be a follower",
        TMLR (`double`; the form above is derived from the property).
    """

    needs_two: ClassVar[bool] = True
    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)
    variant: Literal["single", "double"] = "single"
    damping: Float[Array, ""] = eqx.field(converter=float_array, default=0.0)
    linear_solver: LinearSolver = None

    def __check_init__(self):
        check_choice("variant", self.variant, ("single", "double"))

    def step(
        self, game: AbstractGame, players: Players, state: None, key: Key = None
    ) -> tuple[Players, None, RoundInfo]:
        losses, field = game.losses_and_field(players, key)
        if self.variant == "single":
            solution, hvps = self._ridge(game, players, field, key)
            x = tree_axpy(-self.learning_rate.x, field.x, players.x)
            y = tree_axpy(-self.learning_rate.y, field.y, players.y)
            new = game.project(Players(x, tree_axpy(1.0, solution.value, y)))
        else:
            solution, hvps = self._both_ridges(game, players, field, key)
            new = descend_plainly(game, self.learning_rate, solution.value, players)
        return new, state, round_info(losses, 2, hvps, 1, solution.residual)

    def _ridge(self, game: AbstractGame, players: Players, field: Players, key: Key):
        """$\\eta_x H_{yy}^{-1}\\nabla^2_{yx}L_y\\nabla_x L_x$."""
        tilt = hessian_product(game, players, "y", "y", "x", field.x, key)
        right = tree_scale(self.learning_rate.x, tilt)
        solution = _own_solve(game, players, "y", right, self.damping, self.linear_solver, key)
        return solution, 1 + solution.matvecs

    def _both_ridges(self, game: AbstractGame, players: Players, field: Players, key: Key):
        """The direction $d$ with $J d = (H_{xx}\\xi_x, H_{yy}\\xi_y)$."""
        own = lambda name: hessian_product(
            game, players, name, name, name, getattr(field, name), key
        )
        right = Players(own("x"), own("y"))
        matvec = lambda v: tree_axpy(self.damping, v, jvp(game, players, v, key))
        solution = solve_linear(
            matvec, right, positive_definite=False, linear_solver=self.linear_solver
        )
        return solution, 2 + 2 * solution.matvecs


def _own_solve(
    game: AbstractGame,
    players: Players,
    player: Player,
    right: Strategy,
    damping: Scalar,
    linear_solver: LinearSolver,
    key: Key,
) -> LinearSolution:
    """$(\\nabla^2_{pp}L_p + \\lambda I)^{-1} b$ of one player's own Hessian."""

    def matvec(v: Strategy) -> Strategy:
        return tree_axpy(damping, v, hessian_product(game, players, player, player, player, v, key))

    return solve_linear(matvec, right, positive_definite=False, linear_solver=linear_solver)
