"""Input conversion and validation: arrays of one floating dtype, one clear message an error."""

import operator
from collections.abc import Sequence
from typing import Any, SupportsIndex, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike

ArrayInput: TypeAlias = ArrayLike | np.generic | list | tuple
Number: TypeAlias = Array | np.ndarray | np.generic | float | int
Count: TypeAlias = SupportsIndex | float
"""A whole number of any kind; a float is refused by `as_count`, with a clear message."""


def floats(*values: ArrayInput) -> list[Array]:
    """Convert all values to arrays of one floating dtype, at least single precision.

    The dtype is that of the most precise floating array; half precision counts as single, so that
    sums of many terms keep their digits. Integers, booleans and Python's numbers follow the others,
    or take JAX's default dtype where there are no others.
    """
    dtype = _common_dtype(values)
    return [as_dtype(value, dtype) for value in values]


def _common_dtype(values: Sequence[Any]) -> np.dtype:
    default = jax.dtypes.canonicalize_dtype(float)
    found = [np.dtype(value.dtype) for value in values if hasattr(value, "dtype")]
    floating = [dtype for dtype in found if jnp.issubdtype(dtype, jnp.floating)]
    if not floating:
        return default
    widest = max(dtype.itemsize for dtype in floating)
    return jax.dtypes.canonicalize_dtype(np.float64 if widest > 4 else np.float32)


def as_dtype(value: ArrayInput, dtype: np.dtype) -> Array:
    """Convert to an array of a floating dtype; `ValueError` for anything but numbers."""
    if isinstance(value, jax.Array):
        return value.astype(dtype)
    return jnp.asarray(_numbers(value).astype(dtype))


def _numbers(value: Any) -> np.ndarray:
    """Read an untraced value on the host; `ValueError` for anything but numbers."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError("expected numbers, in rows of one length.") from None
    if array.dtype.kind not in "biuf" and not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"expected numbers, got an array of {array.dtype}.")
    return array


def double(value: ArrayInput) -> np.ndarray:
    """Convert to float64 on the host."""
    return _numbers(value).astype(np.float64)


def from_one_origin(*values: ArrayInput) -> list[Array]:
    """Apply `floats` to clouds whose common shift does not matter.

    Double precision and wide integers that are to become single are first moved to the median of
    the first cloud: far from 0, single precision could not tell its points apart.
    """
    if any(isinstance(value, jax.Array) for value in values):
        return floats(*values)
    arrays = [_numbers(value) for value in values]
    wide = any(array.dtype.itemsize == 8 for array in arrays)
    alike = len({array.shape[1:] for array in arrays}) == 1 and arrays[0].ndim > 0
    if not (wide and alike and arrays[0].size) or _common_dtype(arrays).itemsize == 8:
        return floats(*values)
    middle = np.median(arrays[0].astype(np.float64), axis=0)
    origin = np.where(np.isfinite(middle), middle, 0.0)
    return floats(*(array.astype(np.float64) - origin for array in arrays))


def as_number(value: Number, dtype: np.dtype) -> Any:
    """Convert a parameter to a Python number, `int` if small and whole; traced, to an array."""
    found = concrete(value)
    if found is None:
        return jnp.asarray(value).astype(dtype)
    if found.ndim:
        raise ValueError(f"expected a single number, got an array of shape {found.shape}.")
    number = float(found)
    return int(number) if number.is_integer() and abs(number) < 2**20 else number


def concrete(value: Any) -> np.ndarray | None:
    """Return the numbers on the host, or `None` while they are traced."""
    return None if isinstance(value, Tracer) else _numbers(value)


def check_points(name: str, points: Array, least: int = 1) -> None:
    """Check for a cloud of points, shape `(n, d)`, with n at least `least` and d at least 1."""
    if points.ndim != 2 or points.shape[1] == 0:
        raise ValueError(f"{name} must have the shape (n, d), d at least 1, got {points.shape}.")
    if len(points) < least:
        raise ValueError(f"{name} must have at least {_points(least)}, got {len(points)}.")


def check_clouds(least: int = 1, **clouds: Array) -> None:
    """Check for clouds of points of one dimension."""
    for name, points in clouds.items():
        check_points(name, points, least)
    check_same("the dimension of their points", **{n: c.shape[1] for n, c in clouds.items()})


def check_line(name: str, values: Array, least: int = 1) -> None:
    """Check for a sample on the line, shape `(n,)`, with n at least `least`."""
    if values.ndim != 1:
        raise ValueError(f"{name} must have the shape (n,), got {values.shape}.")
    if len(values) < least:
        raise ValueError(f"{name} must have at least {_points(least)}, got {len(values)}.")


def _points(count: int) -> str:
    return "one point" if count == 1 else f"{count} points"


def check_same(what: str, **sizes: Any) -> None:
    """Check that all arguments agree in what is named."""
    if len(set(sizes.values())) > 1:
        got = ", ".join(f"{size} for {name}" for name, size in sizes.items())
        raise ValueError(f"{' and '.join(sizes)} must agree in {what}, got {got}.")


def broadcast(**arrays: ArrayInput) -> list[Array]:
    """Convert to floating arrays and broadcast them to a common shape."""
    values = floats(*arrays.values())
    try:
        shape = jnp.broadcast_shapes(*(value.shape for value in values))
    except ValueError:
        shapes = {name: value.shape for name, value in zip(arrays, values, strict=True)}
        check_same("shape", **shapes)
        raise
    return [jnp.broadcast_to(value, shape) for value in values]


def check_same_shape(**arrays: Array) -> None:
    """Check that all arrays have one shape."""
    check_same("shape", **{name: array.shape for name, array in arrays.items()})


def check_square(name: str, matrix: Array) -> None:
    """Check for a square matrix with at least one entry."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise ValueError(f"{name} must be a square matrix, got shape {matrix.shape}.")


