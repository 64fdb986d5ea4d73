"""Regularisers of critics: consistency (CR, bCR), LeCam, orthogonal."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt._gans.networks import Critic, critic_scores
from gameopt._gans.points import Augment, Points, augmented
from gameopt._trees import float_array, optional_float_array, playable
from gameopt._types import Scalar, Strategy


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


class OrthogonalPenalty(eqx.Module):
    r"""$\beta\sum_W \|W^\top W \odot (1 - I)\|_F^2$: columns should be orthogonal, of any length.

    - `weight`: $\beta$, an array leaf.

    The sum is over the played leaves of two or more axes, each as a matrix of shape `(-1, out)`
    with its last axis as the outputs: linear layers `(in, out)`, kernels `(..., in, out)`. It is
    of weights alone, and so is a `penalty` of critics and a `generator_penalty` alike.

    !!! cite "Source"

        Brock, Donahue & Simonyan (2018), arXiv:1809.11096, equation 3.
    """

    weight: Float[Array, ""] = eqx.field(converter=float_array)

    def __call__(
        self, network: Strategy, real: Any = None, fake: Any = None, key: Any = None
    ) -> Scalar:
        """**Raises:** `ValueError` if the network has no leaf of two or more axes."""
        del real, fake, key
        kernels = [leaf for leaf in jax.tree.leaves(playable(network)) if leaf.ndim >= 2]
        if not kernels:
            raise ValueError(
                "OrthogonalPenalty is of weight matrices, and the network has no array of two or "
                "more axes to play. Leave the penalty out."
            )
        # The dtype of the first kernel decides, so that strict promotion holds for mixed trees.
        dtype = kernels[0].dtype
        total = sum((_overlaps(kernel).astype(dtype) for kernel in kernels), jnp.zeros((), dtype))
        return self.weight.astype(dtype) * total


def _overlaps(kernel: Float[Array, "... out"]) -> Scalar:
    """The sum of the squared inner products of different columns, each pair counted twice."""
    columns = kernel.reshape(-1, kernel.shape[-1])
    products = columns.T @ columns
    return jnp.sum(jnp.square(products - jnp.diag(jnp.diag(products))))
