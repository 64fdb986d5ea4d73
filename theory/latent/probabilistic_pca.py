r"""Probabilistic PCA: the best linear-Gaussian model, its likelihood, and EM with its exact rate.

Everything is a function of the data's mean and covariance, and where directions do not matter of
the covariance's eigenvalues $\lambda_1 \ge \dots \ge \lambda_d$ alone.

The $\beta$ of a $\beta$-VAE is here too: with a fixed $\sigma^2$ the objective
$\frac1{2\sigma^2}E\|x-\hat x\|^2 + \beta\,\mathrm{KL}$ is $\beta$ times that of $\beta = 1$ with
the variance $\beta\sigma^2$, so that a latent is used if its eigenvalue exceeds $\beta\sigma^2$.

!!! cite "Source"

    Tipping & Bishop (1999), Journal of the Royal Statistical Society B 61(3); Lucas, Tucker, Grosse
    & Norouzi (2019), arXiv:1911.02469, for the linear VAE.
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    check_gaussian,
    check_line,
    check_not_negative,
    check_positive,
    check_same,
    floats,
)
from theory._numeric import Scalar, all_numbers, nan_unless, safe_divide, safe_sqrt
from theory.latent.linear_gaussian import LinearGaussian


def best_variance(eigenvalues: ArrayInput, k: Count, beta: Number = 1.0) -> Scalar:
    r"""The maximum-likelihood $\sigma^2$: the mean of the $d-k$ smallest eigenvalues.

    For $\beta \ne 1$ the best variance of a linear $\beta$-VAE, the one root of

    $$\sum_{i\le k}\min(\beta, \lambda_i/\sigma^2) + \sum_{i>k}\lambda_i/\sigma^2 = d,$$

    $\sum_{i>q}\lambda_i/(d-\beta q)$ with q latents in use.

    **Arguments:**

    - `eigenvalues`: of the covariance, in any order, shape `(d,)`.
    - `k`: number of latents, from 0 to d - 1. `beta`: positive, shape `()`.
    """
    values, beta = sorted_eigenvalues(eigenvalues, beta)
    k = as_count("k", k, 0, values.size - 1)
    check_positive(beta=beta)
    d = values.size
    in_use = jnp.sum(_excess(values, k, beta) > 0)
    rest = jnp.sum(jnp.where(jnp.arange(d) < in_use, 0, values))
    return nan_unless(all_numbers(values, beta), rest / (d - beta * in_use.astype(beta.dtype)))


def _excess(values: Float[Array, " d"], k: int, beta: Scalar) -> Float[Array, " k"]:
    r"""The equation's d minus its sum at $\sigma^2 = \lambda_i/\beta$: positive if i is in use."""
    ratios = beta * safe_divide(values[None, :], values[:k, None])
    latents = jnp.arange(values.size) < k
    return values.size - jnp.sum(jnp.where(latents, jnp.minimum(ratios, beta), ratios), axis=1)


def active_units(
    eigenvalues: ArrayInput, variance: Number, *, beta: Number = 1.0, k: Count | None = None
) -> Scalar:
    r"""The number of latents that a linear $\beta$-VAE uses: $\#\{i \le k: \lambda_i >
    \beta\sigma^2\}$.

    **Arguments:**

    - `eigenvalues`: of the data's covariance, in any order, shape `(d,)`.
    - `variance`: the decoder's fixed $\sigma^2$, positive, shape `()`. `k`: d by default.

    **Returns:** a whole number in floating point, shape `()`; NaN for NaN.
    """
    values, variance, beta = sorted_eigenvalues(eigenvalues, variance, beta)
    check_positive(variance=variance, beta=beta)
    active = _active(values, _latents(values, k), beta * variance)
    return nan_unless(all_numbers(values, variance, beta), jnp.sum(active.astype(values.dtype)))


