"""The form with half the multiplications: exact in double precision, and its rounding in single."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from models.convolution import canonical, matrix, winograd
from models.convolution.geometry import geometry
from models.convolution.trilinear import convolve
from tests.models.convolution.test_trilinear import (
    by_definition,
    by_lax,
    by_primitives,
    derivatives,
    same,
    setting,
)

CASES = [
    # in_shape, kernel, stride, padding, dilation, (in, out)
    ((8, 6), (3, 3), 1, "same", 1, (2, 3)),
    ((7, 9), (3, 3), 1, "valid", 1, (3, 2)),
    ((6, 5), (3, 2), 1, ((2, 0), (1, 3)), 1, (1, 2)),
    ((9, 4), (3, 1), 1, ((-1, 2), (0, 0)), 1, (2, 2)),
    ((8, 8), (3, 4), 1, ((-1, 2), (1, -2)), 1, (2, 1)),
    ((10, 8), (3, 3), 1, ((0, -3), (-2, 0)), 1, (2, 1)),
]
MANY = ((8, 6), (3, 3), 1, "same", 1, (winograd.CHANNELS, winograd.CHANNELS))
"""Layers of so many channels that the primitives take this form."""


def three_maps(x, kernel, g, where):
    """The convolution, its transpose, and the kernel's gradient, in this form."""

    def maps(x, kernel, g):
        image = winograd.convolution(g, *canonical.turned(kernel, where))
        gradient = winograd.kernel_gradient(x, g, where)
        return winograd.convolution(x, kernel, where), image, gradient

    return jax.jit(maps)(x, kernel, g)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_its_maps_are_those_of_the_definition(case):
    """In double precision, against sums over places: rows that are no multiple of four, kernels of
    every width, paddings that differ and that crop."""
    where, x, kernel, g = setting(case)
    same(three_maps(x, kernel, g, where), by_definition(x, kernel, g, where), 1e-10, 1e-11)


def test_batches_may_be_done_in_pieces(monkeypatch):
    """Seven images in pieces of two, with one left over, are those in one go."""
    where, x, kernel, g = setting(CASES[0], 7)
    whole = three_maps(x, kernel, g, where)
    tiles = winograd.POINTS * winograd._tiles(where) * winograd._pitch(where)
    monkeypatch.setattr(winograd, "ROWS_BYTES", 2 * tiles * (2 + 3) * 4)
    monkeypatch.setattr(winograd, "WINDOWS_BYTES", 2 * tiles * 3 * 3 * 4)
    same(three_maps(x, kernel, g, where), whole)


def relative_error(found, expected):
    """Root mean square of the error over that of the answer."""
    rms = lambda a: float(np.sqrt(np.mean(np.square(a))))
    return rms(np.asarray(found, np.float64) - expected) / rms(expected)


def test_its_rounding_in_single_precision():
    """Less than four times the error of plain sums, root mean square; 2.3 to 2.9 were measured.

    Its factors are up to ten times the image's and cancel in the end. The mean is over thousands of
    numbers: by chance the ratio varies by a few hundredths.
    """
    where, x, kernel, g = setting(MANY, 8, jnp.float32)
    expected = by_definition(x, kernel, g, where)
    plain = (
        canonical.convolution(x, kernel, where),
        canonical.transposed_convolution(g, kernel, where),
        matrix.kernel_gradient(x, g, where),
    )
    for found, summed, exact in zip(three_maps(x, kernel, g, where), plain, expected, strict=True):
        assert relative_error(found, exact) < 4 * relative_error(summed, exact)


@pytest.fixture
def none_is_small(monkeypatch):
    """Images so small as those of the cases are done as larger ones are."""
    monkeypatch.setattr(matrix, "PIECE", 0)


@pytest.mark.usefixtures("none_is_small")
def test_many_channels_take_this_form_and_few_do_not():
    """Six convolutions of one row for a convolution between many channels, one for few; six
    products and no convolution for the kernel's gradient."""

    def lowered(channels, rows=8):
        where = geometry((rows, 6), (3, 3))
        shapes = (rows, 6, channels), (3, 3, channels, channels)
        like = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
        convolution = lambda x, kernel: convolve(x, kernel, where)
        gradient = jax.grad(lambda w, x: jnp.sum(convolve(x, w, where)))
        texts = jax.jit(convolution).lower(*like), jax.jit(gradient).lower(*like[::-1])
        first, second = (text.as_text() for text in texts)
        return first.count("stablehlo.convolution("), second.count("stablehlo.dot_general")

    assert lowered(winograd.CHANNELS) == (6, 6)
    assert lowered(winograd.CHANNELS - 1)[0] == 1
    assert lowered(winograd.CHANNELS, rows=5)[0] == 1, "five rows are eight in tiles of four"


@pytest.mark.usefixtures("none_is_small")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=lambda d: d.__name__)
def test_the_primitives_maps_of_many_channels(dtype):
    """Against their definition: half precision is rounded once, single to the sums' rounding."""
    where, x, kernel, g = setting(MANY, dtype=dtype)
    ours = by_primitives(x, kernel, g, where)
    assert all(leaf.dtype == dtype for leaf in ours)
    for found, expected in zip(ours, by_definition(x, kernel, g, where), strict=True):
        scale = float(np.sqrt(np.mean(np.square(expected))))
        rounding = max(float(jnp.finfo(dtype).eps), 1e-5)
        found = np.asarray(found.astype(jnp.float64))
        np.testing.assert_allclose(found, expected, rtol=rounding, atol=1e-5 * scale)


@pytest.mark.usefixtures("none_is_small")
def test_derivatives_of_every_order_are_those_of_xlas_convolution():
    """First and second, forwards and backwards, in single precision: to 1e-4 of the largest."""
    where, x, kernel, _ = setting(MANY, 2, jnp.float32)
    kernel = kernel / 20
    tangents = x[1], jnp.flip(kernel, 0)
    ours = derivatives(convolve, where, x[0], kernel, tangents)
    theirs = derivatives(by_lax, where, x[0], kernel, tangents)
    for found, expected in zip(ours, theirs, strict=True):
        largest = float(jnp.max(jnp.abs(expected)))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * largest)


@pytest.mark.usefixtures("none_is_small")
def test_a_number_that_is_none_stays_one():
    """NaN and infinity, wherever the kernel sees them, are none in the answer."""
    where, x, kernel, _ = setting(MANY, 1, jnp.float32)
    for bad in (jnp.nan, jnp.inf):
        found = jax.vmap(lambda x: convolve(x, kernel, where))(x.at[0, 3, 2, 0].set(bad))
        assert not np.isfinite(found[0, 2:5, 1:4]).any()
        assert np.isfinite(found[0, :, 4:]).all()
