r"""Linear inverse problems with a Gaussian prior: denoising, inpainting and super-resolution.

Their posterior mean has the least mean squared error of all estimators if the prior is Gaussian,
and of all affine ones for any law with the same mean and covariance.
"""

import jax.numpy as jnp
from jaxtyping import Array

from theory._inputs import ArrayInput, Number, check_gaussian, check_not_negative, floats
from theory._numeric import all_numbers, nan_unless
from theory._semidefinite import pseudo_solver, spectrum
from theory.latent.linear_gaussian import Moments


def gaussian_posterior(
    mean: ArrayInput,
    cov: ArrayInput,
    operator: ArrayInput,
    noise_variance: Number,
    observation: ArrayInput,
) -> Moments:
    r"""The law of $x \sim N(\mu, C)$ given $y = Ax + \varepsilon$, $\varepsilon \sim N(0, s^2I)$.

    $$E(x|y) = \mu + CA^\top S^+(y - A\mu), \qquad
      \operatorname{Cov}(x|y) = C - CA^\top S^+AC, \qquad S = ACA^\top + s^2I$$

    With $A = I$ it is the Wiener filter; with rows of $I$ and $s = 0$ it is
    `gaussian_conditional`. The covariance does not depend on $y$: mapped by `jax.vmap` over
    observations alone, $S$ is decomposed once.

    **Arguments:**

    - `mean`: $\mu$, shape `(d,)`. `cov`: $C$, shape `(d, d)`, positive semidefinite.
    - `operator`: $A$, shape `(k, d)`. `observation`: $y$, shape `(k,)`.
    - `noise_variance`: $s^2 \ge 0$. Where $S$ is singular, its pseudo-inverse $S^+$ ignores the
      part of $y - A\mu$ that has probability 0.

    **Raises:** `ValueError` for shapes that do not fit, or a negative variance.

    !!! cite "Source"

        Bishop (2006), Pattern Recognition and Machine Learning, section 2.3.3; Rao (1973), Linear
        Statistical Inference, section 8a.2, for singular covariances.
    """
    check_not_negative(noise_variance=noise_variance)
    mean, cov, operator, noise, observation = floats(
        mean, cov, operator, noise_variance, observation
    )
    check_gaussian("the prior", mean, cov)
    check_operator(operator, observation, mean.size)
    if noise.ndim:
        raise ValueError(f"noise_variance must be a single number, got shape {noise.shape}.")
    onto = operator @ cov
    seen = onto @ operator.T + noise * jnp.eye(len(operator), dtype=cov.dtype)
    solve = pseudo_solver(seen, spectrum(seen, noise))
    known = all_numbers(cov, operator, noise)
    return Moments(
        nan_unless(known, mean + onto.T @ solve(observation - operator @ mean)),
        nan_unless(known, cov - onto.T @ solve(onto)),
    )


def check_operator(operator: Array, observation: Array, size: int) -> None:
    """Check for a linear map from `size` numbers, and for what it gives."""
    if operator.ndim != 2 or operator.shape[1] != size or len(operator) == 0:
        raise ValueError(
            f"operator must have the shape (k, {size}), k at least 1, got {operator.shape}."
        )
    if observation.shape != operator.shape[:1]:
        raise ValueError(
            f"observation must have the shape ({len(operator)},), got {observation.shape}."
        )
