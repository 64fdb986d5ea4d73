"""ODE-GAN: a Runge-Kutta step of the joint field."""

from typing import Literal, NamedTuple

import diffrax
import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from gameopt._checks import check_choice
from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import hessian_product, loss_gradient
from gameopt._keys import again
from gameopt._solvers.base import (
    AbstractMemorylessSolver,
    RoundInfo,
    descend_plainly,
    round_info,
)
from gameopt._trees import optional_float_array, per_player, tree_axpy
from gameopt._types import Key, Players, Scalar


class Tableau(NamedTuple):
    """An explicit Runge-Kutta method: stage i is at $z - \\eta\\sum_{j<i} a_{ij}\\xi_j$, and the
    step is $-\\eta\\sum_i b_i\\xi_i$."""

    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]


TABLEAUS: dict[str, Tableau] = {
    "euler": Tableau((), (1.0,)),
    "heun": Tableau(((1.0,),), (0.5, 0.5)),
    "midpoint": Tableau(((0.5,),), (0.0, 1.0)),
    "rk4": Tableau(((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}
"""Of order 1, 2, 2 and 4."""


class RungeKutta(AbstractMemorylessSolver):
    r"""$z^+ = z - \eta\sum_i b_i\,\xi(z_i)$: one step of $\dot z = -\xi(z)$, all stages *joint*.

    - `learning_rate`: $\eta$, a number or a `Players` (then the flow's rates are unequal).
    - `method`: `euler` (simultaneous play), `heun`, `midpoint`, `rk4`, or an explicit
      Runge-Kutta solver of `diffrax`, of which the tableau is used.
    - `regularizer`: $\lambda$ of the gradient regulariser: after the step,
      $y^+ \mathrel{-}= \eta_y\lambda\nabla_y\|\nabla_x L_x(z)\|^2$, at the old $z$.

    Two gradients a stage; the regulariser costs one gradient more and one Hessian product. On a
    bilinear game a mode $w = i\eta s$ is multiplied by the Taylor polynomial of $e^{-w}$ up to the
    order, so that `rk4` contracts iff $\eta s < 2\sqrt2$ and `heun` never does.

    !!! cite "Source"

        Qin et al. (2020), arXiv:2010.15040, algorithm 1.
    """

    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)
    method: Literal["euler", "heun", "midpoint", "rk4"] | diffrax.AbstractERK = "rk4"
    regularizer: Float[Array, ""] | None = eqx.field(converter=optional_float_array, default=None)

    def __check_init__(self):
        if isinstance(self.method, str):
            check_choice("method", self.method, tuple(TABLEAUS))

    def step(
        self, game: AbstractGame, players: Players, state: None, key: Key = None
    ) -> tuple[Players, None, RoundInfo]:
        tableau = _tableau(self.method)
        losses, field = game.losses_and_field(players, key)
        fields = [field]
        for row in tableau.a:
            stage = descend_plainly(game, self.learning_rate, _combine(row, fields), players)
            fields.append(game.losses_and_field(stage, again(key))[1])
        new = descend_plainly(game, self.learning_rate, _combine(tableau.b, fields), players)
        gradients, hvps = 2 * len(fields), 0
        if self.regularizer is not None:
            # The gradient of |g|^2 by y is 2 (dg/dy)' g, and the transposed block is L_x's yx.
            own = loss_gradient(game, players, "x", "x", key)
            slope = hessian_product(game, players, "x", "y", "x", own, key)
            y = tree_axpy(-2 * self.regularizer * self.learning_rate.y, slope, new.y)
            new = game.project(Players(new.x, y))
            gradients, hvps = gradients + 1, 1
        return new, state, round_info(losses, gradients, hvps)


def _tableau(method: str | diffrax.AbstractERK) -> Tableau:
    if isinstance(method, str):
        return TABLEAUS[method]
    tableau = method.tableau
    if not isinstance(tableau, diffrax.ButcherTableau):
        raise ValueError(f"{type(method).__name__} has no single explicit tableau.")
    rows = tuple(tuple(float(c) for c in np.asarray(row)) for row in tableau.a_lower)
    return Tableau(rows, tuple(float(c) for c in np.asarray(tableau.b_sol)))


def _combine(coefficients: tuple[float, ...], fields: list[Players]) -> Players:
    """The weighted sum of the fields; those of weight zero are skipped."""
    used = [(c, f) for c, f in zip(coefficients, fields, strict=True) if c != 0]
    total = jax.tree.map(lambda leaf: used[0][0] * leaf, used[0][1])
    for coefficient, field in used[1:]:
        total = jax.tree.map(lambda t, leaf, c=coefficient: t + c * leaf, total, field)
    return total
