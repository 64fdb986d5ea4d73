r"""Denoisers by networks: $\hat x_0(x) = E(x_0|\alpha x_0 + \sigma\varepsilon = x)$.

A denoiser of any origin is called `denoiser(x, level)` with one point and its
`theory.NoiseLevel`, or `denoiser(x, level, label)` if it is conditional, and answers with a point.
Samplers, likelihoods and guidance take any such function, exact ones of `theory` among them.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

import theory

MOST_LOG_RATIO = 10.0
"""The bound of log(sigma/alpha), either side, that a network is told."""


class Denoiser(eqx.Module):
    r"""A network's prediction, turned into $\hat x_0$.

    The network sees $x/\sqrt{\alpha^2s^2 + \sigma^2}$, which has unit variance for data of the
    deviation $s$, and $\tfrac14\log\sigma/\alpha$, bounded, which tells levels of all interpolants
    apart.

    - `network`: `(x, time)` or `(x, time, label)` to an array of the shape of `x`.
    - `prediction`: the kind of the network's answer, static. `data_std`: $s$, static.

    !!! cite "Source"

        Karras et al. (2022), arXiv:2206.00364, section 5.
    """

    network: Callable[..., Array]
    prediction: theory.Prediction = eqx.field(static=True)
    data_std: float = eqx.field(static=True, default=1.0)

    def __call__(
        self, x: Float[Array, "*shape"], level: theory.NoiseLevel, *label: Any
    ) -> Float[Array, "*shape"]:
        predicted = self.predict(x, level, *label)
        return theory.denoised_from(self.prediction, predicted, x, level, self.data_std)

    def predict(
        self, x: Float[Array, "*shape"], level: theory.NoiseLevel, *label: Any
    ) -> Float[Array, "*shape"]:
        """The network's own answer: the prediction of its kind."""
        alpha, sigma = (part.astype(x.dtype) for part in level)
        scale = jnp.sqrt((alpha * self.data_std) ** 2 + sigma**2)
        log_ratio = jnp.log(sigma) - jnp.log(alpha)
        time = 0.25 * jnp.clip(log_ratio, -MOST_LOG_RATIO, MOST_LOG_RATIO)
        return self.network(x / scale, time, *label)
