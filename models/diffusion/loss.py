r"""The loss of a denoiser by a network: the squared error of its own prediction."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

import theory
from models.diffusion.denoisers import Denoiser


def denoising_loss(
    denoiser: Denoiser,
    point: Float[Array, "*shape"],
    level: theory.NoiseLevel,
    noise: Float[Array, "*shape"],
    *label: Any,
) -> Float[Array, ""]:
    r"""The mean over entries of the squared error of the network's prediction, of one point.

    The noised point is $\alpha x_0 + \sigma\varepsilon$. Its expectation over the noise is
    `theory.loss_weight` times that of $(x_0 - \hat x_0)^2$: each kind of prediction weighs levels
    in its own way. Losses of a network that computes in half precision are in the point's.

    **Arguments:**

    - `point`, `noise`: $x_0$ and $\varepsilon$, of one shape. `level`: of shape `()`.
    - `label`: of a conditional denoiser. Classifier-free guidance needs the null label in its place
      now and then.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equation 14, for noise; the others: Kingma & Gao
        (2023), arXiv:2303.00848, table 1.
    """
    level = theory.NoiseLevel(*(part.astype(point.dtype) for part in level))
    x = level.alpha * point + level.sigma * noise
    predicted = denoiser.predict(x, level, *label)
    kind, std = denoiser.prediction, denoiser.data_std
    target = theory.prediction_target(kind, point, noise, level, std)
    return jnp.mean((predicted - target) ** 2)
