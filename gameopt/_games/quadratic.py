"""Quadratic games: general-sum from four blocks, zero-sum from three."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gameopt._games.base import AbstractGame, ZeroSumGame
from gameopt._games.best_answers import quadratic_gain
from gameopt._trees import float_array, optional_float_array
from gameopt._types import Key, Players, Scalar


class Quadratic(AbstractGame):
    r"""The general-sum quadratic game with

    $$L_x = \tfrac12 x^\top A x + x^\top B y + a^\top x, \qquad
      L_y = \tfrac12 y^\top D y + y^\top C x + d^\top y.$$

    - `xx`: $A$, shape `(n, n)`. `xy`: $B$, `(n, m)`. `yx`: $C$, `(m, n)`. `yy`: $D$, `(m, m)`.
    - `linear_x`, `linear_y`: $a$ of shape `(n,)`, $d$ of shape `(m,)`; zero by default.

    With symmetric $A$ and $D$ its Jacobian is $\begin{pmatrix} A & B \\ C & D\end{pmatrix}$
    everywhere (of a non-symmetric block the symmetric part counts), so that every smooth game is
    one of these near a critical point.
    """

    xx: Float[Array, "n n"] = eqx.field(converter=float_array)
    xy: Float[Array, "n m"] = eqx.field(converter=float_array)
    yx: Float[Array, "m n"] = eqx.field(converter=float_array)
    yy: Float[Array, "m m"] = eqx.field(converter=float_array)
    linear_x: Float[Array, " n"] | None = eqx.field(converter=optional_float_array, default=None)
    linear_y: Float[Array, " m"] | None = eqx.field(converter=optional_float_array, default=None)

    def __check_init__(self):
        n, m = self.xy.shape
        check_blocks(
            {
                "xx": (self.xx, (n, n)),
                "yx": (self.yx, (m, n)),
                "yy": (self.yy, (m, m)),
                "linear_x": (self.linear_x, (n,)),
                "linear_y": (self.linear_y, (m,)),
            },
            self,
        )

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        del key
        x, y = players.x, players.y
        loss_x = _form(self.xx, x) + x @ self.xy @ y + _dot(self.linear_x, x)
        loss_y = _form(self.yy, y) + y @ self.yx @ x + _dot(self.linear_y, y)
        return Players(loss_x, loss_y)

    def best_answer_gains(self, players: Players) -> Players[Scalar, Scalar]:
        """Infinite where a player's own block is not positive semidefinite."""
        x, y = players.x, players.y
        return Players(
            _gain(self.xx, x, self.xy, y, self.linear_x),
            _gain(self.yy, y, self.yx, x, self.linear_y),
        )

    def equilibria(self) -> tuple[Players, ...]:
        """The Nash equilibrium of smallest norm; none if no point is stationary and convex."""
        return _quadratic_nash(self.xx, self.xy, self.yx, self.yy, self.linear_x, self.linear_y)


class ZeroSumQuadratic(ZeroSumGame):
    r"""$V = \tfrac12 x^\top A x + x^\top B y + \tfrac12 y^\top D y + a^\top x + d^\top y$.

    - `xx`: $A$, shape `(n, n)`. `xy`: $B$, `(n, m)`. `yy`: $D$, `(m, m)`.
    - `linear_x`, `linear_y`: $a$ of shape `(n,)`, $d$ of shape `(m,)`; zero by default.

    Convex-concave iff $A \succeq 0 \succeq D$. Its Jacobian is
    $\begin{pmatrix} A & B \\ -B^\top & -D\end{pmatrix}$.
    """

    xx: Float[Array, "n n"] = eqx.field(converter=float_array)
    xy: Float[Array, "n m"] = eqx.field(converter=float_array)
    yy: Float[Array, "m m"] = eqx.field(converter=float_array)
    linear_x: Float[Array, " n"] | None = eqx.field(converter=optional_float_array, default=None)
    linear_y: Float[Array, " m"] | None = eqx.field(converter=optional_float_array, default=None)

    def __check_init__(self):
        n, m = self.xy.shape
        check_blocks(
            {
                "xx": (self.xx, (n, n)),
                "yy": (self.yy, (m, m)),
                "linear_x": (self.linear_x, (n,)),
                "linear_y": (self.linear_y, (m,)),
            },
            self,
        )

    def value(self, players: Players, key: Key = None) -> Scalar:
        del key
        x, y = players.x, players.y
        quadratic = _form(self.xx, x) + x @ self.xy @ y + _form(self.yy, y)
        return quadratic + _dot(self.linear_x, x) + _dot(self.linear_y, y)

    @property
    def general_sum(self) -> Quadratic:
        """The same game by its two losses."""
        linear_y = None if self.linear_y is None else -self.linear_y
        return Quadratic(self.xx, self.xy, -self.xy.T, -self.yy, self.linear_x, linear_y)

    def best_answer_gains(self, players: Players) -> Players[Scalar, Scalar]:
        """Infinite where the value is not convex in x, or not concave in y."""
        return self.general_sum.best_answer_gains(players)

    def equilibria(self) -> tuple[Players, ...]:
        """The saddle point of smallest norm; none if the game is not convex-concave."""
        return self.general_sum.equilibria()


def _form(matrix: Float[Array, "n n"], vector: Float[Array, " n"]) -> Scalar:
    return 0.5 * (vector @ matrix @ vector)


def _dot(linear: Float[Array, " n"] | None, vector: Float[Array, " n"]) -> Scalar:
    return jnp.zeros((), vector.dtype) if linear is None else linear @ vector


def _gain(own, strategy, cross, other, linear) -> Scalar:
    """The best answer's gain for the loss of one player, whose blocks are `own` and `cross`."""
    hessian = (own + own.T) / 2
    gradient = hessian @ strategy + cross @ other
    magnitude = jnp.abs(hessian) @ jnp.abs(strategy) + jnp.abs(cross) @ jnp.abs(other)
    if linear is not None:
        gradient, magnitude = gradient + linear, magnitude + jnp.abs(linear)
    return quadratic_gain(hessian, gradient, jnp.max(magnitude))


def check_blocks(
    blocks: dict[str, tuple[Any, tuple[int, ...]]], game: AbstractGame, fits: str = "xy"
) -> None:
    """Raise a `ValueError` for the first of the named blocks that is not of its shape."""
    for name, (block, shape) in blocks.items():
        if block is not None and block.shape != shape:
            raise ValueError(
                f"{type(game).__name__}.{name} must be of shape {shape} to fit {fits}, got "
                f"{block.shape}."
            )


def _quadratic_nash(xx, xy, yx, yy, linear_x, linear_y) -> tuple[Players, ...]:
    n, m = xy.shape
    sym = lambda block: (np.asarray(block) + np.asarray(block).T) / 2
    xx, yy = sym(xx), sym(yy)
    jacobian = np.block([[xx, np.asarray(xy)], [np.asarray(yx), yy]])
    a = np.zeros(n) if linear_x is None else np.asarray(linear_x)
    d = np.zeros(m) if linear_y is None else np.asarray(linear_y)
    constant = np.concatenate([a, d])
    point = -np.linalg.pinv(jacobian) @ constant
    stationary = np.allclose(jacobian @ point, -constant)
    slack = np.sqrt(np.finfo(jacobian.dtype).eps) * max(1.0, np.abs(jacobian).max())
    convex = np.linalg.eigvalsh(xx).min() >= -slack and np.linalg.eigvalsh(yy).min() >= -slack
    if not (stationary and convex):
        return ()
    dtype = jacobian.dtype
    return (Players(jnp.asarray(point[:n], dtype), jnp.asarray(point[n:], dtype)),)
