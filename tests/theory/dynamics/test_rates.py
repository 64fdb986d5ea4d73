"""Rates in closed form where rounding could decide: singular and imaginary spectra."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory


def turned(matrix, seed=0):
    """The same spectrum in rotated coordinates, where rounding has made it inexact."""
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(matrix),) * 2))[0]
    return rotation @ np.asarray(matrix, float) @ rotation.T


ROTATION = [[0.0, 1.0], [-1.0, 0.0]]
SPECTRA = {
    "singular, of equal entries": ([[2, 2], [2, 2]], 0.0),
    "singular, turned": (turned(np.diag([1.0, 3.0, 0.0])), 0.0),
    "a rotation, turned, beside a contraction": (
        turned(np.block([[np.array(ROTATION), np.zeros((2, 2))], [np.zeros((2, 2)), np.eye(2)]])),
        0.0,
    ),
    "zero": (np.zeros((2, 2)), 0.0),
    "a Jordan block": ([[1, 1], [0, 1]], 2.0),
    "a damped rotation": ([[1, 1], [-1, 1]], 1.0),
    "curvatures 1 and 4": (turned(np.diag([1.0, 4.0])), 0.5),
    "a repelling direction": ([[1, 0], [0, -2]], -1.0),
    "singular and repelling": (turned(np.diag([0.0, -2.0, 1.0])), -1.0),
}


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [2.0**-60, 1.0, 2.0**60])
def test_the_largest_stable_step_is_not_a_rounding_error(name, dtype, unit):
    """min 2 Re / |.|^2, which is exactly 0 where an eigenvalue is 0 or imaginary, at all scales."""
    matrix, step = SPECTRA[name]
    found = theory.max_stable_step(unit * np.asarray(matrix, dtype))
    if step == 0:
        assert found == 0
    else:
        np.testing.assert_allclose(found, step / unit, rtol=1e-5)


def test_it_can_be_jitted_and_mapped():
    """Over a batch of Jacobians."""
    batch = jnp.asarray([np.eye(2), 4 * np.eye(2), np.array([[2.0, 2], [2, 2]])])
    steps = jax.jit(jax.vmap(theory.max_stable_step))(batch)
    np.testing.assert_allclose(steps, [2, 0.5, 0])
