"""What a GAN's losses may have beside scores: classes told apart, pairs reconstructed."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from gameopt._batched import BATCH_AXIS, Critic
from gameopt._conditioned import Conditioned, Points
from gameopt._types import Scalar


def class_cross_entropy(critic: Critic, points: Points) -> Scalar:
    r"""$-\mathbb{E}\log p(c \mid x)$ in nats, by the critic's own class logits.

    **Arguments:**

    - `critic`: has a method `class_logits(x)`, of one point without its condition to shape
      `(classes,)`.
    - `points`: `Conditioned`, each by an integer label of shape `()`. A label that is no class
      makes the result NaN.

    **Raises:** `ValueError` if the critic has no class logits, or the points no labels.

    !!! cite "Source"

        Odena, Olah & Shlens (2017), arXiv:1610.09585, equation 3.
    """
    classify = getattr(critic, "class_logits", None)
    if classify is None:
        raise ValueError(
            f"auxiliary_weight needs a critic with a method class_logits(x) -> (classes,), and "
            f"{type(critic).__name__} has none."
        )
    if not isinstance(points, Conditioned) or not _is_labels(points.condition):
        raise ValueError(
            "auxiliary_weight needs data that are Conditioned(values, labels), with an int32 label "
            "of shape () for each point."
        )
    logits = jax.vmap(classify, axis_name=BATCH_AXIS)(points.value)
    labels = points.condition[:, None]
    # Counted from the end, a label below 0 would be another class.
    labels = jnp.where(labels < 0, logits.shape[1], labels)
    rows = jnp.take_along_axis(jax.nn.log_softmax(logits), labels, axis=1)
    return -jnp.mean(rows)


def _is_labels(condition: Any) -> bool:
    if not isinstance(condition, Array):
        return False
    return condition.ndim == 1 and jnp.issubdtype(condition.dtype, jnp.integer)


def reconstruction_error(real: Points, fake: Points) -> Scalar:
    r"""$\mathbb{E}|x - G(z, c)|$, a mean over the batch and over a point's entries, in the data's
    units.

    **Raises:** `ValueError` if the points are not `Conditioned`: rows of data and of generated
    points belong together by their conditions only.

    !!! cite "Source"

        Isola et al. (2017), arXiv:1611.07004, equation 3.
    """
    if not isinstance(real, Conditioned) or not isinstance(fake, Conditioned):
        raise ValueError(
            "reconstruction_weight needs data that are Conditioned(values, conditions): a point "
            "is compared with what is generated from its own condition."
        )
    return jnp.mean(jnp.abs(real.value - fake.value))
