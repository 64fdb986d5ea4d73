r"""The aggregated posterior of an encoder, exactly: a mixture of one Gaussian a data point.

$q(z) = \frac1n\sum_i N(z; \mu_i, \operatorname{diag}\sigma_i^2)$. All pairs of points are seen, in
blocks of bounded memory.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Number, check_clouds, check_points, check_same_shape, floats
from theory._numeric import Estimate, Scalar, all_numbers, mean_estimate, nan_unless
from theory.latent.bounds import kl_standard_normal

_PAIRS = 2**22  # numbers of a block


class Surgery(NamedTuple):
    r"""The rate and its two parts, in nats.

    - `rate`: $E_x\mathrm{KL}(q(z|x)\|p(z))$, exact.
    - `mutual_information`: $I_q(x; z)$, at most $\log n$.
    - `aggregated_gap`: $\mathrm{KL}(q(z)\|p(z))$.
    """

    rate: Scalar
    mutual_information: Estimate
    aggregated_gap: Estimate


def aggregated_log_prob(
    z: ArrayInput, means: ArrayInput, log_deviations: ArrayInput
) -> Float[Array, " m"]:
    r"""$\log q(z)$ of the aggregated posterior.

    **Arguments:**

    - `z`: shape `(m, k)`. `means`, `log_deviations`: of the n codes, shape `(n, k)`.

    **Returns:** shape `(m,)`.
    """
    z, means, log_deviations = floats(z, means, log_deviations)
    check_clouds(z=z, means=means)
    check_same_shape(means=means, log_deviations=log_deviations)
    shrink = jnp.exp(-log_deviations)
    heights = -jnp.sum(log_deviations + 0.5 * jnp.log(2 * jnp.pi), axis=1)

    def at(point):
        white = (point[None] - means) * shrink
        return jax.scipy.special.logsumexp(heights - 0.5 * jnp.sum(white**2, axis=1))

    block = max(1, min(len(z), _PAIRS // means.size))
    return jax.lax.map(at, z, batch_size=block) - jnp.log(jnp.asarray(len(means), z.dtype))


def elbo_surgery(means: ArrayInput, log_deviations: ArrayInput, noise: ArrayInput) -> Surgery:
    r"""The rate of a VAE as information about the data and distance from the prior.

    $$E_x\mathrm{KL}(q(z|x)\|p(z)) = I_q(x; z) + \mathrm{KL}(q(z)\|p(z))$$

    for the empirical law of the n points that are given, whose aggregated posterior is exact: the
    two estimates have no bias, and add up to the rate within their errors.

    **Arguments:**

    - `means`, `log_deviations`: of the codes $q(z|x_i)$, shape `(n, k)`.
    - `noise`: standard normal draws, shape `(n, k)`: one sample of every code.

    !!! cite "Source"

        Hoffman & Johnson (2016), "ELBO surgery: yet another way to carve up the variational
        evidence lower bound", NIPS workshop.
    """
    means, log_deviations, noise = floats(means, log_deviations, noise)
    check_points("means", means)
    check_same_shape(means=means, log_deviations=log_deviations, noise=noise)
    z = means + jnp.exp(log_deviations) * noise
    half_log = 0.5 * jnp.log(2 * jnp.pi)
    own = -jnp.sum(0.5 * noise**2 + log_deviations + half_log, axis=1)
    prior = -jnp.sum(0.5 * z**2 + half_log, axis=1)
    mixed = aggregated_log_prob(z, means, log_deviations)
    rate = jnp.mean(jnp.sum(kl_standard_normal(means, log_deviations), axis=1))
    return Surgery(rate, mean_estimate(own - mixed), mean_estimate(mixed - prior))


def unit_activity(means: ArrayInput) -> Float[Array, " k"]:
    r"""$\operatorname{Var}_x E_q[z_j|x]$ of every unit: 0 for one that does not look at the data.

    **Arguments:**

    - `means`: of the codes, shape `(n, k)`.

    !!! cite "Source"

        Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519, section 5.2.
    """
    (means,) = floats(means)
    check_points("means", means)
    return jnp.var(means, axis=0)


def count_active_units(means: ArrayInput, threshold: Number = 0.01) -> Scalar:
    """The number of units whose `unit_activity` is above the threshold.

    For a linear VAE `active_units` predicts it.

    **Returns:** a whole number in floating point, shape `()`; NaN for NaN.
    """
    activity = unit_activity(means)
    active = activity > floats(threshold, activity)[0].astype(activity.dtype)
    return nan_unless(all_numbers(activity), jnp.sum(active.astype(activity.dtype)))
