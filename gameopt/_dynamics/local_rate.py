"""Local convergence rates: the spectrum of one round of a solver."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Complex, Float

from gameopt._arithmetic import single_at_least
from gameopt._checks import Integer, check_callable, check_choice, check_count
from gameopt._dynamics.linearisation import (
    Point,
    a_thousand_rounds_on,
    coarsest_eps,
    displacement,
    groups_of,
    many_jacobians,
    on_this_side,
    remembered,
    round_jacobian,
    round_jvp,
    rounding_of,
    spaces,
    strongly,
    two_rounds,
)
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._linalg.krylov import random_start
from gameopt._linalg.spectral_radius import (
    RadiusBounds,
    contracts,
    krylov_radius,
    many_radius_bounds,
    radius_bounds,
)
from gameopt._linalg.units import balanced
from gameopt._loops import check_play
from gameopt._solvers.base import AbstractSolver
from gameopt._trees import float_array, playable, ravel
from gameopt._types import Key, Players, Scalar
from gameopt._verdicts import VERDICT, verdict_on_host

DENSE = 512
"""Up to so many entries of strategies and state the Jacobian of a round is built."""


class LocalRate(eqx.Module):
    """The linearisation of one round, the solver's state included.

    - `eigenvalues`: of largest modulus first; shape `(n,)`, or `(k,)` Ritz values if `method` is
      `krylov`. `residuals`: of each, 0 if dense.
    - `spectral_radius`: the largest modulus: below 1 the point attracts, at this rate a round;
      infinite where the round or its linearisation is not finite.
    - `error`: how far the radius may be off by rounding in the entries of the linearisation. If
      dense it is proved, and holds where eigenvalues are defective; if `krylov` it is residual and
      rounding times the condition number, to first order, and no bound on what was missed.
    - `attracts`: yes if the radius is below 1, no if it is above 1, inconclusive if rounding does
      not tell. If `krylov`, a yes fails with probability 1e-6 and is of first order in rounding.
    - `angle`: of the largest eigenvalue, from 0 to pi: the rotation a round.
    - `displacement`: how far one round moves the point: 0 at a fixed point.
    - `constant`: whether the linearisation is the same, to rounding, with the counters in the state
      a thousand rounds on; it is not for step-size schedules.
    """

    eigenvalues: Complex[Array, " k"]
    residuals: Float[Array, " k"]
    spectral_radius: Scalar
    error: Scalar
    attracts: VERDICT
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
        state = remembered(game, solver, players, key)
    players, state = strongly((players, state))
    like = jax.eval_shape(lambda tree: ravel(tree)[0], eqx.filter((players, state), eqx.is_array))
    if method == "auto":
        method = "dense" if like.size <= DENSE else "krylov"
    moved = displacement(game, solver, players, state, key)
    point = Point(game, solver, players, state, key)
    found = _dense(point) if method == "dense" else _krylov(point, like, num_matvecs)
    # Of an affine round even nan has a derivative that is finite.
    if bool(np.isnan(on_this_side(moved))):
        found = _lost(found)
    real = single_at_least(like.dtype)
    number = lambda value: jax.device_put(np.asarray(value, real))
    radius = np.asarray(found.radius.value, real)
    return LocalRate(
        jax.device_put(np.asarray(found.values, np.result_type(real, np.complex64))),
        number(found.residuals),
        number(radius),
        number(_error(found, float(radius))),
        verdict_on_host(*found.attracts),
        number(np.abs(np.angle(found.values[0]))),
        moved,
        jax.device_put(np.asarray(found.constant)),
        method,
    )


class _Found(NamedTuple):
    """The numbers of a `LocalRate`, on the host in float64; `attracts`: proofs of yes and no."""

    values: np.ndarray
    residuals: np.ndarray
    radius: RadiusBounds
    attracts: tuple[bool, bool]
    constant: bool


def _lost(found: _Found) -> _Found:
    values, unknown = np.full(len(found.values), np.inf), RadiusBounds(np.inf, 0.0, np.inf)
    return found._replace(values=values, radius=unknown, attracts=(False, False))


def _error(found: _Found, radius: float) -> float:
    """The larger half of the interval, about the radius as it was rounded."""
    if not np.isfinite(radius):
        return np.inf
    return max(found.radius.upper - radius, radius - found.radius.lower, 0.0)


def _dense(point: Point) -> _Found:
    matrix = on_this_side(round_jacobian(*point))
    later = on_this_side(round_jacobian(*a_thousand_rounds_on(point)))
    values = _sorted_eigenvalues(matrix)
    groups, eps = groups_of(point.players, point.state), coarsest_eps((point.players, point.state))
    (scaled,) = balanced(matrix[None], groups)
    noise = rounding_of(scaled, eps)
    radius = radius_bounds(scaled, noise)
    attracts = contracts(scaled, noise, radius)
    with np.errstate(invalid="ignore"):
        constant = float(np.linalg.norm(later - matrix)) <= rounding_of(matrix, eps)
    return _Found(values, np.zeros(len(values)), radius, attracts, constant)


def _krylov(point: Point, like: Any, num_matvecs: int) -> _Found:
    start = random_start(like.size, 0, like.dtype)
    space, left = spaces(start, num_matvecs, point)
    space, left = jax.device_get((space, left))
    found = krylov_radius(space, left, like.size)
    here = on_this_side(round_jvp(start, point))
    there = on_this_side(round_jvp(start, a_thousand_rounds_on(point)))
    noise = float(space.noise) * float(np.linalg.norm(jax.device_get(start)))
    value = float(np.abs(found.values[0]))
    radius = RadiusBounds(value, value - found.error, value + found.error)
    attracts = bool(found.upper < 1), bool(found.lower > 1)
    constant = float(np.linalg.norm(there - here)) <= noise
    return _Found(found.values, found.residuals, radius, attracts, constant)


def _check_single_rate(solver: AbstractSolver) -> None:
    if solver.no_single_rate:
        raise ValueError(
            f"{type(solver).__name__} has no single local rate: {solver.no_single_rate}. Measure a "
            "trajectory instead: measured_rate."
        )


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
    return rounds_at(game, make_solver, players, *hyper_parameters, key=key).radii


class Rounds(NamedTuple):
    """Linearised rounds at many hyper-parameters, and what bounds of their radii are cheap.

    - `matrices`: in balanced units, shape `(batch, n, n)`. `noises`: of each, in the spectral norm.
    - `bounds`: by the condition number of the eigenvectors, arrays of shape `(batch,)`.
    """

    matrices: Float[np.ndarray, "batch n n"]
    noises: Float[np.ndarray, " batch"]
    bounds: RadiusBounds

    @property
    def radii(self) -> Float[np.ndarray, " batch"]:
        """Spectral radii, infinite where a round is not finite."""
        return self.bounds.value

    def error(self, i: int) -> float:
        """The i-th radius's error by rounding."""
        bounds = radius_bounds(self.matrices[i], float(self.noises[i]))
        return max(bounds.upper - bounds.value, bounds.value - bounds.lower)

    def proofs(self, i: int) -> tuple[bool, bool]:
        """Proofs that the i-th radius is below 1, and above 1."""
        bounds = RadiusBounds._make(float(bound[i]) for bound in self.bounds)
        return contracts(self.matrices[i], float(self.noises[i]), bounds)


