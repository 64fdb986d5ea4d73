"""Laws of samplers on Gaussian data against the papers' algorithms, run on numbers.

A sampler on Gaussian data is affine in its start, the data's mean and each of its draws, so that
its algorithm on the numbers 1, 0, 0, ... finds every coefficient without a random number.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import theory

VARIANCES = np.array([0.0, 0.3, 1.0, 4.0])
CHAIN = theory.levels_of_betas(theory.linear_betas(50, 1e-3, 0.2))
VP = theory.VariancePreserving()
GRIDS = {
    "DDPM": theory.respaced(CHAIN, 10),
    "VP": VP.levels_in_log_snr(12, 6.0),
    "EDM": theory.edm_levels(9),
    "straight": theory.StraightLines().levels(8),
    "cosine": theory.Cosine().levels(8),
}

each_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)


def denoised(x, mean, alpha, sigma, variance):
    """E(x_0|x) on N(mean, variance), in one dimension."""
    return mean + alpha * variance / (alpha**2 * variance + sigma**2) * (x - alpha * mean)


def coefficients(algorithm, grid):
    """gain, offset and variance of an algorithm `(x, mean, draws, alphas, sigmas, variance)`."""
    alphas, sigmas = np.asarray(grid.alpha), np.asarray(grid.sigma)
    steps = len(alphas) - 1
    found = []
    for variance in VARIANCES:
        run = lambda x, mean, draws, v=variance: algorithm(x, mean, draws, alphas, sigmas, v)
        noise = sum(run(0.0, 0.0, draws) ** 2 for draws in np.eye(steps))
        found.append((run(1.0, 0.0, np.zeros(steps)), run(0.0, 1.0, np.zeros(steps)), noise))
    return np.array(found).T


def check(found, expected):
    for name, part, best in zip(found._fields, found, expected, strict=True):
        np.testing.assert_allclose(part, best, rtol=1e-9, atol=1e-12, err_msg=name)


def ho(large):
    """Ho et al. (2020), algorithm 2, in alpha_t, alpha-bar_t and the predicted noise."""

    def algorithm(x, mean, draws, alphas, sigmas, variance):
        bars = alphas**2
        for i, z in enumerate(draws):
            a = bars[i] / bars[i + 1]
            d = denoised(x, mean, alphas[i], sigmas[i], variance)
            noise = (x - np.sqrt(bars[i]) * d) / np.sqrt(1 - bars[i])
            beta_tilde = (1 - a) * (1 - bars[i + 1]) / (1 - bars[i])
            spread = (1 - a if i < len(draws) - 1 else 0.0) if large else beta_tilde
            x = (x - (1 - a) / np.sqrt(1 - bars[i]) * noise) / np.sqrt(a) + np.sqrt(spread) * z
        return x

    return algorithm


def song(eta):
    """Song et al. (2021), equations 12 and 16."""

    def algorithm(x, mean, draws, alphas, sigmas, variance):
        bars = alphas**2
        for i, z in enumerate(draws):
            d = denoised(x, mean, alphas[i], sigmas[i], variance)
            noise = (x - np.sqrt(bars[i]) * d) / np.sqrt(1 - bars[i])
            ratio = (1 - bars[i + 1]) / (1 - bars[i]) * (1 - bars[i] / bars[i + 1])
            s = eta * np.sqrt(ratio)
            x = np.sqrt(bars[i + 1]) * d + np.sqrt(1 - bars[i + 1] - s**2) * noise + s * z
        return x

    return algorithm


def karras(churn, low, high, inflation):
    """Karras et al. (2022), algorithm 2."""

    def algorithm(x, mean, draws, alphas, sigmas, variance):
        steps = len(draws)
        for i, z in enumerate(draws):
            gamma = min(churn / steps, np.sqrt(2) - 1) if low <= sigmas[i] <= high else 0.0
            raised = sigmas[i] * (1 + gamma)
            x = x + np.sqrt(raised**2 - sigmas[i] ** 2) * inflation * z
            d = (x - denoised(x, mean, 1.0, raised, variance)) / raised
            new = x + (sigmas[i + 1] - raised) * d
            if sigmas[i + 1] != 0:
                again = new - denoised(new, mean, 1.0, sigmas[i + 1], variance)
                d = 0.5 * (d + again / sigmas[i + 1])
                new = x + (sigmas[i + 1] - raised) * d
            x = new
        return x

    return algorithm


def lu(x, mean, draws, alphas, sigmas, variance):
    """Lu et al. (2022), algorithm 2, to a last level with noise."""
    lam = np.log(alphas / sigmas)
    q = [denoised(x, mean, alphas[0], sigmas[0], variance)]
    for i in range(1, len(alphas)):
        h = lam[i] - lam[i - 1]
        aim = q[-1]
        if i > 1:
            r = (lam[i - 1] - lam[i - 2]) / h
            aim = (1 + 1 / (2 * r)) * q[-1] - 1 / (2 * r) * q[-2]
        x = sigmas[i] / sigmas[i - 1] * x - alphas[i] * (np.exp(-h) - 1) * aim
        q.append(denoised(x, mean, alphas[i], sigmas[i], variance))
    return x


@pytest.mark.parametrize("variance", ["small", "large"])
def test_the_ancestral_sampler_is_hos(variance):
    """On a respaced chain, to the data."""
    grid = GRIDS["DDPM"]
    found = theory.ancestral_map(grid, VARIANCES, variance)
    check(found, coefficients(ho(variance == "large"), grid))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_ddim_is_songs(eta):
    """On a respaced chain, to the data; with eta = 1 it is the ancestral sampler."""
    grid = GRIDS["DDPM"]
    found = theory.ddim_map(grid, VARIANCES, eta)
    check(found, coefficients(song(eta), grid))
    if eta == 1:
        check(found, theory.ancestral_map(grid, VARIANCES))


@pytest.mark.parametrize("settings", [(0, 0, np.inf, 1), (3, 0.05, 50, 1.003), (100, 0, 9, 1)])
def test_heun_is_karras(settings):
    """Without churn, with some between two levels, and with the most there is."""
    grid = GRIDS["EDM"]
    churn, low, high, inflation = settings
    found = theory.heun_map(
        grid, VARIANCES, churn=churn / 9, churn_from=low, churn_to=high, inflation=inflation
    )
    check(found, coefficients(karras(*settings), grid))


@pytest.mark.parametrize("bound", ["churn_from", "churn_to"])
def test_an_unknown_bound_of_the_churn_gives_nan(bound):
    """Neither with it nor without, which both would be good-looking numbers."""
    found = theory.heun_map(GRIDS["EDM"], VARIANCES, churn=0.1, **{bound: np.nan})
    assert np.isnan(found.gain).all()
    assert np.isnan(found.variance).all()


def test_dpm_solver_is_lus():
    """On an even grid of the ratio and on an uneven one; a step to the data is DDIM's."""
    uneven = VP.levels(10)
    uneven = theory.NoiseLevel(uneven.alpha[:-1], uneven.sigma[:-1])
    for grid in (GRIDS["VP"], uneven):
        check(theory.dpm_solver_map(grid, VARIANCES), coefficients(lu, grid))
    last = theory.NoiseLevel(VP.levels(10).alpha[-2:], VP.levels(10).sigma[-2:])
    whole = theory.dpm_solver_map(uneven, VARIANCES).then(theory.ddim_map(last, VARIANCES))
    check(theory.dpm_solver_map(VP.levels(10), VARIANCES), whole)


