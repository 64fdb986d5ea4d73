r"""Affine denoisers, $\hat x_0 = Gx + b$: the best one, and the error of any."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    check_gaussian,
    check_not_negative,
    check_same_shape,
    floats,
)
from theory._numeric import Scalar, all_numbers, nan_unless
from theory._semidefinite import noised, pseudo_solver
from theory.diffusion.levels import NoiseLevel


class AffineDenoiser(NamedTuple):
    r"""$\hat x_0 = Gx + b$.

    - `gain`: $G$, shape `(d, d)`. `offset`: $b$, shape `(d,)`.
    """

    gain: Float[Array, "d d"]
    offset: Float[Array, " d"]


def best_affine_denoiser(level: NoiseLevel, mean: ArrayInput, cov: ArrayInput) -> AffineDenoiser:
    r"""$G = \alpha C(\alpha^2C + \sigma^2I)^+$ and $b = \mu - \alpha G\mu$.

    The exact denoiser of $N(\mu, C)$, and the best affine one of every law with these moments.

    **Arguments:**

    - `level`: $(\alpha, \sigma)$, shape `()` each; either may be 0.
    - `mean`: $\mu$, shape `(d,)`. `cov`: $C$, shape `(d, d)`, positive semidefinite.
    """
    alpha, sigma, mean, cov = floats(*level, mean, cov)
    check_gaussian("the data", mean, cov)
    check_one_level(alpha, sigma)
    # C and the inverse commute, but only multiplication from the left is to be had.
    gain = pseudo_solver(*noised(cov, alpha, sigma**2))(alpha * cov).T
    gain = nan_unless(all_numbers(alpha, sigma, cov), gain)
    return AffineDenoiser(gain, mean - alpha * gain @ mean)


def affine_denoiser_error(
    denoiser: AffineDenoiser, level: NoiseLevel, mean: ArrayInput, cov: ArrayInput
) -> Scalar:
    r"""$E\|x_0 - (Gx + b)\|^2$ for data of mean $\mu$ and covariance $C$, of any law.

    $$\|(I - \alpha G)\mu - b\|^2 + \operatorname{tr}(I - \alpha G)C(I - \alpha G)^\top
      + \sigma^2\|G\|_F^2$$

    **Arguments:**

    - `denoiser`: shapes `(d, d)` and `(d,)`. `level`: $(\alpha, \sigma)$, shape `()` each.
    - `mean`: $\mu$, shape `(d,)`. `cov`: $C$, shape `(d, d)`.
    """
    gain, offset, alpha, sigma, mean, cov = floats(*denoiser, *level, mean, cov)
    check_gaussian("the data", mean, cov)
    check_gaussian("the denoiser", offset, gain)
    check_same_shape(offset=offset, mean=mean)
    check_one_level(alpha, sigma)
    left = jnp.eye(mean.size, dtype=mean.dtype) - alpha * gain
    bias = left @ mean - offset
    return bias @ bias + jnp.sum((left @ cov) * left) + sigma**2 * jnp.sum(gain**2)


def check_one_level(alpha: Array, sigma: Array) -> None:
    """Check for a single level."""
    if alpha.shape != () or sigma.shape != ():
        raise ValueError(f"level must be one level, got shapes {alpha.shape} and {sigma.shape}.")
    check_not_negative(alpha=alpha, sigma=sigma)
