"""Variational duals of f-divergences: the objective that an f-GAN's critic maximises."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, check_same_shape, floats, on_nodes
from theory._numeric import Estimate, Scalar, joint_error, mean_estimate, zero_times
from theory.divergences.f_divergences import FDivergence, log_ratio_where_mass


def optimal_critic(
    divergence: FDivergence, log_p: ArrayInput, log_q: ArrayInput
) -> Float[Array, "..."]:
    r"""$T^* = f'(p/q)$: the critic at which the dual value is the divergence.

    !!! cite "Source"

        Nguyen, Wainwright & Jordan (2010), IEEE Trans. Information Theory 56(11), lemma 1.
    """
    log_p, log_q = floats(log_p, log_q)
    check_same_shape(log_p=log_p, log_q=log_q)
    return divergence.critic(log_ratio_where_mass(log_p, log_q))


def dual_value(
    divergence: FDivergence,
    critic: ArrayInput,
    log_p: ArrayInput,
    log_q: ArrayInput,
    weights: ArrayInput,
) -> Scalar:
    r"""$\mathbb{E}_p T - \mathbb{E}_q f^*(T)$: at most $D_f(p\|q)$, whatever the critic.

    **Arguments:**

    - `critic`: $T$ at the nodes, in the domain of $f^*$: the activation of a network's output.
    - `log_p`, `log_q`, `weights`: those of `kl_density`.

    **Returns:** shape `()`; $-\infty$ if $T$ leaves the domain where $q$ has mass.

    !!! cite "Source"

        Nowozin, Cseke & Tomioka (2016), arXiv:1606.00709, equation 4.
    """
    critic, log_p, log_q, weights = floats(critic, log_p, log_q, weights)
    log_p, log_q, weights = on_nodes(log_p, log_q, weights)
    check_same_shape(critic=critic, log_p=log_p)
    on_p = zero_times(weights * jnp.exp(log_p), critic)
    on_q = zero_times(weights * jnp.exp(log_q), divergence.conjugate(critic))
    return jnp.sum(on_p - on_q)


def dual_value_samples(
    divergence: FDivergence, critic_at_p: ArrayInput, critic_at_q: ArrayInput
) -> Estimate:
    r"""The dual value from a critic's values on samples of both laws, with its standard error."""
    critic_at_p, critic_at_q = floats(critic_at_p, critic_at_q)
    left = mean_estimate(critic_at_p)
    right = mean_estimate(divergence.conjugate(critic_at_q))
    error = joint_error(left, right)
    return Estimate(left.value - right.value, error)
