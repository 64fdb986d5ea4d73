"""Matrix games: finitely many actions each, and mixed strategies over them."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax.projections
from jaxtyping import Array, Float
from scipy.optimize import linprog

from gameopt._games.base import AbstractGame, zero_sum_losses_and_field
from gameopt._games.sets import Simplex
from gameopt._trees import float_array, optional_float_array
from gameopt._types import Key, Players, Projection, Scalar

Parametrization = Literal["simplex", "softmax"]


class MatrixGame(AbstractGame):
    r"""$L_x = p^\top A q$ and $L_y = p^\top B q$, of mixed strategies $p$ and $q$.

    - `loss_x`: $A$, shape `(n, m)`: what action i costs the first player against action j.
    - `loss_y`: $B$, shape `(n, m)`: what it costs the second; `None` is the zero-sum $B = -A$.
    - `parametrization`: what `players.x` of shape `(n,)` and `players.y` of shape `(m,)` are.
      `simplex`: $p$ and $q$ themselves, kept on the simplex by `project`. `softmax`: logits,
      without a set.

    `metrics` has the exploitability, which is zero exactly at the Nash equilibria.
    """

    loss_x: Float[Array, "n m"] = eqx.field(converter=float_array)
    loss_y: Float[Array, "n m"] | None = eqx.field(converter=optional_float_array, default=None)
    parametrization: Parametrization = eqx.field(static=True, default="simplex")

    def __check_init__(self):
        if self.loss_x.ndim != 2:
            raise ValueError(f"MatrixGame.loss_x must be a matrix, got {self.loss_x.shape}.")
        if self.loss_y is not None and self.loss_y.shape != self.loss_x.shape:
            raise ValueError(
                f"MatrixGame.loss_y must be of the shape of loss_x, {self.loss_x.shape}, got "
                f"{self.loss_y.shape}."
            )

    def strategies(self, players: Players) -> Players[Float[Array, " n"], Float[Array, " m"]]:
        """The probabilities $p$ and $q$ of the actions."""
        if self.parametrization == "simplex":
            return players
        return Players(jax.nn.softmax(players.x), jax.nn.softmax(players.y))

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        del key
        mixed = self.strategies(players)
        loss_x = mixed.x @ self.loss_x @ mixed.y
        loss_y = -loss_x if self.loss_y is None else mixed.x @ self.loss_y @ mixed.y
        return Players(loss_x, loss_y)

    def losses_and_field(
        self, players: Players, key: Key = None
    ) -> tuple[Players[Scalar, Scalar], Players]:
        if self.loss_y is None:
            return zero_sum_losses_and_field(lambda p: self.losses(p, key).x, players)
        return super().losses_and_field(players, key)

    def project(self, players: Players) -> Players:
        if self.parametrization == "softmax":
            return players
        # optax's projections mix integers with floats, which strict promotion forbids.
        with jax.numpy_dtype_promotion("standard"):
            return Players(
                optax.projections.projection_simplex(players.x),
                optax.projections.projection_simplex(players.y),
            )

    def sets(self, players: Players) -> Players[Projection | None, Projection | None]:
        del players
        own = None if self.parametrization == "softmax" else Simplex()
        return Players(own, own)

    @property
    def is_zero_sum(self) -> bool:
        return self.loss_y is None

    def best_answer_gains(self, players: Players) -> Players[Scalar, Scalar]:
        """The losses, less those of the best action against the other's strategy."""
        mixed, losses = self.strategies(players), self.losses(players)
        matrix_y = -self.loss_x if self.loss_y is None else self.loss_y
        best_x, best_y = jnp.min(self.loss_x @ mixed.y), jnp.min(mixed.x @ matrix_y)
        return Players(losses.x - best_x, losses.y - best_y)

    def exploitability(self, players: Players) -> Scalar:
        r"""The sum of the players' gains by best answers: never below zero.

        In a zero-sum game it is the duality gap $\max_j (A^\top p)_j - \min_i (A q)_i$.
        """
        gains = self.best_answer_gains(players)
        return gains.x + gains.y

    def metrics(self, players: Players, key: Key = None) -> dict[str, Array]:
        del key
        return {"exploitability": self.exploitability(players)}

    def equilibria(self) -> tuple[Players, ...]:
        """A Nash equilibrium of a zero-sum game by linear programming; of others, none is known.

        There may be more of them. As logits it exists only where every action has a probability
        above zero.
        """
        if self.loss_y is not None:
            return ()
        matrix = np.asarray(self.loss_x, np.float64)
        p, q = _minimax_strategy(matrix), _minimax_strategy(-matrix.T)
        if self.parametrization == "softmax":
            if min(p.min(), q.min()) <= 0:
                return ()
            p, q = np.log(p), np.log(q)
        dtype = self.loss_x.dtype
        return (Players(jnp.asarray(p, dtype), jnp.asarray(q, dtype)),)


def _minimax_strategy(matrix: np.ndarray) -> np.ndarray:
    """The p on the simplex of smallest $v = \\max_j (A^\\top p)_j$: shape `(n,)`."""
    n, m = matrix.shape
    # The variables are p and v: minimise v subject to A'p - v <= 0 and sum p = 1.
    solution = linprog(
        c=np.append(np.zeros(n), 1.0),
        A_ub=np.hstack([matrix.T, -np.ones((m, 1))]),
        b_ub=np.zeros(m),
        A_eq=np.append(np.ones(n), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * n + [(None, None)],
        method="highs",
    )
    return solution.x[:n]


def rock_paper_scissors(parametrization: Parametrization = "simplex") -> MatrixGame:
    """A loss costs 1, a win gains 1; the one equilibrium is a third of each."""
    loss_x = np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    return MatrixGame(loss_x, parametrization=parametrization)


def matching_pennies(parametrization: Parametrization = "simplex") -> MatrixGame:
    """The first player wins 1 if the coins agree; the one equilibrium is a half of each."""
    loss_x = np.array([[-1.0, 1.0], [1.0, -1.0]])
    return MatrixGame(loss_x, parametrization=parametrization)
