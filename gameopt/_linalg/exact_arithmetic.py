r"""Results of operations that rounding leaves exact, told from the digits of their operands.

The grid of a number is the largest power of two of which it is a multiple. A product is a multiple
of the product of two grids, a sum one of the smallest grid; a result of $p$ binary digits is exact
if it is below $2^p$ times its grid. Of longer sums, whose order is unknown, the moduli are summed,
so that every partial sum is exact; products of matrices of single precision must have factors of
8 digits too, as accelerators cut them. All other functions count as inexact.

!!! cite "Source"

    Higham (2002), Accuracy and Stability of Numerical Algorithms, 2nd edition, section 2.1.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

SUMS = frozenset(["add", "sub", "add_any"])
REDUCTIONS = frozenset(["reduce_sum", "cumsum", "reduce_window_sum", "scatter-add"])
PRODUCTS = frozenset(["dot_general", "conv_general_dilated"])

Operation = Callable[[Sequence[Any]], Array]


def is_rounded(
    equation: Any, values: Sequence[Any], out: Array, operation: Operation
) -> Bool[Array, "*"]:
    """True where a result may not be exact, in the shape of `out`.

    **Arguments:** `equation`: of a jaxpr. `operation`: its own, for sums of moduli.
    """
    name, dtypes = equation.primitive.name, [variable.aval.dtype for variable in equation.invars]
    values = [jnp.asarray(value, dtype) for value, dtype in zip(values, dtypes, strict=True)]
    real = [jnp.issubdtype(dtype, jnp.floating) for dtype in dtypes]
    if not jnp.issubdtype(out.dtype, jnp.floating):
        return jnp.ones(jnp.shape(out), bool)
    if name == "convert_element_type":
        back = out.astype(values[0].dtype)
        return (back != values[0]) | (back.astype(out.dtype) != out)
    grids = [_grid(value) for value, is_real in zip(values, real, strict=True) if is_real]
    if name in SUMS:
        return _is_beyond(jnp.abs(out), jnp.minimum(*grids), out)
    if name == "mul":
        return _is_beyond(jnp.abs(out), grids[0] * grids[1], out) & _is_product(values)
    power = 2 if name == "square" else equation.params.get("y", 0) if name == "integer_pow" else 0
    if power > 0:
        return _is_beyond(jnp.abs(out), grids[0] ** power, out) & (values[0] != 0)
    if name == "div":
        again = out * values[1]
        return _is_beyond(jnp.abs(again), _grid(out) * grids[1], out) | (again != values[0])
    least = [jnp.min(grid, initial=jnp.inf) for grid in grids]
    moduli = [jnp.abs(v) if is_real else v for v, is_real in zip(values, real, strict=True)]
    if name in REDUCTIONS:
        return _is_beyond(operation(moduli), jnp.min(jnp.stack(least)), out)
    if name in PRODUCTS:
        rounded = _is_beyond(operation(moduli), least[0] * least[1], out)
        return rounded | ~jnp.all(jnp.stack([*map(_is_short, values)]))
    return jnp.ones(jnp.shape(out), bool)


def _is_product(values: Sequence[Any]) -> Bool[Array, "*"]:
    """True where no factor is 0."""
    return jnp.logical_and(*(jnp.asarray(value) != 0 for value in values))


def _is_short(value: Array) -> Bool[Array, ""]:
    """True if accelerators multiply these numbers exactly, which cut those of single precision."""
    if value.dtype == jnp.float64:
        return jnp.asarray(True)
    return jnp.all(value.astype(jnp.bfloat16).astype(value.dtype) == value)


def _is_beyond(size: Any, grid: Any, out: Array) -> Bool[Array, "*"]:
    """True where a result is too large to be a multiple of a grid exactly, or may underflow."""
    limits = jnp.finfo(out.dtype)
    fits = (size < grid * 2.0 ** (limits.nmant + 1)) & (grid >= float(limits.tiny))
    return jnp.broadcast_to(~fits, jnp.shape(out))


def _grid(value: Array) -> Array:
    """The grid of each number: infinite for 0, and 0 where it is subnormal."""
    wide = value.astype(jnp.promote_types(value.dtype, jnp.float32))
    digits = jnp.finfo(wide.dtype).nmant
    bits = lax.bitcast_convert_type(wide, jnp.int64 if digits > 31 else jnp.int32)
    whole = (bits & (2**digits - 1)) | 2**digits
    lowest = (whole & -whole).astype(wide.dtype)
    # The number without its digits but the first.
    power = lax.bitcast_convert_type(bits >> digits << digits, wide.dtype)
    return jnp.where(wide == 0, jnp.inf, jnp.abs(power) * (lowest * 2.0**-digits))
