"""Labels as vectors, and generators of images of a class."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, Int, PRNGKeyArray

from models.combinators import Chain
from models.dcgan import dcgan_generator
from models.spectral import operator_norm

Label = Int[Array, ""]


class OneHot(eqx.Module):
    """A label as a vector of zeros with a 1 at its place.

    - `classes`: static.
    """

    classes: int = eqx.field(static=True)

    def __call__(self, label: Label) -> Float[Array, " classes"]:
        return jax.nn.one_hot(label, self.classes)


class Embedding(eqx.Module):
    r"""A vector for each label, learned: $v_c$, or $v_c/\|V\|_2$.

    - `weight`: $V$, shape `(classes, size)`. A label outside of it is taken as the nearest.
    - `spectral`: whether it is divided by its operator norm, as `SpectralLinear` is. Static.
    """

    weight: Float[Array, "classes size"]
    spectral: bool = eqx.field(static=True)

    def __init__(
        self,
        classes: int,
        size: int,
        init: Initializer,
        key: PRNGKeyArray,
        spectral: bool = False,
    ):
        """`init` draws the weight, such as `jax.nn.initializers.normal(1.0)`."""
        self.weight, self.spectral = init(key, (classes, size)), spectral

    def __call__(self, label: Label) -> Float[Array, " size"]:
        vector = jnp.take(self.weight, label, axis=0, mode="clip")
        if not self.spectral:
            return vector
        norm = operator_norm(self.weight)
        return vector / jnp.where(norm > 0, norm, 1)


class LabelledGenerator(eqx.Module):
    """A generator called with a latent and a label, which are laid side by side.

    - `network`: any generator, of latents of size `latent + size`.
    - `embedding`: from a label to a vector of `size`: `OneHot` or `Embedding`.

    !!! cite "Source"

        Mirza & Osindero (2014), arXiv:1411.1784, section 3.2.
    """

    network: Callable[[Any], Any]
    embedding: OneHot | Embedding

    def joined(self, z: Float[Array, " latent"], label: Label) -> Float[Array, " both"]:
        """What the network is given."""
        return jnp.concatenate([z, self.embedding(label).astype(z.dtype)])

    def __call__(self, z: Float[Array, " latent"], label: Label) -> Array:
        return self.network(self.joined(z, label))


def labelled_dcgan_generator(
    latent_size: int,
    shape: tuple[int, ...],
    classes: int,
    *,
    key: PRNGKeyArray,
    embedding_size: int | None = None,
    **body: Any,
) -> LabelledGenerator:
    """A `dcgan_generator` of a class: `(z, label)` to an image of `shape`.

    **Arguments:**

    - `embedding_size`: of a learned embedding; one-hot if left out.
    - `body`: the further arguments of `dcgan_generator`, `width` among them.
    """
    key_body, key_embedding = jax.random.split(key)
    embedding: OneHot | Embedding = OneHot(classes)
    if embedding_size is not None:
        init = jax.nn.initializers.normal(1.0)
        embedding = Embedding(classes, embedding_size, init, key_embedding)
    size = classes if embedding_size is None else embedding_size
    network: Chain = dcgan_generator(latent_size + size, shape, key=key_body, **body)
    return LabelledGenerator(network, embedding)
