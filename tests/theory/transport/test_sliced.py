"""Means over directions against moments of a direction and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import theory


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_slices_of_a_shift(d, p):
    """|delta| (E|u_1|^p)^(1/p), the moment by scipy's quad; 5 standard errors (6e-7) of slices."""
    x = jax.random.normal(jax.random.key(0), (20, d))
    shift = jnp.linspace(1.0, 2.0, d)
    along = theory.slice_directions(jax.random.key(1), 2000, d)
    np.testing.assert_allclose(jnp.linalg.norm(along, axis=1), 1, rtol=1e-12)
    sliced = theory.sliced_wasserstein(x, x + shift[None, :], along, p=p)
    length = float(jnp.linalg.norm(shift))
    exact = length * theory.sliced_shift_factor(d, p)
    if d > 1:
        density = lambda t: np.sin(t) ** (d - 2)
        moment = scipy.integrate.quad(lambda t: abs(np.cos(t)) ** p * density(t), 0, np.pi)[0]
        moment /= scipy.integrate.quad(density, 0, np.pi)[0]
        np.testing.assert_allclose(exact, length * moment ** (1 / p), rtol=1e-7)
    assert abs(sliced.value - exact) <= 5 * sliced.standard_error + 1e-9
    assert sliced.standard_error < 0.05 * exact


def test_slices_of_equal_and_of_isotropic_laws():
    """0 for equal clouds; isotropic Gaussians, 600 points and 50 slices: to 10 per cent."""
    key_x, key_y, key = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(key_x, (600, 3))
    along = theory.slice_directions(key, 50, 3)
    assert theory.sliced_wasserstein(x, x, along).value == 0
    y = 2.0 * jax.random.normal(key_y, (500, 3)) + jnp.array([[1.0, 0.0, -1.0]])
    exact = theory.sliced_wasserstein2_isotropic(
        jnp.zeros(3), jnp.asarray(1.0), jnp.array([1.0, 0.0, -1.0]), jnp.asarray(2.0)
    )
    np.testing.assert_allclose(exact, np.sqrt(2 / 3 + 1), rtol=1e-12)
    np.testing.assert_allclose(theory.sliced_wasserstein(x, y, along).value, exact, rtol=0.1)
    gradient = jax.grad(lambda v: theory.sliced_wasserstein(v, y[:5], along[:4]).value)(x[:5])
    assert bool(jnp.all(jnp.isfinite(gradient)))
    assert jnp.isnan(theory.sliced_wasserstein(x[:5], y[:5], along[:1]).standard_error)
