r"""Exact nearest neighbours in blocks: matrix products find candidates, differences decide.

$\|x\|^2 + \|y\|^2 - 2x^\top y$ is one matrix product, but its rounding error is a share of the
*norms*, so that it cannot rank points that are much nearer to each other than to the origin. Here
it only excludes the pairs that its error bound excludes; the others are decided by
$\sum_k (x_k - y_k)^2$, whose error is a share of the squared distance itself. A block in which the
product decides too little falls back to differences for all of its pairs.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from theory._inputs import ArrayInput, Count, as_count, check_clouds, from_one_origin
from theory._numeric import all_numbers, nan_unless, safe_sqrt

_ROWS = 128  # of a block: its matrix of pairs stays in the cache
_FEW = 16  # dimensions up to which differences cost no more than a matrix product
_LANES = 8  # coordinates added in one pass over the pairs
_SPARE = 4  # candidates beyond the k nearest, for those that the product ranks wrongly
_PASSES = 32  # over a short row, beyond which its k smallest are found faster by `top_k`
_GROUPS = 128  # of a row's pairs, so that the smallest are found without a sort
_DOUBTS = 16  # pairs of a row that are decided one by one before the whole block is


class Neighbours(NamedTuple):
    """The k nearest points of a cloud for every query, nearest first, each of shape `(m, k)`.

    - `distances`: Euclidean. `indices`: rows of the cloud; ties in any order.
    """

    distances: Float[Array, "m k"]
    indices: Int[Array, "m k"]


def nearest_neighbours(points: ArrayInput, cloud: ArrayInput, k: Count = 1) -> Neighbours:
    """The k nearest points of a cloud for each query point.

    **Arguments:**

    - `points`, `cloud`: shapes `(m, d)` and `(n, d)`; memory is linear in both, time in their
      product. `k`: at most n.

    **Returns:** see `Neighbours`; all distances are NaN if a coordinate is. The gradient of a
    distance holds the neighbour fixed, and is 0 where the distance is 0.

    **Raises:** `ValueError` for empty clouds, different dimensions, or k out of range.
    """
    points, cloud = from_one_origin(points, cloud)
    check_clouds(points=points, cloud=cloud)
    return _nearest_neighbours(points, cloud, as_count("k", k, 1, len(cloud)))


@functools.partial(jax.jit, static_argnames="k")
def _nearest_neighbours(
    points: Float[Array, "m d"], cloud: Float[Array, "n d"], k: int
) -> Neighbours:
    unit = typical_unit(cloud, points)
    rows, others = jax.lax.stop_gradient((points / unit, cloud / unit))
    _, indices = k_nearest(rows, others, k)
    gaps = (points[:, None, :] - cloud[indices]) / unit
    distances = unit * safe_sqrt(jnp.sum(gaps**2, axis=2))
    return Neighbours(nan_unless(all_numbers(points, cloud), distances), indices)


def typical_unit(*clouds: Float[Array, "_ d"]) -> Float[Array, ""]:
    """A power of two near the first cloud's typical size, so that no usual square overflows.

    Division by it is exact, so that ties remain ties.
    """
    centre = robust_centre(clouds[0])
    sizes = [jnp.max(jnp.abs(cloud - centre[None, :]), axis=1) for cloud in clouds]
    typical = jnp.median(_some(sizes[0]))
    largest = jnp.max(jnp.concatenate(sizes))
    size = jnp.where(typical > 0, typical, jnp.where(largest > 0, largest, 1.0))
    info = jnp.finfo(size.dtype)
    exponent = jnp.clip(jnp.frexp(size)[1], info.minexp + 2, info.maxexp - 2)
    return jax.lax.stop_gradient(jnp.ldexp(jnp.ones_like(size), exponent))


def robust_centre(cloud: Float[Array, "n d"]) -> Float[Array, " d"]:
    """The median of about a hundred points, robust to a few far ones."""
    return jax.lax.stop_gradient(jnp.median(_some(cloud), axis=0))


def _some(rows: Shaped[Array, "n ..."]) -> Shaped[Array, "m ..."]:
    return rows[:: max(1, len(rows) // _ROWS)]


def k_nearest(
    points: Float[Array, "m d"], cloud: Float[Array, "n d"], k: int, *, own: bool = False
) -> tuple[Float[Array, "m k"], Int[Array, "m k"]]:
    """Squared distances to the k nearest, smallest first, and their indices.

    With `own` the points are the cloud itself, and none is its own neighbour.
    """
    pairs = Pairs.of(points, cloud)
    places = jnp.arange(len(points), dtype=jnp.int32)

    def of(block):
        rows, place = block
        is_own = jnp.arange(len(cloud), dtype=jnp.int32)[None, :] == place[:, None]
        without_own = lambda squares: jnp.where(is_own, jnp.inf, squares) if own else squares
        by_differences = lambda: _smallest(without_own(pairs.exact(rows)), k)
        if pairs.few:
            return by_differences()
        estimates, errors = pairs.by_product(rows)
        lowest = without_own(estimates - errors)
        candidates = _smallest(lowest, min(k + _SPARE, len(cloud)))[1]
        squares = pairs.exact_at(rows, candidates)
        if own:
            squares = jnp.where(candidates == place[:, None], jnp.inf, squares)
        squares, candidates = jax.lax.sort((squares, candidates), num_keys=1)
        # Every pair that may be as near as the k-th found is among the candidates.
        possible = lambda low: jnp.sum(low <= squares[:, k - 1 : k], axis=1)
        found = jnp.take_along_axis(lowest, candidates, axis=1)
        sure = jnp.all(possible(lowest) == possible(found))
        return jax.lax.cond(sure, lambda: (squares[:, :k], candidates[:, :k]), by_differences)

    return by_blocks(of, points, places)


def _smallest(values: Float[Array, "m n"], k: int) -> tuple[Float[Array, "m k"], Int[Array, "m k"]]:
    """The k smallest of each row, smallest first: they are in the k groups of smallest minima."""
    count = values.shape[1]
    if count <= 4 * _GROUPS or k >= _GROUPS:
        return _by_passes(values, k)
    padding = [(0, 0), (0, -count % _GROUPS)]
    groups = jnp.pad(values, padding, constant_values=jnp.inf).reshape(len(values), -1, _GROUPS)
    chosen = _by_passes(jnp.min(groups, axis=1), k)[1]
    members = jnp.take_along_axis(groups, chosen[:, None, :], axis=2)
    found, place = _by_passes(members.reshape(len(values), -1), k)
    group = jnp.take_along_axis(chosen, place % k, axis=1)
    return found, place // k * _GROUPS + group


def _by_passes(
    values: Float[Array, "m n"], k: int
) -> tuple[Float[Array, "m k"], Int[Array, "m k"]]:
    """As `_smallest`, by passes over the row: for small k twice as fast on a CPU as `top_k`."""
    if k > _PASSES:
        found, places = jax.lax.top_k(-values, k)
        return -found, places
    places = jnp.arange(values.shape[1], dtype=jnp.int32)[None, :]

    def take(last, _):
        level, place = last[0][:, None], last[1][:, None]
        left = (values > level) | ((values == level) & (places > place))
        least = jnp.min(jnp.where(left, values, jnp.inf), axis=1)
        equal = left & (values == least[:, None])
        at = jnp.min(jnp.where(equal, places, values.shape[1] - 1), axis=1)
        return (least, at), (least, at)

    first = jnp.full(len(values), -jnp.inf, values.dtype), jnp.full(len(values), -1, jnp.int32)
    _, (found, at) = jax.lax.scan(take, first, None, length=k)
    return found.T, at.T


class Pairs(NamedTuple):
    """Squared distances between rows and all points of a cloud, by differences or by a product."""

    cloud: Float[Array, "n d"]
    centre: Float[Array, " d"]
    centred: Float[Array, "n d"]
    norms: Float[Array, " n"]
    coordinates: Float[Array, "chunks lanes 1 n"]

    @staticmethod
    def of(points: Float[Array, "m d"], cloud: Float[Array, "n d"]) -> "Pairs":
        """Precompute all that does not depend on the rows."""
        centre = robust_centre(points)
        centred = cloud - centre[None, :]
        norms = jnp.sum(centred**2, axis=1)
        return Pairs(cloud, centre, centred, norms, _coordinates(cloud)[:, :, None, :])

    @property
    def few(self) -> bool:
        """True if there are so few dimensions that a product saves nothing."""
        return self.cloud.shape[1] <= _FEW

    def exact(self, rows: Float[Array, "m d"]) -> Float[Array, "m n"]:
        """Squared distances by differences; relative error a few units of rounding."""
        return _sum_of_squares(_coordinates(rows)[:, :, :, None], self.coordinates)

    def exact_at(self, rows: Float[Array, "m d"], places: Int[Array, "m k"]) -> Float[Array, "m k"]:
        """As `exact`, to the same bits, at some indices of each row only."""
        at = jnp.moveaxis(_coordinates(self.cloud[places].reshape(-1, rows.shape[1])), -1, 0)
        at = jnp.moveaxis(at.reshape(*places.shape, *at.shape[1:]), (0, 1), (-2, -1))
        return _sum_of_squares(_coordinates(rows)[:, :, :, None], at)

    def by_product(
        self, rows: Float[Array, "m d"]
    ) -> tuple[Float[Array, "m n"], Float[Array, "m n"]]:
        """Squared distances by expansion, and a bound on every pair's rounding error."""
        centred = rows - self.centre[None, :]
        norms = jnp.sum(centred**2, axis=1)[:, None] + self.norms[None, :]
        product = jnp.matmul(centred, self.centred.T, precision="highest")
        share = (rows.shape[1] + 8) * jnp.finfo(rows.dtype).eps  # twice that of the inner products
        estimates, errors = norms - 2 * product, share * norms
        # Where squares overflow nothing is known: the estimate is 0 with an infinite error.
        known = jnp.isfinite(errors)
        return jnp.where(known, estimates, 0), jnp.where(known, errors, jnp.inf)

    def decided(
        self, rows: Float[Array, "m d"], thresholds: list[Float[Array, "_ _"]]
    ) -> Float[Array, "m n"]:
        """Squares on the right side of every threshold, exact wherever that is close."""
        if self.few:
            return self.exact(rows)
        estimates, errors = self.by_product(rows)
        close = [~(jnp.abs(estimates - limit) > errors) for limit in thresholds]
        doubtful = functools.reduce(jnp.logical_or, close)
        return jax.lax.cond(
            jnp.max(jnp.sum(doubtful, axis=1)) <= _DOUBTS,
            lambda: self._one_by_one(rows, estimates, doubtful),
            lambda: self.exact(rows),
        )

    def _one_by_one(
        self, rows: Float[Array, "m d"], squares: Float[Array, "m n"], doubtful: Bool[Array, "m n"]
    ) -> Float[Array, "m n"]:
        places = jnp.arange(squares.shape[1], dtype=jnp.int32)[None, :]

        def next_doubt(last):
            later = doubtful & (places > last[:, None])
            return jnp.min(jnp.where(later, places, squares.shape[1]), axis=1)

        def settle(carry):
            squares, at = carry
            exact = self.exact_at(rows, jnp.minimum(at, squares.shape[1] - 1)[:, None])
            return jnp.where(places == at[:, None], exact, squares), next_doubt(at)

        left = lambda carry: jnp.any(carry[1] < squares.shape[1])
        first = next_doubt(jnp.full(len(rows), -1, jnp.int32))
        return jax.lax.while_loop(left, settle, (squares, first))[0]


