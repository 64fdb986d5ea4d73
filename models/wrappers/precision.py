"""Networks that compute in half precision with weights in single."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, DTypeLike

from gameopt import playable


class InPrecision(eqx.Module):
    """A network that computes in another precision than that of its weights.

    Weights and inputs are cast on the way in, and the output is cast back to the precision of the
    first input. So gradients, optimizers and averages are in that of the weights, and losses
    in that of the data. A condition that is one number, such as a time, keeps its own precision:
    half has two or three digits, and networks embed such numbers before anything else.

    - `network`: called with a point, and perhaps its condition. `dtype`: such as `jnp.bfloat16`.
      Static.

    !!! cite "Source"

        Micikevicius et al. (2018), arXiv:1710.03740, section 3.1.
    """

    network: Any
    dtype: DTypeLike = eqx.field(static=True)

    def __call__(self, x: Array, *condition: Any) -> Array:
        return self._cast(self.network)(self._cast(x), *self._cast_all(condition)).astype(x.dtype)

    def class_logits(self, x: Array) -> Array:
        """The class logits of a network that has them."""
        return self._cast(self.network).class_logits(self._cast(x)).astype(x.dtype)

    @property
    def patch_scores(self) -> Callable[..., Array] | None:
        """The patch scores of a critic that has them, `None` for one that judges points whole."""
        network = self._cast(self.network)
        judge = getattr(network, "patch_scores", None)
        if judge is None:
            return None
        return lambda x, *condition: judge(self._cast(x), *self._cast_all(condition)).astype(
            x.dtype
        )

    def _cast_all(self, conditions: tuple[Any, ...]) -> list[Any]:
        is_number = lambda part: eqx.is_array(part) and part.ndim == 0
        return [part if is_number(part) else self._cast(part) for part in conditions]

    def _cast(self, tree: Any) -> Any:
        # What is carried keeps its own precision.
        cast = jax.tree.map(lambda leaf: leaf.astype(self.dtype), playable(tree))
        return eqx.combine(cast, tree)


def in_half_precision(network: Any) -> InPrecision:
    """Compute a network in bfloat16, which has the range of float32 and needs no loss scaling."""
    return InPrecision(network, jnp.bfloat16)
