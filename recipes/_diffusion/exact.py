"""Exact laws of the points in the plane that have one, as mixtures of Gaussians."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import theory

ALONG = 400
"""Gaussians along the spiral of the swiss roll, whose gaps are half of their deviation."""


class ExactLaw(eqx.Module):
    """A mixture of Gaussians, as `theory` takes it.

    - `weights`: shape `(k,)`. `means`: shape `(k, 2)`. `covs`: shape `(k, 2, 2)`.
    """

    weights: Float[Array, " k"]
    means: Float[Array, "k 2"]
    covs: Float[Array, "k 2 2"]

    def denoiser(self, x: Float[Array, " 2"], level: theory.NoiseLevel) -> Float[Array, " 2"]:
        """The exact denoiser."""
        return theory.mixture_denoiser(x, level, self.weights, self.means, self.covs)

    def log_prob(self, x: Float[Array, " 2"], level: theory.NoiseLevel) -> Float[Array, ""]:
        """The exact log-density of noised points, in nats."""
        return theory.mixture_marginal_log_prob(x, level, self.weights, self.means, self.covs)


def exact_law(data: str) -> ExactLaw | None:
    """The law that the points of a name are drawn from; `None` of any other data."""
    if data == "ring":
        angles = 2 * np.pi * np.arange(8) / 8
        centres = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return _mixture(centres / 1.414, 0.02 / 1.414)
    if data == "grid":
        ticks = 2.0 * np.arange(5) - 4
        centres = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
        return _mixture(centres / 2.828, 0.05 / 2.828)
    if data == "swiss_roll":
        t = 1.5 * np.pi * (1 + 2 * (np.arange(ALONG) + 0.5) / ALONG)
        spiral = np.stack([t * np.cos(t), t * np.sin(t)], axis=1)
        return _mixture(spiral / 7.5, 0.25 / 7.5)
    return None


def _mixture(centres: np.ndarray, deviation: float) -> ExactLaw:
    count = len(centres)
    covs = np.broadcast_to(deviation**2 * np.eye(2), (count, 2, 2))
    as_array = lambda values: jnp.asarray(values, jnp.float32)
    return ExactLaw(as_array(np.full(count, 1 / count)), as_array(centres), as_array(covs))


@eqx.filter_jit
def denoised(denoiser: Any, points: Float[Array, "n *shape"], level: theory.NoiseLevel) -> Array:
    """A denoiser, exact or learned, of many points of one level."""
    return jax.vmap(lambda x: denoiser(x, level))(points)
