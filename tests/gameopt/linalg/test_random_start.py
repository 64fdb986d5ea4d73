"""The start of a Krylov space is independent of data that users draw, whatever their generator.

For a vector s of uniform direction in R^n, or of independent signs, and any d that is independent
of it, P(|cos(s, d)| >= t) <= 2 exp(-n t^2 / 2): a cap of the sphere (Ball 1997, An elementary
introduction to modern convex geometry, lemma 2.2), and Hoeffding's inequality.
"""

import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gameopt._linalg.krylov import random_start

N = 1024
COMMON = (321, 1234, 12345, 123456, 1337, 31337, 0xC0FFEE, 0xDEADBEEF, 2**31 - 1, 2**32 - 1, 10**6)
SEEDS = (*range(160), 256, 314, 404, 512, 666, 777, 999, 1000, 1024, *range(2005, 2025), *COMMON)
FALSE_ALARM = 1e-6
"""The probability that a stream which is independent of all data fails a test of this file."""

BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def of_numpy(seed, draw):
    """Vectors that `draw` takes from NumPy's generators, each made of the seed in its own way."""
    own = [np.random.Generator(getattr(np.random, name)(seed)) for name in BIT_GENERATORS]
    lists = [np.random.default_rng(pair) for k in range(3) for pair in ([seed, k], [k, seed])]
    spawned = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)]
    keyed = np.random.Generator(np.random.Philox(key=seed))
    return [draw(generator) for generator in (*own, *lists, *spawned, keyed)]


NUMPY_DRAWS = {
    "normal": lambda g: g.normal(size=N),
    "normal in single precision": lambda g: g.standard_normal(N, np.float32),
    "uniform": lambda g: g.uniform(-1, 1, size=N),
    "signs": lambda g: 2.0 * g.integers(0, 2, size=N) - 1,
    "sparse": lambda g: g.normal(size=N) * (g.uniform(size=N) < 0.05),
    "smooth": lambda g: np.cumsum(g.normal(size=N)),
    "of rank one": lambda g: np.outer(g.normal(size=32), g.normal(size=32)).ravel(),
}


def of_older_generators(seed):
    """`RandomState`, what NumPy's global functions are, and Python's own."""
    state, own = np.random.RandomState(seed % 2**32), random.Random(seed)
    return [state.normal(size=N), state.uniform(-1, 1, N), [own.gauss(0, 1) for _ in range(N)]]


JAX_DRAWS = {
    "normal": lambda key: jax.random.normal(key, (N,)),
    "uniform": lambda key: jax.random.uniform(key, (N,), minval=-1.0, maxval=1.0),
    "signs": lambda key: jax.random.rademacher(key, (N,), float),
}


def cosines(start, data):
    """Pairs of a length and the largest |cos| of vectors of it: whole, in parts, and by signs.

    The parts: the first half of the start with each half of the data, as a player's own Hessian
    begins with the first entries, whichever player; and the last halves.
    """
    half = N // 2
    kinds = ((start, data), (np.sign(start), data), (start, np.sign(data)))
    for s, d in kinds:
        for own, other in (
            (s, d),
            (s[:half], d[:half]),
            (s[:half], d[half:]),
            (s[half:], d[half:]),
        ):
            length = np.linalg.norm(own) * np.linalg.norm(other)
            yield own.size, abs(own @ other) / max(length, 1e-300)


def independent(starts, data_of):
    """Assert that each seed's data are independent of its own start and of that of the seed 0."""
    default = [starts[0]] * len(starts)
    return max(most_excess(starts, data_of), most_excess(default, data_of)) < 1


def most_excess(starts, data_of):
    """The largest |cos| in units of its bound, over all seeds; below 1 if independent."""
    found = [
        pair
        for seed, start in zip(SEEDS, starts, strict=True)
        for data in data_of(seed)
        for pair in cosines(start, np.asarray(data, np.float64))
    ]
    bound = lambda n: np.sqrt(2 * np.log(2 * len(found) / FALSE_ALARM) / n)
    return max(cosine / bound(n) for n, cosine in found)


@pytest.fixture(scope="module")
def starts():
    assert len(SEEDS) == len(set(SEEDS)) == 200
    return [np.asarray(random_start(N, seed, float)) for seed in SEEDS]


@pytest.mark.parametrize("draw", sorted(NUMPY_DRAWS))
def test_no_generator_of_numpy_draws_the_start(starts, draw):
    """15 generators of 200 seeds."""
    assert independent(starts, lambda seed: of_numpy(seed, NUMPY_DRAWS[draw]))


def test_no_older_generator_draws_the_start(starts):
    """RandomState and random.Random."""
    assert independent(starts, of_older_generators)


@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_no_key_of_jax_draws_the_start(starts, implementation):
    """Keys of the seed itself, and the first of those that it is split into."""

    @jax.jit
    def drawn(key):
        draws = JAX_DRAWS.values()
        return [draw(k) for draw in draws for k in (key, jax.random.split(key)[0])]

    assert independent(starts, lambda s: drawn(jax.random.key(s, impl=implementation)))


def test_a_start_that_users_draw_too_is_found_out(starts):
    """Such as default_rng(seed), by its normal numbers, by their signs and by their halves."""
    shared = [np.random.default_rng(seed).normal(size=N) for seed in SEEDS]
    normal = lambda seed: np.random.default_rng(seed).normal(size=N)
    assert most_excess(shared, lambda seed: [normal(seed)]) > 2
    assert most_excess(shared, lambda seed: [np.sign(normal(seed))]) > 2
    assert most_excess(shared, lambda seed: [np.roll(normal(seed), N // 2)]) > 2


def test_starts_of_two_seeds_are_independent(starts):
    """Every seed's against the next one's, and begins like a longer one of the same."""
    following = dict(zip(SEEDS, [*starts[1:], starts[0]], strict=True))
    assert most_excess(starts, lambda seed: [following[seed]]) < 1
    np.testing.assert_array_equal(random_start(2 * N, 5, float)[:N], random_start(N, 5, float))


def test_the_start_has_normal_moments(starts):
    """Mean, variance and kurtosis 0, 1 and 3 of 200 x 1024 numbers, to six standard errors."""
    numbers = np.stack(starts)
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (4, 3, 96)):
        error = np.mean(numbers**power) - moment
        assert abs(error) < 6 * np.sqrt(variance / numbers.size)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_numbers_are_those_of_the_documented_stream(dtype):
    """So that a certificate can be made again: the first numbers of seed 0."""
    found = random_start(3, 0, dtype)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, [0.30069869, 0.23261262, 0.81129361], rtol=1e-6)
