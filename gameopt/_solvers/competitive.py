"""Competitive gradient descent: both players play the Nash equilibrium of a bilinear model."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gameopt._arithmetic import square_root
from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import hessian_product
from gameopt._linalg.linear_solves import LinearSolution, LinearSolver, solve_linear
from gameopt._solvers.base import (
    AbstractMemorylessSolver,
    AbstractSolver,
    RoundInfo,
    check_two_players,
    round_info,
)
from gameopt._trees import float_array, per_player, playable, tree_axpy
from gameopt._types import Key, Players, Scalar


class CGD(AbstractMemorylessSolver):
    r"""$\Delta x = -\eta_x(\nabla_x L_x + \nabla^2_{xy}L_x\,\Delta y)$ and $\Delta y =
    -\eta_y(\nabla_y L_y + \nabla^2_{yx}L_y\,\Delta x)$, solved together:

    $$\Delta x = -\eta_x\bigl(I - \eta_x\eta_y\nabla^2_{xy}L_x\nabla^2_{yx}L_y\bigr)^{-1}
    \bigl(\nabla_x L_x - \eta_y\nabla^2_{xy}L_x\nabla_y L_y\bigr).$$

    - `learning_rate`: $\eta$, a number or a `Players`.
    - `linear_solver`: see `solve_linear`; conjugate gradients by default.

    Two gradients, one solve, two Hessian products and two for every product of the solve. On a
    bilinear game it is the proximal point method: rate $1/\sqrt{1 + \eta^2 s^2}$.

    !!! cite "Source"

        Schäfer & Anandkumar (2019), arXiv:1905.12103, equation 4 and algorithm 1.
    """

    needs_two: ClassVar[bool] = True
    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)
    linear_solver: LinearSolver = None

    def step(
        self, game: AbstractGame, players: Players, state: None, key: Key = None
    ) -> tuple[Players, None, RoundInfo]:
        losses, field = game.losses_and_field(players, key)
        constant = lambda rate, tree: jax.tree.map(lambda g: jnp.full_like(g, rate), tree)
        rates = Players(
            constant(self.learning_rate.x, field.x), constant(self.learning_rate.y, field.y)
        )
        moves, solution = _competitive_moves(game, players, field, rates, self.linear_solver, key)
        return _played(game, players, moves), state, _report(losses, solution)


class ACGDState(eqx.Module):
    """Running means of the squared gradients, and how many there were."""

    squares: Players
    count: Int[Array, ""]


class ACGD(AbstractSolver[ACGDState]):
    r"""Adaptive CGD: every entry has the rate $\eta\sqrt{1 - \beta^t}/(\sqrt{v} + \epsilon)$, with
    $v \leftarrow \beta v + (1 - \beta) g^2$ of its own gradient.

    - `learning_rate`: $\eta$, a number or a `Players`. `beta`: $\beta$. `epsilon`: $\epsilon$.
    - `linear_solver`: see `solve_linear`; conjugate gradients by default.

    The cost of `CGD`.

    !!! cite "Source"

        Schäfer, Zheng & Anandkumar (2020), arXiv:1910.05852, algorithm 1.
    """

    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)
    beta: Float[Array, ""] = eqx.field(converter=float_array, default=0.99)
    epsilon: Float[Array, ""] = eqx.field(converter=float_array, default=1e-5)
    linear_solver: LinearSolver = None

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> ACGDState:
        del key
        check_two_players(game, players, self)
        zeros = jax.tree.map(jnp.zeros_like, playable(players))
        return ACGDState(zeros, jnp.zeros((), jnp.int32))

    def step(
        self, game: AbstractGame, players: Players, state: ACGDState, key: Key = None
    ) -> tuple[Players, ACGDState, RoundInfo]:
        losses, field = game.losses_and_field(players, key)
        count = state.count + 1
        mean = lambda v, g: self.beta.astype(g.dtype) * v + (1 - self.beta).astype(g.dtype) * g**2
        squares = jax.tree.map(mean, state.squares, field)
        correction = jnp.sqrt(1 - self.beta ** count.astype(self.beta.dtype))

        def rates(rate: Scalar, tree: Any) -> Any:
            scale = rate.astype(correction.dtype) * correction
            one = lambda v: scale.astype(v.dtype) / (square_root(v) + self.epsilon.astype(v.dtype))
            return jax.tree.map(one, tree)

        each = Players(
            rates(self.learning_rate.x, squares.x), rates(self.learning_rate.y, squares.y)
        )
        moves, solution = _competitive_moves(game, players, field, each, self.linear_solver, key)
        state = ACGDState(squares, count)
        return _played(game, players, moves), state, _report(losses, solution)


def _competitive_moves(
    game: AbstractGame,
    players: Players,
    field: Players,
    rates: Players,
    linear_solver: LinearSolver,
    key: Key,
) -> tuple[Players, LinearSolution]:
    """$(\\Delta x, \\Delta y)$ with a rate for every entry.

    The system is scaled by the roots of x's rates, so that it is symmetric in a zero-sum game:
    there $I + R B \\eta_y B^\\top R$, with $R$ the diagonal of $\\sqrt{\\eta_x}$.
    """
    times = lambda a, b: jax.tree.map(jnp.multiply, a, b)
    across = lambda v: hessian_product(game, players, "x", "x", "y", v, key)
    back = lambda v: hessian_product(game, players, "y", "y", "x", v, key)
    root = jax.tree.map(jnp.sqrt, rates.x)

    def matvec(v: Any) -> Any:
        there_and_back = across(times(rates.y, back(times(root, v))))
        return jax.tree.map(jnp.subtract, v, times(root, there_and_back))

    foreseen = across(times(rates.y, field.y))
    right = times(root, jax.tree.map(jnp.subtract, field.x, foreseen))
    solution = solve_linear(
        matvec, right, positive_definite=game.is_zero_sum, linear_solver=linear_solver
    )
    # The residual's own product begins with this one, and XLA takes it once for both.
    against_x = times(root, solution.value)
    answered = jax.tree.map(jnp.subtract, back(against_x), field.y)
    return Players(jax.tree.map(jnp.negative, against_x), times(rates.y, answered)), solution


def _played(game: AbstractGame, players: Players, moves: Players) -> Players:
    return game.project(tree_axpy(1.0, moves, players))


def _report(losses: Players[Scalar, Scalar], solution: LinearSolution) -> RoundInfo:
    return round_info(losses, 2, 2 + 2 * solution.matvecs, 1, solution.residual)
