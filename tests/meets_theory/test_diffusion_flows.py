"""The probability-flow ODE, the reverse SDE and likelihoods against exact laws."""

import functools
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import models
import theory
from tests.meets_theory.diffusion_laws import (
    AXES,
    COV,
    COVS,
    MEAN,
    MEANS,
    PROCESSES,
    VARIANCES,
    WEIGHTS,
    energy_test,
    gaussian,
    mixture,
    mixture_log_prob,
    slope,
)

X = jnp.array([0.6, -0.9])
DATA = theory.gaussian_mixture(MEANS, covariances=COVS, weights=WEIGHTS)
EULER = go.Integrator(diffrax.Euler())


def moved(affine, x):
    """The outcome of a map without noise that is known in the eigenbasis of the data."""
    return AXES @ (affine.gain * (AXES.T @ x) + affine.offset * (AXES.T @ MEAN))


@pytest.mark.parametrize("process", ["preserving", "edm", "cosine"])
def test_fixed_euler_steps_are_the_exact_affine_map(process):
    """In time, not along chords: the product of the steps in the eigenbasis, to rounding."""
    interpolant = PROCESSES[process]
    times = interpolant.last * jnp.linspace(1, 0.1, 9) ** 2
    end = models.probability_flow(gaussian, interpolant, X, times=times, integrator=EULER)
    exact = moved(theory.euler_map(interpolant, times, VARIANCES), X)
    np.testing.assert_allclose(end.x, exact, rtol=1e-9)
    assert int(end.evaluations) == 8


@pytest.mark.parametrize("process", ["preserving", "straight"])
def test_the_adaptive_flow_is_the_exact_one_in_both_directions(process):
    """Closed form on Gaussian data; tolerances of 1e-10, held to 1e-7. Back is the inverse."""
    interpolant = PROCESSES[process]
    tight = go.Integrator(rtol=1e-10, atol=1e-10)
    flow = functools.partial(models.probability_flow, gaussian, interpolant, integrator=tight)
    there = flow(X)
    first = models.first_time(interpolant)
    levels = interpolant.level(jnp.array([interpolant.last, first]))
    exact = moved(theory.probability_flow_map(levels, VARIANCES), X)
    np.testing.assert_allclose(there.x, exact, rtol=1e-7)
    back = flow(there.x, begin=first, end=interpolant.last)
    np.testing.assert_allclose(back.x, X, rtol=1e-7)
    assert there.successful
    assert back.successful


def test_fixed_steps_converge_at_the_order_of_their_method():
    """Heun's on the Gaussian's flow along straight lines, to time 0.1; over a factor of four."""
    line, errors, sizes = PROCESSES["straight"], [], np.array([16, 32, 64])
    levels = line.level(jnp.array([1.0, 0.1]))
    exact = moved(theory.probability_flow_map(levels, VARIANCES), X)
    for n in sizes:
        times, integrator = jnp.linspace(1, 0.1, n + 1), go.Integrator(diffrax.Heun())
        end = models.probability_flow(gaussian, line, X, times=times, integrator=integrator).x
        errors.append(float(jnp.linalg.norm(end - exact)))
    assert abs(slope(sizes, errors) + 2) < 0.1


@pytest.mark.parametrize("case", ["tsit5", "heun", "heun_fixed", "shark", "shark_fixed"])
def test_evaluations_are_those_that_were_made(case):
    """Calls of the denoiser are counted on the host while the program runs."""
    calls = []

    def counted(x, level):
        jax.debug.callback(lambda: calls.append(1))
        return gaussian(x, level)

    method, fixed = case.split("_")[0], case.endswith("fixed")
    times = jnp.linspace(0.9, 0.1, 8) if fixed else None
    span: dict[str, Any] = {"times": times} if fixed else {"begin": 0.9, "end": 0.1}
    line = PROCESSES["straight"]
    if method == "shark":
        found = models.reverse_sde(counted, line, X, jax.random.key(0), **span)
    else:
        method = {"tsit5": diffrax.Tsit5(), "heun": diffrax.Heun()}[method]
        integrator = go.Integrator(method, 1e-4, 1e-4)
        found = models.probability_flow(counted, line, X, integrator=integrator, **span)
    jax.block_until_ready(found)
    jax.effects_barrier()
    assert int(found.evaluations) == len(calls)


def test_euler_and_maruyama_s_gain_is_exact_and_its_noise_has_the_exact_variance():
    """The outcome is affine in the start: its derivative is the product of the steps' gains.

    The variance over 20000 keys is within five of its standard errors, and the mean too: 6 numbers,
    a false alarm in 3 of a million runs, were the seed not fixed.
    """
    times = jnp.linspace(1.0, 0.01, 17)
    interpolant = PROCESSES["preserving"]
    run = lambda x, key: (
        models.reverse_sde(gaussian, interpolant, x, key, times=times, integrator=EULER).x
    )
    exact = theory.euler_maruyama_map(interpolant, times, VARIANCES)
    gain = jax.jacfwd(run)(X, jax.random.key(0))
    np.testing.assert_allclose(gain, (AXES * exact.gain[None]) @ AXES.T, rtol=1e-9)
    ends = jax.jit(jax.vmap(run, (None, 0)))(X, jax.random.split(jax.random.key(1), 20_000))
    check_moments(ends, moved(exact, X), (AXES * exact.variance[None]) @ AXES.T)


