"""Entropic optimal transport: Sinkhorn in log space, its bias, and the debiased divergence."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    as_number,
    check_clouds,
    check_positive,
    concrete,
    floats,
    from_one_origin,
    gaussians,
)
from theory._numeric import Scalar, all_numbers, log_or_minus_inf, nan_unless, safe_sqrt, zero_times
from theory.transport.bures import joint_spectrum
from theory.transport.closed_form import shares


class EntropicPlan(NamedTuple):
    r"""$\min_P \langle P, C\rangle + \varepsilon\,\mathrm{KL}(P\|a\otimes b)$ and its minimiser.

    - `plan`: shape `(n, m)`. `source`, `target`: the dual potentials, shapes `(n,)` and `(m,)`.
    - `value`: the minimum, by the dual. `cost`: $\langle P, C\rangle$ alone, never below the exact
      transport cost: the difference is the bias of blurring.
    - `marginal_error`: the sum of what the plan's rows are off. `iterations`, `converged`.
    """

    plan: Float[Array, "n m"]
    source: Float[Array, " n"]
    target: Float[Array, " m"]
    value: Scalar
    cost: Scalar
    marginal_error: Scalar
    iterations: Int[Array, ""]
    converged: Bool[Array, ""]


def sinkhorn(
    costs: ArrayInput,
    epsilon: Number,
    x_weights: ArrayInput | None = None,
    y_weights: ArrayInput | None = None,
    *,
    tol: Number | None = None,
    max_iterations: Count = 10_000,
) -> EntropicPlan:
    r"""Sinkhorn's iteration in log space, stable for every $\varepsilon$.

    $\varphi_i \leftarrow -\varepsilon\log\sum_j b_j e^{(\psi_j - c_{ij})/\varepsilon}$, then $\psi$
    likewise, until the rows of the plan are right to `tol`. The number of iterations needed grows
    as $1/\varepsilon$. Jit and vmap work; so does `grad` of `value` in costs and weights, exact at
    the optimum (potentials held fixed: Danskin's theorem).

    **Arguments:**

    - `costs`: shape `(n, m)`, finite. `epsilon`: positive, in units of the cost.
    - `x_weights`, `y_weights`: not negative, normalised here; equal by default. Points of weight 0
      have a potential too, and no mass.
    - `tol`: of `marginal_error`, a share of the mass. By default 1e-9, or the rounding error of
      the largest exponent $\max|c|/\varepsilon$ where that is more: a plan in single precision can
      be no better.

    **Returns:** see `EntropicPlan`; NaN, and not converged, for NaN in any of them.

    **Raises:** `ValueError` for costs that are no matrix, wrong weights, an `epsilon` or `tol` that
    is not positive, or `max_iterations` below 1.

    !!! cite "Source"

        Cuturi (2013), arXiv:1306.0895; Peyré & Cuturi (2019), section 4.4, for log scales.
    """
    (costs,) = floats(costs)
    if costs.ndim != 2 or costs.size == 0:
        raise ValueError(f"costs must be a matrix with at least one entry, got {costs.shape}.")
    _check_epsilon(epsilon)
    blur = _positive_or_nan(as_number(epsilon, costs.dtype))
    max_iterations = as_count("max_iterations", max_iterations)
    tolerance = _tolerance(tol, jax.lax.stop_gradient(jnp.max(jnp.abs(costs)) / blur))
    a, b = shares("x_weights", x_weights, costs[:, 0]), shares("y_weights", y_weights, costs[0])
    return _iterate(costs, blur, a, b, tolerance, max_iterations)


@eqx.filter_jit
def _iterate(
    costs: Float[Array, "n m"],
    blur: Any,
    a: Float[Array, " n"],
    b: Float[Array, " m"],
    tolerance: Scalar,
    max_iterations: int,
) -> EntropicPlan:
    log_a, log_b = log_or_minus_inf(a), log_or_minus_inf(b)
    fixed = jax.lax.stop_gradient(costs)
    log_a0, log_b0 = jax.lax.stop_gradient((log_a, log_b))
    soft = jax.scipy.special.logsumexp
    to_source = lambda g: -blur * soft((g[None, :] - fixed) / blur + log_b0[None, :], axis=1)
    to_target = lambda f: -blur * soft((f[:, None] - fixed) / blur + log_a0[:, None], axis=0)

    def unsettled(carry):
        _, _, error, count = carry
        return (error > tolerance) & (count < max_iterations)

    def iterate(carry):
        f, g, _, count = carry
        # The columns are right after each round; the next f says how far off the rows are.
        new_f = to_source(g)
        error = jnp.sum(jnp.exp(log_a0) * jnp.abs(jnp.expm1((f - new_f) / blur)))
        return new_f, to_target(new_f), jnp.where(count == 0, jnp.inf, error), count + 1

    start = (
        jnp.zeros_like(fixed[:, 0]),
        jnp.zeros_like(fixed[0]),
        jnp.asarray(jnp.inf, fixed.dtype),
        jnp.zeros((), jnp.int32),
    )
    f, g, _, count = jax.lax.stop_gradient(jax.lax.while_loop(unsettled, iterate, start))
    exponent = (f[:, None] + g[None, :] - costs) / blur
    plan = jnp.exp(exponent + log_a[:, None] + log_b[None, :])
    error = jnp.sum(jnp.abs(jnp.sum(plan, axis=1) - a))
    value = jnp.sum(zero_times(a, f)) + jnp.sum(zero_times(b, g))
    value = value - blur * (jnp.sum(plan) - 1.0)  # 0 at the optimum; its slope is not
    cost = jnp.sum(plan * costs)
    known = all_numbers(costs, a, b, jnp.asarray(blur, costs.dtype))
    f, g = nan_unless(known, f), nan_unless(known, g)
    return EntropicPlan(plan, f, g, value, cost, error, count, error <= 2 * tolerance)


def _check_epsilon(epsilon: Number) -> None:
    found = concrete(epsilon)
    if found is not None and found.ndim:
        raise ValueError(f"epsilon must be a single number, got shape {found.shape}.")
    if found is not None and not found > 0:
        raise ValueError(f"epsilon must be positive, got {found}; use optimal_transport for 0.")


def _positive_or_nan(blur: Any) -> Any:
    """The blur; NaN for a traced one that is not positive, which no check can see."""
    return nan_unless(blur > 0, blur) if isinstance(blur, jax.Array) else blur


def _tolerance(tol: Number | None, reach: Scalar) -> Scalar:
    """The requested tolerance, or the smallest that rounding in exponents of this size allows."""
    if tol is not None:
        check_positive(tol=tol)
        return jnp.asarray(tol).astype(reach.dtype)
    rounding = jnp.finfo(reach.dtype).eps * (1 + reach)
    return jnp.maximum(1e-9, rounding)


def sinkhorn_divergence(x: ArrayInput, y: ArrayInput, epsilon: Number, p: Count = 2) -> Scalar:
    r"""$S_\varepsilon = OT_\varepsilon(x, y) - \tfrac12OT_\varepsilon(x, x)
    - \tfrac12OT_\varepsilon(y, y)$, for clouds of equal weights.

    $OT_\varepsilon(x, x) > 0$ is the bias of entropy, and this is what is left without it: 0 for
    equal clouds, positive otherwise, $W_p^p$ as $\varepsilon\to0$ and a squared distance of means
    ($p = 2$) as $\varepsilon\to\infty$.

    **Arguments:**

    - `x`, `y`: shapes `(n, d)` and `(m, d)`. `epsilon`: positive, in units$^p$. `p`: 1 or 2.

    **Returns:** shape `()`, in the data's units$^p$.

    !!! cite "Source"

        Genevay, Peyré & Cuturi (2018), arXiv:1706.00292; Feydy et al. (2019), arXiv:1810.08278.
    """
    x, y = from_one_origin(x, y)
    check_clouds(x=x, y=y)
    power = as_count("p", p, 1, 2)
    loss = lambda u, v: sinkhorn(_costs(u, v, power), epsilon).value
    return loss(x, y) - 0.5 * (loss(x, x) + loss(y, y))


def _costs(x: Float[Array, "n d"], y: Float[Array, "m d"], p: int) -> Float[Array, "n m"]:
    squares = jnp.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=2)
    if p == 2:
        return squares
    return safe_sqrt(squares)


def entropic_gaussian(
    mean_x: ArrayInput, cov_x: ArrayInput, mean_y: ArrayInput, cov_y: ArrayInput, epsilon: Number
) -> Scalar:
    r"""$OT_\varepsilon$ between two Gaussians with the squared distance as cost.

    $$\|\mu_x-\mu_y\|^2 + \operatorname{tr}(\Sigma_x + \Sigma_y - D) + \tfrac\varepsilon2 d
      + \tfrac\varepsilon2\log\det\left(\tfrac{1}{\varepsilon}D + \tfrac12 I\right), \qquad
      D = \left(4\Sigma_x^{1/2}\Sigma_y\Sigma_x^{1/2} + \tfrac{\varepsilon^2}4I\right)^{1/2}$$

    **Arguments:** means of shape `(d,)`, covariances of shape `(d, d)`, positive semidefinite;
    `epsilon`: positive, in squared units.

    **Returns:** shape `()`, in squared units; $W_2^2$ as $\varepsilon\to0$, and not 0 for equal
    laws. Second derivatives are NaN at repeated eigenvalues; first ones are not.

    !!! cite "Source"

        Janati, Muzellec, Peyré & Cuturi (2020), arXiv:2006.02572, theorem 1, with
        $\varepsilon = 2\sigma^2$.
    """
    mean_x, cov_x, mean_y, cov_y = gaussians(mean_x, cov_x, mean_y, cov_y)
    _check_epsilon(epsilon)
    blur = _positive_or_nan(as_number(epsilon, mean_x.dtype))
    spectrum = jnp.sqrt(4 * joint_spectrum(cov_x, cov_y) + blur**2 / 4)
    entropy = jnp.sum(jnp.log(spectrum / blur + 0.5)) + mean_x.size
    bures = jnp.trace(cov_x) + jnp.trace(cov_y) - jnp.sum(spectrum)
    return jnp.sum((mean_x - mean_y) ** 2) + bures + 0.5 * blur * entropy
