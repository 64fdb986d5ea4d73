r"""Proof that a GAN's optimum is $p_g = p_d$, one function a step.

1. `lotus`: an expectation over latents is one over the law of $g(z)$, so that $V(D, G)$ is an
   integral over $x$.
2. `pointwise_value`: its integrand is $a\log y + b\log(1 - y)$, greatest at
   `pointwise_maximiser` $= a/(a+b)$, which is $D^*$.
3. `first_variation` and `second_variation`: the same, from a perturbation of the whole function.
4. `value_gap`: the loss of any other discriminator, as a divergence: never negative.
5. `theory.value_at_optimal_discriminator`: the remainder is $-\log 4 + 2\,\mathrm{JS}$.
6. `saturation_curve`: why the generator that minimises it learns slowly from afar.

Goodfellow et al. (2014), arXiv:1406.2661, section 4.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import (
    ArrayInput,
    broadcast,
    check_line,
    check_not_negative,
    check_same_shape,
    floats,
    on_nodes,
)
from theory._numeric import Scalar, safe_divide, zero_times
from theory.gans.optimum import GeneratorGradients, generator_gradients, optimal_logit
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


def pointwise_value(a: ArrayInput, b: ArrayInput, y: ArrayInput) -> Float[Array, "..."]:
    r"""$a\log y + b\log(1 - y)$ with $0\log 0 = 0$; strictly concave in $y$ if $a + b > 0$.

    **Arguments:** $a, b \ge 0$ and $y \in [0, 1]$, of one shape.
    """
    a, b, y = broadcast(a=a, b=b, y=y)
    check_not_negative(a=a, b=b)
    return zero_times(a, jnp.log(y)) + zero_times(b, jnp.log1p(-y))


def pointwise_maximiser(a: ArrayInput, b: ArrayInput) -> Float[Array, "..."]:
    r"""$\arg\max_y a\log y + b\log(1-y) = a/(a+b)$; $\tfrac12$, as good as any, if both are 0."""
    a, b = broadcast(a=a, b=b)
    check_not_negative(a=a, b=b)
    return safe_divide(a, a + b, otherwise=0.5)


def pointwise_curvature(a: ArrayInput, b: ArrayInput) -> Float[Array, "..."]:
    r"""The second derivative at the maximiser, $-(a+b)^3/(ab)$: negative, hence a maximum.

    Where one of the two is 0 the maximum is at an end of $[0, 1]$, and only the other term bends:
    $-a$ at $y = 1$ for $b = 0$, $-b$ at $y = 0$ for $a = 0$, and 0 if both are 0. It is not the
    limit of the formula, which is $-\infty$.
    """
    a, b = broadcast(a=a, b=b)
    share = pointwise_maximiser(a, b)
    inside = (a != 0) & (b != 0)
    spread = jnp.where(inside, share * (1 - share), 1)
    return -(a + b) / spread


def first_variation(
    log_p_data: ArrayInput,
    log_p_gen: ArrayInput,
    discriminator: ArrayInput,
    direction: ArrayInput,
    weights: ArrayInput,
) -> Scalar:
    r"""$\frac{d}{dt}V(D + t\eta, G)\big|_0 = \int\left(\frac{p_d}{D} - \frac{p_g}{1-D}\right)\eta$.

    Zero for every direction if and only if $D = D^*$ wherever one of the laws has mass.

    **Arguments:**

    - `log_p_data`, `log_p_gen`: log densities at quadrature nodes, shape `(k,)`.
    - `discriminator`: values of $D$ at the nodes, in $(0, 1)$.
    - `direction`: values of $\eta$. `weights`: of the nodes.
    """
    p_data, p_gen, d, eta, weights = _densities_and_direction(
        log_p_data, log_p_gen, discriminator, direction, weights
    )
    return jnp.sum(weights * (p_data / d - p_gen / (1 - d)) * eta)


def _densities_and_direction(
    log_p_data: ArrayInput,
    log_p_gen: ArrayInput,
    discriminator: ArrayInput,
    direction: ArrayInput,
    weights: ArrayInput,
) -> list[Float[Array, " k"]]:
    arrays = floats(log_p_data, log_p_gen, discriminator, direction, weights)
    names = ("log_p_data", "log_p_gen", "discriminator", "direction", "weights")
    check_same_shape(**dict(zip(names, arrays, strict=True)))
    return [jnp.exp(arrays[0]), jnp.exp(arrays[1]), *arrays[2:]]


def second_variation(
    log_p_data: ArrayInput,
    log_p_gen: ArrayInput,
    discriminator: ArrayInput,
    direction: ArrayInput,
    weights: ArrayInput,
) -> Scalar:
    r"""$-\int\left(\frac{p_d}{D^2} + \frac{p_g}{(1-D)^2}\right)\eta^2$: negative at every $D$.

    At $D^*$ the bracket is $(p_d+p_g)^3/(p_d p_g)$. The arguments are those of `first_variation`.
    """
    p_data, p_gen, d, eta, weights = _densities_and_direction(
        log_p_data, log_p_gen, discriminator, direction, weights
    )
    return -jnp.sum(weights * (p_data / d**2 + p_gen / (1 - d) ** 2) * eta**2)


def value_gap(
    log_p_data: ArrayInput, log_p_gen: ArrayInput, logits: ArrayInput, weights: ArrayInput
) -> Scalar:
    r"""$C(G) - V(D, G) = \int (p_d+p_g)\,\mathrm{KL}(\mathrm{Bern}(D^*)\|\mathrm{Bern}(D))$.

    The loss of a discriminator against the best one, in nats: never negative, and 0 only if
    $D = D^*$ wherever there is mass. The arguments are those of `discriminator_value`.
    """
    logits, log_p_data, log_p_gen, weights = floats(logits, log_p_data, log_p_gen, weights)
    log_p_data, log_p_gen, weights = on_nodes(log_p_data, log_p_gen, weights)
    check_same_shape(logits=logits, log_p_data=log_p_data)
    best = optimal_logit(log_p_data, log_p_gen)
    on_data = jax.nn.log_sigmoid(best) - jax.nn.log_sigmoid(logits)
    on_generated = jax.nn.log_sigmoid(-best) - jax.nn.log_sigmoid(-logits)
    gap = zero_times(jnp.exp(log_p_data), on_data) + zero_times(jnp.exp(log_p_gen), on_generated)
    return jnp.sum(weights * gap)


def saturation_curve(
    log_p_data: Callable[[Scalar], Scalar],
    log_p_latent: Callable[[Scalar], Scalar],
    shifts: ArrayInput,
    latent: Quadrature,
) -> GeneratorGradients:
    r"""Both generator gradients in the shift of $g(z) = \text{shift} + z$, as curves.

    With $D^*$ of each shift. The minimax gradient is that of $2\,\mathrm{JS}$, which is bounded,
    and so must fall to 0; the other is that of $\mathrm{KL}(p_g\|p_d) - 2\,\mathrm{JS}$.

    **Arguments:**

    - `shifts`: shape `(n,)`. The others are those of `generator_gradients`.

    **Returns:** `minimax` and `non_saturating`, each of shape `(n,)`.
    """
    (shifts,) = floats(shifts)
    check_line("shifts", shifts)
    at = lambda s: generator_gradients(log_p_data, log_p_latent, s, jnp.zeros_like(s), latent)
    curves = jax.vmap(at)(shifts)
    return GeneratorGradients(curves.minimax[:, 0], curves.non_saturating[:, 0])


def saturation_bound(shift: ArrayInput) -> Float[Array, "..."]:
    r"""$\tfrac12|\theta|e^{-\theta^2/8}$: a bound of the minimax gradient between unit normals.

    With $a = \log p_d - \log p_g$ the gradient's size is $|\theta|\,\mathbb{E}_{p_g}\sigma(a)$,
    and $\sigma(a) \le \tfrac12 e^{a/2}$, whose mean under $p_g$ is half of
    $\int\sqrt{p_d p_g} = e^{-\theta^2/8}$.
    """
    (shift,) = floats(shift)
    return 0.5 * jnp.abs(shift) * jnp.exp(-(shift**2) / 8)
