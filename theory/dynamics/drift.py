"""Discretisation drift on linear fields $\\xi(z) = Jz$, as matrices.

One round of gradient play is $z^+ = Tz$, and it is the flow for one unit of time of
$\\dot z = (\\log T)z$. The matrices here are $\\log T$ to second order in the step sizes, from the
blocks of $J$ alone. Their eigenvalues show where play differs from the flow: on a
bilinear game simultaneous play's real parts are raised by $\\tfrac12\\eta^2 s^2$, and alternating
play's are not.

!!! cite "Source"

    Rosca, Wu, Dherin & Barrett (2021), arXiv:2105.13922, section 5 (stability of modified flows).
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Count, as_count, check_same, check_square, floats


def round_matrix(
    jacobian: ArrayInput,
    rates: ArrayInput,
    n_x: Count,
    *,
    alternating: bool,
    inner_steps: tuple[int, int] = (1, 1),
) -> Float[Array, "n n"]:
    """The matrix $T$ of one round of gradient play, x first.

    **Arguments:**

    - `jacobian`: $J$, x's entries first, `n_x` of them. `rates`: the step size of every entry.
    """
    jacobian, rates, count = _checked(jacobian, rates, n_x)
    identity = jnp.eye(len(rates), dtype=jacobian.dtype)
    scaled = rates[:, None] * jacobian
    if not alternating:
        return identity - scaled
    is_x = jnp.arange(len(rates)) < count
    move_x = identity - jnp.where(is_x[:, None], scaled, 0)
    move_y = identity - jnp.where(is_x[:, None], 0, scaled)
    power = jnp.linalg.matrix_power
    return power(move_y, inner_steps[1]) @ power(move_x, inner_steps[0])


def _checked(jacobian: ArrayInput, rates: ArrayInput, n_x: Count) -> tuple[Array, Array, int]:
    jacobian, rates = floats(jacobian, rates)
    check_square("jacobian", jacobian)
    check_same("size", rates=rates.shape, jacobian=jacobian.shape[:1])
    return jacobian, rates, as_count("n_x", n_x, 0, len(rates))


def drift_matrix(
    jacobian: ArrayInput,
    rates: ArrayInput,
    n_x: Count,
    *,
    alternating: bool,
    inner_steps: tuple[int, int] = (1, 1),
) -> Float[Array, "n n"]:
    r"""$\log T$ up to the third order: the matrix of the modified flow, time in rounds.

    With $A$ and $B$ the rows of $-\mathrm{diag}(r)J$ of x and of y: simultaneous
    $A + B - \tfrac12(A + B)^2$; alternating $n_xA + n_yB - \tfrac12(n_xA^2 + n_yB^2) +
    \tfrac12n_xn_y(BA - AB)$. The arguments are those of `round_matrix`.
    """
    jacobian, rates, count = _checked(jacobian, rates, n_x)
    scaled = -rates[:, None] * jacobian
    if not alternating:
        return scaled - scaled @ scaled / 2
    is_x = (jnp.arange(len(rates)) < count)[:, None]
    a, b = jnp.where(is_x, scaled, 0), jnp.where(is_x, 0, scaled)
    n, m = inner_steps
    return n * a + m * b - (n * a @ a + m * b @ b) / 2 + n * m * (b @ a - a @ b) / 2
