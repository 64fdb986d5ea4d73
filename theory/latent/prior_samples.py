r"""Likelihoods from samples of the prior: Jensen's bound and its trap, log-mean-exp and its cost.

Two estimates of $\log p(x) = \log E_{z\sim p(z)} p(x|z)$. The mean of $\log p(x|z)$ is a lower
bound whose best decoder ignores z. The logarithm of the mean of $p(x|z)$ is consistent, and the
narrower the posterior the more samples it needs.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Count,
    as_count,
    check_gaussian,
    check_line,
    check_not_negative,
    check_same,
    floats,
)
from theory._numeric import Scalar, zero_times
from theory.latent.linear_gaussian import LinearGaussian


def prior_sample_bound(model: LinearGaussian, mean: ArrayInput, covariance: ArrayInput) -> Scalar:
    r"""$E_xE_{z\sim p(z)}\log p(x|z)$ of a linear-Gaussian decoder: a bound by Jensen's inequality.

    $$-\tfrac12\bigl[d\log 2\pi\sigma^2 + (\operatorname{tr}\Sigma + \|\bar x-\mu\|^2 +
      \|W\|_F^2)/\sigma^2\bigr]$$

    The weights only cost: it is largest at $W = 0$, a decoder of one mean whatever z is. Its
    largest value over all decoders, linear or not, is `constant_gaussian_log_likelihood`.

    **Arguments:**

    - `mean`, `covariance`: of the data (see `moments`), shapes `(d,)` and `(d, d)`.
    """
    mean, covariance = floats(mean, covariance)
    check_gaussian("the data", mean, covariance)
    check_same("dimension", decoder=model.mean.size, data=mean.size)
    bias = mean - model.mean
    error = jnp.trace(covariance) + bias @ bias + jnp.sum(model.weights**2)
    return -0.5 * (mean.size * jnp.log(2 * jnp.pi * model.variance) + error / model.variance)


def constant_gaussian_log_likelihood(variances: ArrayInput, *, shared: bool = True) -> Scalar:
    r"""The largest mean log-likelihood of a Gaussian decoder that ignores its latent, in nats.

    $-\frac12\sum_j(\log 2\pi v_j + 1)$ with $v_j$ the variance of entry j, or with `shared` their
    mean in every place: `pca_log_likelihood` without latents.

    **Arguments:**

    - `variances`: of the data's entries, shape `(d,)`.
    """
    (variances,) = floats(variances)
    check_line("variances", variances)
    check_not_negative(variances=variances)
    if shared:
        variances = jnp.full_like(variances, jnp.mean(variances))
    return -0.5 * jnp.sum(jnp.log(2 * jnp.pi * variances) + 1)


def constant_bernoulli_log_likelihood(means: ArrayInput) -> Scalar:
    r"""The largest mean log-likelihood of a Bernoulli decoder that ignores its latent, in nats.

    $-\sum_j H(m_j) = \sum_j m_j\log m_j + (1-m_j)\log(1-m_j)$.

    **Arguments:**

    - `means`: of the data's entries, from 0 to 1, shape `(d,)`.
    """
    (means,) = floats(means)
    check_line("means", means)
    check_not_negative(means=means, one_minus_means=1 - means)
    log = lambda share: jnp.log(jnp.where(share == 0, 1, share))
    return jnp.sum(zero_times(means, log(means)) + zero_times(1 - means, log(1 - means)))


def log_second_moment(model: LinearGaussian, x: ArrayInput) -> Scalar:
    r"""$\log\bigl(1 + \operatorname{Var}(w)/p(x)^2\bigr)$ of $w = p(x|z)$, z from the prior.

    The square of a Gaussian is one of half the variance, so that

    $$E w^2 = (4\pi\sigma^2)^{-d/2}\,N\bigl(x; \mu, WW^\top + \tfrac12\sigma^2I\bigr).$$

    Samples by the number of its exponential are needed: prior samples hit a narrow posterior by
    chance.

    **Arguments:**

    - `model`: the decoder. `x`: one point, shape `(d,)`.
    """
    half = LinearGaussian(model.weights, model.mean, model.variance / 2)
    square = -0.5 * model.mean.size * jnp.log(4 * jnp.pi * model.variance)
    return jnp.maximum(square + half.log_prob(x) - 2 * model.log_prob(x), 0)


def log_mean_exp_bias(log_second_moment: ArrayInput, samples: Count) -> Float[Array, "..."]:
    r"""The bias of `log_mean_exp` to first order: $-\operatorname{Var}(w)/2L\,(Ew)^2$, in nats.

    Right while it is small.

    **Arguments:**

    - `log_second_moment`: $\log(1 + \operatorname{Var}(w)/(Ew)^2)$, any shape.
    - `samples`: L.
    """
    (moment,) = floats(log_second_moment)
    check_not_negative(log_second_moment=moment)
    return -jnp.expm1(moment) / (2 * as_count("samples", samples))
