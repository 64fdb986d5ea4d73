"""Perturbed arithmetic: of the size of rounding, larger where terms cancel or a kink is near."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gameopt._linalg.perturbed_arithmetic import draws, perturbed

EPS = float(jnp.finfo(jnp.float64).eps)


def drawn(function, *arguments, pairs=4, size=1.0):
    """Results of all draws."""
    one = jax.jit(lambda draw: perturbed(function, draw, *arguments))
    return jax.lax.map(one, draws(pairs, size))


def scanned(x):
    return jax.lax.scan(lambda c, a: (jnp.sin(c * a) + c, c), x, jnp.arange(1.0, 4.0))[0]


def scanned_first(x):
    """Shapes that occur in a loop before they occur outside of it."""
    add = lambda c, a: (c + jnp.sum(jnp.sin(a * jnp.linspace(0.0, 1.0, 700))), None)
    total = jax.lax.scan(add, x, jnp.arange(1.0, 4.0))[0]
    return total * jnp.mean(jnp.cos(jnp.linspace(0.0, 1.0, 700) * x))


def looped(x):
    return jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, jnp.cos(c[1])), (0, x))[1]


def branched(x):
    return jax.lax.cond(x > 0, jnp.sin, jnp.cos, x)


FUNCTIONS = {
    "product": lambda x: x * x * 3.0,
    "jit": jax.jit(lambda x: jnp.exp(x) - 1 / x),
    "scan": scanned,
    "a shape in a scan first": scanned_first,
    "while": looped,
    "cond": branched,
    "checkpoint": jax.checkpoint(lambda x: jnp.tanh(x) ** 2),
    "custom derivative": jax.nn.softplus,
    "eigenvalue": lambda x: jnp.linalg.eigh(jnp.diag(jnp.stack([x, 2 * x, 5 * x])))[0][0],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_and_derivatives_differ_by_a_few_units(name):
    """Functions that are well conditioned at 0.7, whatever they are made of."""
    x = jnp.asarray(0.7)
    for function in (FUNCTIONS[name], jax.jacfwd(FUNCTIONS[name])):
        exact, found = function(x), drawn(function, x)
        off = np.abs(np.asarray(found - exact))
        assert off.max() <= 200 * EPS * max(1.0, abs(float(exact)))
        assert off.max() > 0


def test_random_numbers_are_the_sample_that_they_are():
    """Uniform ones are within a few thousand units of their edge, beyond which normal ones are
    NaN; sums of them are sums as others are."""
    key = jax.random.key(0)
    draw = lambda x: x + jax.random.normal(key, (20_000,), jnp.float32)
    found = drawn(draw, jnp.zeros((), jnp.float32), pairs=1, size=4096.0)
    off = np.abs(np.asarray(found) - np.asarray(draw(jnp.zeros((), jnp.float32))))
    assert off.max() < 0.01
    total = lambda x: x * jnp.sum(jax.random.normal(key, (200,)))
    assert np.ptp(drawn(total, jnp.ones(()))) > 0


def test_draws_are_reproducible_and_a_draw_has_its_opposite():
    """To first order the two of a pair lie on either side."""
    function = lambda x: jnp.sum(jnp.sin(x) * x)
    x = jnp.linspace(0.3, 2.0, 50)
    first, again = drawn(function, x, size=1e6), drawn(function, x, size=1e6)
    np.testing.assert_array_equal(first, again)
    off = np.asarray(first - function(x)).reshape(-1, 2)
    np.testing.assert_allclose(off[:, 0], -off[:, 1], rtol=1e-3)
    assert np.unique(np.abs(off[:, 0])).size == 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_error_of_a_sum_that_cancels_is_covered(dtype):
    """A mean of squares less that of a permutation of them is 0, and is not computed so: the draws
    are as far off as the computed value is, which one of single rounding errors would not be."""
    rng = np.random.default_rng(0)
    for size in (64, 1024, 16384):
        real = (100 * rng.normal(size=size)).astype(dtype)
        fake = rng.permutation(real)
        function = lambda y, real=real, fake=fake: (
            jnp.mean((y * real) ** 2) - jnp.mean((y * fake) ** 2)
        )
        one = jnp.asarray(0.7, dtype)
        found = np.abs(np.asarray(drawn(function, one)))
        assert found.max() >= abs(float(function(one)))
        assert found.max() <= 100 * np.sqrt(size) * np.finfo(dtype).eps * 1e4


def test_exact_zeros_stay_and_structure_is_kept():
    """A product with 0 is 0; copies, choices and orders round nothing; a tree comes back."""
    x = jnp.arange(1.0, 5.0)
    function = lambda x: {
        "zero": x * 0.0,
        "order": jnp.sort(jnp.flip(x))[0],
        "whole": jnp.arange(3),
    }
    found = drawn(function, x)
    np.testing.assert_array_equal(found["zero"], 0)
    np.testing.assert_allclose(found["order"], 1.0, rtol=2 * EPS)
    np.testing.assert_array_equal(found["whole"][0], [0, 1, 2])


@pytest.mark.parametrize("at", [0.0, 1e-3])
def test_a_kink_is_seen_within_rounding_only(at):
    """The derivative of relu jumps by 1 between a draw at 0 and its opposite."""
    found = np.asarray(drawn(jax.grad(jax.nn.relu), jnp.asarray(at)))
    assert (np.ptp(found) > 0.9) == (at == 0)


def test_what_underflows_is_noise():
    """The cube of 1e-110 is flushed to 0, and known to be no more than the smallest numbers."""
    found = np.asarray(drawn(lambda x: x**3, jnp.asarray(1e-110)))
    assert 0 < np.abs(found).max() < 1e-300
