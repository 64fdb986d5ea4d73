"""Checks of arguments: one clear line that says what, where and what to do."""

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

# At run time `check_count` says what is wrong, and not a type checker.
if TYPE_CHECKING:
    Integer: TypeAlias = SupportsIndex | Array
else:
    Integer: TypeAlias = Any

LARGEST_COUNT = 2**31 - 1
"""Rounds are counted in int32."""


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise a `ValueError` that lists the choices, unless the value is one of them."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}.")


def check_count(
    name: str, value: Any, least: int = 0, most: int = LARGEST_COUNT, at_least: str = ">="
) -> int:
    """An integer of any kind as Python's: `int`, NumPy's, or an array of shape `()`.

    **Raises:** `ValueError` for anything else, a traced array among it, and outside of the range.
    """
    if isinstance(value, Tracer):
        raise ValueError(
            f"{name} must be known while a program is traced, and is a traced array. Give an "
            "integer that jit and vmap do not see."
        )
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, got {value!r}.") from None
    if not least <= number <= most:
        limit = f"{at_least} {least}" if number < least else f"<= {most}"
        raise ValueError(f"{name} must be {limit}, got {number}.")
    return number


def count_field(name: str, least: int = 1, **options: Any) -> Any:
    """A field of a module that holds an integer of any kind as Python's."""
    check = lambda value: check_count(name, value, least, at_least="at least")
    return eqx.field(converter=check, **options)


def count_array(name: str, value: Any, least: int = 0) -> Array:
    """`check_count` as an int32 array, so that another number is no other program.

    A traced integer is taken as it is.
    """
    if isinstance(value, Tracer) and jnp.issubdtype(value.dtype, jnp.integer) and value.ndim == 0:
        return value.astype(jnp.int32)
    # Put there explicitly, so that it is no implicit transfer.
    return jax.device_put(np.asarray(check_count(name, value, least), np.int32))


def check_callable(name: str, value: Any) -> Callable[..., Any]:
    """Raise a `TypeError` unless the value can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {value!r}.")
    return value
