"""Solvers that descend the field with a correction made of its own Jacobian."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import jvp_of_played as jvp, vjp_of_played as vjp
from gameopt._linalg.linear_solves import LinearSolver, solve_linear
from gameopt._solvers.base import Optimizers, as_optimizers
from gameopt._solvers.directions import AbstractOptimizedDirection, Direction
from gameopt._trees import float_array, tree_axpy, tree_dot, tree_scale
from gameopt._types import Key, Players


class SGA(AbstractOptimizedDirection):
    r"""Symplectic gradient adjustment: descends $\xi + \lambda A^\top\xi$, with
    $A^\top\xi = \tfrac12(J^\top\xi - J\xi)$, the rotational part of $J$ alone.

    - `optimizers`: one per player. `strength`: $\lambda$.
    - `align`: give $\lambda$ the sign of $\langle\xi, J^\top\xi\rangle
      \langle A^\top\xi, J^\top\xi\rangle/d + \epsilon$, $d$ the number of entries, so that the
      correction leads to stable and away from unstable fixed points.
    - `epsilon`: $\epsilon$: 0.1 prefers adjusting where both are flat.

    Two gradients and four Hessian products a round.

    !!! cite "Source"

        Balduzzi et al. (2018), arXiv:1802.05642, section 3.3 and algorithm 1.
    """

    optimizers: Optimizers = eqx.field(converter=as_optimizers)
    strength: Float[Array, ""] = eqx.field(converter=float_array, default=1.0)
    align: bool = True
    epsilon: Float[Array, ""] = eqx.field(converter=float_array, default=0.1)

    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        losses, field = game.losses_and_field(players, key)
        transposed = vjp(game, players, field, key)
        straight = jvp(game, players, field, key)
        rotation = jax.tree.map(lambda t, s: (t - s) / 2, transposed, straight)
        strength = self.strength
        if self.align:
            product = tree_dot(field, transposed) * tree_dot(rotation, transposed)
            size = sum(leaf.size for leaf in jax.tree.leaves(field))
            aligned = product / size + self.epsilon.astype(product.dtype)
            strength = strength * jnp.where(aligned >= 0, 1.0, -1.0).astype(strength.dtype)
        direction = tree_axpy(strength, rotation, field)
        return Direction(direction, losses, 2, 4)


class Consensus(AbstractOptimizedDirection):
    r"""Consensus optimisation: descends $\xi + \gamma J^\top\xi$, the gradient of
    $\tfrac12\|\xi\|^2$ added to both players'.

    - `optimizers`: one per player. `strength`: $\gamma$.

    Two gradients and two Hessian products a round.

    !!! cite "Source"

        Mescheder, Nowozin & Geiger (2017), arXiv:1705.10461, algorithm 2.
    """

    optimizers: Optimizers = eqx.field(converter=as_optimizers)
    strength: Float[Array, ""] = eqx.field(converter=float_array, default=1.0)

    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        losses, field = game.losses_and_field(players, key)
        direction = tree_axpy(self.strength, vjp(game, players, field, key), field)
        return Direction(direction, losses, 2, 2)


class Hamiltonian(AbstractOptimizedDirection):
    r"""Hamiltonian gradient descent: both descend $\tfrac12\|\xi\|^2$ along $J^\top\xi$.

    - `optimizers`: one per player.

    Two gradients and two Hessian products a round. It converges to any critical point, a saddle or
    a maximum of both losses too.

    !!! cite "Source"

        Abernethy, Lai & Wibisono (2019), arXiv:1906.02027, equation 5.
    """

    optimizers: Optimizers = eqx.field(converter=as_optimizers)

    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        losses, field = game.losses_and_field(players, key)
        direction = vjp(game, players, field, key)
        return Direction(direction, losses, 2, 2)


class LSS(AbstractOptimizedDirection):
    r"""Local symplectic surgery: descends $\tfrac12\bigl(I + J^\top(J^\top J + \lambda I)^{-1}
    J^\top\bigr)\xi$.

    - `optimizers`: one per player. `damping`: $\lambda > 0$.
    - `linear_solver`: see `solve_linear`; conjugate gradients by default.

    Near a critical point with regular $J$ the Jacobian of the direction tends to $\tfrac12(J +
    J^\top)$ as $\lambda \to 0$ in zero-sum games: no rotation, and only differential Nash
    equilibria attract. Two gradients, four Hessian products, and four for every product of the
    solve.

    !!! cite "Source"

        Mazumdar, Jordan & Sastry (2019), arXiv:1901.00838, equation 6.
    """

    optimizers: Optimizers = eqx.field(converter=as_optimizers)
    damping: Float[Array, ""] = eqx.field(converter=float_array, default=1e-3)
    linear_solver: LinearSolver = None

    def direction(self, game: AbstractGame, players: Players, key: Key = None) -> Direction:
        losses, field = game.losses_and_field(players, key)

        def matvec(v: Players) -> Players:
            product = vjp(game, players, jvp(game, players, v, key), key)
            return tree_axpy(self.damping, v, product)

        right = vjp(game, players, field, key)
        solution = solve_linear(
            matvec, right, positive_definite=True, linear_solver=self.linear_solver
        )
        surgery = vjp(game, players, solution.value, key)
        direction = tree_scale(0.5, jax.tree.map(jnp.add, field, surgery))
        return Direction(direction, losses, 2, 4 + 4 * solution.matvecs, 1, solution.residual)
