"""Metrics of nearest neighbours: precision, recall, density, coverage, and memorisation."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from theory._numeric import Estimate, Scalar, mean_estimate

_ROWS = 256


class PRDC(NamedTuple):
    r"""How two samples overlap; each of shape `()`.

    With $B_i$ the open ball around a point to its k-th nearest neighbour in its own sample:

    - `precision`: share of the fake points in some real ball. `recall`: of the real in a fake one.
    - `density`: mean number of real balls that a fake point is in, over k: 1 on average for equal
      laws, and not bounded by 1.
    - `coverage`: share of the real balls with a fake point; for equal laws `equal_laws_coverage`.
    """

    precision: Scalar
    recall: Scalar
    density: Scalar
    coverage: Scalar


def prdc(real: Float[Array, "n d"], fake: Float[Array, "m d"], k: int = 5) -> PRDC:
    """Precision, recall, density and coverage of a sample, exactly.

    **Arguments:**

    - `real`, `fake`: shapes `(n, d)` and `(m, d)`; memory is linear in both, time in their product.
    - `k`: which neighbour; below both sizes. A point with k copies of itself has an empty ball. The
      time grows with it.

    **Raises:** `ValueError` unless 1 <= k < n, m.

    !!! cite "Source"

        Kynkäänniemi et al. (2019), arXiv:1904.06991, for the first two; Naeem et al. (2020),
        arXiv:2002.09797, section 3, for all and for the open balls.
    """
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(f"k must be from 1 to {min(len(real), len(fake)) - 1}, got {k}.")
    return _prdc(real, fake, k)


@functools.partial(jax.jit, static_argnames="k")
def _prdc(real: Float[Array, "n d"], fake: Float[Array, "m d"], k: int) -> PRDC:
    centre = jnp.mean(real, axis=0)[None, :]  # small norms: squares by expansion keep their digits
    real, fake = real - centre, fake - centre
    largest = jnp.maximum(*(jnp.max(jnp.sum(cloud**2, axis=1)) for cloud in (real, fake)))
    # A neighbour at the distance of the k-th, as that one itself, is not inside, rounding or not.
    margin = 64 * jnp.finfo(largest.dtype).eps * largest
    radii_real, radii_fake = (_squared_radii(cloud, k) - margin for cloud in (real, fake))

    def of_real(block):
        points, radii = block
        squares = _squares(points, fake)
        inside = squares < radii[:, None]
        recalled = jnp.any(squares < radii_fake[None, :], axis=1)
        return recalled, jnp.any(inside, axis=1), jnp.sum(inside, axis=0)

    # Rows of padding have the radius 0, and so nothing inside.
    recalled, covered, counts = jax.lax.map(of_real, (_blocks(real), _blocks(radii_real)))
    counts = jnp.sum(counts, axis=0)
    mean = lambda values: jnp.mean(values.astype(real.dtype))
    share = lambda values: mean(values.reshape(-1)[: len(real)])
    return PRDC(mean(counts > 0), share(recalled), mean(counts) / k, share(covered))


def _blocks(array: Shaped[Array, "n ..."]) -> Shaped[Array, "blocks rows ..."]:
    """Rows in blocks of some hundred, the last one padded with zeros."""
    count = len(array)
    rows = min(_ROWS, count)
    padding = [(0, -count % rows)] + [(0, 0)] * (array.ndim - 1)
    return jnp.pad(array, padding).reshape(-1, rows, *array.shape[1:])


def _by_blocks(
    function: Callable[..., Shaped[Array, "rows ..."]], *arrays: Shaped[Array, "n ..."]
) -> Shaped[Array, "n ..."]:
    """A function of rows, a block at a time, so that no whole matrix is ever held."""
    results = jax.lax.map(lambda parts: function(*parts), tuple(map(_blocks, arrays)))
    return results.reshape(-1, *results.shape[2:])[: len(arrays[0])]


def _squares(points: Float[Array, "m d"], cloud: Float[Array, "n d"]) -> Float[Array, "m n"]:
    """Squared distances by expansion: one matrix product."""
    norms = jnp.sum(points**2, axis=1)[:, None] + jnp.sum(cloud**2, axis=1)[None, :]
    return jnp.maximum(norms - 2 * (points @ cloud.T), 0)


def _squared_radii(cloud: Float[Array, "n d"], k: int) -> Float[Array, " n"]:
    """Squared distances to the k-th nearest *other* point."""
    places = jnp.arange(len(cloud))

    def radii(points, indices):
        own = indices[:, None] == places[None, :]
        return _kth_smallest(jnp.where(own, jnp.inf, _squares(points, cloud)), k)

    return _by_blocks(radii, cloud, places)


def _kth_smallest(values: Float[Array, "m n"], k: int) -> Float[Array, " m"]:
    """Of each row, copies counted, by k passes: on the CPU `lax.top_k` may sort the whole row."""

    def climb(_, carry):
        level, count = carry
        above = jnp.min(jnp.where(values > level[:, None], values, jnp.inf), axis=1)
        copies = jnp.sum(values == above[:, None], axis=1)
        wanted = count < k
        return jnp.where(wanted, above, level), jnp.where(wanted, count + copies, count)

    level = jnp.full(len(values), -jnp.inf, values.dtype)
    return jax.lax.fori_loop(0, k, climb, (level, jnp.zeros(len(values), int)))[0]


def equal_laws_coverage(n: int, m: int, k: int) -> float:
    r"""The mean coverage of n real points by m fake ones of the same law, for any continuous law.

    $1 - \binom{n-1}{k}/\binom{n+m-1}{k}$: a ball is empty if the k nearest of all are real.

    !!! cite "Source"

        Naeem et al. (2020), arXiv:2002.09797, lemma 2.
    """
    return 1 - math.comb(n - 1, k) / math.comb(n + m - 1, k)


def nearest_neighbour_ratios(
    generated: Float[Array, "m d"], train: Float[Array, "n d"]
) -> Float[Array, " m"]:
    r"""Distance to the nearest training point over that to the second nearest, for each sample.

    0 for a copy, whether of one training point or of several that coincide. Where the training
    points are dense, its $d$-th power is uniform on [0, 1] for a sample that ignores them: the mean
    ratio is $d/(d+1)$, with $d$ the dimension that the data really have.

    **Arguments:** `generated`, `train`: shapes `(m, d)` and `(n, d)`, n at least 2.

    **Returns:** shape `(m,)`, in [0, 1].

    **Raises:** `ValueError` for fewer than two training points.

    !!! cite "Source"

        Lowe (2004), IJCV 60(2), section 7.1, for the ratio.
    """
    if len(train) < 2:
        raise ValueError("a second nearest neighbour takes at least two training points.")
    nearest = _nearest(generated, train, 2)
    far = nearest[:, 1] > 0
    return jnp.where(far, nearest[:, 0] / jnp.where(far, nearest[:, 1], 1), 0)


def memorised_share(
    generated: Float[Array, "m d"], train: Float[Array, "n d"], held_out: Float[Array, "k d"]
) -> Estimate:
    r"""The share of samples that are nearer to a training point than to every held-out one.

    A generator that took no more from the training set than from the law behind both has a mean of
    $n/(n+k)$, one half for sets of one size; one that copies has 1. Ties count one half.

    **Arguments:** shapes `(m, d)`, `(n, d)` and `(k, d)`, each with at least one point.

    **Returns:** the share and its standard error over the samples, both sets held fixed.

    !!! cite "Source"

        Meehan, Chaudhuri & Dasgupta (2020), arXiv:2004.05675, section 3, without the cells.
    """
    near, far = (_nearest(generated, cloud, 1)[:, 0] for cloud in (train, held_out))
    return mean_estimate(jnp.where(near < far, 1.0, jnp.where(near > far, 0.0, 0.5)))


@functools.partial(jax.jit, static_argnames="k")
def _nearest(
    points: Float[Array, "m d"], cloud: Float[Array, "n d"], k: int
) -> Float[Array, "m k"]:
    """Distances to the k nearest; found by expansion, measured by differences: a copy is at 0."""
    centre = jnp.mean(cloud, axis=0)[None, :]

    def of(rows):
        found = jax.lax.top_k(-_squares(rows - centre, cloud - centre), k)[1]
        return jnp.sort(jnp.linalg.norm(cloud[found] - rows[:, None, :], axis=2), axis=1)

    return _by_blocks(of, points)
