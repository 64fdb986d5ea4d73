"""Networks whose weight matrices have orthogonal columns."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._trees import float_array, playable
from gameopt._types import Scalar, Strategy


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
