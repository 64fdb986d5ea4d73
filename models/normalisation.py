"""Normalisation of one image over groups of its channels."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class GroupNorm(eqx.Module):
    r"""$\gamma (x - \mu)/\sqrt{\sigma^2 + \epsilon} + \beta$, mean and variance over the places
    and the channels of a group of one image; a scale and a shift for each channel.

    One group is layer normalisation, as many groups as channels is instance normalisation. None
    couples the images of a batch, so that critics with a gradient penalty may have it.

    - `scale`, `shift`: $\gamma$ and $\beta$, shape `(channels,)`. `groups`, `epsilon`: static.

    !!! cite "Source"

        Wu & He (2018), arXiv:1803.08494, equations 1-2.
    """

    scale: Float[Array, " channels"]
    shift: Float[Array, " channels"]
    groups: int = eqx.field(static=True)
    epsilon: float = eqx.field(static=True)

    def __init__(self, channels: int, groups: int, epsilon: float = 1e-5):
        if groups < 1 or channels % groups:
            raise ValueError(f"{channels} channels do not come in {groups} equal groups.")
        self.scale, self.shift = jnp.ones((channels,)), jnp.zeros((channels,))
        self.groups, self.epsilon = groups, epsilon

    def __call__(self, x: Float[Array, "*places channels"]) -> Float[Array, "*places channels"]:
        grouped = x.reshape(-1, self.groups, x.shape[-1] // self.groups)
        mean = jnp.mean(grouped, axis=(0, 2), keepdims=True)
        variance = jnp.mean((grouped - mean) ** 2, axis=(0, 2), keepdims=True)
        normal = (grouped - mean) * jax.lax.rsqrt(variance + self.epsilon)
        return self.scale * normal.reshape(x.shape) + self.shift
