"""Critics that should not tell a point from its augmentation."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt._augmentation import Augment, augmented
from gameopt._batched import Critic, critic_scores
from gameopt._conditioned import Points
from gameopt._trees import optional_float_array
from gameopt._types import Scalar


class ConsistencyPenalty(eqx.Module):
    r"""$\lambda_r\,\mathbb{E}(f(x) - f(T x))^2$ over data, and $\lambda_f$ times the same over
    generated points, with random transformations $T$.

    - `augment`: $T$, `(key, point) -> point`, with one key for each sample. The point is what the
      critic judges, without its condition: a pack of points where there is a packing.
    - `weight_real`, `weight_fake`: $\lambda_r$ and $\lambda_f$, array leaves, or `None` for a kind
      that is left out at no cost. With `weight_fake` 0 or `None` it is consistency regularization
      (CR), else balanced (bCR).

    It compares scores and takes no gradients, so that critics may normalise over the batch.

    !!! cite "Source"

        Zhang et al. (2019), arXiv:1910.12027, equation 3 (CR); Zhao et al. (2020),
        arXiv:2002.04724, algorithm 1 (bCR).
    """

    augment: Augment
    weight_real: Float[Array, ""] | None = eqx.field(converter=optional_float_array, default=10.0)
    weight_fake: Float[Array, ""] | None = eqx.field(converter=optional_float_array, default=10.0)

    def __check_init__(self):
        if self.weight_real is None and self.weight_fake is None:
            raise ValueError("ConsistencyPenalty needs a weight: weight_real, weight_fake or both.")

    def __call__(self, critic: Critic, real: Points, fake: Points, key: PRNGKeyArray) -> Scalar:
        keys = jax.random.split(key, 2)
        terms = []
        for weight, points, own_key in (
            (self.weight_real, real, keys[0]),
            (self.weight_fake, fake, keys[1]),
        ):
            if weight is not None:
                change = _square_change(critic, self.augment, points, own_key)
                terms.append(weight.astype(change.dtype) * change)
        return sum(terms[1:], start=terms[0])


def _square_change(critic: Critic, augment: Augment, points: Points, key: PRNGKeyArray) -> Scalar:
    moved = critic_scores(critic, augmented(augment, points, key))
    return jnp.mean(jnp.square(critic_scores(critic, points) - moved))
