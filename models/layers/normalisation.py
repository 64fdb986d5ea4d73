"""Normalisation layers: by batch, or by groups of one image's channels."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gameopt import BATCH_AXIS, Fixed

EPSILON = 1e-5


class Statistics(eqx.Module):
    r"""Means and variances of channels, both of shape `(channels,)`."""

    mean: Float[Array, " channels"]
    variance: Float[Array, " channels"]


class BatchNorm(eqx.Module):
    r"""$\gamma (x - \mu)/\sqrt{\sigma^2 + \epsilon} + \beta$, channel by channel, with the mean and
    the variance of the batch, over all places of images.

    Keeps no statistics in training: they are those of the points that are mapped together, over
    the axis named `batch` (`gameopt.generated` and `gameopt.critic_scores` name it). In a critic,
    data and generated points are normalised apart, each kind by its own batch. A critic that
    couples its batch has no gradient of its own at each point, and so no gradient norm and no
    gradient penalty. After training, `models.with_standing_statistics` fixes the statistics, so
    that a point no longer depends on its batch.

    - `scale`, `shift`: $\gamma$ and $\beta$, shape `(channels,)`. `epsilon`: static.
    - `standing`: statistics to use instead of the batch's, carried and not played, or `None`.

    !!! cite "Source"

        Ioffe & Szegedy (2015), arXiv:1502.03167, algorithm 1; standing statistics: Brock, Donahue &
        Simonyan (2019), arXiv:1809.11096, appendix B.
    """

    scale: Float[Array, " channels"]
    shift: Float[Array, " channels"]
    standing: Fixed[Statistics] | None
    epsilon: float = eqx.field(static=True)

    def __init__(self, channels: int, epsilon: float = EPSILON):
        self.scale, self.shift = jnp.ones((channels,)), jnp.zeros((channels,))
        self.standing, self.epsilon = None, epsilon

    def statistics(self, x: Float[Array, "*places channels"]) -> Statistics:
        """Statistics of the batch that `x` is a point of.

        **Raises:** `ValueError` if it is in no batch.
        """
        places, x = tuple(range(x.ndim - 1)), _precise(x)
        try:
            mean = jax.lax.pmean(jnp.mean(x, axis=places), BATCH_AXIS)
        except NameError:
            raise ValueError(
                "BatchNorm needs a batch, and this network is applied to one point at a time. Map "
                "it by gameopt.generated or gameopt.critic_scores. If a gradient norm or penalty "
                "of a critic was asked for: a critic that couples its batch has no gradient per "
                "sample. Normalise by groups or layers instead, or leave the penalty out."
            ) from None
        squares = (x - _at_places(mean, x)) ** 2
        variance = jax.lax.pmean(jnp.mean(squares, axis=places), BATCH_AXIS)
        return Statistics(mean, variance)

    def __call__(self, x: Float[Array, "*places channels"]) -> Float[Array, "*places channels"]:
        by = self.statistics(x) if self.standing is None else self.standing.value
        own_scale, own_shift = _precise(self.scale), _precise(self.shift)
        scale = own_scale * jax.lax.rsqrt(by.variance + self.epsilon)
        scale, mean, shift = (_at_places(v, x) for v in (scale, by.mean, own_shift))
        return (scale * (_precise(x) - mean) + shift).astype(x.dtype)


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

    def __init__(self, channels: int, groups: int, epsilon: float = EPSILON):
        if groups < 1 or channels % groups:
            raise ValueError(f"{channels} channels do not come in {groups} equal groups.")
        self.scale, self.shift = jnp.ones((channels,)), jnp.zeros((channels,))
        self.groups, self.epsilon = groups, epsilon

    def __call__(
        self,
        x: Float[Array, "*places channels"],
        modulation: Float[Array, " two_channels"] | None = None,
    ) -> Float[Array, "*places channels"]:
        r"""Normalise a point; with `modulation`, $(s, t)$, to $(1 + s)$ times that, plus $t$.

        !!! cite "Source"

            Dhariwal & Nichol (2021), arXiv:2105.05233, section 3.1, for the modulation.
        """
        places = _precise(x).reshape(-1, x.shape[-1])
        # Over the places first, channel by channel: on a CPU sums over the last axis and one before
        # it take several times as long.
        centred = places - self._of_groups(jnp.mean(places, axis=0))[None]
        variance = self._of_groups(jnp.mean(centred**2, axis=0))
        scale, shift = _precise(self.scale), _precise(self.shift)
        if modulation is not None:
            more, moved = jnp.split(_precise(modulation), 2)
            scale, shift = scale * (1 + more), shift * (1 + more) + moved
        scale = scale * jax.lax.rsqrt(variance + self.epsilon)
        return (centred * scale[None] + shift[None]).reshape(x.shape).astype(x.dtype)

    def _of_groups(self, means: Float[Array, " channels"]) -> Float[Array, " channels"]:
        """For each channel the mean over those of its group.

        By a product, which XLA computes once an image; the same numbers repeated would be looked
        up at every place.
        """
        if self.groups == 1:
            return jnp.full_like(means, jnp.mean(means))
        size = len(means) // self.groups
        same = np.kron(np.eye(self.groups), np.ones((size, size)))
        total = jnp.dot(means, jnp.asarray(same, means.dtype), precision="highest")
        return total / size


def _at_places(vector: Float[Array, " channels"], x: Array) -> Float[Array, "*places channels"]:
    """Append an axis of length 1 for each axis of places."""
    return vector.reshape((1,) * (x.ndim - 1) + vector.shape)


def _precise(x: Array) -> Array:
    """Cast to single precision at least: sums over a batch lose their digits in half."""
    return x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
