r"""The linear VAE exactly: rate, distortion, ELBO and its Hessian, rate-distortion curves.

The decoder is a `LinearGaussian`, the encoder $q(z|x) = N(Vx + b, S)$. All expectations are over
data with a given mean and covariance, of which the objective needs no more.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    check_gaussian,
    check_line,
    check_positive,
    check_same,
    floats,
)
from theory._numeric import Scalar, all_numbers, nan_unless
from theory.latent.linear_gaussian import LinearGaussian, Moments
from theory.latent.probabilistic_pca import (
    best_variance,
    probabilistic_pca,
    sorted_eigenvalues,
)


class RateDistortion(NamedTuple):
    r"""Rate $E\,\mathrm{KL}(q(z|x)\|p(z))$ and distortion $-E\log p(x|z)$, both in nats."""

    rate: Float[Array, "..."]
    distortion: Float[Array, "..."]


class LinearEncoder(eqx.Module):
    r"""$q(z|x) = N(Vx + b, S)$.

    - `weights`: $V$, shape `(k, d)`. `offset`: $b$, shape `(k,)`.
    - `covariance`: $S$, positive definite, shape `(k, k)`.
    """

    weights: Float[Array, "k d"]
    offset: Float[Array, " k"]
    covariance: Float[Array, "k k"]

    def __init__(self, weights: ArrayInput, offset: ArrayInput, covariance: ArrayInput):
        self.weights, self.offset, self.covariance = floats(weights, offset, covariance)
        if self.weights.ndim != 2 or self.weights.shape[1] == 0:
            raise ValueError(f"weights must have the shape (k, d), got {self.weights.shape}.")
        k = len(self.weights)
        check_same("shape", offset=self.offset.shape, rows_of_weights=(k,))
        check_same("shape", covariance=self.covariance.shape, k_by_k=(k, k))

    def aggregated(self, mean: ArrayInput, covariance: ArrayInput) -> Moments:
        r"""The moments of $q(z) = E_x q(z|x)$; a Gaussian if the data are Gaussian."""
        data_mean, spread, weights = floats(mean, covariance, self.weights)
        check_gaussian("the data", data_mean, spread)
        check_same("dimension", encoder=weights.shape[1], data=data_mean.size)
        return Moments(
            weights @ data_mean + self.offset, weights @ spread @ weights.T + self.covariance
        )


def best_encoder(model: LinearGaussian, beta: Number = 1.0) -> LinearEncoder:
    r"""The encoder that minimises distortion + $\beta$ rate for a decoder, whatever the data are.

    For $\beta = 1$ the exact posterior; otherwise that of the model with the variance
    $\beta\sigma^2$.
    """
    weights, mean, variance, beta = floats(model.weights, model.mean, model.variance, beta)
    check_positive(beta=beta)
    identity = jnp.eye(weights.shape[1], dtype=weights.dtype)
    root = jnp.linalg.cholesky(weights.T @ weights + beta * variance * identity)
    solve = lambda right: jax.scipy.linalg.cho_solve((root, True), right)
    gains = solve(weights.T)
    return LinearEncoder(gains, -gains @ mean, beta * variance * solve(identity))


def linear_rate_distortion(
    model: LinearGaussian, encoder: LinearEncoder, mean: ArrayInput, covariance: ArrayInput
) -> RateDistortion:
    r"""The exact rate and distortion of a linear VAE.

    With the aggregated posterior's mean m and $A = V\Sigma V^\top$, the data's covariance $\Sigma$:

    $$R = \tfrac12\bigl[\operatorname{tr}(A + S) + \|m\|^2 - k - \log\det S\bigr]$$
    $$D = \tfrac12\bigl[d\log 2\pi\sigma^2 + \bigl(\operatorname{tr}(I-WV)\Sigma(I-WV)^\top +
      \operatorname{tr}WSW^\top + \|\bar x - Wm - \mu\|^2\bigr)/\sigma^2\bigr]$$

    The ELBO is $-D - R$. At one point it takes that as the `mean` and a covariance of zeros.

    **Arguments:**

    - `mean`, `covariance`: of the data (see `moments`), shapes `(d,)` and `(d, d)`.
    """
    data_mean, spread = floats(mean, covariance)
    latent = encoder.aggregated(data_mean, spread)
    check_same("k", decoder=model.weights.shape[1], encoder=len(encoder.offset))
    check_same("dimension", decoder=model.mean.size, data=data_mean.size)
    d, k = model.weights.shape
    half_log_det = jnp.sum(jnp.log(jnp.diagonal(jnp.linalg.cholesky(encoder.covariance))))
    squares = jnp.trace(latent.covariance) + latent.mean @ latent.mean
    rate = 0.5 * (squares - k) - half_log_det
    lost = jnp.eye(d, dtype=spread.dtype) - model.weights @ encoder.weights
    bias = data_mean - model.weights @ latent.mean - model.mean
    error = (
        jnp.sum((lost @ spread) * lost)
        + jnp.sum((model.weights @ encoder.covariance) * model.weights)
        + bias @ bias
    )
    distortion = 0.5 * (d * jnp.log(2 * jnp.pi * model.variance) + error / model.variance)
    return RateDistortion(rate, distortion)


def rate_distortion_curve(
    eigenvalues: ArrayInput,
    betas: ArrayInput,
    variance: Number | None = None,
    *,
    k: Count | None = None,
) -> RateDistortion:
    r"""The exact rates and distortions of optimal linear $\beta$-VAEs.

    $$R = \sum_{i\le k}\bigl(\tfrac12\log\lambda_i/\beta\sigma^2\bigr)_+, \qquad D = \tfrac12\Bigl[
      d\log 2\pi\sigma^2 + \tfrac1{\sigma^2}\Bigl(\sum_{i\le k}\min(\lambda_i, \beta\sigma^2) +
      \sum_{i>k}\lambda_i\Bigr)\Bigr]$$

    For Gaussian data, k = d and a fixed variance it is Shannon's curve, by reverse water-filling:
    no code at all does better.

    **Arguments:**

    - `eigenvalues`: of the data's covariance, in any order, shape `(d,)`.
    - `betas`: positive, shape `(n,)`.
    - `variance`: a fixed $\sigma^2$; `best_variance` for every $\beta$ by default.
    - `k`: number of latents; by default as many as there can be: d, and d - 1 without a fixed
      variance.

    **Returns:** arrays of shape `(n,)`.

    !!! cite "Source"

        Cover & Thomas (2006), Elements of Information Theory, section 10.3; Alemi et al. (2018),
        arXiv:1711.00464 ("Fixing a broken ELBO").
    """
    values, betas = sorted_eigenvalues(eigenvalues, betas)
    check_line("betas", betas)
    check_positive(betas=betas)
    d = values.size
    if variance is None:
        k = as_count("k", d - 1 if k is None else k, 0, d - 1)
        count = k
        noise = jax.vmap(lambda beta: best_variance(values, count, beta))(betas)
    else:
        k = as_count("k", d if k is None else k, 0, d)
        check_positive(variance=variance)
        noise = jnp.broadcast_to(floats(variance, values)[0].astype(values.dtype), betas.shape)
    level = (betas * noise)[:, None]
    coded = (jnp.arange(d) < k)[None] & (values[None] > level)
    ratios = jnp.where(coded, values[None] / level, 1)
    error = jnp.sum(jnp.where(coded, level, values[None]), axis=1)
    distortion = 0.5 * (d * jnp.log(2 * jnp.pi * noise) + error / noise)
    known = all_numbers(values) & ~jnp.isnan(noise * betas)
    rate = 0.5 * jnp.sum(jnp.log(ratios), axis=1)
    return RateDistortion(nan_unless(known, rate), nan_unless(known, distortion))


class LinearVAE(NamedTuple):
    r"""Free parameters of a linear VAE with a diagonal encoder: the decoder's three come first.

    $p(x|z) = N(Wz + \mu, \sigma^2 I)$ and $q(z|x) = N(Vx + b, \operatorname{diag} s)$.

    - `weights`, `mean`, `log_variance`: $W$, $\mu$, $\log\sigma^2$; `(d, k)`, `(d,)`, `()`.
    - `encoder_weights`, `encoder_offset`, `encoder_log_variances`: $V$, $b$, $\log s$; `(k, d)`,
      `(k,)`, `(k,)`.
    """

    weights: Float[Array, "d k"]
    mean: Float[Array, " d"]
    log_variance: Scalar
    encoder_weights: Float[Array, "k d"]
    encoder_offset: Float[Array, " k"]
    encoder_log_variances: Float[Array, " k"]

    def decoder(self) -> LinearGaussian:
        """The model."""
        (log_variance,) = floats(self.log_variance)
        return LinearGaussian(self.weights, self.mean, jnp.exp(log_variance))

    def encoder(self) -> LinearEncoder:
        """The encoder, its covariance as a matrix."""
        (log_variances,) = floats(self.encoder_log_variances)
        spread = jnp.diag(jnp.exp(log_variances))
        return LinearEncoder(self.encoder_weights, self.encoder_offset, spread)


def linear_vae_objective(
    parameters: LinearVAE, mean: ArrayInput, covariance: ArrayInput, beta: Number = 1.0
) -> Scalar:
    r"""Distortion + $\beta$ rate in nats: for $\beta = 1$ the mean negative ELBO, exactly.

    **Arguments:**

    - `mean`, `covariance`: of the data (see `moments`), shapes `(d,)` and `(d, d)`.
    """
    decoder, encoder = parameters.decoder(), parameters.encoder()
    rate, distortion = linear_rate_distortion(decoder, encoder, mean, covariance)
    return distortion + floats(beta, rate)[0] * rate


def linear_vae_optimum(
    mean: ArrayInput,
    covariance: ArrayInput,
    k: Count,
    variance: Number | None = None,
    *,
    beta: Number = 1.0,
) -> LinearVAE:
    """A global minimum of `linear_vae_objective`: `probabilistic_pca` and its best encoder.

    The decoder's columns are orthogonal, so that the best encoder's covariance is diagonal. Unique
    up to order and signs of the latents in use. The arguments are those of `probabilistic_pca`.
    """
    model = probabilistic_pca(mean, covariance, k, variance, beta=beta)
    encoder = best_encoder(model, beta)
    return LinearVAE(
        model.weights,
        model.mean,
        jnp.log(model.variance),
        encoder.weights,
        encoder.offset,
        jnp.log(jnp.diagonal(encoder.covariance)),
    )


def linear_vae_hessian(
    parameters: LinearVAE,
    mean: ArrayInput,
    covariance: ArrayInput,
    beta: Number = 1.0,
    *,
    learn_variance: bool = True,
) -> Float[Array, "n n"]:
    r"""The Hessian of `linear_vae_objective`, in the order of the fields of `LinearVAE`.

    The rate of gradient play is the spectral radius of `round_matrix` of it, in which the decoder
    has the first $dk + d + 1$ entries ($dk + d$ without the variance). At the optimum of centred
    data and $\beta = 1$ the direction j outside of the subspace in column i has the block
    $\frac1{\sigma^2}\bigl(\begin{smallmatrix}1 & -\lambda_j\\ -\lambda_j & \lambda_i\lambda_j
    \end{smallmatrix}\bigr)$: alternating best answers shrink it by $\lambda_j/\lambda_i$, as EM
    does.

    **Arguments:** those of `linear_vae_objective`; `learn_variance`: else $\log\sigma^2$ is left
    out.
    """
    flat, unravel = ravel_pytree(LinearVAE(*floats(*parameters)))
    objective = lambda v: linear_vae_objective(unravel(v), mean, covariance, beta)
    hessian = jax.hessian(objective)(flat)
    if learn_variance:
        return hessian
    at = parameters.weights.size + parameters.mean.size
    return jnp.delete(jnp.delete(hessian, at, axis=0), at, axis=1)
