r"""Diffusion with a linear observation $y = Ax_0 + sn$ of Gaussian data, exactly.

A sampler with the exact conditional denoiser samples $p(x_0|y)$ = `gaussian_posterior`: that
denoiser is `gaussian_denoiser` with the posterior's moments, and its score is the unconditional
one plus `gaussian_guidance`. Replacement of known entries is not that sampler: `replacement_law` is
what it samples.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    check_gaussian,
    check_line,
    check_not_negative,
    check_same,
    check_same_shape,
    concrete,
    floats,
)
from theory._numeric import Scalar, all_numbers, nan_unless, safe_divide
from theory._semidefinite import pseudo_solver, spectrum
from theory.diffusion.affine_denoisers import best_affine_denoiser
from theory.diffusion.denoisers import gaussian_denoising
from theory.diffusion.levels import NoiseLevel
from theory.diffusion.markov_chain import check_eta, reverse_step, transition
from theory.latent.linear_gaussian import Moments
from theory.latent.linear_inverse import check_operator


class ReplacementLimit(NamedTuple):
    """The conditional mean is `slope` times the known entry; `variance` is that around it."""

    slope: Float[Array, "..."]
    variance: Float[Array, "..."]


def gaussian_guidance(
    x: ArrayInput,
    level: NoiseLevel,
    mean: ArrayInput,
    cov: ArrayInput,
    operator: ArrayInput,
    noise_variance: Number,
    observation: ArrayInput,
) -> Float[Array, " d"]:
    r"""$\nabla_x\log p(y|x)$, by which the score of $p(x|y)$ exceeds that of $p(x)$.

    With $V = \operatorname{Cov}(x_0|x)$ and $G$ the slope of the denoiser,
    $G^\top A^\top(AVA^\top + s^2I)^{-1}(y - A\hat x_0)$.

    **Arguments:**

    - `x`: one point, shape `(d,)`. `level`: $(\alpha, \sigma)$, shape `()` each.
    - `mean`, `cov`: of the data, shapes `(d,)` and `(d, d)`, positive semidefinite.
    - `operator`: $A$, shape `(k, d)`. `observation`: $y$, shape `(k,)`.
    - `noise_variance`: $s^2 \ge 0$.

    !!! cite "Source"

        Song et al. (2021), arXiv:2011.13456, appendix I; Chung et al. (2023), arXiv:2209.14687,
        of which this is the exact form on Gaussian data.
    """
    check_not_negative(noise_variance=noise_variance)
    x, alpha, sigma, mean, cov, operator, noise, observation = floats(
        x, *level, mean, cov, operator, noise_variance, observation
    )
    level = NoiseLevel(alpha, sigma)
    given = gaussian_denoising(x, level, mean, cov)
    check_operator(operator, observation, mean.size)
    seen = operator @ given.covariance @ operator.T
    seen = seen + noise * jnp.eye(len(operator), dtype=seen.dtype)
    known = all_numbers(seen)
    pull = operator.T @ pseudo_solver(seen, spectrum(seen, noise))(
        observation - operator @ given.mean
    )
    return nan_unless(known, best_affine_denoiser(level, mean, cov).gain.T @ pull)


def replacement_law(
    levels: NoiseLevel,
    mean: ArrayInput,
    cov: ArrayInput,
    observation: ArrayInput,
    known: ArrayInput,
    *,
    eta: Number = 1.0,
    resamplings: Count = 1,
) -> Moments:
    r"""The exact law of inpainting by replacement on Gaussian data.

    The start is $N(0, \sigma_0^2I)$, of the first level. After each step of DDIM($\eta$) with the
    data's own denoiser, known entries become $\alpha y + \sigma\varepsilon$ with fresh noise. With
    resampling a step is taken several times, and between two of them the forward process leads back
    to the level before.

    It is not the law given $y$, `gaussian_conditional`, unless the entries are independent: the
    unknown ones answer to noised observations alone, drawn anew at each level.

    **Arguments:**

    - `levels`: from noise to data, shape `(n + 1,)`.
    - `mean`, `cov`: of the data, shapes `(d,)` and `(d, d)`, positive semidefinite.
    - `observation`: $y$, shape `(d,)`; entries that are not known may have any value, NaN
      included. `known`: booleans, shape `(d,)`.
    - `eta`: from 0 to 1, which is the ancestral sampler. `resamplings`: passes over each step.

    !!! cite "Source"

        Song et al. (2021), arXiv:2011.13456, appendix I.2; Lugmayr et al. (2022),
        arXiv:2201.09865 (RePaint), algorithm 1, with as many passes in the last step as in others.
    """
    alpha, sigma, mean, cov, observation = floats(*levels, mean, cov, observation)
    check_line("alpha", alpha, 2)
    check_same_shape(alpha=alpha, sigma=sigma)
    check_gaussian("the data", mean, cov)
    mask = jnp.asarray(known)
    check_same("shape", mean=mean.shape, observation=observation.shape, known=mask.shape)
    passes = as_count("resamplings", resamplings)
    check_eta(eta)
    strength = floats(eta)[0].astype(mean.dtype)
    values = jnp.where(mask, observation, 0)
    start = Moments(jnp.zeros_like(mean), sigma[0] ** 2 * jnp.eye(mean.size, dtype=mean.dtype))
    law = _replaced_in_steps(
        start,
        NoiseLevel(alpha, sigma),
        Moments(mean, cov),
        values,
        mask.astype(bool),
        strength,
        passes,
    )
    # A known entry has its value and no variance whatever the rest is, unless that is unknown too.
    found = all_numbers(alpha, sigma, cov)
    return Moments(nan_unless(found, law.mean), nan_unless(found, law.covariance))


def replacement_limit(correlation: Number) -> ReplacementLimit:
    r"""The law that replacement tends to in many ancestral steps, of two correlated entries.

    Of entries with mean 0, variance 1 and correlation $\rho$, given that one is $y$ the other has
    the law $N(\rho y, 1 - \rho^2)$. Replacement draws it from

    $$N\Bigl(\frac{1 - \sqrt{1-\rho^2}}\rho\,y,\
      (1-\rho^2)\frac{\operatorname{artanh}\rho}\rho\Bigr),$$

    on every interpolant that begins at the data and ends without any of them: about half of the
    slope for a small correlation.

    **Arguments:**

    - `correlation`: $\rho$, between -1 and 1, any shape.
    """
    (rho,) = floats(correlation)
    found = concrete(rho)
    if found is not None and (abs(found) >= 1).any():
        raise ValueError(f"correlation must be between -1 and 1, got {abs(found).max():g}.")
    left = 1 - rho**2
    slope = rho / (1 + jnp.sqrt(left))
    return ReplacementLimit(slope, left * safe_divide(jnp.arctanh(rho), rho, 1.0))


@functools.partial(jax.jit, static_argnames="passes")
def _replaced_in_steps(
    start: Moments,
    levels: NoiseLevel,
    data: Moments,
    values: Float[Array, " d"],
    known: Bool[Array, " d"],
    eta: Scalar,
    passes: int,
) -> Moments:
    """The law after all steps, each taken `passes` times."""
    eye = jnp.eye(values.size, dtype=values.dtype)

    def step(law: Moments, pair: tuple[NoiseLevel, NoiseLevel]) -> tuple[Moments, None]:
        now, after = pair
        denoiser, back = best_affine_denoiser(now, *data), transition(after, now)
        part = reverse_step(after, now, eta)
        gain = part.of_noisier * eye + part.of_data * denoiser.gain
        shift = part.of_data * denoiser.offset

        def one_pass(law: Moments) -> Moments:
            moved = _moved(law, gain, shift, part.variance)
            return _replaced(moved, after, values, known)

        def again(law: Moments, _: None) -> tuple[Moments, None]:
            noised = _moved(law, back.factor * eye, 0 * shift, back.variance)
            return one_pass(noised), None

        return jax.lax.scan(again, one_pass(law), None, length=passes - 1)[0], None

    before, behind = ([part[at] for part in levels] for at in (slice(-1), slice(1, None)))
    return jax.lax.scan(step, start, (NoiseLevel(*before), NoiseLevel(*behind)))[0]


def _moved(law: Moments, gain: Array, shift: Array, variance: Array) -> Moments:
    """The law of gain x + shift + noise."""
    noise = variance * jnp.eye(len(gain), dtype=gain.dtype)
    return Moments(gain @ law.mean + shift, gain @ law.covariance @ gain.T + noise)


def _replaced(law: Moments, level: NoiseLevel, values: Array, known: Bool[Array, " d"]) -> Moments:
    """The law after its known entries have been replaced by noised values."""
    either = known[:, None] | known[None, :]
    fresh = jnp.diag(jnp.where(known, level.sigma**2, 0))
    return Moments(
        jnp.where(known, level.alpha * values, law.mean),
        jnp.where(either, fresh, law.covariance),
    )
