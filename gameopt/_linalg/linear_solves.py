"""The linear systems inside second-order rounds, matrix-free through lineax."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, PyTree

from gameopt._arithmetic import divisor, length
from gameopt._keys import as_data, as_keys
from gameopt._trees import tree_norm
from gameopt._types import Count, Scalar

MAX_STEPS = 200


class LinearSolution(NamedTuple):
    """The result of a linear solve.

    - `value`: the structure and dtypes of the right-hand side.
    - `residual`: $\\|Av - b\\| / \\|b\\|$, computed afresh. `matvecs`: products with $A$, int32.
    """

    value: PyTree[Array]
    residual: Scalar
    matvecs: Count


def solve_linear(
    matvec: Callable[[PyTree[Array]], PyTree[Array]],
    right: PyTree[Array],
    *,
    positive_definite: bool,
    linear_solver: lx.AbstractLinearSolver | None = None,
) -> LinearSolution:
    """Solve $Av = b$ for an operator on pytrees, in float32 at least.

    **Arguments:**

    - `matvec`: $v \\mapsto Av$, on trees like `right`.
    - `positive_definite`: whether $A$ is known to be symmetric positive definite.
    - `linear_solver`: any of lineax. By default, conjugate gradients to a relative residual of
      1e-5 (float32) or 1e-10 (float64), on $A$ itself if it is positive definite and on
      $A^\\top A v = A^\\top b$ otherwise, for at most 200 steps.
    """
    double = any(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(right))
    dtype = jnp.float64 if double else jnp.float32
    widen = lambda tree: jax.tree.map(lambda leaf: leaf.astype(dtype), tree)
    narrow = lambda tree: jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), tree, right)
    vector, unravel = jax.flatten_util.ravel_pytree(widen(right))
    # Of length 1, so that inner products of solvers do not underflow.
    norm = divisor(length(jax.lax.stop_gradient(vector)))
    unit = vector / norm

    def of_vectors(v):
        return jax.flatten_util.ravel_pytree(widen(matvec(narrow(unravel(v)))))[0]

    # lineax hands on what the operator holds, keys among it, as often as it needs it.
    held = as_data(eqx.filter_closure_convert(of_vectors, vector))
    flat_matvec = lambda v: as_keys(held)(v)

    # lineax mixes its counters with floats, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        tags = lx.positive_semidefinite_tag if positive_definite else ()
        operator = lx.FunctionLinearOperator(flat_matvec, jax.eval_shape(lambda: vector), tags)
        if linear_solver is None:
            tolerance = 1e-10 if dtype == jnp.float64 else 1e-5
            # Not zero, so that a right-hand side of zero is solved at once.
            cg = lx.CG(rtol=tolerance, atol=1e-30, max_steps=MAX_STEPS)
            linear_solver = cg if positive_definite else lx.Normal(cg)
        solution = lx.linear_solve(operator, unit, linear_solver, throw=False)
        steps = jnp.asarray(solution.stats.get("num_steps", 1), jnp.int32)
    residual = tree_norm(flat_matvec(solution.value) - unit)
    value = norm * solution.value
    matvecs = steps * _matvecs_a_step(linear_solver, vector.size) + 1
    return LinearSolution(narrow(unravel(value)), residual, matvecs)


def _matvecs_a_step(linear_solver: Any, size: int) -> int:
    if isinstance(linear_solver, lx.CG):
        return 1
    if isinstance(linear_solver, lx.Normal | lx.BiCGStab):
        return 2
    if isinstance(linear_solver, lx.GMRES):
        return linear_solver.restart
    # A direct solver builds the matrix, column by column.
    return size


LinearSolver = lx.AbstractLinearSolver | None
"""A lineax solver, or `None` for the default of `solve_linear`."""
