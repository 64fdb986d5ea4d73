"""f-divergences between Gaussian mixtures in one or two dimensions, with an error estimate."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from theory._inputs import Count, as_count
from theory._numeric import Scalar
from theory.distributions import GaussianMixture
from theory.divergences.f_divergences import FDivergence, f_divergence_density
from theory.quadrature import Quadrature, piecewise_quadrature, product_quadrature

_CHUNK = 2**16
_STEPS = np.array([0.0, 1.0, 2.0, 3.5, 5.5])  # in deviations: finest where the mass is


class Integral(NamedTuple):
    """An integral by quadrature and its difference from a finer, wider rule, both `()`."""

    value: Scalar
    error: Scalar


def mixture_quadrature(
    laws: Sequence[GaussianMixture], order: Count = 8, reach: float = 9.0
) -> Quadrature:
    """A quadrature rule with nodes wherever a component of any law has mass, in 1 or 2 dimensions.

    Along each axis the intervals end at 0, 1, 2, 3.5, 5.5 and `reach` deviations of every component
    to either side of its mean; in the plane the rule is the product.

    **Arguments:**

    - `laws`: of one dimension, 1 or 2. The rule is made on the host: not under jit.
    - `order`: nodes on each interval.
    - `reach`: where the rule ends, in deviations of the outermost components.

    **Returns:** nodes of shape `(k, d)`; k is a product of sums over components, so that many
    components at scattered places in the plane make millions of nodes.

    **Raises:** `ValueError` for other dimensions.

    !!! warning

        Narrow components that are tilted against the axes contain few nodes: the error of
        `mixture_divergence` shows it.
    """
    order = as_count("order", order)
    sizes = {law.means.shape[1] for law in laws}
    if sizes not in ({1}, {2}):
        raise ValueError(f"quadrature is for mixtures of one dimension, 1 or 2, got {sizes}.")
    means = np.concatenate([np.asarray(law.means) for law in laws])
    roots = np.concatenate([np.asarray(law.scale_trils) for law in laws])
    stds = np.sqrt(np.sum(roots**2, axis=2))
    rules = [_axis_rule(means[:, i], stds[:, i], order, reach) for i in range(means.shape[1])]
    product = product_quadrature(*rules)
    return Quadrature(product.nodes.reshape(-1, means.shape[1]), product.weights)


def _axis_rule(means: np.ndarray, stds: np.ndarray, order: int, reach: float) -> Quadrature:
    steps = np.append(_STEPS[reach > _STEPS], reach)
    offsets = np.concatenate([-steps, steps])[None, :] * stds[:, None]
    places = np.sort((means[:, None] + offsets).ravel())
    # Ends that coincide but for rounding are one end.
    apart = np.diff(places, prepend=-np.inf) > 1e-6 * stds.min()
    return piecewise_quadrature(places[apart], order)


def mixture_divergence(
    divergence: FDivergence, p: GaussianMixture, q: GaussianMixture, order: Count = 8
) -> Integral:
    r"""$D_f(p\|q)$ between Gaussian mixtures of one or two dimensions, by quadrature.

    **Arguments:**

    - `divergence`: one of `F_DIVERGENCES`.
    - `p`, `q`: of one dimension, 1 or 2.
    - `order`: nodes on each interval of the coarser rule.

    **Returns:** the value of a rule with half as many nodes again on intervals that reach half as
    far again, and its difference from the rule with `order` nodes: an estimate of the *coarser*
    rule's error, and so on the safe side; it is no bound. Where the divergence is infinite, the
    value is large or infinite and so is the error.
    """
    order = as_count("order", order)
    coarse = _integrate(divergence, p, q, mixture_quadrature((p, q), order))
    fine = _integrate(
        divergence, p, q, mixture_quadrature((p, q), order + (order + 1) // 2, reach=13.5)
    )
    same = fine == coarse  # also where both are infinite
    return Integral(fine, jnp.where(same, 0.0, jnp.abs(fine - coarse)))


@functools.partial(jax.jit, static_argnums=0)
def _integrate(
    divergence: FDivergence, p: GaussianMixture, q: GaussianMixture, rule: Quadrature
) -> Scalar:
    size = min(_CHUNK, rule.weights.size)
    both = lambda x: (p.log_prob(x), q.log_prob(x))
    log_p, log_q = jax.lax.map(both, rule.nodes, batch_size=size)
    return f_divergence_density(divergence, log_p, log_q, rule.weights)
