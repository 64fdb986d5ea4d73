"""Means with standard errors, and functions that handle 0, inf and NaN as formulas mean them."""

import math
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Scalar: TypeAlias = Float[Array, ""]


class Estimate(NamedTuple):
    """The mean of samples and its standard error, both of shape `()`."""

    value: Scalar
    standard_error: Scalar


def mean_estimate(values: Float[Array, " n"]) -> Estimate:
    """The mean of independent values and its standard error, NaN for a single one.

    **Raises:** `ValueError` without any value.
    """
    count = values.size
    if count == 0:
        raise ValueError("a mean needs at least one sample, got none.")
    if count < 2:
        return Estimate(jnp.mean(values), jnp.full((), jnp.nan, values.dtype))
    variance = jnp.var(values, ddof=1)
    return Estimate(jnp.mean(values), safe_sqrt(variance) / math.sqrt(count))


def joint_error(left: Estimate, right: Estimate) -> Scalar:
    """The standard error of the sum or difference of two independent estimates."""
    return safe_sqrt(left.standard_error**2 + right.standard_error**2)


def half_of_each(at_p: Float[Array, " n"], at_q: Float[Array, " m"]) -> Estimate:
    """The mean under (p + q) / 2 from terms on samples of both."""
    left, right = mean_estimate(at_p), mean_estimate(at_q)
    error = 0.5 * joint_error(left, right)
    return Estimate(0.5 * (left.value + right.value), error)


def safe_sqrt(square: Float[Array, "..."]) -> Float[Array, "..."]:
    """The square root, with the derivative 0 at 0, where it would be infinite."""
    zero = square == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, square)))


def safe_divide(
    numerator: Float[Array, "..."], denominator: Float[Array, "..."], otherwise: float = 0.0
) -> Float[Array, "..."]:
    """The quotient, or `otherwise` where the denominator is 0 and the numerator is not NaN."""
    zero = denominator == 0
    quotient = numerator / jnp.where(zero, 1, denominator)
    return jnp.where(zero & ~jnp.isnan(numerator), otherwise, quotient)


def zero_times(
    probability: Float[Array, "..."], log_ratio: Float[Array, "..."]
) -> Float[Array, "..."]:
    """p * log ratio, with 0 * infinity = 0 and NaN for NaN in either, safe to differentiate."""
    nothing = (probability == 0) & ~jnp.isnan(log_ratio)
    return jnp.where(nothing, 0, probability * jnp.where(nothing, 0, log_ratio))


def log_or_minus_inf(probability: Float[Array, "..."]) -> Float[Array, "..."]:
    """The logarithm, with -inf at 0 and NaN below it, safe to differentiate."""
    zero = probability == 0
    return jnp.where(zero, -jnp.inf, jnp.log(jnp.where(zero, 1, probability)))


def log_ratio(
    log_p: Float[Array, "..."], log_q: Float[Array, "..."], nothing: Bool[Array, "..."]
) -> Float[Array, "..."]:
    """log p - log q, or 0 where `nothing`; NaN for NaN in either."""
    nothing = nothing & ~jnp.isnan(log_p) & ~jnp.isnan(log_q)
    return jnp.where(nothing, 0, jnp.where(nothing, 0, log_p) - jnp.where(nothing, 0, log_q))


def safe_norm(vectors: Float[Array, "..."], axis: int | tuple[int, ...]) -> Float[Array, "..."]:
    """Euclidean lengths along axes; no square overflows, and the derivative at 0 is 0."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(vectors), axis=axis, keepdims=True))
    unit = jnp.where((largest == 0) | jnp.isinf(largest), 1, largest)
    return jnp.squeeze(unit, axis) * safe_sqrt(jnp.sum((vectors / unit) ** 2, axis=axis))


def nan_unless(known: Bool[Array, "..."], value: Float[Array, "..."]) -> Float[Array, "..."]:
    """The value where the condition holds, NaN elsewhere."""
    return jnp.where(known, value, jnp.nan)


def all_numbers(*arrays: Float[Array, "..."]) -> Bool[Array, ""]:
    """True unless any of the arrays has a NaN."""
    return ~jnp.any(jnp.stack([jnp.any(jnp.isnan(array)) for array in arrays]))
