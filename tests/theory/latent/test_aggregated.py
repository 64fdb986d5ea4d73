"""The aggregated posterior: a mixture of codes, whose information and gap add up to the rate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

_rng = np.random.default_rng(0)
MEANS, LOGS = 1.5 * _rng.normal(size=(400, 2)), 0.3 * _rng.normal(size=(400, 2)) - 1


def test_the_density_is_that_of_the_mixture():
    """`GaussianMixture` of the codes with equal weights; blocks of pairs or all at once."""
    covariances = np.exp(2 * LOGS)[:, :, None] * np.eye(2)
    mixture = theory.gaussian_mixture(MEANS, covariances=covariances)
    z = _rng.normal(size=(30, 2))
    found = jax.jit(theory.aggregated_log_prob)(z, MEANS, LOGS)
    np.testing.assert_allclose(found, jax.vmap(mixture.log_prob)(jnp.asarray(z)), rtol=1e-11)


def test_information_and_gap_add_up_to_the_rate():
    """Within 5 standard errors of their sum, whose errors are those of log q(z|x) - log p(z)."""
    noise = _rng.normal(size=MEANS.shape)
    found = theory.elbo_surgery(MEANS, LOGS, noise)
    z = MEANS + np.exp(LOGS) * noise
    error = np.std(np.sum(z**2 - noise**2, axis=1) / 2 - LOGS.sum(axis=1)) / np.sqrt(400)
    total = found.mutual_information.value + found.aggregated_gap.value
    assert abs(total - found.rate) < 5 * error
    assert error < 0.1 * found.rate
    exact = 0.5 * (MEANS**2 + np.exp(2 * LOGS) - 1) - LOGS
    np.testing.assert_allclose(found.rate, exact.sum(axis=1).mean(), rtol=1e-10)


def test_codes_that_are_one_say_nothing_and_codes_apart_say_all():
    """Equal codes: no information, sample by sample. Far from each other: log n, to rounding."""
    noise = _rng.normal(size=(50, 2))
    same = theory.elbo_surgery(np.ones((50, 2)), np.zeros((50, 2)), noise)
    np.testing.assert_allclose(same.mutual_information.value, 0, atol=1e-12)
    np.testing.assert_allclose(same.rate, 1.0, rtol=1e-12)
    apart = np.stack([100.0 * np.arange(50), np.zeros(50)], axis=1)
    found = theory.elbo_surgery(apart, np.zeros((50, 2)), noise)
    np.testing.assert_allclose(found.mutual_information.value, np.log(50), rtol=1e-12)


def test_the_gap_of_a_known_mixture():
    """Codes drawn from N(0, 1 - s^2) with deviation s aggregate to the prior: a gap near 0.

    400 codes in the plane: at most 0.1 nats of the gap are left (its order is 1 / (n s^2)).
    """
    means = np.sqrt(1 - 0.36) * _rng.normal(size=(400, 2))
    found = theory.elbo_surgery(means, np.full((400, 2), np.log(0.6)), _rng.normal(size=(400, 2)))
    assert abs(found.aggregated_gap.value) < 0.1
    np.testing.assert_allclose(found.mutual_information.value, -2 * np.log(0.6), atol=0.15)


def test_active_units_vary_with_the_data():
    """Variances over the points, and those above 0.01 by default."""
    means = np.stack([_rng.normal(size=100), np.ones(100), 0.05 * _rng.normal(size=100)], axis=1)
    np.testing.assert_allclose(theory.unit_activity(means), means.var(axis=0), rtol=1e-12)
    assert theory.count_active_units(means) == 1
    assert theory.count_active_units(means, 1e-4) == 2


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.elbo_surgery(MEANS, LOGS, MEANS[1:]), "must agree in shape"),
        (lambda: theory.aggregated_log_prob(MEANS[:, :1], MEANS, LOGS), "agree in the dimension"),
        (lambda: theory.unit_activity([1.0]), r"means must have the shape \(n, d\)"),
    ],
)
def test_bad_input_is_refused(call, says):
    """One clear line."""
    with pytest.raises(ValueError, match=says):
        call()
