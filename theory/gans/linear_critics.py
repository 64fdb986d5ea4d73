r"""Optimal linear critics $f(x) = w^\top x$ in closed form: unit ball, weight clipping, penalty.

Such a critic depends on the data through $\delta = \mu_{\text{real}} - \mu_{\text{fake}}$ alone,
and already shows how the constraints differ.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Number,
    as_number,
    check_line,
    check_not_negative,
    check_positive,
    floats,
)
from theory._numeric import Scalar, safe_norm


class LinearCritic(NamedTuple):
    r"""An optimal linear critic.

    - `weights`: $w^*$, shape `(d,)`. `slope`: $\|w^*\|$, its Lipschitz constant.
    - `estimate`: $w^{*\top}\delta$, what it reports as the distance.
    - `objective`: the estimate less the penalty, if there is one.
    """

    weights: Float[Array, " d"]
    slope: Scalar
    estimate: Scalar
    objective: Scalar


def _unit(delta: Float[Array, " d"]) -> tuple[Float[Array, " d"], Scalar]:
    """Direction and length; the first axis for a vector of length 0."""
    length = safe_norm(delta, axis=0)
    axis = jnp.zeros_like(delta).at[0].set(1.0)
    return jnp.where(length == 0, axis, delta / jnp.where(length == 0, 1, length)), length


def _difference(delta: ArrayInput) -> Float[Array, " d"]:
    (delta,) = floats(delta)
    check_line("delta", delta)
    return delta


def lipschitz_linear_critic(delta: ArrayInput) -> LinearCritic:
    r"""The optimum with $\|w\| \le 1$: $w^* = \delta/\|\delta\|$, with the estimate $\|\delta\|$.

    For two laws that are shifts of each other this is $W_1$ itself. If $\delta = 0$ every unit
    vector is as good; the first axis is given.
    """
    direction, length = _unit(_difference(delta))
    return LinearCritic(direction, safe_norm(direction, axis=0), length, length)


def clipped_linear_critic(delta: ArrayInput, clip: Number) -> LinearCritic:
    r"""The optimum with $\|w\|_\infty \le c$: $w^* = c\operatorname{sign}\delta$, at the bounds.

    The estimate is $c\|\delta\|_1$: between $c\|\delta\|$ and $c\sqrt d\|\delta\|$, it depends on
    the axes and not on the distance alone.

    **Arguments:**

    - `delta`: difference of means, shape `(d,)`; where it is 0 any weight is optimal, and 0 given.
    - `clip`: $c > 0$.

    !!! cite "Source"

        Gulrajani et al. (2017), arXiv:1704.00028, section 3, for weights pushed to the bounds.
    """
    delta = _difference(delta)
    check_positive(clip=clip)
    bound = as_number(clip, delta.dtype)
    weights = bound * jnp.sign(delta)
    estimate = bound * jnp.sum(jnp.abs(delta))
    return LinearCritic(weights, safe_norm(weights, axis=0), estimate, estimate)


def penalised_linear_critic(
    delta: ArrayInput, penalty_weight: Number, target: Number = 1.0
) -> LinearCritic:
    r"""The maximum of $w^\top\delta - \lambda(\|w\| - g_0)^2$.

    Along $\delta$, with $\|w^*\| = g_0 + \|\delta\|/2\lambda$: a penalty is no constraint, and the
    critic passes the slope $g_0$ by its pull over $2\lambda$. The estimate is
    $g_0\|\delta\| + \|\delta\|^2/2\lambda$, the objective $g_0\|\delta\| + \|\delta\|^2/4\lambda$.
    As the slope is never below $g_0$, the one-sided penalty has the same maximum.

    **Arguments:**

    - `delta`: difference of means, shape `(d,)`; if it is 0 every direction is as good, and the
      first axis is given.
    - `penalty_weight`: $\lambda > 0$. `target`: $g_0$, 1 for Wasserstein critics.

    !!! cite "Source"

        Gulrajani et al. (2017), arXiv:1704.00028, equation 3, maximised over linear critics.
    """
    delta = _difference(delta)
    check_positive(penalty_weight=penalty_weight)
    check_not_negative(target=target)
    weight, wanted = as_number(penalty_weight, delta.dtype), as_number(target, delta.dtype)
    direction, length = _unit(delta)
    excess = length / (2 * weight)
    slope = wanted + excess
    return LinearCritic(
        slope * direction, slope, slope * length, slope * length - weight * excess**2
    )
