"""The two players of a variational autoencoder: a model of data, and its inference network."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from models.latent.gaussian import DiagonalGaussian, Prior
from models.latent.likelihoods import AbstractLikelihood

MOST_LOG_DEVIATION = 10.0
"""The bound of an encoder's log-deviations, either side, so that no exponential overflows."""


class GaussianEncoder(eqx.Module):
    r"""$q(z|x) = N(\mu(x), \operatorname{diag}\sigma(x)^2)$.

    - `network`: from a point, or a point and a label, to `2 k` numbers: means, log-deviations.
    """

    network: Callable[..., Float[Array, " two_k"]]

    def __call__(self, point: Any, *label: Any) -> DiagonalGaussian:
        mean, log_deviation = jnp.split(self.network(point, *label), 2)
        bound = MOST_LOG_DEVIATION
        excess = log_deviation - jnp.clip(log_deviation, -bound, bound)
        # Straight through the bound: with its own gradient, 0, nothing would pull a unit back.
        return DiagonalGaussian(mean, log_deviation - jax.lax.stop_gradient(excess))


class LatentModel(eqx.Module):
    r"""$p(x, z) = p(z)\,p(x|z)$, the generative half.

    - `prior`: of the codes. `network`: from a code, or a code and a label, to the numbers of the
      likelihood. `likelihood`: of a point.
    """

    prior: Prior
    network: Callable[..., Array]
    likelihood: AbstractLikelihood

    def log_likelihood(
        self, z: Float[Array, " k"], point: Float[Array, "*shape"], *label: Any
    ) -> Float[Array, ""]:
        r"""$\log p(x|z)$, in nats, summed over the point's dimensions."""
        return self.likelihood.log_prob(self.network(z, *label), point)

    def mean(self, z: Float[Array, " k"], *label: Any) -> Float[Array, "*shape"]:
        r"""$E[x|z]$."""
        return self.likelihood.mean(self.network(z, *label))

    def draw(self, z: Float[Array, " k"], key: PRNGKeyArray, *label: Any) -> Float[Array, "*shape"]:
        r"""One draw of $x$ from $p(x|z)$."""
        return self.likelihood.sample(self.network(z, *label), key)


class LabelledEncoder(eqx.Module):
    """A network of a point and a label, which is seen as further channels of the point.

    - `network`: of points with `classes` more channels: `(h, w, c + classes)`; of vectors, with as
      many more entries. `classes`: static.
    """

    network: Callable[[Any], Any]
    classes: int = eqx.field(static=True)

    def __call__(self, point: Float[Array, "*shape"], label: Int[Array, ""]) -> Any:
        one_hot = jax.nn.one_hot(label, self.classes, dtype=point.dtype)
        if point.ndim == 1:
            return self.network(jnp.concatenate([point, one_hot]))
        point = point[..., None] if point.ndim == 2 else point
        planes = jnp.broadcast_to(one_hot, (*point.shape[:2], self.classes))
        return self.network(jnp.concatenate([point, planes], axis=-1))


def labelled_shape(shape: tuple[int, ...], classes: int) -> tuple[int, ...]:
    """The shape that the network of a `LabelledEncoder` sees for points of `shape`."""
    if len(shape) == 1:
        return (shape[0] + classes,)
    channels = shape[2] if len(shape) == 3 else 1
    return (*shape[:2], channels + classes)