def test_ddim_is_euler_along_chords():
    """Straight lines and EDM are their own chords: Euler's method in their time is DDIM(0)."""
    times = jnp.linspace(1, 0.1, 8)
    straight = theory.StraightLines()
    found = theory.ddim_map(straight.level(times), VARIANCES)
    check(found, theory.euler_map(straight, times, VARIANCES))
    grid = theory.edm_levels(8)
    found = theory.ddim_map(grid, VARIANCES)
    check(found, theory.euler_map(theory.EDM(), grid.sigma, VARIANCES))


def test_a_step_along_a_chord_does_not_ask_for_its_parts():
    """On one curve's levels DDIM on VP scaled by any factors is DDIM, scaled."""
    grid = GRIDS["VP"]
    scale = jnp.exp(jnp.linspace(0.3, -0.2, len(grid.alpha)))
    plain = theory.ddim_map(grid, VARIANCES)
    scaled = theory.ddim_map(theory.NoiseLevel(scale * grid.alpha, scale * grid.sigma), VARIANCES)
    np.testing.assert_allclose(scaled.gain, scale[-1] / scale[0] * plain.gain, rtol=1e-10)
    np.testing.assert_allclose(scaled.offset, scale[-1] * plain.offset, rtol=1e-10)


@each_grid
def test_a_constant_is_found_by_every_sampler(grid):
    """Data without a variance: the outcome is their mean times alpha, and no start is left."""
    for sampler in (theory.ddim_map, theory.ancestral_map, theory.heun_map, theory.dpm_solver_map):
        found = sampler(grid, np.zeros(1))
        left = grid.sigma[-1] / grid.sigma[0]
        np.testing.assert_allclose(found.gain[0] ** 2 + found.variance[0], left**2, atol=0.01)
        offset = grid.alpha[-1] - found.gain[0] * grid.alpha[0]
        np.testing.assert_allclose(found.offset[0], offset, rtol=1e-10)


