r"""f-divergences $D_f(p\|q) = \int q\,f(p/q)$ with their conjugates and optimal critics.

Each is a convex $f$ with $f(1) = 0$, given by its values at *logarithms* of ratios, so that ratios
of any size are safe. Sums, integrals and samples are all in nats where there is a logarithm.
"""

from collections.abc import Callable
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, on_nodes, on_samples, probability_vectors
from theory._numeric import Estimate, Scalar, half_of_each, log_or_minus_inf, log_ratio, zero_times

Pointwise: TypeAlias = Callable[[Float[Array, "..."]], Float[Array, "..."]]


class FDivergence(eqx.Module):
    r"""An f-divergence: its generator and its dual, as pointwise functions.

    - `generator`: $\log u \mapsto f(u)$.
    - `adjoint`: $\log w \mapsto w f(1/w)$, the generator of the divergence the other way round.
    - `conjugate`: $t \mapsto f^*(t) = \sup_{u \ge 0} ut - f(u)$, infinite outside its domain.
    - `critic`: $\log u \mapsto f'(u)$, the optimal critic at a point with $p/q = u$.
    - `activation`: increasing, from all numbers into the domain of $f^*$: what a network's last
      layer has to be.

    !!! cite "Source"

        Nowozin, Cseke & Tomioka (2016), arXiv:1606.00709, tables 1, 2 and 5. Two conventions
        differ: JS and Hellinger carry a factor 1/2 (they are at most $\log 2$ and 1), and
        activations that decrease there have their sign turned, so that all increase.
    """

    generator: Pointwise = eqx.field(static=True)
    adjoint: Pointwise = eqx.field(static=True)
    conjugate: Pointwise = eqx.field(static=True)
    critic: Pointwise = eqx.field(static=True)
    activation: Pointwise = eqx.field(static=True)


def _u_log_u(log_u: Float[Array, "..."]) -> Float[Array, "..."]:
    return zero_times(jnp.exp(log_u), log_u)


def _below(limit: float, formula: Pointwise) -> Pointwise:
    """The formula below a limit and infinity from there on, safe to differentiate."""

    def conjugate(t: Float[Array, "..."]) -> Float[Array, "..."]:
        outside = t >= limit
        return jnp.where(outside, jnp.inf, formula(jnp.where(outside, limit - 1.0, t)))

    return conjugate


_LOG2 = 0.6931471805599453


def _gan(log_u: Float[Array, "..."]) -> Float[Array, "..."]:
    return _u_log_u(log_u) - (1 + jnp.exp(log_u)) * jax.nn.softplus(log_u)


def _js(log_u: Float[Array, "..."]) -> Float[Array, "..."]:
    return 0.5 * (_gan(log_u) + (1 + jnp.exp(log_u)) * _LOG2)


def _log_two_share(v: Float[Array, "..."]) -> Float[Array, "..."]:
    return 0.5 * (_LOG2 + jax.nn.log_sigmoid(v))


def _tv(log_u: Float[Array, "..."]) -> Float[Array, "..."]:
    return 0.5 * jnp.abs(jnp.expm1(log_u))


