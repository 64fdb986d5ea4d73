"""Sorting of floating numbers through integer keys.

XLA sorts a single operand of integers several times as fast on a CPU as floats, whose comparison
has to order NaN and signed zeros. The bits of a float, with those of negative ones reversed, are
integers in the same order. Derivatives take the permutation of an `argsort`.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def sort_keys(values: Float[Array, "..."]) -> Int[Array, "..."]:
    """Integers in the order of the values; NaN comes first or last, by its sign."""
    integer = jnp.int64 if values.dtype == jnp.float64 else jnp.int32
    return _reverse_negative(jax.lax.bitcast_convert_type(values, integer))


def _reverse_negative(bits: Int[Array, "..."]) -> Int[Array, "..."]:
    """Flip all bits but the sign of negative numbers; its own inverse."""
    info = jnp.iinfo(bits.dtype)
    return bits ^ ((bits >> (info.bits - 1)) & jnp.asarray(info.max, bits.dtype))


def sort(values: Float[Array, " n"]) -> Float[Array, " n"]:
    """The values, smallest first."""
    return _sort(_mapped_over_the_first_axis(values))


def _mapped_over_the_first_axis(values: Float[Array, " n"]) -> Float[Array, " n"]:
    """The values unchanged; under `vmap`, the mapped axis is moved to the front.

    Inside a scan, JAX takes the place of that axis from a function and the array from the
    function's derivative, which need not agree. A reshape puts it in front for both.
    """
    return values[None, :].reshape(values.shape)


@jax.custom_jvp
def _sort(values: Float[Array, " n"]) -> Float[Array, " n"]:
    return jax.lax.bitcast_convert_type(
        _reverse_negative(jax.lax.sort(sort_keys(values))), values.dtype
    )


@_sort.defjvp
def _sort_jvp(primals, tangents):
    (values,), (changes,) = primals, tangents
    order = jnp.argsort(values)
    return values[order], changes[order]


def sort_with(
    values: Float[Array, " n"], weights: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """The values, smallest first, and their weights; equal values may share theirs in any way."""
    return _sort_with(*map(_mapped_over_the_first_axis, (values, weights)))


@jax.custom_jvp
def _sort_with(
    values: Float[Array, " n"], weights: Float[Array, " n"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    ordered = sort(values)
    places = jnp.searchsorted(sort_keys(ordered), sort_keys(values))
    return ordered, jnp.zeros_like(weights).at[places].add(weights)


@_sort_with.defjvp
def _sort_with_jvp(primals, tangents):
    order = jnp.argsort(primals[0])
    at_order = lambda pair: tuple(part[order] for part in pair)
    return at_order(primals), at_order(tangents)
