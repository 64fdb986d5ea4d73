"""Transitions and posteriors of the forward chain against Bayes' rule and the papers' forms."""

from typing import Any

import numpy as np
import pytest

import theory

BETAS = np.linspace(1e-4, 0.02, 1000)
CHAIN = theory.levels_of_betas(BETAS)
EXACT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-12}


def at(*times):
    """Levels of the chain at some times."""
    return [theory.NoiseLevel(CHAIN.alpha[time], CHAIN.sigma[time]) for time in times]


CLEANER = theory.NoiseLevel(CHAIN.alpha[:-1], CHAIN.sigma[:-1])
NOISIER = theory.NoiseLevel(CHAIN.alpha[1:], CHAIN.sigma[1:])


def test_a_chain_is_made_of_its_transitions():
    """Between neighbours: sqrt(1 - beta) and beta; over more steps they compose."""
    steps = theory.transition(CLEANER, NOISIER)
    np.testing.assert_allclose(steps.factor, np.sqrt(1 - BETAS), **EXACT)
    np.testing.assert_allclose(steps.variance, BETAS, rtol=1e-9)
    first, middle, last = at(100, 300, 700)
    one, two = theory.transition(first, middle), theory.transition(middle, last)
    whole = theory.transition(first, last)
    np.testing.assert_allclose(whole.factor, one.factor * two.factor, **EXACT)
    np.testing.assert_allclose(whole.variance, two.factor**2 * one.variance + two.variance, **EXACT)


def test_the_posterior_is_hos():
    """mu-tilde = sqrt(abar') beta / (1 - abar) x_0 + sqrt(a) (1 - abar') / (1 - abar) x_t."""
    kept = np.concatenate([[1], np.cumprod(1 - BETAS)])
    before, after = kept[:-1], kept[1:]
    found = theory.reverse_step(CLEANER, NOISIER)
    of_data = np.sqrt(before) * BETAS / (1 - after)
    of_noisier = np.sqrt(1 - BETAS) * (1 - before) / (1 - after)
    np.testing.assert_allclose(found.of_data, of_data, rtol=1e-8)
    np.testing.assert_allclose(found.of_noisier, of_noisier, rtol=1e-8, atol=1e-10)
    variance = BETAS * (1 - before) / (1 - after)
    np.testing.assert_allclose(found.variance, variance, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(("early", "late"), [(0, 1), (3, 4), (100, 101), (200, 900)])
def test_the_posterior_is_bayes_rule(early, late):
    """q(x_s|x_t, x_0): the conditional of the joint normal law of x_s and x_t given x_0 = 1.3."""
    cleaner, noisier = at(early, late)
    step = theory.transition(cleaner, noisier)
    variance = cleaner.sigma**2
    joint = np.array(
        [
            [variance, step.factor * variance],
            [step.factor * variance, noisier.sigma**2],
        ]
    )
    mean = 1.3 * np.array([cleaner.alpha, noisier.alpha])
    law = theory.gaussian_conditional(mean, joint + np.diag([1e-300, 0]), [0.0, 0.7], [False, True])
    found = theory.reverse_step(cleaner, noisier)
    np.testing.assert_allclose(found.of_noisier * 0.7 + found.of_data * 1.3, law.mean[0], rtol=1e-7)
    np.testing.assert_allclose(found.variance, law.covariance[0, 0], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_every_eta_keeps_the_marginals(eta):
    """a alpha_t + b = alpha_s and a^2 sigma_t^2 + v = sigma_s^2: x_s has the law that it has."""
    found = theory.reverse_step(CLEANER, NOISIER, eta)
    mean = found.of_noisier * NOISIER.alpha + found.of_data
    np.testing.assert_allclose(mean, CLEANER.alpha, rtol=1e-12)
    variance = found.of_noisier**2 * NOISIER.sigma**2 + found.variance
    np.testing.assert_allclose(variance, CLEANER.sigma**2, rtol=1e-9, atol=1e-15)
    song = eta * np.sqrt(CLEANER.sigma**2 / NOISIER.sigma**2 * BETAS)
    np.testing.assert_allclose(found.variance, song**2, rtol=1e-7, atol=1e-15)


def test_single_precision_keeps_short_steps():
    """beta of 1e-4 next to alpha near 1: the levels' own rounding, 2 % of beta, and no more."""
    rounded = lambda level: theory.NoiseLevel(*(part.astype(np.float32) for part in level))
    found = theory.reverse_step(rounded(CLEANER), rounded(NOISIER))
    exact = theory.reverse_step(CLEANER, NOISIER)
    assert found.of_data.dtype == np.float32
    np.testing.assert_allclose(found.of_data[1:], exact.of_data[1:], rtol=2e-2)
    np.testing.assert_allclose(found.of_noisier, exact.of_noisier, rtol=1e-3)


def test_wrong_levels_are_refused():
    """In one line that names the argument."""
    with pytest.raises(ValueError, match=r"eta must be from 0 to 1, got 1\.5"):
        theory.reverse_step(CLEANER, NOISIER, 1.5)
    with pytest.raises(ValueError, match="must agree in shape"):
        theory.transition(CLEANER, CHAIN)
