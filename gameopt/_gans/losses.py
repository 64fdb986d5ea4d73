"""Losses of GANs by name, and further terms of both players."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from gameopt._checks import check_choice
from gameopt._gans.networks import BATCH_AXIS, Critic
from gameopt._gans.points import Conditioned, Points
from gameopt._types import Scalar


def minimax_value(real: Float[Array, " n"], fake: Float[Array, " m"]) -> Scalar:
    r"""$V = \mathbb{E}\log\sigma(\mathrm{real}) + \mathbb{E}\log(1 - \sigma(\mathrm{fake}))$.

    **Arguments:** logits of $D$ on data, shape `(n,)`, and on generated points, shape `(m,)`.

    **Returns:** nats, at most 0; $-\log 4 + 2\,\mathrm{JS}$ at the optimal discriminator. The
    generator that minimises it *saturates*: where the discriminator wins (fake logits $\to
    -\infty$), its gradient vanishes as $\sigma(\mathrm{fake})$.

    !!! cite "Source"

        Goodfellow et al. (2014), arXiv:1406.2661, equation 1.
    """
    return jnp.mean(jax.nn.log_sigmoid(real)) + jnp.mean(jax.nn.log_sigmoid(-fake))


def non_saturating_generator_loss(fake: Float[Array, " m"]) -> Scalar:
    r"""$-\mathbb{E}\log\sigma(\mathrm{fake})$, in nats: its gradient tends to $-1$ where the
    discriminator wins.

    !!! cite "Source"

        Goodfellow et al. (2014), arXiv:1406.2661, the end of section 3.
    """
    return jnp.mean(jax.nn.softplus(-fake))


def least_squares_value(
    real: Float[Array, " n"], fake: Float[Array, " m"], real_target: float, fake_target: float
) -> Scalar:
    r"""$-\tfrac12\mathbb{E}(\mathrm{real}-b)^2 - \tfrac12\mathbb{E}(\mathrm{fake}-a)^2$, at most 0.

    **Arguments:** the discriminator's values, shapes `(n,)` and `(m,)`; what they should be, $b$
    and $a$. The best are $(b\,p_d + a\,p_g)/(p_d + p_g)$.

    !!! cite "Source"

        Mao et al. (2017), arXiv:1611.04076, equations 2 and 4.
    """
    return -(jnp.mean((real - real_target) ** 2) + jnp.mean((fake - fake_target) ** 2)) / 2


def least_squares_generator_loss(fake: Float[Array, " m"], target: float) -> Scalar:
    r"""$\tfrac12\mathbb{E}(\mathrm{fake} - c)^2$, at least 0 (Mao et al. 2017, equation 2)."""
    return jnp.mean((fake - target) ** 2) / 2


def hinge_value(real: Float[Array, " n"], fake: Float[Array, " m"]) -> Scalar:
    r"""$-\mathbb{E}\max(0, 1 - \mathrm{real}) - \mathbb{E}\max(0, 1 + \mathrm{fake})$: at most 0.

    At the best discriminator, the sign of $p_d - p_g$, it is $-2(1 - \mathrm{TV})$.

    !!! cite "Source"

        Lim & Ye (2017), arXiv:1705.02894, equations 9-10.
    """
    return -jnp.mean(jax.nn.relu(1 - real)) - jnp.mean(jax.nn.relu(1 + fake))


def wasserstein_value(real: Float[Array, " n"], fake: Float[Array, " m"]) -> Scalar:
    r"""$\mathbb{E} f(\mathrm{real}) - \mathbb{E} f(\mathrm{fake})$, in the data's units.

    The supremum over 1-Lipschitz $f$ is the Wasserstein-1 distance (Kantorovich-Rubinstein).

    !!! cite "Source"

        Arjovsky, Chintala & Bottou (2017), arXiv:1701.07875, equation 2.
    """
    return jnp.mean(real) - jnp.mean(fake)


def relativistic_value(real: Float[Array, " n"], fake: Float[Array, " m"]) -> Scalar:
    r"""$\mathbb{E}\log\sigma(\mathrm{real}_i - \mathrm{fake}_i)$, in nats, at most 0: how sure the
    critic is that the real point of a pair is the more real one.

    The generator maximises it with the two kinds exchanged.

    **Arguments:** scores of data and of as many generated points, shapes `(n,)`, paired by row.

    **Raises:** `ValueError` if there are not as many.

    !!! cite "Source"

        Jolicoeur-Martineau (2018), arXiv:1807.00734, section 4.1 (RSGAN).
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"Relativistic pairs need as many real as generated points, got {len(real)} and "
            f"{len(fake)}. relativistic_average_value compares batches of any sizes."
        )
    return jnp.mean(jax.nn.log_sigmoid(real - fake))


RELATIVISTIC_AVERAGE_LOSSES: dict[str, Callable[[Array, Array], Scalar]] = {
    "logistic": minimax_value,
    "least_squares": lambda real, fake: 2 * least_squares_value(real, fake, 1.0, -1.0),
    "hinge": hinge_value,
}
"""Relativistic average losses, by name, by name: RaSGAN, RaLSGAN, RaHingeGAN.
Least squares are those of the relativistic paper, without a factor of 1/2."""


def relativistic_average_value(
    real: Float[Array, " n"], fake: Float[Array, " m"], loss: str = "logistic"
) -> Scalar:
    r"""$V(\mathrm{real} - \mathbb{E}\,\mathrm{fake},\ \mathrm{fake} - \mathbb{E}\,\mathrm{real})$
    with the value $V$ of another GAN: at most 0.

    The critic maximises it, and the generator maximises it with the two kinds exchanged.

    **Arguments:** scores of data, shape `(n,)`, and of generated points, shape `(m,)`. `loss`: a
    key of `RELATIVISTIC_AVERAGE_LOSSES`.

    **Raises:** `ValueError` for a loss that is not there.

    !!! cite "Source"

        Jolicoeur-Martineau (2018), arXiv:1807.00734, section 4.2 (RaSGAN), appendix (the others).
    """
    check_choice("loss", loss, tuple(RELATIVISTIC_AVERAGE_LOSSES))
    return RELATIVISTIC_AVERAGE_LOSSES[loss](real - jnp.mean(fake), fake - jnp.mean(real))


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
    # Counted from the end, a label below 0 would be another class.
    labels = jnp.where(points.condition < 0, logits.shape[1], points.condition)
    return jnp.mean(optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels))


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
