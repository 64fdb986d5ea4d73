"""Mode coverage: number of modes reached, sample quality, evenness."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    as_number,
    check_clouds,
    check_not_negative,
    check_positive,
    floats,
    from_one_origin,
)
from theory._numeric import Scalar, log_or_minus_inf, zero_times
from theory.transport.closed_form import shares


class ModeCoverage(NamedTuple):
    r"""Coverage of modes by a sample.

    - `captured`: modes with a sample of high quality. `high_quality`: the share of such samples.
    - `reverse_kl`: $\mathrm{KL}(\text{occupancy}\|\text{weights})$ of the high-quality samples, in
      nats: $\log K - H$ for K equal modes, from 0 to $\log K$; NaN without any such sample.
    - `counts`: of high-quality samples by mode, shape `(k,)`.
    """

    captured: Int[Array, ""]
    high_quality: Scalar
    reverse_kl: Scalar
    counts: Int[Array, " k"]


def mode_coverage(
    samples: ArrayInput,
    means: ArrayInput,
    std: Number,
    threshold: Number = 3.0,
    weights: ArrayInput | None = None,
) -> ModeCoverage:
    """Mode coverage of mixtures of isotropic Gaussians by PacGAN's protocol.

    A sample is of high quality within `threshold` deviations of its nearest mode.

    **Arguments:**

    - `samples`: shape `(n, d)`. `means`: of the modes, shape `(k, d)`. `std`: of every mode.
    - `weights`: of the modes, not negative, normalised here; equal by default.

    **Returns:** see `ModeCoverage`; a sample that is NaN or infinite is not of high quality. The
    true law itself has not 1 but `high_quality_share`.

    **Raises:** `ValueError` for empty samples, other dimensions, wrong weights, or a deviation that
    is not positive.

    !!! cite "Source"

        Lin et al. (2018), arXiv:1712.04086, section 4.1; Srivastava et al. (2017),
        arXiv:1705.07761, section 4.1, for the first two.
    """
    samples, means = from_one_origin(samples, means)
    samples, means, std = floats(samples, means, std)
    check_clouds(samples=samples, means=means)
    check_positive(std=std, threshold=threshold)
    squares = jnp.sum(((samples[:, None, :] - means[None, :, :]) / std) ** 2, axis=2)
    nearest = jnp.argmin(squares, axis=1)
    good = jnp.min(squares, axis=1) <= as_number(threshold, squares.dtype) ** 2
    counts = jnp.zeros(len(means), jnp.int32).at[nearest].add(good.astype(jnp.int32))
    return _coverage(counts, jnp.mean(good.astype(samples.dtype)), weights)


def occupancy(
    labels: ArrayInput, num_modes: Count, weights: ArrayInput | None = None
) -> ModeCoverage:
    """Mode coverage from a classifier's labels, as for stacked MNIST's thousand modes.

    **Arguments:**

    - `labels`: shape `(n,)`; those outside 0, ..., `num_modes` - 1 count as of no quality.
    - `weights`: of the modes, shape `(num_modes,)`; equal by default.

    **Raises:** `ValueError` for labels that are no whole numbers, or of another shape.
    """
    labels, num_modes = jnp.asarray(labels), as_count("num_modes", num_modes)
    if labels.ndim != 1 or labels.size == 0 or not jnp.issubdtype(labels.dtype, jnp.integer):
        got = f"{labels.dtype} of shape {labels.shape}"
        raise ValueError(f"labels must be whole numbers of shape (n,), got {got}.")
    good = (labels >= 0) & (labels < num_modes)
    counts = jnp.zeros(num_modes, jnp.int32)
    counts = counts.at[jnp.where(good, labels, 0)].add(good.astype(jnp.int32))
    return _coverage(counts, jnp.mean(good.astype(float)), weights)


def _coverage(
    counts: Int[Array, " k"], high_quality: Scalar, weights: ArrayInput | None
) -> ModeCoverage:
    dtype, total = high_quality.dtype, jnp.sum(counts)
    expected = shares("weights", weights, counts.astype(dtype))
    share = counts.astype(dtype) / jnp.maximum(total, 1).astype(dtype)
    log_ratio = log_or_minus_inf(share) - log_or_minus_inf(expected)
    reverse_kl = jnp.where(total > 0, jnp.sum(zero_times(share, log_ratio)), jnp.nan)
    captured = jnp.sum((counts > 0).astype(jnp.int32))
    return ModeCoverage(captured, high_quality, reverse_kl, counts)


def high_quality_share(d: Count, threshold: Number = 3.0) -> Scalar:
    r"""The share of a $d$-dimensional normal law within `threshold` deviations of its mean.

    $1 - e^{-t^2/2}$ in the plane: 98.889 % at 3. A sample with more is too narrow. Modes so close
    that another one's samples come within reach have more.
    """
    check_not_negative(threshold=threshold)
    shape, threshold = floats(as_count("d", d) / 2, threshold)
    return jax.scipy.special.gammainc(shape, threshold**2 / 2)
