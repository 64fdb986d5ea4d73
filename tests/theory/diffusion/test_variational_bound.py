"""Terms of the variational bound against divergences of Gaussians, and the exact gap."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

import theory

RNG = np.random.default_rng(0)
X0, DENOISED = RNG.normal(size=(2, 4))
ROOT = RNG.normal(size=(2, 2))
MEAN, COV = np.array([0.5, -1.0]), ROOT @ ROOT.T + 0.2 * np.eye(2)


def kl(mean_p, var_p, mean_q, var_q):
    """KL of diagonal normal laws with one variance."""
    ratio = var_p / var_q
    square = np.sum((mean_p - mean_q) ** 2) / var_q
    return 0.5 * (len(mean_p) * (ratio - 1 - np.log(ratio)) + square)


def short_chain(steps=4):
    return theory.levels_of_betas(np.linspace(0.1, 0.6, steps))


def pair(chain, time):
    """The levels of x_{t-1} and x_t."""
    cleaner, noisier = (
        theory.NoiseLevel(chain.alpha[at], chain.sigma[at]) for at in (time - 1, time)
    )
    return cleaner, noisier


def test_terms_are_divergences_of_normal_laws():
    """Prior, and steps with the posterior's variance and with another, from their definitions."""
    chain = short_chain()
    cleaner, noisier = pair(chain, 3)
    prior = kl(noisier.alpha * X0, noisier.sigma**2, np.zeros(4), 1.7)
    np.testing.assert_allclose(theory.prior_kl(X0, noisier, 1.7), prior, rtol=1e-12)
    step, x = theory.reverse_step(cleaner, noisier), RNG.normal(size=4)
    ours, theirs = (step.of_noisier * x + step.of_data * d for d in (X0, DENOISED))
    for variance in (None, 0.3):
        own = step.variance if variance is None else variance
        found = theory.denoising_kl(X0, DENOISED, cleaner, noisier, variance)
        np.testing.assert_allclose(found, kl(ours, step.variance, theirs, own), rtol=1e-10)
    ratio = cleaner.snr - noisier.snr
    found = theory.denoising_kl(X0, DENOISED, cleaner, noisier)
    np.testing.assert_allclose(found, 0.5 * ratio * np.sum((X0 - DENOISED) ** 2), rtol=1e-10)
    density = -scipy.stats.norm.logpdf(X0, DENOISED, np.sqrt(0.3)).sum()
    np.testing.assert_allclose(theory.gaussian_reconstruction(X0, DENOISED, 0.3), density)


@pytest.mark.parametrize("variance", [1e-5, 0.01, 4.0])
def test_bins_have_all_of_the_probability(variance):
    """The 256 numbers' probabilities add up to 1, and are differences of the law's function."""
    values = np.linspace(-1, 1, 256)
    log_prob = jax.vmap(lambda x: -theory.discretised_reconstruction(x[None], [0.31], variance))
    found = np.exp(log_prob(jnp.asarray(values)))
    np.testing.assert_allclose(found.sum(), 1, rtol=1e-10)
    std = np.sqrt(variance)
    edges = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    expected = np.diff(scipy.special.ndtr((edges - 0.31) / std))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)


def test_bins_in_the_tails_keep_their_digits():
    """Forty deviations away, either side: finite, with slopes; near the law, density x width."""
    term = lambda x, mean: theory.discretised_reconstruction(x, mean, 1e-4)
    far = term(0.2, 0.6), term(-0.2, -0.6)
    np.testing.assert_allclose(*far, rtol=1e-9)
    assert 750 < far[0] < 850
    assert np.isfinite(jax.grad(term, 1)(0.2, 0.6))
    for edge in (-1.0, 1.0):
        assert np.isfinite(jax.grad(term, 1)(edge, 0.0))
    near = theory.discretised_reconstruction(X0 / 4, DENOISED / 4, 0.5)
    density = theory.gaussian_reconstruction(X0 / 4, DENOISED / 4, 0.5)
    np.testing.assert_allclose(near, density - 4 * np.log(2 / 255), rtol=1e-4)


def test_bits_per_dimension_of_a_uniform_law():
    """256 equal bins are 8 bits, counted or as the density 1/2 of bins of 2/256."""
    np.testing.assert_allclose(theory.bits_per_dimension(12 * np.log(256), 12), 8)
    np.testing.assert_allclose(theory.bits_per_dimension(12 * np.log(2), 12, 2 / 256), 8)


