"""Samplers in steps against their exact laws on Gaussian data, and against each other."""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import models
import theory
from tests.meets_theory.diffusion_laws import (
    COV,
    COVS,
    MEAN,
    MEANS,
    PROCESSES,
    WEIGHTS,
    energy_test,
    final_law,
    gaussian,
    mixture,
    outcomes,
    slope,
    walk,
)

CHURN = {"churn": 0.3, "churn_from": 0.1, "churn_to": 5.0, "inflation": 1.01}
LAWS = {
    "ddim": (models.DDIM(), theory.ddim_map),
    "ddim_half": (models.DDIM(0.5), functools.partial(theory.ddim_map, eta=0.5)),
    "ddim_one": (models.DDIM(1.0), functools.partial(theory.ddim_map, eta=1.0)),
    "small": (models.Ancestral("small"), theory.ancestral_map),
    "large": (models.Ancestral("large"), functools.partial(theory.ancestral_map, variance="large")),
    "heun": (models.Heun(), theory.heun_map),
    "churn": (models.Heun(**CHURN), functools.partial(theory.heun_map, **CHURN)),
    "dpm": (models.DPMSolver2M(), theory.dpm_solver_map),
}


def grid_of(process, steps):
    """Levels to the data at sigma = 0, of noise that has none from a small one to it."""
    if isinstance(process, theory.EDM):
        return theory.edm_levels(steps, 0.01, 20.0)
    levels = process.levels(steps)
    if levels.sigma[-1] == 0:
        return levels
    alpha, sigma = (jnp.append(part[:-1], last) for part, last in zip(levels, (1, 0), strict=True))
    return theory.NoiseLevel(alpha, sigma)


@pytest.mark.parametrize("name", sorted(LAWS))
@pytest.mark.parametrize("process", ["preserving", "edm", "straight"])
def test_final_mean_and_covariance_are_the_exact_ones(name, process):
    """All numbers that a sampler draws are inputs, in which its outcome is affine: no sampling.

    Predicted by products of affine maps in the eigenbasis of the data, to rounding.
    """
    sampler, law = LAWS[name]
    levels = grid_of(PROCESSES[process], 5)
    found = final_law(sampler, gaussian, levels)
    exact = theory.sampler_law(functools.partial(law, levels), MEAN, COV, levels.sigma[0])
    np.testing.assert_allclose(found.mean, exact.mean, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.covariance, exact.covariance, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("process", ["exploding", "cosine"])
def test_ddim_at_one_is_the_ancestral_sampler(process):
    """The same points from the same noise, on a mixture, to rounding."""
    levels = grid_of(PROCESSES[process], 12)
    keys = jax.random.split(jax.random.key(1), 8)
    starts = levels.sigma[0] * jax.random.normal(jax.random.key(0), (8, 2))
    one = outcomes(models.DDIM(1.0), mixture, levels, starts, keys)
    other = outcomes(models.Ancestral(), mixture, levels, starts, keys)
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("process", ["straight", "edm"])
def test_ddim_and_heun_are_euler_and_heun_on_the_velocity(process):
    """Straight lines and EDM are their own chords: a plain loop over time gives the same point."""
    interpolant = PROCESSES[process]
    times = jnp.linspace(interpolant.last, 0.1, 9)
    x = euler = heun = interpolant.last * jnp.array([0.4, -1.1])

    @jax.jit
    def velocity(x, time):
        level, rate = interpolant.level(time), interpolant.rate(time)
        return theory.velocity_from(mixture(x, level), x, level, rate)

    for now, after in itertools.pairwise(times):
        h = after - now
        euler = euler + h * velocity(euler, now)
        first = velocity(heun, now)
        heun = heun + h / 2 * (first + velocity(heun + h * first, after))
    levels = interpolant.level(times)
    for sampler, expected in ((models.DDIM(), euler), (models.Heun(), heun)):
        np.testing.assert_allclose(walk(sampler, levels, x), expected, rtol=1e-9)


@functools.cache
def flow_end(process, begin):
    tight = go.Integrator(rtol=1e-11, atol=1e-11)
    x = jnp.array([0.8, -0.7])
    interpolant = PROCESSES[process]
    end = models.probability_flow(mixture, interpolant, x, begin=begin, end=0.1, integrator=tight)
    return x, end.x


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("heun", 2), ("dpm", 2)])
@pytest.mark.parametrize(("process", "begin"), [("preserving", 0.9), ("straight", 1.0)])
def test_samplers_converge_to_the_probability_flow_at_their_order(name, order, process, begin):
    """On a mixture, to a time of 0.1, where no solution is known in closed form.

    The reference integrates the ODE at tolerances of 1e-11. Errors are fitted on 32 to 256 steps;
    the tolerance of 0.2 covers the next order's share. From alpha = 0 the multistep method's error
    is n^-2 log n, which is divided by the logarithm.
    """
    x, end = flow_end(process, begin)
    steps = np.array([32, 64, 128, 256])
    errors = []
    for n in steps:
        levels = PROCESSES[process].level(jnp.linspace(begin, 0.1, n + 1))
        errors.append(float(jnp.linalg.norm(walk(LAWS[name][0], levels, x) - end)))
    if name == "dpm" and begin == 1.0:
        errors = np.array(errors) / np.log(steps)
    assert abs(slope(steps, errors) + order) < 0.2


SAMPLERS = {
    "ddim": (models.DDIM(), "preserving", 200),
    "ancestral": (models.Ancestral(), "preserving", 300),
    "heun": (models.Heun(), "edm", 40),
    "churn": (models.Heun(churn=0.1), "edm", 60),
    "dpm": (models.DPMSolver2M(), "straight", 40),
    "few": (models.DDIM(), "preserving", 3),
}


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_samples_of_a_mixture_pass_for_data(name):
    """500 of each: a permutation test by the energy distance, which sees every difference of laws.

    A statistic above those of all 1999 permutations is a false alarm of 1 in 2000, were the seed
    not fixed. Three steps of DDIM have it: the test sees what is wrong.
    """
    sampler, process, steps = SAMPLERS[name]
    levels = grid_of(PROCESSES[process], steps)
    keys = jax.random.split(jax.random.key(3), 500)
    starts = levels.sigma[0] * jax.random.normal(jax.random.key(2), (500, 2))
    found = outcomes(sampler, mixture, levels, starts, keys)
    law = theory.gaussian_mixture(MEANS, covariances=COVS, weights=WEIGHTS)
    data = law.sample(jax.random.key(4), 500)
    p = energy_test(np.asarray(data), np.asarray(found))
    assert (p <= 1 / 2000) == (name == "few")


def test_pieces_of_a_grid_give_the_bits_of_the_whole():
    """Points, states and keys go over from piece to piece, with a state and with noise."""
    levels = theory.VariancePreserving().levels(12)
    x, key = jnp.array([0.3, 2.0]), jax.random.key(5)
    for sampler in (models.DPMSolver2M(), models.Ancestral()):
        run = eqx.filter_jit(
            lambda x, part, state, first, sampler=sampler: models.reverse_process(
                sampler, mixture, part, x, key, state=state, first=first
            )
        )
        whole = run(x, levels, None, 0).x
        at, state = x, None
        for first in range(0, 12, 4):
            part = theory.NoiseLevel(*(a[first : first + 5] for a in levels))
            piece = run(at, part, state, jnp.asarray(first))
            at, state = piece.x, piece.state
        np.testing.assert_array_equal(at, whole)
