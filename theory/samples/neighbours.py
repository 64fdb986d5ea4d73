"""Nearest-neighbour metrics: precision, recall, density, coverage, memorisation."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Count, as_count, check_clouds, from_one_origin
from theory._numeric import Estimate, Scalar, all_numbers, mean_estimate, nan_unless, safe_divide
from theory.samples.neighbour_search import (
    Pairs,
    in_blocks,
    k_nearest,
    nearest_neighbours,
    typical_unit,
)


class PRDC(NamedTuple):
    r"""Precision, recall, density and coverage, each of shape `()`.

    With $B_i$ the open ball around a point, with the distance to its k-th nearest neighbour in its
    own sample as radius:

    - `precision`: share of the fake points in some real ball. `recall`: of the real in a fake one.
    - `density`: mean number of real balls that a fake point is in, over k: 1 on average for equal
      laws, and not bounded by 1.
    - `coverage`: share of the real balls with a fake point; for equal laws `equal_laws_coverage`.
    """

    precision: Scalar
    recall: Scalar
    density: Scalar
    coverage: Scalar


def prdc(real: ArrayInput, fake: ArrayInput, k: Count = 5) -> PRDC:
    """Precision, recall, density and coverage of a sample.

    Every pair is decided by the differences of its own coordinates, so that neither the distance
    from the origin nor far points change the numbers of the others. Works under jit and vmap.

    **Arguments:**

    - `real`, `fake`: shapes `(n, d)` and `(m, d)`; memory is linear in both, time in their product.
    - `k`: which neighbour; below both sizes. A point with k copies of itself has an empty ball.

    **Returns:** see `PRDC`; NaN if a coordinate is. Two distances that differ by less than eight
    units of rounding are one: the k-th neighbour itself is not inside the ball.

    **Raises:** `ValueError` unless 1 <= k < n, m, or for different dimensions.

    !!! cite "Source"

        Kynkäänniemi et al. (2019), arXiv:1904.06991, for the first two; Naeem et al. (2020),
        arXiv:2002.09797, section 3, for all and for the open balls.
    """
    real, fake = from_one_origin(real, fake)
    check_clouds(real=real, fake=fake)
    return _prdc(real, fake, as_count("k", k, 1, min(len(real), len(fake)) - 1))


@functools.partial(jax.jit, static_argnames="k")
def _prdc(real: Float[Array, "n d"], fake: Float[Array, "m d"], k: int) -> PRDC:
    known, unit = all_numbers(real, fake), typical_unit(real, fake)
    real, fake = real / unit, fake / unit
    tie = 1 - 8 * jnp.finfo(real.dtype).eps
    radius = lambda cloud: tie * k_nearest(cloud, cloud, k, own=True)[0][:, -1]
    radii_real, radii_fake = radius(real), radius(fake)
    pairs = Pairs.of(real, fake)

    def of_real(block):
        points, radii = block
        squares = pairs.decided(points, [radii[:, None], radii_fake[None, :]])
        inside = squares < radii[:, None]
        recalled = jnp.any(squares < radii_fake[None, :], axis=1)
        return recalled, jnp.any(inside, axis=1), jnp.sum(inside, axis=0)

    # Rows of padding have the radius 0, and so nothing inside.
    recalled, covered, counts = jax.lax.map(of_real, (in_blocks(real), in_blocks(radii_real)))
    counts = jnp.sum(counts, axis=0)
    mean = lambda values: nan_unless(known, jnp.mean(values.astype(real.dtype)))
    share = lambda values: mean(values.reshape(-1)[: len(real)])
    return PRDC(mean(counts > 0), share(recalled), mean(counts) / k, share(covered))


def equal_laws_coverage(n: Count, m: Count, k: Count) -> float:
    r"""The mean coverage of n real points by m fake ones of the same continuous law.

    $1 - \binom{n-1}{k}/\binom{n+m-1}{k}$: a ball is empty if the k nearest of all are real.

    !!! cite "Source"

        Naeem et al. (2020), arXiv:2002.09797, lemma 2.
    """
    n, m = as_count("n", n), as_count("m", m)
    k = as_count("k", k, 1, n)
    return 1 - math.comb(n - 1, k) / math.comb(n + m - 1, k)


def nearest_neighbour_ratios(generated: ArrayInput, train: ArrayInput) -> Float[Array, " m"]:
    r"""Distance to the nearest training point over that to the second nearest, per sample.

    0 for a copy, whether of one training point or of several that coincide. Where the training
    points are dense, its $d$-th power is uniform on [0, 1] for a sample that ignores them: the mean
    ratio is $d/(d+1)$, with $d$ the dimension that the data really have.

    **Arguments:** `generated`, `train`: shapes `(m, d)` and `(n, d)`, n at least 2.

    **Returns:** shape `(m,)`, in [0, 1]; NaN throughout if a coordinate is NaN, and for a sample at
    infinity.

    **Raises:** `ValueError` for fewer than two training points, or different dimensions.

    !!! cite "Source"

        Lowe (2004), IJCV 60(2), section 7.1, for the ratio.
    """
    generated, train = from_one_origin(generated, train)
    check_clouds(generated=generated, train=train)
    if len(train) < 2:
        raise ValueError("a second nearest neighbour takes at least two training points.")
    nearest = nearest_neighbours(generated, train, 2).distances
    return safe_divide(nearest[:, 0], nearest[:, 1])


def memorised_share(generated: ArrayInput, train: ArrayInput, held_out: ArrayInput) -> Estimate:
    r"""The share of samples that are nearer to a training point than to any held-out one.

    A generator that took no more from the training set than from the law behind both has a mean of
    $n/(n+k)$, one half for sets of one size; one that copies has 1. Ties count one half.

    **Arguments:** shapes `(m, d)`, `(n, d)` and `(k, d)`, each with at least one point.

    **Returns:** the share and its standard error over the samples, both sets held fixed; NaN if a
    coordinate is.

    **Raises:** `ValueError` for empty clouds or different dimensions.

    !!! cite "Source"

        Meehan, Chaudhuri & Dasgupta (2020), arXiv:2004.05675, section 3, without the cells.
    """
    generated, train, held_out = from_one_origin(generated, train, held_out)
    check_clouds(generated=generated, train=train, held_out=held_out)
    near, far = (nearest_neighbours(generated, c).distances[:, 0] for c in (train, held_out))
    share = jnp.where(near < far, 1.0, jnp.where(near > far, 0.0, 0.5))
    return mean_estimate(nan_unless(all_numbers(near, far), share))
