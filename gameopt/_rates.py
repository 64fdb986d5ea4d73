"""How fast a solver converges: the spectrum of one round, and the slope of a trajectory."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Complex, Float

from gameopt._games.base import AbstractGame
from gameopt._krylov import arnoldi
from gameopt._solvers.base import AbstractSolver
from gameopt._trees import ravel, strong, tree_norm, tree_subtract
from gameopt._types import Key, Players, Scalar

DENSE = 512
"""Up to so many entries of strategies and state the Jacobian of a round is built."""


class LocalRate(eqx.Module):
    """The linearisation of one round, the solver's state included.

    - `eigenvalues`: of largest modulus first; shape `(n,)`, or `(k,)` Ritz values if `method` is
      `krylov`. `residuals`: of each, 0 if dense.
    - `spectral_radius`: the largest modulus: below 1 the point attracts, at this rate a round.
    - `angle`: of the largest eigenvalue, from 0 to pi: the rotation a round.
    - `displacement`: how far one round moves the point: 0 at a fixed point.
    - `constant`: whether the linearisation is the same with the counters in the state a thousand
      rounds on; it is not for step-size schedules.
    """

    eigenvalues: Complex[Array, " k"]
    residuals: Float[Array, " k"]
    spectral_radius: Scalar
    angle: Scalar
    displacement: Scalar
    constant: Bool[Array, ""]
    method: str = eqx.field(static=True)


def local_rate(
    game: AbstractGame,
    solver: AbstractSolver,
    players: Players,
    key: Key = None,
    *,
    state: Any = None,
    method: Literal["auto", "dense", "krylov"] = "auto",
    num_matvecs: int = 64,
) -> LocalRate:
    r"""The spectrum of $DF$ at a point, $F$ being one round on strategies and state together.

    Works for any smooth solver. On an affine game $F$ is affine and the rate is global.

    **Arguments:**

    - `players`: where; usually an equilibrium. `key`: the sample of a stochastic game, held fixed.
    - `state`: the solver's; that after two rounds at `players` if left out, so that what it
      remembers is of this point. Its counters and other integers are held.
    - `method`: `dense` builds the Jacobian, `krylov` takes `num_matvecs` products with it
      (Arnoldi); `auto` is dense up to 512 entries.

    **Raises:** `ValueError` if the solver's rounds are not one and the same map (SVRE, uniform
    averages, anchoring), saying why.

    !!! cite "Source"

        Ostrowski's theorem: an iteration converges locally at every rate above $\rho(DF(z^\star))$.
    """
    _check_single_rate(solver)
    if state is None:
        state = _remembered(game, solver, players, key)
    players, state = strong((players, state))
    vector, _ = ravel((players, state))
    if method == "auto":
        method = "dense" if vector.size <= DENSE else "krylov"
    moved = _displacement(game, solver, players, state, key)
    later = _advanced(state, 1000)
    if method == "dense":
        matrix = np.asarray(_round_jacobian(game, solver, players, state, key))
        values = _sorted_eigenvalues(matrix)
        residuals = np.zeros(len(values))
        same = np.asarray(_round_jacobian(game, solver, players, later, key))
        constant = np.allclose(matrix, same, rtol=1e-9, atol=1e-12)
    else:
        start = jnp.asarray(np.random.default_rng(0).normal(size=vector.size), vector.dtype)
        point = (game, solver, players, state, key)
        values, residuals = arnoldi(_round_jvp, start, num_matvecs, *point)
        here = np.asarray(_round_jvp(start, *point))
        there = np.asarray(_round_jvp(start, game, solver, players, later, key))
        constant = np.allclose(here, there, rtol=1e-6, atol=1e-9)
    return LocalRate(
        jnp.asarray(values),
        jnp.asarray(residuals),
        jnp.asarray(np.abs(values[0])),
        jnp.asarray(np.abs(np.angle(values[0]))),
        moved,
        jnp.asarray(bool(constant)),
        method,
    )


def _check_single_rate(solver: AbstractSolver) -> None:
    if solver.no_single_rate:
        raise ValueError(
            f"{type(solver).__name__} has no single local rate: {solver.no_single_rate}. Measure a "
            "trajectory instead: measured_rate."
        )


def _two_rounds(game: AbstractGame, solver: AbstractSolver, players: Players, key: Key) -> Any:
    """The state after two rounds that begin at the same point."""
    state = solver.init(game, players, key)
    for _ in range(2):
        _, state, _ = solver.step(game, players, state, key)
    return state


_remembered = eqx.filter_jit(_two_rounds)


def _advanced(state: Any, rounds: int) -> Any:
    is_counter = lambda leaf: eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.integer)
    later = lambda leaf: leaf + jnp.asarray(rounds, leaf.dtype) if is_counter(leaf) else leaf
    return jax.tree.map(later, state)


def _round_map(game, solver, players, state, key):
    """$F$ on vectors, and the vector of the given point."""
    vector, unravel = ravel((players, state))

    def play(v):
        players, state = unravel(v)
        players, state, _ = solver.step(game, players, state, key)
        return ravel((players, state))[0]

    return play, vector


@eqx.filter_jit
def _displacement(game, solver, players, state, key) -> Scalar:
    moved, _, _ = solver.step(game, players, state, key)
    return tree_norm(tree_subtract(moved, players))


@eqx.filter_jit
def _round_jacobian(game, solver, players, state, key) -> Float[Array, "n n"]:
    play, vector = _round_map(game, solver, players, state, key)
    return jax.jacfwd(play)(vector)


@eqx.filter_jit
def _round_jvp(tangent, game, solver, players, state, key) -> Float[Array, " n"]:
    play, vector = _round_map(game, solver, players, state, key)
    return jax.jvp(play, (vector,), (tangent,))[1]


def _sorted_eigenvalues(matrix: Float[np.ndarray, "n n"]) -> Complex[np.ndarray, " n"]:
    """Largest modulus first; infinite where the matrix is not finite."""
    if not np.isfinite(matrix).all():
        return np.full(len(matrix), np.inf, complex)
    values = np.linalg.eigvals(matrix).astype(complex)
    return values[np.argsort(-np.abs(values), kind="stable")]


def local_rates(
    game: AbstractGame,
    make_solver: Callable[..., AbstractSolver],
    players: Players,
    *hyper_parameters: Float[ArrayLike, " batch"],
    key: Key = None,
) -> Float[np.ndarray, " batch"]:
    """The spectral radius of a round for many hyper-parameters at once, in one compiled call.

    **Arguments:**

    - `make_solver`: from one number of each of `hyper_parameters` to a solver, the optimizers built
      inside; it is traced, and compiled once per function object.
    - `hyper_parameters`: each of shape `(batch,)`.

    **Returns:** shape `(batch,)`; infinite where the linearisation is not finite.
    """
    parameters = [jnp.asarray(values) for values in hyper_parameters]
    jacobians = np.asarray(_many_jacobians(game, make_solver, parameters, players, key))
    finite = np.isfinite(jacobians).all(axis=(1, 2))
    radii = np.full(len(jacobians), np.inf)
    if finite.any():
        radii[finite] = np.abs(np.linalg.eigvals(jacobians[finite])).max(axis=1)
    return radii


@eqx.filter_jit
def _many_jacobians(game, make, parameters, players, key) -> Float[Array, "batch n n"]:
    def one(*values):
        solver = make(*values)
        state = _two_rounds(game, solver, players, key)
        steady_players, steady_state = strong((players, state))
        play, vector = _round_map(game, solver, steady_players, steady_state, key)
        return jax.jacfwd(play)(vector)

    return jax.vmap(one)(*parameters)
