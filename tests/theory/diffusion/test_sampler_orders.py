"""Orders of convergence of samplers on Gaussian data, from their exact laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

VARIANCES = np.array([0.3, 1.0, 4.0])
VP = theory.VariancePreserving()

ORDERS = {
    "DDIM": (theory.ddim_map, theory.probability_flow_map, 1),
    "Heun": (theory.heun_map, theory.probability_flow_map, 2),
    "DPM-Solver": (theory.dpm_solver_map, theory.probability_flow_map, 2),
    "ancestral": (theory.ancestral_map, theory.reverse_sde_map, 1),
    "ancestral, large": (
        lambda grid, variances: theory.ancestral_map(grid, variances, "large"),
        theory.reverse_sde_map,
        1,
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_samplers_converge_at_their_order(name):
    """Errors in gain, offset and variance fall as n^-1 or n^-2: fitted slopes within 0.1.

    On even grids of the log signal-to-noise ratio, 64 to 256 steps, to a level with some noise, for
    data with less variance than noise and with more: equal ones make some errors vanish.
    """
    sampler, exact, order = *map(jax.jit, ORDERS[name][:2]), ORDERS[name][2]
    counts, variances = np.array([64, 128, 256]), np.array([0.3, 4.0])
    errors = []
    for count in counts:
        grid = VP.levels_in_log_snr(count, 5.0)
        pair = sampler(grid, variances), exact(grid, variances)
        errors.append(np.concatenate([np.abs(a - b) for a, b in zip(*pair, strict=True)]))
    errors = np.array(errors)
    errors = errors[:, errors[0] > 1e-9]
    assert errors.shape[1] >= 2
    slopes = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    np.testing.assert_allclose(slopes, -order, atol=0.1)


@pytest.mark.parametrize("interpolant", [VP, theory.StraightLines()])
def test_euler_methods_in_time_converge_at_order_one(interpolant):
    """The ODE's to the probability flow, the SDE's to the reverse SDE; slopes within 0.1."""
    counts = np.array([128, 256, 512])
    for method, exact in (
        (theory.euler_map, theory.probability_flow_map),
        (theory.euler_maruyama_map, theory.reverse_sde_map),
    ):
        errors = []
        compiled = jax.jit(
            lambda times, method=method, exact=exact: (
                method(interpolant, times, VARIANCES),
                exact(interpolant.level(times), VARIANCES),
            )
        )
        for count in counts:
            pair = compiled(jnp.linspace(0.9, 0.1, count + 1))
            errors.append(np.concatenate([np.abs(a - b) for a, b in zip(*pair, strict=True)]))
        errors = np.array(errors)
        errors = errors[:, errors[0] > 1e-6]
        slopes = np.polyfit(np.log(counts), np.log(errors), 1)[0]
        np.testing.assert_allclose(slopes, -1, atol=0.1)
