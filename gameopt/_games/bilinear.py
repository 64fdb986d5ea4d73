"""The bilinear game: the one that simultaneous play never solves."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gameopt._games.base import ZeroSumGame
from gameopt._games.best_answers import linear_gain
from gameopt._trees import float_array, optional_float_array
from gameopt._types import Key, Players, Scalar


class Bilinear(ZeroSumGame):
    r"""$V(x, y) = x^\top M y + b^\top x + c^\top y$.

    - `matrix`: $M$, shape `(n, m)`; or a number, for strategies of shape `()`.
    - `offset_x`, `offset_y`: $b$ of shape `(n,)` and $c$ of shape `(m,)`; zero by default.

    $J$ is antisymmetric: the game is all rotation. Per singular value $s$ of $M$, a round of
    simultaneous play multiplies the distance from equilibrium by $\sqrt{1 + \eta_x\eta_y s^2}$ (in
    the norm $\sqrt{|x|^2/\eta_x + |y|^2/\eta_y}$, if the steps are not equal), while alternating
    play circles iff $\eta_x \eta_y s^2 < 4$
    (Gidel et al. 2019, arXiv:1807.04740; Zhang & Yu 2020, arXiv:1908.05699).
    """

    matrix: Float[Array, "*shape"] = eqx.field(converter=float_array)
    offset_x: Float[Array, "..."] | None = eqx.field(converter=optional_float_array, default=None)
    offset_y: Float[Array, "..."] | None = eqx.field(converter=optional_float_array, default=None)

    def __check_init__(self):
        if self.matrix.ndim not in (0, 2):
            raise ValueError(
                f"Bilinear.matrix must be a number or of shape (n, m), got {self.matrix.shape}."
            )

    def value(self, players: Players, key: Key = None) -> Scalar:
        del key
        x, y = players.x, players.y
        product = x * self.matrix * y if self.matrix.ndim == 0 else x @ self.matrix @ y
        if self.offset_x is not None:
            product = product + jnp.sum(self.offset_x * x)
        if self.offset_y is not None:
            product = product + jnp.sum(self.offset_y * y)
        return product

    def best_answer_gains(self, players: Players) -> Players[Scalar, Scalar]:
        """Infinite, unless the other's strategy leaves nothing to gain."""
        x, y, matrix = players.x, players.y, self.matrix
        times = (lambda m, v: m * v) if matrix.ndim == 0 else (lambda m, v: m @ v)
        return Players(
            _gain(times, matrix, y, self.offset_x), _gain(times, matrix.T, x, self.offset_y)
        )

    def equilibria(self) -> tuple[Players, ...]:
        """The equilibrium $My = -b$, $M^\\top x = -c$ of smallest norm; none if there is none.

        Where $M$ has a null space, the equilibria are this one plus the null space.
        """
        matrix = np.atleast_2d(np.asarray(self.matrix))
        b = _flat(self.offset_x, matrix.shape[0])
        c = _flat(self.offset_y, matrix.shape[1])
        y = -np.linalg.pinv(matrix) @ b
        x = -np.linalg.pinv(matrix.T) @ c
        if not (np.allclose(matrix @ y, -b) and np.allclose(matrix.T @ x, -c)):
            return ()
        shape_x, shape_y = ((), ()) if self.matrix.ndim == 0 else (x.shape, y.shape)
        dtype = self.matrix.dtype
        return (
            Players(jnp.asarray(x.reshape(shape_x), dtype), jnp.asarray(y.reshape(shape_y), dtype)),
        )


def _gain(times: Callable, matrix: Array, other: Array, offset: Array | None) -> Scalar:
    gradient, magnitude = times(matrix, other), times(jnp.abs(matrix), jnp.abs(other))
    if offset is not None:
        offset = offset.reshape(gradient.shape)
        gradient, magnitude = gradient + offset, magnitude + jnp.abs(offset)
    return linear_gain(gradient, jnp.max(magnitude))


def _flat(offset: Float[Array, "..."] | None, size: int) -> np.ndarray:
    return np.zeros(size) if offset is None else np.asarray(offset).reshape(size)
