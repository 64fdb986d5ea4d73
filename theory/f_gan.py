r"""The variational duals of f-divergences: what an f-GAN's critic maximises."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._numeric import Estimate, Scalar, mean_estimate, zero_times
from theory.f_divergences import FDivergence, log_ratio_where_mass


def optimal_critic(
    divergence: FDivergence, log_p: Float[Array, "..."], log_q: Float[Array, "..."]
) -> Float[Array, "..."]:
    r"""$T^* = f'(p/q)$: the critic at which the dual value is the divergence.

    !!! cite "Source"

        Nguyen, Wainwright & Jordan (2010), IEEE Trans. Information Theory 56(11), lemma 1.
    """
    return divergence.critic(log_ratio_where_mass(log_p, log_q))


def dual_value(
    divergence: FDivergence,
    critic: Float[Array, " k"],
    log_p: Float[Array, " k"],
    log_q: Float[Array, " k"],
    weights: Float[Array, " k"],
) -> Scalar:
    r"""$\mathbb{E}_p T - \mathbb{E}_q f^*(T)$: at most $D_f(p\|q)$, whatever the critic.

    **Arguments:**

    - `critic`: $T$ at the nodes, in the domain of $f^*$: the activation of a network's output.
    - `log_p`, `log_q`, `weights`: those of `kl_density`.

    **Returns:** shape `()`; $-\infty$ if $T$ leaves the domain where $q$ has mass.

    !!! cite "Source"

        Nowozin, Cseke & Tomioka (2016), arXiv:1606.00709, equation 4.
    """
    on_p = zero_times(weights * jnp.exp(log_p), critic)
    on_q = zero_times(weights * jnp.exp(log_q), divergence.conjugate(critic))
    return jnp.sum(on_p - on_q)


def dual_value_samples(
    divergence: FDivergence, critic_at_p: Float[Array, " n"], critic_at_q: Float[Array, " m"]
) -> Estimate:
    r"""The dual value from a critic's values on samples of both laws, with its standard error."""
    left = mean_estimate(critic_at_p)
    right = mean_estimate(divergence.conjugate(critic_at_q))
    error = jnp.sqrt(left.standard_error**2 + right.standard_error**2)
    return Estimate(left.value - right.value, error)
