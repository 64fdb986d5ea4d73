"""Transport and nearest-neighbour metrics: `theory` beside its peers.

    python benchmarks/theory_speed.py

W1 between clouds in the plane: the network simplex behind `theory.optimal_transport`, POT called
directly, and scipy's assignment solver; all are exact, and the script ends with status 1 if they
differ by more than 1e-9. W1 on the line, of equal and of other weights: `theory.wasserstein_1d`
beside scipy, POT and, if it is installed, PyTorch; sliced W2 beside POT's and PyTorch's sorts.
Precision, recall, density and coverage: `theory.prdc` beside NumPy with whole distance matrices and
`partition`, both in float32, and the package prdc if it is installed. Timed in turn in one run, so
that a drift of the machine's speed meets all; ratios are of medians, with the range of the pairwise
ratios. Last, a sort alone: XLA's of floats, `theory`'s through integer keys, NumPy's.
"""

import argparse
import contextlib
import io
import statistics
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import ot
import scipy.optimize
import scipy.spatial.distance
import scipy.stats
from _race import race, ratio

import theory

try:
    import torch
except ImportError:
    torch = None
try:
    from prdc import compute_prdc
except ImportError:
    compute_prdc = None


def plane(n):
    """Exact W1 between n points a side, three ways; each returns the distance."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(n, 2)) + 1.0
    pot: Any = ot  # its types are unions of all that it may return
    cost = lambda: scipy.spatial.distance.cdist(x, y)

    def with_scipy():
        costs = cost()
        rows, columns = scipy.optimize.linear_sum_assignment(costs)
        return costs[rows, columns].mean()

    return {
        "theory.wasserstein": lambda: theory.wasserstein(x, y),
        "POT, ot.emd2": lambda: pot.emd2([], [], cost(), numItermax=100_000_000),
        "scipy, assignment": with_scipy,
    }


def line(n, weighted):
    """W1 between n points a side on the line; in float64."""
    rng = np.random.default_rng(1)
    samples = [rng.normal(size=n), rng.normal(size=n) + 0.5]
    shares = [weights / weights.sum() for weights in (rng.random(n), rng.random(n))]
    numbers = [*samples, *shares] if weighted else samples
    arrays = [jnp.asarray(values) for values in numbers]
    distance = jax.jit(theory.wasserstein_1d)
    pot: Any = ot
    contestants = {
        "theory.wasserstein_1d": lambda: float(distance(*arrays)),
        "scipy.stats": lambda: float(scipy.stats.wasserstein_distance(*numbers)),
        "POT, ot.wasserstein_1d": lambda: float(pot.wasserstein_1d(*numbers)),
    }
    if torch is not None and not weighted:
        tensors = [torch.from_numpy(values) for values in samples]
        sort = lambda values: values.sort().values
        contestants["PyTorch, two sorts"] = lambda: float(
            (sort(tensors[0]) - sort(tensors[1])).abs().mean()
        )
    return contestants


def slices(n, d, count):
    """Sliced W2 between n points a side in d dimensions along `count` directions; in float32."""
    rng = np.random.default_rng(3)
    x, y = (rng.normal(size=(n, d)).astype(np.float32) for _ in range(2))
    along = np.asarray(theory.slice_directions(jax.random.key(0), count, d), np.float32)
    arrays = [jnp.asarray(values) for values in (x, y, along)]
    distance = jax.jit(lambda *arrays: theory.sliced_wasserstein(*arrays).value)
    pot: Any = ot
    contestants = {
        "theory.sliced_wasserstein": lambda: float(distance(*arrays)),
        "POT, ot.sliced": lambda: float(
            pot.sliced_wasserstein_distance(x, y, projections=along.T.copy())
        ),
    }
    if torch is not None:
        tensors = [torch.from_numpy(values.copy()) for values in (x, y, along)]

        def sorts():
            one, other = ((tensors[2] @ cloud.T).sort(dim=1).values for cloud in tensors[:2])
            return float(((one - other) ** 2).mean().sqrt())

        contestants["PyTorch, two sorts"] = sorts
    return contestants


def sorts(n):
    """One sort of n numbers in float32; each returns the median, so that they can be compared."""
    values = np.random.default_rng(4).normal(size=n).astype(np.float32)
    array = jnp.asarray(values)
    ours = jax.jit(lambda v: theory.wasserstein_1d(v, jnp.zeros_like(v)))
    plain = jax.jit(lambda v: jnp.mean(jnp.abs(jnp.sort(v) - jnp.sort(jnp.zeros_like(v)))))
    numpy_sorts = lambda: float(np.abs(np.sort(values) - np.sort(np.zeros_like(values))).mean())
    return {
        "theory, integer keys": lambda: float(ours(array)),
        "jnp.sort": lambda: float(plain(array)),
        "np.sort": numpy_sorts,
    }


def numpy_prdc(real, fake, k):
    """The definitions, with three whole distance matrices by expansion, in float32."""

    def distances(x, y):
        squares = (x**2).sum(1)[:, None] - 2 * (x @ y.T) + (y**2).sum(1)[None]
        return np.maximum(squares, 0)

    def radii(cloud):
        return np.partition(distances(cloud, cloud), k, axis=1)[:, k]

    across, radii_real, radii_fake = distances(real, fake), radii(real), radii(fake)
    inside = across < radii_real[:, None]
    return np.array(
        [
            inside.any(axis=0).mean(),
            (across < radii_fake[None]).any(axis=1).mean(),
            inside.sum(axis=0).mean() / k,
            inside.any(axis=1).mean(),
        ]
    )


def neighbours(n, d):
    """PRDC of n points a side in d dimensions, k = 5, in float32."""
    rng = np.random.default_rng(2)
    real, fake = (rng.normal(size=(n, d)).astype(np.float32) for _ in range(2))
    ours_real, ours_fake = jnp.asarray(real), jnp.asarray(fake)
    contestants = {
        "theory.prdc": lambda: np.array([float(v) for v in theory.prdc(ours_real, ours_fake, 5)]),
        "NumPy, whole matrices": lambda: numpy_prdc(real, fake, 5),
    }
    if compute_prdc is not None:
        contestants["the package prdc"] = lambda: package_prdc(compute_prdc, real, fake, 5)
    return contestants


def package_prdc(compute, real, fake, k):
    """Naeem et al.'s own package, which prints how many points there are."""
    with contextlib.redirect_stdout(io.StringIO()):
        found = compute(real, fake, k)
    return np.array([found[name] for name in theory.PRDC._fields])