def pca_log_likelihood(eigenvalues: ArrayInput, k: Count, variance: Number | None = None) -> Scalar:
    r"""The largest mean log-likelihood of a linear-Gaussian model with k latents, in nats.

    $$-\tfrac12\Bigl[d\log 2\pi + \sum_{i\le q}(\log\lambda_i + 1) + \sum_{i>q}(\log\sigma^2 +
      \lambda_i/\sigma^2)\Bigr]$$

    with q latents in use: all k at the best variance, those with $\lambda_i > \sigma^2$ at a fixed
    one. It is also the largest ELBO of a linear VAE: the exact posterior is linear-Gaussian, and at
    this optimum its covariance may be diagonal.

    **Arguments:**

    - `eigenvalues`: of the data's covariance, in any order, shape `(d,)`.
    - `k`: from 0 to d - 1, to d if a `variance` is given. `variance`: $\sigma^2$, shape `()`.
    """
    values, variance = _with_variance(eigenvalues, k, variance)
    active = _active(values, as_count("k", k, 0), variance)
    logs = jnp.log(jnp.where(active, values, variance))
    squares = jnp.where(active, 1, values / variance)
    total = values.size * jnp.log(2 * jnp.pi) + jnp.sum(logs + squares)
    return nan_unless(all_numbers(values, variance), -0.5 * total)


def probabilistic_pca(
    mean: ArrayInput,
    covariance: ArrayInput,
    k: Count,
    variance: Number | None = None,
    *,
    beta: Number = 1.0,
) -> LinearGaussian:
    r"""The best linear-Gaussian model of data: $W = U_k(\Lambda_k - \beta\sigma^2 I)_+^{1/2}$.

    It maximises the likelihood for $\beta = 1$, and is the decoder of the best linear $\beta$-VAE
    otherwise. Columns of W are orthogonal, in the order of the eigenvalues; W is unique up to a
    rotation of the latents.

    **Arguments:**

    - `mean`, `covariance`: of the data (see `moments`), shapes `(d,)` and `(d, d)`.
    - `k`: number of latents, from 0 to d - 1, to d if a `variance` is given.
    - `variance`: a fixed $\sigma^2$, shape `()`; `best_variance` by default.
    """
    mean, covariance, beta = floats(mean, covariance, beta)
    check_gaussian("the data", mean, covariance)
    check_positive(beta=beta)
    ascending, vectors = jnp.linalg.eigh(covariance)
    values, variance = _with_variance(ascending, k, variance, beta)
    k = as_count("k", k, 0)
    excess = jnp.maximum(values[:k] - beta * variance, 0)
    return LinearGaussian(vectors[:, ::-1][:, :k] * safe_sqrt(excess)[None], mean, variance)


def em_round(
    model: LinearGaussian,
    mean: ArrayInput,
    covariance: ArrayInput,
    *,
    learn_variance: bool = True,
) -> LinearGaussian:
    r"""One round of EM: exact posteriors, then the best decoder given them.

    $$W^+ = SW(\sigma^2 I + M^{-1}W^\top SW)^{-1}, \qquad
      \sigma^{2+} = \tfrac1d\operatorname{tr}(S - SWM^{-1}W^{+\top})$$

    The mean becomes the data's at once.

    **Arguments:**

    - `model`: the model before the round.
    - `mean`, `covariance`: of the data, $S$ the latter, shapes `(d,)` and `(d, d)`.
    - `learn_variance`: else $\sigma^2$ stays.
    """
    mean, covariance, weights, variance = floats(mean, covariance, model.weights, model.variance)
    check_gaussian("the data", mean, covariance)
    check_same("dimension", model=len(weights), data=mean.size)
    noise = variance * jnp.eye(weights.shape[1], dtype=weights.dtype)
    seen = covariance @ weights
    # M^-1 W^T S W + sigma^2 I = M^-1 (W^T S W + sigma^2 M): both are symmetric.
    inner = weights.T @ weights + noise
    best = jnp.linalg.solve(weights.T @ seen + variance * inner, seen.T).T @ inner
    if learn_variance:
        explained = jnp.sum(best * jnp.linalg.solve(inner, seen.T).T)
        variance = (jnp.trace(covariance) - explained) / mean.size
    return LinearGaussian(best, mean, variance)


