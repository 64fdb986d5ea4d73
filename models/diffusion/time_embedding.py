"""The vector by which a denoiser's network knows its noise level, and perhaps its class."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from models.layers.linear import Linear
from models.networks.conditional import Embedding

LOWEST, HIGHEST = 0.5, 16.0
"""Angular frequencies, for times between -2.5 and 2.5: from half a period over all of them to one
over a factor of 4.8 between noise levels."""
INIT = jax.nn.initializers.lecun_normal()


class TimeEmbedding(eqx.Module):
    r"""Sines and cosines of a time, through two layers, and a learned vector of the class added.

    Frequencies grow geometrically from 0.5 to 16. The features are computed in the precision of
    the time, and cast to that of the weights.

    - `first`, `second`: the layers. `classes`: of `classes + 1` labels, the last of them the null
      label, or `None` without classes.
    - `size`: the number of features. Static.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, appendix B; the null label: Ho & Salimans
        (2022), arXiv:2207.12598.
    """

    first: Linear
    second: Linear
    classes: Embedding | None
    size: int = eqx.field(static=True)

    def __init__(self, size: int, out_size: int, classes: int, key: PRNGKeyArray):
        """Make one of `size` features, an even number, to `out_size` numbers.

        **Raises:** `ValueError` for a size that is not even and positive, or for classes below 0.
        """
        if size < 2 or size % 2 or classes < 0:
            raise ValueError(
                "A time is embedded by an even number of features, at least 2, and has 0 or more "
                f"classes, got {size} and {classes}."
            )
        key_first, key_second, key_classes = jax.random.split(key, 3)
        self.first = Linear(size, out_size, INIT, key_first)
        self.second = Linear(out_size, out_size, INIT, key_second)
        normal = jax.nn.initializers.normal(1.0)
        self.classes = Embedding(classes + 1, out_size, normal, key_classes) if classes else None
        self.size = size

    def features(self, time: Float[Array, ""]) -> Float[Array, " size"]:
        """Sines, and then cosines, of the time at each frequency."""
        frequencies = np.geomspace(LOWEST, HIGHEST, self.size // 2)
        angles = time * jnp.asarray(frequencies, time.dtype)
        return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)])

    def __call__(self, time: Float[Array, ""], *label: Int[Array, ""]) -> Float[Array, " out"]:
        features = self.features(time).astype(self.first.weight.dtype)
        embedded = self.second(jax.nn.silu(self.first(features)))
        return jax.nn.silu(embedded + self._of_class(*label))

    def _of_class(self, *label: Int[Array, ""]) -> Float[Array, " out"]:
        if self.classes is None:
            if label:
                raise ValueError("This network has no classes, and is given a label.")
            return jnp.zeros_like(self.second.weight[0])
        null = len(self.classes.weight) - 1
        return self.classes(*(label or (jnp.asarray(null),)))
