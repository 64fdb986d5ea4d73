"""Critics whose scores stay near moving averages of what they were."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt._batched import Critic, critic_scores
from gameopt._conditioned import Points
from gameopt._trees import float_array
from gameopt._types import Scalar


def _anchors(values: Any) -> Float[Array, "2"]:
    return float_array(jnp.asarray(values))


class LeCamPenalty(eqx.Module):
    r"""$\lambda\,[\mathbb{E}(f(x) - \alpha_F)^2 + \mathbb{E}(f(\tilde x) - \alpha_R)^2]$ with data
    $x$ and generated points $\tilde x$: each kind is drawn to the anchor of the other.

    - `weight`: $\lambda$, an array leaf.
    - `anchors`: $(\alpha_R, \alpha_F)$, moving averages of the critic's scores of data and of
      generated points, shape `(2,)`. A loss keeps no state, so that they are data of the game; the
      solver `Anchored` keeps them.

    With the Wasserstein value and $\alpha_R = -\alpha_F = \alpha$ the best critic is
    $(\tfrac{1}{2\lambda} - \alpha)(p_d - p_g)/(p_d + p_g)$, and the value there
    $(\tfrac{1}{2\lambda} - \alpha)\int (p_d - p_g)^2/(p_d + p_g)$, Le Cam's divergence.

    !!! cite "Source"

        Tseng et al. (2021), arXiv:2104.03310, section 3.
    """

    weight: Float[Array, ""] = eqx.field(converter=float_array)
    anchors: Float[Array, "2"] = eqx.field(converter=_anchors, default=(0.0, 0.0))

    def __call__(self, critic: Critic, real: Points, fake: Points, key: PRNGKeyArray) -> Scalar:
        del key
        real_scores, fake_scores = critic_scores(critic, real), critic_scores(critic, fake)
        anchors = self.anchors.astype(real_scores.dtype)
        squares = jnp.mean(jnp.square(real_scores - anchors[1]))
        squares = squares + jnp.mean(jnp.square(fake_scores - anchors[0]))
        return self.weight.astype(squares.dtype) * squares


def anchors_of(tree: Any) -> list[Float[Array, "2"]]:
    """The anchors of every `LeCamPenalty` of a tree, such as a game."""
    return [node.anchors for node in jax.tree.leaves(tree, is_leaf=_is_lecam) if _is_lecam(node)]


def with_anchors(tree: Any, anchors: Float[Array, "2"]) -> Any:
    """The same tree with these anchors in every `LeCamPenalty`."""

    def put(node):
        return eqx.tree_at(lambda p: p.anchors, node, anchors) if _is_lecam(node) else node

    return jax.tree.map(put, tree, is_leaf=_is_lecam)


def _is_lecam(node: Any) -> bool:
    return isinstance(node, LeCamPenalty)
