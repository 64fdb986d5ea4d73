"""Critics that know the class: called with an image and its label."""

from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float, PRNGKeyArray

from models.conditional import Embedding, Label
from models.conv_layers import with_channels
from models.dcgan import dcgan_critic, dcgan_features, image_shape, linear
from models.layers import Linear
from models.spectral import SpectralLinear

Image = Float[Array, "h w ..."]
Features = Callable[[Any], Any]
Head = Linear | SpectralLinear


class ConcatenationCritic(eqx.Module):
    """The label's embedding as one more channel of the image.

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
    r"""$\psi(\phi(x)) + \langle v_c, \phi(x)\rangle$: a score, and how well the label fits.

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
    - `init`: draws the heads and the body; He's normal for the heads if left out.
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