def compared(title, contestants, repeats, tolerance):
    """Prints the table; says whether all results agree."""
    results = {name: np.asarray(run()) for name, run in contestants.items()}  # compiles, warms
    first = next(iter(results.values()))
    agree = all(np.allclose(value, first, atol=tolerance, rtol=0) for value in results.values())
    seconds = race(contestants, repeats)
    ours = next(iter(seconds.values()))
    print(f"{title}{'' if agree else '   RESULTS DIFFER'}")
    for name, theirs in seconds.items():
        median = 1e3 * statistics.median(theirs)
        print(f"  {name:26} {median:9.2f} ms   {ratio(ours, theirs)}")
    return agree


def main():
    parser = argparse.ArgumentParser(description="theory's exact numbers against its peers")
    parser.add_argument("--repeats", type=int, default=15, help="timed runs of each")
    repeats = parser.parse_args().repeats
    print("median time, and how many times theory's it is (range of one repeat's)")
    agree = [
        neighbours_compared(2000, 64, repeats),
        neighbours_compared(5000, 784, max(repeats // 3, 1)),
    ]
    with jax.enable_x64(True):
        agree += [
            compared(f"W1 in the plane, {n} points a side", plane(n), repeats, 1e-9)
            for n in (200, 1000)
        ]
        agree += [
            compared(f"W1 on the line, {n} {kind} points a side", line(n, weighted), repeats, 1e-9)
            for n in (1000, 100_000)
            for weighted, kind in ((False, "equal"), (True, "weighted"))
        ]
    agree.append(
        compared(
            "sliced W2, 2000 points a side in 64 dimensions, 128 directions",
            slices(2000, 64, 128),
            repeats,
            1e-5,
        )
    )
    agree.append(compared("two sorts of 100 000 numbers in float32", sorts(100_000), repeats, 1e-5))
    sys.exit(0 if all(agree) else 1)


def neighbours_compared(n, d, repeats):
    # A float32 distance can fall to either side of a radius: a few points in thousands.
    title = f"precision, recall, density, coverage, {n} points a side in {d} dimensions"
    return compared(title, neighbours(n, d), repeats, 1e-2)


if __name__ == "__main__":
    main()
