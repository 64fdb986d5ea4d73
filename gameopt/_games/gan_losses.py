"""The losses of GANs, from logits. Each is stable for logits of any size."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._types import Scalar


def minimax_value(real: Float[Array, " n"], fake: Float[Array, " m"]) -> Scalar:
    r"""$V = \mathbb{E}\log\sigma(\mathrm{real}) + \mathbb{E}\log(1 - \sigma(\mathrm{fake}))$.

    **Arguments:** logits of $D$ on data, shape `(n,)`, and on generated points, shape `(m,)`.

    **Returns:** nats, at most 0; $-\log 4 + 2\,\mathrm{JS}$ at the optimal discriminator. The
    generator that minimises it *saturates*: where the discriminator wins (fake logits $\to
    -\infty$), its gradient vanishes as $\sigma(\mathrm{fake})$.

    !!! cite "Source"

        Goodfellow et al. (2014), arXiv:1406.2661, equation 1.
    """
    return jnp.mean(jax.nn.log_sigmoid(real)) + jnp.mean(jax.nn.log_sigmoid(-fake))


def non_saturating_generator_loss(fake: Float[Array, " m"]) -> Scalar:
    r"""$-\mathbb{E}\log\sigma(\mathrm{fake})$, in nats: its gradient tends to $-1$ where the
    discriminator wins.

    !!! cite "Source"

        Goodfellow et al. (2014), arXiv:1406.2661, the end of section 3.
    """
    return jnp.mean(jax.nn.softplus(-fake))


def wasserstein_value(real: Float[Array, " n"], fake: Float[Array, " m"]) -> Scalar:
    r"""$\mathbb{E} f(\mathrm{real}) - \mathbb{E} f(\mathrm{fake})$, in the data's units.

    The supremum over 1-Lipschitz $f$ is the Wasserstein-1 distance (Kantorovich-Rubinstein).

    !!! cite "Source"

        Arjovsky, Chintala & Bottou (2017), arXiv:1701.07875, equation 2.
    """
    return jnp.mean(real) - jnp.mean(fake)