def check_moments(points, mean, cov):
    """Sample moments of a Gaussian within five standard errors of the exact ones."""
    n, variances = len(points), jnp.diagonal(cov)
    assert (jnp.abs(points.mean(0) - mean) < 5 * jnp.sqrt(variances / n)).all()
    spread = jnp.sqrt((jnp.outer(variances, variances) + cov**2) / n)
    assert (jnp.abs(jnp.cov(points.T) - cov) < 5 * spread).all()


@pytest.mark.parametrize("fixed", [True, False])
def test_the_reverse_sde_is_the_reverse_chain(fixed):
    """From one point, the law of the outcome is q(x_s|x_t) of Gaussian data, in closed form.

    Moments of 4000 outcomes in 100 steps, and of 400 at a tolerance of 1e-2, within five standard
    errors (see above); the error of the steps is well below those.
    """
    interpolant = PROCESSES["edm"]
    begin, end, count = 3.0, 0.3, 4000 if fixed else 400
    span: dict[str, Any] = {"begin": begin, "end": end}
    if fixed:
        span = {"times": jnp.geomspace(begin, end, 101)}
    run = lambda key: models.reverse_sde(gaussian, interpolant, X, key, **span).x
    ends = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(2), count))
    levels = interpolant.level(jnp.array([begin, end]))
    exact = theory.reverse_sde_map(levels, VARIANCES)
    check_moments(ends, moved(exact, X), (AXES * exact.variance[None]) @ AXES.T)


@pytest.mark.parametrize("way", ["flow", pytest.param("sde", marks=pytest.mark.slow)])
def test_samples_of_a_mixture_pass_for_data(way):
    """500 of each along straight lines, with another diffusion than the interpolant's for the SDE.

    A permutation test by the energy distance: a false alarm is 1 in 2000, were the seed not fixed.
    """
    line = PROCESSES["straight"]

    def run(key):
        x = jax.random.normal(jax.random.fold_in(key, 1), (2,))
        if way == "flow":
            return models.probability_flow(mixture, line, x).x
        squared = lambda time: 2 * time
        return models.reverse_sde(mixture, line, x, key, squared_diffusion=squared, end=1e-3).x

    found = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(3), 500))
    data = DATA.sample(jax.random.key(4), 500)
    assert energy_test(np.asarray(data), np.asarray(found)) > 1 / 2000


@pytest.mark.parametrize("process", ["preserving", "edm", "straight"])
def test_likelihoods_of_a_mixture_are_the_exact_ones(process):
    """Within 1e-3 nats at 32 points of the data, at the default tolerances and first time.

    The prior is the mixture's own law at the last time; where alpha = 0 there it is the default.
    """
    interpolant = PROCESSES[process]
    last, first = interpolant.level(interpolant.last), models.first_time(interpolant)
    prior = None if process == "straight" else lambda z: mixture_log_prob(z, last)
    points = DATA.sample(jax.random.key(5), 32)
    run = lambda x: models.log_likelihood(mixture, interpolant, x, prior=prior)
    found = jax.jit(jax.vmap(run))(points)
    exact = jax.vmap(lambda x: mixture_log_prob(x, interpolant.level(first)))(points)
    assert found.successful.all()
    assert float(jnp.abs(found.log_prob - exact).max()) < 1e-3


def test_hutchinson_s_trace_is_exact_on_the_line_and_unbiased_in_the_plane():
    """On the line every probe has the square 1. In the plane, the mean of 400 keys is within five
    standard errors of the exact log-density: a false alarm in a million runs."""
    line = PROCESSES["straight"]
    one = lambda x, level: theory.mixture_denoiser(x, level, WEIGHTS, MEANS[:, :1], COVS[:, :1, :1])
    level = line.level(models.first_time(line))
    drawn = models.log_likelihood(one, line, X[:1], jax.random.key(0), probes=3).log_prob
    exact = theory.mixture_marginal_log_prob(X[:1], level, WEIGHTS, MEANS[:, :1], COVS[:, :1, :1])
    assert abs(drawn - exact) < 1e-3

    run = lambda key: models.log_likelihood(mixture, line, X, key, probes=1).log_prob
    found = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(6), 400))
    assert jnp.abs(found.mean() - mixture_log_prob(X, level)) < 5 * found.std() / 20 + 1e-3
    assert found.std() > 0.01


def test_derivatives_of_likelihoods_are_scores_and_fisher_scores():
    """By the point and by the denoiser's parameters, on Gaussian data along straight lines."""
    line = PROCESSES["straight"]

    def log_prob(x, mean):
        denoise = lambda x, level: theory.gaussian_denoiser(x, level, mean, COV)
        return models.log_likelihood(denoise, line, x).log_prob

    by_point, by_mean = jax.jit(jax.grad(log_prob, argnums=(0, 1)))(X, MEAN)
    score = jnp.linalg.solve(COV, MEAN - X)
    np.testing.assert_allclose(by_point, score, rtol=1e-3)
    np.testing.assert_allclose(by_mean, -score, rtol=1e-3)
