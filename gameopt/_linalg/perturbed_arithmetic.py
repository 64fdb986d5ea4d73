r"""Functions evaluated with every operation perturbed by its rounding error.

Each result of an operation is multiplied by $1 + u\delta$, $\delta$ uniform between -1 and 1 and
$u$ the precision of its dtype; a sum of $K$ terms, and a product of matrices, by $u\sqrt K$ of the
sum of the terms' moduli; what may have underflowed, by a thousand of the smallest normal
number; factorisations see a matrix that is moved by as much. The arguments are perturbed too. So
results differ as they would if the order of sums, the instructions or the last digits of the
arguments were others, where terms cancel as well; and where an argument of a kink, a branch or an
order is within rounding of its edge, a draw and its opposite come out on either side.

What is made of keys, integers and literals alone is left as it is, entry by entry.

Where only what is rounded is asked for, exact results and the arguments are left as they are: a
result that no draw changes was computed exactly.

It is a measurement and no bound: rounding errors that conspire may be larger. Random numbers are a
hash of position, operation and draw, so that draws are reproducible.

!!! cite "Source"

    Parker (1997), Monte Carlo arithmetic, UCLA CSD-970002; Higham (2002), Accuracy and Stability of
    Numerical Algorithms, 2nd edition, sections 2.9 and 3.1.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, UInt32

from gameopt._linalg.exact_arithmetic import PRODUCTS, REDUCTIONS, SUMS, is_rounded

# fmt: off
EXACT = frozenset([
    "reshape", "broadcast_in_dim", "squeeze", "expand_dims", "transpose", "slice",
    "dynamic_slice", "copy", "rev", "pad", "dynamic_update_slice", "concatenate", "split",
    "gather", "scatter", "select_n", "max", "min", "neg", "abs", "sign", "clamp", "reduce_max",
    "reduce_min", "reduce_window_max", "sort", "stop_gradient", "floor", "ceil", "round", "iota",
    "real", "imag", "complex", "device_put", "optimization_barrier", "name", "nextafter",
    "bitcast_convert_type", "cummax", "cummin", "top_k", "random_bits", "select_and_gather_add",
    "argsort", "reduce_precision", "scatter-min", "scatter-max",
])
"""Operations that copy, compare or choose."""
FACTORISATIONS = frozenset([
    "eigh", "svd", "cholesky", "qr", "lu", "geqrf", "householder_product", "triangular_solve",
    "tridiagonal", "eig", "schur", "hessenberg", "tridiagonal_solve", "custom_linear_solve",
])
"""Operations whose error is that of a matrix nearby."""
# fmt: on
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    "checkpoint": "jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
}
"""Operations that are functions, and the parameter that holds them."""

SUMS_AND_LOOPS = REDUCTIONS | PRODUCTS | {"scan", "while", "cond"}
"""Operations that are perturbed whatever they are of."""

SPARE, MANY = 1024, 256
"""Places of a table of random numbers at which operations begin to read; how many are drawn."""


class Draw(NamedTuple):
    """A draw of all perturbations.

    - `salt`: draws of different salts are independent.
    - `size`: of the perturbations, in rounding errors; negative for the opposite draw.
    """

    salt: UInt32[Array, ""]
    size: Float[Array, ""]


def draws(pairs: int, size: float = 1.0) -> Draw:
    """`pairs` draws and their opposites, with a first axis of twice as many."""
    salts = jnp.repeat(jnp.arange(1, pairs + 1, dtype=jnp.uint32), 2)
    return Draw(salts, jnp.where(jnp.arange(2 * pairs) % 2 == 0, size, -size))


def perturbed(
    function: Callable[..., Any], draw: Draw, *arguments: Any, only_rounded: bool = False
) -> Any:
    """`function` of trees of arrays, every operation perturbed.

    Its derivatives are perturbed if it takes them; the result itself has none. With `only_rounded`,
    operations alone that are not exact.
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
    run = _Run(None, _Tables(draw), only_rounded)
    leaves = [run.moved_argument(jnp.asarray(leaf)) for leaf in jax.tree.leaves(arguments)]
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        found = run.closed(closed, leaves)
    return jax.tree.unflatten(jax.tree.structure(shapes), found)


