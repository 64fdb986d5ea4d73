"""Two parallel lines: the example in which only the Wasserstein distance is continuous.

$P_0$ is uniform on $\\{0\\}\\times[0, 1]$ and $P_\\theta$ on $\\{\\theta\\}\\times[0, 1]$.
Arjovsky, Chintala & Bottou (2017), arXiv:1701.07875, example 1.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from theory._inputs import ArrayInput, Count, as_count, floats
from theory._numeric import nan_unless


class ParallelLine(eqx.Module):
    r"""The law $P_\theta$. `theta`: position of the line, shape `()`."""

    theta: Float[Array, ""] = eqx.field(converter=lambda theta: floats(theta)[0])

    def sample(self, key: PRNGKeyArray, n: Count) -> Float[Array, "n 2"]:
        """`n` independent points, shape `(n, 2)`."""
        n = as_count("n", n, 0)
        heights = jax.random.uniform(key, (n,), self.theta.dtype)
        return jnp.stack([jnp.full_like(heights, 1.0) * self.theta, heights], axis=-1)


def _at(theta: ArrayInput, value: float, otherwise: float) -> Float[Array, "..."]:
    """One value where theta is 0 and another elsewhere; NaN at NaN."""
    (theta,) = floats(theta)
    return nan_unless(
        ~jnp.isnan(theta), jnp.where(theta == 0, value, otherwise).astype(theta.dtype)
    )


def lines_w1(theta: ArrayInput) -> Float[Array, "..."]:
    r"""$W_1(P_0, P_\theta) = |\theta|$: continuous, with a gradient almost everywhere."""
    (theta,) = floats(theta)
    return jnp.abs(theta)


def lines_kl(theta: ArrayInput) -> Float[Array, "..."]:
    r"""$\mathrm{KL}(P_0\|P_\theta)$, either way round: infinite, except 0 at $\theta = 0$."""
    return _at(theta, 0.0, jnp.inf)


def lines_js(theta: ArrayInput) -> Float[Array, "..."]:
    r"""$\mathrm{JS}(P_0, P_\theta) = \log 2$, in nats, except 0 at $\theta = 0$."""
    return _at(theta, 0.0, math.log(2))


def lines_tv(theta: ArrayInput) -> Float[Array, "..."]:
    r"""$\mathrm{TV}(P_0, P_\theta) = 1$, except 0 at $\theta = 0$."""
    return _at(theta, 0.0, 1.0)
