"""Samplers, flows and guidance: shapes, dtypes, NaN, and one clear line for what makes no sense."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import gameopt as go
import models
import theory

KEY = jax.random.key(0)
LEVELS = theory.VariancePreserving().levels(4)
SHAPE = (2, 2, 1)
POINT = jax.random.normal(KEY, SHAPE)
KNOWN = np.array([True, False, False, True]).reshape(SHAPE)

SAMPLERS = {
    "DDIM": models.DDIM(),
    "DDIM one": models.DDIM(1.0),
    "Ancestral": models.Ancestral("large"),
    "Heun": models.Heun(),
    "Heun churned": models.Heun(churn=0.2),
    "DPMSolver2M": models.DPMSolver2M(),
    "Replacement": models.Replacement(models.DDIM(0.5), KNOWN, np.zeros(SHAPE), np.int64(3)),
}
"""Every sampler: a new one joins by one line."""


def denoise(x, level):
    """The denoiser of N(0, 4 I), for points of any shape and dtype."""
    alpha, sigma = (part.astype(x.dtype) for part in level)
    return 4 * alpha / (4 * alpha**2 + sigma**2) * x


def half(x, level):
    """The same in half precision, as a network's answer may be."""
    return denoise(x, level).astype(jnp.bfloat16)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_points_keep_shape_and_dtype_whatever_the_denoiser_answers_in(name):
    """Single and double precision, answers in half; all steps are kept if wanted."""
    sampler = SAMPLERS[name]
    for dtype in (jnp.float32, jnp.float64):
        run = jax.jit(
            lambda x, key: models.reverse_process(sampler, half, LEVELS, x, key, keep=True)
        )
        keys = jax.random.split(KEY, 3)
        found = jax.vmap(run)(jnp.stack([POINT.astype(dtype)] * 3), keys)
        assert found.x.dtype == found.points.dtype == found.denoised.dtype == dtype
        assert found.points.shape == found.denoised.shape == (3, 4, *SHAPE)
        np.testing.assert_array_equal(found.points[:, -1], found.x)
        assert jnp.isfinite(found.points).all()


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_counts_are_of_the_evaluations_that_are_made(name):
    """Calls of the denoiser are counted on the host, along a grid that ends at the data."""
    calls = []

    def counted(x, level):
        jax.debug.callback(lambda: calls.append(1))
        return denoise(x, level)

    found = models.reverse_process(SAMPLERS[name], counted, LEVELS, POINT, KEY)
    jax.block_until_ready(found)
    jax.effects_barrier()
    assert SAMPLERS[name].evaluations(LEVELS) == len(calls)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_nan_comes_out(name):
    """In the point, and in a level: neither a maximum nor a branch makes a number of it."""
    sampler = SAMPLERS[name]
    run = eqx.filter_jit(
        lambda x, levels: models.reverse_process(sampler, denoise, levels, x, KEY).x
    )
    free = ~KNOWN if name == "Replacement" else np.full(SHAPE, True)
    assert np.isnan(np.asarray(run(POINT * jnp.nan, LEVELS))[free]).all()
    for part in ("alpha", "sigma"):
        broken = getattr(LEVELS, part).at[2].set(jnp.nan)
        assert np.isnan(np.asarray(run(POINT, LEVELS._replace(**{part: broken})))[free]).all()


def test_samplers_without_noise_need_no_key_and_others_say_so():
    """Deterministic ones do not look at it."""
    for name in ("DDIM", "Heun", "DPMSolver2M"):
        without = models.reverse_process(SAMPLERS[name], denoise, LEVELS, POINT).x
        with_key = models.reverse_process(SAMPLERS[name], denoise, LEVELS, POINT, KEY).x
        np.testing.assert_array_equal(without, with_key)
    for name in ("DDIM one", "Ancestral", "Heun churned", "Replacement"):
        with pytest.raises(ValueError, match="needs a key"):
            models.reverse_process(SAMPLERS[name], denoise, LEVELS, POINT)


