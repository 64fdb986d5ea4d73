"""Disentanglement of codes: mutual information gap with its null value, correlation of units."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from theory._inputs import (
    ArrayInput,
    Count,
    as_count,
    check_points,
    check_square,
    concrete,
    floats,
)
from theory._numeric import Scalar, all_numbers, nan_unless, safe_divide, safe_sqrt, zero_times


class MutualInformationGap(NamedTuple):
    r"""Excess of a factor's best unit over its second best.

    - `value`: the mean of `gaps`, 1 if every factor is in one unit, 0 if each is in two alike.
    - `gaps`: $(I_1 - I_2)/H$ by factor, the two largest informations over the entropy, `(f,)`.
    - `information`: of unit and factor, in nats, shape `(k, f)`.
    - `entropies`: of the factors, in nats, shape `(f,)`.
    """

    value: Scalar
    gaps: Float[Array, " f"]
    information: Float[Array, "k f"]
    entropies: Float[Array, " f"]


def mutual_information_gap(
    codes: ArrayInput,
    factors: ArrayInput,
    *,
    bins: Count = 20,
    values: Count | None = None,
) -> MutualInformationGap:
    r"""The mutual information gap (MIG) of codes about known factors, from histograms.

    Each unit's range is cut into `bins` of equal width. Information estimated so is too large, by
    about $(\text{bins}-1)(\text{values}-1)/2n$: see `mutual_information_gap_null`.

    **Arguments:**

    - `codes`: shape `(n, k)`. Two units at least.
    - `factors`: whole numbers from 0, shape `(n, f)`.
    - `values`: their number; the largest and 1 by default, needed under a trace.

    **Returns:** see `MutualInformationGap`; NaN for a factor that has one value.

    !!! cite "Source"

        Chen, Li, Grosse & Duvenaud (2018), arXiv:1802.04942, section 4.1; with histograms as in
        Locatello et al. (2019), arXiv:1811.12359.
    """
    (codes,) = floats(codes)
    check_points("codes", codes)
    if codes.shape[1] < 2:
        raise ValueError(f"codes must have at least two units, got {codes.shape[1]}.")
    labels, values = _labels(factors, len(codes), values)
    members = _members(codes, as_count("bins", bins))
    kinds = jax.nn.one_hot(labels, values, dtype=codes.dtype)
    joint = jnp.einsum("nkb,nfv->kfbv", members, kinds) / len(codes)
    entropies = _entropy(jnp.mean(kinds, axis=0))
    units = _entropy(jnp.mean(members, axis=0))
    both = _entropy(joint.reshape((*joint.shape[:2], -1)))
    information = units[:, None] + entropies[None] - both
    first, second = jax.lax.top_k(information.T, 2)[0].T
    gaps = (first - second) / entropies
    gaps = nan_unless(all_numbers(codes), gaps)
    return MutualInformationGap(jnp.mean(gaps), gaps, information, entropies)


def mutual_information_gap_null(
    key: PRNGKeyArray,
    codes: ArrayInput,
    factors: ArrayInput,
    *,
    draws: Count = 20,
    bins: Count = 20,
    values: Count | None = None,
) -> Float[Array, " draws"]:
    """The gap's values if codes and factors had nothing to do with each other.

    The rows of factors are permuted, `draws` times: a gap within these is none.

    **Arguments:** those of `mutual_information_gap`, and a `key`.
    """
    (codes,) = floats(codes)
    check_points("codes", codes)
    labels, values = _labels(factors, len(codes), values)
    keys = jax.random.split(key, as_count("draws", draws))

    def draw(key):
        mixed = jax.random.permutation(key, labels)
        return mutual_information_gap(codes, mixed, bins=bins, values=values).value

    return jax.lax.map(draw, keys)


def correlation_of_units(codes: ArrayInput) -> Float[Array, "k k"]:
    """Pearson's correlation of all pairs of units; one that never changes has 0 with any other.

    **Arguments:**

    - `codes`: shape `(n, k)`, n at least 2.
    """
    (codes,) = floats(codes)
    check_points("codes", codes, 2)
    centred = codes - jnp.mean(codes, axis=0)[None]
    # In units of the largest entry, whose square is neither 0 nor infinite.
    largest = jnp.max(jnp.abs(centred), axis=0, keepdims=True)
    centred = safe_divide(centred, jnp.broadcast_to(largest, centred.shape))
    lengths = safe_sqrt(jnp.sum(centred**2, axis=0))
    unit = safe_divide(centred, jnp.broadcast_to(lengths[None], centred.shape))
    matrix = unit.T @ unit
    return jnp.where(jnp.eye(len(matrix), dtype=bool) & ~jnp.isnan(matrix), 1, matrix)


def gaussian_total_correlation(covariance: ArrayInput) -> Scalar:
    r"""$\mathrm{KL}(p(z)\|\prod_j p(z_j))$ of a Gaussian, in nats.

    $\frac12(\sum_j\log\Sigma_{jj} - \log\det\Sigma)$: 0 for independent units alone.

    **Arguments:**

    - `covariance`: $\Sigma$, positive definite, shape `(k, k)`.

    !!! cite "Source"

        Watanabe (1960), IBM Journal of Research and Development 4(1).
    """
    (covariance,) = floats(covariance)
    check_square("covariance", covariance)
    root = jnp.linalg.cholesky(covariance)
    marginal = 0.5 * jnp.sum(jnp.log(jnp.diagonal(covariance)))
    return marginal - jnp.sum(jnp.log(jnp.diagonal(root)))


def _labels(factors: ArrayInput, count: int, values: Count | None) -> tuple[Array, int]:
    """Factors as whole numbers of shape (n, f), and the number of their values."""
    labels = jnp.asarray(factors)
    whole = jnp.issubdtype(labels.dtype, jnp.integer)
    if labels.ndim != 2 or labels.size == 0 or not whole or len(labels) != count:
        got = f"{labels.dtype} of shape {labels.shape}"
        raise ValueError(f"factors must be whole numbers of shape ({count}, f), got {got}.")
    found = concrete(factors)  # not of labels: those are traced under jit, constants or not
    if values is None:
        if found is None:
            raise ValueError("values must be given where factors are traced.")
        values = int(np.max(found)) + 1
    values = as_count("values", values)
    if found is not None and not (found.min() >= 0 and found.max() < values):
        got = f"{found.min()} to {found.max()}"
        raise ValueError(f"factors must be from 0 to {values - 1}, got {got}.")
    return labels, values


def _members(codes: Float[Array, "n k"], bins: int) -> Float[Array, "n k bins"]:
    """Membership of every code in the bins of its unit, as 0 and 1."""
    low, high = jnp.min(codes, axis=0)[None], jnp.max(codes, axis=0)[None]
    place = safe_divide(codes - low, jnp.broadcast_to(high - low, codes.shape)) * bins
    index = jnp.clip(jnp.floor(place), 0, bins - 1)
    members = jax.nn.one_hot(index.astype(jnp.int32), bins, dtype=codes.dtype)
    return jnp.where(jnp.isnan(place)[..., None], jnp.nan, members)


def _entropy(shares: Float[Array, "... v"]) -> Float[Array, "..."]:
    """The entropy of laws along the last axis, in nats."""
    return -jnp.sum(zero_times(shares, jnp.log(jnp.where(shares == 0, 1, shares))), axis=-1)
