r"""Norms of linear operators, with the true derivatives of every order where they are simple.

An operator $A(w)$ is linear in its weight $w$. At its leading singular vectors $u$ and $v$ its norm
$\sigma = v^\top A u$ is stationary, so that $d\sigma = v^\top A(dw)\,u$: a first derivative needs
no derivative of the vectors. A second one does, and it is that of an eigenvector of
$M = A^\top A$ at $\lambda = \sigma^2$,

$$du = (\lambda I - M + \lambda uu^\top)^{-1} (I - uu^\top)\, dM\, u.$$

Both rules are differentiable themselves, and so give all orders. First derivatives solve nothing.

!!! cite "Source"

    Magnus (1985), On differentiating eigenvalues and eigenvectors, Econometric Theory 1(2),
    theorem 1.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

RIDGE = 8.0
"""A multiple of the precision, and of the largest eigenvalue, by which the solve is regular."""


@runtime_checkable
class Operator(Protocol):
    """A linear operator $A(w)$, hashable, without arrays of its own.

    Vectors are arrays of any shape, with the inner product of their entries.
    """

    def apply(self, weight: Array, right: Array) -> Array:
        """$A(w)\\,u$, linear in both."""
        ...

    def adjoint(self, weight: Array, left: Array) -> Array:
        """$A(w)^\\top v$."""
        ...

    def leading(self, weight: Array, begin: Any) -> Array:
        """Leading right singular vector, of length 1, found from `begin`."""
        ...

    def solve(self, matvec: Callable[[Array], Array], vector: Array) -> Array:
        """Solution of a symmetric system, linear in `vector` and differentiable."""
        ...


def spectral_norm(
    operator: Operator, weight: Float[Array, "..."], begin: Float[Array, "..."] | None = None
) -> Float[Array, ""]:
    """Norm of $A(w)$, at the vectors that `operator.leading` finds.

    Differentiable in `weight` to any order, forwards and backwards. Where the leading singular
    value is not simple, the first derivative is one of the subgradients, and there is no second:
    what comes is finite, and no derivative. 0 for $w = 0$, with derivatives 0.
    """
    # Squares of small weights would underflow. As the norm is homogeneous, the scale is a constant.
    largest = jnp.max(jnp.abs(lax.stop_gradient(weight)))
    is_zero = largest == 0
    scale = jnp.where(is_zero, 1, largest)
    # Another weight in place of zero, so that no derivative divides by zero.
    other = jnp.zeros_like(weight).at[(0,) * weight.ndim].set(1)
    norm = _norm(operator, jnp.where(is_zero, other, weight / scale), begin)
    return jnp.where(is_zero, 0, scale * norm)


def unit(vector: Float[Array, "..."]) -> Float[Array, "..."]:
    """The vector divided by its Euclidean length; 0 for 0, with finite derivatives."""
    square = jnp.sum(vector**2)
    return vector / jnp.sqrt(jnp.where(square == 0, 1, square))


def _value(operator: Operator, weight: Array, begin: Array | None) -> Array:
    answer = operator.apply(weight, _leading(operator, weight, begin))
    return jnp.vdot(unit(answer), answer)


_norm = jax.custom_jvp(_value, nondiff_argnums=(0,))


@_norm.defjvp
def _(operator: Operator, primals, tangents):
    (weight, begin), (change, _) = primals, tangents
    right = _leading(operator, weight, begin)
    answer = operator.apply(weight, right)
    left = unit(answer)
    return jnp.vdot(left, answer), jnp.vdot(left, operator.apply(change, right))


_leading = jax.custom_jvp(
    lambda operator, weight, begin: operator.leading(weight, begin), nondiff_argnums=(0,)
)


@_leading.defjvp
def _(operator: Operator, primals, tangents):
    (weight, begin), (change, _) = primals, tangents
    right = _leading(operator, weight, begin)
    gram = lambda w, vector: operator.adjoint(w, operator.apply(w, vector))
    image, turn = jax.jvp(lambda w: gram(w, right), (weight,), (change,))
    value = jnp.vdot(right, image)
    regular = value * (1 + RIDGE * jnp.finfo(weight.dtype).eps)

    def shifted(vector: Array) -> Array:
        along = value * jnp.vdot(right, vector) * right
        return regular * vector - gram(weight, vector) + along

    return right, operator.solve(shifted, turn - jnp.vdot(right, turn) * right)


def conjugate_gradients(matvec: Callable[[Array], Array], vector: Array) -> Array:
    r"""Solution $x$ of a symmetric system $Kx = b$, to rounding.

    It takes no more steps than $b$ has entries. At a direction in which $K$ is not positive it
    ends, with what it has: 0 if that is the first.

    !!! cite "Source"

        Hestenes & Stiefel (1952); the early end: Steihaug (1983), SIAM J. Numerical Analysis 20(3).
    """

    def solve(matvec: Callable[[Array], Array], vector: Array) -> Array:
        # Squares of small entries would underflow.
        largest = jnp.max(jnp.abs(vector))
        scale = jnp.where(largest == 0, 1, largest)
        return scale * _descended(matvec, vector / scale)

    return lax.custom_linear_solve(matvec, vector, solve, symmetric=True)


def _descended(matvec: Callable[[Array], Array], vector: Array) -> Array:
    square = jnp.vdot(vector, vector)
    least = square * jnp.finfo(vector.dtype).eps ** 2

    def goes_on(carry):
        *_, square, is_positive, step = carry
        return (square > least) & is_positive & (step < vector.size)

    def step(carry):
        x, rest, ahead, square, _, count = carry
        image = matvec(ahead)
        curvature = jnp.vdot(ahead, image)
        is_positive = curvature > 0
        length = jnp.where(is_positive, square / jnp.where(is_positive, curvature, 1), 0)
        x, rest = x + length * ahead, rest - length * image
        new = jnp.vdot(rest, rest)
        return x, rest, rest + new / square * ahead, new, is_positive, count + 1

    zero = jnp.zeros_like(vector)
    begin = (zero, vector, vector, square, jnp.asarray(True), jnp.asarray(0))
    return lax.while_loop(goes_on, step, begin)[0]
