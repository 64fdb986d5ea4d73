"""Lipschitz constants: exact for layers, upper and lower bounds for networks.

Arrays and plain functions in, so that it shares nothing with what it judges: `gameopt` bounds its
own Equinox networks by the product of layers' norms and by dense Jacobians at given points; here
are the exact norms of circular convolutions, a second bound from above, bounds from below that
build no Jacobian, and how fast the power iteration behind spectral normalisation converges.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Count,
    as_count,
    check_line,
    check_not_negative,
    check_same,
    check_same_shape,
    floats,
)
from theory._numeric import Scalar, all_numbers, nan_unless, safe_divide, safe_norm, safe_sqrt


class PowerIteration(NamedTuple):
    """Lower estimates of a largest singular value, and the last direction.

    - `values`: after 0, 1, 2, ... iterations, shape `(iterations + 1,)`; they never fall.
    - `vector`: the last right singular vector found, of the shape of the start, of norm 1.
    """

    values: Float[Array, " k"]
    vector: Float[Array, "..."]


def dense_norm(weight: ArrayInput) -> Scalar:
    r"""$\|W\|_2$: the largest singular value, the Lipschitz constant of $x \mapsto Wx + b$."""
    (weight,) = floats(weight)
    if weight.ndim != 2 or weight.size == 0:
        raise ValueError(f"a weight must be a matrix (out, in), got shape {weight.shape}.")
    return nan_unless(all_numbers(weight), jnp.linalg.norm(weight, ord=2))


def circular_convolution_norm(kernel: ArrayInput, size: Sequence[int], stride: Count = 1) -> Scalar:
    r"""The exact norm of a convolution with circular padding, from the Fourier transform.

    The transform turns it into one matrix $\hat K(\omega)$ of shape `(out, in)` for each frequency,
    whose largest singular value is the norm. A stride of $s$ folds the $s^d$ frequencies with one
    alias into one matrix, divided by $s^{d/2}$. Zero padding is a circular convolution on a larger
    torus with rows and columns left out: with `size` grown by the window less 1 this bounds it.

    **Arguments:**

    - `kernel`: shape `(out, in, *window)`, no window larger than `size`; as in `lax.conv`.
    - `size`: of the images without their channels, each a multiple of `stride`.
    - `stride`: the same along every axis.

    **Returns:** shape `()`, in units of output per unit of input.

    **Raises:** `ValueError` if sizes and windows do not fit.

    !!! cite "Source"

        Sedghi, Gupta & Long (2019), arXiv:1805.10408, theorem 6.
    """
    (kernel,) = floats(kernel)
    stride = as_count("stride", stride)
    size = tuple(as_count("size", n) for n in size)
    window, d = kernel.shape[2:], len(size)
    if kernel.size == 0:
        raise ValueError(f"a kernel must have at least one entry, got shape {kernel.shape}.")
    if len(window) != d or any(w > n for w, n in zip(window, size, strict=True)):
        raise ValueError(f"a window of {window} does not fit into images of {tuple(size)}.")
    if any(n % stride for n in size):
        raise ValueError(f"sizes must be multiples of the stride {stride}, got {tuple(size)}.")
    symbols = jnp.fft.fftn(kernel, s=tuple(size), axes=tuple(range(2, 2 + d)))
    # Axis by axis a frequency is (alias, remainder): n = stride * (n / stride).
    folded = symbols.reshape(*kernel.shape[:2], *(f for n in size for f in (stride, n // stride)))
    aliases, rest = range(2, 2 + 2 * d, 2), range(3, 3 + 2 * d, 2)
    matrices = jnp.transpose(folded, (*rest, 0, 1, *aliases))
    matrices = matrices.reshape(-1, kernel.shape[0], kernel.shape[1] * stride**d)
    norm = jnp.max(jnp.linalg.norm(matrices, ord=2, axis=(1, 2))) / stride ** (d / 2)
    return nan_unless(all_numbers(kernel), norm)


def power_iteration(
    linear: Callable[[Float[Array, "..."]], Float[Array, "..."]],
    start: ArrayInput,
    iterations: Count,
) -> PowerIteration:
    r"""$v \leftarrow A^\top Av/\|\cdot\|$ for a linear map given as a function, and $\|Av\|$.

    **Arguments:**

    - `linear`: linear, from arrays of one shape to arrays of one shape; its transpose is found by
      differentiation.
    - `start`: not 0; it must not be orthogonal to the largest singular vector.

    !!! cite "Source"

        Golub & Van Loan (2013), Matrix Computations, section 8.2.1, for $A^\top A$.
    """
    (start,) = floats(start)
    iterations = as_count("iterations", iterations, 0)
    if start.size == 0:
        raise ValueError("start must have at least one entry.")
    transpose = jax.linear_transpose(linear, start)
    size = lambda v: safe_norm(v.ravel(), axis=0)
    first = start / size(start)

    def iterate(v, _):
        (w,) = transpose(linear(v))
        length = size(w)
        new = jnp.where(length == 0, v, w / jnp.where(length == 0, 1, length))
        return new, size(linear(new))

    vector, values = jax.lax.scan(iterate, first, None, length=iterations)
    return PowerIteration(jnp.concatenate([size(linear(first))[None], values]), vector)


def power_iteration_rate(singular_values: ArrayInput) -> Scalar:
    r"""$(\sigma_2/\sigma_1)^2$, by which an iteration shrinks $\tan\angle(v, v_1)$.

    The error of the *value* is of second order in that angle, and so shrinks by its square. 1 if
    the largest two are equal: the value converges then all the same. 0 for a single one.
    """
    (singular_values,) = floats(singular_values)
    check_line("singular_values", singular_values)
    check_not_negative(singular_values=singular_values)
    if singular_values.size < 2:
        return nan_unless(all_numbers(singular_values), jnp.zeros((), singular_values.dtype))
    largest, second = jax.lax.top_k(singular_values, 2)[0]
    rate = safe_divide(second, largest, otherwise=1.0) ** 2
    return nan_unless(all_numbers(singular_values), rate)


def power_iteration_value(
    singular_values: ArrayInput, coefficients: ArrayInput, iterations: Count
) -> Scalar:
    r"""The estimate of power iteration after $t$ iterations, in closed form:
    $\sqrt{\sum_i c_i^2\sigma_i^{4t+2} / \sum_i c_i^2\sigma_i^{4t}}$.

    **Arguments:**

    - `singular_values`: $\sigma$, shape `(k,)`, one of them positive.
    - `coefficients`: $c$, the start in the basis of right singular vectors, shape `(k,)`.
    """
    singular_values, coefficients = floats(singular_values, coefficients)
    check_line("singular_values", singular_values)
    check_same_shape(singular_values=singular_values, coefficients=coefficients)
    check_not_negative(singular_values=singular_values)
    largest = jnp.max(singular_values)
    ratios = safe_divide(singular_values, largest)
    weights = coefficients**2 * ratios ** (4 * as_count("iterations", iterations, 0))
    return largest * safe_sqrt(jnp.sum(weights * ratios**2) / jnp.sum(weights))


def network_upper_bound(
    weights: Sequence[ArrayInput], slopes: Sequence[float | int] | None = None
) -> Scalar:
    r"""The smaller of two upper bounds for dense layers with activations between them.

    $\prod_l\|W_l\|_2$, and $\big\|\,|W_L|\cdots|W_1|\,\big\|_2$ with entries made positive, which
    bounds every Jacobian $W_LD_{L-1}\cdots D_1W_1$ entry by entry. Neither is always the smaller.

    **Arguments:**

    - `weights`: $W_1, \dots, W_L$, in the order in which they act, each of shape `(out, in)`.
    - `slopes`: the largest absolute slope of each of the $L - 1$ activations; 1 by default (ReLU,
      tanh, ...).

    **Returns:** shape `()`, in units of output per unit of input (Euclidean norms).

    **Raises:** `ValueError` for another number of slopes than of gaps between layers.

    !!! cite "Source"

        Szegedy et al. (2014), arXiv:1312.6199, section 4.3; Combettes & Pesquet (2020),
        arXiv:1903.01014, section 5, for matrices of absolute values.
    """
    weights = floats(*weights)
    if not weights:
        raise ValueError("a network has at least one layer, got no weights.")
    if slopes is not None and len(slopes) != len(weights) - 1:
        raise ValueError(f"{len(weights)} layers have {len(weights) - 1} activations between them.")
    for before, after in itertools.pairwise(weights):
        check_same("size", outputs=before.shape[:1], inputs_of_the_next=after.shape[1:])
    product, positive = dense_norm(weights[0]), jnp.abs(weights[0])
    for weight in weights[1:]:
        product, positive = product * dense_norm(weight), jnp.abs(weight) @ positive
    scale = float(np.prod([abs(slope) for slope in slopes or ()]))
    return scale * jnp.minimum(product, dense_norm(positive))


def quotient_lower_bound(values: ArrayInput, points: ArrayInput) -> Scalar:
    r"""$\max_{i,j}\|f(x_i) - f(x_j)\|/\|x_i - x_j\|$: the steepest chord between given points.

    Needs values only, no derivative. Points that coincide are passed over; 0 if all do.

    **Arguments:** `values`: $f$ at the points, shape `(n, *out)`. `points`: shape `(n, *in)`.
    """
    values, points = floats(values, points)
    if values.ndim == 0 or points.ndim == 0 or len(points) == 0:
        raise ValueError("values and points must have the shapes (n, *out) and (n, *in), n >= 1.")
    check_same("the number of points", values=len(values), points=len(points))
    flat = lambda v: v.reshape(len(v), -1)
    gap = lambda v: safe_norm(v[:, None, :] - v[None, :, :], axis=2)
    return jnp.max(safe_divide(gap(flat(values)), gap(flat(points))))


def local_lower_bound(
    function: Callable[[Float[Array, "..."]], Float[Array, "..."]],
    points: ArrayInput,
    starts: ArrayInput,
    iterations: Count = 20,
) -> Float[Array, " n"]:
    r"""A lower bound of $\|Df(x_i)\|_2$ by power iteration, with products only, at any size.

    **Arguments:**

    - `function`: of one point of shape `shape`. `points`: shape `(n, *shape)`.
    - `starts`: directions to begin with, random ones say, of the same shape.

    **Returns:** shape `(n,)`; their maximum is a lower bound of the Lipschitz constant.
    """
    points, starts = floats(points, starts)
    check_same_shape(points=points, starts=starts)

    def at(point, start):
        push = lambda v: jax.jvp(function, (point,), (v,))[1]
        return power_iteration(push, start, iterations).values[-1]

    return jax.vmap(at)(points, starts)
