"""Which step sizes are safe, and which are best: the spectral radius over hyper-parameters."""

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gameopt._fields import jacobian
from gameopt._games.base import AbstractGame
from gameopt._rates import DENSE, local_rate, local_rates
from gameopt._solvers.base import AbstractSolver
from gameopt._solvers.lookahead import Lookahead
from gameopt._trees import ravel, strong
from gameopt._types import Key, Players, Scalar

_STABLE = 1 - 1e-9
"""A radius of 1 in exact arithmetic may be computed a little below it."""


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
    first: Float[Array, " n"],
    second: Float[Array, " m"],
    key: Key = None,
) -> Float[Array, "n m"]:
    """The spectral radius of a round over a grid of two hyper-parameters, in one compiled call.

    **Arguments:**

    - `make_solver`: from two numbers to a solver, the optimizers built inside; it is traced.
    - `players`: an equilibrium. `first`, `second`: the values of the grid's axes.
    """
    a, b = jnp.meshgrid(jnp.asarray(first), jnp.asarray(second), indexing="ij")
    radii = local_rates(game, make_solver, players, a.ravel(), b.ravel(), key=key)
    return jnp.asarray(radii.reshape(a.shape))


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
    - `bounds`: where to look; $10^{-4}$ to $10^{2}$ over $\|J\|$ if left out.

    **Raises:** `ValueError` if the game has more than 512 entries, or `bounds` are not increasing.
    """
    if ravel(players)[0].size > DENSE:
        raise ValueError(
            f"safe_step builds Jacobians and so takes at most {DENSE} entries, got "
            f"{ravel(players)[0].size}. Try single step sizes with local_rate."
        )
    low, high = bounds if bounds is not None else _default_bounds(game, players, key)
    if not 0 < low < high:
        raise ValueError(f"bounds must be positive and increasing, got {(low, high)}.")
    players = strong(players)
    dtype = ravel(players)[0].dtype

    def radii(etas: np.ndarray) -> np.ndarray:
        return local_rates(game, make_solver, players, jnp.asarray(etas, dtype), key=key)

    etas = np.geomspace(low, high, 256)
    values = radii(etas)
    stable = values < _STABLE
    if not stable.any():
        zero = jnp.zeros((), dtype)
        return SafeStep(zero, zero, zero, jnp.ones((), dtype))
    last = int(np.flatnonzero(stable)[-1])
    unstable_before = np.flatnonzero(~stable[:last])
    first = int(unstable_before[-1]) + 1 if unstable_before.size else 0
    largest = _crossing(radii, etas, last, last + 1)
    smallest = _crossing(radii, etas, first, first - 1) if first > 0 else 0.0
    best, rate = _minimum(radii, etas, int(np.argmin(values)))
    number = lambda value: jnp.asarray(value, dtype)
    return SafeStep(number(largest), number(smallest), number(best), number(rate))


def _default_bounds(game: AbstractGame, players: Players, key: Key) -> tuple[float, float]:
    norm = float(np.linalg.norm(np.asarray(jacobian(game, players, key)), 2)) or 1.0
    return 1e-4 / norm, 1e2 / norm


def _crossing(radii, etas: np.ndarray, inside: int, outside: int) -> float:
    """The end of the stable steps between a stable and an unstable grid point."""
    if outside == len(etas):
        return float(etas[inside])
    stable, unstable = etas[inside], etas[outside]
    for _ in range(4):
        between = np.linspace(stable, unstable, 256)
        is_stable = radii(between) < _STABLE
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
    max_steps: int = 50,
) -> Lookahead:
    r"""The `Lookahead` over a solver that is fastest near a point, chosen from the solver's modes.

    With $T_i$ the eigenvalues of one round of the solver at `players`, $k \le$ `max_steps` and
    $\alpha \le 1$ minimise $\max_i |1 - \alpha + \alpha T_i^k|^{1/k}$, the rate per inner round.
    For every k the maximum is convex in $\alpha$.

    **Raises:** `ValueError` if no choice makes the point attract.

    !!! cite "Source"

        The idea of choosing k and $\alpha$ from the spectrum: arXiv:2601.18409; the modes are those
        of Chavdarova et al. (2021), arXiv:2006.14567, theorem 2.
    """
    modes = np.asarray(local_rate(game, solver, players, key).eigenvalues)
    best = (np.inf, 1, 1.0)
    for k in range(1, max_steps + 1):
        alpha, radius = _best_alpha(modes**k)
        if radius ** (1 / k) < best[0] - 1e-12:
            best = (radius ** (1 / k), k, alpha)
    rate, k, alpha = best
    if rate >= _STABLE:
        raise ValueError(
            "no number of steps up to max_steps makes the point attract: a mode of the solver has "
            "a real part of its powers of at least 1 at every k."
        )
    return Lookahead(solver, steps=k, alpha=alpha)


def _best_alpha(powers: np.ndarray) -> tuple[float, float]:
    """Where the convex $\\max_i |1 - \\alpha + \\alpha w_i|$ is least on (0, 1]."""
    alpha, value, low, high = 1.0, np.inf, 0.0, 1.0
    for _ in range(6):
        alphas = np.linspace(low, high, 64)
        values = np.abs(1 - alphas[:, None] + alphas[:, None] * powers[None]).max(axis=1)
        i = int(np.argmin(values))
        alpha, value = float(alphas[i]), float(values[i])
        low, high = alphas[max(i - 1, 0)], alphas[min(i + 1, 63)]
    return alpha, value