def check_gaussian(name: str, mean: Array, cov: Array) -> None:
    """Check for a mean `(d,)` and a covariance `(d, d)`."""
    if mean.ndim != 1 or mean.size == 0 or cov.shape != 2 * mean.shape:
        raise ValueError(
            f"{name} must have a mean of shape (d,) and a covariance of shape (d, d), "
            f"got {mean.shape} and {cov.shape}."
        )


def check_weights(name: str, weights: Array | np.ndarray, count: int) -> None:
    """Check for `count` weights, none negative and not all 0; traced ones are not checked."""
    if weights.shape != (count,):
        raise ValueError(f"{name} must have the shape ({count},), got {weights.shape}.")
    numbers = concrete(weights)
    if numbers is None:
        return
    if (numbers < 0).any():
        raise ValueError(f"{name} must not be negative, got {numbers.min():g}.")
    if (numbers == 0).all():
        raise ValueError(f"{name} must not all be 0.")


def check_not_negative(**numbers: Any) -> None:
    """Check that no number is negative. NaN passes and comes out as NaN; traced ones pass."""
    for name, number in numbers.items():
        found = concrete(number)
        if found is not None and (found < 0).any():
            raise ValueError(f"{name} must not be negative, got {found.min():g}.")


def check_positive(**numbers: Any) -> None:
    """Check that every number is positive. NaN passes and comes out as NaN; traced ones pass."""
    for name, number in numbers.items():
        found = concrete(number)
        if found is not None and (found <= 0).any():
            raise ValueError(f"{name} must be positive, got {found.min():g}.")


def check_increasing(**bounds: Number) -> None:
    """Check that the first of two named numbers is below the second; NaN and traced ones pass."""
    (low_name, low), (high_name, high) = bounds.items()
    numbers = concrete(low), concrete(high)
    if numbers[0] is not None and numbers[1] is not None and (numbers[0] >= numbers[1]).any():
        raise ValueError(
            f"{low_name} must be below {high_name}, got {numbers[0]:g} and {numbers[1]:g}."
        )


def check_order(p: Any) -> None:
    """Check the order of a Wasserstein distance: at least 1, infinity included."""
    found = concrete(p)
    if found is not None and found.ndim:
        raise ValueError(f"p must be a single number, got an array of shape {found.shape}.")
    if found is not None and not found >= 1:
        raise ValueError(f"W_p is a distance for p >= 1 only, got p = {found:g}.")


def as_count(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """Convert an integer of any kind (Python's, NumPy's, JAX's) to `int`, within its bounds."""
    try:
        count = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        count = None
    if count is None or count < least or (most is not None and count > most):
        bounds = f"{least} or more" if most is None else f"from {least} to {most}"
        bounds = f"{least} or {most}" if most == least + 1 else bounds
        raise ValueError(f"{name} must be {bounds}, a whole number, got {value}.")
    return count


def on_nodes(log_p: ArrayInput, log_q: ArrayInput, weights: ArrayInput) -> list[Array]:
    """Log densities at quadrature nodes and the nodes' weights, as floating arrays `(k,)`."""
    log_p, log_q, weights = floats(log_p, log_q, weights)
    check_same_shape(log_p=log_p, log_q=log_q, weights=weights)
    return [log_p, log_q, weights]


def probability_vectors(p: ArrayInput, q: ArrayInput) -> list[Array]:
    """Two vectors of shape `(k,)` without negative entries, as floating arrays."""
    p, q = floats(p, q)
    check_same_shape(p=p, q=q)
    check_not_negative(p=p, q=q)
    return [p, q]


def gaussians(
    mean_p: ArrayInput, cov_p: ArrayInput, mean_q: ArrayInput, cov_q: ArrayInput
) -> list[Array]:
    """Means `(d,)` and covariances `(d, d)` of two Gaussians, as floating arrays."""
    mean_p, cov_p, mean_q, cov_q = floats(mean_p, cov_p, mean_q, cov_q)
    check_gaussian("the first Gaussian", mean_p, cov_p)
    check_gaussian("the second Gaussian", mean_q, cov_q)
    check_same("dimension", first=mean_p.size, second=mean_q.size)
    return [mean_p, cov_p, mean_q, cov_q]


def on_samples(
    log_p_at_p: ArrayInput, log_q_at_p: ArrayInput, log_p_at_q: ArrayInput, log_q_at_q: ArrayInput
) -> tuple[list[Array], list[Array]]:
    """Both log densities at the samples of p, `(n,)`, and at those of q, `(m,)`."""
    arrays = floats(log_p_at_p, log_q_at_p, log_p_at_q, log_q_at_q)
    check_same_shape(log_p_at_p=arrays[0], log_q_at_p=arrays[1])
    check_same_shape(log_p_at_q=arrays[2], log_q_at_q=arrays[3])
    return arrays[:2], arrays[2:]