def _tv_conjugate(t: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.where(t > 0.5, jnp.inf, jnp.maximum(t, -0.5))


def _hellinger(log_u: Float[Array, "..."]) -> Float[Array, "..."]:
    return 0.5 * jnp.expm1(0.5 * log_u) ** 2


def _pearson(log_u: Float[Array, "..."]) -> Float[Array, "..."]:
    return jnp.expm1(log_u) ** 2


def _pearson_conjugate(t: Float[Array, "..."]) -> Float[Array, "..."]:
    clipped = jnp.maximum(t, -2.0)  # below -2 the supremum is at u = 0
    return clipped * (1 + 0.25 * clipped)


def _neyman(log_u: Float[Array, "..."]) -> Float[Array, "..."]:
    return 4 * jnp.sinh(0.5 * log_u) ** 2


F_DIVERGENCES: dict[str, FDivergence] = {
    "kl": FDivergence(
        _u_log_u, jnp.negative, lambda t: jnp.exp(t - 1), lambda s: 1 + s, lambda v: v
    ),
    "reverse_kl": FDivergence(
        jnp.negative,
        _u_log_u,
        _below(0.0, lambda t: -1 - jnp.log(-t)),
        lambda s: -jnp.exp(-s),
        lambda v: -jnp.exp(-v),
    ),
    "js": FDivergence(
        _js,
        _js,
        _below(0.5 * _LOG2, lambda t: -0.5 * jnp.log(2 - jnp.exp(2 * t))),
        _log_two_share,
        _log_two_share,
    ),
    "gan": FDivergence(
        _gan,
        _gan,
        _below(0.0, lambda t: -jnp.log(-jnp.expm1(t))),
        jax.nn.log_sigmoid,
        jax.nn.log_sigmoid,
    ),
    "tv": FDivergence(
        _tv, _tv, _tv_conjugate, lambda s: 0.5 * jnp.sign(s), lambda v: 0.5 * jnp.tanh(v)
    ),
    "squared_hellinger": FDivergence(
        _hellinger,
        _hellinger,
        _below(0.5, lambda t: t / (1 - 2 * t)),
        lambda s: -0.5 * jnp.expm1(-0.5 * s),
        lambda v: -0.5 * jnp.expm1(-v),
    ),
    "pearson": FDivergence(
        _pearson, _neyman, _pearson_conjugate, lambda s: 2 * jnp.expm1(s), lambda v: v
    ),
    "neyman": FDivergence(
        _neyman,
        _pearson,
        _below(1.0, lambda t: 2 - 2 * jnp.sqrt(1 - t)),
        lambda s: -jnp.expm1(-2 * s),
        lambda v: -jnp.expm1(-v),
    ),
}
r"""By name. `gan` is $2\,\mathrm{JS} - \log 4$, the value of Goodfellow's game, so that
$f(1) \ne 0$; `pearson` is $\int (p-q)^2/q$ and `neyman` $\int (p-q)^2/p$; `squared_hellinger`
is $1 - \int\sqrt{pq}$."""


def f_divergence_density(
    divergence: FDivergence, log_p: ArrayInput, log_q: ArrayInput, weights: ArrayInput
) -> Scalar:
    r"""$\int q\,f(p/q)$ from log densities at quadrature nodes.

    Where $q$ has no mass the integrand is $p\lim_{u\to\infty} f(u)/u$, as for every f-divergence.

    **Arguments:** those of `kl_density`.

    **Returns:** shape `()`; infinite where the definition is, NaN for NaN in any of them.
    """
    log_p, log_q, weights = on_nodes(log_p, log_q, weights)
    term = _by_the_larger(divergence, log_ratio_where_mass(log_p, log_q))
    return jnp.sum(zero_times(weights * jnp.exp(jnp.maximum(log_p, log_q)), term))


def _by_the_larger(divergence: FDivergence, log_u: Float[Array, "..."]) -> Float[Array, "..."]:
    """$q f(p/q)$ over the larger of p and q, from a ratio of at most 1."""
    ahead = log_u > 0
    of_p = divergence.adjoint(jnp.where(ahead, -log_u, 0))
    of_q = divergence.generator(jnp.where(ahead, 0, log_u))
    return jnp.where(ahead, of_p, of_q)


def log_ratio_where_mass(
    log_p: Float[Array, "..."], log_q: Float[Array, "..."]
) -> Float[Array, "..."]:
    """log p - log q, or 0 where neither has mass."""
    return log_ratio(log_p, log_q, (log_p == -jnp.inf) & (log_q == -jnp.inf))


def f_divergence_discrete(divergence: FDivergence, p: ArrayInput, q: ArrayInput) -> Scalar:
    r"""$\sum q f(p/q)$ of two probability vectors; see `f_divergence_density`."""
    p, q = probability_vectors(p, q)
    return f_divergence_density(
        divergence, log_or_minus_inf(p), log_or_minus_inf(q), jnp.ones_like(p)
    )


def f_divergence_samples(
    divergence: FDivergence,
    log_p_at_p: ArrayInput,
    log_q_at_p: ArrayInput,
    log_p_at_q: ArrayInput,
    log_q_at_q: ArrayInput,
) -> Estimate:
    r"""$D_f(p\|q)$ from samples of both with exact log densities.

    The integral is taken under $(p + q)/2$, so that mass which only one law has is seen:
    $D_f = \tfrac12\mathbb{E}_p\varphi + \tfrac12\mathbb{E}_q\varphi$ with
    $\varphi = 2 q f(p/q)/(p + q)$.

    **Arguments:** those of `js_samples`.

    **Returns:** an unbiased estimate and its standard error (NaN for one sample).
    """

    def term(log_p, log_q):
        log_u = log_ratio_where_mass(log_p, log_q)
        return 2 * jax.nn.sigmoid(jnp.abs(log_u)) * _by_the_larger(divergence, log_u)

    at_p, at_q = on_samples(log_p_at_p, log_q_at_p, log_p_at_q, log_q_at_q)
    return half_of_each(term(*at_p), term(*at_q))
