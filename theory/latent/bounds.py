r"""Bounds on the log-likelihood from log weights: ELBO, IWAE, and log-mean-exp with its errors.

All are functions of $\log w_l = \log p(x, z_l) - \log q(z_l|x)$ with $z_l \sim q(z|x)$, or of
$\log p(x|z_l)$ with $z_l$ from the prior, which is $q = p(z)$. They have the samples along the last
axis. With $L_k = E\log\frac1k\sum_{l\le k} w_l$:

$$\mathrm{ELBO} = L_1 \le L_k \le L_{k+1} \le \log p(x).$$
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Count, as_count, floats
from theory._numeric import Estimate, mean_estimate, safe_sqrt


def log_mean_exp(log_weights: ArrayInput) -> Float[Array, "..."]:
    r"""$\log\frac1L\sum_l w_l$ over the last axis: a consistent estimate of $\log p(x)$.

    Its expectation is a lower bound, by $\operatorname{Var}(w)/2L\,(Ew)^2$ to first order.

    **Arguments:**

    - `log_weights`: shape `(..., L)`; $-\infty$ is a weight of 0.

    **Returns:** shape `(...)`.

    !!! cite "Source"

        Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519, equation 8.
    """
    weights = _log_weights(log_weights)
    return jax.scipy.special.logsumexp(weights, axis=-1) - math.log(weights.shape[-1])


def jackknife_log_mean_exp(log_weights: ArrayInput) -> Float[Array, "..."]:
    r"""`log_mean_exp` without its bias of the order 1/L: what is left is of the order 1/L².

    $L\ell - \frac{L-1}L\sum_l\ell_{-l}$, with $\ell_{-l}$ without the l-th sample. It is no bound.

    **Arguments:**

    - `log_weights`: shape `(..., L)`, L at least 2.

    !!! cite "Source"

        Nowozin (2018), "Debiasing evidence approximations: On importance-weighted autoencoders and
        jackknife variational inference", ICLR.
    """
    weights = _log_weights(log_weights, 2)
    count = weights.shape[-1]
    # Sums of those before and of those after the l-th: 1 - share would round to 0 for a large one.
    axis, none = weights.ndim - 1, jnp.full_like(weights[..., :1], -jnp.inf)
    before = jax.lax.cumlogsumexp(weights, axis=axis)[..., :-1]
    after = jax.lax.cumlogsumexp(weights, axis=axis, reverse=True)[..., 1:]
    before = jnp.concatenate([none, before], axis=-1)
    without = jnp.logaddexp(before, jnp.concatenate([after, none], axis=-1)) - math.log(count - 1)
    whole = log_mean_exp(weights)
    return whole + (count - 1) * jnp.mean(whole[..., None] - without, axis=-1)


class LogLikelihood(NamedTuple):
    r"""Importance-sampled log-likelihoods, one a point, in nats.

    - `value`: $\log\frac1L\sum_l w_l$.
    - `standard_error`: $\operatorname{sd}(w)/\sqrt L\,\bar w$, by the delta method; too small if
      few samples carry the sum.
    - `bias`: $-\operatorname{Var}(w)/2L\,\bar w^2$, the expected error to first order.
    - `effective_samples`: $(\sum w)^2/\sum w^2$, from 1 to L.
    """

    value: Float[Array, "..."]
    standard_error: Float[Array, "..."]
    bias: Float[Array, "..."]
    effective_samples: Float[Array, "..."]


def importance_log_likelihood(log_weights: ArrayInput) -> LogLikelihood:
    r"""$\log p(x)$ by importance sampling, with its error, bias and effective sample size.

    The mean over points of a data set is `iwae_bound` with k = L, whose error includes this one.

    **Arguments:**

    - `log_weights`: shape `(..., L)`, L at least 2.

    **Returns:** arrays of shape `(...)`; errors are NaN where every weight is 0.
    """
    weights = _log_weights(log_weights, 2)
    count = weights.shape[-1]
    shares = _shares(weights)
    squares = jnp.sum(shares**2, axis=-1)
    # Of the mean, relative. L sum(share^2) - 1 would be rounding where weights are nearly equal.
    variance = jnp.sum((count * shares - 1) ** 2, axis=-1) / (count * (count - 1))
    return LogLikelihood(log_mean_exp(weights), safe_sqrt(variance), -variance / 2, 1 / squares)


def iwae_bound(log_weights: ArrayInput, k: Count) -> Estimate:
    r"""$L_k$, the k-sample bound, averaged over all disjoint groups of k samples.

    **Arguments:**

    - `log_weights`: shape `(L,)` of one point or `(n, L)` of n; k divides L.

    **Returns:** the mean over points and its standard error, over points. Those are the independent
    terms; of a single point the groups are.

    !!! cite "Source"

        Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519, theorem 1.
    """
    weights = _log_weights(log_weights)
    count = weights.shape[-1]
    k = as_count("k", k, 1, count)
    if count % k:
        raise ValueError(f"k must divide the number of samples, {count}, got {k}.")
    bounds = log_mean_exp(weights.reshape((*weights.shape[:-1], count // k, k)))
    if weights.ndim > 2:
        raise ValueError(f"log_weights must be of shape (L,) or (n, L), got {weights.shape}.")
    return mean_estimate(bounds if weights.ndim == 1 else jnp.mean(bounds, axis=-1))


def elbo(log_weights: ArrayInput) -> Estimate:
    r"""$E\log w$, the evidence lower bound: $L_1$, unbiased for every number of samples.

    $\log p(x) - \mathrm{KL}(q(z|x)\|p(z|x))$, or $E_q\log p(x|z) - \mathrm{KL}(q(z|x)\|p(z))$.
    With the exact posterior every $\log w$ is $\log p(x)$.

    **Arguments:**

    - `log_weights`: shape `(L,)` of one point or `(n, L)` of n.

    **Returns:** that of `iwae_bound`.
    """
    return iwae_bound(log_weights, 1)


def posterior_gap(log_weights: ArrayInput) -> Float[Array, "..."]:
    r"""$\mathrm{KL}(q(z|x)\|p(z|x)) = \log p(x) - \mathrm{ELBO}$ from log weights.

    At least 0, and too small by the bias of `log_mean_exp`.

    **Arguments:**

    - `log_weights`: shape `(..., L)`.

    !!! cite "Source"

        Cremer, Li & Duvenaud (2018), arXiv:1801.03558, the inference gap.
    """
    weights = _log_weights(log_weights)
    return log_mean_exp(weights) - jnp.mean(weights, axis=-1)


def kl_standard_normal(mean: ArrayInput, log_deviation: ArrayInput) -> Float[Array, "..."]:
    r"""$\mathrm{KL}(N(\mu, \sigma^2)\|N(0, 1)) = \tfrac12(\mu^2 + \sigma^2 - 1) - \log\sigma$.

    In nats and for every entry on its own: a diagonal Gaussian's is the sum.

    **Arguments:**

    - `mean`, `log_deviation`: $\mu$ and $\log\sigma$, of one shape.
    """
    mean, log_deviation = floats(mean, log_deviation)
    if mean.shape != log_deviation.shape:
        raise ValueError(
            "mean and log_deviation must agree in shape, "
            f"got {mean.shape} and {log_deviation.shape}."
        )
    return 0.5 * (mean**2 + _expm1_less(2 * log_deviation))


def _expm1_less(t: Float[Array, "..."]) -> Float[Array, "..."]:
    """$e^t - 1 - t$; near 0 by its series, where the difference would be rounding."""
    near = jnp.abs(t) < 0.01
    small = jnp.where(near, t, 0)
    series = 1 / 2 + small * (1 / 6 + small * (1 / 24 + small * (1 / 120 + small / 720)))
    return jnp.where(near, small**2 * series, jnp.expm1(t) - t)


def kl_categorical(logits_q: ArrayInput, logits_p: ArrayInput) -> Float[Array, "..."]:
    r"""$\mathrm{KL}(q\|p)$ of categorical laws with unnormalised log probabilities, in nats.

    **Arguments:**

    - `logits_q`, `logits_p`: shape `(..., c)`; $-\infty$ is a category that never comes.

    **Returns:** shape `(...)`; infinite where q has a category that p has not.
    """
    logits_q, logits_p = floats(logits_q, logits_p)
    if logits_q.shape != logits_p.shape or logits_q.ndim == 0 or logits_q.shape[-1] == 0:
        raise ValueError(
            "logits_q and logits_p must be of one shape (..., c), c at least 1, "
            f"got {logits_q.shape} and {logits_p.shape}."
        )
    q, p = jax.nn.log_softmax(logits_q), jax.nn.log_softmax(logits_p)
    never = q == -jnp.inf
    ratio = jnp.where(never, 0, q) - jnp.where(never & ~jnp.isnan(p), 0, p)
    return jnp.sum(jnp.exp(q) * ratio, axis=-1)


def _log_weights(log_weights: ArrayInput, least: int = 1) -> Float[Array, "... L"]:
    (weights,) = floats(log_weights)
    if weights.ndim == 0 or weights.shape[-1] < least:
        raise ValueError(
            f"log_weights must have the shape (..., L), L at least {least}, got {weights.shape}."
        )
    return weights


def _shares(weights: Float[Array, "... L"]) -> Float[Array, "... L"]:
    """Normalised weights."""
    return jax.nn.softmax(weights, axis=-1)
