r"""Latent-variable models with Gaussian decoders, by quadrature over one or two latents.

With nodes $z_i$ and weights $w_i$ of the prior, $\int N(x; \mu(z), \Sigma(z))\,p(z)\,dz$ is the
finite mixture $\sum_i w_i\,N(x; \mu_i, \Sigma_i)$, whose densities, marginals and conditionals are
sums. All is in float64.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

import theory
from models import LatentModel
from recipes._latent_bounds.game import prior_of

Decoder = Callable[[Array], tuple[Array, Array]]
"""From codes `(l, k)` to means and log-deviations `(l, d)`."""
LOG_2PI = float(np.log(2 * np.pi))
REACH = 6.0
"""Nodes are in [-REACH, REACH] in every latent: 4e-9 of the prior is beyond."""
FINE, COARSE = {1: 8001, 2: 301}, {1: 1001, 2: 151}
"""Nodes in a latent, by the number of latents: for tables, and for pictures while training."""
LARGEST = 20_000_000
"""Numbers that are decoded at all nodes: of large images the nodes are fewer."""
CHUNK = 20
"""Points whose densities at all nodes are in memory at once."""


class Decoded(NamedTuple):
    """Weighted codes and what a decoder makes of them: a mixture of Gaussians over points.

    - `codes`: shape `(l, k)`. `log_weights`: shape `(l,)`, of a sum of 1 for nodes of the prior.
    - `means`, `log_deviations`: shape `(l, d)`, points flat.
    """

    codes: Float[Array, "l k"]
    log_weights: Float[Array, " l"]
    means: Float[Array, "l d"]
    log_deviations: Float[Array, "l d"]

    def fits(self, point: Float[Array, " d"], seen: Bool[Array, " d"]) -> Float[Array, " l"]:
        """The log-densities of the `seen` entries of one point under each code."""
        white = (point[None] - self.means) * jnp.exp(-self.log_deviations)
        each = -0.5 * (white**2 + LOG_2PI) - self.log_deviations
        return jnp.sum(jnp.where(seen[None], each, 0), axis=1)


def in_float64(tree: Any) -> Any:
    """A tree with its inexact arrays in float64."""
    wide = lambda leaf: leaf.astype(jnp.float64) if eqx.is_inexact_array(leaf) else leaf
    return jax.tree.map(wide, tree)


def decode(
    model: LatentModel, codes: Float[Array, "l k"]
) -> tuple[Float[Array, "l d"], Float[Array, "l d"]]:
    """Means and log-deviations of the Gaussians of each code, points flat."""

    def one(z: Float[Array, " k"]) -> tuple[Array, Array]:
        numbers = model.network(z)
        mean = model.likelihood.mean(numbers)
        numbers = numbers.reshape(mean.size, *numbers.shape[mean.ndim :])
        # At its mean a Gaussian's log-density has nothing but its deviation.
        peaks = jax.vmap(model.likelihood.log_prob)(numbers, mean.ravel())
        return mean.ravel(), -peaks - 0.5 * LOG_2PI

    return jax.vmap(one)(codes)


def nodes(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The trapezoidal rule under N(0, I): nodes `(count ** size, size)`, logarithms of weights.

    For smooth integrands that vanish at the ends its error falls exponentially in the count.
    """
    line = np.linspace(-REACH, REACH, count)
    codes = np.array(list(itertools.product(line, repeat=size)))
    logs = -0.5 * np.sum(codes**2, axis=1)
    return codes, logs - np.log(np.sum(np.exp(logs)))


def on_nodes(model: LatentModel, counts: Mapping[int, int], dimension: int) -> Decoded:
    """The model on the nodes of its prior, decoded in float64; `dimension`: of a point.

    `counts`: nodes in a latent, by the number of latents.
    """
    size = prior_of(model).size
    most = int((LARGEST / dimension) ** (1 / size))
    codes, log_weights = nodes(size, min(counts[size], most))
    with jax.enable_x64(True):
        at = jnp.asarray(codes)
        return Decoded(at, jnp.asarray(log_weights), *_decoded(in_float64(model), at))


_decoded = eqx.filter_jit(decode)


def linear_decoder(model: theory.LinearGaussian) -> Decoder:
    """The decoder of a linear-Gaussian model, as `eqx.Partial(decode, model)` is a network's."""
    return eqx.Partial(_linear, model)


def _linear(model: theory.LinearGaussian, codes: Float[Array, "l k"]) -> tuple[Array, Array]:
    means = codes @ model.weights.T + model.mean[None]
    return means, jnp.full_like(means, 0.5 * jnp.log(model.variance))


@eqx.filter_jit
def _log_densities(law: Decoded, points: Array, times: Array) -> Array:
    # |x - mu|^2 / sigma^2 by products of matrices: in float64 what cancels leaves enough.
    precisions = times[None] * jnp.exp(-2 * law.log_deviations)
    scaled = law.means * precisions
    ends = jnp.sum(law.means * scaled, axis=1)
    logs = (law.log_deviations + 0.5 * LOG_2PI) @ times

    def chunk(x: Array) -> Array:
        squares = (x**2) @ precisions.T - 2 * x @ scaled.T + ends[None]
        return jax.nn.logsumexp((law.log_weights - logs)[None] - 0.5 * squares, axis=1)

    rest = -len(points) % CHUNK
    padded = jnp.concatenate([points, jnp.broadcast_to(points[:1], (rest, points.shape[1]))])
    found = jax.lax.map(chunk, padded.reshape(-1, CHUNK, points.shape[1]))
    return found.reshape(-1)[: len(points)]


def log_densities(law: Decoded, points: ArrayLike, times: ArrayLike | None = None) -> np.ndarray:
    r"""Log-densities of points `(n, *shape)`, in nats, shape `(n,)`.

    - `times`: how often each entry was observed, independently given the code, shape `(d,)`: 0
      for a marginal density; once by default.
    """
    flat = np.asarray(points, np.float64).reshape(len(np.asarray(points)), -1)
    often = np.ones(flat.shape[1]) if times is None else np.asarray(times, np.float64)
    with jax.enable_x64(True):
        return np.asarray(_log_densities(law, jnp.asarray(flat), jnp.asarray(often)))


def jensen_bound(law: Decoded, points: np.ndarray) -> np.ndarray:
    r"""$E_{z\sim p(z)}\log p(x|z)$ of points `(n, *shape)`, with no samples: shape `(n,)`."""
    flat = np.asarray(points, np.float64).reshape(len(points), -1)
    weights = np.exp(np.asarray(law.log_weights))[:, None]
    means, logs = np.asarray(law.means), np.asarray(law.log_deviations)
    precisions = np.exp(-2 * logs)
    first, second = (weights * means * precisions).sum(0), (weights * means**2 * precisions).sum(0)
    ends = (weights * logs).sum() + 0.5 * flat.shape[1] * LOG_2PI + 0.5 * second.sum()
    return flat @ first - 0.5 * flat**2 @ (weights * precisions).sum(0) - ends


def spread(law: Decoded) -> float:
    r"""The variance of the decoder's mean over the prior, summed over entries of a point."""
    weights = np.exp(np.asarray(law.log_weights))[:, None]
    means = np.asarray(law.means)
    centre = (weights * means).sum(0)
    return float((weights * (means - centre[None]) ** 2).sum())
