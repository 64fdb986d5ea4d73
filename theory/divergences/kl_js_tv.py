"""Kullback-Leibler, Jensen-Shannon and total variation: exact, by quadrature and from samples.

All in nats, from log probabilities wherever those are at hand: nothing overflows, supports that do
not meet give the value that the definition gives (KL infinite, JS log 2, TV 1).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Number,
    check_positive,
    check_same_shape,
    floats,
    gaussians,
    on_nodes,
    on_samples,
    probability_vectors,
)
from theory._numeric import (
    Estimate,
    Scalar,
    half_of_each,
    log_or_minus_inf,
    log_ratio,
    mean_estimate,
    zero_times,
)


def kl_density(log_p: ArrayInput, log_q: ArrayInput, weights: ArrayInput) -> Scalar:
    r"""$\mathrm{KL}(p\|q) = \int p \log(p/q)$ from log densities at quadrature nodes, in nats.

    **Arguments:**

    - `log_p`, `log_q`: log densities, or log probabilities, at the nodes, shape `(k,)`; $-\infty$
      where there is no mass.
    - `weights`: of the nodes, shape `(k,)`; ones for a sum.

    **Returns:** shape `()`; infinite where $p$ has mass and $q$ none, NaN for NaN in any of them.

    !!! cite "Source"

        Kullback & Leibler (1951), Annals of Mathematical Statistics 22(1).
    """
    log_p, log_q, weights = on_nodes(log_p, log_q, weights)
    ratio = log_ratio(log_p, log_q, log_p == -jnp.inf)  # so that -inf - (-inf) never arises
    return jnp.sum(zero_times(weights * jnp.exp(log_p), ratio))


def js_density(log_p: ArrayInput, log_q: ArrayInput, weights: ArrayInput) -> Scalar:
    r"""$\tfrac12\mathrm{KL}(p\|m) + \tfrac12\mathrm{KL}(q\|m)$ with $m = (p+q)/2$, in nats.

    The arguments are those of `kl_density`. Between 0 and $\log 2$.

    !!! cite "Source"

        Lin (1991), IEEE Transactions on Information Theory 37(1), with equal weights.
    """
    log_p, log_q, weights = on_nodes(log_p, log_q, weights)
    # log p - log m = log 2 + log sigmoid(log p - log q): no mixture is formed, nothing underflows.
    p_side = zero_times(weights * jnp.exp(log_p), _log_share(log_p, log_q))
    q_side = zero_times(weights * jnp.exp(log_q), _log_share(log_q, log_p))
    return 0.5 * jnp.sum(p_side) + 0.5 * jnp.sum(q_side)


def _log_share(log_p: Float[Array, " k"], log_q: Float[Array, " k"]) -> Float[Array, " k"]:
    """log(2 p / (p + q)); 0 where p has no mass."""
    nothing = log_p == -jnp.inf
    share = jnp.log(2.0) - jax.nn.softplus(-log_ratio(log_p, log_q, nothing))
    return jnp.where(nothing & ~jnp.isnan(log_q), 0, share)


def tv_density(log_p: ArrayInput, log_q: ArrayInput, weights: ArrayInput) -> Scalar:
    r"""$\tfrac12\int|p - q|$, between 0 and 1. The arguments are those of `kl_density`."""
    log_p, log_q, weights = on_nodes(log_p, log_q, weights)
    return 0.5 * jnp.sum(weights * jnp.abs(jnp.exp(log_p) - jnp.exp(log_q)))


def kl_discrete(p: ArrayInput, q: ArrayInput) -> Scalar:
    r"""$\sum p\log(p/q)$ of two probability vectors, in nats, with $0\log 0 = 0$.

    **Returns:** shape `()`; infinite where $q = 0 < p$.

    **Raises:** `ValueError` for vectors of different sizes or negative entries.
    """
    p, q = probability_vectors(p, q)
    return kl_density(log_or_minus_inf(p), log_or_minus_inf(q), jnp.ones_like(p))


def js_discrete(p: ArrayInput, q: ArrayInput) -> Scalar:
    """The Jensen-Shannon divergence of two probability vectors, in nats, at most log 2."""
    p, q = probability_vectors(p, q)
    return js_density(log_or_minus_inf(p), log_or_minus_inf(q), jnp.ones_like(p))


def tv_discrete(p: ArrayInput, q: ArrayInput) -> Scalar:
    """Half the sum of differences of two probability vectors, between 0 and 1."""
    p, q = probability_vectors(p, q)
    return 0.5 * jnp.sum(jnp.abs(p - q))


def kl_normal(mean_p: Number, std_p: Number, mean_q: Number, std_q: Number) -> Scalar:
    r"""$\mathrm{KL}$ between two normal laws on the line, in nats.

    $$\log\frac{\sigma_q}{\sigma_p} + \frac{\sigma_p^2 + (\mu_p-\mu_q)^2}{2\sigma_q^2} - \frac12$$

    **Arguments:** means and positive standard deviations, each of shape `()`.
    """
    mean_p, std_p, mean_q, std_q = floats(mean_p, std_p, mean_q, std_q)
    check_positive(std_p=std_p, std_q=std_q)
    ratio = std_p / std_q
    return 0.5 * (ratio**2 + ((mean_p - mean_q) / std_q) ** 2 - 1.0) - jnp.log(ratio)


def kl_gaussian(
    mean_p: ArrayInput, cov_p: ArrayInput, mean_q: ArrayInput, cov_q: ArrayInput
) -> Scalar:
    r"""$\mathrm{KL}$ between two Gaussians with full covariances, in nats.

    $$\tfrac12\left[\operatorname{tr}(\Sigma_q^{-1}\Sigma_p) + \|\mu_p-\mu_q\|^2_{\Sigma_q^{-1}} - d
      + \log\frac{\det\Sigma_q}{\det\Sigma_p}\right]$$

    **Arguments:** means of shape `(d,)`, covariances of shape `(d, d)`, positive definite.

    **Returns:** shape `()`; NaN where a covariance is not positive definite.
    """
    mean_p, cov_p, mean_q, cov_q = gaussians(mean_p, cov_p, mean_q, cov_q)
    root_p, root_q = jnp.linalg.cholesky(cov_p), jnp.linalg.cholesky(cov_q)
    solve = lambda b: jax.scipy.linalg.solve_triangular(root_q, b, lower=True)
    trace = jnp.sum(solve(root_p) ** 2)
    distance = jnp.sum(solve(mean_p - mean_q) ** 2)
    half_log_det = lambda root: jnp.sum(jnp.log(jnp.diagonal(root)))
    return 0.5 * (trace + distance - mean_p.size) + half_log_det(root_q) - half_log_det(root_p)


def kl_samples(log_p: ArrayInput, log_q: ArrayInput) -> Estimate:
    r"""$\mathrm{KL}(p\|q)$ as the mean of $\log p - \log q$ over samples of $p$, in nats.

    **Arguments:**

    - `log_p`, `log_q`: exact log densities at the samples, shape `(n,)`.

    **Returns:** an unbiased estimate and its standard error (NaN for one sample).
    """
    log_p, log_q = floats(log_p, log_q)
    check_same_shape(log_p=log_p, log_q=log_q)
    return mean_estimate(log_ratio(log_p, log_q, log_p == -jnp.inf))


def js_samples(
    log_p_at_p: ArrayInput, log_q_at_p: ArrayInput, log_p_at_q: ArrayInput, log_q_at_q: ArrayInput
) -> Estimate:
    r"""$\mathrm{JS}(p, q)$ from samples of both with exact log densities, in nats.

    **Arguments:**

    - `log_p_at_p`, `log_q_at_p`: at samples of $p$, shape `(n,)`; the others at samples of $q$.

    **Returns:** an unbiased estimate and its standard error. Every term is at most $\log 2$.
    """
    at_p, at_q = on_samples(log_p_at_p, log_q_at_p, log_p_at_q, log_q_at_q)
    return half_of_each(_log_share(*at_p), _log_share(*reversed(at_q)))