@pytest.mark.parametrize("interpolant", [VP, theory.EDM(0.1, 10.0)])
def test_the_probability_flow_is_its_ode(interpolant):
    """dx/dt = velocity of the exact denoiser, by an adaptive solver to 1e-9."""
    times = (interpolant.last, interpolant.first + 0.01)
    mean, variance, x = 0.7, 2.0, 1.3

    @jax.jit
    def slope(time, x):
        level, rate = interpolant.level(time), interpolant.rate(time)
        d = theory.gaussian_denoiser(x, level, np.array([mean]), np.array([[variance]]))
        return theory.velocity_from(d, x, level, rate)

    end = scipy.integrate.solve_ivp(slope, times, [x], rtol=1e-9, atol=1e-9).y[0, -1]
    level = interpolant.level(np.array(times))
    found = theory.probability_flow_map(level, variance)
    np.testing.assert_allclose(found.gain * x + found.offset * mean, end, rtol=1e-7)


@pytest.mark.parametrize("exact", [theory.probability_flow_map, theory.reverse_sde_map])
@each_grid
def test_exact_samplers_lead_from_marginal_to_marginal(exact, grid):
    """alpha c + sigma^2 of the first level to that of the last; in two halves or at once."""
    whole = exact(grid, VARIANCES)
    for i, variance in enumerate(VARIANCES):
        marginal = grid.alpha**2 * variance + grid.sigma**2
        spread = whole.gain[i] ** 2 * marginal[0] + whole.variance[i]
        np.testing.assert_allclose(spread, marginal[-1], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(whole.gain * grid.alpha[0] + whole.offset, grid.alpha[-1])
    halves = [
        theory.NoiseLevel(grid.alpha[at], grid.sigma[at]) for at in np.array([[0, 4], [4, -1]])
    ]
    one, two = (exact(half, VARIANCES) for half in halves)
    check(one.then(two), whole)


@each_grid
def test_the_reverse_chain_has_an_exact_mean(grid):
    """Gain and offset of the ancestral sampler are those of the reverse SDE, for any steps.

    The posterior's mean is affine in x_0, so that its own mean given x_t is exact. Variances are
    not, but for small ones of data without variance, and for large ones of data with that of the
    noise, next to which a chain is stationary (Ho et al. 2020, section 3.2).
    """
    exact = theory.reverse_sde_map(grid, VARIANCES)
    small = theory.ancestral_map(grid, VARIANCES)
    np.testing.assert_allclose(small.gain, exact.gain, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(small.offset, exact.offset, rtol=1e-10)
    np.testing.assert_allclose(small.variance[0], exact.variance[0], rtol=1e-10, atol=1e-14)
    assert (small.variance[1:] < exact.variance[1:]).all()


def test_large_variances_are_exact_for_unit_variance():
    """On a variance preserving grid, and too large for data that vary less."""
    grid = GRIDS["VP"]
    exact = theory.reverse_sde_map(grid, VARIANCES)
    large = theory.ancestral_map(grid, VARIANCES, "large")
    np.testing.assert_allclose(large.variance[2], exact.variance[2], rtol=1e-10)
    assert (large.variance[:2] > exact.variance[:2]).all()


def test_the_law_in_d_dimensions_is_that_of_each_direction():
    """Two steps of DDIM by matrices, with the denoiser's Jacobian, on a turned covariance."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3))
    mean, cov = rng.normal(size=3), root @ root.T
    grid = theory.StraightLines().levels(2)
    law_mean, law_cov = np.zeros(3), np.eye(3) * 0.8**2
    for i in range(2):
        now = theory.NoiseLevel(grid.alpha[i], grid.sigma[i])
        denoise = lambda x, now=now: theory.gaussian_denoiser(x, now, mean, cov)
        slope, rest = np.asarray(jax.jacfwd(denoise)(np.zeros(3))), np.asarray(denoise(np.zeros(3)))
        kept = float(grid.sigma[i + 1] / grid.sigma[i])
        of_data = float(grid.alpha[i + 1]) - kept * float(now.alpha)
        gain = kept * np.eye(3) + of_data * slope
        law_mean, law_cov = gain @ law_mean + of_data * rest, gain @ law_cov @ gain.T
    sampler = lambda variances: theory.ddim_map(grid, variances)
    found = theory.sampler_law(sampler, mean, cov, 0.8)
    np.testing.assert_allclose(found.mean, law_mean, rtol=1e-10)
    np.testing.assert_allclose(found.covariance, law_cov, rtol=1e-10, atol=1e-12)


def test_laws_are_compiled_and_differentiated():
    """Through a jitted function, in the variances and in a level, against differences of 1e-6."""

    def error(variance, sigma):
        grid = theory.NoiseLevel(jnp.ones(3), jnp.stack([jnp.asarray(9.0), sigma, 0 * sigma]))
        found = theory.heun_map(grid, variance)
        return found.gain**2 * 81 - variance

    by_both = jax.jit(jax.grad(error, (0, 1)))(2.0, 1.5)
    for place, slope in enumerate(by_both):
        step = np.eye(2)[place] * 1e-6
        at = lambda sign, step=step: error(2.0 + sign * step[0], 1.5 + sign * step[1])
        np.testing.assert_allclose(slope, (at(1) - at(-1)) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.ddim_map(theory.NoiseLevel(jnp.ones(1), jnp.ones(1)), 1), "at least 2"),
        (lambda: theory.heun_map(GRIDS["EDM"], -1.0), "variances must not be negative"),
        (lambda: theory.heun_map(GRIDS["EDM"], []), "variances must have at least one"),
        (lambda: theory.ddim_map(GRIDS["EDM"], 1, eta=2), "eta must be from 0 to 1"),
        (lambda: theory.euler_map(VP, [0.5], 1), "times must have at least 2"),
        (
            lambda: theory.sampler_law(lambda v: theory.ddim_map(CHAIN, v), [0, 0], np.eye(2), -1),
            "start_std must not be negative",
        ),
    ],
)
def test_wrong_arguments_are_refused(call, says):
    """In one line that names the argument."""
    with pytest.raises(ValueError, match=says) as refusal:
        call()
    assert "\n" not in str(refusal.value)
