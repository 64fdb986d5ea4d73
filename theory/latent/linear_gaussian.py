r"""The linear-Gaussian latent-variable model: every law that a latent-variable model has, exactly.

$x = Wz + \mu + \sigma\varepsilon$ with $z \sim N(0, I_k)$ and $\varepsilon \sim N(0, I_d)$.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    check_gaussian,
    check_points,
    check_positive,
    check_same,
    floats,
)
from theory._numeric import Scalar
from theory.distributions import AbstractDistribution


class Moments(NamedTuple):
    """A mean `(d,)` and a covariance `(d, d)`."""

    mean: Float[Array, " d"]
    covariance: Float[Array, "d d"]


def moments(points: ArrayInput) -> Moments:
    """The mean and the covariance of points `(n, d)`, the latter divided by n.

    Expectations of quadratic functions over the points need no more: the exact objectives of linear
    models take moments in place of data.
    """
    (points,) = floats(points)
    check_points("points", points)
    mean = jnp.mean(points, axis=0)
    centred = points - mean[None]
    return Moments(mean, centred.T @ centred / len(points))


class LinearGaussian(AbstractDistribution):
    r"""$p(x) = \int N(x; Wz + \mu, \sigma^2 I)\,N(z; 0, I)\,dz = N(x; \mu, WW^\top + \sigma^2 I)$.

    - `weights`: $W$, shape `(d, k)`; no latents, k = 0, are allowed.
    - `mean`: $\mu$, shape `(d,)`.
    - `variance`: $\sigma^2$, positive, shape `()`.

    Nothing of size `(d, d)` is inverted: with $M = W^\top W + \sigma^2 I_k$ all is of size
    `(k, k)`. Methods take one point; map over points with `jax.vmap`.

    !!! cite "Source"

        Tipping & Bishop (1999), "Probabilistic principal component analysis", Journal of the Royal
        Statistical Society B 61(3).
    """

    weights: Float[Array, "d k"]
    mean: Float[Array, " d"]
    variance: Scalar

    def __init__(self, weights: ArrayInput, mean: ArrayInput, variance: Number):
        self.weights, self.mean, self.variance = floats(weights, mean, variance)
        if self.weights.ndim != 2 or self.weights.shape[0] == 0:
            raise ValueError(f"weights must have the shape (d, k), got {self.weights.shape}.")
        check_same("shape", mean=self.mean.shape, rows_of_weights=self.weights.shape[:1])
        check_same("shape, which is ()", variance=self.variance.shape, a_number=())
        check_positive(variance=self.variance)

    @property
    def covariance(self) -> Float[Array, "d d"]:
        r"""$WW^\top + \sigma^2 I$."""
        noise = self.variance * jnp.eye(self.mean.size, dtype=self.mean.dtype)
        return self.weights @ self.weights.T + noise

    def log_prob(self, x: ArrayInput) -> Scalar:
        r"""$\log p(x)$ at one point, in nats.

        $(x-\mu)^\top(WW^\top + \sigma^2 I)^{-1}(x-\mu)$ is the sum of squares $\|x - \mu -
        Wm\|^2/\sigma^2 + \|m\|^2$ at the posterior's mean $m$: nothing cancels.
        """
        residual = self._centred(x, None)
        root = self._root(self.weights)
        latent = _solve(root, self.weights.T @ residual)
        error = residual - self.weights @ latent
        squares = error @ error / self.variance + latent @ latent
        d, k = self.weights.shape
        log_det = (d - k) * jnp.log(self.variance) + 2 * jnp.sum(jnp.log(jnp.diagonal(root)))
        return -0.5 * (d * jnp.log(2 * jnp.pi) + log_det + squares)

    def sample(self, key: PRNGKeyArray, n: Count) -> Float[Array, "n d"]:
        n = as_count("n", n, 0)
        key_latent, key_noise = jax.random.split(key)
        d, k = self.weights.shape
        latents = jax.random.normal(key_latent, (n, k), self.mean.dtype)
        noise = jax.random.normal(key_noise, (n, d), self.mean.dtype)
        return self.mean[None] + latents @ self.weights.T + jnp.sqrt(self.variance) * noise

    def posterior(self, x: ArrayInput, observed: ArrayInput | None = None) -> Moments:
        r"""$p(z|x) = N(M^{-1}W^\top(x-\mu), \sigma^2M^{-1})$, shapes `(k,)` and `(k, k)`.

        **Arguments:**

        - `x`: one point, shape `(d,)`.
        - `observed`: which entries of it are known, booleans of shape `(d,)`; all by default.
          The others may have any value, NaN included.
        """
        residual = self._centred(x, observed)
        weights = self.weights
        if observed is not None:
            weights = jnp.where(self._mask(observed)[:, None], weights, 0)
        root = self._root(weights)
        identity = jnp.eye(len(root), dtype=root.dtype)
        return Moments(_solve(root, weights.T @ residual), self.variance * _solve(root, identity))

    def predictive(self, x: ArrayInput, observed: ArrayInput | None = None) -> "LinearGaussian":
        r"""$P(x'|x) = \int p(x'|z)\,p(z|x)\,dz$, the law of a second point with the latent of x.

        $$N\bigl(\mu + WM^{-1}W^\top(x-\mu),\ \sigma^2WM^{-1}W^\top + \sigma^2 I\bigr)$$

        If only some entries are `observed`, the unobserved entries of this law are also the exact
        conditional law of those of x itself: noise is independent from entry to entry.
        """
        latent = self.posterior(x, observed)
        root = jnp.linalg.cholesky(latent.covariance)
        return LinearGaussian(
            self.weights @ root, self.mean + self.weights @ latent.mean, self.variance
        )

    def mutual_information(self) -> Scalar:
        r"""$I(x; z) = \tfrac12\log\det(I + W^\top W/\sigma^2)$, in nats."""
        root = self._root(self.weights) / jnp.sqrt(self.variance)
        return jnp.sum(jnp.log(jnp.diagonal(root)))

    def _centred(self, x: ArrayInput, observed: ArrayInput | None) -> Float[Array, " d"]:
        """x - mu in the law's precision, with 0 at entries that are not observed."""
        point = floats(x)[0].astype(self.mean.dtype)
        check_same("shape", x=point.shape, mean=self.mean.shape)
        residual = point - self.mean
        return residual if observed is None else jnp.where(self._mask(observed), residual, 0)

    def _mask(self, observed: ArrayInput) -> Bool[Array, " d"]:
        known = jnp.asarray(observed)
        check_same("shape", observed=known.shape, mean=self.mean.shape)
        return known.astype(bool)

    def _root(self, weights: Float[Array, "d k"]) -> Float[Array, "k k"]:
        """The Cholesky factor of M."""
        noise = self.variance * jnp.eye(weights.shape[1], dtype=weights.dtype)
        return jnp.linalg.cholesky(weights.T @ weights + noise)


