"""Distributions with exact log densities, to train on and to compare with."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from theory._inputs import ArrayInput, Count, as_count
from theory._numeric import Scalar


class AbstractDistribution(eqx.Module):
    """A law with a density: `log_prob` of one point, and `sample`."""

    @abc.abstractmethod
    def log_prob(self, x: Float[Array, "..."]) -> Scalar:
        """The log density at *one* point, in nats; map over points with `jax.vmap`."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, n: Count) -> Float[Array, "n ..."]:
        """`n` independent points."""

    def score(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        r"""$\nabla_x \log p(x)$ at one point."""
        return jax.grad(self.log_prob)(x)


class GaussianMixture(AbstractDistribution):
    r"""$p(x) = \sum_k w_k\,N(x; \mu_k, L_k L_k^\top)$ in $d$ dimensions.

    - `log_weights`: shape `(k,)`, normalised when made.
    - `means`: shape `(k, d)`.
    - `scale_trils`: $L_k$, lower triangular with a positive diagonal, shape `(k, d, d)`.

    `gaussian_mixture`, `ring` and `grid` make one from covariances or standard deviations.
    """

    log_weights: Float[Array, " k"]
    means: Float[Array, "k d"]
    scale_trils: Float[Array, "k d d"]

    def component_log_probs(self, x: Float[Array, " d"]) -> Float[Array, " k"]:
        r"""$\log w_k N(x; \mu_k, \Sigma_k)$ for every component, shape `(k,)`."""

        def component(mean, root):
            # The inverse does not depend on x: mapped over points, it is still taken once.
            identity = jnp.eye(x.size, dtype=root.dtype)
            white = jax.scipy.linalg.solve_triangular(root, identity, lower=True) @ (x - mean)
            half_log_det = jnp.sum(jnp.log(jnp.diagonal(root)))
            return -0.5 * (white @ white + x.size * jnp.log(2 * jnp.pi)) - half_log_det

        return self.log_weights + jax.vmap(component)(self.means, self.scale_trils)

    def log_prob(self, x: Float[Array, " d"]) -> Scalar:
        return jax.scipy.special.logsumexp(self.component_log_probs(x))

    def sample(self, key: PRNGKeyArray, n: Count) -> Float[Array, "n d"]:
        n = as_count("n", n, 0)
        key_component, key_normal = jax.random.split(key)
        component = jax.random.categorical(key_component, self.log_weights, shape=(n,))
        normal = jax.random.normal(key_normal, (n, self.means.shape[1]), self.means.dtype)
        offsets = jnp.einsum("nij,nj->ni", self.scale_trils[component], normal)
        return self.means[component] + offsets


def gaussian_mixture(
    means: ArrayInput,
    *,
    stds: ArrayInput | None = None,
    covariances: ArrayInput | None = None,
    weights: ArrayInput | None = None,
) -> GaussianMixture:
    """A Gaussian mixture from either isotropic deviations or full covariances.

    **Arguments:**

    - `means`: shape `(k, d)`.
    - `stds`: a number, or one for each component, shape `(k,)`; positive.
    - `covariances`: shape `(k, d, d)`, positive definite.
    - `weights`: shape `(k,)`, not negative, normalised here; equal by default.

    **Raises:** `ValueError` unless exactly one of `stds` and `covariances` is given, or if they or
    the weights are not as above.
    """
    centres = np.asarray(means, float)
    if centres.ndim != 2 or centres.size == 0:
        raise ValueError(f"means must be of shape (k, d), got {centres.shape}.")
    k, d = centres.shape
    if (stds is None) == (covariances is None):
        raise ValueError("give exactly one of stds and covariances.")
    if stds is not None:
        deviations = np.broadcast_to(np.asarray(stds, float), (k,))
        if not (deviations > 0).all():
            raise ValueError(f"stds must be positive, got {deviations.min()}.")
        roots = deviations[:, None, None] * np.eye(d)
    else:
        try:
            roots = np.linalg.cholesky(np.broadcast_to(np.asarray(covariances, float), (k, d, d)))
        except np.linalg.LinAlgError:
            raise ValueError("covariances must be positive definite.") from None
    if not (np.isfinite(centres).all() and np.isfinite(roots).all()):
        raise ValueError("means, deviations and covariances must be finite.")
    shares = np.full(k, 1.0) if weights is None else np.asarray(weights, float)
    if shares.shape != (k,) or not (shares >= 0).all() or not 0 < shares.sum() < np.inf:
        raise ValueError(f"weights must be {k} numbers, not negative and not all 0.")
    with np.errstate(divide="ignore"):  # a weight of 0 has the log weight -inf, as it should
        log_weights = np.log(shares / shares.sum())
    return GaussianMixture(jnp.asarray(log_weights), jnp.asarray(centres), jnp.asarray(roots))


def ring(modes: Count = 8, radius: float | int = 1.0, std: float | int = 0.01) -> GaussianMixture:
    r"""`modes` Gaussians in the plane at angles $2\pi k/\text{modes}$.

    !!! cite "Source"

        Lin et al. (2018), arXiv:1712.04086 (PacGAN), section 4.1.
    """
    modes = as_count("modes", modes)
    angles = 2 * np.pi * np.arange(modes) / modes
    return gaussian_mixture(radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), stds=std)


def grid(side: Count = 5, spacing: float | int = 2.0, std: float | int = 0.05) -> GaussianMixture:
    """`side * side` Gaussians in the plane on a square grid centred on 0.

    !!! cite "Source"

        Lin et al. (2018), arXiv:1712.04086 (PacGAN), section 4.1.
    """
    side = as_count("side", side)
    ticks = spacing * (np.arange(side) - (side - 1) / 2)
    return gaussian_mixture(np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2), stds=std)