def rounds_at(
    game: AbstractGame,
    make_solver: Callable[..., AbstractSolver],
    players: Players,
    *hyper_parameters: Float[ArrayLike, " batch"] | Sequence[float],
    key: Key = None,
) -> Rounds:
    """As `local_rates`, with the matrices, their noise and bounds."""
    check_small(game, players)
    check_callable("make_solver", make_solver)
    parameters = [float_array(values) for values in hyper_parameters]
    jacobians = on_this_side(many_jacobians(game, make_solver, parameters, players, key))
    if _has_nan(players):
        jacobians = np.full_like(jacobians, np.nan)
    groups, eps = _units(game, make_solver, parameters, players, key)
    matrices = balanced(jacobians, groups)
    noises = np.array([rounding_of(matrix, eps) for matrix in matrices])
    return Rounds(matrices, noises, many_radius_bounds(matrices, noises))


def _units(game, make, parameters, players, key) -> tuple[np.ndarray, float]:
    """Groups of the entries, and machine epsilon, by the state of a solver of one of the batch."""

    def of_one(values):
        solver = make(*(value[0] for value in values))
        state = two_rounds(game, solver, players, key)
        return groups_of(players, state).tolist(), coarsest_eps((players, state))

    groups, eps = eqx.filter_eval_shape(of_one, parameters)
    return np.array(groups), eps


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
