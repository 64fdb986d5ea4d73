"""Critics of several images at once."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt import lipschitz_upper_bound


class Packed(eqx.Module):
    """A critic of one image as a critic of packs: `(m, h, w)` or `(m, h, w, c)`.

    The images of a pack are concatenated as channels, so that the critic is one of images of
    $m$, or $mc$, channels: `Packed(dcgan_critic((28, 28, 2), ...))` for packs of two. It serves
    games with `packing`.

    - `critic`: takes an image `(h, w, m * c)`, and a condition if it is called with one. Conditions
      that are images are concatenated too.

    !!! cite "Source"

        Lin et al. (2018), arXiv:1712.04086, section 2.2.
    """

    critic: Callable[..., Any]

    def __call__(self, pack: Float[Array, "m h w *c"], condition: Any = None) -> Array:
        """**Raises:** `ValueError` for packs of labels, which are no images."""
        return self.critic(*_as_one(pack, condition))

    @property
    def patch_scores(self) -> Callable[..., Array] | None:
        """The patch scores of a critic that has them, `None` for one that judges packs whole."""
        judge = getattr(self.critic, "patch_scores", None)
        if judge is None:
            return None
        return lambda pack, condition=None: judge(*_as_one(pack, condition))


def _as_one(pack: Array, condition: Any) -> tuple[Any, ...]:
    """Concatenate the images of a pack, and those of its condition, as channels."""
    conditions = () if condition is None else (jax.tree.map(_side_by_side, condition),)
    return (_side_by_side(pack), *conditions)


def _side_by_side(pack: Array) -> Float[Array, "h w mc"]:
    if pack.ndim not in (3, 4):
        raise ValueError(
            f"a pack must hold images, (m, h, w) or (m, h, w, c), got shape {pack.shape}. Packs of "
            "labels have no critic here: play them with packing=1."
        )
    pack = pack[..., None] if pack.ndim == 3 else pack
    return jnp.moveaxis(pack, 0, 2).reshape(*pack.shape[1:3], -1)


@lipschitz_upper_bound.register
def _(network: Packed) -> Float[Array, ""]:
    # To lay images side by side is a permutation of their numbers.
    return lipschitz_upper_bound(network.critic)
