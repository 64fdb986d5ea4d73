"""The rotational part of a game: along its field, and in its spectrum."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gameopt._arithmetic import divisor
from gameopt._checks import Integer, check_choice, check_count
from gameopt._equilibria.operators import operator
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._games.derivatives import field, jacobian, jvp, vjp
from gameopt._linalg.host import on_host
from gameopt._linalg.krylov import krylov_space, random_start, ritz_pairs
from gameopt._trees import playable, ravel, tree_norm, tree_scale, tree_weighted
from gameopt._types import Key, Players, Scalar

DENSE = 512
"""Most entries of the strategies for which `rotation` builds the Jacobian by default."""


class Rotation(eqx.Module):
    r"""The rotation of a game at a point, each entry of shape `()`. Time is that of the flow
    $\dot z = -\xi(z)$.

    - `potential`, `rotational`: the shares $\|S\xi\|^2$ and $\|A\xi\|^2$ of their sum, which add up
      to 1. Both are 0 where $S\xi = A\xi = 0$, at every critical point for one.
    - `angular_frequency`: $\|A\xi\| / \|\xi\|$, radians per unit of time: how fast the rotational
      part turns the velocity, to which it is orthogonal. 0 where the field is 0.
    - `field_norm`: $\|\xi\|$; where it is 0, only the spectrum speaks.
    - `frequency`: $|\operatorname{Im}\lambda|$ of the eigenvalue of $J$ with the largest imaginary
      part, radians per unit of time. `damping`: its $\operatorname{Re}\lambda$, per unit of time:
      the smallest of them where several turn equally fast. Infinite where $J$ is not finite.
    - `residual`: $\|Jv - \lambda v\|$ of its unit vector; 0 if dense. `method`: how it was found.
    """

    potential: Scalar
    rotational: Scalar
    angular_frequency: Scalar
    field_norm: Scalar
    frequency: Scalar
    damping: Scalar
    residual: Scalar
    method: str = eqx.field(static=True)


def rotation(
    game: AbstractGame,
    players: Players,
    key: Key = None,
    *,
    method: Literal["auto", "dense", "krylov"] = "auto",
    num_matvecs: Integer = 64,
) -> Rotation:
    r"""The shares of the symmetric and antisymmetric parts of $J = S + A$ along the field.

    The shares cost one product with $J$ and one with its transpose. The small non-symmetric
    eigenproblem is solved on the host, also under `jit` and `vmap`.

    **Arguments:**

    - `players`: where. `key`: the sample of a stochastic game, held fixed.
    - `method`: `dense` builds $J$; `krylov` takes `num_matvecs` products with it (Arnoldi, whose
      residual is reported); `auto` is dense up to 512 entries.

    **Raises:** `ValueError` for another method, or fewer than one product.

    !!! cite "Source"

        Balduzzi et al. (2018), arXiv:1802.05642, section 2.2: potential and Hamiltonian parts.
    """
    check_choice("method", method, ("auto", "dense", "krylov"))
    check_strategies(game, players)
    num_matvecs = check_count("num_matvecs", num_matvecs, 1)
    vector = jax.eval_shape(lambda p: ravel(p)[0], playable(players))
    if method == "auto":
        method = "dense" if vector.size <= DENSE else "krylov"
    start = None
    if method == "krylov":
        start = random_start(vector.size, 0, vector.dtype)
    return _rotation(game, players, key, start, method, num_matvecs)


@eqx.filter_jit
def _rotation(game, players, key, start, method: str, num_matvecs: int) -> Rotation:
    shares = _along_the_field(game, players, key)
    if method == "dense":
        found = _on_host(_fastest, jacobian(game, players, key))
    else:
        found = _fastest_ritz(game, players, key, start, num_matvecs)
    return Rotation(*shares, found[0], found[1], found[2], method)


def _along_the_field(game, players, key) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    xi = field(game, players, key)
    norm = tree_norm(xi)
    # The unit vector of the field, so that squares neither overflow nor vanish; 0 for a zero one.
    unit = tree_scale(1 / divisor(norm), xi)
    forward, backward = jvp(game, players, unit, key), vjp(game, players, unit, key)
    symmetric = tree_norm(tree_weighted((0.5, forward), (0.5, backward)))
    antisymmetric = tree_norm(tree_weighted((0.5, forward), (-0.5, backward)))
    # Where the field is not finite, neither is what J makes of it, a J of zeros included.
    known = jnp.where(jnp.isfinite(norm), 0, jnp.nan).astype(norm.dtype)
    scale = divisor(jnp.maximum(symmetric, antisymmetric))
    squares = (symmetric / scale) ** 2, (antisymmetric / scale) ** 2
    total = divisor(squares[0] + squares[1])
    return known + squares[0] / total, known + squares[1] / total, known + antisymmetric, norm


def _fastest_ritz(game, players, key, start, num_matvecs: int) -> Float[Array, " 3"]:
    linear = operator(game, players, key, "jacobian")
    space = krylov_space(linear.matvec, start, num_matvecs)
    return _on_host(_fastest_of_ritz, space.small, space.last)


def _on_host(function, *arrays: Array) -> Float[Array, " 3"]:
    """Accelerators have no non-symmetric eigenvalues."""
    shape = jax.ShapeDtypeStruct((3,), arrays[0].dtype)
    in_dtype = lambda *values: function(*values).astype(shape.dtype)
    return on_host(in_dtype, shape, *arrays)


def _fastest(matrix: np.ndarray) -> np.ndarray:
    """Frequency, damping and residual of the eigenvalue that turns fastest."""
    dense = np.asarray(matrix, np.float64)
    if not np.isfinite(dense).all():
        return np.full(3, np.inf)
    values = np.linalg.eigvals(dense)
    return _pick(values, np.zeros(len(values)))


def _fastest_of_ritz(small: np.ndarray, last: np.ndarray) -> np.ndarray:
    values, residuals, _, _ = ritz_pairs(small, float(last))
    return _pick(values, residuals) if np.isfinite(values).all() else np.full(3, np.inf)


def _pick(values: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    speeds = np.abs(np.imag(values))
    # Equal up to rounding is equal, and then the least damped one dominates.
    rounding = len(values) * np.finfo(np.float64).eps * np.abs(values).max()
    fast = np.flatnonzero(speeds >= speeds.max() - rounding)
    chosen = fast[np.argmin(np.real(values)[fast])]
    return np.array([speeds[chosen], np.real(values)[chosen], residuals[chosen]])
