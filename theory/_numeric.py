"""What several rooms of theory share: number types, 0 times infinity, means with their errors."""

import math
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

Scalar: TypeAlias = Float[Array, ""]
ArrayInput: TypeAlias = ArrayLike | list | tuple
Number: TypeAlias = Scalar | float | int


class Estimate(NamedTuple):
    """A mean of samples, and the standard error of it, both of shape `()`."""

    value: Scalar
    standard_error: Scalar


def mean_estimate(values: Float[Array, " n"]) -> Estimate:
    """The mean of independent values and its standard error, NaN for a single one."""
    count = values.size
    if count < 2:
        return Estimate(jnp.mean(values), jnp.full((), jnp.nan, values.dtype))
    error = jnp.std(values, ddof=1) / math.sqrt(count)
    return Estimate(jnp.mean(values), error)


def zero_times(
    probability: Float[Array, "..."], log_ratio: Float[Array, "..."]
) -> Float[Array, "..."]:
    """p * log ratio, with 0 * anything = 0, safe to differentiate."""
    positive = probability > 0
    return jnp.where(positive, probability * jnp.where(positive, log_ratio, 0), 0)


def log_or_minus_inf(probability: Float[Array, "..."]) -> Float[Array, "..."]:
    """The logarithm, with -inf at 0, safe to differentiate."""
    positive = probability > 0
    return jnp.where(positive, jnp.log(jnp.where(positive, probability, 1)), -jnp.inf)
