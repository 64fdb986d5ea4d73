"""Predictions of a denoiser: all kinds are one, to 1e-12."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

RNG = np.random.default_rng(0)
X, DENOISED = jnp.asarray(RNG.normal(size=(2, 6)))
LEVELS = {
    "VP": theory.VariancePreserving().level(0.4),
    "EDM": theory.EDM().level(3.0),
    "straight": theory.StraightLines().level(0.3),
    "next to noise": theory.StraightLines().level(0.999),
}
KINDS = theory.PREDICTIONS

each_kind = pytest.mark.parametrize("kind", KINDS)
each_level = pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)


@each_kind
@each_level
def test_a_prediction_is_its_denoiser(kind, level):
    """There and back, to 1e-12."""
    prediction = theory.prediction_from(kind, DENOISED, X, level, 0.7)
    back = theory.denoised_from(kind, prediction, X, level, 0.7)
    np.testing.assert_allclose(back, DENOISED, rtol=1e-12, atol=1e-12)


@each_level
def test_all_kinds_give_one_denoiser(level):
    """Through any kind to any other: what arrives is the prediction of that kind, to 1e-12."""
    for kind in KINDS:
        through = theory.prediction_from(kind, DENOISED, X, level)
        for other in KINDS:
            denoised = theory.denoised_from(kind, through, X, level)
            found = theory.prediction_from(other, denoised, X, level)
            expected = theory.prediction_from(other, DENOISED, X, level)
            scale = np.abs(np.asarray(expected)).max()
            np.testing.assert_allclose(found / scale, expected / scale, rtol=1e-12, atol=1e-12)


@each_kind
@each_level
def test_a_prediction_of_the_truth_is_its_target(kind, level):
    """With x = alpha x_0 + sigma e and the denoiser's answer x_0 itself: the table's target."""
    data, noise = jnp.asarray(RNG.normal(size=(2, 6)))
    x = level.alpha * data + level.sigma * noise
    alpha, sigma, std = float(level.alpha), float(level.sigma), 0.7
    total = np.sqrt((alpha * std) ** 2 + sigma**2)
    target = {
        "data": data,
        "noise": noise,
        "score": -noise / sigma,
        "v": alpha * noise - sigma * data,
        "flow": noise - data,
        "edm": (sigma * data / std - alpha * std * noise) / total,
    }[kind]
    found = theory.prediction_from(kind, data, x, level, std)
    np.testing.assert_allclose(found, target, rtol=1e-11, atol=1e-11)


def test_edm_is_its_preconditioning():
    """D = c_skip x + c_out F with Karras' c_skip and c_out, at alpha = 1."""
    sigma, std = 3.0, 0.5
    skip, out = std**2 / (sigma**2 + std**2), sigma * std / np.sqrt(sigma**2 + std**2)
    level = theory.NoiseLevel(jnp.asarray(1.0), jnp.asarray(sigma))
    found = theory.denoised_from("edm", DENOISED, X, level, std)
    np.testing.assert_allclose(found, skip * X + out * DENOISED, rtol=1e-12)
    np.testing.assert_allclose(theory.loss_weight("edm", level, std), 1 / out**2, rtol=1e-12)


@each_kind
@each_level
def test_a_squared_error_is_weighted(kind, level):
    """|prediction of a - prediction of b|^2 = w |a - b|^2."""
    other = jnp.asarray(RNG.normal(size=6))
    ours, theirs = (theory.prediction_from(kind, d, X, level, 0.7) for d in (DENOISED, other))
    square = jnp.sum((ours - theirs) ** 2) / jnp.sum((DENOISED - other) ** 2)
    np.testing.assert_allclose(square, theory.loss_weight(kind, level, 0.7), rtol=1e-10)


@pytest.mark.parametrize(
    "interpolant", [theory.VariancePreserving(), theory.VarianceExploding(), theory.StraightLines()]
)
def test_a_velocity_is_the_derivative_in_time(interpolant):
    """At the denoised x_0 of alpha x_0 + sigma e, and back to it; straight lines' is `flow`."""
    time = jnp.asarray(0.3)
    level, rate = interpolant.level(time), interpolant.rate(time)
    data, noise = jnp.asarray(RNG.normal(size=(2, 6)))
    path = lambda t: interpolant.level(t).alpha * data + interpolant.level(t).sigma * noise
    velocity = theory.velocity_from(data, path(time), level, rate)
    np.testing.assert_allclose(velocity, jax.jvp(path, (time,), (1.0,))[1], rtol=1e-10, atol=1e-10)
    back = theory.denoised_from_velocity(velocity, path(time), level, rate)
    np.testing.assert_allclose(back, data, rtol=1e-10, atol=1e-10)
    if isinstance(interpolant, theory.StraightLines):
        flow = theory.prediction_from("flow", data, path(time), level)
        np.testing.assert_allclose(velocity, flow, rtol=1e-12)


def test_data_and_velocities_are_known_without_any_signal():
    """At alpha = 0: v, flow and edm still determine x_0; noise and score are not a number."""
    level = theory.NoiseLevel(jnp.asarray(0.0), jnp.asarray(1.0))
    for kind in KINDS:
        prediction = theory.prediction_from(kind, DENOISED, X, level)
        back = theory.denoised_from(kind, prediction, X, level)
        if kind in ("noise", "score"):
            assert not np.isfinite(back).any()
        else:
            np.testing.assert_allclose(back, DENOISED, rtol=1e-12)


def test_wrong_shapes_are_refused():
    """In one line."""
    level = LEVELS["VP"]
    with pytest.raises(ValueError, match="denoised and x must agree in shape"):
        theory.prediction_from("noise", DENOISED, X[:3], level)
    with pytest.raises(ValueError, match="data_std must be positive"):
        theory.denoised_from("edm", DENOISED, X, level, 0.0)
