"""The three maps of a convolution against its definition, XLA's convolution, and one another."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from models.convolution import matrix, trilinear as primitives
from models.convolution.geometry import Geometry, geometry
from models.convolution.trilinear import convolve, transposed_convolve

CASES = [
    # in_shape, kernel, stride, padding, dilation, (in, out)
    ((5, 5), (3, 3), 1, "same", 1, (2, 3)),
    ((8, 6), (4, 4), 2, 1, 1, (1, 2)),
    ((7, 9), (4, 4), 2, "same", 1, (3, 2)),
    ((7, 5), (1, 1), 2, "valid", 1, (2, 2)),
    ((6, 7), (1, 1), 1, "valid", 1, (3, 1)),
    ((9, 8), (2, 3), (3, 2), ((2, 0), (1, 3)), 1, (2, 1)),
    ((9, 9), (3, 3), 1, "same", 2, (1, 1)),
    ((9, 11), (3, 2), 2, 2, (1, 2), (2, 2)),
    ((10, 7), (2, 2), 4, "same", 1, (1, 3)),
    ((6, 6), (5, 1), (1, 2), "same", 1, (2, 2)),
    ((8, 8), (3, 3), 1, ((-1, 2), (0, -2)), 1, (2, 1)),
    ((4, 4), (4, 4), 1, "valid", 1, (3, 4)),
    ((5, 4), (2, 1), 1, ((1, 0), (3, 2)), 1, (2, 2)),
    ((6, 5), (1, 2), 1, ((0, 0), (1, 0)), 1, (1, 2)),
]


def setting(case, n=3, dtype=jnp.float64):
    """The geometry, images, kernel and cotangents of a case, all normal."""
    in_shape, kernel_shape, stride, padding, dilation, (channels, out) = case
    where = geometry(in_shape, kernel_shape, stride, padding, dilation)
    keys = jax.random.split(jax.random.key(sum(in_shape) + channels), 3)
    shapes = (n, *in_shape, channels), (*kernel_shape, channels, out), (n, *where.out_shape, out)
    return where, *(jax.random.normal(k, s, dtype) for k, s in zip(keys, shapes, strict=True))


def by_definition(x, kernel, g, where: Geometry):
    """The form's three gradients, place by place as the module's docstring has it, in NumPy."""
    x, kernel, g = (np.asarray(a, np.float64) for a in (x, kernel, g))
    y, image, weights = np.zeros_like(g), np.zeros_like(x), np.zeros_like(kernel)
    for i, j in np.ndindex(*where.out_shape):
        for a, b in np.ndindex(*where.kernel_shape):
            row, column = (
                s * place + d * offset - low
                for s, place, d, offset, (low, _) in zip(
                    where.stride, (i, j), where.dilation, (a, b), where.padding, strict=True
                )
            )
            if 0 <= row < where.in_shape[0] and 0 <= column < where.in_shape[1]:
                y[:, i, j] += x[:, row, column] @ kernel[a, b]
                image[:, row, column] += g[:, i, j] @ kernel[a, b].T
                weights[a, b] += x[:, row, column].T @ g[:, i, j]
    return y, image, weights


def by_primitives(x, kernel, g, where):
    """The same by the public functions under `jit`: matrices on this platform in float64, and in
    lower precision, where there is one, XLA's convolution in its fast form, but for small images.
    """

    def gradients(x, kernel, g):
        conv = jax.vmap(lambda x, kernel: convolve(x, kernel, where), (0, None))
        transposed = jax.vmap(lambda g: transposed_convolve(g, kernel, where))
        return conv(x, kernel), transposed(g), jax.vjp(lambda w: conv(x, w), kernel)[1](g)[0]

    return jax.jit(gradients)(x, kernel, g)


@functools.cache
def answers(case):
    """Those of the primitives, computed once for two tests."""
    where, x, kernel, g = setting(case)
    return by_primitives(x, kernel, g, where)


def by_xla(x, kernel, g, where):
    """The same by what other platforms run."""
    return (
        primitives._by_xla(x, kernel, where),
        primitives._transposed_by_xla(g, kernel, where),
        primitives._kernel_gradient_by_xla(x, g, where),
    )


def same(ours, expected, rtol=1e-11, atol=1e-12):
    """Leaf by leaf, to the rounding of sums of a few hundred products of normal numbers."""
    compare = lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)
    jax.tree.map(compare, tuple(ours), tuple(expected))


RARER = (4, 9, 11)
EACH = [
    pytest.param(case, marks=[pytest.mark.slow] if index in RARER else [])
    for index, case in enumerate(CASES)
]


@pytest.mark.parametrize("case", EACH, ids=str)
def test_the_three_maps_are_those_of_the_definition(case):
    """Convolution, transposed convolution and kernel's gradient against sums over places."""
    where, x, kernel, g = setting(case)
    expected = by_definition(x, kernel, g, where)
    same(answers(case), expected)
    same(by_xla(x, kernel, g, where), expected)


