"""Linear-quadratic dynamic games: two controllers of one linear system."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from gameopt._checks import check_count
from gameopt._games.base import AbstractGame, ZeroSumGame
from gameopt._games.quadratic import check_blocks
from gameopt._trees import float_array
from gameopt._types import Key, Players, Scalar


def _horizon(value: Any) -> int | None:
    return None if value is None else check_count("horizon", value, 1)


class LinearQuadratic(AbstractGame):
    r"""$s_{t+1} = A s_t + B_x u_t + B_y w_t$ with $u_t = -K s_t$ and $w_t = -L s_t$.

    Each player pays $\mathbb{E}\sum_t s_t^\top Q s_t + u_t^\top R_u u_t + w_t^\top R_w w_t$ with
    matrices of its own, and plays its gain: `players.x` is $K$, shape `(n, d)`, and `players.y`
    is $L$, shape `(m, d)`.

    - `transition`: $A$, shape `(d, d)`. `input_x`, `input_y`: $B_x$, `(d, n)`, $B_y$, `(d, m)`.
    - `state_x`, `state_y`: $Q$ of each player, shape `(d, d)`.
    - `control_xx`, `control_xy`: $R_u$ and $R_w$ in the first player's cost, shapes `(n, n)` and
      `(m, m)`. `control_yx`, `control_yy`: those in the second player's. All are symmetric.
    - `start`: $\mathbb{E} s_0 s_0^\top$, shape `(d, d)`, positive definite.
    - `horizon`: the number of rounds; `None` is infinity. Then the losses are nan where the gains
      leave the system unstable, because the sums have no end.
    """

    transition: Float[Array, "d d"] = eqx.field(converter=float_array)
    input_x: Float[Array, "d n"] = eqx.field(converter=float_array)
    input_y: Float[Array, "d m"] = eqx.field(converter=float_array)
    state_x: Float[Array, "d d"] = eqx.field(converter=float_array)
    state_y: Float[Array, "d d"] = eqx.field(converter=float_array)
    control_xx: Float[Array, "n n"] = eqx.field(converter=float_array)
    control_xy: Float[Array, "m m"] = eqx.field(converter=float_array)
    control_yx: Float[Array, "n n"] = eqx.field(converter=float_array)
    control_yy: Float[Array, "m m"] = eqx.field(converter=float_array)
    start: Float[Array, "d d"] = eqx.field(converter=float_array)
    horizon: int | None = eqx.field(static=True, converter=_horizon, default=None)

    def __check_init__(self):
        (d, n), m = self.input_x.shape, self.input_y.shape[1]
        check_blocks(
            {
                "transition": (self.transition, (d, d)),
                "input_y": (self.input_y, (d, m)),
                "state_x": (self.state_x, (d, d)),
                "state_y": (self.state_y, (d, d)),
                "control_xx": (self.control_xx, (n, n)),
                "control_xy": (self.control_xy, (m, m)),
                "control_yx": (self.control_yx, (n, n)),
                "control_yy": (self.control_yy, (m, m)),
                "start": (self.start, (d, d)),
            },
            self,
            fits="input_x and input_y",
        )

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        del key
        second_moment = _second_moment(self, players)
        cost_x = _cost(players, self.state_x, self.control_xx, self.control_xy)
        cost_y = _cost(players, self.state_y, self.control_yx, self.control_yy)
        return Players(jnp.sum(cost_x * second_moment), jnp.sum(cost_y * second_moment))


class ZeroSumLinearQuadratic(ZeroSumGame):
    r"""The value is $\mathbb{E}\sum_t s_t^\top Q s_t + u_t^\top R_x u_t - w_t^\top R_y w_t$.

    A regulator against a disturbance: the system, the strategies and the fields are those of
    `LinearQuadratic`, except for

    - `state`: $Q$, shape `(d, d)`, symmetric.
    - `control_x`, `control_y`: $R_x$, shape `(n, n)`, and $R_y$, `(m, m)`, positive definite.

    !!! cite "Source"

        Başar & Bernhard (1995), H-infinity optimal control, chapter 3; policy gradients on it:
        Zhang, Yang & Başar (2019), arXiv:1906.00729.
    """

    transition: Float[Array, "d d"] = eqx.field(converter=float_array)
    input_x: Float[Array, "d n"] = eqx.field(converter=float_array)
    input_y: Float[Array, "d m"] = eqx.field(converter=float_array)
    state: Float[Array, "d d"] = eqx.field(converter=float_array)
    control_x: Float[Array, "n n"] = eqx.field(converter=float_array)
    control_y: Float[Array, "m m"] = eqx.field(converter=float_array)
    start: Float[Array, "d d"] = eqx.field(converter=float_array)
    horizon: int | None = eqx.field(static=True, converter=_horizon, default=None)

    def __check_init__(self):
        (d, n), m = self.input_x.shape, self.input_y.shape[1]
        check_blocks(
            {
                "transition": (self.transition, (d, d)),
                "input_y": (self.input_y, (d, m)),
                "state": (self.state, (d, d)),
                "control_x": (self.control_x, (n, n)),
                "control_y": (self.control_y, (m, m)),
                "start": (self.start, (d, d)),
            },
            self,
            fits="input_x and input_y",
        )

    @property
    def general_sum(self) -> LinearQuadratic:
        """The same game by its two losses."""
        return LinearQuadratic(
            transition=self.transition,
            input_x=self.input_x,
            input_y=self.input_y,
            state_x=self.state,
            state_y=-self.state,
            control_xx=self.control_x,
            control_xy=-self.control_y,
            control_yx=-self.control_x,
            control_yy=self.control_y,
            start=self.start,
            horizon=self.horizon,
        )

    def value(self, players: Players, key: Key = None) -> Scalar:
        return self.general_sum.losses(players, key).x

    def equilibria(self) -> tuple[Players, ...]:
        """The gains of the game's Riccati equation, for an infinite horizon; none if it has none.

        The value there is $\\operatorname{tr}(P\\, \\mathbb{E} s_0 s_0^\\top)$.
        """
        if self.horizon is not None:
            return ()
        gains = _riccati_gains(self)
        if gains is None:
            return ()
        n, dtype = self.input_x.shape[1], self.transition.dtype
        return (Players(jnp.asarray(gains[:n], dtype), jnp.asarray(gains[n:], dtype)),)


def _cost(players: Players, state, control_x, control_y) -> Float[Array, "d d"]:
    """$M = Q + K^\\top R_u K + L^\\top R_w L$: a round costs $s^\\top M s$."""
    gain_x, gain_y = players.x, players.y
    return state + gain_x.T @ control_x @ gain_x + gain_y.T @ control_y @ gain_y


def _second_moment(game: LinearQuadratic, players: Players) -> Float[Array, "d d"]:
    r"""$\Sigma = \sum_t F^t S_0 (F^\top)^t$ of the closed loop $F = A - B_x K - B_y L$."""
    closed = game.transition - game.input_x @ players.x - game.input_y @ players.y
    if game.horizon is None:
        return _lyapunov(closed, game.start)

    def step(moments, _):
        now, total = moments
        return (closed @ now @ closed.T, total + now), None

    zero = jnp.zeros_like(game.start)
    return jax.lax.scan(step, (game.start, zero), None, length=game.horizon)[0][1]


def _lyapunov(closed: Float[Array, "d d"], start: Float[Array, "d d"]) -> Float[Array, "d d"]:
    r"""The solution of $\Sigma = F \Sigma F^\top + S_0$; nan if $F$ is not stable."""
    d = closed.shape[0]
    # Rows first: vec(F X F') = (F kron F) vec(X).
    system = jnp.eye(d * d, dtype=closed.dtype) - jnp.kron(closed, closed)
    solution = jnp.linalg.solve(system, start.ravel()).reshape(d, d)
    # Lyapunov: with a positive definite start, F is stable iff the solution is positive definite.
    symmetric = jax.lax.stop_gradient((solution + solution.T) / 2)
    stable = jnp.linalg.eigvalsh(symmetric)[0] > 0
    # A factor, so that the gradient is nan too: a constant would look like a stationary point.
    return solution * jnp.where(stable, 1.0, jnp.nan).astype(closed.dtype)


def _riccati_gains(game: ZeroSumLinearQuadratic) -> np.ndarray | None:
    """The rows of K above those of L, of the stabilising solution $P$; `None` if there is none."""
    double = lambda block: np.asarray(block, np.float64)
    a, q, n = double(game.transition), double(game.state), game.input_x.shape[1]
    b = np.hstack([double(game.input_x), double(game.input_y)])
    weight = scipy.linalg.block_diag(double(game.control_x), -double(game.control_y))
    try:
        value = scipy.linalg.solve_discrete_are(a, b, q, weight)
    except (np.linalg.LinAlgError, ValueError):
        return None
    curvature = weight + b.T @ value @ b
    # Where the disturbance's own curvature is not negative it has no best answer. The cost of doing
    # nothing is not negative, up to rounding where the state's cost is singular.
    slack = 1e-9 * max(1.0, float(np.abs(value).max()))
    below = np.linalg.eigvalsh(value).min() < -slack
    if below or np.linalg.eigvalsh(curvature[n:, n:]).max() >= 0:
        return None
    return np.linalg.solve(curvature, b.T @ value @ a)
