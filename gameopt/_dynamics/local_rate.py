"""Local convergence rates: the spectrum of one round of a solver."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Complex, Float

from gameopt._arithmetic import single_at_least
from gameopt._checks import Integer, check_callable, check_choice, check_count
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._keys import again
from gameopt._linalg.krylov import arnoldi, random_start
from gameopt._loops import check_play
from gameopt._solvers.base import AbstractSolver
from gameopt._trees import (
    float_array,
    playable,
    ravel,
    strong,
    tree_norm,
    tree_subtract,
)
from gameopt._types import Key, Players, Scalar

DENSE = 512
"""Up to so many entries of strategies and state the Jacobian of a round is built."""


class LocalRate(eqx.Module):
    """The linearisation of one round, the solver's state included.

    - `eigenvalues`: of largest modulus first; shape `(n,)`, or `(k,)` Ritz values if `method` is
      `krylov`. `residuals`: of each, 0 if dense.
    - `spectral_radius`: the largest modulus: below 1 the point attracts, at this rate a round;
      infinite where the round or its linearisation is not finite.
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
    num_matvecs: Integer = 64,
) -> LocalRate:
    r"""The spectrum of $DF$ at a point, $F$ being one round on strategies and state together.

    Works for any smooth solver. On an affine game $F$ is affine and the rate is global.

    **Arguments:**

    - `players`: where; usually an equilibrium. `key`: the sample of a stochastic game, held fixed.
    - `state`: the solver's; that after two rounds at `players` by default, so that what it
      remembers is of this point. Its counters and other integers are held.
    - `method`: `dense` builds the Jacobian, `krylov` takes `num_matvecs` products with it
      (Arnoldi); `auto` is dense up to 512 entries.

    **Raises:** `ValueError` if the solver's rounds are not one and the same map (SVRE, uniform
    averages, anchoring), saying why, or for an unknown method.

    !!! cite "Source"

        Ostrowski's theorem: an iteration converges locally at every rate above $\rho(DF(z^\star))$.
    """
    check_choice("method", method, ("auto", "dense", "krylov"))
    num_matvecs = check_count("num_matvecs", num_matvecs, 1)
    check_play(game, solver, players)
    _check_single_rate(solver)
    if state is None:
        state = _remembered(game, solver, players, key)
    players, state = _strong((players, state))
    like = jax.eval_shape(lambda tree: ravel(tree)[0], eqx.filter((players, state), eqx.is_array))
    if method == "auto":
        method = "dense" if like.size <= DENSE else "krylov"
    moved = _displacement(game, solver, players, state, key)
    # Of an affine round even nan has a derivative that is finite.
    lost = bool(np.isnan(_on_this_side(moved)))
    later = _advanced(state, 1000)
    if method == "dense":
        matrix = _on_this_side(_round_jacobian(game, solver, players, state, key))
        values = _sorted_eigenvalues(matrix)
        residuals = np.zeros(len(values))
        same = _on_this_side(_round_jacobian(game, solver, players, later, key))
        constant = np.allclose(matrix, same, rtol=1e-9, atol=1e-12)
    else:
        start = random_start(like.size, 0, like.dtype)
        point = (game, solver, players, state, key)
        values, residuals = arnoldi(_round_jvp, start, num_matvecs, *point)
        here = _on_this_side(_round_jvp(start, *point))
        there = _on_this_side(_round_jvp(start, game, solver, players, later, key))
        constant = np.allclose(here, there, rtol=1e-6, atol=1e-9)
    values = np.full(len(values), np.inf) if lost else values
    real = single_at_least(like.dtype)
    number = lambda value: jax.device_put(np.asarray(value, real))
    return LocalRate(
        jax.device_put(np.asarray(values, np.result_type(real, np.complex64))),
        number(residuals),
        number(np.abs(values[0])),
        number(np.abs(np.angle(values[0]))),
        moved,
        jax.device_put(np.asarray(constant)),
        method,
    )


def _on_this_side(array: Array) -> np.ndarray:
    """The array on the host, in float64, so that arithmetic there adds no rounding to its own."""
    return np.asarray(jax.device_get(array), np.float64)


_strong = eqx.filter_jit(strong)


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
        _, state, _ = solver.step(game, players, state, again(key))
    return state


_remembered = eqx.filter_jit(_two_rounds)


@eqx.filter_jit
def _advanced(state: Any, rounds: int) -> Any:
    is_counter = lambda leaf: eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.integer)
    later = lambda leaf: leaf + jnp.asarray(rounds, leaf.dtype) if is_counter(leaf) else leaf
    return jax.tree.map(later, state)


def _round_map(game, solver, players, state, key):
    """$F$ on vectors, and the vector of the given point."""
    vector, unravel = ravel((players, state))

    def play(v):
        players, state = unravel(v)
        players, state, _ = solver.step(game, players, state, again(key))
        return ravel((players, state))[0]

    return play, vector


@eqx.filter_jit
def _displacement(game, solver, players, state, key) -> Scalar:
    moved, _, _ = solver.step(game, players, state, again(key))
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
    *hyper_parameters: Float[ArrayLike, " batch"] | Sequence[float],
    key: Key = None,
) -> Float[np.ndarray, " batch"]:
    """The spectral radius of a round for many hyper-parameters at once, in one compiled call.

    **Arguments:**

    - `make_solver`: from one number of each of `hyper_parameters` to a solver, the optimizers built
      inside; it is traced, and compiled once per function object.
    - `hyper_parameters`: each of shape `(batch,)`.

    **Returns:** shape `(batch,)`; infinite where the linearisation is not finite.

    **Raises:** `ValueError` if the strategies have more than 512 entries: the Jacobians of the
    whole batch are in memory at once, each the square of the entries of strategies and state.
    """
    check_small(game, players)
    check_callable("make_solver", make_solver)
    parameters = [float_array(values) for values in hyper_parameters]
    found = _many_jacobians(game, make_solver, parameters, players, key)
    jacobians = _on_this_side(found)
    finite = np.isfinite(jacobians).all(axis=(1, 2)) & (not _has_nan(players))
    radii = np.full(len(jacobians), np.inf)
    if finite.any():
        radii[finite] = np.abs(np.linalg.eigvals(jacobians[finite])).max(axis=1)
    return radii


def check_small(game: AbstractGame, players: Players) -> None:
    """Raise a `ValueError` if there is nothing to play, or too much for a batch of Jacobians."""
    check_strategies(game, players)
    entries = sum(leaf.size for leaf in jax.tree.leaves(playable(players)))
    if entries > DENSE:
        raise ValueError(
            f"many rates at once take Jacobians, and so at most {DENSE} entries of the strategies, "
            f"got {entries}. Try single step sizes with local_rate."
        )


def _has_nan(players: Players) -> bool:
    leaves = jax.device_get(jax.tree.leaves(playable(players)))
    return any(np.isnan(np.asarray(leaf, np.float64)).any() for leaf in leaves)


@eqx.filter_jit
def _many_jacobians(game, make, parameters, players, key) -> Float[Array, "batch n n"]:
    def one(*values):
        solver = make(*values)
        state = _two_rounds(game, solver, players, key)
        steady_players, steady_state = strong((players, state))
        play, vector = _round_map(game, solver, steady_players, steady_state, key)
        return jax.jacfwd(play)(vector)

    return jax.vmap(one)(*parameters)