def em_rate(eigenvalues: ArrayInput, k: Count, variance: Number | None = None) -> Scalar:
    r"""The exact local rate of EM at its optimum: the error's factor a round, in the long run.

    The spectral radius of `em_round`'s Jacobian, rotations of the latents aside, which move nothing
    that the model says. With $l_i^2 = \lambda_i - \sigma^2$ its eigenvalues are

    - $\lambda_j/\lambda_i$ for every i in use and j not: the wrong subspace;
    - $1 - \sigma^2(l_i^2 + l_j^2)/(\lambda_i\lambda_j)$ for two in use: the angle between them;
    - those of the arrow of the diagonal $1 - 2\sigma^2l_i^2/\lambda_i^2$, the corner
      $\frac1d\sum_i(1 - \sigma^4/\lambda_i^2)$ and between them $-\sqrt{2\sigma^2/d}\,
      \sigma^2l_i/\lambda_i^2$: lengths and the variance (a fixed variance leaves the diagonal);
    - $\lambda_j/\sigma^2$ for j not in use, if there are more latents than are in use.

    **Arguments:**

    - `eigenvalues`: of the data's covariance, in any order, shape `(d,)`.
    - `k`: from 0 to d - 1, to d if a `variance` is given. `variance`: a fixed $\sigma^2$.

    **Returns:** shape `()`; 1 where eigenvalues coincide at the edge and EM is slower than any
    rate.

    !!! cite "Source"

        Linearised here (docs/derivations.md); the general fraction of missing information is in
        Dempster, Laird & Rubin (1977), Journal of the Royal Statistical Society B 39(1).
    """
    values, noise = _with_variance(eigenvalues, k, variance)
    k = as_count("k", k, 0)
    in_use = _active(values, k, noise)
    subspace = jnp.where(in_use[:k, None] & ~in_use[None], values[None] / values[:k, None], 0)
    idle = jnp.where(in_use | (jnp.sum(in_use) == k), 0, values / noise)
    both = in_use[:k, None] & in_use[None, :k] & ~jnp.eye(k, dtype=bool)
    excess = jnp.where(in_use, values - noise, 0)[:k]
    products = values[:k, None] * values[None, :k]
    angles = jnp.where(both, 1 - noise * (excess[:, None] + excess[None]) / products, 0)
    diagonal = jnp.where(in_use[:k], 1 - 2 * noise * excess / values[:k] ** 2, 0)
    lengths = diagonal if variance is not None else _arrow(values[:k], noise, values.size, diagonal)
    parts = [jnp.ravel(part) for part in (subspace, idle, angles, lengths)]
    return nan_unless(all_numbers(values, noise), jnp.max(jnp.abs(jnp.concatenate(parts))))


def _arrow(
    values: Float[Array, " k"], noise: Scalar, d: int, diagonal: Float[Array, " k"]
) -> Float[Array, " k+1"]:
    """The eigenvalues of lengths coupled to the variance."""
    coupling = (
        -jnp.sqrt(2 * noise / d) * noise * safe_sqrt(jnp.maximum(values - noise, 0)) / values**2
    )
    corner = jnp.sum(1 - (noise / values) ** 2) / d
    matrix = jnp.diag(jnp.append(diagonal, corner))
    return jnp.linalg.eigvalsh(matrix.at[-1, :-1].set(coupling).at[:-1, -1].set(coupling))


def sorted_eigenvalues(eigenvalues: ArrayInput, *numbers: ArrayInput | Number) -> list[Array]:
    """Eigenvalues in descending order, and numbers of one precision with them."""
    values, *rest = floats(eigenvalues, *numbers)
    check_line("eigenvalues", values)
    rounding = values.size * jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values))
    check_not_negative(eigenvalues=values + rounding)  # those of singular covariances are +-0
    return [jnp.sort(jnp.maximum(values, 0), descending=True), *rest]


def _with_variance(
    eigenvalues: ArrayInput, k: Count, variance: Number | None, beta: Number = 1.0
) -> tuple[Float[Array, " d"], Scalar]:
    """Eigenvalues in descending order, and the given variance or the best one for k latents."""
    if variance is None:
        (values,) = sorted_eigenvalues(eigenvalues)
        return values, best_variance(values, k, beta)
    values, variance = sorted_eigenvalues(eigenvalues, variance)
    check_positive(variance=variance)
    _latents(values, k)
    return values, variance


def _latents(values: Float[Array, " d"], k: Count | None) -> int:
    return values.size if k is None else as_count("k", k, 0, values.size)


def _active(values: Float[Array, " d"], k: int, threshold: Scalar) -> Bool[Array, " d"]:
    """True for the eigenvalues of the first k that are above the threshold."""
    return (jnp.arange(values.size) < k) & (values > threshold)