def test_each_step_draws_its_own_standard_normal_noise():
    """From the data's mean of 0 one ancestral step draws its deviation times N(0, 1).

    Moments of 4000 numbers within five standard errors: a false alarm in a million runs. Steps of
    one process, and points with keys of their own, are not correlated by more than that.
    """
    levels = theory.NoiseLevel(jnp.array([0.6, 0.6, 0.6]), jnp.array([0.8, 0.4, 0.2]))
    run = lambda key: models.reverse_process(
        models.Ancestral("large"), lambda x, _: 0 * x, levels, jnp.zeros(2), key, keep=True
    )
    points = jax.vmap(run)(jax.random.split(KEY, 2000)).points
    assert points is not None
    first, second = points[:, 0], points[:, 1] - 0.25 * points[:, 0]
    drawn = jnp.stack([first / jnp.sqrt(0.48), second / jnp.sqrt(0.12)], axis=1).reshape(2000, 4)
    assert (jnp.abs(drawn.mean(0)) < 5 / np.sqrt(2000)).all()
    assert (jnp.abs(jnp.cov(drawn.T) - jnp.eye(4)) < 5 * np.sqrt(2 / 2000)).all()


WRONG: dict[str, tuple[Any, str]] = {
    "eta": (lambda: models.DDIM(1.5), "eta must be from 0 to 1, got 1.5"),
    "eta nan": (lambda: models.DDIM(float("nan")), "eta must be from 0 to 1, got nan"),
    "churn": (lambda: models.Heun(churn=1.0), r"from 0 to sqrt\(2\) - 1, got 1"),
    "churn bounds": (lambda: models.Heun(churn_from=2.0, churn_to=1.0), "in this order, got 2"),
    "inflation": (lambda: models.Heun(inflation=-1.0), "must not be negative, got -1"),
    "replaced shapes": (
        lambda: models.Replacement(models.DDIM(), KNOWN, np.zeros(4)),
        r"must agree in shape, got \(2, 2, 1\) and \(4,\)",
    ),
    "resamplings": (
        lambda: models.Replacement(models.DDIM(), KNOWN, np.zeros(SHAPE), 0),
        "resamplings must be 1 or more, a whole number, got 0",
    ),
    "half a resampling": (
        lambda: models.Replacement(models.DDIM(), KNOWN, np.zeros(SHAPE), 1.5),  # type: ignore
        "a whole number, got 1.5",
    ),
    "replaced point": (
        lambda: models.reverse_process(SAMPLERS["Replacement"], denoise, LEVELS, jnp.zeros(4), KEY),
        "the shape of the known entries",
    ),
    "one level": (
        lambda: models.reverse_process(
            models.DDIM(), denoise, theory.NoiseLevel(jnp.ones(1), jnp.ones(1)), POINT
        ),
        r"a grid of the shape \(steps \+ 1,\), steps at least 1, got \(1,\)",
    ),
    "levels of two shapes": (
        lambda: models.DDIM().evaluations(theory.NoiseLevel(jnp.ones(3), jnp.ones(2))),
        r"got \(3,\) for alpha and \(2,\) for sigma",
    ),
    "whole points": (
        lambda: models.reverse_process(models.DDIM(), denoise, LEVELS, jnp.arange(3)),
        "floating numbers, got int",
    ),
    "denoiser": (
        lambda: models.reverse_process(models.DDIM(), lambda x, _: x[0], LEVELS, POINT),
        r"in the shape of its point, \(2, 2, 1\), got \(2, 1\)",
    ),
    "no known entry": (lambda: models.Entries(np.zeros(3, bool)), "at least one entry"),
    "other entries": (
        lambda: models.Entries(KNOWN)(jnp.zeros(5)),
        r"must have the shape \(2, 2, 1\), got \(5,\)",
    ),
    "pooled sides": (lambda: models.Pooled(3)(POINT), "multiples of 3, got"),
    "factor": (lambda: models.Pooled(0), "factor must be 1 or more"),
    "noise": (
        lambda: models.LinearObservation(models.Pooled(2), jnp.zeros((1, 1, 1)), -1.0),
        "noise must not be negative, got -1",
    ),
    "observed": (
        lambda: models.LinearObservation(models.Pooled(2), jnp.zeros(3)).misfit(POINT),
        r"the operator's values, \(1, 1, 1\), got \(3,\)",
    ),
    "no covariance": (
        lambda: models.InverseGuided(
            denoise, models.LinearObservation(models.Pooled(2), jnp.zeros((1, 1, 1))), "none"
        ),
        "the observation must have noise, got 0",
    ),
    "labels": (
        lambda: models.ClassifierFree(lambda x, *_: x, jnp.zeros(2), jnp.zeros(3), 1.0)(
            POINT, theory.NoiseLevel(jnp.array(1.0), jnp.array(1.0))
        ),
        "null and label must agree in shape",
    ),
    "times": (
        lambda: models.probability_flow(
            denoise, theory.StraightLines(), POINT, times=jnp.array([1.0, 0.2, 0.5])
        ),
        "increase or decrease",
    ),
    "times and begin": (
        lambda: models.probability_flow(
            denoise, theory.StraightLines(), POINT, times=jnp.array([1.0, 0.2]), begin=1.0
        ),
        "their own begin and end",
    ),
    "method": (
        lambda: models.probability_flow(
            denoise, theory.EDM(), POINT, integrator=go.Integrator(diffrax.Kvaerno3())
        ),
        "Kvaerno3 is no explicit",
    ),
    "forth": (
        lambda: models.reverse_sde(denoise, theory.EDM(), POINT, KEY, begin=0.1, end=1.0),
        "begin must be after end, got 0.1 and 1",
    ),
    "infinite": (
        lambda: models.reverse_sde(denoise, theory.StraightLines(), POINT, KEY),
        "infinite at the time 1",
    ),
    "probes": (
        lambda: models.log_likelihood(denoise, theory.EDM(), POINT, KEY),
        "got 0 probes with a key",
    ),
    "key": (
        lambda: models.log_likelihood(denoise, theory.EDM(), POINT, probes=2),
        "got 2 probes without a key",
    ),
    "interpolated": (
        lambda: models.interpolation(denoise, LEVELS, POINT, jnp.zeros(3), jnp.zeros(2)),
        "a and b must agree in shape",
    ),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_arguments_that_make_no_sense_get_one_clear_line(name):
    """Said while the arguments are read, before anything is integrated."""
    call, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_flows_that_do_not_arrive_are_nan_and_not_successful():
    """For want of steps, and of a point that is NaN."""
    few = go.Integrator(diffrax.Tsit5(), 1e-9, 1e-9, 5)
    line = theory.StraightLines()
    run = jax.jit(lambda x: models.log_likelihood(denoise, line, x, integrator=few))
    for x in (POINT, POINT * jnp.nan):
        found = run(x)
        assert jnp.isnan(found.log_prob)
        assert jnp.isnan(found.noise).all()
        assert not found.successful


def test_flows_in_single_precision_keep_it():
    """With parameters of the process in double; the likelihood is that of N(0, 4 I) by SciPy."""
    process = theory.VariancePreserving()
    single = POINT.astype(jnp.float32)
    last = process.level(process.last)
    prior = lambda z: jnp.sum(
        jax.scipy.stats.norm.logpdf(
            z, 0, jnp.sqrt(4 * last.alpha**2 + last.sigma**2).astype(z.dtype)
        )
    )
    found = models.log_likelihood(denoise, process, single, prior=prior)
    assert found.log_prob.dtype == found.noise.dtype == jnp.float32
    exact = stats.norm.logpdf(np.asarray(POINT), 0, 2).sum()
    np.testing.assert_allclose(found.log_prob, exact, rtol=1e-3)
    end = models.reverse_sde(denoise, process, single, KEY, times=jnp.linspace(1, 0.1, 9))
    assert end.x.dtype == jnp.float32
    assert end.x.shape == SHAPE


def test_guidance_at_no_signal_leaves_the_denoiser_as_it_is():
    """At alpha = 0, where the corrections have a limit that derivatives do not determine."""
    none = theory.NoiseLevel(jnp.array(0.0), jnp.array(1.0))
    seen = models.LinearObservation(models.Pooled(2), jnp.ones((1, 1, 1)), 0.1)
    for guided in (
        models.InverseGuided(denoise, seen, "tweedie"),
        models.ClassifierGuided(denoise, lambda x, _: jnp.sum(x)),
    ):
        np.testing.assert_array_equal(guided(POINT, none), denoise(POINT, none))
