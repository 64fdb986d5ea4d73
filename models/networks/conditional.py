"""Conditional generators and critics of images."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, Int, PRNGKeyArray

from models.layers.combinators import Chain
from models.layers.conv import with_channels
from models.layers.linear import Linear, SpectralLinear, operator_norm
from models.networks.dcgan import dcgan_critic, dcgan_features, dcgan_generator, image_shape, linear

Label = Int[Array, ""]


class OneHot(eqx.Module):
    """One-hot encoding of a label.

    - `classes`: static.
    """

    classes: int = eqx.field(static=True)

    def __call__(self, label: Label) -> Float[Array, " classes"]:
        return jax.nn.one_hot(label, self.classes)


class Embedding(eqx.Module):
    r"""A learned vector for each label: $v_c$, or $v_c/\|V\|_2$.

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
    """A generator called with a latent and a label, which are concatenated.

    - `network`: any generator, of latents of size `latent + size`.
    - `embedding`: from a label to a vector of `size`: `OneHot` or `Embedding`.

    !!! cite "Source"

        Mirza & Osindero (2014), arXiv:1411.1784, section 3.2.
    """

    network: Callable[[Any], Any]
    embedding: OneHot | Embedding

    def joined(self, z: Float[Array, " latent"], label: Label) -> Float[Array, " both"]:
        """The network's input: latent and embedded label."""
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

    - `embedding_size`: of a learned embedding; one-hot by default.
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


Image = Float[Array, "h w ..."]
Features = Callable[[Any], Any]
Head = Linear | SpectralLinear


class ConcatenationCritic(eqx.Module):
    """A critic that sees the label's embedding as one more channel of the image.

    - `network`: a critic of images `(h, w, c + 1)`.
    - `embedding`: to vectors of `h * w` numbers.

    !!! cite "Source"

        Mirza & Osindero (2014), arXiv:1411.1784, section 3.2; as a plane: Denton et al. (2015),
        arXiv:1506.05751, section 3.1.
    """

    network: Features
    embedding: Embedding

    def __call__(self, x: Image, label: Label) -> Float[Array, ""]:
        plane = self.embedding(label).reshape(*x.shape[:2], 1)
        return self.network(jnp.concatenate([with_channels(x), plane], axis=-1))


class ProjectionCritic(eqx.Module):
    r"""A projection critic, $\psi(\phi(x)) + \langle v_c, \phi(x)\rangle$.

    - `features`: $\phi$, an image to a vector. `head`: $\psi$, linear to one number.
    - `embedding`: $v_c$, as long as the features.

    !!! cite "Source"

        Miyato & Koyama (2018), arXiv:1802.05637, equation 3 and figure 1 (d).
    """

    features: Features
    head: Head
    embedding: Embedding

    def __call__(self, x: Image, label: Label) -> Float[Array, ""]:
        found = self.features(x)
        return self.head(found)[0] + jnp.vdot(self.embedding(label), found)


class AuxiliaryCritic(eqx.Module):
    """A score that ignores the label, and a classifier with the same features.

    For games with an `auxiliary_weight`.

    - `features`: an image to a vector. `head`: linear to one number.
    - `classifier`: linear to as many logits as there are classes.

    !!! cite "Source"

        Odena, Olah & Shlens (2017), arXiv:1610.09585, section 3.
    """

    features: Features
    head: Head
    classifier: Head

    def __call__(self, x: Image, label: Label | None = None) -> Float[Array, ""]:
        del label
        return self.head(self.features(x))[0]

    def class_logits(self, x: Image) -> Float[Array, " classes"]:
        """Unnormalised log-probabilities of the classes, for an image."""
        return self.classifier(self.features(x))


def conditional_dcgan_critic(
    shape: tuple[int, ...],
    classes: int,
    *,
    kind: Literal["concatenation", "projection", "auxiliary"],
    key: PRNGKeyArray,
    spectral: bool = False,
    init: Initializer | None = None,
    **body: Any,
) -> ConcatenationCritic | ProjectionCritic | AuxiliaryCritic:
    """A critic with the body of `dcgan_critic`: an image of `shape` and its label to a number.

    **Arguments:**

    - `kind`: what the label is used for.
    - `spectral`: every layer spectrally normalised, the embedding too.
    - `init`: draws the heads and the body; He's normal for the heads by default.
    - `body`: the further arguments of `dcgan_critic`, `width` among them.
    """
    key_body, key_head, key_label = jax.random.split(key, 3)
    body |= {"key": key_body, "spectral": spectral, "init": init}
    init = jax.nn.initializers.he_normal() if init is None else init
    if kind == "concatenation":
        height, width, channels = image_shape(shape)
        network = dcgan_critic((height, width, channels + 1), **body)
        plane = jax.nn.initializers.normal(1.0)
        return ConcatenationCritic(network, Embedding(classes, height * width, plane, key_label))
    features, size = dcgan_features(shape, **body)
    head = linear(spectral, size, 1, init, key_head)
    if kind == "projection":
        embedding = Embedding(classes, size, init, key_label, spectral)
        return ProjectionCritic(features, head, embedding)
    return AuxiliaryCritic(features, head, linear(spectral, size, classes, init, key_label))