def bound(chain, mean=MEAN, cov=COV, scale=1.0, shift=0.0, growth=1.0, prior=1.3):
    """The bound with the exact denoiser, or one that is scaled and shifted."""
    noisier = theory.NoiseLevel(chain.alpha[1:], chain.sigma[1:])
    cleaner = theory.NoiseLevel(chain.alpha[:-1], chain.sigma[:-1])
    best = jax.vmap(lambda a, s: theory.best_affine_denoiser(theory.NoiseLevel(a, s), mean, cov))
    gains, offsets = best(*noisier)
    denoisers = theory.AffineDenoiser(scale * gains, offsets + shift)
    steps = theory.reverse_step(cleaner, noisier)
    variances = growth * steps.variance.at[0].set(noisier.sigma[0] ** 2)
    found = theory.gaussian_variational_bound(chain, mean, cov, denoisers, variances, prior)
    return found, (denoisers, steps, variances)


def joint_laws(chain, parts, mean, cov, prior):
    """Moments of (x_0, ..., x_T) under the data's chain and under the model, as dense matrices.

    Each is made of independent normal numbers: rows of maps from these to all entries.
    """
    denoisers, steps, variances = parts
    d, count = len(mean), len(chain.alpha) - 1
    eye = np.eye(d)
    root = np.linalg.cholesky(cov)
    q_maps, q_means = [np.hstack([root] + [0 * eye] * count)], [mean]
    for t in range(1, count + 1):
        step = theory.transition(*pair(chain, t))
        fresh = np.zeros((d, d * (count + 1)))
        fresh[:, d * t : d * (t + 1)] = float(np.sqrt(step.variance)) * eye
        q_maps.append(float(step.factor) * q_maps[-1] + fresh)
        q_means.append(float(step.factor) * q_means[-1])
    p_maps, p_means = [np.hstack([np.sqrt(prior) * eye] + [0 * eye] * count)], [0 * mean]
    for t in range(count, 0, -1):
        of_data = float(steps.of_data[t - 1])
        gain = float(steps.of_noisier[t - 1]) * eye + of_data * np.asarray(denoisers.gain[t - 1])
        fresh = np.zeros((d, d * (count + 1)))
        place = count + 1 - t
        fresh[:, d * place : d * (place + 1)] = float(np.sqrt(variances[t - 1])) * eye
        p_maps.append(gain @ p_maps[-1] + fresh)
        p_means.append(gain @ p_means[-1] + of_data * np.asarray(denoisers.offset[t - 1]))
    q, p = np.vstack(q_maps), np.vstack(p_maps[::-1])
    return (np.concatenate(q_means), q @ q.T), (np.concatenate(p_means[::-1]), p @ p.T)


def dense_kl(p, q):
    """KL between two Gaussians."""
    difference, solved = q[0] - p[0], np.linalg.solve(q[1], p[1])
    log_dets = np.linalg.slogdet(q[1])[1] - np.linalg.slogdet(p[1])[1]
    square = difference @ np.linalg.solve(q[1], difference)
    return 0.5 * (np.trace(solved) - len(p[0]) + log_dets + square)


@pytest.mark.parametrize(
    "model", [{}, {"scale": 0.7, "shift": 0.4}, {"growth": 1.8}], ids=["exact", "wrong", "wide"]
)
def test_terms_are_the_exact_likelihood_and_the_exact_gap(model):
    """The sum of all terms = -E log p(x_0) + E KL(q(x_1:T|x_0) | p(x_1:T|x_0)), to 1e-9.

    Both are found from the joint Gaussians of the whole chain: by the chain rule of KL the gap is
    that of the joint laws less that of their x_0.
    """
    chain = short_chain()
    found, parts = bound(chain, **model)
    q, p = joint_laws(chain, parts, MEAN, COV, 1.3)
    first = lambda law: (law[0][:2], law[1][:2, :2])
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * COV)[1]
    between = dense_kl(first(q), first(p))
    np.testing.assert_allclose(found.negative_log_likelihood, entropy + between, rtol=1e-9)
    gap = dense_kl(q, p) - between
    np.testing.assert_allclose(found.gap, gap, rtol=1e-8, atol=1e-10)
    terms = found.prior + found.denoising.sum() + found.reconstruction
    np.testing.assert_allclose(terms, found.negative_log_likelihood + gap, rtol=1e-9)
    assert found.gap > 0
    assert found.denoising.shape == (3,)


