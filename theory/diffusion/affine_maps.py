r"""Affine maps of one direction of Gaussian data, which samplers are made of, and their laws.

On $N(\mu, C)$ the denoiser is affine, and so is every sampler's step. In the eigenbasis of $C$ the
directions part: one of data variance $c$ goes from its start $x_T$ to

$$x = g\,x_T + h\,\mu + \sqrt v\,z,$$

where $g, h, v$ are products and sums over the steps.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Number,
    check_gaussian,
    check_line,
    check_not_negative,
    check_same_shape,
    floats,
)
from theory._numeric import all_numbers, nan_unless, safe_divide
from theory.diffusion.levels import NoiseLevel
from theory.latent.linear_gaussian import Moments


class AffineMap(NamedTuple):
    r"""$x \mapsto gx + h\mu + \sqrt v\,z$ with $z \sim N(0, 1)$, $\mu$ the data's mean.

    - `gain`: $g$. `offset`: $h$. `variance`: $v$. All of the shape of the data's variances.
    """

    gain: Float[Array, "..."]
    offset: Float[Array, "..."]
    variance: Float[Array, "..."]

    def then(self, later: "AffineMap") -> "AffineMap":
        """This map and, on its outcome, the later one."""
        return AffineMap(
            later.gain * self.gain,
            later.gain * self.offset + later.offset,
            later.gain**2 * self.variance + later.variance,
        )


def sampler_law(
    sampler: Callable[[Float[Array, " d"]], AffineMap],
    mean: ArrayInput,
    cov: ArrayInput,
    start_std: Number,
) -> Moments:
    r"""The exact law of a sampler's outcome on data $N(\mu, C)$, from a start $N(0, s^2I)$.

    **Arguments:**

    - `sampler`: from the data's variances in the eigenbasis of $C$, shape `(d,)`, to its map:
      `lambda variances: theory.ddim_map(levels, variances)`.
    - `mean`: $\mu$, shape `(d,)`. `cov`: $C$, shape `(d, d)`, positive semidefinite. Derivatives
      with respect to it exist where its eigenvalues differ.
    - `start_std`: $s$, of most samplers the first level's sigma.
    """
    check_not_negative(start_std=start_std)
    mean, cov, std = floats(mean, cov, start_std)
    check_gaussian("the data", mean, cov)
    values, vectors = jnp.linalg.eigh(cov)
    # An eigenvalue of 0 may be rounded to below it.
    moved = sampler(jnp.maximum(values, 0))
    spread = moved.gain**2 * std**2 + moved.variance
    known = all_numbers(cov, std)
    return Moments(
        nan_unless(known, vectors @ (moved.offset * (vectors.T @ mean))),
        nan_unless(known, (vectors * spread[None]) @ vectors.T),
    )


class Steps(NamedTuple):
    """All steps of a grid at once, elementwise: the levels before and after each, and variances.

    The levels have the shape `(n, 1, ...)` and the data's variances `(1, ...)`.
    """

    now: NoiseLevel
    after: NoiseLevel
    variances: Float[Array, "1 ..."]


def steps_of(levels: NoiseLevel, variances: ArrayInput) -> Steps:
    """Steps of a grid of at least two levels, for at least one variance of the data."""
    levels, variances = grid_and_variances(levels, variances)
    alpha, sigma = (along_steps(part, variances) for part in levels)
    now, after = NoiseLevel(alpha[:-1], sigma[:-1]), NoiseLevel(alpha[1:], sigma[1:])
    return Steps(now, after, variances[None])


def grid_and_variances(levels: NoiseLevel, variances: ArrayInput) -> tuple[NoiseLevel, Array]:
    """A grid of at least two levels and the data's variances, as floating arrays."""
    alpha, sigma, variances = floats(*levels, variances)
    check_line("alpha", alpha, 2)
    check_same_shape(alpha=alpha, sigma=sigma)
    check_not_negative(alpha=alpha, sigma=sigma)
    check_variances(variances)
    return NoiseLevel(alpha, sigma), variances


def check_variances(variances: Array) -> None:
    """Check for at least one variance, and none below 0."""
    if variances.size == 0:
        raise ValueError("variances must have at least one entry, got none.")
    check_not_negative(variances=variances)


def along_steps(values: Float[Array, " n"], variances: Array) -> Float[Array, "n ..."]:
    """The values along a first axis before those of the variances."""
    return values.reshape(-1, *(1,) * variances.ndim)


def ends(levels: NoiseLevel) -> tuple[NoiseLevel, NoiseLevel]:
    """The first level and the last."""
    start, end = ([part[at] for part in levels] for at in (0, -1))
    return NoiseLevel(*start), NoiseLevel(*end)


@jax.jit
def compose(steps: AffineMap) -> AffineMap:
    """All maps along the first axis, one after the other."""
    shape = jnp.broadcast_shapes(*(part.shape for part in steps))
    steps = AffineMap(*(jnp.broadcast_to(part, shape) for part in steps))
    body = lambda done, step: (done.then(step), None)
    none = jnp.zeros(shape[1:], steps.gain.dtype)
    return jax.lax.scan(body, AffineMap(none + 1, none, none), steps)[0]


def marginal_variance(level: NoiseLevel, variances: Array) -> Array:
    r"""$\alpha^2c + \sigma^2$."""
    return level.alpha**2 * variances + level.sigma**2


def affine_denoiser(level: NoiseLevel, variances: Array) -> tuple[Array, Array]:
    r"""Slope and rest of $\hat x_0 = kx + (1 - \alpha k)\mu$."""
    total = marginal_variance(level, variances)
    return (
        safe_divide(level.alpha * variances, total),
        safe_divide(level.sigma**2, total, 1.0),
    )


def affine_velocity(level: NoiseLevel, rate: NoiseLevel, variances: Array) -> tuple[Array, Array]:
    r"""Slope in x and in $\mu$ of $\dot\alpha\hat x_0 + \dot\sigma\hat\varepsilon$."""
    slope, rest = affine_denoiser(level, variances)
    noise = safe_divide(level.sigma, marginal_variance(level, variances))
    shift = rate.alpha * rest - rate.sigma * level.alpha * noise
    return rate.alpha * slope + rate.sigma * noise, shift
