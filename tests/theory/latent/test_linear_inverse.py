"""Posteriors of linear-Gaussian inverse problems against the other forms that they have."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

RNG = np.random.default_rng(0)
MEAN = RNG.normal(size=5)
ROOT = RNG.normal(size=(5, 5))
COV = ROOT @ ROOT.T
OPERATOR = RNG.normal(size=(3, 5))
OBSERVATION = RNG.normal(size=3)
EXACT: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-10}


def test_it_is_the_information_form():
    """Precisions add: (C^-1 + A^T A / s^2)^-1 and its mean, for s > 0 and a regular C."""
    found = theory.gaussian_posterior(MEAN, COV, OPERATOR, 0.3, OBSERVATION)
    precision = np.linalg.inv(COV)
    cov = np.linalg.inv(precision + OPERATOR.T @ OPERATOR / 0.3)
    mean = cov @ (precision @ MEAN + OPERATOR.T @ OBSERVATION / 0.3)
    np.testing.assert_allclose(found.mean, mean, **EXACT)
    np.testing.assert_allclose(found.covariance, cov, **EXACT)


def test_rows_of_the_identity_without_noise_are_the_block_formulas():
    """m_u + C_uo C_oo^-1 (x_o - m_o) and the Schur complement; what is observed stays as it is."""
    seen, missing = np.array([0, 2, 3]), np.array([1, 4])
    found = theory.gaussian_posterior(MEAN, COV, np.eye(5)[seen], 0, OBSERVATION)
    gain = COV[np.ix_(missing, seen)] @ np.linalg.inv(COV[np.ix_(seen, seen)])
    schur = COV[np.ix_(missing, missing)] - gain @ COV[np.ix_(seen, missing)]
    np.testing.assert_allclose(found.mean[seen], OBSERVATION, **EXACT)
    np.testing.assert_allclose(
        found.mean[missing], MEAN[missing] + gain @ (OBSERVATION - MEAN[seen]), **EXACT
    )
    np.testing.assert_allclose(found.covariance[np.ix_(missing, missing)], schur, **EXACT)
    np.testing.assert_allclose(found.covariance[seen], 0, atol=1e-9)


def test_rows_of_the_identity_are_a_conditional():
    """Without noise, of any mask, in the form that takes a mask."""
    for mask in ([True, False, True, True, False], [False, True, False, False, False]):
        point = RNG.normal(size=5)
        found = theory.gaussian_posterior(MEAN, COV, np.eye(5)[mask], 0, point[mask])
        other = theory.gaussian_conditional(MEAN, COV, point, mask)
        np.testing.assert_allclose(found.mean, other.mean, **EXACT)
        np.testing.assert_allclose(found.covariance, other.covariance, rtol=1e-9, atol=1e-9)


def test_the_limits_of_the_noise():
    """Without any, A = I gives y itself; with endless noise the prior stays, to 1e-12."""
    point = RNG.normal(size=5)
    sure = theory.gaussian_posterior(MEAN, COV, np.eye(5), 0.0, point)
    np.testing.assert_allclose(sure.mean, point, **EXACT)
    np.testing.assert_allclose(sure.covariance, 0, atol=1e-9)
    lost = theory.gaussian_posterior(MEAN, COV, OPERATOR, 1e16, OBSERVATION)
    np.testing.assert_allclose(lost.mean, MEAN, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(lost.covariance, COV, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rank", [2, 5])
@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_the_tower_law(rank, noise):
    """C = Cov(E(x|y)) + E Cov(x|y), with Cov(y) = A C A^T + s^2 I and E(x|y) affine in y.

    And E E(x|y) = E x. For a singular C too, whose pseudo-inverse drops directions of y.
    """
    cov = ROOT[:, :rank] @ ROOT[:, :rank].T
    at = lambda y: theory.gaussian_posterior(MEAN, cov, OPERATOR, noise, y)
    gain = jax.jacfwd(lambda y: at(y).mean)(OBSERVATION)
    spread = gain @ (OPERATOR @ cov @ OPERATOR.T + noise * np.eye(3)) @ gain.T
    np.testing.assert_allclose(spread + at(OBSERVATION).covariance, cov, **EXACT)
    np.testing.assert_allclose(at(OPERATOR @ MEAN).mean, MEAN, **EXACT)


def test_a_singular_prior_is_its_own_coordinates():
    """x = m + B z with z ~ N(0, I): the posterior of z, mapped by B. C = B B^T has rank 2.

    With s = 0 and three numbers of two unknowns, y is in the range of A B and z is solved for.
    """
    basis = ROOT[:, :2]
    through = OPERATOR @ basis
    z = RNG.normal(size=2)
    solved = theory.gaussian_posterior(
        MEAN, basis @ basis.T, OPERATOR, 0.0, OPERATOR @ (MEAN + basis @ z)
    )
    np.testing.assert_allclose(solved.mean, MEAN + basis @ z, rtol=1e-7, atol=1e-7)
    noisy = theory.gaussian_posterior(MEAN, basis @ basis.T, OPERATOR, 0.4, OBSERVATION)
    cov = np.linalg.inv(np.eye(2) + through.T @ through / 0.4)
    mean = cov @ through.T @ (OBSERVATION - OPERATOR @ MEAN) / 0.4
    np.testing.assert_allclose(noisy.mean, MEAN + basis @ mean, **EXACT)
    np.testing.assert_allclose(noisy.covariance, basis @ cov @ basis.T, **EXACT)


@pytest.mark.parametrize("cov", [COV, np.eye(5)], ids=["distinct", "coinciding"])
def test_derivatives_are_those_of_the_formula(cov):
    """Against differences of 1e-6, also where all eigenvalues of S coincide (A of rows of I)."""
    operator = np.eye(5)[:3]
    function = lambda cov, noise: jnp.sum(
        theory.gaussian_posterior(MEAN, cov, operator, noise, OBSERVATION).mean ** 2
    )
    by_cov, by_noise = jax.grad(function, (0, 1))(jnp.asarray(cov), 0.2)
    step = RNG.normal(size=(5, 5))
    step = 1e-6 * (step + step.T)
    slope = (function(cov + step, 0.2) - function(cov - step, 0.2)) / 2
    np.testing.assert_allclose(jnp.vdot(by_cov, step), slope, rtol=1e-6)
    slope = (function(cov, 0.2 + 1e-6) - function(cov, 0.2 - 1e-6)) / 2e-6
    np.testing.assert_allclose(by_noise, slope, rtol=1e-6)


def test_a_batch_shares_its_covariance():
    """`vmap` over observations keeps one covariance, and each mean is that of its own."""
    many = RNG.normal(size=(4, 3))
    at = lambda y: tuple(theory.gaussian_posterior(MEAN, COV, OPERATOR, 0.1, y))
    means, covariance = jax.jit(jax.vmap(at, out_axes=(0, None)))(many)
    for observation, mean in zip(many, means, strict=True):
        alone = theory.gaussian_posterior(MEAN, COV, OPERATOR, 0.1, observation)
        np.testing.assert_allclose(mean, alone.mean, **EXACT)
        np.testing.assert_allclose(covariance, alone.covariance, **EXACT)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"noise_variance": -1.0}, "noise_variance must not be negative"),
        ({"noise_variance": np.ones(3)}, "noise_variance must be a single number"),
        ({"operator": OPERATOR[:, :4]}, r"operator must have the shape \(k, 5\)"),
        ({"operator": OPERATOR[:0]}, "k at least 1"),
        ({"observation": np.ones(2)}, r"observation must have the shape \(3,\)"),
        ({"cov": COV[:4]}, "the prior must have a mean of shape"),
    ],
)
def test_wrong_shapes_are_refused(change, says):
    """In one line that names the argument."""
    given = {
        "mean": MEAN, "cov": COV, "operator": OPERATOR, "noise_variance": 0.1,
        "observation": OBSERVATION,
    }  # fmt: skip
    with pytest.raises(ValueError, match=says):
        theory.gaussian_posterior(**given | change)


def test_noise_leaves_no_direction_out():
    """float32, a covariance of very different scales: each entry is its own Wiener filter."""
    cov, noise = np.asarray([1.0, 1e-4, 1e-8]), 1e-8
    seen = np.sqrt(cov)
    arrays = (np.diag(cov), np.eye(3), noise, seen)
    found = theory.gaussian_posterior(
        np.zeros(3, np.float32), *(np.asarray(a, np.float32) for a in arrays)
    )
    np.testing.assert_allclose(found.mean, cov / (cov + noise) * seen, rtol=1e-3)