@pytest.mark.parametrize("form", [matrix.by_rows, matrix.by_columns], ids=lambda f: f.__name__)
@pytest.mark.parametrize("case", EACH, ids=str)
def test_kernels_gradients_by_rows_and_by_columns(case, form):
    """Each of the two forms, whatever the number of channels, against sums over places."""
    where, x, kernel, g = setting(case)
    gradient = jax.jit(form, static_argnums=2)(x, g, where)
    same((gradient,), by_definition(x, kernel, g, where)[2:])


@pytest.mark.parametrize("case", EACH, ids=str)
def test_each_map_is_the_transpose_of_the_others(case):
    """<x * w, g> = <x, g *' w> = <w, gradient(x, g)>: one number, computed in three ways."""
    _, x, kernel, g = setting(case)
    y, image, weights = answers(case)
    numbers = [jnp.vdot(y, g), jnp.vdot(x, image), jnp.vdot(kernel, weights)]
    np.testing.assert_allclose(numbers, numbers[0], rtol=1e-10, atol=1e-10)


def by_lax(x, kernel, where):
    """XLA's convolution of one image."""
    return primitives._by_xla(x[None], kernel, where)[0]


def derivatives(conv, where, x, kernel, tangents):
    """Value, gradient, forward derivative, Hessian-vector product and a penalty's gradient."""
    weights = jnp.cos(jnp.arange(np.prod(where.out_shape) * kernel.shape[-1], dtype=x.dtype))

    def loss(x, kernel):
        return jnp.sum(jnp.sin(conv(x, kernel, where)) * weights.reshape(*where.out_shape, -1))

    def all_of_them(x, kernel, *tangents):
        gradient, hessian = jax.jvp(jax.grad(loss, (0, 1)), (x, kernel), tangents)
        penalty = lambda kernel: jnp.sum(jax.grad(loss)(x, kernel) ** 2)
        forward = jax.jvp(loss, (x, kernel), tangents)
        return *forward, *gradient, *hessian, jax.grad(penalty)(kernel)

    return jax.jit(all_of_them)(x, kernel, *tangents)


def check_derivatives(case):
    where, x, kernel, _ = setting(case, 2)
    tangents = x[1], jnp.flip(kernel, 0)
    ours = derivatives(convolve, where, x[0], kernel, tangents)
    same(ours, derivatives(by_lax, where, x[0], kernel, tangents), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("case", [CASES[2], CASES[5], CASES[7]], ids=str)
def test_derivatives_of_every_order_are_those_of_xlas_convolution(case):
    """First and second, forwards and backwards; sums of up to a thousand products: 1e-9."""
    check_derivatives(case)


PRODUCT = [1, 2, (3, 1)], ["same", ((1, 2), (0, 1))], [1, (1, 2)]
"""Strides, paddings and dilations."""


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (4, 4), (2, 3)], ids=str)
def test_every_combination_of_kernel_stride_padding_and_dilation(kernel):
    """Values and derivatives as above."""
    for stride, padding, dilation in itertools.product(*PRODUCT):
        case = ((9, 8), kernel, stride, padding, dilation, (2, 1))
        where, x, weights, g = setting(case)
        same(by_primitives(x, weights, g, where), by_definition(x, weights, g, where))
        check_derivatives(case)


# Mapped over -----------------------------------------------------------------------------------

