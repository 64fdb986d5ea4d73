"""Gaussians with independent coordinates, and mixtures of them: the laws of codes."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

LOG_2PI = 1.8378770664093453


class DiagonalGaussian(eqx.Module):
    r"""$N(\mu, \operatorname{diag} \sigma^2)$.

    - `mean`: $\mu$, shape `(k,)`. `log_deviation`: $\log \sigma$, shape `(k,)`. Of a batch of laws
      both have its axes in front; methods are of one law.
    """

    mean: Float[Array, "... k"]
    log_deviation: Float[Array, "... k"]

    def at(self, noise: Float[Array, " k"]) -> Float[Array, " k"]:
        r"""$\mu + \sigma \epsilon$, the reparameterised sample for standard normal `noise`."""
        return self.mean + jnp.exp(self.log_deviation) * noise

    def sample(self, key: PRNGKeyArray) -> Float[Array, " k"]:
        """One sample, shape `(k,)`."""
        return self.at(jax.random.normal(key, self.mean.shape, self.mean.dtype))

    def log_prob(self, z: Float[Array, " k"]) -> Float[Array, ""]:
        """The log-density, in nats."""
        white = (z - self.mean) * jnp.exp(-self.log_deviation)
        return jnp.sum(-0.5 * (white**2 + LOG_2PI) - self.log_deviation)

    def kl_to_standard(self) -> Float[Array, " k"]:
        r"""$\mathrm{KL}(N(\mu_j, \sigma_j^2)\|N(0, 1))$ of each coordinate, in nats."""
        twice = 2 * self.log_deviation
        # Of deviations near 1 the difference would be rounding: its series.
        near = jnp.abs(twice) < 0.01
        small = jnp.where(near, twice, 0)
        series = small**2 * (1 / 2 + small * (1 / 6 + small * (1 / 24 + small / 120)))
        return 0.5 * (self.mean**2 + jnp.where(near, series, jnp.expm1(twice) - twice))


class StandardNormalPrior(eqx.Module):
    """$N(0, I)$ in `size` dimensions."""

    size: int = eqx.field(static=True)

    def law(self, encoder: Any) -> "StandardNormalPrior":
        """The prior itself, whatever the encoder is."""
        del encoder
        return self

    def log_prob(self, z: Float[Array, " k"]) -> Float[Array, ""]:
        """The log-density, in nats."""
        return -0.5 * jnp.sum(z**2 + LOG_2PI)

    def sample(self, key: PRNGKeyArray) -> Float[Array, " k"]:
        """One sample, shape `(size,)`."""
        return jax.random.normal(key, (self.size,))


class MixturePrior(eqx.Module):
    """A mixture of diagonal Gaussians whose weights, means and deviations are learned.

    - `logits`: of the weights, shape `(m,)`. `components`: a batch of `m` Gaussians.
    """

    logits: Float[Array, " m"]
    components: DiagonalGaussian

    def __init__(self, size: int, components: int, key: PRNGKeyArray):
        """Equal weights, unit deviations, and means drawn from N(0, I)."""
        if components < 1:
            raise ValueError(f"MixturePrior needs at least 1 component, got {components}.")
        means = jax.random.normal(key, (components, size))
        self.logits = jnp.zeros(components)
        self.components = DiagonalGaussian(means, jnp.zeros_like(means))

    def law(self, encoder: Any) -> "MixturePrior":
        """The prior itself, whatever the encoder is."""
        del encoder
        return self

    def log_prob(self, z: Float[Array, " k"]) -> Float[Array, ""]:
        """The log-density, in nats."""
        return _mixture_log_prob(jax.nn.log_softmax(self.logits), self.components, z)

    def sample(self, key: PRNGKeyArray) -> Float[Array, " k"]:
        """One sample, shape `(k,)`."""
        return _mixture_sample(self.logits, self.components, key)


class VampPrior(eqx.Module):
    r"""The mean of the encoder's posteriors at learned pseudo-inputs, $\frac1m\sum_j q(z|u_j)$.

    - `pseudo_inputs`: $u_j$, shape `(m, *shape)`, in the encoder's units; unbounded, and brought to
      between `low` and `high` by a logistic function.

    !!! cite "Source"

        Tomczak & Welling (2018), arXiv:1705.07120, equation 9.
    """

    pseudo_inputs: Float[Array, "m *shape"]
    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)

    def __init__(self, points: Float[Array, "m *shape"], low: float, high: float):
        """Begin at `points`, shape `(m, *shape)`, kept off the bounds by a hundredth."""
        if len(points) < 1 or not low < high:
            raise ValueError(
                f"VampPrior needs points and low < high, got {len(points)}, {low} and {high}."
            )
        share = jnp.clip((points - low) / (high - low), 0.01, 0.99)
        self.pseudo_inputs = jnp.log(share) - jnp.log1p(-share)
        self.low, self.high = low, high

    def inputs(self) -> Float[Array, "m *shape"]:
        """The pseudo-inputs as the encoder sees them."""
        return self.low + (self.high - self.low) * jax.nn.sigmoid(self.pseudo_inputs)

    def law(self, encoder: Any) -> "_VampLaw":
        """The mixture that it is with this encoder, a map from a point to a `DiagonalGaussian`."""
        return _VampLaw(jax.vmap(encoder)(self.inputs()))


class _VampLaw(eqx.Module):
    components: DiagonalGaussian

    def log_prob(self, z: Float[Array, " k"]) -> Float[Array, ""]:
        count = len(self.components.mean)
        log_weights = jnp.full(count, -jnp.log(float(count)), z.dtype)
        return _mixture_log_prob(log_weights, self.components, z)

    def sample(self, key: PRNGKeyArray) -> Float[Array, " k"]:
        return _mixture_sample(jnp.zeros(len(self.components.mean)), self.components, key)


def _mixture_log_prob(
    log_weights: Float[Array, " m"], components: DiagonalGaussian, z: Float[Array, " k"]
) -> Float[Array, ""]:
    each = jax.vmap(lambda component: component.log_prob(z))(components)
    return jax.nn.logsumexp(log_weights + each)


def _mixture_sample(
    logits: Float[Array, " m"], components: DiagonalGaussian, key: PRNGKeyArray
) -> Float[Array, " k"]:
    key_part, key_noise = jax.random.split(key)
    part = jax.random.categorical(key_part, logits)
    return jax.tree.map(lambda leaf: leaf[part], components).sample(key_noise)


Prior = StandardNormalPrior | MixturePrior | VampPrior
"""Laws of codes; `prior.law(encoder)` has `log_prob(z)` and `sample(key)`."""
