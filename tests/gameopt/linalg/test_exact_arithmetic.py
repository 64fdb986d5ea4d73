"""Results that count as exact are exact, beside rational numbers; where digits fit, all count."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gameopt._linalg.perturbed_arithmetic import draws, perturbed


def is_exact(function, *arguments):
    """True where no draw changes a result; see `gameopt._equilibria.measured`."""
    one = lambda draw: perturbed(function, draw, *arguments, only_rounded=True)
    found = jax.lax.map(one, jax.tree.map(lambda leaf: leaf[::2], draws(4, 4096.0)))
    return np.all(np.asarray(found) == np.asarray(function(*arguments)), axis=0)


def in_fractions(function):
    """The same on arrays of rational numbers, entry by entry."""
    return lambda *arrays: function(
        *(np.vectorize(lambda v: Fraction(float(v)), otypes=[object])(a) for a in arrays)
    )


OPERATIONS = {
    "sum of two": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "product": lambda a, b: a * b,
    "quotient": lambda a, b: a / b,
    "square": lambda a, b: a**2 - b,
    "cube": lambda a, b: a**3 * b,
    "derivative of a square": lambda a, b: 2 * (a + b) - 2 * b,
    "product with a sum": lambda a, b: (a + b) * (a - b),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, jnp.bfloat16])
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_counts_as_exact_is(name, dtype):
    """512 pairs of numbers of 1 to 20 digits and exponents of either sign, integers among them."""
    rng, function = np.random.default_rng(3), OPERATIONS[name]
    digits = 2 ** rng.integers(1, 21, (2, 512))
    numbers = (rng.integers(1, digits) * 2.0 ** rng.integers(-6, 3, (2, 512))).astype(dtype)
    a, b = numbers * rng.choice((-1, 1), (2, 512)).astype(dtype)
    counted = is_exact(function, jnp.asarray(a), jnp.asarray(b))
    found = np.asarray(function(jnp.asarray(a), jnp.asarray(b)))
    right = in_fractions(lambda v: v)(found) == in_fractions(function)(a, b)
    assert not (counted & ~right).any()
    small = np.zeros(512, bool) if name == "quotient" else np.maximum(*digits) <= 4
    assert counted[small & (dtype != jnp.bfloat16)].all()
    # Both kinds are among them, so that the test is not of one alone.
    assert 20 < counted.sum() < 512 or dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sums_and_products_of_matrices(dtype):
    """Results of integers are exact as long as the sum of moduli has its digits: beside Python's
    integers, at the edge. Factors of single precision have 8 digits at most."""
    most = np.finfo(dtype).nmant + 1
    rng = np.random.default_rng(4)
    for bits in range(2, most, 3):
        a = rng.integers(-(2**bits), 2**bits + 1, (3, 8))
        a[0, 0] = 1  # So that there is no common factor.
        b = rng.integers(-8, 9, (8, 2))
        b[0, 0] = 1
        left, right = jnp.asarray(a, dtype), jnp.asarray(b, dtype)
        whole = a.astype(object) @ b.astype(object)
        counted = is_exact(lambda a, b: a @ b, left, right)
        true = np.asarray(left @ right).astype(object) == whole
        assert not (counted & ~true).any()
        assert counted.all() or bits + 6 > most or (dtype == np.float32 and bits > 8)
        assert not (dtype == np.float32 and np.abs(a).max() > 512 and counted.any())
        total = is_exact(lambda a: jnp.sum(a), left)
        assert total or bits + 5 > most
    assert not is_exact(lambda a: jnp.sum(a), jnp.asarray([1.0, 2.0**-60], dtype))


def test_functions_at_their_zeros_and_conversions():
    """0 stays 0; other values of functions, and a conversion that loses digits, are rounded."""
    zero = jnp.zeros(())
    for function in (jnp.sin, jnp.tanh, jnp.expm1, lambda x: x * jnp.exp(x)):
        assert is_exact(function, zero)
    assert not is_exact(jnp.exp, jnp.asarray(0.5))
    halve = lambda x: x.astype(jnp.float32).astype(x.dtype)
    assert is_exact(halve, jnp.asarray(0.375))
    assert not is_exact(halve, jnp.asarray(0.1))
    turned = lambda x: jax.lax.fori_loop(0, 3, lambda _, c: c / 2, x)
    assert is_exact(turned, jnp.asarray(3.0))
    assert not is_exact(lambda x: turned(x) / 3, jnp.asarray(1.0))
