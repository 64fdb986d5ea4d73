"""The mutual information gap of codes that are factors, copies, mixtures or nothing of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

import theory

_rng = np.random.default_rng(0)
FACTORS = np.stack([_rng.integers(0, 4, 2000), _rng.integers(0, 3, 2000)], axis=1)
NOISE = _rng.normal(size=(2000, 2))


def test_a_unit_for_each_factor_has_the_gap_one():
    """Units that are the factors, and one that never changes: exactly (I - 0) / H = 1 of each.

    The other factor's unit has the information of 2000 independent draws, some 0.002 nats, which
    is all that is missing; over the full grid of values nothing is.
    """
    codes = np.concatenate([FACTORS * [1.0, -2.0], np.ones((2000, 1))], axis=1)
    assert 0.99 < theory.mutual_information_gap(codes, FACTORS).value <= 1
    grid = np.array([(i, j) for i in range(4) for j in range(3)])
    found = theory.mutual_information_gap(grid * [1.0, -2.0], grid)
    np.testing.assert_allclose(found.gaps, 1, rtol=1e-12)
    np.testing.assert_allclose(found.entropies, np.log([4, 3]), rtol=1e-12)
    np.testing.assert_allclose(found.information, np.diag(np.log([4, 3])), atol=1e-12)


def test_copies_and_mixtures_have_no_gap():
    """Two units of the same: 0 to rounding. Rotated by 45 degrees: far below 1."""
    codes = np.concatenate([FACTORS, FACTORS], axis=1).astype(float)
    np.testing.assert_allclose(theory.mutual_information_gap(codes, FACTORS).gaps, 0, atol=1e-12)
    mixed = FACTORS @ np.array([[1.0, 1.0], [1.0, -1.0]]) + 0.01 * NOISE
    assert theory.mutual_information_gap(mixed, FACTORS).value < 0.3


def test_codes_of_nothing_are_within_the_null():
    """Independent codes: within 5 deviations of 40 permuted draws, which are about 0.002.

    A draw of the same law is outside of 5 of its estimated deviations once in 1e5 or so. Codes
    that are factors are far outside.
    """
    null = theory.mutual_information_gap_null(jax.random.key(0), NOISE, FACTORS, draws=40)
    value = theory.mutual_information_gap(NOISE, FACTORS).value
    assert abs(value - null.mean()) < 5 * null.std()
    assert null.max() < 0.01
    assert null.shape == (40,)
    assert theory.mutual_information_gap(FACTORS + 0.1 * NOISE, FACTORS).value > 100 * null.max()


def test_information_is_that_of_the_histogram():
    """scikit-learn's mutual information of the same bins, factor by factor; jit gives the same."""
    found = theory.mutual_information_gap(NOISE + FACTORS, FACTORS, bins=7)
    for unit in range(2):
        values = (NOISE + FACTORS)[:, unit]
        edges = np.linspace(values.min(), values.max(), 8)[1:-1]
        for factor in range(2):
            exact = sklearn.metrics.mutual_info_score(
                np.searchsorted(edges, values, side="right"), FACTORS[:, factor]
            )
            np.testing.assert_allclose(found.information[unit, factor], exact, rtol=1e-9)
    again = jax.jit(lambda c, f: theory.mutual_information_gap(c, f, bins=7, values=4))
    np.testing.assert_allclose(again(NOISE + FACTORS, FACTORS).value, found.value, rtol=1e-12)
    known = jax.jit(lambda c: theory.mutual_information_gap(c, FACTORS, bins=7))
    np.testing.assert_allclose(known(NOISE + FACTORS).value, found.value, rtol=1e-12)


def test_units_do_not_change_the_gap():
    """Each unit in a unit of its own, moved and mirrored."""
    codes = NOISE + FACTORS
    plain = theory.mutual_information_gap(codes, FACTORS).value
    moved = theory.mutual_information_gap(codes * [2.0**40, -(2.0**-30)], FACTORS).value
    np.testing.assert_allclose(moved, plain, rtol=1e-2)  # edges of bins are closed on one side


def test_nan_is_not_a_code():
    """One NaN: the gap, and that unit's information."""
    codes = np.array(NOISE)
    codes[3, 1] = np.nan
    found = theory.mutual_information_gap(codes, FACTORS)
    assert np.isnan(found.value)
    assert np.isnan(found.information[1]).all()
    assert np.isfinite(found.information[0]).all()


def test_correlations_of_units():
    """NumPy's; a constant unit has none."""
    codes = np.concatenate([NOISE @ [[1.0, 0.5], [0.0, 1.0]], np.ones((2000, 1))], axis=1)
    found = theory.correlation_of_units(codes)
    np.testing.assert_allclose(found[:2, :2], np.corrcoef(codes[:, :2].T), rtol=1e-10)
    np.testing.assert_array_equal(found[2], [0, 0, 1])


def test_total_correlation_is_a_divergence():
    """`kl_gaussian` from the product of the marginals; in two dimensions -log(1 - r^2) / 2."""
    covariance = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, -0.3], [0.1, -0.3, 0.5]])
    zero = np.zeros(3)
    exact = theory.kl_gaussian(zero, covariance, zero, np.diag(np.diagonal(covariance)))
    np.testing.assert_allclose(theory.gaussian_total_correlation(covariance), exact, rtol=1e-12)
    plane = theory.gaussian_total_correlation([[1.0, 0.8], [0.8, 1.0]])
    np.testing.assert_allclose(plane, -0.5 * np.log(1 - 0.64), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.mutual_information_gap(NOISE[:, :1], FACTORS), "at least two units"),
        (lambda: theory.mutual_information_gap(NOISE, NOISE), "factors must be whole numbers"),
        (lambda: theory.mutual_information_gap(NOISE, FACTORS[1:]), r"of shape \(2000, f\)"),
        (lambda: theory.mutual_information_gap(NOISE, FACTORS - 1), "must be from 0 to 2, got -1"),
        (lambda: theory.mutual_information_gap(NOISE, FACTORS, values=2), "must be from 0 to 1"),
        (
            lambda: jax.jit(lambda f: theory.mutual_information_gap(jnp.asarray(NOISE), f).value)(
                FACTORS
            ),
            "values must be given where factors are traced",
        ),
    ],
)
def test_bad_input_is_refused(call, says):
    """One clear line."""
    with pytest.raises(ValueError, match=says):
        call()
