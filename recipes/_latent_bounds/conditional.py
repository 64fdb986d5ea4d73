r"""Conditional densities $P(t|x^*) = \int p(t|z)\,p(z|x^*)\,dz$, by importance sampling.

Codes are drawn from the prior, or from a proposal near the posterior, and weighted by
$p(x^*|z)\,p(z)/q(z)$. $x^*$ is a part of a point and t the rest of it; or $x^*$ is a whole point
and t a further one with the same code, the predictive density.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import multivariate_normal
from jaxtyping import Array, Bool, Float, PRNGKeyArray

import theory
from recipes._latent_bounds.exact import Decoded, Decoder, log_densities

FROM_PRIOR = 4
"""One code in so many comes from the prior even where there is a proposal.

A proposal that is narrower than the posterior would give weights without a bound; mixed so, none is
above FROM_PRIOR times the likelihood (Hesterberg 1995, Technometrics 37(2)).
"""


class Case(NamedTuple):
    """Entries that are known and entries that are asked for, booleans of shape `(d,)`."""

    name: str
    observed: Bool[np.ndarray, " d"]
    target: Bool[np.ndarray, " d"]


def cases_of(observed: np.ndarray) -> tuple[Case, Case]:
    """The rest of a point given its `observed` part; a further point given a whole one."""
    everything = np.ones_like(observed)
    return Case("rest given a part", observed, ~observed), Case(
        "further point given a whole one", everything, everything
    )


class Estimates(NamedTuple):
    """Estimated log conditional densities of n points, nats, and effective samples: `(n,)`."""

    value: Float[Array, " n"]
    effective_samples: Float[Array, " n"]


def weighted_codes(
    decode: Decoder, proposal: theory.Moments | None, samples: int, size: int, key: PRNGKeyArray
) -> Decoded:
    r"""Codes of the prior, or of a mixture of it and a Gaussian proposal, with $\log p(z)/q(z)$.

    - `proposal`: mean `(k,)` and covariance `(k, k)`. `size`: k.
    """
    codes = jax.random.normal(key, (samples, size))
    ratios: Array = jnp.zeros(samples)
    if proposal is not None:
        own = samples // FROM_PRIOR
        root = jnp.linalg.cholesky(proposal.covariance)
        codes = jnp.where(
            (jnp.arange(samples) < own)[:, None], codes, proposal.mean[None] + codes @ root.T
        )
        log_prob = jax.vmap(multivariate_normal.logpdf, in_axes=(0, None, None))
        prior = log_prob(codes, jnp.zeros(size), jnp.eye(size))
        near = log_prob(codes, proposal.mean, proposal.covariance)
        share = own / samples
        mixed = jnp.logaddexp(jnp.log(share) + prior, jnp.log1p(-share) + near)
        ratios = jnp.asarray(prior - mixed)
    return Decoded(codes, ratios, *decode(codes))


@eqx.filter_jit
def estimates(
    decode: Decoder,
    points: Float[Array, "n d"],
    proposals: theory.Moments | None,
    observed: Bool[Array, " d"],
    target: Bool[Array, " d"],
    samples: int,
    size: int,
    key: PRNGKeyArray,
) -> Estimates:
    """Self-normalised importance sampling of every point, with codes of its own.

    - `proposals`: means `(n, k)` and covariances `(n, k, k)`, or `None` for the prior.
    """

    def of(given: Any) -> Estimates:
        point, proposal, key = given
        law = weighted_codes(decode, proposal, samples, size, key)
        weights = law.log_weights + law.fits(point, observed)
        both = weights + law.fits(point, target)
        found = theory.importance_log_likelihood(weights)
        return Estimates(theory.log_mean_exp(both) - found.value, found.effective_samples)

    return jax.lax.map(of, (points, proposals, jax.random.split(key, len(points))))


@eqx.filter_jit
def completions(
    decode: Decoder,
    points: Float[Array, "n d"],
    proposals: theory.Moments | None,
    observed: Bool[Array, " d"],
    samples: int,
    size: int,
    count: int,
    key: PRNGKeyArray,
) -> tuple[Float[Array, "n r d"], Float[Array, "n r d"]]:
    """`count` draws of codes given each point's observed part: their means, and points of them.

    Codes are resampled by their weights; observed entries keep their values.
    """

    def of(given: Any) -> tuple[Array, Array]:
        point, proposal, key = given
        key_codes, key_choice, key_noise = jax.random.split(key, 3)
        law = weighted_codes(decode, proposal, samples, size, key_codes)
        weights = law.log_weights + law.fits(point, observed)
        chosen = jax.random.categorical(key_choice, weights, shape=(count,))
        means = law.means[chosen]
        noise = jax.random.normal(key_noise, means.shape)
        kept = lambda rest: jnp.where(observed[None], point[None], rest)
        return kept(means), kept(means + jnp.exp(law.log_deviations[chosen]) * noise)

    return jax.lax.map(of, (points, proposals, jax.random.split(key, len(points))))


def exact_conditional(law: Decoded, points: np.ndarray, case: Case) -> np.ndarray:
    """The log conditional densities by quadrature: `law` on nodes of the prior."""
    both = case.observed.astype(int) + case.target
    return log_densities(law, points, both) - log_densities(law, points, case.observed)


def exact_mean(law: Decoded, point: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """The mean of a point given its observed part, by quadrature; observed entries keep theirs."""
    with jax.enable_x64(True):
        fits = law.fits(jnp.asarray(point, jnp.float64), jnp.asarray(observed))
        shares = jax.nn.softmax(law.log_weights + fits)
        return np.where(observed, point, np.asarray(shares @ law.means))
