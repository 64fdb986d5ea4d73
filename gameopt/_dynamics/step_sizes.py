"""Stable and optimal step sizes: the spectral radius over hyper-parameters."""

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from gameopt._checks import Integer, check_count
from gameopt._dynamics.local_rate import Rounds, check_small, local_rate, local_rates, rounds_at
from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import jacobian
from gameopt._solvers.base import AbstractSolver
from gameopt._solvers.lookahead import Lookahead
from gameopt._trees import float_array, ravel
from gameopt._types import Key, Players, Scalar
from gameopt._verdicts import VERDICT, verdict_on_host

_jacobian = eqx.filter_jit(jacobian)


class SafeStep(eqx.Module):
    """Step sizes at which a point attracts, as far as rounding lets it be proved.

    - `stable`: yes if some step size is stable for certain, no if none of the grid's is, for
      certain; inconclusive on the edge of stability, where rounding hides on which side it is.
    - `largest`: the largest step size that is proved stable; 0 if none is. `error`: from
      `largest + error` on instability is proved, up to the next gap; infinite if it nowhere is.
    - `smallest`: from which on all up to `largest` are stable; 0 unless small ones are not, or
      contract by less than rounding.
    - `best`: the step size of smallest radius; 0 if none is stable. `best_rate`: that radius; 1 if
      none is stable. `rate_error`: how far it may be off by rounding.
    """

    stable: VERDICT
    largest: Scalar
    error: Scalar
    smallest: Scalar
    best: Scalar
    best_rate: Scalar
    rate_error: Scalar


def rate_map(
    game: AbstractGame,
    make_solver: Callable[[Scalar, Scalar], AbstractSolver],
    players: Players,
    first: Float[ArrayLike, " n"] | Sequence[float],
    second: Float[ArrayLike, " m"] | Sequence[float],
    key: Key = None,
) -> Float[Array, "n m"]:
    """The spectral radius of a round over a grid of two hyper-parameters, in one compiled call.

    **Arguments:**

    - `make_solver`: from two numbers to a solver, the optimizers built inside; it is traced.
    - `players`: an equilibrium. `first`, `second`: the values of the grid's axes.

    **Raises:** `ValueError` if the strategies have more than 512 entries.
    """
    axes = (np.asarray(jax.device_get(float_array(values))) for values in (first, second))
    a, b = np.meshgrid(*axes, indexing="ij")
    radii = local_rates(game, make_solver, players, a.ravel(), b.ravel(), key=key)
    return jax.device_put(radii.reshape(a.shape).astype(a.dtype))


def safe_step(
    game: AbstractGame,
    make_solver: Callable[[Scalar], AbstractSolver],
    players: Players,
    key: Key = None,
    *,
    bounds: tuple[float, float] | None = None,
) -> SafeStep:
    r"""The largest step size with a spectral radius below 1, and the best one.

    Found on a logarithmic grid of 256 step sizes, and then refined around what was found to about
    eight digits. A gap narrower than the grid (2 to 6 % of a step size) is not seen.

    **Arguments:**

    - `make_solver`: from a step size to a solver; it is traced.
    - `players`: an equilibrium.
    - `bounds`: where to look; $10^{-4}$ to $10^{2}$ over $\|J\|$ by default.

    A step counts as stable if the radius is below 1 of every matrix within the rounding of the
    round's linearisation, by `local_rate`'s argument; so `largest` is on the safe side, by a few
    hundred units in the last place where eigenvalues are well-conditioned.

    **Raises:** `ValueError` if the strategies have more than 512 entries, if `bounds` are not
    increasing, or if the game's Jacobian is not finite.
    """
    check_small(game, players)
    low, high = bounds if bounds is not None else _default_bounds(game, players, key)
    if not 0 < low < high:
        raise ValueError(f"bounds must be positive and increasing, got {(low, high)}.")
    dtype = jax.eval_shape(lambda p: ravel(p)[0], eqx.filter(players, eqx.is_array)).dtype

    def at(etas: np.ndarray) -> Rounds:
        given = jax.device_put(etas.astype(dtype))
        return rounds_at(game, make_solver, players, given, key=key)

    etas = np.geomspace(low, high, 256)
    rounds = at(etas)
    proofs = np.array([rounds.proofs(i) for i in range(len(etas))])
    found = _found(at, etas, rounds.radii, proofs[:, 0], proofs[:, 1])
    number = lambda value: jax.device_put(np.asarray(value, dtype))
    verdict = verdict_on_host(bool(proofs[:, 0].any()), bool(proofs[:, 1].all()))
    return SafeStep(verdict, *map(number, found))


