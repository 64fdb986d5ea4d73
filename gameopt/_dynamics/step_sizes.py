"""Stable and optimal step sizes: the spectral radius over hyper-parameters."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from gameopt._checks import Integer, check_count
from gameopt._dynamics.local_rate import check_small, local_rate, local_rates
from gameopt._games.base import AbstractGame
from gameopt._games.derivatives import jacobian
from gameopt._solvers.base import AbstractSolver
from gameopt._solvers.lookahead import Lookahead
from gameopt._trees import float_array, ravel
from gameopt._types import Key, Players, Scalar


def _stable_below(dtype: Any) -> float:
    """Radii below this are below 1; one of 1 in exact arithmetic may be computed a little less."""
    return 1 - max(1e-9, 128 * float(jnp.finfo(dtype).eps))


_jacobian = eqx.filter_jit(jacobian)


class SafeStep(eqx.Module):
    """Step sizes at which a point attracts.

    - `largest`: where the spectral radius rises to 1. 0 if no step size is stable.
    - `smallest`: from which on all up to `largest` are stable; 0 unless small ones are not.
    - `best`: the step size of smallest radius. `best_rate`: that radius; 1 if none is stable.
    """

    largest: Scalar
    smallest: Scalar
    best: Scalar
    best_rate: Scalar


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

    A point on the edge of stability attracts at no step: a radius counts as below 1 from $10^{-9}$
    off in float64, from $1.5\\cdot 10^{-5}$ in float32.

    **Raises:** `ValueError` if the strategies have more than 512 entries, if `bounds` are not
    increasing, or if the game's Jacobian is not finite.
    """
    check_small(game, players)
    low, high = bounds if bounds is not None else _default_bounds(game, players, key)
    if not 0 < low < high:
        raise ValueError(f"bounds must be positive and increasing, got {(low, high)}.")
    dtype = jax.eval_shape(lambda p: ravel(p)[0], eqx.filter(players, eqx.is_array)).dtype
    limit = _stable_below(dtype)

    def radii(etas: np.ndarray) -> np.ndarray:
        given = jax.device_put(etas.astype(dtype))
        return local_rates(game, make_solver, players, given, key=key)

    etas = np.geomspace(low, high, 256)
    values = radii(etas)
    stable = values < limit
    if not stable.any():
        return SafeStep(*(jax.device_put(np.asarray(n, dtype)) for n in (0, 0, 0, 1)))
    last = int(np.flatnonzero(stable)[-1])
    unstable_before = np.flatnonzero(~stable[:last])
    first = int(unstable_before[-1]) + 1 if unstable_before.size else 0
    largest = _crossing(radii, limit, etas, last, last + 1)
    smallest = _crossing(radii, limit, etas, first, first - 1) if first > 0 else 0.0
    best, rate = _minimum(radii, etas, int(np.argmin(values)))
    number = lambda value: jax.device_put(np.asarray(value, dtype))
    return SafeStep(number(largest), number(smallest), number(best), number(rate))


def _default_bounds(game: AbstractGame, players: Players, key: Key) -> tuple[float, float]:
    matrix = np.asarray(jax.device_get(_jacobian(game, players, key)), np.float64)
    if not np.isfinite(matrix).all():
        raise ValueError("the game's Jacobian is inf or nan at these players: no step is safe.")
    norm = float(np.linalg.norm(matrix, 2)) or 1.0
    return 1e-4 / norm, 1e2 / norm


def _crossing(radii, limit: float, etas: np.ndarray, inside: int, outside: int) -> float:
    """The end of the stable steps between a stable and an unstable grid point."""
    if outside == len(etas):
        return float(etas[inside])
    stable, unstable = etas[inside], etas[outside]
    for _ in range(4):
        between = np.linspace(stable, unstable, 256)
        is_stable = radii(between) < limit
        i = max(int(np.argmin(is_stable)) - 1, 0)
        stable, unstable = between[i], between[i + 1]
    return float(stable)


def _minimum(radii, etas: np.ndarray, i: int) -> tuple[float, float]:
    """The smallest radius next to a grid point."""
    best, rate = etas[i], np.inf
    low, high = etas[max(i - 1, 0)], etas[min(i + 1, len(etas) - 1)]
    for _ in range(4):
        between = np.linspace(low, high, 256)
        values = radii(between)
        i = int(np.argmin(values))
        best, rate = between[i], values[i]
        low, high = between[max(i - 1, 0)], between[min(i + 1, 255)]
    return float(best), float(rate)


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

    **Raises:** `ValueError` if no choice makes the point attract, or the round is not finite there.

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
    if rate >= _stable_below(np.real(modes).dtype):
        raise ValueError(
            "no number of steps up to max_steps makes the point attract: a mode of the solver has "
            "a real part of its powers of at least 1 at every k."
        )
    return Lookahead(solver, steps=k, alpha=alpha)


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