def _solve(root: Float[Array, "k k"], right: Float[Array, "k ..."]) -> Float[Array, "k ..."]:
    return jax.scipy.linalg.cho_solve((root, True), right)


def gaussian_conditional(
    mean: ArrayInput, covariance: ArrayInput, x: ArrayInput, observed: ArrayInput
) -> Moments:
    r"""The law $N(\mu, \Sigma)$ given the observed entries of a point.

    $$\mu + \Sigma_{\cdot o}\Sigma_{oo}^{-1}(x_o-\mu_o), \qquad
      \Sigma - \Sigma_{\cdot o}\Sigma_{oo}^{-1}\Sigma_{o\cdot}$$

    **Arguments:**

    - `mean`, `covariance`: shapes `(d,)` and `(d, d)`, positive definite.
    - `x`: shape `(d,)`; entries that are not observed may have any value, NaN included.
    - `observed`: booleans, shape `(d,)`.

    **Returns:** of all entries: the observed ones have their own value and no variance.
    """
    mean, covariance, x = floats(mean, covariance, x)
    check_gaussian("the law", mean, covariance)
    known = jnp.asarray(observed)
    check_same("shape", mean=mean.shape, x=x.shape, observed=known.shape)
    known = known.astype(bool)
    # Entries that are not observed become ones on the diagonal, and every mask has one shape.
    both = known[:, None] & known[None, :]
    block = jnp.where(both, covariance, jnp.eye(mean.size, dtype=mean.dtype))
    across = jnp.where(known[None, :], covariance, 0)
    gains = _solve(jnp.linalg.cholesky(block), across.T).T
    shifted = mean + gains @ jnp.where(known, x - mean, 0)
    left = jnp.where(known[:, None] | known[None, :], 0, covariance - gains @ across.T)
    # NaN in an observed row is one in everything, which the zeros would hide.
    poison = 0 * jnp.sum(jnp.where(both, covariance, 0))
    return Moments(jnp.where(known, x, shifted) + poison, left + poison)