WHERE, X, KERNEL, G = setting(CASES[2], 4)
KERNELS = jnp.stack([KERNEL, -2 * KERNEL, jnp.flip(KERNEL, 1)])
MANY = jnp.stack([X, X + 1, 3 * X])


def loss(x, kernel):
    """Not linear, so that both gradients depend on both arguments."""
    return jnp.sum(jnp.sin(convolve(x, kernel, WHERE)))


def gradients(x, kernel):
    """All three primitives: the value's, and both gradients'."""
    return convolve(x, kernel, WHERE), *jax.grad(loss, (0, 1))(x, kernel)


def stacked(answers):
    """What `vmap` gives, from a list."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *answers)


@pytest.mark.parametrize("piece", [matrix.PIECE, 0], ids=["small", "large"])
def test_mapped_over_images_kernels_or_both_it_is_the_loop(piece, monkeypatch):
    """Samples, kernels, each pair, and every image with every kernel of a stack of seeds.

    The axis may be the last one of the images, and the third of the kernels. Of small images all
    kernels are taken at once, of large ones one after another.
    """
    monkeypatch.setattr(matrix, "PIECE", piece)
    one = jax.jit(gradients)
    over = lambda *axes: jax.jit(jax.vmap(gradients, axes))
    same(over(0, None)(X, KERNEL), stacked([one(x, KERNEL) for x in X]))
    same(over(None, 0)(X[0], KERNELS), stacked([one(X[0], w) for w in KERNELS]))
    pairs = stacked([one(*pair) for pair in zip(X[:3], KERNELS, strict=True)])
    moved = jnp.moveaxis(X[:3], 0, -1), jnp.moveaxis(KERNELS, 0, 2)
    same(over(-1, 2)(*moved), pairs)
    seeds = jax.jit(jax.vmap(jax.vmap(gradients, (0, None)), (0, 0)))
    rows = [stacked([one(x, w) for x in xs]) for xs, w in zip(MANY, KERNELS, strict=True)]
    same(seeds(MANY, KERNELS), stacked(rows))


def test_inside_a_scan_it_is_what_it_is_outside():
    """A few steps of descent on a kernel, gradient within the scan and through it."""

    def run(kernel, scan):
        step = lambda w, x: (w - 0.01 * jax.grad(loss, 1)(x, w), loss(x, w))
        if scan:
            return jnp.sum(lax.scan(step, kernel, X)[1])
        losses = []
        for x in X:
            kernel, value = step(kernel, x)
            losses.append(value)
        return jnp.sum(jnp.stack(losses))

    through = lambda scan: jax.jit(jax.value_and_grad(lambda w: run(w, scan)))(KERNEL)
    same(through(True), through(False))


# Pieces and precision ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "n", "images_at_a_time"), [(CASES[1], 7, 3), (CASES[7], 12, 4)], ids=str
)
def test_batches_may_be_done_in_pieces(case, n, images_at_a_time, monkeypatch):
    """Twelve images divide by what fits, seven leave a remainder: as in one go, both times."""
    where, x, kernel, g = setting(case, n)

    def maps():
        functions = lambda x, kernel, g: (
            matrix.convolution(x, kernel, where),
            matrix.transposed_convolution(g, kernel, where),
            matrix.kernel_gradient(x, g, where),
        )
        return jax.jit(functions)(x, kernel, g)

    whole = maps()
    window = int(np.prod(kernel.shape[:3]))
    bytes_of_one = int(np.prod(where.out_shape)) * window * x.dtype.itemsize
    monkeypatch.setattr(matrix, "PIECE", images_at_a_time * bytes_of_one)
    like = jax.ShapeDtypeStruct((window, 1), x.dtype)
    assert matrix._piece(n, where, like) == images_at_a_time
    same(maps(), whole)


@pytest.fixture
def none_is_small(monkeypatch):
    """Images so small as those of the cases are done as larger ones are."""
    monkeypatch.setattr(matrix, "PIECE", 0)


def check_rounding(case, dtype):
    where, x, kernel, g = setting(case, dtype=dtype)
    ours = by_primitives(x, kernel, g, where)
    assert all(leaf.dtype == dtype for leaf in ours)
    expected = by_definition(x, kernel, g, where)
    ours = [np.asarray(leaf.astype(jnp.float64)) for leaf in ours]
    rounding = max(float(jnp.finfo(dtype).eps), 1e-5)
    same(ours, expected, rtol=rounding, atol=2e-5)


HALF = [(CASES[2], jnp.bfloat16), (CASES[7], jnp.bfloat16)]


@pytest.mark.parametrize(
    ("case", "dtype"), [*((case, jnp.float32) for case in CASES), *HALF], ids=str
)
@pytest.mark.usefixtures("none_is_small")
def test_lower_precision_is_rounded_once(case, dtype):
    """Products summed in float32 and rounded at the end: within one unit of the last place.

    A result near 0 has the rounding of its summands, some 100 float32 products of size 1.
    """
    check_rounding(case, dtype)


@pytest.mark.parametrize(("case", "dtype"), [(CASES[5], jnp.float32), *HALF], ids=str)
def test_small_images_of_lower_precision_are_rounded_once(case, dtype):
    """As above, by the form that these take."""
    check_rounding(case, dtype)


def check_long_sums():
    where = geometry((24, 24), (5, 5), padding=2)
    ones = lambda *shape: jnp.ones(shape, jnp.bfloat16)
    images = ones(1, 24, 24, 16)
    y, image, weights = by_primitives(images, ones(5, 5, 16, 16), images, where)
    for leaf, count in ((y[0, 12, 12], 25 * 16), (image[0, 12, 12], 25 * 16), (weights[2, 2], 576)):
        np.testing.assert_array_equal(leaf.astype(jnp.float32), count)


@pytest.mark.usefixtures("none_is_small")
def test_long_sums_of_half_precision_do_not_stall():
    """Sums of ones. In bfloat16 they would stop growing at 256, in each of the three maps."""
    check_long_sums()


def test_long_sums_over_small_images_do_not_stall():
    """As above, by the form that these take."""
    check_long_sums()


# Lowering and errors ------------------------------------------------------------------------------


@pytest.mark.usefixtures("none_is_small")
def test_each_platform_gets_its_own_form():
    """Lowered for a GPU it is XLA's convolution; for a CPU there is none in float64, and in float32
    those that there are have the form that is fast there."""

    def lowered(platform, dtype=jnp.float64):
        export = jax.export.export(jax.jit(gradients), platforms=[platform])
        return export(X[0].astype(dtype), KERNEL.astype(dtype)).mlir_module()

    assert "stablehlo.convolution" in lowered("cuda")
    assert "stablehlo.convolution" not in lowered("cpu")
    assert "stablehlo.dot_general" in lowered("cpu")
    single = lowered("cpu", jnp.float32)
    canonical = single.count("[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]")
    assert canonical == single.count("stablehlo.convolution(") > 0
    assert "lhs_dilate = [2" not in single


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((4, 4), (3, 3), 0), "stride of at least 1"),
        (((4, 4), (3, 3), 1, "same", (1, 0)), "dilation of at least 1"),
        (((4, 4), (0, 3)), "kernel size of at least 1"),
        (((4, 4), (5, 5), 1, "valid"), "does not fit into an image.*pad more"),
    ],
)
def test_a_geometry_that_cannot_be_is_an_error(arguments, message):
    """Which says what is wrong, and what to do where it is not plain."""
    with pytest.raises(ValueError, match=message):
        geometry(*arguments)


def test_images_that_do_not_fit_are_errors():
    """By shape, in both directions, and by type."""
    where = geometry((4, 4), (2, 2), 2)
    kernel = jnp.ones((2, 2, 1, 1))
    with pytest.raises(ValueError, match=r"in_shape is \(4, 4\)"):
        convolve(jnp.ones((5, 4, 1)), kernel, where)
    with pytest.raises(ValueError, match=r"out_shape is \(2, 2\)"):
        transposed_convolve(jnp.ones((4, 4, 1)), kernel, where)
    with pytest.raises(ValueError, match="cast one"):
        convolve(jnp.ones((4, 4, 1), jnp.float32), kernel, where)
