"""Two parallel lines: the example in which every divergence but Wasserstein's fails.

$P_0$ is uniform on $\\{0\\}\\times[0, 1]$ and $P_\\theta$ on $\\{\\theta\\}\\times[0, 1]$.
Arjovsky, Chintala & Bottou (2017), arXiv:1701.07875, example 1.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class ParallelLine(eqx.Module):
    r"""The law $P_\theta$. `theta`: where the line stands, shape `()`."""

    theta: Float[Array, ""] = eqx.field(converter=jnp.asarray)

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n 2"]:
        """`n` independent points, shape `(n, 2)`."""
        heights = jax.random.uniform(key, (n,), self.theta.dtype)
        return jnp.stack([jnp.full_like(heights, 1.0) * self.theta, heights], axis=-1)


def lines_w1(theta: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$W_1(P_0, P_\theta) = |\theta|$: continuous, with a gradient almost everywhere."""
    return jnp.abs(theta)


def lines_kl(theta: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\mathrm{KL}(P_0\|P_\theta)$, either way round: infinite, except 0 at $\theta = 0$."""
    return jnp.where(theta == 0, jnp.zeros_like(theta), jnp.inf)


def lines_js(theta: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\mathrm{JS}(P_0, P_\theta) = \log 2$, in nats, except 0 at $\theta = 0$."""
    return jnp.where(theta == 0, jnp.zeros_like(theta), jnp.log(2.0))


def lines_tv(theta: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\mathrm{TV}(P_0, P_\theta) = 1$, except 0 at $\theta = 0$."""
    return jnp.where(theta == 0, jnp.zeros_like(theta), 1.0)