def _found(at, etas: np.ndarray, radii: np.ndarray, stable: np.ndarray, unstable: np.ndarray):
    """The numbers of a `SafeStep`, from a grid and flags of what is proved on it."""
    last = int(np.flatnonzero(stable)[-1]) if stable.any() else -1
    after = np.flatnonzero(unstable[last + 1 :])
    over = last + 1 + int(after[0]) if after.size else len(etas)
    grows = np.inf if over == len(etas) else float(etas[over])
    if over < len(etas) and over > 0:
        grows = _crossing(at, 1, etas[over], etas[over - 1])
    if last < 0:
        # Proved at the first step already, it is so from the smallest on.
        return 0.0, 0.0 if unstable[0] else grows, 0.0, 0.0, 1.0, 0.0
    before = np.flatnonzero(~stable[:last])
    first = int(before[-1]) + 1 if before.size else 0
    outside = lambda i: 0 <= i < len(etas)
    largest = float(etas[last])
    if outside(last + 1):
        largest = _crossing(at, 0, etas[last], etas[last + 1])
    smallest = _crossing(at, 0, etas[first], etas[first - 1]) if first > 0 else 0.0
    return largest, max(grows - largest, 0.0), smallest, *_minimum(at, etas, int(np.argmin(radii)))


def _default_bounds(game: AbstractGame, players: Players, key: Key) -> tuple[float, float]:
    matrix = np.asarray(jax.device_get(_jacobian(game, players, key)), np.float64)
    if not np.isfinite(matrix).all():
        raise ValueError("the game's Jacobian is inf or nan at these players: no step is safe.")
    norm = float(np.linalg.norm(matrix, 2)) or 1.0
    return 1e-4 / norm, 1e2 / norm


def _crossing(at: Callable[[np.ndarray], Rounds], which: int, inside: float, outside: float):
    """The end of the steps with a proof, between one with it and one without.

    **Arguments:** `which`: of the proofs of a step, 0 of stability and 1 of instability.
    """
    for _ in range(4):
        between = np.linspace(inside, outside, 256)
        rounds = at(between)
        low, high = 0, len(between) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if rounds.proofs(middle)[which] else (low, middle)
        inside, outside = between[low], between[high]
    return float(inside)


def _minimum(at: Callable[[np.ndarray], Rounds], etas: np.ndarray, i: int):
    """The smallest radius next to a grid point: the step, its radius, and its error."""
    best, rate, error = etas[i], np.inf, np.inf
    low, high = etas[max(i - 1, 0)], etas[min(i + 1, len(etas) - 1)]
    for _ in range(4):
        between = np.linspace(low, high, 256)
        rounds = at(between)
        i = int(np.argmin(rounds.radii))
        best, rate, error = between[i], rounds.radii[i], rounds.error(i)
        low, high = between[max(i - 1, 0)], between[min(i + 1, 255)]
    return float(best), float(rate), float(error)


def modal_lookahead(
    game: AbstractGame,
    solver: AbstractSolver,
    players: Players,
    key: Key = None,
    *,
    max_steps: Integer = 50,
) -> Lookahead:
    r"""The `Lookahead` over a solver that is fastest near a point, chosen from the solver's modes.

    With $T_i$ the eigenvalues of one round of the solver at `players`, $k \le$ `max_steps` and
    $\alpha \le 1$ minimise $\max_i |1 - \alpha + \alpha T_i^k|^{1/k}$, the rate per inner round.
    For every k the maximum is convex in $\alpha$.

    **Raises:** `ValueError` if no choice makes the point attract by more than the rounding of the
    strategies' precision, or the round is not finite there.

    !!! cite "Source"

        The idea of choosing k and $\alpha$ from the spectrum: Sanyal, Sidahmed, Burkholz &
        Chavdarova (2026), arXiv:2601.18409; the modes are those of Chavdarova et al. (2021),
        arXiv:2006.14567.
    """
    max_steps = check_count("max_steps", max_steps, 1)
    modes = np.asarray(jax.device_get(local_rate(game, solver, players, key).eigenvalues))
    if not np.isfinite(modes).all():
        raise ValueError("the solver's round is inf or nan at these players: it has no modes.")
    best = (np.inf, 1, 1.0)
    for k in range(1, max_steps + 1):
        alpha, radius = _best_alpha(modes**k)
        if radius ** (1 / k) < best[0] - 1e-12:
            best = (radius ** (1 / k), k, alpha)
    rate, k, alpha = best
    chosen = Lookahead(solver, steps=k, alpha=alpha)
    found = local_rate(game, chosen, players, key)
    if rate >= 1 or float(found.spectral_radius) + float(found.error) >= 1:
        raise ValueError(
            "no number of steps up to max_steps makes the point attract, or none by more than "
            "rounding: a mode of the solver has a real part of its powers of at least 1 at every "
            "k, to the precision of the strategies."
        )
    return chosen


def _best_alpha(powers: np.ndarray) -> tuple[float, float]:
    """The minimiser of the convex $\\max_i |1 - \\alpha + \\alpha w_i|$ on (0, 1]."""
    alpha, value, low, high = 1.0, np.inf, 0.0, 1.0
    for _ in range(6):
        alphas = np.linspace(low, high, 64)
        values = np.abs(1 - alphas[:, None] + alphas[:, None] * powers[None]).max(axis=1)
        i = int(np.argmin(values))
        alpha, value = float(alphas[i]), float(values[i])
        low, high = alphas[max(i - 1, 0)], alphas[min(i + 1, 63)]
    return alpha, value
