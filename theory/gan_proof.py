r"""The proof that a GAN's optimum is $p_g = p_d$, one function for each step.

1. `lotus`: an expectation over latents is one over the law of $g(z)$, so that $V(D, G)$ is an
   integral over $x$.
2. `pointwise_value`: its integrand is $a\log y + b\log(1 - y)$, greatest at
   `pointwise_maximiser` $= a/(a+b)$, which is $D^*$.
3. `first_variation` and `second_variation`: the same, from a perturbation of the whole function.
4. `value_gap`: what any other discriminator lacks, as a divergence: never negative.
5. `theory.value_at_optimal_discriminator`: what is left is $-\log 4 + 2\,\mathrm{JS}$.
6. `saturation_curve`: why the generator that minimises it learns slowly from afar.

Goodfellow et al. (2014), arXiv:1406.2661, section 4.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._numeric import Scalar, zero_times
from theory.gan import GeneratorGradients, generator_gradients
from theory.quadrature import Quadrature


def lotus(
    function: Callable[[Scalar], Scalar],
    generator: Callable[[Scalar], Scalar],
    log_p_latent: Callable[[Scalar], Scalar],
    latent: Quadrature,
) -> Scalar:
    r"""$\mathbb{E}_z f(g(z)) = \int f(g(z))\,p_z(z)\,dz$: the density of $g(z)$ is never needed.

    **Arguments:**

    - `function`, `generator`, `log_p_latent`: one point to one number.
    - `latent`: quadrature over the latent, nodes and weights of shape `(k,)`.
    """
    values = jax.vmap(lambda z: function(generator(z)))(latent.nodes)
    mass = jnp.exp(jax.vmap(log_p_latent)(latent.nodes))
    return jnp.sum(latent.weights * mass * values)


def pushforward_log_prob(
    generator: Callable[[Scalar], Scalar], log_p_latent: Callable[[Scalar], Scalar], z: Scalar
) -> Scalar:
    r"""$\log p_g(g(z)) = \log p_z(z) - \log|g'(z)|$ for a generator that is monotone on the line.

    **Returns:** the log density *at the point* $g(z)$, shape `()`; infinite where $g' = 0$.
    """
    return log_p_latent(z) - jnp.log(jnp.abs(jax.grad(generator)(z)))


def pointwise_value(
    a: Float[Array, "..."], b: Float[Array, "..."], y: Float[Array, "..."]
) -> Float[Array, "..."]:
    r"""$a\log y + b\log(1 - y)$ with $0\log 0 = 0$; strictly concave in $y$ if $a + b > 0$.

    **Arguments:** $a, b \ge 0$ and $y \in [0, 1]$, of one shape.
    """
    return zero_times(a, jnp.log(y)) + zero_times(b, jnp.log1p(-y))


def pointwise_maximiser(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\arg\max_y a\log y + b\log(1-y) = a/(a+b)$; $\tfrac12$, as good as any, if both are 0."""
    total = a + b
    return jnp.where(total > 0, a / jnp.where(total > 0, total, 1), 0.5)


def pointwise_curvature(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""The second derivative there, $-(a+b)^3/(ab)$: negative, so that it is a maximum.

    $-\infty$ where only one of the two is 0: the maximum is then at an end of $[0, 1]$.
    """
    share = pointwise_maximiser(a, b)
    total = a + b
    return jnp.where(total > 0, -total / (share * (1 - share)), 0.0)


def first_variation(
    log_p_data: Float[Array, " k"],
    log_p_gen: Float[Array, " k"],
    discriminator: Float[Array, " k"],
    direction: Float[Array, " k"],
    weights: Float[Array, " k"],
) -> Scalar:
    r"""$\frac{d}{dt}V(D + t\eta, G)\big|_0 = \int\left(\frac{p_d}{D} - \frac{p_g}{1-D}\right)\eta$.

    Zero for every direction if and only if $D = D^*$ wherever one of the laws has mass.

    **Arguments:**

    - `log_p_data`, `log_p_gen`: log densities at quadrature nodes, shape `(k,)`.
    - `discriminator`: values of $D$ at the nodes, in $(0, 1)$.
    - `direction`: values of $\eta$. `weights`: of the nodes.
    """
    slope = jnp.exp(log_p_data) / discriminator - jnp.exp(log_p_gen) / (1 - discriminator)
    return jnp.sum(weights * slope * direction)


def second_variation(
    log_p_data: Float[Array, " k"],
    log_p_gen: Float[Array, " k"],
    discriminator: Float[Array, " k"],
    direction: Float[Array, " k"],
    weights: Float[Array, " k"],
) -> Scalar:
    r"""$-\int\left(\frac{p_d}{D^2} + \frac{p_g}{(1-D)^2}\right)\eta^2$: negative at every $D$.

    At $D^*$ the bracket is $(p_d+p_g)^3/(p_d p_g)$. The arguments are those of `first_variation`.
    """
    bend = jnp.exp(log_p_data) / discriminator**2 + jnp.exp(log_p_gen) / (1 - discriminator) ** 2
    return -jnp.sum(weights * bend * direction**2)


def value_gap(
    log_p_data: Float[Array, " k"],
    log_p_gen: Float[Array, " k"],
    logits: Float[Array, " k"],
    weights: Float[Array, " k"],
) -> Scalar:
    r"""$C(G) - V(D, G) = \int (p_d+p_g)\,\mathrm{KL}(\mathrm{Bern}(D^*)\|\mathrm{Bern}(D))$.

    What a discriminator loses against the best one, in nats: never negative, and 0 only if
    $D = D^*$ wherever there is mass. The arguments are those of `discriminator_value`.
    """
    best = log_p_data - log_p_gen
    on_data = jax.nn.log_sigmoid(best) - jax.nn.log_sigmoid(logits)
    on_generated = jax.nn.log_sigmoid(-best) - jax.nn.log_sigmoid(-logits)
    gap = zero_times(jnp.exp(log_p_data), on_data) + zero_times(jnp.exp(log_p_gen), on_generated)
    return jnp.sum(weights * gap)


def saturation_curve(
    log_p_data: Callable[[Scalar], Scalar],
    log_p_latent: Callable[[Scalar], Scalar],
    shifts: Float[Array, " n"],
    latent: Quadrature,
) -> GeneratorGradients:
    r"""Both generator gradients in the shift of $g(z) = \text{shift} + z$, as curves.

    With $D^*$ of each shift. The minimax gradient is that of $2\,\mathrm{JS}$, which is bounded,
    and so must fall to 0; the other is that of $\mathrm{KL}(p_g\|p_d) - 2\,\mathrm{JS}$.

    **Arguments:**

    - `shifts`: shape `(n,)`. The others are those of `generator_gradients`.

    **Returns:** `minimax` and `non_saturating`, each of shape `(n,)`.
    """
    at = lambda s: generator_gradients(log_p_data, log_p_latent, s, jnp.zeros_like(s), latent)
    curves = jax.vmap(at)(shifts)
    return GeneratorGradients(curves.minimax[:, 0], curves.non_saturating[:, 0])


def saturation_bound(shift: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\tfrac12|\theta|e^{-\theta^2/8}$: a bound of the minimax gradient between unit normals.

    With $a = \log p_d - \log p_g$ the gradient's size is $|\theta|\,\mathbb{E}_{p_g}\sigma(a)$,
    and $\sigma(a) \le \tfrac12 e^{a/2}$, whose mean under $p_g$ is half of
    $\int\sqrt{p_d p_g} = e^{-\theta^2/8}$.
    """
    return 0.5 * jnp.abs(shift) * jnp.exp(-(shift**2) / 8)
