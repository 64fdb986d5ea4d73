"""Adversarial games made of data: a GAN whose fake points are the real ones, Hessians of a seed.

Their critical points are known in closed form, and their Jacobians are diagonal but for rank one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from tests.gameopt.equilibria.adversary import FIELDS, Method, Said, precision, said_of, stacked
from tests.gameopt.equilibria.exact import Critical, Truth
from tests.gameopt.equilibria.exact_algebra import CONTEXT, read

POINTS, ENTRIES, PRODUCTS = 4096, 40, 8
"""Points of a GAN's data; x's entries and products of a Krylov space, of a Hessian of a seed."""


class PermutedGAN(go.ZeroSumGame):
    """Scores (yr)²/2 of real points and of x times the fake points; ridges of both players.

    At x = 1, y = 0 the Jacobian is diag(ridge_x, ridge_y - mean r² + mean f²): the means are large,
    and cancel where the fake points are the real ones in another order.
    """

    real: Any
    fake: Any
    ridge: go.Players

    def value(self, players, key=None):
        del key
        x, y = players.x[0], players.y[0]
        score = lambda points: jnp.mean(jnp.square(y * points)) / 2
        kept = self.ridge.x * jnp.square(x - 1) - self.ridge.y * jnp.square(y)
        return score(self.real) - score(x * self.fake) + kept / 2


class RankOne(go.ZeroSumGame):
    """a |x|²/2 - b (v·x)²/2 - c |y|²/2: one eigenvalue of x's Hessian, of v, may be negative."""

    vector: Any
    numbers: Any

    def value(self, players, key=None):
        del key
        a, b, c = self.numbers
        square = lambda v: jnp.vdot(v, v)
        return (
            a * square(players.x) / 2
            - b * jnp.square(self.vector @ players.x) / 2
            - (c * square(players.y) / 2)
        )


class DataCase(NamedTuple):
    """A game, its point, step sizes, and the seed of the Krylov start."""

    game: Any
    point: go.Players
    rates: go.Players
    seed: int


KINDS = ("permuted", "common seed")


def _truth(case: DataCase, own_x: list[Any], own_y: Any, magnitude: float, dtype) -> Truth:
    """The truth at an exact critical point from the eigenvalues of a symmetric Jacobian."""
    values = [*own_x, own_y]
    rates = [read(case.rates.x)] * len(own_x) + [read(case.rates.y)]
    nash = all(v > 0 for v in values)
    contracts = all(abs(1 - r * v) < 1 for r, v in zip(rates, values, strict=True))
    holds: dict[str, bool | None] = {
        **dict.fromkeys(("dne", "minimax", "maximin", "attractor"), nash),
        **dict.fromkeys(("attractor_simultaneous", "attractor_alternating"), contracts),
        "stationary": True,
        "spurious": False,
        "saddle": any(v > 0 for v in values) and any(v < 0 for v in values),
        "singular": any(v == 0 for v in values),
        "regular": bool(min(map(abs, values)) > 1e4 * np.finfo(dtype).eps * magnitude),
    }
    return Truth(case, [Critical(0.0, holds)], 0.0)


def _permuted(rng, data: np.ndarray, dtype) -> Truth:
    scale = 10.0 ** rng.uniform(-3, 3)
    real = (scale * data).astype(dtype)
    eps = float(np.finfo(dtype).eps)
    # Half of them where rounding in the means decides.
    low, high = (-1, 2) if rng.random() < 0.5 else (0, -np.log10(eps))
    sizes = eps * 10.0 ** rng.uniform(low, high, 2) * rng.choice((-1, 1), 2, p=(0.3, 0.7))
    ridge = (scale**2 * sizes).astype(dtype)
    game = PermutedGAN(real, rng.permutation(real), go.Players(ridge[0], ridge[1]))
    point = go.Players(np.ones(1, dtype), np.zeros(1, dtype))
    rates = np.full(2, rng.uniform(0.1, 3) / np.abs(ridge).max(), dtype)
    case = DataCase(game, point, go.Players(rates[0], rates[1]), 0)
    # The exact means of a permutation's squares are equal.
    mean = float(np.mean(np.square(real.astype(float))))
    return _truth(case, [read(ridge[0])], read(ridge[1]), 2 * mean, dtype)


def _common_seed(rng, data: np.ndarray, seed: int, dtype) -> Truth:
    vector = data[:ENTRIES].astype(dtype)
    size = float(vector.astype(float) @ vector.astype(float))
    eps = float(np.finfo(dtype).eps)
    gap = rng.choice((0.5, 1e-1, 1e-3, 1e-6, 10 * eps, 0.0)) * rng.choice((-1, 1))
    numbers = np.array([1.0, (1 - gap) / size, rng.uniform(0.5, 2)]).astype(dtype)
    exact = read(vector)
    own_x = [read(numbers[0])] * (ENTRIES - 1)
    own_x.append(read(numbers[0]) - read(numbers[1]) * CONTEXT.fdot(exact, exact))
    point = go.Players(np.zeros(ENTRIES, dtype), np.zeros(1, dtype))
    rate = dtype.type(rng.uniform(0.1, 2.5))
    case = DataCase(RankOne(vector, numbers), point, go.Players(rate, rate), seed)
    return _truth(case, own_x, read(numbers[2]), 2.0, dtype)


def solved_data(kind: str, dtype: str, seed: int) -> Truth:
    """A case of a kind and its truth: data of `default_rng(seed)` or of `jax.random.key(seed)`."""
    rng = np.random.default_rng([seed, 7])
    if rng.random() < 0.5:
        data = np.random.default_rng(seed).normal(size=POINTS)
    else:
        with precision(dtype):
            data = np.asarray(jax.random.normal(jax.random.key(seed), (POINTS,)), float)
    if kind == "permuted":
        return _permuted(rng, data, np.dtype(dtype))
    return _common_seed(rng, data, seed, np.dtype(dtype))


def classify_data(cases: Sequence[DataCase], dtype: str, method: Method) -> list[Said]:
    """Reports of `classify` on each case, the Krylov start of the same seed as its data."""
    said = []
    with precision(dtype):
        for case in cases:
            game, point, rates = jax.tree.map(jnp.asarray, (case.game, case.point, case.rates))
            options = {"num_matvecs": PRODUCTS, "seed": case.seed, "learning_rate": rates}
            report = jax.device_get(go.classify(game, point, method=method, **options))
            extra = {n: getattr(report, n) for n in ("radius", "reach") if hasattr(report, n)}
            found = {name: getattr(report, name) for name in FIELDS} | extra
            said += said_of(stacked([found]), stacked([point]))
    return said