def _coordinates(points: Float[Array, "n d"]) -> Float[Array, "chunks lanes n"]:
    """Coordinates first, in chunks; the last chunk is padded with zeros."""
    lanes = min(_LANES, points.shape[1])
    padded = jnp.pad(points, [(0, 0), (0, -points.shape[1] % lanes)])
    return padded.T.reshape(-1, lanes, len(points))


def _sum_of_squares(
    a: Float[Array, "chunks lanes ..."], b: Float[Array, "chunks lanes ..."]
) -> Float[Array, "m n"]:
    """The sum of squared differences, added in one order for all shapes: ties remain ties."""

    def add(total, chunk):
        terms = [(u - v) ** 2 for u, v in zip(*chunk, strict=True)]
        while len(terms) > 1:
            half = (len(terms) + 1) // 2
            summed = [u + v for u, v in zip(terms[:half], terms[half:], strict=False)]
            terms = summed + terms[len(summed) : half]
        return total + terms[0], None

    shape = jnp.broadcast_shapes(a.shape[2:], b.shape[2:])
    return jax.lax.scan(add, jnp.zeros(shape, a.dtype), (a, b))[0]


def in_blocks(array: Shaped[Array, "n ..."]) -> Shaped[Array, "blocks rows ..."]:
    """Split rows into blocks of about a hundred, the last one padded with zeros."""
    count = len(array)
    rows = min(_ROWS, count)
    padding = [(0, -count % rows)] + [(0, 0)] * (array.ndim - 1)
    return jnp.pad(array, padding).reshape(-1, rows, *array.shape[1:])


def by_blocks(function: Callable, *arrays: Shaped[Array, "n ..."]):
    """Map a function over blocks of rows, so that no whole matrix is held."""
    results = jax.lax.map(function, tuple(map(in_blocks, arrays)))
    whole = lambda result: result.reshape(-1, *result.shape[2:])[: len(arrays[0])]
    return jax.tree.map(whole, results)
