"""Optimal discriminator of a GAN, its value $V(D, G)$, and exact generator gradients."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Number, check_same_shape, floats, on_nodes
from theory._numeric import Estimate, Scalar, joint_error, log_ratio, mean_estimate, zero_times
from theory.divergences.kl_js_tv import js_density
from theory.quadrature import Quadrature


def optimal_logit(log_p_data: ArrayInput, log_p_gen: ArrayInput) -> Float[Array, "..."]:
    r"""The logit of $D^*$: $\log p_d - \log p_g$, or 0 where neither has mass."""
    log_p_data, log_p_gen = floats(log_p_data, log_p_gen)
    check_same_shape(log_p_data=log_p_data, log_p_gen=log_p_gen)
    neither = (log_p_data == -jnp.inf) & (log_p_gen == -jnp.inf)
    return log_ratio(log_p_data, log_p_gen, neither)


def optimal_discriminator(log_p_data: ArrayInput, log_p_gen: ArrayInput) -> Float[Array, "..."]:
    r"""$D^*(x) = \dfrac{p_d(x)}{p_d(x) + p_g(x)}$, from log densities of any size.

    **Arguments:**

    - `log_p_data`, `log_p_gen`: at the same points, of one shape.

    **Returns:** the same shape, in $[0, 1]$; $\tfrac12$ where neither has mass, where any value is
    optimal.

    !!! cite "Source"

        Goodfellow et al. (2014), arXiv:1406.2661, proposition 1.
    """
    return jax.nn.sigmoid(optimal_logit(log_p_data, log_p_gen))


def discriminator_value(
    log_p_data: ArrayInput, log_p_gen: ArrayInput, logits: ArrayInput, weights: ArrayInput
) -> Scalar:
    r"""$V(D, G) = \int p_d \log D + p_g\log(1 - D)$ for any $D$, in nats.

    **Arguments:**

    - `log_p_data`, `log_p_gen`: log densities at quadrature nodes, shape `(k,)`.
    - `logits`: of $D$ at the nodes, of any size, infinite included.
    - `weights`: of the nodes.

    **Returns:** shape `()`, at most $-\log 4 + 2\,\mathrm{JS}(p_d, p_g)$.

    !!! cite "Source"

        Goodfellow et al. (2014), arXiv:1406.2661, equations 1 and 3.
    """
    logits, log_p_data, log_p_gen, weights = floats(logits, log_p_data, log_p_gen, weights)
    log_p_data, log_p_gen, weights = on_nodes(log_p_data, log_p_gen, weights)
    check_same_shape(logits=logits, log_p_data=log_p_data)
    on_data = zero_times(weights * jnp.exp(log_p_data), jax.nn.log_sigmoid(logits))
    on_generated = zero_times(weights * jnp.exp(log_p_gen), jax.nn.log_sigmoid(-logits))
    return jnp.sum(on_data) + jnp.sum(on_generated)


def discriminator_value_samples(real_logits: ArrayInput, fake_logits: ArrayInput) -> Estimate:
    r"""$V(D, G)$ from a discriminator's logits on samples, in nats, with its standard error."""
    real_logits, fake_logits = floats(real_logits, fake_logits)
    left, right = (mean_estimate(jax.nn.log_sigmoid(v)) for v in (real_logits, -fake_logits))
    return Estimate(left.value + right.value, joint_error(left, right))


def value_from_js(js: ArrayInput) -> Float[Array, "..."]:
    r"""$-\log 4 + 2\,\mathrm{JS}$: the value at $D^*$ of a pair with that divergence, in nats.

    !!! cite "Source"

        Goodfellow et al. (2014), arXiv:1406.2661, theorem 1.
    """
    (js,) = floats(js)
    return 2 * js - jnp.log(4.0)


def value_at_optimal_discriminator(
    log_p_data: ArrayInput, log_p_gen: ArrayInput, weights: ArrayInput
) -> Scalar:
    r"""$C(G) = \max_D V(D, G) = -\log 4 + 2\,\mathrm{JS}(p_d, p_g)$, by quadrature, in nats.

    The arguments are those of `discriminator_value`. $-\log 4$ if and only if $p_d = p_g$.
    """
    return value_from_js(js_density(log_p_data, log_p_gen, weights))


class GeneratorGradients(NamedTuple):
    """Gradients with respect to (shift, log scale), each of shape `(2,)`, with D* held fixed.

    - `minimax`: of $\\mathbb{E}\\log(1 - D^*(g))$. `non_saturating`: of $-\\mathbb{E}\\log D^*(g)$.
    """

    minimax: Float[Array, " 2"]
    non_saturating: Float[Array, " 2"]


def generator_gradients(
    log_p_data: Callable[[Scalar], Scalar],
    log_p_latent: Callable[[Scalar], Scalar],
    shift: Number,
    log_scale: Number,
    latent: Quadrature,
) -> GeneratorGradients:
    r"""Exact gradients of both generator losses for $g(z) = \text{shift} + e^{\text{log scale}} z$.

    The discriminator is $D^*$ of the generator's *present* law and does not move with it, as in a
    generator step after a discriminator trained to optimality. With $a = \log p_d - \log p_g$,

    $$\nabla\,\mathbb{E}\log(1 - D^*) = -\mathbb{E}[\sigma(a)\,a'(g)\,\partial g], \qquad
      -\nabla\,\mathbb{E}\log D^* = -\mathbb{E}[\sigma(-a)\,a'(g)\,\partial g].$$

    Their sum is the gradient of $\mathrm{KL}(p_g\|p_d)$; the first alone is that of
    $2\,\mathrm{JS}$, and vanishes with $\sigma(a)$ as the laws part: it saturates.

    **Arguments:**

    - `log_p_data`, `log_p_latent`: log densities on the line, one point to one number.
    - `shift`, `log_scale`: the generator, shape `()` each.
    - `latent`: quadrature over the latent, nodes and weights of shape `(k,)`.

    !!! cite "Source"

        Goodfellow et al. (2014), section 3; Arjovsky & Bottou (2017), arXiv:1701.04862, theorem
        2.5.
    """
    shift, log_scale, nodes, weights = floats(shift, log_scale, latent.nodes, latent.weights)
    scale = jnp.exp(log_scale)
    log_p_gen = lambda x: log_p_latent((x - shift) / scale) - log_scale
    points = shift + scale * nodes
    logit = lambda x: log_p_data(x) - log_p_gen(x)
    logits, slopes = jax.vmap(jax.value_and_grad(logit))(points)
    mass = weights * jnp.exp(jax.vmap(log_p_latent)(nodes))
    moved = jnp.stack([jnp.ones_like(points), scale * nodes])  # d g / d (shift, log scale)
    gradient = lambda share: -moved @ (mass * share * slopes)
    return GeneratorGradients(gradient(jax.nn.sigmoid(logits)), gradient(jax.nn.sigmoid(-logits)))