class _Tables:
    """Random numbers of one draw, of each dtype; operations read them from different places on."""

    def __init__(self, draw: Draw):
        self.draw, self.known = draw, {}

    def inside(self) -> "_Tables":
        """The same tables; what is added inside of a loop or a branch is no value outside."""
        tables = _Tables(self.draw)
        tables.known = dict(self.known)
        return tables

    def of(self, dtype: Any, n: int) -> Float[Array, " length"]:
        """At least `n + SPARE` numbers between minus and plus the draw's size."""
        length = SPARE + 2 ** math.ceil(math.log2(n))
        if (dtype, length) not in self.known:
            salt = self.draw.salt * jnp.uint32(0x9E3779B9)
            bits = _hashed(lax.iota(jnp.uint32, length) ^ salt)
            unit = lax.bitcast_convert_type(bits, jnp.int32).astype(dtype)
            self.known[dtype, length] = unit * (self.draw.size * 2.0**-31).astype(dtype)
        return self.known[dtype, length]


class _Run:
    """One evaluation; counts operations, so that each has random numbers of its own."""

    def __init__(self, salt: UInt32[Array, ""] | None, tables: "_Tables", only_rounded: bool):
        self.salt, self.tables, self.count, self.only_rounded = salt, tables, 0, only_rounded
        if salt is None:
            # Outside of loops the places are known when the program is made, which is shorter by
            # the arithmetic of its indices.
            self.begins: Any = np.random.default_rng(0).integers(SPARE, size=MANY)
        else:
            places = _hashed(lax.iota(jnp.uint32, MANY) + salt * jnp.uint32(MANY))
            self.begins = (places % jnp.uint32(SPARE)).astype(jnp.int32)

    def inside(self, salt: UInt32[Array, ""]) -> "_Run":
        """An evaluation inside of an operation, of the same draw."""
        return _Run(salt, self.tables.inside(), self.only_rounded)

    def closed(self, closed: Any, values: Sequence[Any]) -> list[Any]:
        """Results of a closed jaxpr."""
        if isinstance(closed, jex.ClosedJaxpr):
            return self.jaxpr(closed.jaxpr, closed.consts, values)
        return self.jaxpr(closed, [], values)

    def jaxpr(self, jaxpr: Any, consts: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        """Results of a jaxpr, operation by operation."""
        known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *values], strict=True))
        read = lambda atom: atom.val if isinstance(atom, jex.Literal) else known[atom]
        drawn = {variable for variable in known if not _is_inexact(variable.aval)}
        for equation in jaxpr.eqns:
            values = [read(atom) for atom in equation.invars]
            # Random numbers are the sample that they are: next to the edge of a uniform law their
            # normal ones would not exist.
            is_drawn = equation.primitive.name not in SUMS_AND_LOOPS and all(
                isinstance(atom, jex.Literal) or atom in drawn for atom in equation.invars
            )
            drawn.update(equation.outvars if is_drawn else ())
            found = _bind(equation, values) if is_drawn else self.equation(equation, values)
            known.update(zip(equation.outvars, found, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def equation(self, equation: Any, values: list[Any]) -> list[Any]:
        """Results of one operation."""
        name, params = equation.primitive.name, equation.params
        if name in CALLS:
            return self.closed(params[CALLS[name]], values)
        if name in ("scan", "while", "cond"):
            return getattr(self, f"{name}_")(params, values)
        if name in FACTORISATIONS:
            values = [self.moved_matrix(value, name == "eigh") for value in values]
        found = _bind(equation, values)
        if name in EXACT or name in FACTORISATIONS:
            return found

        def size(out):
            whole = _size_of_error(name, equation, values, out)
            if not self.only_rounded:
                return whole
            operation = lambda operands: _bind(equation, operands)[0]
            return jnp.where(is_rounded(equation, values, out, operation), whole, 0)

        return [self.moved(out, size(out)) if _is_inexact(out) else out for out in found]

    def scan_(self, params: dict[str, Any], values: list[Any]) -> list[Any]:
        """A loop; every turn has random numbers of its own."""
        num_consts, num_carry = params["num_consts"], params["num_carry"]
        consts = values[:num_consts]
        begin, xs = values[num_consts : num_consts + num_carry], values[num_consts + num_carry :]

        def turn(carry, x):
            salt, values = carry
            found = self.inside(salt).closed(params["jaxpr"], [*consts, *values, *x])
            return (_next_salt(salt), found[:num_carry]), found[num_carry:]

        carry = (self.own_salt(), [jnp.asarray(value) for value in begin])
        keep = {name: params[name] for name in ("length", "reverse", "unroll")}
        (_, last), ys = lax.scan(turn, carry, xs, **keep)
        return [*last, *ys]

    def while_(self, params: dict[str, Any], values: list[Any]) -> list[Any]:
        """A loop of unknown length; its condition is asked without perturbations."""
        count_cond, count_body = params["cond_nconsts"], params["body_nconsts"]
        of_cond, of_body = values[:count_cond], values[count_cond : count_cond + count_body]
        begin = [jnp.asarray(value) for value in values[count_cond + count_body :]]

        def goes_on(carry):
            closed = params["cond_jaxpr"]
            return jex.jaxpr_as_fun(closed)(*of_cond, *carry[1])[0]

        def turn(carry):
            salt, values = carry
            found = self.inside(salt).closed(params["body_jaxpr"], [*of_body, *values])
            return _next_salt(salt), found

        return lax.while_loop(goes_on, turn, (self.own_salt(), begin))[1]

    def cond_(self, params: dict[str, Any], values: list[Any]) -> list[Any]:
        """A choice of functions."""
        salt = self.own_salt()
        branch = lambda closed: lambda *given: self.inside(salt).closed(closed, given)
        return list(lax.switch(values[0], [*map(branch, params["branches"])], *values[1:]))

    def own_salt(self) -> UInt32[Array, ""]:
        """A salt for an operation that has others inside."""
        self.count += 1
        salt = self.tables.draw.salt if self.salt is None else self.salt
        return _next_salt(salt + jnp.uint32(self.count))

    def random(self, like: Array) -> Array:
        """Numbers between minus and plus the size, in the shape and real dtype of `like`."""
        shape = jnp.shape(like)
        n = max(math.prod(shape), 1)
        begin = self.begins[self.count % len(self.begins)]
        self.count += 1
        table = self.tables.of(_real(like.dtype), n)
        if self.salt is None:
            found = table[int(begin) : int(begin) + math.prod(shape)]
        else:
            found = lax.dynamic_slice(table, (begin,), (n,))[: math.prod(shape)]
        return found.reshape(shape)

    def moved(self, value: Array, size: Array) -> Array:
        """The value, and a random part of `size`."""
        return value + (self.random(value) * size).astype(value.dtype)

    def moved_argument(self, value: Array) -> Array:
        """An argument, known to the last digit; at 0, to far below any length of interest."""
        if self.only_rounded or not _is_inexact(value):
            return value
        floor = math.sqrt(float(jnp.finfo(value.dtype).tiny))
        return self.moved(value, _eps(value.dtype) * jnp.abs(value) + _as(floor, value))

    def moved_matrix(self, value: Array, symmetric: bool) -> Array:
        """A matrix as near as its factorisation is exact."""
        if not _is_inexact(value) or value.ndim < 2:
            return value
        largest = jnp.max(jnp.abs(value), axis=(-2, -1), keepdims=True)
        size = _as(_eps(value.dtype) * math.sqrt(value.shape[-1]), value) * largest
        moved = self.moved(value, size)
        return (moved + jnp.swapaxes(moved, -1, -2).conj()) / 2 if symmetric else moved


def _bind(equation: Any, values: Sequence[Any]) -> list[Any]:
    params = equation.primitive.get_bind_params(equation.params)
    # Some versions of JAX give a pair, with functions that come first.
    functions, params = params if isinstance(params, tuple) else ((), params)
    found = equation.primitive.bind(*functions, *values, **params)
    return list(found) if equation.primitive.multiple_results else [found]


def _size_of_error(name: str, equation: Any, values: Sequence[Any], out: Array) -> Array:
    """The size of the rounding error of a result."""
    # Far enough above what is flushed to 0 for a random part of it to stay.
    eps, tiny = _eps(out.dtype), 1024 * float(jnp.finfo(out.dtype).tiny)
    moduli = [jnp.abs(value) if _is_inexact(value) else value for value in values]
    if name in SUMS or name in ("mul", "div", "integer_pow", "square"):
        used = [jnp.asarray(value) != 0 for value in moduli]
        there = functools.reduce(jnp.logical_or if name in SUMS else jnp.logical_and, used)
        floor = jnp.where(there, _as(tiny, out), _as(0.0, out))
        return jnp.maximum(_as(eps, out) * jnp.abs(out), floor)
    if name in PRODUCTS or _is_product(equation):
        size = _as(eps * math.sqrt(_terms(name, equation)), out) * _bind(equation, moduli)[0]
        there = jnp.any(moduli[0] != 0) & jnp.any(moduli[1] != 0)
        return jnp.maximum(size, jnp.where(there, _as(tiny, out), _as(0.0, out)))
    if name in REDUCTIONS:
        terms = max(values[0].size / max(out.size, 1), 2.0) if name == "reduce_sum" else 16.0
        return _as(eps * math.sqrt(terms), out) * _bind(equation, moduli)[0]
    return _as(4 * eps, out) * jnp.abs(out)


def _is_product(equation: Any) -> bool:
    """Guess that an operation on arrays of different shapes sums products of their entries."""
    known = equation.primitive.name in REDUCTIONS
    shapes = [v.aval.shape for v in equation.invars if _is_inexact(v.aval)]
    whole = [shape for shape in shapes if math.prod(shape) > 1]
    return not known and len(whole) == 2 and whole[0] != whole[1]


def _terms(name: str, equation: Any) -> int:
    """The number of terms of each sum of a product."""
    left, right = (variable.aval for variable in equation.invars[:2])
    if name == "dot_general":
        axes = equation.params["dimension_numbers"][0][0]
        return max(math.prod(left.shape[axis] for axis in axes), 1)
    if name == "conv_general_dilated":
        feature = equation.params["dimension_numbers"].rhs_spec[0]
        return max(right.size // max(right.shape[feature], 1), 1)
    return max(min(left.size, right.size), 1)


def _is_inexact(value: Any) -> bool:
    dtype = value.dtype if hasattr(value, "dtype") else jnp.result_type(value)
    return jnp.issubdtype(dtype, jnp.inexact)


def _real(dtype: Any) -> Any:
    return jnp.finfo(dtype).dtype


def _eps(dtype: Any) -> float:
    return float(jnp.finfo(dtype).eps)


def _as(number: float, like: Array) -> Array:
    return jnp.asarray(number, _real(jnp.asarray(like).dtype))


def _hashed(number: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
    """The finaliser of MurmurHash3: every bit depends on every bit."""
    number = (number ^ (number >> 16)) * jnp.uint32(0x85EBCA6B)
    number = (number ^ (number >> 13)) * jnp.uint32(0xC2B2AE35)
    return number ^ (number >> 16)


def _next_salt(salt: UInt32[Array, ""]) -> UInt32[Array, ""]:
    return _hashed(salt * jnp.uint32(0x9E3779B9) + jnp.uint32(0x7F4A7C15))
