r"""The variational bound of a diffusion model on Gaussian data, exactly, with its gap.

The model's reverse steps are those of `reverse_step` to an affine denoiser's $\hat x_0$, with any
variances. All expectations over the data and the chain are in closed form, and so is the law of the
model's $x_0$, hence its exact negative log-likelihood.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    Number,
    check_gaussian,
    check_line,
    check_positive,
    check_same_shape,
    floats,
)
from theory._numeric import Scalar
from theory.diffusion.affine_denoisers import AffineDenoiser, affine_denoiser_error
from theory.diffusion.levels import NoiseLevel
from theory.diffusion.markov_chain import reverse_step
from theory.diffusion.variational_bound import excess
from theory.latent.linear_gaussian import Moments


class GaussianBound(NamedTuple):
    r"""Terms of the bound on $-E\log p(x_0)$ and that itself, in nats.

    - `prior`: $L_T$. `denoising`: $L_1, \dots, L_{T-1}$, shape `(T - 1,)`. `reconstruction`: $L_0$.
    - `negative_log_likelihood`: $-E\log p(x_0)$ of the model's chain.
    """

    prior: Scalar
    denoising: Float[Array, " t"]
    reconstruction: Scalar
    negative_log_likelihood: Scalar

    @property
    def total(self) -> Scalar:
        """The sum of all terms."""
        return self.prior + jnp.sum(self.denoising) + self.reconstruction

    @property
    def gap(self) -> Scalar:
        r"""$E\,\mathrm{KL}(q(x_{1:T}|x_0)\|p(x_{1:T}|x_0))$, by which the bound is too large."""
        return self.total - self.negative_log_likelihood


def gaussian_variational_bound(
    chain: NoiseLevel,
    mean: ArrayInput,
    cov: ArrayInput,
    denoisers: AffineDenoiser,
    variances: ArrayInput,
    prior_variance: Number = 1.0,
) -> GaussianBound:
    r"""The bound, its terms and the exact likelihood on data $N(\mu, C)$.

    **Arguments:**

    - `chain`: from the data, (1, 0), to $x_T$, as of `levels_of_betas`, shape `(T + 1,)`.
    - `mean`: $\mu$, shape `(d,)`. `cov`: $C$, shape `(d, d)`.
    - `denoisers`: of $x_1, \dots, x_T$, shapes `(T, d, d)` and `(T, d)`: `best_affine_denoiser`
      mapped over levels, or any others.
    - `variances`: of the model's steps to $x_0, \dots, x_{T-1}$, positive, shape `(T,)`; the first
      is the decoder's.
    - `prior_variance`: of $p(x_T) = N(0, s^2I)$.

    **Raises:** `ValueError` for shapes that do not fit, or a variance that is not positive.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equation 5.
    """
    alpha, sigma, mean, cov, gains, offsets, variances, prior = floats(
        *chain, mean, cov, *denoisers, variances, prior_variance
    )
    check_gaussian("the data", mean, cov)
    check_line("alpha", alpha, 2)
    check_same_shape(alpha=alpha, sigma=sigma)
    _check_steps(len(alpha) - 1, mean.size, gains, offsets, variances)
    check_positive(variances=variances, prior_variance=prior)
    denoisers = AffineDenoiser(gains, offsets)
    return _bound(NoiseLevel(alpha, sigma), Moments(mean, cov), denoisers, variances, prior)


@jax.jit
def _bound(
    chain: NoiseLevel, data: Moments, denoisers: AffineDenoiser, variances: Array, prior: Array
) -> GaussianBound:
    (alpha, sigma), size = chain, data.mean.size
    noisier = NoiseLevel(alpha[1:], sigma[1:])
    steps = reverse_step(NoiseLevel(alpha[:-1], sigma[:-1]), noisier)
    error = lambda denoiser, level: affine_denoiser_error(denoiser, level, *data)
    errors = jax.vmap(error)(denoisers, noisier)
    left = steps.variance[1:] / variances[1:]
    seen = steps.of_data[1:] ** 2 / variances[1:] * errors[1:]
    square = alpha[-1] ** 2 * (data.mean @ data.mean + jnp.trace(data.covariance))
    pulls = steps.of_noisier, steps.of_data, *denoisers, variances
    return GaussianBound(
        0.5 * (square / prior + size * excess(sigma[-1] ** 2 / prior)),
        0.5 * (seen + size * excess(left)),
        0.5 * (errors[0] / variances[0] + size * jnp.log(2 * jnp.pi * variances[0])),
        _cross_entropy(data, _chain_law(pulls, prior, size)),
    )


def _chain_law(steps: tuple[Array, ...], prior: Array, size: int) -> Moments:
    """The law of the model's x_0: all reverse steps from the prior, the last first."""
    eye = jnp.eye(size, dtype=prior.dtype)

    def step(law: Moments, at: tuple[Array, ...]) -> tuple[Moments, None]:
        of_noisier, of_data, gain, offset, variance = at
        gain = of_noisier * eye + of_data * gain
        mean = gain @ law.mean + of_data * offset
        return Moments(mean, gain @ law.covariance @ gain.T + variance * eye), None

    start = Moments(jnp.zeros(size, prior.dtype), prior * eye)
    return jax.lax.scan(step, start, steps, reverse=True)[0]


def _cross_entropy(data: Moments, model: Moments) -> Scalar:
    r"""$-E\log N(x; m', C')$ for x of the data's moments."""
    root = jnp.linalg.cholesky(model.covariance)
    solve = lambda right: jax.scipy.linalg.solve_triangular(root, right, lower=True)
    shift = solve(data.mean - model.mean)
    # tr C'^-1 C, by a product that is symmetric without a root of C, which may be singular.
    trace = jnp.trace(solve(solve(data.covariance).T))
    log_det = 2 * jnp.sum(jnp.log(jnp.diagonal(root)))
    return 0.5 * (data.mean.size * jnp.log(2 * jnp.pi) + log_det + trace + shift @ shift)


def _check_steps(count: int, size: int, gains: Array, offsets: Array, variances: Array) -> None:
    expected = (count, size, size), (count, size), (count,)
    if (gains.shape, offsets.shape, variances.shape) != expected:
        got = f"{gains.shape}, {offsets.shape} and {variances.shape}"
        raise ValueError(
            f"gains, offsets and variances must have the shapes {expected[0]}, {expected[1]} and "
            f"{expected[2]}, got {got}."
        )
