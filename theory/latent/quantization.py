r"""Vector quantisation: k-means and Lloyd's rounds, the use of codes, and bounds on the error.

A codebook of k codes $e_1, \dots, e_k$ sends a point to its nearest code. With identity networks a
VQ-VAE minimises $\sum_i \min_j \|x_i - e_j\|^2$, which is k-means.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    as_number,
    check_clouds,
    check_line,
    check_not_negative,
    check_same_shape,
    floats,
    from_one_origin,
)
from theory._numeric import Estimate, Scalar, all_numbers, mean_estimate, nan_unless, zero_times

NOWHERE = -1
"""The index of a point that has no nearest code, since a distance is NaN."""


def assign_codes(points: ArrayInput, codebook: ArrayInput) -> Int[Array, " n"]:
    """The index of the nearest code of each point, the lowest of several; -1 where one is NaN.

    **Arguments:** `points`: shape `(n, d)`. `codebook`: shape `(k, d)`.

    Distances are sums of squared differences, in memory of the size of the points; time grows as
    n times k.

    **Raises:** `ValueError` for empty clouds or different dimensions.
    """
    points, codebook = from_one_origin(points, codebook)
    check_clouds(points=points, codebook=codebook)
    return _assign(points, codebook)


@jax.jit
def _assign(points: Float[Array, "n d"], codebook: Float[Array, "k d"]) -> Int[Array, " n"]:
    points, codebook = jax.lax.stop_gradient((points, codebook))

    def compare(best, candidate):
        lowest, index = best
        code, place = candidate
        squares = jnp.sum((points - code[None]) ** 2, axis=1)
        nearer = squares < lowest
        lowest = jnp.minimum(lowest, squares)  # a NaN stays
        return (lowest, jnp.where(nearer, place, index)), None

    places = jnp.arange(len(codebook), dtype=jnp.int32)
    first = jnp.full(len(points), jnp.inf, points.dtype), jnp.zeros(len(points), jnp.int32)
    (lowest, index), _ = jax.lax.scan(compare, first, (codebook, places))
    return jnp.where(jnp.isnan(lowest), NOWHERE, index)


def inertia(points: ArrayInput, codebook: ArrayInput) -> Scalar:
    r"""The objective of k-means, $\sum_i \min_j \|x_i - e_j\|^2$: shape `()`, in squared units.

    **Arguments:** `points`: shape `(n, d)`. `codebook`: shape `(k, d)`.

    Its gradient by a code is $2 n_j (e_j - \bar x_j)$, of the $n_j$ points of the code's cell with
    the mean $\bar x_j$.

    **Raises:** `ValueError` for empty clouds or different dimensions.
    """
    return jnp.sum(_square_errors(points, codebook))


def quantization_error(points: ArrayInput, codebook: ArrayInput) -> Estimate:
    """The mean squared distance of a point from its nearest code, with its standard error.

    **Arguments:** `points`: shape `(n, d)`. `codebook`: shape `(k, d)`.

    Summed over the d coordinates; an estimate of the error for the points' law, if the codebook is
    not made from the same points.

    **Raises:** `ValueError` for empty clouds or different dimensions.
    """
    return mean_estimate(_square_errors(points, codebook))


def _square_errors(points: ArrayInput, codebook: ArrayInput) -> Float[Array, " n"]:
    points, codebook = from_one_origin(points, codebook)
    check_clouds(points=points, codebook=codebook)
    nearest = codebook[_assign(points, codebook)]
    return nan_unless(all_numbers(points, codebook), jnp.sum((points - nearest) ** 2, axis=1))


def lloyd_round(points: ArrayInput, codebook: ArrayInput) -> Float[Array, "k d"]:
    """The codebook after one round of Lloyd's algorithm: each code the mean of its cell.

    **Arguments:** `points`: shape `(n, d)`. `codebook`: shape `(k, d)`; a code whose cell is empty
    is kept.

    Assignment and means are best answers in turn of a game with one loss, the inertia, so that no
    round raises it.

    **Raises:** `ValueError` for empty clouds or different dimensions.

    !!! cite "Source"

        Lloyd (1982), "Least squares quantization in PCM", IEEE Transactions on Information Theory
        28(2).
    """
    index = assign_codes(points, codebook)
    points, codebook = floats(points, codebook)
    count = len(codebook)
    sums = jax.ops.segment_sum(points, index, count)
    sizes = jax.ops.segment_sum(jnp.ones(len(points), points.dtype), index, count)[:, None]
    means = jnp.where(sizes > 0, sums / jnp.maximum(sizes, 1), codebook)
    return nan_unless(all_numbers(points, codebook), means)


def code_counts(indices: ArrayInput, size: Count) -> Int[Array, " size"]:
    """The number of uses of each code: its frequency in any array of indices.

    **Arguments:** `indices`: whole numbers of any shape; those outside of 0, ..., `size` - 1 are
    not counted.

    **Raises:** `ValueError` for indices that are no whole numbers.
    """
    size = as_count("size", size)
    indices = jnp.asarray(indices)
    if indices.size and not jnp.issubdtype(indices.dtype, jnp.integer):
        raise ValueError(f"indices must be whole numbers, got {indices.dtype}.")
    indices = indices.ravel().astype(jnp.int32)
    inside = (indices >= 0) & (indices < size)
    counts = jnp.zeros(size, jnp.int32)
    return counts.at[jnp.where(inside, indices, 0)].add(inside.astype(jnp.int32))


def perplexity(counts: ArrayInput) -> Scalar:
    r"""The perplexity of a codebook, $\exp(-\sum_j p_j \log p_j)$ with $p_j = n_j / \sum_i n_i$.

    **Arguments:** `counts`: $n_j$, or any weights that are not negative, shape `(k,)`.

    From 1, where one code is used for all, to k, where all are used alike; NaN if all counts are 0.
    Over a whole data set: that of a batch is lower, because it cannot use more codes than it has
    places.

    **Raises:** `ValueError` for no counts, or negative ones.
    """
    (counts,) = floats(counts)
    check_line("counts", counts)
    check_not_negative(counts=counts)
    shares = counts / jnp.sum(counts)
    positive = jnp.where(shares == 0, 1, shares)
    return jnp.exp(-jnp.sum(zero_times(shares, jnp.log(positive))))


def distortion_lower_bound(entropy: Number, codes: Number, d: Count = 1) -> Scalar:
    r"""A lower bound on the mean squared error of any k codes, $d\,e^{2(h - \log k)/d}/(2\pi e)$.

    **Arguments:**

    - `entropy`: the differential entropy $h$ of the points' law in $\mathbb R^d$, in nats.
    - `codes`: k, at least 1. `d`: the dimension.

    The error is summed over coordinates. For a normal law on the line with deviation σ it is
    $\sigma^2/k^2$, and for a uniform one $6/(\pi e) = 70.3$ % of what k even codes reach.

    **Raises:** `ValueError` for a negative number of codes.

    !!! cite "Source"

        Shannon (1959), "Coding theorems for a discrete source with a fidelity criterion"; $\log k$
        nats are the most that the index of a code has.
    """
    d = as_count("d", d)
    check_not_negative(codes=codes)
    entropy_, codes_ = floats(entropy, codes)
    return d * jnp.exp(2 * (entropy_ - jnp.log(codes_)) / d) / (2 * math.pi * math.e)


def high_resolution_error(log_p: ArrayInput, weights: ArrayInput, codes: Number) -> Scalar:
    r"""The least mean squared error of k codes on the line for large k,
    $\frac{1}{12k^2}\left(\int p^{1/3}\right)^3$.

    **Arguments:**

    - `log_p`, `weights`: the log density at the nodes of a quadrature and their weights, shape
      `(m,)`. `codes`: k.

    Exact for every k where p is uniform; $\sqrt3\,\pi\sigma^2/(2k^2)$ for a normal law. The codes
    have the density $p^{1/3}$, up to a factor.

    **Raises:** `ValueError` for nodes and weights of different shapes, or a negative k.

    !!! cite "Source"

        Panter & Dite (1951), "Quantization distortion in pulse-count modulation with nonuniform
        spacing of levels", Proceedings of the IRE 39(1).
    """
    log_p, weights = floats(log_p, weights)
    check_line("log_p", log_p)
    check_same_shape(log_p=log_p, weights=weights)
    check_not_negative(codes=codes)
    count = as_number(codes, log_p.dtype)
    return jnp.sum(weights * jnp.exp(log_p / 3)) ** 3 / (12 * count**2)
