"""A general-sum and a zero-sum game with their derivatives as dense matrices.

The blocks come from `jax.hessian` of both losses; the games are neither quadratic nor separable.
"""

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from tests.solvers import point

ETA, ALPHA = 0.07, 0.2


def loss_x(x, y):
    return jnp.sum(jnp.sin(x) * x) + x @ W @ y + 0.5 * jnp.sum(x[:2] * y**2) + jnp.sum(jnp.cosh(x))


def loss_y(x, y):
    return jnp.sum(y**4) / 4 + y @ U @ x + jnp.sum(y**2) + 0.3 * jnp.sum(jnp.tanh(x)) * jnp.sum(y)


W = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2)))
U = jnp.asarray(np.random.default_rng(1).normal(size=(2, 3)))
GAME = go.game_from_losses(loss_x, loss_y)
START = point([0.5, -0.3, 0.2], [0.4, 0.7])


def value(x, y):
    return jnp.sum(jnp.tanh(x[:2] * y)) + 0.5 * jnp.sum(x**2) - 0.3 * jnp.sum(y**2) + x @ W @ y


ZERO_SUM = go.zero_sum_game(value)


class Dense:
    """Gradients and Hessian blocks of both losses at the start, as NumPy arrays."""

    def __init__(self, f, g, start=START):
        x, y = start.x, start.y
        n = len(x)
        grad = lambda loss, i: np.asarray(jax.grad(loss, i)(x, y))
        self.x, self.y, self.n = np.asarray(x), np.asarray(y), n
        self.fx, self.fy, self.gx, self.gy = grad(f, 0), grad(f, 1), grad(g, 0), grad(g, 1)
        hess = lambda loss: [
            [np.asarray(b) for b in row] for row in jax.hessian(loss, (0, 1))(x, y)
        ]
        self.f, self.g = hess(f), hess(g)  # [row][column] blocks
        self.xi = np.concatenate([self.fx, self.gy])
        self.jac = np.block([[self.f[0][0], self.f[0][1]], [self.g[1][0], self.g[1][1]]])
        self.off = self.jac.copy()
        self.off[:n, :n] = 0
        self.off[n:, n:] = 0
        self.chi = np.concatenate([self.g[0][1] @ self.fy, self.f[1][0] @ self.gx])
        self.z = np.concatenate([self.x, self.y])


D = Dense(loss_x, loss_y)
Z = Dense(value, lambda x, y: -value(x, y))


def moved(solver, game=GAME, rounds=1):
    state = solver.init(game, START)
    players, state, info = solver.step(game, START, state)
    for _ in range(rounds - 1):
        players, state, info = solver.step(game, players, state)
    return np.concatenate([players.x, players.y]), info
