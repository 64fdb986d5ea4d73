"""Interpolants and grids of noise levels against the formulas of their papers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory

TIMES = np.linspace(0.05, 0.95, 7)
VP, VE = theory.VariancePreserving(), theory.VarianceExploding()
BETA = 0.1 + 19.9 * TIMES

FORWARD = {
    "VP": (VP, -BETA / 2, BETA),
    "VE": (VE, 0 * TIMES, 2 * np.log(5000) * (0.01 * 5000**TIMES) ** 2),
    "EDM": (theory.EDM(0.01, 1.0), 0 * TIMES, 2 * TIMES),
    "cosine": (
        theory.Cosine(),
        -np.pi / 2 * np.tan(np.pi * TIMES / 2),
        np.pi * np.tan(np.pi * TIMES / 2),
    ),
    "straight": (theory.StraightLines(), -1 / (1 - TIMES), 2 * TIMES / (1 - TIMES)),
}

each = pytest.mark.parametrize("name", FORWARD)


@each
def test_the_forward_process_has_the_papers_coefficients(name):
    """f and g^2 of Song et al. (2021) for VP and VE; g^2 = 2t of EDM; the cosine's g^2 = -2f."""
    interpolant, drift, squared_diffusion = FORWARD[name]
    np.testing.assert_allclose(interpolant.drift(TIMES), drift, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(interpolant.squared_diffusion(TIMES), squared_diffusion, rtol=1e-11)


@each
def test_marginals_solve_the_moments_of_the_forward_process(name):
    """d log(alpha) = f dt and d sigma^2 = (2 f sigma^2 + g^2) dt, by differences of 1e-6."""
    interpolant, drift, squared_diffusion = FORWARD[name]
    before, after = interpolant.level(TIMES - 1e-6), interpolant.level(TIMES + 1e-6)
    slope = (np.log(after.alpha) - np.log(before.alpha)) / 2e-6
    np.testing.assert_allclose(slope, drift, rtol=1e-7, atol=1e-9)
    slope = (after.sigma**2 - before.sigma**2) / 2e-6
    variance = np.asarray(interpolant.level(TIMES).sigma) ** 2
    np.testing.assert_allclose(slope, 2 * drift * variance + squared_diffusion, rtol=1e-6)


@each
def test_time_is_a_function_of_the_ratio(name):
    """`time_of` inverts `log_snr`, also next to the data: times of 1e-9 to 1e-14."""
    interpolant = FORWARD[name][0]
    times = np.concatenate([TIMES, interpolant.first + 1e-9 * (1 - interpolant.first) + 0 * TIMES])
    np.testing.assert_allclose(
        interpolant.time_of(interpolant.log_snr(times)), times, rtol=1e-10, atol=1e-14
    )


@each
def test_ends_are_data_and_noise(name):
    """Signal is all there is at `first`, to the least noise, and the ratio falls to `last`."""
    interpolant = FORWARD[name][0]
    grid = interpolant.levels(5)
    assert grid.alpha.shape == grid.sigma.shape == (6,)
    np.testing.assert_allclose(grid.alpha[-1], 1)
    assert grid.sigma[-1] <= 0.01
    assert (np.diff(grid.log_snr) > 0).all()


@each
def test_grids_in_the_ratio_are_even(name):
    """Steps of the log ratio are of one length, and end at `most` or at the data."""
    interpolant = FORWARD[name][0]
    grid = interpolant.levels_in_log_snr(6, 12.0)
    steps = jnp.diff(grid.log_snr)
    np.testing.assert_allclose(steps, float(steps[0]), rtol=1e-6)
    end = min(12.0, float(interpolant.log_snr(interpolant.first)))
    np.testing.assert_allclose(grid.log_snr[-1], end, rtol=1e-9)
    assert grid.log_snr[0] >= -12 - 1e-9


def test_a_chain_of_short_steps_is_the_process():
    """beta_t = beta(t/T)/T: the chain's levels tend to VP's at the order 1 in 1/T."""
    errors = []
    for count in (250, 500, 1000):
        times = np.arange(1, count + 1) / count
        chain = theory.levels_of_betas((0.1 + 19.9 * times) / count)
        errors.append(np.abs(np.asarray(chain.alpha[1:] - VP.level(times).alpha)).max())
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    np.testing.assert_allclose(orders, 1, atol=0.1)


def test_noise_keeps_its_digits_next_to_the_data():
    """sigma^2 = -2 log(alpha) to first order, where 1 - alpha^2 would be 0; no NaN in slopes."""
    level = theory.NoiseLevel.of_log_alpha(jnp.asarray(-1e-20))
    np.testing.assert_allclose(level.sigma, np.sqrt(2e-20), rtol=1e-12)
    assert jax.grad(lambda t: VP.level(t).sigma)(0.0) == 0


def test_a_chain_is_the_product_of_its_steps():
    """alpha^2 = prod(1 - beta), sigma^2 = 1 - alpha^2; Ho's ends, and Nichol's f_t / f_0."""
    betas = np.linspace(1e-4, 0.02, 1000)
    np.testing.assert_allclose(theory.linear_betas(1000), betas, rtol=1e-12)
    chain = theory.levels_of_betas(betas)
    kept = np.concatenate([[1], np.cumprod(1 - betas)])
    np.testing.assert_allclose(chain.alpha**2, kept, rtol=1e-11)
    np.testing.assert_allclose(chain.sigma**2, 1 - kept, rtol=1e-11, atol=1e-13)
    f = lambda t: np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    cosine = theory.levels_of_betas(theory.cosine_betas(100))
    np.testing.assert_allclose(cosine.alpha[:-1] ** 2, f(np.arange(100) / 100) / f(0), rtol=1e-9)
    np.testing.assert_allclose(theory.cosine_betas(100)[-1], 0.999)


def test_a_respaced_chain_has_both_ends():
    """All T steps are the chain turned around; fewer are every n-th of its levels."""
    chain = theory.levels_of_betas(theory.linear_betas(12))
    np.testing.assert_array_equal(theory.respaced(chain, 12).sigma, chain.sigma[::-1])
    np.testing.assert_array_equal(theory.respaced(chain, 4).alpha, chain.alpha[::-3])
    uneven = theory.respaced(chain, 5)
    assert np.isin(uneven.sigma, chain.sigma).all()
    assert (uneven.sigma[0], uneven.sigma[-1]) == (chain.sigma[-1], 0)


def test_edm_grids_are_even_in_the_root():
    """sigma^(1/7) is evenly spaced from 80 to 0.002, and 0 comes last."""
    grid = theory.edm_levels(18)
    roots = np.asarray(grid.sigma[:-1]) ** (1 / 7)
    np.testing.assert_allclose(np.diff(roots), roots[1] - roots[0], rtol=1e-9)
    np.testing.assert_allclose(grid.sigma[jnp.array([0, -2, -1])], [80, 0.002, 0], rtol=1e-12)
    np.testing.assert_array_equal(grid.alpha, 1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: theory.levels_of_betas([0.1, 1.5]),
            "betas must be above 0 and at most 1, got 1.5",
        ),
        (lambda: theory.levels_of_betas([0.1, 0.0]), "betas must be above 0 and at most 1, got 0"),
        (lambda: theory.linear_betas(10, 1e-4, 2), "betas must be above 0 and at most 1, got 2"),
        (lambda: theory.linear_betas(0), "steps must be 1 or more"),
        (lambda: theory.linear_betas(2.5), "steps must be 1 or more, a whole number, got 2.5"),
        (lambda: theory.cosine_betas(10, most=1.5), "betas must be above 0 and at most 1"),
        (lambda: theory.cosine_betas(10, offset=-1), "offset must not be negative"),
        (lambda: theory.edm_levels(1), "steps must be 2 or more"),
        (lambda: theory.edm_levels(9, 2, 1), "sigma_min must be below sigma_max, got 2 and 1"),
        (lambda: theory.edm_levels(9, rho=0), "rho must be positive"),
        (lambda: theory.EDM(80.0, 0.002), "sigma_min must be below sigma_max"),
        (lambda: theory.VarianceExploding(1, 1), "sigma_min must be below sigma_max"),
        (lambda: theory.VarianceExploding(0, 1), "sigma_min must be positive"),
        (lambda: theory.VariancePreserving(-1), "beta_min must be positive"),
        (lambda: theory.respaced(VP.levels(4), 9), "steps must be from 1 to 4"),
        (lambda: VP.levels(0), "steps must be 1 or more"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(call, says):
    """In one line."""
    with pytest.raises(ValueError, match=says) as refusal:
        call()
    assert "\n" not in str(refusal.value)