def test_terms_are_means_of_those_of_points():
    """In one dimension: expectations of the functions of one point, by exact Hermite nodes."""
    chain, mean, cov = short_chain(), np.array([0.4]), np.array([[0.6]])
    found, (denoisers, _, variances) = bound(chain, mean, cov, 0.8, 0.1, 1.5)
    z, weights = np.polynomial.hermite_e.hermegauss(6)
    weights = np.outer(weights, weights).ravel() / weights.sum() ** 2
    data, noise = (part.ravel() for part in np.meshgrid(0.4 + np.sqrt(0.6) * z, z))

    def mean_of(term, time):
        level = pair(chain, time)[1]
        x = level.alpha * data + level.sigma * noise
        answer = denoisers.gain[time - 1, 0, 0] * x + denoisers.offset[time - 1, 0]
        terms = [term(d[None], a[None]) for d, a in zip(data, answer, strict=True)]
        return float(weights @ np.array(terms))

    prior = mean_of(lambda d, _: theory.prior_kl(d, pair(chain, 4)[1], 1.3), 4)
    np.testing.assert_allclose(found.prior, prior, rtol=1e-10)
    last = mean_of(lambda d, a: theory.gaussian_reconstruction(d, a, variances[0]), 1)
    np.testing.assert_allclose(found.reconstruction, last, rtol=1e-10)
    for time in (2, 4):
        own = variances[time - 1]
        step = mean_of(lambda d, a: theory.denoising_kl(d, a, *pair(chain, time), own), time)  # noqa: B023
        np.testing.assert_allclose(found.denoising[time - 2], step, rtol=1e-10)


def test_many_steps_are_the_continuous_bound():
    """The sum of L_1, ... tends to I(x_0; x_1) - I(x_0; x_T) from above, at the order 1 in 1/T."""
    vp = theory.VariancePreserving()
    exact = theory.gaussian_information(vp.level(np.array([0.01, 1.0])), COV)
    errors = []
    for count in (256, 512):
        level = vp.level(np.linspace(0.01, 1.0, count))
        data = jnp.ones(1), jnp.zeros(1)
        chain = [jnp.concatenate([end, part]) for end, part in zip(data, level, strict=True)]
        chain = theory.NoiseLevel(*chain)
        errors.append(bound(chain, prior=1.0)[0].denoising.sum() - (exact[0] - exact[1]))
    errors = np.array(errors)
    assert (errors > 0).all()
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 1, atol=0.1)


def test_the_bound_is_least_for_the_exact_denoiser():
    """Its derivative in scale and shift is 0 there, at 1e-9 of its curvature."""
    chain = short_chain()
    total = lambda scale, shift: bound(chain, scale=scale, shift=shift)[0].total
    slopes = jax.jit(jax.grad(total, (0, 1)))(1.0, 0.0)
    np.testing.assert_allclose(slopes, 0, atol=1e-9)
    assert total(0.9, 0.0) > total(1.0, 0.0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.prior_kl([], pair(short_chain(), 1)[1]), "x0 must have at least one"),
        (
            lambda: theory.denoising_kl(X0, DENOISED[:2], *pair(short_chain(), 2)),
            "x0 and denoised must agree in shape",
        ),
        (
            lambda: theory.denoising_kl(X0, DENOISED, *pair(short_chain(), 2), 0.0),
            "variance must be positive",
        ),
        (
            lambda: theory.discretised_reconstruction(X0, X0, 1.0, bins=1),
            "bins must be 2 or more",
        ),
        (
            lambda: theory.discretised_reconstruction(X0, X0, 1.0, low=1, high=1),
            "low must be below high",
        ),
        (lambda: theory.bits_per_dimension(1.0, 0), "dimensions must be 1 or more"),
        (
            lambda: theory.gaussian_variational_bound(
                short_chain(),
                MEAN,
                COV,
                theory.AffineDenoiser(jnp.ones((3, 2, 2)), jnp.ones((3, 2))),
                np.ones(3),
            ),
            r"must have the shapes \(4, 2, 2\)",
        ),
    ],
)
def test_wrong_arguments_are_refused(call, says):
    """In one line that names the argument."""
    with pytest.raises(ValueError, match=says) as refusal:
        call()
    assert "\n" not in str(refusal.value)
